/* The bytes below a TLS session: its socket, under ceilings, and the handshake messages that the record
 * is made of. The certificate list is taken from the message itself, so that certificates that GnuTLS
 * refuses to parse, and chains of handshakes that fail, are recorded too. */
#include "agent/base/strings.h"
#include "scanners/network/tls_internal.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#define STATUS_REQUEST 5 /* RFC 6066 8 */
#define STATUS_TYPE_OCSP 1

/* ---- the socket ------------------------------------------------------------------------------- */

/* An error of a datagram's way is told once; what follows it says that there is nothing. */
static void note_error(struct tls *t)
{
	if (!tls_is_io_broken(t))
		t->io_errno = errno;
}

static ssize_t on_push(gnutls_transport_ptr_t ptr, const giovec_t *parts, int count)
{
	struct tls *t = ptr;
	ssize_t n = t->transport->ops->push(t->transport, (const struct iovec *)parts, count);

	if (n < 0)
		note_error(t);
	return n;
}

static void keep_head(struct tls *t, const void *bytes, size_t size)
{
	size_t room = TLS_HEAD_BYTES - t->head_size;

	if (size > room)
		size = room;
	memcpy(t->head + t->head_size, bytes, size);
	t->head_size += size;
}

static ssize_t on_pull(gnutls_transport_ptr_t ptr, void *to, size_t size)
{
	struct tls *t = ptr;
	ssize_t n;

	if (t->received >= t->ceiling) {
		t->is_over_ceiling = true;
		errno = EMSGSIZE;
		return -1;
	}
	/* The other targets want their turn; what is left lies in the socket. */
	if (!t->budget && !t->transport->ahead) {
		errno = EAGAIN;
		return -1;
	}
	/* A datagram that is cut is lost. */
	n = t->transport->ops->pull(t->transport, to,
		size < t->budget || !t->budget || tls_is_datagram(t) ? size : t->budget);
	if (n < 0) {
		note_error(t);
		return n;
	}
	t->has_heard |= n > 0;
	t->budget -= (size_t)n < t->budget ? (size_t)n : t->budget;
	t->received += (size_t)n;
	if (t->head_size < TLS_HEAD_BYTES)
		keep_head(t, to, (size_t)n);
	return n;
}

/* Is there anything to read? DTLS asks so before it reads. Waiting is the loop's business. */
static int on_look(gnutls_transport_ptr_t ptr, unsigned wait_ms)
{
	const struct tls *t = ptr;
	struct pollfd p = { .fd = t->transport->fd, .events = POLLIN };

	(void)wait_ms;
	return poll(&p, 1, 0);
}

