/* Password-based decryption and integrity of PKCS#12. */
#include "scanners/formats/pbe.h"

#include "scanners/formats/format.h"
#include "scanners/formats/oid.h"
#include "scanners/formats/unicode.h"

#include <string.h>

#define SALT_BYTES_MAX 1024
#define PASSWORD_BYTES_MAX 4096
#define KEY_BYTES_MAX 64
#define HASH_BYTES_MAX 64
#define HASH_BLOCK_BYTES_MAX 128
/* RFC 7292 B.3: what a derived string is for. */
enum { FOR_KEY = 1, FOR_IV = 2, FOR_MAC = 3 };

#define PKCS12_PBE "\x2a\x86\x48\x86\xf7\x0d\x01\x0c\x01"
#define PKCS5 "\x2a\x86\x48\x86\xf7\x0d\x01\x05"
#define OID_PBKDF2 PKCS5 "\x0c"
#define OID_PBES2 PKCS5 "\x0d"
#define OID_PBMAC1 PKCS5 "\x0e"
#define RSADSI "\x2a\x86\x48\x86\xf7\x0d"
#define NIST "\x60\x86\x48\x01\x65\x03\x04"
#define CAMELLIA "\x2a\x83\x08\x8c\x9a\x4b\x3d\x01\x01\x01"

struct cipher_oid {
	const char *oid;
	size_t size;
	gnutls_cipher_algorithm_t cipher;
	size_t key_bytes;
};
#define CIPHER(o, c, k)                \
	{                              \
		o, sizeof(o) - 1, c, k \
	}

static const struct cipher_oid pkcs12_ciphers[] = {
	CIPHER(PKCS12_PBE "\x01", GNUTLS_CIPHER_ARCFOUR_128, 16),
	CIPHER(PKCS12_PBE "\x02", GNUTLS_CIPHER_ARCFOUR_40, 5),
	CIPHER(PKCS12_PBE "\x03", GNUTLS_CIPHER_3DES_CBC, 24),
	CIPHER(PKCS12_PBE "\x04", GNUTLS_CIPHER_3DES_CBC, 16),
	CIPHER(PKCS12_PBE "\x06", GNUTLS_CIPHER_RC2_40_CBC, 5),
};
static const struct cipher_oid pbes2_ciphers[] = {
	CIPHER(NIST "\x01\x02", GNUTLS_CIPHER_AES_128_CBC, 16),
	CIPHER(NIST "\x01\x16", GNUTLS_CIPHER_AES_192_CBC, 24),
	CIPHER(NIST "\x01\x2a", GNUTLS_CIPHER_AES_256_CBC, 32),
	CIPHER(RSADSI "\x03\x07", GNUTLS_CIPHER_3DES_CBC, 24),
	CIPHER("\x2b\x0e\x03\x02\x07", GNUTLS_CIPHER_DES_CBC, 8),
	CIPHER(CAMELLIA "\x02", GNUTLS_CIPHER_CAMELLIA_128_CBC, 16),
	CIPHER(CAMELLIA "\x03", GNUTLS_CIPHER_CAMELLIA_192_CBC, 24),
	CIPHER(CAMELLIA "\x04", GNUTLS_CIPHER_CAMELLIA_256_CBC, 32),
};

struct mac_oid {
	const char *oid;
	size_t size;
	gnutls_mac_algorithm_t mac;
};
#define MAC(o, m)                   \
	{                           \
		o, sizeof(o) - 1, m \
	}

static const struct mac_oid hmacs[] = {
	MAC(RSADSI "\x02\x07", GNUTLS_MAC_SHA1),
	MAC(RSADSI "\x02\x08", GNUTLS_MAC_SHA224),
	MAC(RSADSI "\x02\x09", GNUTLS_MAC_SHA256),
	MAC(RSADSI "\x02\x0a", GNUTLS_MAC_SHA384),
	MAC(RSADSI "\x02\x0b", GNUTLS_MAC_SHA512),
};
static const struct mac_oid digests[] = {
	MAC("\x2b\x0e\x03\x02\x1a", GNUTLS_MAC_SHA1),
	MAC(NIST "\x02\x04", GNUTLS_MAC_SHA224),
	MAC(NIST "\x02\x01", GNUTLS_MAC_SHA256),
	MAC(NIST "\x02\x02", GNUTLS_MAC_SHA384),
	MAC(NIST "\x02\x03", GNUTLS_MAC_SHA512),
	MAC(RSADSI "\x02\x05", GNUTLS_MAC_MD5),
};
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static enum err unknown(struct slice oid, char out[ASN1_OID_TEXT_BYTES])
{
	asn1_oid_text(oid, out, ASN1_OID_TEXT_BYTES);
	return ERR_UNSUPPORTED;
}

