/* The stages of a TLS session: handshake, the server's next word, one question, its answer; and which
 * connection comes after which. */
#include "scanners/network/banner.h"
#include "scanners/network/dialogue.h"
#include "scanners/network/starttls/http.h"
#include "scanners/network/starttls/parts.h"
#include "scanners/network/tls_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NON_FATAL_MAX 32 /* warnings and the like that a server may send */
#define RECALLS_MAX 3    /* times it may ask for another handshake */
#define IDLE_STEPS_MAX 4 /* steps that take nothing of what was read, one after the other */
#define STEP_BYTES 65536 /* read in one go, before other targets have their turn */
#define REPLY_BYTES 4096
#define LISTEN_MS 300        /* after Finished, for the server's next word */
#define ANSWER_MS 2000       /* for the answer to a question that may change little */
#define ASKED_ANSWER_MS 5000 /* and to one that decides */
#define RESEND_MS_MIN 10     /* between two looks at whether something has to be sent again */
#define ROUND_TRIPS 3        /* and so many times the way there and back */
#define ANSWER_BYTES_ENOUGH ((size_t)8 * 1024)
#define HTTPS_PORT 443
#define AUTHORITY_BYTES 1100 /* a name of 1024 bytes, brackets, a port */

static enum tls_status step(struct tls *t);

/* ---- the end of a connection ------------------------------------------------------------------- */

/* Where the first connection left something open that another can answer. */
static enum round next_round(const struct tls *t)
{
	const struct sight *s = &t->sights[ROUND_FIRST];

	/* Another connection would come no further. */
	if (t->shared->is_certificates_only || t->is_certificate_large)
		return ROUND_COUNT;
	if (t->round < ROUND_CONFIRM && evidence_wants_second_look(s))
		return ROUND_CONFIRM;
	/* RFC 8446 4.2.4: in TLS 1.3 the list is an extension that servers may leave out, and do. */
	if (t->round < ROUND_NAMES && s->is_13 && s->was_asked && !t->authorities.count)
		return ROUND_NAMES;
	if (t->round < ROUND_PRESENT && t->own && tls_own_is_usable(t->own) &&
		(s->was_asked || s->was_asked_later))
		return ROUND_PRESENT;
	return ROUND_COUNT;
}

static bool was_alpn_refused(const struct tls *t)
{
	const struct sight *s = &t->sights[t->round];

	return s->ending == ENDING_ALERT && s->alert == GNUTLS_A_NO_APPLICATION_PROTOCOL &&
	       !t->is_without_alpn;
}

static enum tls_status end(struct tls *t, enum ending ending)
{
	enum round next;

	tls_sight(t)->ending = ending;
	if (t->round == ROUND_PRESENT)
		tls_sight(t)->has_presented = gnutls_certificate_get_ours(t->session) != NULL;
	if (was_alpn_refused(t)) {
		t->is_without_alpn = true;
		return TLS_AGAIN;
	}
	if (t->round == ROUND_FIRST)
		tls_note_first(t);
	next = next_round(t);
	if (next == ROUND_COUNT)
		return TLS_OVER;
	tls_leave(t);
	t->round = next;
	return TLS_AGAIN;
}

/* What a fatal return of GnuTLS means. */
static enum tls_status end_by_error(struct tls *t, int ret)
{
	struct sight *s = tls_sight(t);

	t->error = ret;
	/* Left by us. */
	if (s->ending != ENDING_NONE)
		return end(t, s->ending);
	if (t->is_over_ceiling || ret == GNUTLS_E_HANDSHAKE_TOO_LARGE)
		return end(t, ENDING_LIMIT);
	if (ret == GNUTLS_E_FATAL_ALERT_RECEIVED) {
		s->alert = (int)gnutls_alert_get(t->session);
		return end(t, ENDING_ALERT);
	}
	if (ret == GNUTLS_E_PREMATURE_TERMINATION || ret == GNUTLS_E_SESSION_EOF)
		return end(t, ENDING_CLOSED);
	if ((ret == GNUTLS_E_PULL_ERROR || ret == GNUTLS_E_PUSH_ERROR) && tls_is_io_broken(t))
		return end(t, ENDING_RESET);
	return end(t, ENDING_FAILED);
}

