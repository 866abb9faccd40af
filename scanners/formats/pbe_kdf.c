/* From a password to a key. */
#include "scanners/formats/pbe_kdf.h"

#include "scanners/formats/cipher.h"
#include "scanners/formats/format.h"
#include "scanners/formats/oid.h"
#include "scanners/formats/unicode.h"

#include <string.h>

#define SALT_BYTES_MAX 1024
#define HASH_BYTES_MAX 64
#define HASH_BLOCK_BYTES_MAX 128
/* Of the hashes that stores are sealed with: MD5, SHA-1, SHA-256. */
#define HASHED_BLOCK_BYTES 64
/* RFC 7914 2: what scrypt works on is 128 bytes for each unit of its block size. */
#define SCRYPT_UNIT_BYTES 128
/* What a unit costs before and after the mixing: PBKDF2 gives 32 bytes an iteration (RFC 7914 6). */
#define SCRYPT_UNIT_ITERATIONS 4

#define OID_PBKDF2 "\x2a\x86\x48\x86\xf7\x0d\x01\x05\x0c"
#define OID_SCRYPT "\x2b\x06\x01\x04\x01\xda\x47\x04\x0b"
#define RSADSI_DIGEST "\x2a\x86\x48\x86\xf7\x0d\x02"

gnutls_mac_algorithm_t pbe_hmac(struct slice oid)
{
	static const gnutls_mac_algorithm_t hmacs[] = { GNUTLS_MAC_SHA1, GNUTLS_MAC_SHA224,
		GNUTLS_MAC_SHA256, GNUTLS_MAC_SHA384, GNUTLS_MAC_SHA512 };
	const size_t prefix = sizeof(RSADSI_DIGEST) - 1;

	if (oid.size != prefix + 1 || memcmp(oid.data, RSADSI_DIGEST, prefix) != 0 ||
		oid.data[prefix] < 7 || oid.data[prefix] > 11)
		return GNUTLS_MAC_UNKNOWN;
	return hmacs[oid.data[prefix] - 7];
}

bool pbe_take_algorithm(struct slice *left, struct asn1 *oid, struct slice *parameters)
{
	struct asn1 sequence;

	if (!asn1_expect(left, ASN1_SEQUENCE, &sequence) ||
		!asn1_expect(&sequence.content, ASN1_OID, oid))
		return false;
	*parameters = sequence.content;
	return true;
}

enum err pbe_unknown(struct slice oid, char out[ASN1_OID_TEXT_BYTES])
{
	asn1_oid_text(oid, out, ASN1_OID_TEXT_BYTES);
	return ERR_UNSUPPORTED;
}

static bool take_number(struct slice *left, uint64_t *out)
{
	struct asn1 item;

	return asn1_expect(left, ASN1_INTEGER, &item) && asn1_unsigned(&item, out);
}

/* RFC 7914 7: scrypt-params ::= SEQUENCE { salt, N, r, p, keyLength OPTIONAL } */
static enum err scrypt_read(struct slice parameters, struct pbe_kdf *out)
{
	out->is_scrypt = true;
	if (!take_number(&parameters, &out->cost) || !take_number(&parameters, &out->block) ||
		!take_number(&parameters, &out->parallel))
		return ERR_MALFORMED;
	(void)take_number(&parameters, &out->key_bytes);
	return ERR_OK;
}

/* RFC 8018 A.2: PBKDF2-params ::= SEQUENCE { salt, iterationCount, keyLength OPTIONAL, prf DEFAULT } */
static enum err pbkdf2_read(
	struct slice parameters, struct pbe_kdf *out, char oid_text[ASN1_OID_TEXT_BYTES])
{
	struct asn1 oid;
	struct slice rest;

