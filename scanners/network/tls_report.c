/* What the sessions saw, as the record tells it. */
#include "scanners/network/banner.h"
#include "scanners/network/tls_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORD_BYTES 48
#define MESSAGE_BYTES 512

struct failure {
	enum reason reason;
	char word[WORD_BYTES];
	char message[MESSAGE_BYTES];
};

static void say(struct failure *f, enum reason reason, const char *word, const char *message)
{
	f->reason = reason;
	(void)snprintf(f->word, sizeof(f->word), "%s", word);
	(void)snprintf(f->message, sizeof(f->message), "%s", message);
}

static void describe_alert(const struct sight *s, struct failure *f)
{
	const char *word = evidence_alert_word(s->alert);

	f->reason = REASON_HANDSHAKE_FAILED;
	if (word)
		(void)snprintf(f->word, sizeof(f->word), "%s", word);
	else
		(void)snprintf(f->word, sizeof(f->word), "alert_%d", s->alert);
	(void)snprintf(f->message, sizeof(f->message), "the server ended the %s with alert %d, %s",
		s->is_finished ? "session" : "handshake", s->alert, f->word);
}

static void describe_limit(const struct tls *t, struct failure *f)
{
	char text[MESSAGE_BYTES];

	if (t->is_certificate_large)
		(void)snprintf(text, sizeof(text),
			"a certificate of more than %zu KiB: the handshake was not gone on with",
			TLS_CERTIFICATE_BYTES_MAX / 1024);
	else if (t->is_over_ceiling)
		(void)snprintf(text, sizeof(text), "the server sent more than %d MiB",
			TLS_RECEIVED_BYTES_MAX / (1024 * 1024));
	else if (t->error == GNUTLS_E_HANDSHAKE_TOO_LARGE)
		(void)snprintf(text, sizeof(text),
			"the server sent a handshake message of more than %d MiB",
			TLS_MESSAGE_BYTES_MAX / (1024 * 1024));
	else
		(void)snprintf(text, sizeof(text), "the server sent too many warnings");
	say(f, REASON_LIMIT_REACHED, "limit-reached", text);
}

/* How the session failed; false when it did not. */
static bool describe(const struct tls *t, const struct sight *s, struct failure *f)
{
	switch (s->ending) {
	case ENDING_TIMEOUT:
		say(f, REASON_TIMEOUT, "timeout",
			t->received ? "the handshake was not complete in time"
			: tls_is_datagram(t)
				? "no answer to the ClientHello in time"
				: "connected, but no answer to the ClientHello in time");
		return true;
	case ENDING_NOT_TLS:
		say(f, REASON_NOT_TLS, "not-tls", "");
		banner_describe(slice_of(t->head, t->head_size), f->message, sizeof(f->message));
		return true;
	case ENDING_ENOUGH:
		if (t->is_certificate_large)
			describe_limit(t, f);
		return t->is_certificate_large;
	case ENDING_LIMIT:
		describe_limit(t, f);
		return !s->is_finished;
	case ENDING_ALERT:
		describe_alert(s, f);
		return true;
	case ENDING_CLOSED:
		say(f, REASON_HANDSHAKE_FAILED, "closed",
			t->received ? "the server closed the connection in the handshake"
				    : "the server closed the connection without an answer");
		return !s->is_finished;
	case ENDING_RESET:
		say(f, REASON_HANDSHAKE_FAILED, "reset", "the server reset the connection");
		return !s->is_finished;
	case ENDING_FAILED:
		say(f, REASON_HANDSHAKE_FAILED, "failed", gnutls_strerror(t->error));
		return !s->is_finished;
	default:
		return false;
	}
}

/* RFC 6066 8 in TLS 1.2; that of 1.3 was taken from its Certificate message. */
static void note_staple(struct tls *t)
{
	gnutls_datum_t ocsp = { 0 };

	if (t->ocsp_response.data || !tls_sight(t)->is_finished ||
		gnutls_ocsp_status_request_get(t->session, &ocsp) < 0 || !ocsp.size)
		return;
	t->ocsp_response.data = (uint8_t *)string_of(slice_of(ocsp.data, ocsp.size));
	t->ocsp_response.size = ocsp.size;
	t->is_out_of_memory |= !t->ocsp_response.data;
}

