/* Certificates that GnuTLS took before. Private to this folder; made by certificate.h. */
#ifndef LEAFWATCH_CERTIFICATE_KNOWN_H
#define LEAFWATCH_CERTIFICATE_KNOWN_H

#include "agent/certificate/certificate.h"

/* What only GnuTLS could say of a certificate it took. */
struct known {
	uint8_t fingerprint[FINGERPRINT_BYTES];
	int64_t not_before; /* or TIME_UNKNOWN */
	int64_t not_after;
};

/* What was remembered of this certificate, or NULL; borrowed until the next call. */
const struct known *known_find(
	const struct known_certificates *k, const uint8_t fingerprint[FINGERPRINT_BYTES]);
/* Remembers it; of those that share its place the oldest makes way. */
void known_put(struct known_certificates *k, const struct known *what);

#endif