	if (!take_number(&parameters, &out->iterations))
		return ERR_MALFORMED;
	(void)take_number(&parameters, &out->key_bytes);
	if (!parameters.size)
		return ERR_OK;
	if (!pbe_take_algorithm(&parameters, &oid, &rest))
		return ERR_MALFORMED;
	out->prf = pbe_hmac(oid.content);
	return out->prf == GNUTLS_MAC_UNKNOWN ? pbe_unknown(oid.content, oid_text) : ERR_OK;
}

enum err pbe_kdf_read(struct slice *left, struct pbe_kdf *out, char oid_text[ASN1_OID_TEXT_BYTES])
{
	struct asn1 oid, item;
	struct slice parameters;
	bool is_scrypt;

	*out = (struct pbe_kdf){ .prf = GNUTLS_MAC_SHA1 };
	if (!pbe_take_algorithm(left, &oid, &parameters))
		return ERR_MALFORMED;
	is_scrypt = OID_IS(oid.content, OID_SCRYPT);
	if (!is_scrypt && !OID_IS(oid.content, OID_PBKDF2))
		return pbe_unknown(oid.content, oid_text);
	if (!asn1_expect(&parameters, ASN1_SEQUENCE, &item))
		return ERR_MALFORMED;
	parameters = item.content;
	if (!asn1_expect(&parameters, ASN1_OCTETS, &item))
		return ERR_MALFORMED;
	out->salt = item.content;
	return is_scrypt ? scrypt_read(parameters, out) : pbkdf2_read(parameters, out, oid_text);
}

struct pbe_budget pbe_budget_of(const struct format_input *in)
{
	return (struct pbe_budget){ .left = FORMAT_KDF_ITERATIONS_TOTAL_MAX, .file = in->budget };
}

static enum err spend_of_file(struct format_budget *b, uint64_t iterations, uint64_t rounds)
{
	if (iterations > (uint64_t)b->limits->kdf_iterations)
		b->locked_by = "kdf_iterations";
	else if (iterations * rounds > b->kdf_iterations)
		b->locked_by = "kdf_iterations_total";
	else if (format_budget_is_late(b))
		b->locked_by = "file_time";
	else {
		b->kdf_iterations -= iterations * rounds;
		return ERR_OK;
	}
	return ERR_LIMIT;
}

/* Takes the cost of `rounds` outputs of the hash, before anything is spent. */
static enum err spend(struct pbe_budget *budget, uint64_t iterations, uint64_t rounds)
{
	if (!iterations)
		return ERR_MALFORMED;
	if (budget->file)
		return spend_of_file(budget->file, iterations, rounds);
	if (iterations > FORMAT_KDF_ITERATIONS_MAX || iterations * rounds > budget->left)
		return ERR_LIMIT;
	budget->left -= iterations * rounds;
	return ERR_OK;
}

enum err pbe_budget_hash(struct pbe_budget *budget, uint64_t bytes)
{
	return spend(budget, 1, bytes / HASHED_BLOCK_BYTES + 1);
}

/* --- PKCS#12 ---------------------------------------------------------------------------------- */

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
static enum err iterate(
	const struct pbe_derive *d, struct slice input, uint8_t digest[HASH_BYTES_MAX])
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

enum err pbe_password(const char *password, struct buffer *out)
{
	if (password) {
		unicode_to_utf16be(password, out);
		buffer_append(out, "\0", 2);
	}
	return buffer_status(out);
}

