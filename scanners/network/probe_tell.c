/* What main is told. */
#include "agent/base/clock.h"
#include "agent/certificate/certificate.h"
#include "scanners/network/probe_internal.h"
#include "scanners/network/tls_own.h"

#include <string.h>

#define FINDING_BYTES_MAX (4 * 1024 * 1024)

/* Writes that main's slowness blocks take nobody's time away. */
static int64_t stall_begin(void)
{
	return clock_monotonic_ms();
}

static enum err stall_end(struct probe *p, int64_t begin, enum err e)
{
	p->attempts.stalled_ms += clock_monotonic_ms() - begin;
	return e;
}

static enum err write_frame(struct probe *p, enum message type, struct slice payload)
{
	int64_t begin = stall_begin();

	return stall_end(p, begin, channel_write(&p->channel, (uint16_t)type, payload));
}

enum err probe_tell_gathered(struct probe *p)
{
	int64_t begin = stall_begin();

	return stall_end(p, begin, channel_flush(&p->channel));
}

enum err probe_tell_number(struct probe *p, enum message type, uint64_t number)
{
	int64_t begin = stall_begin();

	return stall_end(p, begin, channel_number(&p->channel, type, number));
}

enum err probe_tell_session(struct probe *p, const char *place, const struct session *seen)
{
	const struct finding_piece head = { .id = ++p->next_finding,
		.kind = FINDING_ENDPOINT,
		.scanner = slice_text(p->options.scanner),
		.place = slice_text(place) };
	int64_t begin = stall_begin();
	struct buffer out;
	enum err e;

	buffer_init(&out, FINDING_BYTES_MAX);
	session_encode(&out, seen);
	e = buffer_status(&out);
	if (e == ERR_OK)
		e = channel_finding(&p->channel, &head, buffer_bytes(&out));
	else
		e = channel_problem(&p->channel, p->options.scanner, place, REASON_LIMIT_REACHED,
			"what the server sent is too large to record");
	buffer_fini(&out);
	return stall_end(p, begin, e);
}

enum err probe_tell_problem(
	struct probe *p, const char *place, enum reason reason, const char *message)
{
	int64_t begin = stall_begin();

	return stall_end(
		p, begin, channel_problem(&p->channel, p->options.scanner, place, reason, message));
}

/* It goes the way of one in a file or in a token, so that its own expiry is watched. */
static enum err tell_own_finding(struct probe *p, const char *place, const struct tls_own *own)
{
	const struct finding_piece head = { .kind = own->token.size ? FINDING_TOKEN : FINDING_FILE,
		.id = ++p->next_finding,
		.scanner = slice_text(p->options.scanner),
		.place = slice_text(place) };
	int64_t begin = stall_begin();

	return stall_end(p, begin,
		channel_finding(&p->channel, &head,
			buffer_bytes(own->token.size ? &own->token : &own->pem)));
}

enum err probe_tell_own(struct probe *p, const char *place, unsigned number)
{
	const struct tls_own *own;
	enum err e = ERR_OK;

	if (number > tls_owns_count(p->tls))
		return ERR_MALFORMED;
	own = tls_own_at(p->tls, number - 1U);
	if (!own->credentials)
		return probe_tell_problem(p, place, own->reason, own->failure);
	/* The certificate may be in a file, its key in a token that is not there. */
	if (own->has_failed)
		e = probe_tell_problem(p, own->key_uri, own->reason, own->failure);
	return e == ERR_OK && own->pem.size ? tell_own_finding(p, place, own) : e;
}

enum err probe_tell_kept(struct probe *p, const char *place)
{
	return write_frame(p, MESSAGE_KEPT, slice_text(place));
}

enum err probe_tell_plan(struct probe *p, struct slice payload)
{
	return write_frame(p, MESSAGE_PLAN, payload);
}

enum err probe_tell_progress(struct probe *p)
{
	const struct progress progress = { .items = p->tried, .at = slice_text(p->at) };
	int64_t begin = stall_begin();

	return stall_end(p, begin, channel_progress(&p->channel, &progress));
}

/* A name that was only guessed is told when it is served: with a certificate of its own. */
static bool is_not_served(const struct target *t, const struct session *seen)
{
	const struct blob *leaf = seen->certificates.items;
	uint8_t fingerprint[FINGERPRINT_BYTES];

	if (!seen->certificates.count)
		return true;
	if (t->is_configured)
		return false;
	fingerprint_of(slice_of(leaf->data, leaf->size), fingerprint);
	return memcmp(fingerprint, t->usual_leaf, FINGERPRINT_BYTES) == 0;
}

bool probe_tell_is_idle(const struct target *t, const struct session *seen)
{
	if (t->is_suggested)
		return is_not_served(t, seen);
	if (!seen->has_problem || seen->certificates.count)
		return false;
	/* In a network that is swept most addresses are nobody's; a proxy that fails is another matter. */
	if (t->is_unnamed && !seen->facts.is_reachable)
		return strcmp(seen->facts.handshake, "proxy") != 0;
	return t->is_quiet && session_is_without_tls(seen);
}

enum err probe_tell_listed(struct probe *p, const struct target *t, const char *word)
{
	struct target at = *t; /* lent */
	struct session told = { .facts = { .port = t->port,
					.address = t->host,
					.handshake = (char *)(uintptr_t)word,
					.process = t->process } };
	struct buffer place;
	enum err e;

	at.is_listed = true;
	buffer_init(&place, PLACE_BYTES_MAX);
	target_uri(&place, &at);
	e = buffer_status(&place);
	if (e == ERR_OK)
		e = probe_tell_session(p, buffer_string(&place), &told);
	buffer_fini(&place);
	return e;
}

/* A listening socket of this host that speaks no TLS is no problem, but it is there. */
enum err probe_tell_idle(
	struct probe *p, const struct attempt_start *what, const struct session *seen)
{
	/* Lent: nothing of it is freed here. */
	struct session told = { .facts = seen->facts };

	if (!what->target.is_quiet || what->target.is_suggested)
		return ERR_OK;
	/* Whatever it is, it is no DTLS. */
	if (target_protocol(&what->target)->is_datagram)
		return probe_tell_listed(p, &what->target, seen->facts.handshake);
	if (told.facts.is_reachable)
		told.facts.handshake = (char *)(uintptr_t)reason_word(REASON_NOT_TLS);
	return probe_tell_session(p, what->place, &told);
}
