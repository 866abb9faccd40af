/* A TLS session that records what the server shows, however the handshake ends. The certificate list is
 * taken from the handshake message itself, so that certificates that GnuTLS refuses to parse, and chains
 * of handshakes that fail, are recorded too. */
#include "scanners/network/tls.h"

#include "agent/base/text.h"
#include "scanners/network/banner.h"

#include <ctype.h>
#include <errno.h>
#include <gnutls/gnutls.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define HEAD_BYTES 64         /* of the first answer, to name what is not TLS */
#define NON_FATAL_MAX 32      /* warnings and the like that a server may send */
#define DH_PRIME_BITS_MIN 512 /* export-grade servers are to be seen, not refused */
#define REPLY_BYTES 1024
#define ALERT_WORD_BYTES 48
#define MESSAGE_BYTES 512

struct tls_shared {
	gnutls_certificate_credentials_t credentials;
	gnutls_priority_t priority;
};

enum ending {
	ENDING_NONE,
	ENDING_DONE,    /* all was seen */
	ENDING_SILENCE, /* Finished, and nothing after it */
	ENDING_TIMEOUT,
	ENDING_NOT_TLS,
	ENDING_LIMIT,
	ENDING_ALERT,
	ENDING_CLOSED,  /* without an alert */
	ENDING_GOODBYE, /* with close_notify */
	ENDING_RESET,
	ENDING_FAILED, /* GnuTLS gave up */
};

struct tls {
	gnutls_session_t session;    /* owned */
	struct transport *transport; /* borrowed */
	enum ending ending;
	int error;    /* GnuTLS's, for ENDING_FAILED */
	int alert;    /* for ENDING_ALERT */
	int io_errno; /* of the socket, for ENDING_RESET */
	size_t received;
	unsigned non_fatal;
	size_t head_size;
	uint8_t head[HEAD_BYTES];
	bool is_finished;
	bool is_over_ceiling;
	bool was_asked;            /* a CertificateRequest came */
	bool has_sent_certificate; /* our empty one */
	bool has_spoken;           /* application data came */
	bool is_out_of_memory;
	size_t certificates_sent; /* how many the server sent, kept or not */
	struct blobs certificates;
	struct blobs authorities;
};

/* ---- shared ----------------------------------------------------------------------------------- */

/* The server asks for a certificate: note whose it would take, and offer none. */
static int on_request(gnutls_session_t session, const gnutls_datum_t *names, int names_count,
	const gnutls_pk_algorithm_t *algorithms, int algorithms_count, gnutls_retr2_st *answer)
{
	struct tls *t = gnutls_session_get_ptr(session);

	(void)algorithms;
	(void)algorithms_count;
	t->was_asked = true;
	for (int i = 0; i < names_count && t->authorities.count < RECORD_CAS_MAX; i++)
		if (blobs_add(&t->authorities, slice_of(names[i].data, names[i].size)) != ERR_OK)
			t->is_out_of_memory = true;
	answer->ncerts = 0;
	answer->deinit_all = 0;
	return 0;
}

enum err tls_shared_new(struct tls_shared **out, struct why *why)
{
	struct tls_shared *s = calloc(1, sizeof(*s));
	const char *at = NULL;
	int ret;

	if (!s)
		return ERR_MEMORY;
	ret = gnutls_priority_init(&s->priority, TLS_PRIORITY, &at);
	if (ret >= 0)
		ret = gnutls_certificate_allocate_credentials(&s->credentials);
	if (ret < 0) {
		tls_shared_free(s);
		return why_fail(why, ERR_NETWORK, "cannot set GnuTLS up: %s (%s)",
			gnutls_strerror(ret), at ? at : "");
	}
	gnutls_certificate_set_retrieve_function(s->credentials, on_request);
	*out = s;
	return ERR_OK;
}

void tls_shared_free(struct tls_shared *s)
{
	if (!s)
		return;
	if (s->credentials)
		gnutls_certificate_free_credentials(s->credentials);
	if (s->priority)
		gnutls_priority_deinit(s->priority);
	free(s);
}

/* ---- the socket ------------------------------------------------------------------------------- */

static ssize_t on_push(gnutls_transport_ptr_t ptr, const giovec_t *parts, int count)
{
	struct tls *t = ptr;

	return t->transport->ops->push(t->transport, (const struct iovec *)parts, count);
}

