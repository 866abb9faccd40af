/* One target's TLS sessions, as a client that verifies nothing and records everything. All of GnuTLS is
 * behind tls*.c; callers see a few words. One connection is the rule; some questions need another one:
 * the session then asks for it. */
#ifndef LEAFWATCH_SCANNERS_NETWORK_TLS_H
#define LEAFWATCH_SCANNERS_NETWORK_TLS_H

#include "agent/base/err.h"
#include "agent/base/slice.h"
#include "scanners/network/identity.h"
#include "scanners/network/protocol.h"
#include "scanners/network/transport.h"
#include "scanners/session.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Ceiling of one handshake message: certificates with 50,000 names are 1.4 MB. */
#define TLS_MESSAGE_BYTES_MAX (2 * 1024 * 1024)
/* A certificate above it (18,000 names) is recorded, but the handshake ends there: GnuTLS would parse it more
 * than once, at 25 times its size in memory, and 50,000 names hold all other targets up for a second. */
#define TLS_CERTIFICATE_BYTES_MAX ((size_t)512 * 1024)
/* Ceiling of all that one connection may make the probe read, and of what may follow the handshake. */
#define TLS_RECEIVED_BYTES_MAX (4 * 1024 * 1024)
#define TLS_AFTERWARDS_BYTES_MAX (256 * 1024)
/* Reaches what is out of fashion, for nothing here is secret: TLS 1.0 to 1.3, RC4, 3DES, SHA-1, DSS. The
 * cheapest group first. */
#define TLS_PRIORITY                                                            \
	"NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:+VERS-TLS1.1:+VERS-TLS1.0:" \
	"+DHE-DSS:+3DES-CBC:+ARCFOUR-128:+MD5:+SIGN-ALL:%COMPAT:"               \
	"%VERIFY_ALLOW_SIGN_RSA_MD5:%VERIFY_ALLOW_SIGN_WITH_SHA1:-GROUP-ALL:"   \
	"+GROUP-X25519:+GROUP-SECP256R1:+GROUP-SECP384R1:+GROUP-SECP521R1:"     \
	"+GROUP-FFDHE2048:+GROUP-FFDHE3072:+GROUP-FFDHE4096:+GROUP-X448:+GROUP-SECP224R1:+GROUP-SECP192R1"

struct remote_keys;

/* What all sessions share. */
struct tls_options {
	const char *http_path; /* borrowed: what HTTP servers are asked for; NULL: no question */
	bool is_certificates_only; /* leave when certificate and CertificateRequest are known */
	const struct identities *identities; /* borrowed; or NULL */
	struct remote_keys *remote;          /* borrowed: what signs by those in tokens; or NULL */
};
struct tls_shared;
enum err tls_shared_new(
	const struct tls_options *options, struct tls_shared **out, struct why *why) MUST_CHECK;
void tls_shared_free(struct tls_shared *s);
/* The client certificates of ours, in the order of the identities. */
struct tls_own;
size_t tls_owns_count(const struct tls_shared *s);
struct tls_own *tls_own_at(const struct tls_shared *s, size_t i);
/* The first that is meant for the target, or NULL. */
struct tls_own *tls_own_for(const struct tls_shared *s, const char *host, uint16_t port);

enum tls_status {
	TLS_WANT_READ,
	TLS_WANT_WRITE,
	TLS_LISTENING, /* what the server says next tells about client certificates: wait for it to be
			  readable, for tls_patience; then tls_silence */
	TLS_AGAIN,     /* connect to the same address once more, and tls_again */
	TLS_OVER,      /* nothing more to learn: tls_report */
};

/* Whom to talk to. */
struct tls_target {
	const char *server_name; /* borrowed: the SNI, or NULL */
	const char *host;        /* borrowed: name or address, for the question */
	uint16_t port;
	const struct protocol *protocol; /* what was spoken before TLS; protocols[0]: nothing */
	int64_t round_trip_ms;
};

struct tls;
/* `transport` is over a connected non-blocking socket, borrowed; so is what `target` points to. */
enum err tls_new(const struct tls_shared *shared, struct transport *transport,
	const struct tls_target *target, struct tls **out) MUST_CHECK;
/* After TLS_AGAIN, over a new connection. */
enum err tls_again(struct tls *t, struct transport *transport) MUST_CHECK;
/* Says goodbye where that is due; to be called before the transport is freed. */
void tls_leave(struct tls *t);
/* As far as it goes without waiting, except where it may block. */
enum tls_status tls_step(struct tls *t);
/* May tls_step and tls_silence wait for a token's signature on this connection? Then they are to be called from
 * another thread than the loop's, and nothing else of the session meanwhile. They return soon after `until_ms`
 * (monotonic). */
bool tls_may_block(const struct tls *t);
void tls_block_until(struct tls *t, int64_t until_ms);
/* How long to listen at most, from TLS_LISTENING on. */
int64_t tls_patience_ms(const struct tls *t);
/* It was silent for that long: what is next? */
enum tls_status tls_silence(struct tls *t);
/* In how many milliseconds tls_step is due though nothing comes, for what was lost is sent again; 0: it
 * is not. */
int64_t tls_resend_ms(const struct tls *t);
/* Has anything come? */
bool tls_has_heard(const struct tls *t);
/* What its socket failed with on this connection, or 0. */
int tls_socket_error(const struct tls *t);
/* The deadline has come. After the handshake, silence is an answer; before it is the problem `timeout`. */
void tls_time_is_up(struct tls *t);
/* Fills what the sessions have seen: certificates, authorities, facts (protocol, cipher_suite, handshake,
 * client_certificate and its evidence, presented, stapled_ocsp), problem. Once, when over. */
enum err tls_report(struct tls *t, struct session *out) MUST_CHECK;
/* The first bytes that came, as far as they are kept. */
struct slice tls_head(const struct tls *t);
void tls_free(struct tls *t);

#endif
