/* Ciphers that keystores use and GnuTLS does not offer. */
#include "scanners/formats/cipher.h"

#include <nettle/aes.h>
#include <nettle/arcfour.h>
#include <nettle/arctwo.h>
#include <nettle/cbc.h>
#include <nettle/ccm.h>
#include <nettle/nist-keywrap.h>
#include <nettle/pbkdf2.h>
#include <nettle/twofish.h>
#include <stdlib.h>
#include <string.h>

#define SALSA_WORDS 16
#define SALSA_ROUNDS 8
#define CCM_NONCE_BYTES_MIN 7
#define CCM_NONCE_BYTES_MAX 14
#define WRAP_BYTES 8

void cipher_arcfour(struct slice key, struct slice in, uint8_t *out)
{
	struct arcfour_ctx cipher;

	arcfour_set_key(&cipher, key.size, key.data);
	arcfour_crypt(&cipher, in.size, out, in.data);
	explicit_bzero(&cipher, sizeof(cipher));
}

void cipher_rc2_cbc(struct slice key, unsigned bits, uint8_t iv[CIPHER_RC2_BLOCK_BYTES],
	struct slice in, uint8_t *out)
{
	struct arctwo_ctx rc2;

	arctwo_set_key_ekb(&rc2, key.size, key.data, bits);
	cbc_decrypt(&rc2, (nettle_cipher_func *)arctwo_decrypt, ARCTWO_BLOCK_SIZE, iv, in.size, out,
		in.data);
	explicit_bzero(&rc2, sizeof(rc2));
}

void cipher_twofish_cbc(const uint8_t key[CIPHER_TWOFISH_KEY_BYTES],
	uint8_t iv[CIPHER_TWOFISH_BLOCK_BYTES], struct slice in, uint8_t *out)
{
	struct twofish_ctx twofish;

	twofish256_set_key(&twofish, key);
	cbc_decrypt(&twofish, (nettle_cipher_func *)twofish_decrypt, TWOFISH_BLOCK_SIZE, iv,
		in.size, out, in.data);
	explicit_bzero(&twofish, sizeof(twofish));
}

enum err cipher_aes256_ccm(const uint8_t key[32], struct slice nonce, uint64_t tag_bytes,
	struct slice in, struct buffer *out)
{
	struct aes256_ctx aes;
	uint8_t *to;
	int is_good;

	if (nonce.size < CCM_NONCE_BYTES_MIN || nonce.size > CCM_NONCE_BYTES_MAX - 1 ||
		tag_bytes < 4 || tag_bytes > 16 || tag_bytes % 2 || in.size <= tag_bytes)
		return ERR_MALFORMED;
	/* A message longer than the nonce leaves room for a length (RFC 3610 2.1). */
	if (nonce.size == CCM_NONCE_BYTES_MAX - 1 && in.size - tag_bytes > UINT16_MAX)
		return ERR_MALFORMED;
	to = buffer_reserve(out, in.size);
	if (!to)
		return buffer_status(out);
	aes256_set_encrypt_key(&aes, key);
	is_good = ccm_decrypt_message(&aes, (nettle_cipher_func *)aes256_encrypt, nonce.size,
		nonce.data, 0, NULL, (size_t)tag_bytes, in.size - (size_t)tag_bytes, to, in.data);
	explicit_bzero(&aes, sizeof(aes));
	if (!is_good)
		return ERR_PASSWORD;
	out->size += in.size - (size_t)tag_bytes;
	return ERR_OK;
}

enum err cipher_aes256_kwp(const uint8_t key[32], struct slice in, struct buffer *out)
{
	uint8_t iv[WRAP_BYTES] = { 0xa6, 0x59, 0x59, 0xa6 };
	struct aes256_ctx aes;
	bool is_good = false;
	size_t size;
	uint8_t *to;

	/* One block alone is made another way, and is smaller than any store. */
	if (in.size < 3 * WRAP_BYTES || in.size % WRAP_BYTES || in.size > UINT32_MAX)
		return ERR_MALFORMED;
	to = buffer_reserve(out, in.size);
	if (!to)
		return buffer_status(out);
	aes256_set_decrypt_key(&aes, key);
	/* The check value holds the length, which differs from the room by up to seven bytes of padding. */
	for (size_t padding = 0; !is_good && padding < WRAP_BYTES; padding++) {
		size = in.size - WRAP_BYTES - padding;
		for (unsigned i = 0; i < 4; i++)
			iv[4 + i] = (uint8_t)(size >> (24 - 8 * i));
		is_good = nist_keyunwrap16(&aes, (nettle_cipher_func *)aes256_decrypt, iv,
			in.size - WRAP_BYTES, to, in.data);
	}
	explicit_bzero(&aes, sizeof(aes));
	if (!is_good)
		return ERR_PASSWORD;
	out->size += size;
	return ERR_OK;
}