static ssize_t on_pull(gnutls_transport_ptr_t ptr, void *to, size_t size)
{
	struct tls *t = ptr;
	ssize_t n;

	if (t->received >= TLS_RECEIVED_BYTES_MAX) {
		t->is_over_ceiling = true;
		errno = EMSGSIZE;
		return -1;
	}
	n = t->transport->ops->pull(t->transport, to, size);
	if (n < 0) {
		t->io_errno = errno;
		return n;
	}
	t->received += (size_t)n;
	if (t->head_size < HEAD_BYTES) {
		size_t more = (size_t)n < HEAD_BYTES - t->head_size ? (size_t)n
								    : HEAD_BYTES - t->head_size;

		memcpy(t->head + t->head_size, to, more);
		t->head_size += more;
	}
	return n;
}

/* ---- the handshake's messages ----------------------------------------------------------------- */

static uint32_t number_of(const uint8_t *bytes, size_t size)
{
	uint32_t n = 0;

	for (size_t i = 0; i < size; i++)
		n = n << 8 | bytes[i];
	return n;
}

/* Cuts a vector with a length of `width` bytes off the front of `s`; false when it is not whole. */
static bool cut_vector(struct slice *s, size_t width, struct slice *out)
{
	size_t size;

	if (s->size < width)
		return false;
	size = number_of(s->data, width);
	if (s->size - width < size)
		return false;
	*out = slice_of(s->data + width, size);
	*s = slice_after(*s, width + size);
	return true;
}

/* The Certificate message: RFC 5246 7.4.2, and with context and extensions RFC 8446 4.4.2. */
static void take_certificates(struct tls *t, struct slice message)
{
	bool is_13 = gnutls_protocol_get_version(t->session) >= GNUTLS_TLS1_3;
	struct slice context, list, der, extensions;

	if ((is_13 && !cut_vector(&message, 1, &context)) || !cut_vector(&message, 3, &list))
		return;
	while (cut_vector(&list, 3, &der)) {
		if (is_13 && !cut_vector(&list, 2, &extensions))
			extensions = slice_of(NULL, 0);
		t->certificates_sent++;
		if (der.size && t->certificates.count < RECORD_CHAIN_MAX &&
			blobs_add(&t->certificates, der) != ERR_OK)
			t->is_out_of_memory = true;
	}
}

static int on_message(gnutls_session_t session, unsigned type, unsigned when, unsigned incoming,
	const gnutls_datum_t *message)
{
	struct tls *t = gnutls_session_get_ptr(session);

	(void)when;
	if (type == GNUTLS_HANDSHAKE_CERTIFICATE_PKT && !incoming)
		t->has_sent_certificate = true;
	if (type == GNUTLS_HANDSHAKE_CERTIFICATE_REQUEST && incoming)
		t->was_asked = true;
	/* A second list (renegotiation) adds nothing. */
	if (type == GNUTLS_HANDSHAKE_CERTIFICATE_PKT && incoming && !t->certificates_sent)
		take_certificates(t, slice_of(message->data, message->size));
	return 0;
}

/* ---- stepping --------------------------------------------------------------------------------- */

enum err tls_new(const struct tls_shared *shared, struct transport *transport,
	const char *server_name, struct tls **out)
{
	struct tls *t = calloc(1, sizeof(*t));
	int ret;

	if (!t)
		return ERR_MEMORY;
	t->transport = transport;
	ret = gnutls_init(&t->session, GNUTLS_CLIENT | GNUTLS_NONBLOCK | GNUTLS_NO_TICKETS_TLS12);
	if (ret < 0) {
		free(t);
		return ERR_MEMORY;
	}
	gnutls_session_set_ptr(t->session, t);
	ret = gnutls_priority_set(t->session, shared->priority);
	if (ret >= 0)
		ret = gnutls_credentials_set(
			t->session, GNUTLS_CRD_CERTIFICATE, shared->credentials);
	if (ret >= 0 && server_name)
		ret = gnutls_server_name_set(
			t->session, GNUTLS_NAME_DNS, server_name, strlen(server_name));
	if (ret < 0) {
		tls_free(t);
		return ret == GNUTLS_E_MEMORY_ERROR ? ERR_MEMORY : ERR_NETWORK;
	}
	gnutls_dh_set_prime_bits(t->session, DH_PRIME_BITS_MIN);
	gnutls_handshake_set_max_packet_length(t->session, TLS_MESSAGE_BYTES_MAX);
	gnutls_handshake_set_hook_function(
		t->session, GNUTLS_HANDSHAKE_ANY, GNUTLS_HOOK_PRE, on_message);
	gnutls_transport_set_ptr(t->session, t);
	gnutls_transport_set_vec_push_function(t->session, on_push);
	gnutls_transport_set_pull_function(t->session, on_pull);
	*out = t;
	return ERR_OK;
}