void tls_wire_peek(struct tls *t)
{
	uint8_t more[TLS_HEAD_BYTES];
	ssize_t n = t->transport->ops->pull(t->transport, more, sizeof(more));

	if (n > 0)
		keep_head(t, more, (size_t)n);
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

/* CertificateStatus (RFC 6066 8): the type, then the response. */
static void take_status(struct tls *t, struct slice body)
{
	struct slice response;

	if (t->ocsp_response.data || !body.size || body.data[0] != STATUS_TYPE_OCSP)
		return;
	body = slice_after(body, 1);
	if (!cut_vector(&body, 3, &response) || !response.size)
		return;
	t->ocsp_response.data = (uint8_t *)string_of(response);
	t->ocsp_response.size = response.size;
	t->is_out_of_memory |= !t->ocsp_response.data;
}

/* In TLS 1.3 it is an extension of the certificate (RFC 8446 4.4.2.1). */
static void take_staple(struct tls *t, struct slice extensions)
{
	while (extensions.size > 2) {
		uint32_t type = number_of(extensions.data, 2);
		struct slice body;

		extensions = slice_after(extensions, 2);
		if (!cut_vector(&extensions, 2, &body))
			return;
		if (type == STATUS_REQUEST)
			take_status(t, body);
	}
}

/* The Certificate message: RFC 5246 7.4.2, and with context and extensions RFC 8446 4.4.2. */
static void take_certificates(struct tls *t, struct slice message)
{
	bool is_13 = gnutls_protocol_get_version(t->session) == GNUTLS_TLS1_3;
	struct slice context, list, der, extensions;

	if ((is_13 && !cut_vector(&message, 1, &context)) || !cut_vector(&message, 3, &list))
		return;
	while (cut_vector(&list, 3, &der)) {
		if (is_13 && !cut_vector(&list, 2, &extensions))
			extensions = slice_of(NULL, 0);
		if (is_13 && !t->certificates_sent)
			take_staple(t, extensions);
		t->certificates_sent++;
		t->is_certificate_large |= der.size > TLS_CERTIFICATE_BYTES_MAX;
		if (der.size && t->certificates.count < RECORD_CHAIN_MAX &&
			blobs_add(&t->certificates, der) != ERR_OK)
			t->is_out_of_memory = true;
	}
}

int tls_wire_on_request(gnutls_session_t session, const gnutls_datum_t *names, int names_count,
	const gnutls_pk_algorithm_t *algorithms, int algorithms_count, gnutls_retr2_st *answer)
{
	struct tls *t = gnutls_session_get_ptr(session);

	(void)algorithms;
	(void)algorithms_count;
	/* A second list (renegotiation, second connection) adds nothing to one that is there. */
	if (t->authorities.count)
		names_count = 0;
	for (int i = 0; i < names_count && t->authorities.count < RECORD_CAS_MAX; i++)
		if (blobs_add(&t->authorities, slice_of(names[i].data, names[i].size)) != ERR_OK)
			t->is_out_of_memory = true;
	if (t->round == ROUND_NAMES && names_count > 0)
		t->are_authorities_of_12 = true;
	answer->ncerts = 0;
	answer->deinit_all = 0;
	return 0;
}

/* Leaves the handshake. */
static int leave(struct tls *t, enum ending ending)
{
	tls_sight(t)->ending = ending;
	return GNUTLS_E_APPLICATION_ERROR_MIN;
}

static int on_incoming(struct tls *t, unsigned type, struct slice message)
{
	struct sight *s = tls_sight(t);
	bool is_13 = gnutls_protocol_get_version(t->session) == GNUTLS_TLS1_3;

	if (type == GNUTLS_HANDSHAKE_CERTIFICATE_REQUEST) {
		s->was_asked |= !s->is_finished;
		s->was_asked_later |= s->is_finished;
	}
	/* A second one (renegotiation, second connection) adds nothing. */
	if (type == GNUTLS_HANDSHAKE_CERTIFICATE_PKT && !t->certificates_sent)
		take_certificates(t, message);
	if (type == GNUTLS_HANDSHAKE_CERTIFICATE_STATUS && t->certificates_sent)
		take_status(t, message);
	/* In TLS 1.3 it stands in Certificate; before, CertificateStatus follows that at once. */
	t->is_staple_known |=
		t->certificates_sent && (is_13 || type != GNUTLS_HANDSHAKE_CERTIFICATE_PKT);
	/* In TLS 1.3 it is known by now whether one is asked for (RFC 8446 4.3.2). */
	if (type == GNUTLS_HANDSHAKE_CERTIFICATE_PKT && t->is_certificate_large) {
		s->is_brief = true;
		return leave(t, is_13 ? ENDING_ENOUGH : ENDING_LIMIT);
	}
	/* RFC 8446 4.3.2: CertificateRequest comes before Certificate; in RFC 5246 7.3 it is the last but
	 * ServerHelloDone. */
	if (t->shared->is_certificates_only &&
		type == (unsigned)(is_13 ? GNUTLS_HANDSHAKE_CERTIFICATE_PKT
					 : GNUTLS_HANDSHAKE_SERVER_HELLO_DONE))
		return leave(t, ENDING_ENOUGH);
	if (t->round == ROUND_NAMES && type == GNUTLS_HANDSHAKE_SERVER_HELLO_DONE)
		return leave(t, ENDING_ENOUGH);
	return 0;
}

static int on_message(gnutls_session_t session, unsigned type, unsigned when, unsigned incoming,
	const gnutls_datum_t *message)
{
	struct tls *t = gnutls_session_get_ptr(session);

	(void)when;
	if (incoming)
		return on_incoming(t, type, slice_of(message->data, message->size));
	if (type == GNUTLS_HANDSHAKE_CERTIFICATE_PKT)
		tls_sight(t)->has_replied = true;
	return 0;
}

void tls_wire_attach(struct tls *t)
{
	gnutls_session_set_ptr(t->session, t);
	gnutls_handshake_set_hook_function(
		t->session, GNUTLS_HANDSHAKE_ANY, GNUTLS_HOOK_PRE, on_message);
	gnutls_transport_set_ptr(t->session, t);
	gnutls_transport_set_vec_push_function(t->session, on_push);
	gnutls_transport_set_pull_function(t->session, on_pull);
	if (tls_is_datagram(t))
		gnutls_transport_set_pull_timeout_function(t->session, on_look);
}