/* --- scrypt ----------------------------------------------------------------------------------- */

static uint32_t rotated(uint32_t x, unsigned bits)
{
	return x << bits | x >> (32 - bits);
}

static void quarter(uint32_t x[SALSA_WORDS], unsigned a, unsigned b, unsigned c, unsigned d)
{
	x[b] ^= rotated(x[a] + x[d], 7);
	x[c] ^= rotated(x[b] + x[a], 9);
	x[d] ^= rotated(x[c] + x[b], 13);
	x[a] ^= rotated(x[d] + x[c], 18);
}

/* RFC 7914 3. */
static void salsa(uint32_t b[SALSA_WORDS])
{
	uint32_t x[SALSA_WORDS];

	memcpy(x, b, sizeof(x));
	for (unsigned round = 0; round < SALSA_ROUNDS; round += 2) {
		quarter(x, 0, 4, 8, 12);
		quarter(x, 5, 9, 13, 1);
		quarter(x, 10, 14, 2, 6);
		quarter(x, 15, 3, 7, 11);
		quarter(x, 0, 1, 2, 3);
		quarter(x, 5, 6, 7, 4);
		quarter(x, 10, 11, 8, 9);
		quarter(x, 15, 12, 13, 14);
	}
	for (unsigned i = 0; i < SALSA_WORDS; i++)
		b[i] += x[i];
}

/* RFC 7914 4: from `b` to `y`, both 2 * block * 16 words. */
static void block_mix(const uint32_t *b, uint32_t *y, uint32_t block)
{
	uint32_t x[SALSA_WORDS];

	memcpy(x, b + (size_t)(2 * block - 1) * SALSA_WORDS, sizeof(x));
	for (uint32_t i = 0; i < 2 * block; i++) {
		size_t to = i % 2 ? block + i / 2 : i / 2;

		for (unsigned k = 0; k < SALSA_WORDS; k++)
			x[k] ^= b[(size_t)i * SALSA_WORDS + k];
		salsa(x);
		memcpy(y + to * SALSA_WORDS, x, sizeof(x));
	}
}

/* RFC 7914 5. `v` has room for cost blocks, `y` for one; both are scratch. */
static void rom_mix(const struct cipher_scrypt *s, uint32_t *b, uint32_t *v, uint32_t *y)
{
	size_t words = (size_t)s->block * 2 * SALSA_WORDS;

	for (uint32_t i = 0; i < s->cost; i++) {
		memcpy(v + i * words, b, words * sizeof(*b));
		block_mix(b, y, s->block);
		memcpy(b, y, words * sizeof(*b));
	}
	for (uint32_t i = 0; i < s->cost; i++) {
		size_t from = b[(size_t)(2 * s->block - 1) * SALSA_WORDS] & (s->cost - 1);

		for (size_t k = 0; k < words; k++)
			b[k] ^= v[from * words + k];
		block_mix(b, y, s->block);
		memcpy(b, y, words * sizeof(*b));
	}
}

static void load(uint32_t *to, const uint8_t *from, size_t words)
{
	for (size_t i = 0; i < words; i++)
		to[i] = (uint32_t)from[4 * i] | (uint32_t)from[4 * i + 1] << 8 |
			(uint32_t)from[4 * i + 2] << 16 | (uint32_t)from[4 * i + 3] << 24;
}

static void store(uint8_t *to, const uint32_t *from, size_t words)
{
	for (size_t i = 0; i < 4 * words; i++)
		to[i] = (uint8_t)(from[i / 4] >> (8 * (i % 4)));
}

enum err cipher_scrypt(const struct cipher_scrypt *s, uint8_t *out, size_t size)
{
	size_t words = (size_t)s->block * 2 * SALSA_WORDS;
	size_t bytes = words * sizeof(uint32_t);
	uint8_t *b = calloc(s->parallel, bytes);
	uint32_t *v = calloc((size_t)s->cost + 2, bytes);
	enum err e = b && v ? ERR_OK : ERR_MEMORY;

	if (e == ERR_OK) {
		pbkdf2_hmac_sha256(s->password.size, s->password.data, 1, s->salt.size,
			s->salt.data, s->parallel * bytes, b);
		for (uint32_t i = 0; i < s->parallel; i++) {
			load(v, b + i * bytes, words);
			rom_mix(s, v, v + 2 * words, v + words);
			store(b + i * bytes, v, words);
		}
		pbkdf2_hmac_sha256(
			s->password.size, s->password.data, 1, s->parallel * bytes, b, size, out);
		explicit_bzero(b, s->parallel * bytes);
		explicit_bzero(v, 2 * bytes);
	}
	free(b);
	free(v);
	return e;
}