enum err pbe_pkcs12_derive(
	const struct pbe_derive *d, enum pbe_purpose purpose, uint8_t *out, size_t size)
{
	size_t digest_bytes = gnutls_hash_get_len(d->hash);
	size_t block = digest_bytes > 32 ? 128 : 64;
	uint8_t digest[HASH_BYTES_MAX];
	struct buffer input, password;
	uint8_t diversifier = (uint8_t)purpose;
	enum err e;

	if (d->salt.size > SALT_BYTES_MAX || !digest_bytes)
		return ERR_UNSUPPORTED;
	e = spend(d->budget, d->iterations, (size + digest_bytes - 1) / digest_bytes);
	if (e != ERR_OK)
		return e;
	buffer_init(&input, HASH_BLOCK_BYTES_MAX + 2 * (SALT_BYTES_MAX + PBE_PASSWORD_BYTES_MAX));
	buffer_init(&password, PBE_PASSWORD_BYTES_MAX);
	e = pbe_password(d->password, &password);
	append_repeated(&input, slice_of(&diversifier, 1), block);
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

/* --- PBES1 ------------------------------------------------------------------------------------ */

enum err pbe_pbes1_derive(const struct pbe_derive *d, uint8_t key[PBE_PBES1_HALF_BYTES],
	uint8_t iv[PBE_PBES1_HALF_BYTES])
{
	uint8_t digest[HASH_BYTES_MAX];
	struct buffer input;
	enum err e;

	if (d->salt.size > SALT_BYTES_MAX)
		return ERR_UNSUPPORTED;
	e = spend(d->budget, d->iterations, 1);
	if (e != ERR_OK)
		return e;
	buffer_init(&input, PBE_PASSWORD_BYTES_MAX + SALT_BYTES_MAX);
	buffer_text(&input, d->password ? d->password : "");
	buffer_slice(&input, d->salt);
	e = buffer_status(&input);
	if (e == ERR_OK)
		e = iterate(d, buffer_bytes(&input), digest);
	if (e == ERR_OK) {
		memcpy(key, digest, PBE_PBES1_HALF_BYTES);
		memcpy(iv, digest + PBE_PBES1_HALF_BYTES, PBE_PBES1_HALF_BYTES);
	}
	explicit_bzero(digest, sizeof(digest));
	buffer_wipe(&input);
	return e;
}

/* --- JCEKS ------------------------------------------------------------------------------------ */

#define MD5_BYTES 16
#define JCE_HALF_BYTES 4
#define JCE_SALT_BYTES (2 * JCE_HALF_BYTES)

/* Characters beyond ASCII lose their upper bits there. */
static void put_seven_bits(const char *password, struct buffer *out)
{
	struct buffer wide;

	buffer_init(&wide, PBE_PASSWORD_BYTES_MAX);
	if (pbe_password(password, &wide) == ERR_OK)
		for (size_t i = 1; i + 2 < wide.size; i += 2)
			buffer_byte(out, wide.data[i] & 0x7f);
	buffer_wipe(&wide);
}

/* Two equal halves would give two equal keys: the first is turned round, not quite rightly. */
static void twist_salt(uint8_t salt[JCE_SALT_BYTES])
{
	if (memcmp(salt, salt + JCE_HALF_BYTES, JCE_HALF_BYTES) != 0)
		return;
	for (size_t i = 0; i < 2; i++) {
		uint8_t byte = salt[i];

		salt[i] = salt[3 - i];
		salt[2] = byte;
	}
}

static enum err digest_half(
	const uint8_t *half, struct slice password, uint64_t iterations, uint8_t out[MD5_BYTES])
{
	gnutls_hash_hd_t hash;
	size_t size = JCE_HALF_BYTES;

	if (gnutls_hash_init(&hash, GNUTLS_DIG_MD5) != 0)
		return ERR_UNSUPPORTED;
	memcpy(out, half, size);
	for (uint64_t i = 0; i < iterations; i++) {
		(void)gnutls_hash(hash, out, size);
		(void)gnutls_hash(hash, password.data, password.size);
		gnutls_hash_output(hash, out);
		size = MD5_BYTES;
	}
	gnutls_hash_deinit(hash, NULL);
	return ERR_OK;
}

enum err pbe_jce_derive(
	const struct pbe_derive *d, uint8_t key[PBE_JCE_KEY_BYTES], uint8_t iv[PBE_JCE_IV_BYTES])
{
	uint8_t salt[JCE_SALT_BYTES];
	uint8_t derived[2 * MD5_BYTES];
	struct buffer password;
	enum err e;

	if (d->salt.size != JCE_SALT_BYTES)
		return ERR_MALFORMED;
	e = spend(d->budget, d->iterations, 2);
	if (e != ERR_OK)
		return e;
	memcpy(salt, d->salt.data, sizeof(salt));
	twist_salt(salt);
	buffer_init(&password, PBE_PASSWORD_BYTES_MAX);
	put_seven_bits(d->password ? d->password : "", &password);
	e = buffer_status(&password);
	for (size_t i = 0; e == ERR_OK && i < 2; i++)
		e = digest_half(salt + i * JCE_HALF_BYTES, buffer_bytes(&password), d->iterations,
			derived + i * MD5_BYTES);
	if (e == ERR_OK) {
		memcpy(key, derived, PBE_JCE_KEY_BYTES);
		memcpy(iv, derived + PBE_JCE_KEY_BYTES, PBE_JCE_IV_BYTES);
	}
	explicit_bzero(derived, sizeof(derived));
	buffer_wipe(&password);
	return e;
}

/* --- PBKDF2 and scrypt ------------------------------------------------------------------------ */

static enum err pbkdf2(const struct pbe_kdf *k, struct slice password, struct pbe_budget *budget,
	uint8_t *out, size_t size)
{
	gnutls_datum_t key = { .data = (unsigned char *)(uintptr_t)password.data,
		.size = (unsigned)password.size };
	gnutls_datum_t salt = { .data = (unsigned char *)(uintptr_t)k->salt.data,
		.size = (unsigned)k->salt.size };
	size_t digest_bytes = gnutls_hmac_get_len(k->prf);
	enum err e;

	if (!digest_bytes)
		return ERR_UNSUPPORTED;
	e = spend(budget, k->iterations, (size + digest_bytes - 1) / digest_bytes);
	if (e != ERR_OK)
		return e;
	return gnutls_pbkdf2(k->prf, &key, &salt, (unsigned)k->iterations, out, size) == 0
		       ? ERR_OK
		       : ERR_UNSUPPORTED;
}

/* RFC 7914 5 and 6: one lane of cost blocks at a time, two more to work with, and a block for each lane. */
static enum err scrypt_memory(const struct pbe_kdf *k, struct pbe_budget *budget)
{
	uint64_t bytes =
		budget->file ? budget->file->limits->memory_bytes : FORMAT_MEMORY_BYTES_MAX;
	uint64_t units = bytes / SCRYPT_UNIT_BYTES;

	if (k->block <= units && k->cost <= units / k->block && k->parallel <= units / k->block &&
		k->cost + k->parallel + 2 <= units / k->block)
		return ERR_OK;
	if (budget->file)
		budget->file->locked_by = "memory";
	return ERR_LIMIT;
}

static enum err scrypt(const struct pbe_kdf *k, struct slice password, struct pbe_budget *budget,
	uint8_t *out, size_t size)
{
	struct cipher_scrypt s = { .password = password, .salt = k->salt };
	enum err e;

	if (k->cost < 2 || (k->cost & (k->cost - 1)) || !k->block || !k->parallel)
		return ERR_MALFORMED;
	e = scrypt_memory(k, budget);
	if (e == ERR_OK)
		e = spend(budget, (k->cost + SCRYPT_UNIT_ITERATIONS) * k->block, k->parallel);
	if (e != ERR_OK)
		return e;
	s.cost = (uint32_t)k->cost;
	s.block = (uint32_t)k->block;
	s.parallel = (uint32_t)k->parallel;
	return cipher_scrypt(&s, out, size);
}

enum err pbe_kdf_derive(const struct pbe_kdf *k, struct slice password, struct pbe_budget *budget,
	uint8_t *out, size_t size)
{
	if (k->salt.size > SALT_BYTES_MAX)
		return ERR_UNSUPPORTED;
	return k->is_scrypt ? scrypt(k, password, budget, out, size)
			    : pbkdf2(k, password, budget, out, size);
}