static enum tls_status end(struct tls *t, enum ending ending)
{
	t->ending = ending;
	return TLS_OVER;
}

static bool is_reset(const struct tls *t)
{
	return t->io_errno && t->io_errno != EAGAIN && t->io_errno != EINTR;
}

/* GnuTLS reads no further than a record's head; the rest names what it is. */
static enum tls_status end_not_tls(struct tls *t)
{
	ssize_t n = t->transport->ops->pull(
		t->transport, t->head + t->head_size, sizeof(t->head) - t->head_size);

	if (n > 0)
		t->head_size += (size_t)n;
	return end(t, ENDING_NOT_TLS);
}

/* What a fatal return of GnuTLS means. */
static enum tls_status end_by_error(struct tls *t, int ret)
{
	t->error = ret;
	if (t->is_over_ceiling || ret == GNUTLS_E_HANDSHAKE_TOO_LARGE)
		return end(t, ENDING_LIMIT);
	if (ret == GNUTLS_E_FATAL_ALERT_RECEIVED) {
		t->alert = (int)gnutls_alert_get(t->session);
		return end(t, ENDING_ALERT);
	}
	if (ret == GNUTLS_E_PREMATURE_TERMINATION || ret == GNUTLS_E_SESSION_EOF)
		return end(t, ENDING_CLOSED);
	if ((ret == GNUTLS_E_PULL_ERROR || ret == GNUTLS_E_PUSH_ERROR) && is_reset(t))
		return end(t, ENDING_RESET);
	return end(t, ENDING_FAILED);
}

static enum tls_status waiting(const struct tls *t)
{
	return gnutls_record_get_direction(t->session) ? TLS_WANT_WRITE : TLS_WANT_READ;
}

static enum tls_status step_handshake(struct tls *t)
{
	int ret;

	do {
		ret = gnutls_handshake(t->session);
		/* Judged by the first byte, so that a short banner is not waited on. */
		if (ret < 0 && banner_is_not_tls(slice_of(t->head, t->head_size)))
			return end_not_tls(t);
		if (ret == GNUTLS_E_AGAIN)
			return waiting(t);
		if (ret < 0 && gnutls_error_is_fatal(ret))
			return end_by_error(t, ret);
		if (ret < 0 && ++t->non_fatal > NON_FATAL_MAX)
			return end(t, ENDING_LIMIT);
	} while (ret < 0);
	t->is_finished = true;
	if (t->transport->ops->finished)
		t->transport->ops->finished(t->transport);
	/* Only a server that asked for a certificate has more to tell. */
	return t->was_asked ? TLS_LISTENING : end(t, ENDING_DONE);
}

static enum tls_status step_listening(struct tls *t)
{
	uint8_t reply[REPLY_BYTES];
	ssize_t ret;

	do {
		ret = gnutls_record_recv(t->session, reply, sizeof(reply));
		if (ret > 0) {
			t->has_spoken = true;
			return end(t, ENDING_DONE);
		}
		if (ret == 0)
			return end(t, ENDING_GOODBYE);
		if (ret != GNUTLS_E_AGAIN && gnutls_error_is_fatal((int)ret))
			return end_by_error(t, (int)ret);
		/* RFC 8446 4.6.1: a ticket follows the client's Finished, hence its certificate. */
		if (gnutls_session_get_flags(t->session) & GNUTLS_SFLAGS_SESSION_TICKET)
			return end(t, ENDING_DONE);
		if (ret != GNUTLS_E_AGAIN && ++t->non_fatal > NON_FATAL_MAX)
			return end(t, ENDING_DONE);
	} while (ret != GNUTLS_E_AGAIN);
	return TLS_LISTENING;
}

enum tls_status tls_step(struct tls *t)
{
	enum tls_status status;

	if (t->ending != ENDING_NONE)
		return TLS_OVER;
	if (t->is_finished)
		return step_listening(t);
	status = step_handshake(t);
	return status == TLS_LISTENING ? step_listening(t) : status;
}

void tls_time_is_up(struct tls *t)
{
	if (t->ending == ENDING_NONE)
		t->ending = t->is_finished ? ENDING_SILENCE : ENDING_TIMEOUT;
}

/* ---- the report ------------------------------------------------------------------------------- */

/* "certificate_required": RFC 8446 6, from GnuTLS's own names. */
static void alert_word(int alert, char out[ALERT_WORD_BYTES])
{
	static const char prefix[] = "GNUTLS_A_";
	const char *name = gnutls_alert_get_strname((gnutls_alert_description_t)alert);
	size_t i = 0;

	if (!name || strncmp(name, prefix, sizeof(prefix) - 1) != 0) {
		(void)snprintf(out, ALERT_WORD_BYTES, "alert_%d", alert);
		return;
	}
	for (name += sizeof(prefix) - 1; name[i] && i < ALERT_WORD_BYTES - 1; i++)
		out[i] = (char)tolower((unsigned char)name[i]);
	out[i] = '\0';
}