static const struct cipher_oid *cipher_of(
	const struct cipher_oid *table, size_t count, struct slice oid)
{
	for (size_t i = 0; i < count; i++)
		if (asn1_oid_is(oid, table[i].oid, table[i].size))
			return &table[i];
	return NULL;
}

static gnutls_mac_algorithm_t mac_of(const struct mac_oid *table, size_t count, struct slice oid)
{
	for (size_t i = 0; i < count; i++)
		if (asn1_oid_is(oid, table[i].oid, table[i].size))
			return table[i].mac;
	return GNUTLS_MAC_UNKNOWN;
}

/* AlgorithmIdentifier ::= SEQUENCE { OID, parameters }: takes it off `*left`. */
static bool take_algorithm(struct slice *left, struct asn1 *oid, struct slice *parameters)
{
	struct asn1 sequence;

	if (!asn1_expect(left, ASN1_SEQUENCE, &sequence) ||
		!asn1_expect(&sequence.content, ASN1_OID, oid))
		return false;
	*parameters = sequence.content;
	return true;
}

struct pbkdf2 {
	struct slice salt;
	uint64_t iterations;
	uint64_t key_bytes; /* 0 = not said */
	gnutls_mac_algorithm_t prf;
};

/* RFC 8018 A.2. */
static enum err pbkdf2_read(
	struct slice *left, struct pbkdf2 *out, char oid_text[ASN1_OID_TEXT_BYTES])
{
	struct asn1 oid, item;
	struct slice parameters, rest;

	*out = (struct pbkdf2){ .prf = GNUTLS_MAC_SHA1 };
	if (!take_algorithm(left, &oid, &parameters))
		return ERR_MALFORMED;
	if (!OID_IS(oid.content, OID_PBKDF2))
		return unknown(oid.content, oid_text);
	if (!asn1_expect(&parameters, ASN1_SEQUENCE, &item))
		return ERR_MALFORMED;
	parameters = item.content;
	if (!asn1_expect(&parameters, ASN1_OCTETS, &item))
		return ERR_MALFORMED;
	out->salt = item.content;
	if (!asn1_expect(&parameters, ASN1_INTEGER, &item) ||
		!asn1_unsigned(&item, &out->iterations))
		return ERR_MALFORMED;
	if (asn1_expect(&parameters, ASN1_INTEGER, &item) && !asn1_unsigned(&item, &out->key_bytes))
		return ERR_MALFORMED;
	if (!parameters.size)
		return ERR_OK;
	if (!take_algorithm(&parameters, &oid, &rest))
		return ERR_MALFORMED;
	out->prf = mac_of(hmacs, COUNT(hmacs), oid.content);
	return out->prf == GNUTLS_MAC_UNKNOWN ? unknown(oid.content, oid_text) : ERR_OK;
}

static enum err pbes2_read(
	struct slice parameters, struct pbe *out, char oid_text[ASN1_OID_TEXT_BYTES])
{
	const struct cipher_oid *cipher;
	struct pbkdf2 kdf;
	struct asn1 item, oid;
	struct slice iv;
	enum err e;

	if (!asn1_expect(&parameters, ASN1_SEQUENCE, &item))
		return ERR_MALFORMED;
	e = pbkdf2_read(&item.content, &kdf, oid_text);
	if (e != ERR_OK)
		return e;
	if (!take_algorithm(&item.content, &oid, &iv))
		return ERR_MALFORMED;
	cipher = cipher_of(pbes2_ciphers, COUNT(pbes2_ciphers), oid.content);
	if (!cipher)
		return unknown(oid.content, oid_text);
	if (!asn1_expect(&iv, ASN1_OCTETS, &item))
		return ERR_MALFORMED;
	*out = (struct pbe){ .kind = PBE_PBES2,
		.cipher = cipher->cipher,
		.key_bytes = cipher->key_bytes,
		.prf = kdf.prf,
		.salt = kdf.salt,
		.iv = item.content,
		.iterations = kdf.iterations };
	if (out->iv.size != gnutls_cipher_get_iv_size(cipher->cipher))
		return ERR_MALFORMED;
	return ERR_OK;
}

enum err pbe_read(struct slice algorithm, struct pbe *out, char oid_text[ASN1_OID_TEXT_BYTES])
{
	const struct cipher_oid *cipher;
	struct asn1 oid, item, salt;

