/* Ciphers that keystores use and GnuTLS does not offer, on the library below it (Nettle). */
#ifndef LEAFWATCH_SCANNERS_FORMATS_CIPHER_H
#define LEAFWATCH_SCANNERS_FORMATS_CIPHER_H

#include "agent/base/buffer.h"
#include "agent/base/err.h"
#include "agent/base/slice.h"

#include <stdbool.h>
#include <stdint.h>

#define CIPHER_RC2_BLOCK_BYTES 8
#define CIPHER_TWOFISH_BLOCK_BYTES 16
#define CIPHER_TWOFISH_KEY_BYTES 32

/* CBC without looking at the padding. `in` is whole blocks, `out` has as much room; `iv` is used up.
 * RFC 2268: a key of 1 to 128 bytes with so many effective bits. */
void cipher_rc2_cbc(struct slice key, unsigned bits, uint8_t iv[CIPHER_RC2_BLOCK_BYTES],
	struct slice in, uint8_t *out);
/* RC4, which has no blocks. */
void cipher_arcfour(struct slice key, struct slice in, uint8_t *out);
void cipher_twofish_cbc(const uint8_t key[CIPHER_TWOFISH_KEY_BYTES],
	uint8_t iv[CIPHER_TWOFISH_BLOCK_BYTES], struct slice in, uint8_t *out);

/* AES-256-CCM (RFC 3610) with the tag behind the text, appended to `out`. ERR_PASSWORD: the tag does not
 * fit; ERR_MALFORMED: lengths that CCM does not have. */
enum err cipher_aes256_ccm(const uint8_t key[32], struct slice nonce, uint64_t tag_bytes,
	struct slice in, struct buffer *out) MUST_CHECK;
/* AES-256 key unwrap with padding (RFC 5649), appended to `out`. ERR_PASSWORD: it does not check. */
enum err cipher_aes256_kwp(const uint8_t key[32], struct slice in, struct buffer *out) MUST_CHECK;

/* scrypt (RFC 7914). Takes 128 * block * cost bytes while it runs; the caller has bounded them. */
struct cipher_scrypt {
	struct slice password;
	struct slice salt;
	uint32_t cost; /* a power of two */
	uint32_t block;
	uint32_t parallel;
};
enum err cipher_scrypt(const struct cipher_scrypt *s, uint8_t *out, size_t size) MUST_CHECK;

#endif
