/* What a TLS probe saw, as it crosses from the probe to the parser inside a FINDING_ENDPOINT. Names
 * are still DER here: the probe parses no certificate. */
#ifndef LEAFWATCH_SCANNERS_SESSION_H
#define LEAFWATCH_SCANNERS_SESSION_H

#include "agent/base/buffer.h"
#include "agent/base/err.h"
#include "agent/certificate/record.h"

struct blob {
	uint8_t *data; /* owned */
	size_t size;
};
struct blobs {
	struct blob *items; /* owned */
	size_t count;
};

struct session {
	struct endpoint_record facts; /* acceptable_cas and chain empty: the parser fills them */
	char *verify_name; /* the name the certificate must cover (SNI, host or address), or NULL */
	struct blobs certificates; /* DER, as sent */
	struct blobs authorities;  /* DER Names of the CertificateRequest */
	struct blob ocsp_response; /* stapled, or empty */
	bool has_problem;          /* the handshake or what came before it failed: */
	enum reason reason;
	char *message;
};

/* Did it end before any TLS was spoken? A TLS record, if only an alert, is TLS. */
bool session_is_without_tls(const struct session *s);

/* Adds a copy of the bytes. */
enum err blobs_add(struct blobs *b, struct slice bytes) MUST_CHECK;

void session_fini(struct session *s);
void session_encode(struct buffer *out, const struct session *s);
enum err session_decode(struct slice bytes, struct session *out) MUST_CHECK;

#endif