	if (!asn1_expect(&algorithm, ASN1_OID, &oid))
		return ERR_MALFORMED;
	if (OID_IS(oid.content, OID_PBES2))
		return pbes2_read(algorithm, out, oid_text);
	cipher = cipher_of(pkcs12_ciphers, COUNT(pkcs12_ciphers), oid.content);
	if (!cipher)
		return unknown(oid.content, oid_text);
	if (!asn1_expect(&algorithm, ASN1_SEQUENCE, &item) ||
		!asn1_expect(&item.content, ASN1_OCTETS, &salt))
		return ERR_MALFORMED;
	*out = (struct pbe){ .kind = PBE_PKCS12,
		.cipher = cipher->cipher,
		.key_bytes = cipher->key_bytes,
		.salt = salt.content };
	if (!asn1_expect(&item.content, ASN1_INTEGER, &salt) ||
		!asn1_unsigned(&salt, &out->iterations))
		return ERR_MALFORMED;
	return ERR_OK;
}

/* --- deriving --------------------------------------------------------------------------------- */

struct derive {
	gnutls_digest_algorithm_t hash;
	const char *password;
	struct slice salt;
	uint64_t iterations;
	struct pbe_budget *budget;
};

/* Takes the cost of `rounds` outputs of the hash, before anything is spent. */
static enum err spend(struct pbe_budget *budget, uint64_t iterations, uint64_t rounds)
{
	if (!iterations)
		return ERR_MALFORMED;
	if (iterations > FORMAT_KDF_ITERATIONS_MAX || iterations * rounds > budget->left)
		return ERR_LIMIT;
	budget->left -= iterations * rounds;
	return ERR_OK;
}

/* Appends `s` over and over up to a whole number of blocks (RFC 7292 B.2 steps 2 and 3). */
static void append_repeated(struct buffer *out, struct slice s, size_t block)
{
	size_t size = (s.size + block - 1) / block * block;

	for (size_t i = 0; i < size; i++)
		buffer_byte(out, s.data[i % s.size]);
}

/* I_j = (I_j + B + 1) mod 2^v for each block (RFC 7292 B.2 step 6C). */
static void add_blocks(
	struct slice blocks, const uint8_t *digest, size_t digest_bytes, size_t block)
{
	uint8_t *all = (uint8_t *)(uintptr_t)blocks.data;

	for (size_t at = 0; at < blocks.size; at += block) {
		unsigned carry = 1;

		for (size_t i = block; i-- > 0;) {
			carry += all[at + i] + (unsigned)digest[i % digest_bytes];
			all[at + i] = (uint8_t)carry;
			carry >>= 8;
		}
	}
}

/* H^r(D || I) */
static enum err iterate(const struct derive *d, struct slice input, uint8_t digest[HASH_BYTES_MAX])
{
	size_t size = gnutls_hash_get_len(d->hash);
	gnutls_hash_hd_t hash;

	if (gnutls_hash_init(&hash, d->hash) != 0)
		return ERR_UNSUPPORTED;
	(void)gnutls_hash(hash, input.data, input.size);
	gnutls_hash_output(hash, digest);
	for (uint64_t i = 1; i < d->iterations; i++) {
		(void)gnutls_hash(hash, digest, size);
		gnutls_hash_output(hash, digest);
	}
	gnutls_hash_deinit(hash, NULL);
	return ERR_OK;
}

/* RFC 7292 B.1: the password as BMPString with its NUL; no password is no byte at all. */
static enum err put_password(const char *password, struct buffer *out)
{
	if (password) {
		unicode_to_utf16be(password, out);
		buffer_append(out, "\0", 2);
	}
	return buffer_status(out);
}

/* RFC 7292 B.2. */
static enum err pkcs12_derive(const struct derive *d, uint8_t purpose, uint8_t *out, size_t size)
{
	size_t digest_bytes = gnutls_hash_get_len(d->hash);
	size_t block = digest_bytes > 32 ? 128 : 64;
	uint8_t digest[HASH_BYTES_MAX];
	struct buffer input, password;
	enum err e;