/* Alerts with which servers of the field answer an empty client certificate that they do not take. */
static bool alert_demands_certificate(int alert)
{
	switch (alert) {
	case GNUTLS_A_CERTIFICATE_REQUIRED:
	case GNUTLS_A_HANDSHAKE_FAILURE:
	case GNUTLS_A_SSL3_NO_CERTIFICATE:
	case GNUTLS_A_BAD_CERTIFICATE:
	case GNUTLS_A_UNSUPPORTED_CERTIFICATE:
	case GNUTLS_A_CERTIFICATE_UNKNOWN:
	case GNUTLS_A_UNKNOWN_CA:
	case GNUTLS_A_ACCESS_DENIED:
	case GNUTLS_A_DECODE_ERROR: /* GnuTLS's own server, TLS 1.2 */
		return true;
	default:
		return false;
	}
}

static bool requires_certificate(const struct tls *t)
{
	return t->ending == ENDING_ALERT && t->was_asked && t->has_sent_certificate &&
	       alert_demands_certificate(t->alert);
}

static enum client_certificate client_certificate(const struct tls *t)
{
	if (requires_certificate(t))
		return CLIENT_CERTIFICATE_REQUIRED;
	if (!t->was_asked && t->is_finished)
		return CLIENT_CERTIFICATE_NONE;
	/* That TLS let us in without one proves little: nginx, postfix and others refuse above it. */
	return CLIENT_CERTIFICATE_UNKNOWN;
}

/* What the verdict on client certificates rests on; NULL where nothing was seen. */
static char *evidence(const struct tls *t)
{
	const char *where = t->is_finished ? "after Finished" : "after an empty client certificate";
	char word[ALERT_WORD_BYTES];
	char text[MESSAGE_BYTES];

	if (!t->was_asked)
		return t->is_finished ? strdup("no CertificateRequest in the handshake") : NULL;
	alert_word(t->alert, word);
	if (t->ending == ENDING_ALERT && t->has_sent_certificate)
		(void)snprintf(text, sizeof(text), "alert %d (%s) %s", t->alert, word, where);
	else if (t->ending == ENDING_CLOSED || t->ending == ENDING_RESET)
		(void)snprintf(text, sizeof(text),
			"CertificateRequest, then %s without an alert %s",
			t->ending == ENDING_RESET ? "reset" : "closed",
			t->has_sent_certificate ? where : "during the handshake");
	else if (t->ending == ENDING_GOODBYE)
		(void)snprintf(
			text, sizeof(text), "CertificateRequest, then close_notify %s", where);
	else if (t->is_finished)
		(void)snprintf(text, sizeof(text),
			"CertificateRequest; handshake completed without a certificate, then %s",
			t->has_spoken                 ? "application data"
			: t->ending == ENDING_SILENCE ? "silence"
						      : "a session ticket");
	else
		(void)snprintf(text, sizeof(text), "CertificateRequest in a handshake that failed");
	return strdup(text);
}

struct failure {
	enum reason reason;
	const char *word; /* for facts.handshake */
	char message[MESSAGE_BYTES];
	char alert_word[ALERT_WORD_BYTES];
};

static void say(struct failure *f, enum reason reason, const char *word, const char *message)
{
	f->reason = reason;
	f->word = word;
	(void)snprintf(f->message, sizeof(f->message), "%s", message);
}

static void describe_alert(const struct tls *t, struct failure *f)
{
	alert_word(t->alert, f->alert_word);
	f->reason = REASON_HANDSHAKE_FAILED;
	f->word = f->alert_word;
	(void)snprintf(f->message, sizeof(f->message), "the server ended the %s with alert %d, %s",
		t->is_finished ? "session" : "handshake", t->alert, f->alert_word);
}

static void describe_limit(const struct tls *t, struct failure *f)
{
	if (t->is_over_ceiling)
		say(f, REASON_LIMIT_REACHED, "limit-reached", "the server sent more than 2 MiB");
	else if (t->error == GNUTLS_E_HANDSHAKE_TOO_LARGE)
		say(f, REASON_LIMIT_REACHED, "limit-reached",
			"the server sent a handshake message of more than 1 MiB");
	else
		say(f, REASON_LIMIT_REACHED, "limit-reached", "the server sent too many warnings");
}

