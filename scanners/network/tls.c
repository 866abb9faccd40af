/* The life of a target's TLS sessions: what they share, how each connection begins and ends. */
#include "scanners/network/tls.h"

#include "scanners/network/tls_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DH_PRIME_BITS_MIN 512 /* export-grade servers are to be seen, not refused */
#define QUESTION_BYTES_MAX ((size_t)8 * 1024)
#define ANSWER_BYTES_MAX ((size_t)16 * 1024)
/* The list of CAs only: what TLS 1.3 does not show, 1.2 may. */
#define PRIORITY_12 TLS_PRIORITY ":-VERS-TLS1.3"
#define PRIORITY_DTLS TLS_PRIORITY ":-VERS-ALL:+VERS-DTLS1.2:+VERS-DTLS1.0"
/* RFC 8200 5: what IPv6 carries unfragmented, without the headers of IPv6 and UDP. */
#define DATAGRAM_BYTES (1280 - 40 - 8)
#define RESEND_MS 1000 /* RFC 6347 4.2.4.1: at first, then twice as long each time */
#define RESEND_TOTAL_MS (60 * 60 * 1000) /* the target's own deadline comes first */

/* ---- shared ----------------------------------------------------------------------------------- */

static int shared_gnutls(struct tls_shared *s, const char **at)
{
	int ret = gnutls_priority_init(&s->priority, TLS_PRIORITY, at);

	if (ret >= 0)
		ret = gnutls_priority_init(&s->priority_12, PRIORITY_12, at);
	if (ret >= 0)
		ret = gnutls_priority_init(&s->priority_dtls, PRIORITY_DTLS, at);
	if (ret >= 0)
		ret = gnutls_certificate_allocate_credentials(&s->credentials);
	if (ret >= 0)
		gnutls_certificate_set_retrieve_function(s->credentials, tls_wire_on_request);
	return ret;
}

static enum err shared_owns(struct tls_shared *s, const struct tls_options *options)
{
	const struct identities *from = options->identities;

	if (!from || !from->count)
		return ERR_OK;
	s->owns = calloc(from->count, sizeof(*s->owns));
	if (!s->owns)
		return ERR_MEMORY;
	for (size_t i = 0; i < from->count; i++) {
		enum err e = tls_own_init(&s->owns[s->owns_count++], &from->items[i],
			options->remote, (uint16_t)(i + 1));

		if (e != ERR_OK)
			return e;
	}
	return ERR_OK;
}

size_t tls_owns_count(const struct tls_shared *s)
{
	return s->owns_count;
}

struct tls_own *tls_own_at(const struct tls_shared *s, size_t i)
{
	return &s->owns[i];
}

struct tls_own *tls_own_for(const struct tls_shared *s, const char *host, uint16_t port)
{
	for (size_t i = 0; i < s->owns_count; i++)
		if (identity_is_for(&s->owns[i].targets, host, port))
			return &s->owns[i];
	return NULL;
}

enum err tls_shared_new(const struct tls_options *options, struct tls_shared **out, struct why *why)
{
	struct tls_shared *s = calloc(1, sizeof(*s));
	const char *at = NULL;
	int ret;

	if (!s)
		return ERR_MEMORY;
	s->is_certificates_only = options->is_certificates_only;
	if (options->http_path && !options->is_certificates_only) {
		s->http_path = strdup(options->http_path);
		if (!s->http_path || asprintf(&s->http_question, "GET %s", s->http_path) < 0) {
			s->http_question = NULL;
			tls_shared_free(s);
			return ERR_MEMORY;
		}
	}
	ret = shared_gnutls(s, &at);
	if (ret < 0) {
		tls_shared_free(s);
		return why_fail(why, ERR_NETWORK, "cannot set GnuTLS up: %s (%s)",
			gnutls_strerror(ret), at ? at : "");
	}
	if (shared_owns(s, options) != ERR_OK) {
		tls_shared_free(s);
		return ERR_MEMORY;
	}
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
	if (s->priority_12)
		gnutls_priority_deinit(s->priority_12);
	if (s->priority_dtls)
		gnutls_priority_deinit(s->priority_dtls);
	for (size_t i = 0; i < s->owns_count; i++)
		tls_own_fini(&s->owns[i]);
	free(s->owns);
	free(s->http_path);
	free(s->http_question);
	free(s);
}

/* ---- one connection --------------------------------------------------------------------------- */

static unsigned flags_of(const struct tls *t)
{
	/* One key share: making a second costs more than the servers that want another group (RFC 8446
	 * 4.1.4, one more round trip) are many. */
	unsigned flags = GNUTLS_CLIENT | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL |
			 GNUTLS_NO_TICKETS_TLS12 | GNUTLS_POST_HANDSHAKE_AUTH |
			 GNUTLS_KEY_SHARE_TOP;

	if (tls_is_datagram(t))
		flags |= GNUTLS_DATAGRAM;
	/* Whatever CAs the server names: whether it takes the certificate is what is asked. */
	if (t->round == ROUND_PRESENT)
		flags |= GNUTLS_FORCE_CLIENT_CERT;
	return flags;
}

/* RFC 7301: a server that speaks HTTP says so. */
static int offer_http(struct tls *t)
{
	static const char name[] = "http/1.1";
	const gnutls_datum_t offer = { .data = (unsigned char *)(uintptr_t)name,
		.size = sizeof(name) - 1 };

	if (t->target.protocol != protocols[0] || t->is_without_alpn || t->round == ROUND_NAMES)
		return 0;
	return gnutls_alpn_set_protocols(t->session, &offer, 1, 0);
}