	if (d->salt.size > SALT_BYTES_MAX || !digest_bytes)
		return ERR_UNSUPPORTED;
	e = spend(d->budget, d->iterations, (size + digest_bytes - 1) / digest_bytes);
	if (e != ERR_OK)
		return e;
	buffer_init(&input, HASH_BLOCK_BYTES_MAX + 2 * (SALT_BYTES_MAX + PASSWORD_BYTES_MAX));
	buffer_init(&password, PASSWORD_BYTES_MAX);
	e = put_password(d->password, &password);
	append_repeated(&input, slice_of(&purpose, 1), block);
	append_repeated(&input, d->salt, block);
	append_repeated(&input, buffer_bytes(&password), block);
	if (e == ERR_OK)
		e = buffer_status(&input);
	while (e == ERR_OK && size) {
		size_t part = size < digest_bytes ? size : digest_bytes;

		e = iterate(d, buffer_bytes(&input), digest);
		if (e != ERR_OK)
			break;
		memcpy(out, digest, part);
		out += part;
		size -= part;
		if (size)
			add_blocks(slice_after(buffer_bytes(&input), block), digest, digest_bytes,
				block);
	}
	explicit_bzero(digest, sizeof(digest));
	buffer_wipe(&input);
	buffer_wipe(&password);
	return e;
}

static enum err pbkdf2_derive(
	const struct derive *d, gnutls_mac_algorithm_t prf, uint8_t *out, size_t size)
{
	const char *password = d->password ? d->password : "";
	gnutls_datum_t key = { .data = (unsigned char *)(uintptr_t)password,
		.size = (unsigned)strlen(password) };
	gnutls_datum_t salt = { .data = (unsigned char *)(uintptr_t)d->salt.data,
		.size = (unsigned)d->salt.size };
	size_t digest_bytes = gnutls_hmac_get_len(prf);
	enum err e;

	if (d->salt.size > SALT_BYTES_MAX || !digest_bytes)
		return ERR_UNSUPPORTED;
	e = spend(d->budget, d->iterations, (size + digest_bytes - 1) / digest_bytes);
	if (e != ERR_OK)
		return e;
	return gnutls_pbkdf2(prf, &key, &salt, (unsigned)d->iterations, out, size) == 0
		       ? ERR_OK
		       : ERR_UNSUPPORTED;
}

/* --- decrypting ------------------------------------------------------------------------------- */

static enum err derive_key(const struct pbe *p, const struct derive *d, uint8_t key[KEY_BYTES_MAX],
	uint8_t iv[KEY_BYTES_MAX])
{
	size_t iv_bytes = gnutls_cipher_get_iv_size(p->cipher);
	enum err e;

	if (p->kind == PBE_PBES2) {
		memcpy(iv, p->iv.data, p->iv.size);
		return pbkdf2_derive(d, p->prf, key, p->key_bytes);
	}
	e = pkcs12_derive(d, FOR_KEY, key, p->key_bytes);
	if (e == ERR_OK && iv_bytes)
		e = pkcs12_derive(d, FOR_IV, iv, iv_bytes);
	/* Two-key Triple DES is the three-key one with the first key again. */
	if (p->cipher == GNUTLS_CIPHER_3DES_CBC && p->key_bytes == 16)
		memcpy(key + 16, key, 8);
	return e;
}

/* RFC 8018 6.1.2: the last byte counts the padding, and all of the padding says so. */
static enum err unpad(struct buffer *b, size_t block)
{
	size_t pad;

	if (block <= 1)
		return ERR_OK;
	pad = b->size ? b->data[b->size - 1] : 0;
	if (!pad || pad > block || pad > b->size)
		return ERR_PASSWORD;
	for (size_t i = 0; i < pad; i++)
		if (b->data[b->size - 1 - i] != pad)
			return ERR_PASSWORD;
	b->size -= pad;
	return ERR_OK;
}

static enum err decrypt(
	const struct pbe *p, uint8_t *key, uint8_t *iv, struct slice secret, struct buffer *out)
{
	size_t block = gnutls_cipher_get_block_size(p->cipher);
	gnutls_datum_t k = { .data = key, .size = (unsigned)gnutls_cipher_get_key_size(p->cipher) };
	gnutls_datum_t v = { .data = iv, .size = gnutls_cipher_get_iv_size(p->cipher) };
	gnutls_cipher_hd_t cipher;
	uint8_t *to;
	int n;

	if (!secret.size || (block > 1 && secret.size % block))
		return ERR_MALFORMED;
	to = buffer_reserve(out, secret.size);
	if (!to)
		return buffer_status(out);
	if (gnutls_cipher_init(&cipher, p->cipher, &k, v.size ? &v : NULL) != 0)
		return ERR_UNSUPPORTED;
	n = gnutls_cipher_decrypt2(cipher, secret.data, secret.size, to, secret.size);
	gnutls_cipher_deinit(cipher);
	if (n != 0)
		return ERR_PASSWORD;
	out->size += secret.size;
	return unpad(out, block);
}