void tls_note_first(struct tls *t)
{
	const struct sight *s = tls_sight(t);
	struct failure f = { 0 };
	bool has_failed = describe(t, s, &f);

	/* Before the ServerHello was taken they are not agreed. */
	if (s->is_finished || t->certificates_sent) {
		t->protocol = gnutls_protocol_get_name(gnutls_protocol_get_version(t->session));
		t->cipher_suite = gnutls_ciphersuite_get(t->session);
	}
	note_staple(t);
	t->word = strdup(has_failed ? f.word : "ok");
	t->is_out_of_memory |= !t->word;
	if (!has_failed)
		return;
	t->reason = f.reason;
	t->failure = strdup(f.message);
	t->is_out_of_memory |= !t->failure;
}

static enum err report_problem(struct tls *t, struct session *out)
{
	enum client_certificate verdict = out->facts.client_certificate;

	out->facts.handshake = t->word;
	t->word = NULL;
	/* A server that wants a certificate and showed its own was seen whole. */
	if (t->failure && !(verdict == CLIENT_CERTIFICATE_REQUIRED && t->certificates.count)) {
		out->has_problem = true;
		out->reason = t->reason;
		out->message = t->failure;
		t->failure = NULL;
		return ERR_OK;
	}
	if (t->certificates_sent <= RECORD_CHAIN_MAX)
		return ERR_OK;
	out->has_problem = true;
	out->reason = REASON_LIMIT_REACHED;
	if (asprintf(&out->message, "the server sent %zu certificates; the first %d are recorded",
		    t->certificates_sent, RECORD_CHAIN_MAX) >= 0)
		return ERR_OK;
	out->message = NULL;
	return ERR_MEMORY;
}

static enum err copy_text(char **to, const char *text)
{
	if (!text || !*text)
		return ERR_OK;
	*to = strdup(text);
	return *to ? ERR_OK : ERR_MEMORY;
}

static enum err report_facts(const struct tls *t, struct endpoint_record *out)
{
	const struct sight *s = &t->sights[ROUND_FIRST];
	char text[EVIDENCE_BYTES];
	enum err e = copy_text(&out->protocol, t->protocol);

	if (e == ERR_OK)
		e = copy_text(&out->cipher_suite, t->cipher_suite);
	if (t->protocol && !t->ocsp_response.data)
		out->stapled_ocsp = t->is_staple_known ? STAPLED_OCSP_NONE : STAPLED_OCSP_UNKNOWN;
	out->client_certificate = evidence_verdict(s, &t->sights[ROUND_CONFIRM], text);
	if (e == ERR_OK)
		e = copy_text(&out->client_certificate_evidence, text);
	if (e == ERR_OK && t->authorities.count)
		e = copy_text(&out->acceptable_cas_from,
			t->are_authorities_of_12 ? "TLS1.2" : t->protocol);
	return e;
}

/* What became of the certificate that this server was, or was to be, shown. */
static enum err report_presented(const struct tls *t, struct presented *out)
{
	const struct sight *s = &t->sights[ROUND_PRESENT];
	const struct sight *first = &t->sights[ROUND_FIRST];
	char text[EVIDENCE_BYTES];

	/* One in a token that failed has no fingerprint to tell, unless that was before. */
	if (!t->own || !t->own->credentials || !t->own->pem.size || t->shared->is_certificates_only)
		return ERR_OK;
	out->is_given = true;
	memcpy(out->fingerprint, t->own->fingerprint, FINGERPRINT_BYTES);
	if (t->is_certificate_large)
		return copy_text(&out->evidence, "the handshake was left before");
	if (t->sign_failure[0])
		return copy_text(&out->evidence, t->sign_failure);
	if (t->own->has_failed && !s->has_presented && (first->was_asked || first->was_asked_later))
		return copy_text(&out->evidence, t->own->failure);
	if (first->was_asked || first->was_asked_later || !first->is_finished) {
		out->accepted = evidence_acceptance(s, text);
		return copy_text(&out->evidence, first->was_asked || first->was_asked_later
							 ? text
							 : "the handshake failed before");
	}
	return copy_text(&out->evidence, "the server asked for none");
}

enum err tls_report(struct tls *t, struct session *out)
{
	enum err e;

	if (t->is_out_of_memory)
		return ERR_MEMORY;
	e = report_facts(t, &out->facts);
	if (e == ERR_OK)
		e = report_presented(t, &out->facts.presented);
	if (e == ERR_OK)
		e = report_problem(t, out);
	if (e != ERR_OK)
		return e;
	out->certificates = t->certificates;
	out->authorities = t->authorities;
	out->ocsp_response = t->ocsp_response;
	t->certificates = (struct blobs){ 0 };
	t->authorities = (struct blobs){ 0 };
	t->ocsp_response = (struct blob){ 0 };
	return ERR_OK;
}