static enum tls_status waiting(const struct tls *t)
{
	/* A datagram goes out at once or is lost, whatever GnuTLS did last. */
	if (tls_is_datagram(t))
		return TLS_WANT_READ;
	return gnutls_record_get_direction(t->session) ? TLS_WANT_WRITE : TLS_WANT_READ;
}

/* ---- the question ----------------------------------------------------------------------------- */

static bool has_alpn(const struct tls *t)
{
	gnutls_datum_t chosen;

	/* We offered nothing but HTTP. */
	return gnutls_alpn_get_selected_protocol(t->session, &chosen) == 0;
}

static void set_inside(struct tls *t, const struct protocol *p)
{
	struct sight *s = tls_sight(t);

	t->inside = p;
	t->question = p->question;
	s->decides_at_login = p->states && !p->question;
	s->drops_in_silence = p->question != NULL;
}

/* What is spoken inside TLS, as far as target, server and port tell. */
static void recognise(struct tls *t)
{
	const struct protocol *by_port = protocol_inside(t->target.port);

	if (t->target.protocol != protocols[0]) {
		set_inside(t, t->target.protocol);
	} else if (has_alpn(t) || http_is_likely(t->target.port)) {
		t->inside = protocols[0];
		t->is_http = true;
		tls_sight(t)->is_unasked = !t->shared->http_path;
		t->question = t->shared->http_path ? &http_question : NULL;
	} else if (by_port) {
		set_inside(t, by_port);
	}
}

/* "EHLO", "a3 CAPABILITY": as much of the question as is the same for all. */
static char *label_of(const struct tls *t)
{
	const struct say *said = &t->question->say;

	if (said->size)
		return strdup(t->inside->name);
	return strndup(said->text, strcspn(said->text, "{\r\n"));
}

static enum tls_status step_ask(struct tls *t)
{
	while (t->out.size) {
		ssize_t n = gnutls_record_send(t->session, t->out.data, t->out.size);

		if (n == GNUTLS_E_AGAIN)
			return TLS_WANT_WRITE;
		if (n == GNUTLS_E_INTERRUPTED)
			continue;
		if (n < 0)
			return end_by_error(t, (int)n);
		buffer_consume(&t->out, (size_t)n);
	}
	t->stage = STAGE_ANSWER;
	return step(t);
}

static void write_authority(const struct tls *t, char out[AUTHORITY_BYTES])
{
	bool is_v6 = strchr(t->target.host, ':') != NULL;
	int size = snprintf(
		out, AUTHORITY_BYTES, "%s%s%s", is_v6 ? "[" : "", t->target.host, is_v6 ? "]" : "");

	/* RFC 9110 4.2.2: the standard port is left out. */
	if (t->target.port != HTTPS_PORT && size > 0 && size < AUTHORITY_BYTES)
		(void)snprintf(out + size, AUTHORITY_BYTES - (size_t)size, ":%u", t->target.port);
}

static enum tls_status ask(struct tls *t)
{
	char own[PROTOCOL_OWN_BYTES] = "";
	char authority[AUTHORITY_BYTES];
	struct words words = { .host = t->target.host, .own = own, .path = "/" };
	struct sight *s = tls_sight(t);

	if (t->is_http) {
		write_authority(t, authority);
		words.host = authority;
		words.path = t->shared->http_path;
	} else {
		dialogue_own_name(t->transport->fd, own);
		if (!t->label)
			t->label = label_of(t);
	}
	s->question = t->is_http ? t->shared->http_question : t->label;
	say_write(&t->question->say, &words, &t->out);
	if (buffer_status(&t->out) != ERR_OK || !s->question) {
		t->is_out_of_memory = true;
		return end(t, ENDING_DONE);
	}
	buffer_clear(&t->answer);
	t->stage = STAGE_ASK;
	return step_ask(t);
}

/* ---- the answer ------------------------------------------------------------------------------- */

