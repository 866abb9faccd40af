/* Password-based decryption and integrity of PKCS#12. */
#include "scanners/formats/pbe.h"

#include "scanners/formats/cipher.h"
#include "scanners/formats/oid.h"

#include <string.h>

#define KEY_BYTES_MAX PBE_KEY_BYTES_MAX
#define HASH_BYTES_MAX 64
#define IV_BYTES_MAX 16

#define PKCS12_PBE "\x2a\x86\x48\x86\xf7\x0d\x01\x0c\x01"
#define PKCS5 "\x2a\x86\x48\x86\xf7\x0d\x01\x05"
#define OID_PBES2 PKCS5 "\x0d"
#define OID_PBMAC1 PKCS5 "\x0e"
/* com.sun.crypto.provider.KeyProtector: 1.3.6.1.4.1.42.2.19.1. */
#define OID_JCE_PROTECTOR "\x2b\x06\x01\x04\x01\x2a\x02\x13\x01"
#define RSADSI "\x2a\x86\x48\x86\xf7\x0d"
#define NIST "\x60\x86\x48\x01\x65\x03\x04"
#define CAMELLIA "\x2a\x83\x08\x8c\x9a\x4b\x3d\x01\x01\x01"

struct cipher_oid {
	const char *oid;
	size_t size;
	enum pbe_cipher kind;
	gnutls_cipher_algorithm_t cipher; /* of PBE_GNUTLS */
	size_t key_bytes;
};
#define CIPHER(o, c, k)                            \
	{                                          \
		o, sizeof(o) - 1, PBE_GNUTLS, c, k \
	}
#define OWN_CIPHER(o, kind, k)                                   \
	{                                                        \
		o, sizeof(o) - 1, kind, GNUTLS_CIPHER_UNKNOWN, k \
	}