static gnutls_priority_t priority_of(const struct tls *t)
{
	if (tls_is_datagram(t))
		return t->shared->priority_dtls;
	return t->round == ROUND_NAMES ? t->shared->priority_12 : t->shared->priority;
}

static int configure(struct tls *t)
{
	const char *name = t->target.server_name;
	int ret = gnutls_priority_set(t->session, priority_of(t));

	if (ret >= 0)
		ret = gnutls_credentials_set(t->session, GNUTLS_CRD_CERTIFICATE,
			t->round == ROUND_PRESENT ? t->own->credentials : t->shared->credentials);
	if (ret >= 0 && name)
		ret = gnutls_server_name_set(t->session, GNUTLS_NAME_DNS, name, strlen(name));
	if (ret >= 0)
		ret = offer_http(t);
	return ret;
}

static void connection_close(struct tls *t)
{
	if (t->session)
		gnutls_deinit(t->session);
	t->session = NULL;
	if (t->sign_key)
		gnutls_privkey_deinit(t->sign_key);
	t->sign_key = NULL;
	buffer_fini(&t->out);
	buffer_fini(&t->answer);
}

static enum err connection_open(struct tls *t, struct transport *transport)
{
	int ret;

	connection_close(t);
	t->transport = transport;
	t->stage = STAGE_HANDSHAKE;
	t->error = 0;
	t->io_errno = 0;
	t->received = 0;
	t->ceiling = TLS_RECEIVED_BYTES_MAX;
	t->non_fatal = 0;
	t->recalls = 0;
	t->is_over_ceiling = false;
	t->is_renegotiating = false;
	t->head_size = 0;
	t->sights[t->round] = (struct sight){ .is_brief = t->shared->is_certificates_only };
	t->inside = NULL;
	t->question = NULL;
	t->is_http = false;
	free(t->answer_texts[t->round]);
	t->answer_texts[t->round] = NULL;
	buffer_init(&t->out, QUESTION_BYTES_MAX);
	buffer_init(&t->answer, ANSWER_BYTES_MAX);
	ret = gnutls_init(&t->session, flags_of(t));
	if (ret >= 0)
		ret = configure(t);
	if (ret < 0)
		return ret == GNUTLS_E_MEMORY_ERROR ? ERR_MEMORY : ERR_NETWORK;
	gnutls_dh_set_prime_bits(t->session, DH_PRIME_BITS_MIN);
	gnutls_handshake_set_max_packet_length(t->session, TLS_MESSAGE_BYTES_MAX);
	if (tls_is_datagram(t)) {
		gnutls_dtls_set_mtu(t->session, DATAGRAM_BYTES);
		gnutls_dtls_set_timeouts(t->session, RESEND_MS, RESEND_TOTAL_MS);
	}
	tls_wire_attach(t);
	return ERR_OK;
}

/* ---- the target ------------------------------------------------------------------------------- */

enum err tls_new(const struct tls_shared *shared, struct transport *transport,
	const struct tls_target *target, struct tls **out)
{
	struct tls *t = calloc(1, sizeof(*t));
	enum err e;

	if (!t)
		return ERR_MEMORY;
	t->shared = shared;
	t->target = *target;
	t->own = tls_own_for(shared, target->host, target->port);
	e = connection_open(t, transport);
	if (e == ERR_OK)
		*out = t;
	else
		tls_free(t);
	return e;
}

enum err tls_again(struct tls *t, struct transport *transport)
{
	return connection_open(t, transport);
}

/* No closing of a connection tells a server of datagrams that we have left. */
static bool is_left_waiting(const struct tls *t, const struct sight *s)
{
	return tls_is_datagram(t) && t->received && !s->is_finished && s->ending != ENDING_ALERT &&
	       s->ending != ENDING_RESET;
}

bool tls_may_block(const struct tls *t)
{
	return t->round == ROUND_PRESENT && t->own->remote;
}

void tls_block_until(struct tls *t, int64_t until_ms)
{
	t->sign_until_ms = until_ms;
}

void tls_leave(struct tls *t)
{
	const struct sight *s;

	if (!t || !t->session)
		return;
	s = tls_sight(t);
	if (s->is_finished && (s->ending == ENDING_DONE || s->ending == ENDING_SILENCE))
		(void)gnutls_bye(t->session, GNUTLS_SHUT_WR);
	else if (is_left_waiting(t, s))
		(void)gnutls_alert_send(t->session, GNUTLS_AL_FATAL, GNUTLS_A_USER_CANCELED);
	if (t->transport->ops->flush)
		(void)t->transport->ops->flush(t->transport);
	connection_close(t);
}

struct slice tls_head(const struct tls *t)
{
	return slice_of(t->head, t->head_size);
}

bool tls_has_heard(const struct tls *t)
{
	return t->has_heard;
}

int tls_socket_error(const struct tls *t)
{
	return tls_is_io_broken(t) ? t->io_errno : 0;
}

void tls_free(struct tls *t)
{
	struct session left = { 0 };

	if (!t)
		return;
	connection_close(t);
	left.certificates = t->certificates;
	left.authorities = t->authorities;
	left.ocsp_response = t->ocsp_response;
	left.message = t->failure;
	session_fini(&left);
	for (size_t i = 0; i < ROUND_COUNT; i++)
		free(t->answer_texts[i]);
	free(t->label);
	free(t->word);
	free(t);
}