static enum retort retort_of(enum learnt learnt)
{
	switch (learnt) {
	case LEARNT_NOTHING:
		return RETORT_UNCLEAR;
	case LEARNT_REQUIRED:
		return RETORT_DEMANDS;
	case LEARNT_NOT_REQUIRED:
		return RETORT_PROCEEDS;
	case LEARNT_DENIED:
		return RETORT_DENIES;
	case LEARNT_NOT_YET:
		break;
	}
	return RETORT_NONE;
}

static void keep_answer(struct tls *t, enum retort retort, const char *text)
{
	struct sight *s = tls_sight(t);

	s->retort = retort;
	s->is_sentence = !t->is_http;
	t->answer_texts[t->round] = strdup(text);
	s->answer = t->answer_texts[t->round];
	t->is_out_of_memory |= !s->answer;
}

static void read_answer(struct tls *t, bool is_whole)
{
	struct sight *s = tls_sight(t);
	char text[PROTOCOL_SENTENCE_BYTES];
	enum learnt learnt;

	if (!t->question || !s->question || s->retort != RETORT_NONE)
		return;
	is_whole |= t->answer.size >= ANSWER_BYTES_ENOUGH;
	learnt = t->question->read(buffer_bytes(&t->answer), text);
	if (learnt == LEARNT_NOT_YET && is_whole && t->question->end)
		learnt = t->question->end(buffer_bytes(&t->answer), text);
	if (retort_of(learnt) != RETORT_NONE)
		keep_answer(t, retort_of(learnt), text);
}

/* The server wants another handshake: RFC 8446 4.6.2, RFC 5246 7.4.1.1. */
static enum tls_status recall(struct tls *t, bool is_renegotiation)
{
	tls_sight(t)->was_recalled = true;
	if (++t->recalls > RECALLS_MAX)
		return end(t, ENDING_LIMIT);
	t->is_renegotiating = is_renegotiation;
	t->stage = STAGE_REPLY;
	return step(t);
}

static enum tls_status step_reply(struct tls *t)
{
	uint8_t reply[REPLY_BYTES];
	int ret;

	do {
		ret = t->is_renegotiating ? gnutls_handshake(t->session)
					  : gnutls_reauth(t->session, 0);
		if (ret == GNUTLS_E_AGAIN)
			return waiting(t);
		/* RFC 5246 7.4.1.1: what was on its way may come in between. */
		if (ret == GNUTLS_E_GOT_APPLICATION_DATA)
			(void)gnutls_record_recv(t->session, reply, sizeof(reply));
		else if (ret < 0 && gnutls_error_is_fatal(ret))
			return end_by_error(t, ret);
		if (ret < 0 && ++t->non_fatal > NON_FATAL_MAX)
			return end(t, ENDING_LIMIT);
	} while (ret < 0);
	t->stage = STAGE_ANSWER;
	return step(t);
}

static enum tls_status step_answer(struct tls *t)
{
	struct sight *s = tls_sight(t);
	uint8_t reply[REPLY_BYTES];
	ssize_t ret;

	do {
		ret = gnutls_record_recv(t->session, reply, sizeof(reply));
		if (ret > 0) {
			s->has_spoken = true;
			buffer_append(&t->answer, reply, (size_t)ret);
			read_answer(t, false);
			if (s->retort != RETORT_NONE || t->answer.size >= ANSWER_BYTES_ENOUGH)
				return end(t, ENDING_DONE);
			continue;
		}
		if (ret == GNUTLS_E_REAUTH_REQUEST || ret == GNUTLS_E_REHANDSHAKE)
			return recall(t, ret == GNUTLS_E_REHANDSHAKE);
		if (ret == 0 || (ret != GNUTLS_E_AGAIN && gnutls_error_is_fatal((int)ret)))
			read_answer(t, true);
		if (ret == 0)
			return end(t, ENDING_GOODBYE);
		if (ret != GNUTLS_E_AGAIN && gnutls_error_is_fatal((int)ret))
			return end_by_error(t, (int)ret);
		if (ret != GNUTLS_E_AGAIN && ++t->non_fatal > NON_FATAL_MAX)
			return end(t, ENDING_LIMIT);
	} while (ret != GNUTLS_E_AGAIN);
	return TLS_LISTENING;
}