enum err pbe_decrypt(const struct pbe *p, const char *password, struct pbe_budget *budget,
	struct slice secret, struct buffer *out)
{
	struct derive d = { .hash = GNUTLS_DIG_SHA1,
		.password = password,
		.salt = p->salt,
		.iterations = p->iterations,
		.budget = budget };
	uint8_t key[KEY_BYTES_MAX] = { 0 }, iv[KEY_BYTES_MAX] = { 0 };
	enum err e = derive_key(p, &d, key, iv);

	if (e == ERR_OK)
		e = decrypt(p, key, iv, secret, out);
	explicit_bzero(key, sizeof(key));
	explicit_bzero(iv, sizeof(iv));
	return e;
}

/* --- integrity -------------------------------------------------------------------------------- */

/* RFC 9579 3: PBMAC1-params ::= SEQUENCE { keyDerivationFunc, messageAuthScheme }. */
static enum err pbmac1_read(
	struct slice parameters, struct pbe_mac *out, char oid_text[ASN1_OID_TEXT_BYTES])
{
	struct asn1 item, oid;
	struct slice rest;
	struct pbkdf2 kdf;
	enum err e;

	if (!asn1_expect(&parameters, ASN1_SEQUENCE, &item))
		return ERR_MALFORMED;
	e = pbkdf2_read(&item.content, &kdf, oid_text);
	if (e != ERR_OK)
		return e;
	if (!take_algorithm(&item.content, &oid, &rest))
		return ERR_MALFORMED;
	out->kind = PBE_PBES2;
	out->mac = mac_of(hmacs, COUNT(hmacs), oid.content);
	if (out->mac == GNUTLS_MAC_UNKNOWN)
		return unknown(oid.content, oid_text);
	/* The key's length must be said, and 20 bytes are its least. */
	if (kdf.key_bytes < 20 || kdf.key_bytes > KEY_BYTES_MAX)
		return ERR_MALFORMED;
	out->key_bytes = (size_t)kdf.key_bytes;
	out->prf = kdf.prf;
	out->salt = kdf.salt;
	out->iterations = kdf.iterations;
	return ERR_OK;
}

/* MacData ::= SEQUENCE { DigestInfo { algorithm, digest }, macSalt, iterations DEFAULT 1 } */
enum err pbe_mac_read(
	struct slice mac_data, struct pbe_mac *out, char oid_text[ASN1_OID_TEXT_BYTES])
{
	struct asn1 info, oid, item;
	struct slice parameters;

	*out = (struct pbe_mac){ .kind = PBE_PKCS12, .iterations = 1 };
	if (!asn1_expect(&mac_data, ASN1_SEQUENCE, &info) ||
		!take_algorithm(&info.content, &oid, &parameters) ||
		!asn1_expect(&info.content, ASN1_OCTETS, &item))
		return ERR_MALFORMED;
	out->digest = item.content;
	if (OID_IS(oid.content, OID_PBMAC1))
		return pbmac1_read(parameters, out, oid_text);
	out->mac = mac_of(digests, COUNT(digests), oid.content);
	if (out->mac == GNUTLS_MAC_UNKNOWN)
		return unknown(oid.content, oid_text);
	if (!asn1_expect(&mac_data, ASN1_OCTETS, &item))
		return ERR_MALFORMED;
	out->salt = item.content;
	if (asn1_expect(&mac_data, ASN1_INTEGER, &item) && !asn1_unsigned(&item, &out->iterations))
		return ERR_MALFORMED;
	return ERR_OK;
}

enum err pbe_mac_verify(const struct pbe_mac *m, const char *password, struct pbe_budget *budget,
	struct slice content)
{
	/* GnuTLS numbers a hash and its HMAC alike. */
	struct derive d = { .hash = (gnutls_digest_algorithm_t)m->mac,
		.password = password,
		.salt = m->salt,
		.iterations = m->iterations,
		.budget = budget };
	size_t size = gnutls_hmac_get_len(m->mac);
	uint8_t key[KEY_BYTES_MAX], digest[HASH_BYTES_MAX];
	size_t key_bytes = m->kind == PBE_PBES2 ? m->key_bytes : size;
	enum err e;

	if (m->kind == PBE_PBES2)
		e = pbkdf2_derive(&d, m->prf, key, key_bytes);
	else
		e = pkcs12_derive(&d, FOR_MAC, key, key_bytes);
	if (e == ERR_OK &&
		gnutls_hmac_fast(m->mac, key, key_bytes, content.data, content.size, digest) != 0)
		e = ERR_UNSUPPORTED;
	if (e == ERR_OK &&
		(m->digest.size != size || gnutls_memcmp(digest, m->digest.data, size) != 0))
		e = ERR_PASSWORD;
	explicit_bzero(key, sizeof(key));
	return e;
}
