/* One TLS session of the probe, as a client without a certificate that verifies nothing and records
 * everything. All of GnuTLS is behind this file; callers see five words. */
#ifndef LEAFWATCH_SCANNERS_NETWORK_TLS_H
#define LEAFWATCH_SCANNERS_NETWORK_TLS_H

#include "agent/base/err.h"
#include "scanners/network/transport.h"
#include "scanners/session.h"

#include <stdbool.h>
#include <stddef.h>

/* Ceiling of one handshake message: certificates with 10,000 names are 280 KB. */
#define TLS_MESSAGE_BYTES_MAX (1024 * 1024)
/* Ceiling of all that one server may make the probe read. */
#define TLS_RECEIVED_BYTES_MAX (2 * 1024 * 1024)
/* Reaches what is out of fashion, for nothing here is secret: TLS 1.0 to 1.3, RC4, 3DES, SHA-1, DSS. */
#define TLS_PRIORITY                                                            \
	"NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:+VERS-TLS1.1:+VERS-TLS1.0:" \
	"+DHE-DSS:+3DES-CBC:+ARCFOUR-128:+MD5:+SIGN-ALL:%COMPAT:"               \
	"%VERIFY_ALLOW_SIGN_RSA_MD5:%VERIFY_ALLOW_SIGN_WITH_SHA1"

struct tls_shared; /* credentials and priorities, one for all sessions */
enum err tls_shared_new(struct tls_shared **out, struct why *why) MUST_CHECK;
void tls_shared_free(struct tls_shared *s);

enum tls_status {
	TLS_WANT_READ,
	TLS_WANT_WRITE,
	TLS_LISTENING, /* the handshake is complete; what the server says next tells about client
			  certificates: wait for it to be readable, but not long */
	TLS_OVER,      /* nothing more to learn: tls_report */
};

struct tls;
/* `transport` is over a connected non-blocking socket, borrowed; `server_name` the SNI or NULL. */
enum err tls_new(const struct tls_shared *shared, struct transport *transport,
	const char *server_name, struct tls **out) MUST_CHECK;
/* As far as it goes without waiting. */
enum tls_status tls_step(struct tls *t);
/* Time is up. While listening, silence is an answer; before that it is the problem `timeout`. */
void tls_time_is_up(struct tls *t);
/* Fills what the session has seen: certificates, authorities, facts (protocol, cipher_suite, handshake,
 * client_certificate and its evidence, stapled_ocsp), problem. Once, when over. */
enum err tls_report(struct tls *t, struct session *out) MUST_CHECK;
/* Says goodbye to a server that got as far as Finished. */
void tls_free(struct tls *t);

#endif