/* ---- the server's next word ------------------------------------------------------------------- */

/* Does its server speak first? */
static bool greets(const struct protocol *p)
{
	return p && !p->is_silent && (p->greetings || p->greets);
}

/* postfix, where it speaks TLS from the first byte, refuses in the place of the greeting. */
static bool is_refusing_greeting(struct slice banner)
{
	static const char *const begins[] = { "4", "5", "-ERR", "* BYE" };

	for (size_t i = 0; i < sizeof(begins) / sizeof(begins[0]); i++)
		if (part_fits(banner, begins[i], "certificate"))
			return true;
	return false;
}

/* It spoke unasked: a greeting, which may tell what it speaks. */
static enum tls_status greeted(struct tls *t)
{
	struct slice banner = buffer_bytes(&t->answer);
	struct sight *s = tls_sight(t);
	const struct protocol *p;

	s->has_spoken = true;
	if (is_refusing_greeting(banner)) {
		char text[PROTOCOL_SENTENCE_BYTES];

		part_evidence(text, "the greeting", part_first_line(banner));
		keep_answer(t, RETORT_DEMANDS, text);
		return end(t, ENDING_DONE);
	}
	if (!t->inside && protocol_suggest(t->target.port, buffer_bytes(&t->answer), &p, 1) == 1)
		set_inside(t, p);
	return t->question ? ask(t) : end(t, ENDING_DONE);
}

/* Is a question due as soon as the server has gone on? Who greets is let finish first. */
static bool may_ask(const struct tls *t)
{
	bool has_greeted = t->target.protocol != protocols[0];

	return t->question && (has_greeted || !greets(t->inside));
}

static enum tls_status step_listen(struct tls *t)
{
	struct sight *s = tls_sight(t);
	uint8_t reply[REPLY_BYTES];
	ssize_t ret;

	do {
		ret = gnutls_record_recv(t->session, reply, sizeof(reply));
		if (ret > 0) {
			buffer_append(&t->answer, reply, (size_t)ret);
			return greeted(t);
		}
		if (ret == 0)
			return end(t, ENDING_GOODBYE);
		if (ret != GNUTLS_E_AGAIN && gnutls_error_is_fatal((int)ret))
			return end_by_error(t, (int)ret);
		if (gnutls_session_get_flags(t->session) & GNUTLS_SFLAGS_SESSION_TICKET) {
			s->has_ticket = true;
			if (may_ask(t))
				return ask(t);
		}
		if (ret != GNUTLS_E_AGAIN && ++t->non_fatal > NON_FATAL_MAX)
			return end(t, ENDING_LIMIT);
	} while (ret != GNUTLS_E_AGAIN);
	return TLS_LISTENING;
}

static enum tls_status handshake_done(struct tls *t)
{
	struct sight *s = tls_sight(t);

	s->is_finished = true;
	if (t->transport->ops->finished)
		t->transport->ops->finished(t->transport);
	t->ceiling = t->received + TLS_AFTERWARDS_BYTES_MAX;
	recognise(t);
	/* Only web servers are known to ask later. */
	if (!s->was_asked)
		return t->is_http && t->question ? ask(t) : end(t, ENDING_DONE);
	/* In TLS 1.3 the server has yet to judge our certificate. */
	if (!s->is_13 && may_ask(t))
		return ask(t);
	t->stage = STAGE_LISTEN;
	return step(t);
}

static enum tls_status step_handshake(struct tls *t)
{
	int ret;