static const struct cipher_oid pkcs12_ciphers[] = {
	OWN_CIPHER(PKCS12_PBE "\x01", PBE_ARCFOUR, 16),
	OWN_CIPHER(PKCS12_PBE "\x02", PBE_ARCFOUR, 5),
	CIPHER(PKCS12_PBE "\x03", GNUTLS_CIPHER_3DES_CBC, 24),
	CIPHER(PKCS12_PBE "\x04", GNUTLS_CIPHER_3DES_CBC, 16),
	OWN_CIPHER(PKCS12_PBE "\x05", PBE_RC2, 16),
	OWN_CIPHER(PKCS12_PBE "\x06", PBE_RC2, 5),
};
/* RFC 8018 A.3, with MD5 and with SHA-1. */
static const struct cipher_oid pbes1_ciphers[] = {
	CIPHER(PKCS5 "\x03", GNUTLS_CIPHER_DES_CBC, 8),
	OWN_CIPHER(PKCS5 "\x06", PBE_RC2, 8),
	CIPHER(PKCS5 "\x0a", GNUTLS_CIPHER_DES_CBC, 8),
	OWN_CIPHER(PKCS5 "\x0b", PBE_RC2, 8),
};
#define PBES1_SHA1_FROM (pbes1_ciphers + 2)
static const struct cipher_oid pbes2_ciphers[] = {
	CIPHER(NIST "\x01\x02", GNUTLS_CIPHER_AES_128_CBC, 16),
	CIPHER(NIST "\x01\x16", GNUTLS_CIPHER_AES_192_CBC, 24),
	CIPHER(NIST "\x01\x2a", GNUTLS_CIPHER_AES_256_CBC, 32),
	CIPHER(RSADSI "\x03\x07", GNUTLS_CIPHER_3DES_CBC, 24),
	CIPHER("\x2b\x0e\x03\x02\x07", GNUTLS_CIPHER_DES_CBC, 8),
	CIPHER(CAMELLIA "\x02", GNUTLS_CIPHER_CAMELLIA_128_CBC, 16),
	CIPHER(CAMELLIA "\x03", GNUTLS_CIPHER_CAMELLIA_192_CBC, 24),
	CIPHER(CAMELLIA "\x04", GNUTLS_CIPHER_CAMELLIA_256_CBC, 32),
	OWN_CIPHER(RSADSI "\x03\x02", PBE_RC2, 0),
	OWN_CIPHER(NIST "\x01\x2f", PBE_AES_CCM, 32),
	OWN_CIPHER(NIST "\x01\x30", PBE_AES_KWP, 32),
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

static const struct mac_oid digests[] = {
	MAC("\x2b\x0e\x03\x02\x1a", GNUTLS_MAC_SHA1),
	MAC(NIST "\x02\x04", GNUTLS_MAC_SHA224),
	MAC(NIST "\x02\x01", GNUTLS_MAC_SHA256),
	MAC(NIST "\x02\x02", GNUTLS_MAC_SHA384),
	MAC(NIST "\x02\x03", GNUTLS_MAC_SHA512),
	MAC(RSADSI "\x02\x05", GNUTLS_MAC_MD5),
};
static const struct cipher_oid jce_cipher = CIPHER(OID_JCE_PROTECTOR, GNUTLS_CIPHER_3DES_CBC, 24);
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

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

/* RFC 8018 B.2.3: the version stands for the effective bits of the key. */
static unsigned rc2_bits(uint64_t version)
{
	if (version >= 256)
		return version <= 1024 ? (unsigned)version : 0;
	return version == 160 ? 40 : version == 120 ? 64 : version == 58 ? 128 : 0;
}

/* RC2-CBC-Parameter ::= SEQUENCE { version OPTIONAL, iv }, or the iv alone. */
static enum err rc2_parameters(struct slice parameters, const struct pbe_kdf *kdf, struct pbe *out)
{
	uint64_t version = 0;
	struct asn1 item;

	if (asn1_expect(&parameters, ASN1_SEQUENCE, &item))
		parameters = item.content;
	out->rc2_bits = 32;
	if (asn1_expect(&parameters, ASN1_INTEGER, &item)) {
		if (!asn1_unsigned(&item, &version))
			return ERR_MALFORMED;
		out->rc2_bits = rc2_bits(version);
	}
	if (!out->rc2_bits || !asn1_expect(&parameters, ASN1_OCTETS, &item) ||
		item.content.size != CIPHER_RC2_BLOCK_BYTES)
		return ERR_MALFORMED;
	out->iv = item.content;
	out->key_bytes = kdf->key_bytes ? (size_t)kdf->key_bytes : out->rc2_bits / 8;
	return out->key_bytes && kdf->key_bytes <= KEY_BYTES_MAX && out->key_bytes <= KEY_BYTES_MAX
		       ? ERR_OK
		       : ERR_MALFORMED;
}

/* CCMParameters ::= SEQUENCE { nonce, icvlen INTEGER DEFAULT 12 } (RFC 5084 3.1) */
static enum err ccm_parameters(struct slice parameters, struct pbe *out)
{
	struct asn1 list, item;

	out->tag_bytes = 12;
	if (!asn1_expect(&parameters, ASN1_SEQUENCE, &list) ||
		!asn1_expect(&list.content, ASN1_OCTETS, &item))
		return ERR_MALFORMED;
	out->iv = item.content;
	if (asn1_expect(&list.content, ASN1_INTEGER, &item) &&
		!asn1_unsigned(&item, &out->tag_bytes))
		return ERR_MALFORMED;
	return ERR_OK;
}

static enum err cipher_parameters(
	struct slice parameters, const struct pbe_kdf *kdf, struct pbe *out)
{
	struct asn1 item;

	switch (out->own) {
	case PBE_RC2:
		return rc2_parameters(parameters, kdf, out);
	case PBE_AES_CCM:
		return ccm_parameters(parameters, out);
	case PBE_AES_KWP:
		return ERR_OK;
	default:
		break;
	}
	if (!asn1_expect(&parameters, ASN1_OCTETS, &item) ||
		item.content.size != gnutls_cipher_get_iv_size(out->cipher))
		return ERR_MALFORMED;
	out->iv = item.content;
	return ERR_OK;
}

static enum err pbes2_read(
	struct slice parameters, struct pbe *out, char oid_text[ASN1_OID_TEXT_BYTES])
{
	const struct cipher_oid *cipher;
	struct asn1 item, oid;
	struct slice rest;
	enum err e;

	*out = (struct pbe){ .kind = PBE_PBES2 };
	if (!asn1_expect(&parameters, ASN1_SEQUENCE, &item))
		return ERR_MALFORMED;
	e = pbe_kdf_read(&item.content, &out->kdf, oid_text);
	if (e != ERR_OK)
		return e;
	if (!pbe_take_algorithm(&item.content, &oid, &rest))
		return ERR_MALFORMED;
	cipher = cipher_of(pbes2_ciphers, COUNT(pbes2_ciphers), oid.content);
	if (!cipher)
		return pbe_unknown(oid.content, oid_text);
	out->own = cipher->kind;
	out->cipher = cipher->cipher;
	out->key_bytes = cipher->key_bytes;
	return cipher_parameters(rest, &out->kdf, out);
}

enum err pbe_read(struct slice algorithm, struct pbe *out, char oid_text[ASN1_OID_TEXT_BYTES])
{
	const struct cipher_oid *cipher;
	enum pbe_kind kind = PBE_JCE;
	struct asn1 oid, item, salt;

	if (!asn1_expect(&algorithm, ASN1_OID, &oid))
		return ERR_MALFORMED;
	if (OID_IS(oid.content, OID_PBES2))
		return pbes2_read(algorithm, out, oid_text);
	cipher = cipher_of(pkcs12_ciphers, COUNT(pkcs12_ciphers), oid.content);
	if (cipher)
		kind = PBE_PKCS12;
	else if ((cipher = cipher_of(pbes1_ciphers, COUNT(pbes1_ciphers), oid.content)))
		kind = PBE_PBES1;
	else
		cipher = cipher_of(&jce_cipher, 1, oid.content);
	if (!cipher)
		return pbe_unknown(oid.content, oid_text);
	if (!asn1_expect(&algorithm, ASN1_SEQUENCE, &item) ||
		!asn1_expect(&item.content, ASN1_OCTETS, &salt))
		return ERR_MALFORMED;
	*out = (struct pbe){ .kind = kind,
		.hash = kind == PBE_PBES1 && cipher < PBES1_SHA1_FROM ? GNUTLS_DIG_MD5
								      : GNUTLS_DIG_SHA1,
		.own = cipher->kind,
		.cipher = cipher->cipher,
		.key_bytes = cipher->key_bytes,
		.rc2_bits = (unsigned)cipher->key_bytes * 8,
		.kdf.salt = salt.content };
	if (!asn1_expect(&item.content, ASN1_INTEGER, &salt) ||
		!asn1_unsigned(&salt, &out->kdf.iterations))
		return ERR_MALFORMED;
	return ERR_OK;
}

/* --- decrypting ------------------------------------------------------------------------------- */

static size_t iv_bytes(const struct pbe *p)
{
	return p->own == PBE_RC2       ? CIPHER_RC2_BLOCK_BYTES
	       : p->own == PBE_TWOFISH ? CIPHER_TWOFISH_BLOCK_BYTES
	       : p->own == PBE_GNUTLS  ? gnutls_cipher_get_iv_size(p->cipher)
				       : 0;
}

static size_t block_bytes(const struct pbe *p)
{
	return p->own == PBE_GNUTLS ? gnutls_cipher_get_block_size(p->cipher) : iv_bytes(p);
}

static enum err derive_key(const struct pbe *p, const struct pbe_derive *d, struct slice suffix,
	uint8_t key[KEY_BYTES_MAX], uint8_t iv[IV_BYTES_MAX])
{
	size_t iv_size = iv_bytes(p);
	struct buffer password;
	enum err e;

	if (p->kind == PBE_PBES2) {
		if (iv_size)
			memcpy(iv, p->iv.data, iv_size);
		buffer_init(&password, PBE_PASSWORD_BYTES_MAX);
		/* Bouncy Castle writes it as PKCS#12 does, and what it is for behind it. */
		if (suffix.size && d->password && *d->password)
			(void)!pbe_password(d->password, &password);
		else if (!suffix.size)
			buffer_text(&password, d->password ? d->password : "");
		buffer_slice(&password, suffix);
		e = buffer_status(&password);
		if (e == ERR_OK)
			e = pbe_kdf_derive(
				&p->kdf, buffer_bytes(&password), d->budget, key, p->key_bytes);
		buffer_wipe(&password);
		return e;
	}
	if (p->kind == PBE_JCE)
		return pbe_jce_derive(d, key, iv);
	if (p->kind == PBE_PBES1)
		return pbe_pbes1_derive(d, key, iv);
	e = pbe_pkcs12_derive(d, PBE_FOR_KEY, key, p->key_bytes);
	if (e == ERR_OK && iv_size)
		e = pbe_pkcs12_derive(d, PBE_FOR_IV, iv, iv_size);
	/* Two-key Triple DES is the three-key one with the first key again. */
	if (p->own == PBE_GNUTLS && p->cipher == GNUTLS_CIPHER_3DES_CBC && p->key_bytes == 16)
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

static enum err decrypt_gnutls(
	const struct pbe *p, uint8_t *key, uint8_t *iv, struct slice secret, uint8_t *to)
{
	gnutls_datum_t k = { .data = key, .size = (unsigned)gnutls_cipher_get_key_size(p->cipher) };
	gnutls_datum_t v = { .data = iv, .size = gnutls_cipher_get_iv_size(p->cipher) };
	gnutls_cipher_hd_t cipher;
	int n;

	if (gnutls_cipher_init(&cipher, p->cipher, &k, v.size ? &v : NULL) != 0)
		return ERR_UNSUPPORTED;
	n = gnutls_cipher_decrypt2(cipher, secret.data, secret.size, to, secret.size);
	gnutls_cipher_deinit(cipher);
	return n == 0 ? ERR_OK : ERR_PASSWORD;
}

static enum err decrypt_blocks(
	const struct pbe *p, uint8_t *key, uint8_t *iv, struct slice secret, struct buffer *out)
{
	size_t block = block_bytes(p);
	enum err e = ERR_OK;
	uint8_t *to;

	if (!secret.size || (block > 1 && secret.size % block))
		return ERR_MALFORMED;
	to = buffer_reserve(out, secret.size);
	if (!to)
		return buffer_status(out);
	if (p->own == PBE_RC2)
		cipher_rc2_cbc(slice_of(key, p->key_bytes), p->rc2_bits, iv, secret, to);
	else if (p->own == PBE_ARCFOUR)
		cipher_arcfour(slice_of(key, p->key_bytes), secret, to);
	else if (p->own == PBE_TWOFISH)
		cipher_twofish_cbc(key, iv, secret, to);
	else
		e = decrypt_gnutls(p, key, iv, secret, to);
	if (e != ERR_OK)
		return e;
	out->size += secret.size;
	return unpad(out, block);
}

static enum err decrypt(
	const struct pbe *p, uint8_t *key, uint8_t *iv, struct slice secret, struct buffer *out)
{
	if (p->own == PBE_AES_CCM)
		return cipher_aes256_ccm(key, p->iv, p->tag_bytes, secret, out);
	if (p->own == PBE_AES_KWP)
		return cipher_aes256_kwp(key, secret, out);
	return decrypt_blocks(p, key, iv, secret, out);
}

enum err pbe_decrypt_for(const struct pbe *p, const struct pbe_secret *s, struct buffer *out)
{
	struct pbe_derive d = { .hash = p->kind == PBE_PBES1 ? p->hash : GNUTLS_DIG_SHA1,
		.password = s->password,
		.salt = p->kdf.salt,
		.iterations = p->kdf.iterations,
		.budget = s->budget };
	uint8_t key[KEY_BYTES_MAX] = { 0 }, iv[IV_BYTES_MAX] = { 0 };
	enum err e = derive_key(p, &d, s->suffix, key, iv);

	if (e == ERR_OK)
		e = decrypt(p, key, iv, s->bytes, out);
	explicit_bzero(key, sizeof(key));
	explicit_bzero(iv, sizeof(iv));
	return e;
}

bool pbe_is_odd_scrypt(struct pbe_kdf *k)
{
	if (!k->is_scrypt || k->parallel == k->block)
		return false;
	k->parallel = k->block;
	return true;
}

enum err pbe_decrypt(const struct pbe *p, const char *password, struct pbe_budget *budget,
	struct slice secret, struct buffer *out)
{
	const struct pbe_secret s = { .password = password, .budget = budget, .bytes = secret };

	return pbe_decrypt_for(p, &s, out);
}

/* --- integrity -------------------------------------------------------------------------------- */

/* RFC 9579 3: PBMAC1-params ::= SEQUENCE { keyDerivationFunc, messageAuthScheme }. */
static enum err pbmac1_read(
	struct slice parameters, struct pbe_mac *out, char oid_text[ASN1_OID_TEXT_BYTES])
{
	struct asn1 item, oid;
	struct slice rest;
	enum err e;

	if (!asn1_expect(&parameters, ASN1_SEQUENCE, &item))
		return ERR_MALFORMED;
	e = pbe_kdf_read(&item.content, &out->kdf, oid_text);
	if (e != ERR_OK)
		return e;
	if (!pbe_take_algorithm(&item.content, &oid, &rest))
		return ERR_MALFORMED;
	out->kind = PBE_PBES2;
	out->mac = pbe_hmac(oid.content);
	if (out->mac == GNUTLS_MAC_UNKNOWN)
		return pbe_unknown(oid.content, oid_text);
	/* The key's length must be said, and 20 bytes are its least. */
	if (out->kdf.key_bytes < 20 || out->kdf.key_bytes > KEY_BYTES_MAX)
		return ERR_MALFORMED;
	return ERR_OK;
}

/* MacData ::= SEQUENCE { DigestInfo { algorithm, digest }, macSalt, iterations DEFAULT 1 } */
enum err pbe_mac_read(
	struct slice mac_data, struct pbe_mac *out, char oid_text[ASN1_OID_TEXT_BYTES])
{
	struct asn1 info, oid, item;
	struct slice parameters;

	*out = (struct pbe_mac){ .kind = PBE_PKCS12, .kdf.iterations = 1 };
	if (!asn1_expect(&mac_data, ASN1_SEQUENCE, &info) ||
		!pbe_take_algorithm(&info.content, &oid, &parameters) ||
		!asn1_expect(&info.content, ASN1_OCTETS, &item))
		return ERR_MALFORMED;
	out->digest = item.content;
	if (OID_IS(oid.content, OID_PBMAC1))
		return pbmac1_read(parameters, out, oid_text);
	out->mac = mac_of(digests, COUNT(digests), oid.content);
	if (out->mac == GNUTLS_MAC_UNKNOWN)
		return pbe_unknown(oid.content, oid_text);
	if (!asn1_expect(&mac_data, ASN1_OCTETS, &item))
		return ERR_MALFORMED;
	out->kdf.salt = item.content;
	if (asn1_expect(&mac_data, ASN1_INTEGER, &item) &&
		!asn1_unsigned(&item, &out->kdf.iterations))
		return ERR_MALFORMED;
	return ERR_OK;
}

enum err pbe_mac_verify(const struct pbe_mac *m, const char *password, struct pbe_budget *budget,
	struct slice content)
{
	/* GnuTLS numbers a hash and its HMAC alike. */
	struct pbe_derive d = { .hash = (gnutls_digest_algorithm_t)m->mac,
		.password = password,
		.salt = m->kdf.salt,
		.iterations = m->kdf.iterations,
		.budget = budget };
	size_t size = gnutls_hmac_get_len(m->mac);
	uint8_t key[KEY_BYTES_MAX], digest[HASH_BYTES_MAX];
	size_t key_bytes = m->kind == PBE_PBES2 ? (size_t)m->kdf.key_bytes : size;
	enum err e;

	if (m->kind == PBE_PBES2)
		e = pbe_kdf_derive(&m->kdf, slice_text(password), budget, key, key_bytes);
	else
		e = pbe_pkcs12_derive(&d, PBE_FOR_MAC, key, key_bytes);
	if (e == ERR_OK &&
		gnutls_hmac_fast(m->mac, key, key_bytes, content.data, content.size, digest) != 0)
		e = ERR_UNSUPPORTED;
	if (e == ERR_OK &&
		(m->digest.size != size || gnutls_memcmp(digest, m->digest.data, size) != 0))
		e = ERR_PASSWORD;
	explicit_bzero(key, sizeof(key));
	return e;
}
