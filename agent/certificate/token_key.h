/* A private key on a PKCS#11 token, which signs there. Calls run the module's code: see token.h. */
#ifndef LEAFWATCH_CERTIFICATE_TOKEN_KEY_H
#define LEAFWATCH_CERTIFICATE_TOKEN_KEY_H

#include "agent/base/buffer.h"
#include "agent/base/err.h"
#include "agent/base/slice.h"
#include "agent/certificate/token.h"

#include <stdbool.h>
#include <stdint.h>

#define TOKEN_CHAIN_MAX 8

struct token_key;

/* The key at a URI of the module that is loaded. `pin` (NULL: none) is borrowed until the key is freed; it is
 * given once a call at most. ERR_PASSWORD when the token refuses it, ERR_DENIED when it is locked, ERR_NOT_FOUND
 * where there is no such key. */
enum err token_key_open(
	const char *uri, const char *pin, struct token_key **out, struct why *why) MUST_CHECK;
void token_key_free(struct token_key *k);

/* Numbers of GnuTLS. */
uint32_t token_key_algorithm(const struct token_key *k);
uint32_t token_key_bits(const struct token_key *k);

/* Signs something of ours, and sees whether the certificate (DER, or PEM with it as the first) verifies it:
 * ERR_MALFORMED where it is another key's. For RSA `has_pss` tells whether the module can do PSS. */
enum err token_key_check(
	struct token_key *k, struct slice certificate, bool *has_pss, struct why *why) MUST_CHECK;

/* The size of a digest that TLS 1.2 or 1.3 has signed by the scheme; 0: it is none of theirs, or takes SHA-1 or MD5.
 * SIZE_MAX: it takes no digest but the whole (EdDSA). */
size_t token_key_digest_bytes(uint32_t scheme);
/* Of a digest, or of the whole; the scheme is a good one. The signature is appended to `out`. */
enum err token_key_sign(struct token_key *k, uint32_t scheme, struct slice data, struct buffer *out,
	struct why *why) MUST_CHECK;

/* A certificate of a token and those of its others that issued it, as bytes (agent/base/wire.h) appended to `out`. What
 * cannot be parsed ends the chain. */
void token_chain(const struct token_objects *all, struct slice leaf, struct buffer *out);

#endif