	do {
		ret = gnutls_handshake(t->session);
		/* RFC 6347 4.1.2.7: of datagrams those that are no DTLS are passed over. */
		if (tls_is_datagram(t) && tls_is_io_broken(t))
			return end(t, ENDING_RESET);
		/* Judged by the first byte, so that a short banner is not waited on. */
		if (ret < 0 && !tls_is_datagram(t) && banner_is_not_tls(tls_head(t))) {
			/* GnuTLS reads no further than a record's head; the rest names what it is. */
			tls_wire_peek(t);
			return end(t, ENDING_NOT_TLS);
		}
		if (ret == GNUTLS_E_AGAIN)
			return waiting(t);
		tls_sight(t)->is_13 = gnutls_protocol_get_version(t->session) == GNUTLS_TLS1_3;
		if (ret < 0 && (gnutls_error_is_fatal(ret) || tls_sight(t)->ending != ENDING_NONE))
			return end_by_error(t, ret);
		if (ret < 0 && ++t->non_fatal > NON_FATAL_MAX)
			return end(t, ENDING_LIMIT);
	} while (ret < 0);
	return handshake_done(t);
}

/* ---- from outside ----------------------------------------------------------------------------- */

static enum tls_status step(struct tls *t)
{
	switch (t->stage) {
	case STAGE_HANDSHAKE:
		return step_handshake(t);
	case STAGE_LISTEN:
		return step_listen(t);
	case STAGE_ASK:
		return step_ask(t);
	case STAGE_ANSWER:
		return step_answer(t);
	case STAGE_REPLY:
		return step_reply(t);
	}
	return TLS_OVER;
}

static bool is_waiting(enum tls_status status)
{
	return status == TLS_WANT_READ || status == TLS_LISTENING;
}

/* Before anything is waited for: what was read already is looked at (GnuTLS returns after a ticket, whatever
 * follows it), and what is held back goes out. */
static enum tls_status settle(struct tls *t, enum tls_status status)
{
	struct transport *transport = t->transport;
	unsigned idle = 0;

	while (is_waiting(status) && transport->ahead && idle < IDLE_STEPS_MAX) {
		size_t ahead = transport->ahead;

		status = step(t);
		idle = transport->ahead == ahead ? idle + 1 : 0;
	}
	if (!is_waiting(status) || !transport->ops->flush || transport->ops->flush(transport) == 0)
		return status;
	if (errno == EAGAIN)
		return TLS_WANT_WRITE;
	t->io_errno = errno;
	return end(t, ENDING_RESET);
}

enum tls_status tls_step(struct tls *t)
{
	if (!t->session || tls_sight(t)->ending != ENDING_NONE)
		return TLS_OVER;
	t->budget = STEP_BYTES;
	return settle(t, step(t));
}

int64_t tls_patience_ms(const struct tls *t)
{
	const struct sight *s = &t->sights[t->round];
	int64_t base = t->stage == STAGE_LISTEN             ? LISTEN_MS
		       : s->was_asked || s->was_asked_later ? ASKED_ANSWER_MS
							    : ANSWER_MS;

	return base + ROUND_TRIPS * t->target.round_trip_ms;
}

int64_t tls_resend_ms(const struct tls *t)
{
	int64_t ms;

	if (!tls_is_datagram(t) || !t->session || t->stage != STAGE_HANDSHAKE)
		return 0;
	ms = gnutls_dtls_get_timeout(t->session);
	return ms > RESEND_MS_MIN ? ms : RESEND_MS_MIN;
}

enum tls_status tls_silence(struct tls *t)
{
	if (!t->session || tls_sight(t)->ending != ENDING_NONE)
		return TLS_OVER;
	t->budget = STEP_BYTES;
	if (t->stage == STAGE_LISTEN && t->question)
		return settle(t, ask(t));
	read_answer(t, true);
	return end(t, ENDING_SILENCE);
}

void tls_time_is_up(struct tls *t)
{
	struct sight *s = tls_sight(t);

	if (!t->session || s->ending != ENDING_NONE)
		return;
	read_answer(t, true);
	s->ending = s->is_finished ? ENDING_SILENCE : ENDING_TIMEOUT;
	if (tls_is_datagram(t) && !s->is_finished && banner_is_not_dtls(tls_head(t)))
		s->ending = ENDING_NOT_TLS;
	if (t->round == ROUND_FIRST)
		tls_note_first(t);
}