/* How the session failed; false when it did not. */
static bool describe(const struct tls *t, struct failure *f)
{
	switch (t->ending) {
	case ENDING_TIMEOUT:
		say(f, REASON_TIMEOUT, "timeout",
			t->received ? "the handshake was not complete in time"
				    : "connected, but no answer to the ClientHello in time");
		return true;
	case ENDING_NOT_TLS:
		f->reason = REASON_NOT_TLS;
		f->word = "not-tls";
		banner_describe(slice_of(t->head, t->head_size), f->message, sizeof(f->message));
		return true;
	case ENDING_LIMIT:
		describe_limit(t, f);
		return true;
	case ENDING_ALERT:
		describe_alert(t, f);
		return true;
	case ENDING_CLOSED:
		say(f, REASON_HANDSHAKE_FAILED, "closed",
			t->received ? "the server closed the connection in the handshake"
				    : "the server closed the connection without an answer");
		return !t->is_finished;
	case ENDING_RESET:
		say(f, REASON_HANDSHAKE_FAILED, "reset", "the server reset the connection");
		return !t->is_finished;
	case ENDING_FAILED:
		say(f, REASON_HANDSHAKE_FAILED, "failed", gnutls_strerror(t->error));
		return !t->is_finished;
	default:
		return false;
	}
}

static enum err report_problem(const struct tls *t, struct session *out)
{
	struct failure f = { 0 };
	bool has_failed = describe(t, &f);

	out->facts.handshake = strdup(has_failed ? f.word : "ok");
	if (!out->facts.handshake)
		return ERR_MEMORY;
	/* A server that wants a certificate and showed its own was seen whole. */
	if (has_failed && !(requires_certificate(t) && t->certificates.count)) {
		out->has_problem = true;
		out->reason = f.reason;
	} else if (t->certificates_sent > RECORD_CHAIN_MAX) {
		out->has_problem = true;
		out->reason = REASON_LIMIT_REACHED;
		(void)snprintf(f.message, sizeof(f.message),
			"the server sent %zu certificates; the first %d are recorded",
			t->certificates_sent, RECORD_CHAIN_MAX);
	}
	if (!out->has_problem)
		return ERR_OK;
	out->message = strdup(f.message);
	return out->message ? ERR_OK : ERR_MEMORY;
}

static enum err copy_text(char **to, const char *text)
{
	if (!text)
		return ERR_OK;
	*to = strdup(text);
	return *to ? ERR_OK : ERR_MEMORY;
}

static enum err report_parameters(const struct tls *t, struct session *out)
{
	gnutls_datum_t ocsp = { 0 };
	enum err e;

	/* Before the ServerHello was taken they are not agreed. */
	if (!t->is_finished && !t->certificates_sent)
		return ERR_OK;
	e = copy_text(&out->facts.protocol,
		gnutls_protocol_get_name(gnutls_protocol_get_version(t->session)));
	if (e == ERR_OK)
		e = copy_text(&out->facts.cipher_suite, gnutls_ciphersuite_get(t->session));
	if (e != ERR_OK)
		return e;
	if (gnutls_ocsp_status_request_get(t->session, &ocsp) < 0 || !ocsp.size) {
		out->facts.stapled_ocsp = t->is_finished ? STAPLED_OCSP_NONE : STAPLED_OCSP_UNKNOWN;
		return ERR_OK;
	}
	out->ocsp_response.data = (uint8_t *)string_of(slice_of(ocsp.data, ocsp.size));
	out->ocsp_response.size = ocsp.size;
	return out->ocsp_response.data ? ERR_OK : ERR_MEMORY;
}

enum err tls_report(struct tls *t, struct session *out)
{
	enum err e;

	if (t->is_out_of_memory)
		return ERR_MEMORY;
	e = report_parameters(t, out);
	if (e == ERR_OK)
		e = report_problem(t, out);
	if (e != ERR_OK)
		return e;
	out->facts.client_certificate = client_certificate(t);
	out->facts.client_certificate_evidence = evidence(t);
	out->certificates = t->certificates;
	out->authorities = t->authorities;
	t->certificates = (struct blobs){ 0 };
	t->authorities = (struct blobs){ 0 };
	return ERR_OK;
}

void tls_free(struct tls *t)
{
	struct session left = { 0 };

	if (!t)
		return;
	if (t->is_finished && (t->ending == ENDING_DONE || t->ending == ENDING_SILENCE))
		(void)gnutls_bye(t->session, GNUTLS_SHUT_WR);
	gnutls_deinit(t->session);
	left.certificates = t->certificates;
	left.authorities = t->authorities;
	session_fini(&left);
	free(t);
}
