/* Public keys and signature algorithms by their names. */
#include "agent/certificate/key.h"

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <stdio.h>

enum key_kind { KEY_RSA, KEY_DSA, KEY_EC, KEY_FIXED };

/* RFC 3279, RFC 5480, RFC 8410, RFC 4055, FIPS 204 by RFC 9881. */
static const struct {
	const char *oid;
	const char *name;
	enum key_kind kind;
	uint32_t bits;
} keys[] = {
	{ "1.2.840.113549.1.1.1", "RSA", KEY_RSA, 0 },
	{ "1.2.840.10045.2.1", "ECDSA", KEY_EC, 0 },
	{ "1.3.101.112", "Ed25519", KEY_FIXED, 256 },
	{ "1.3.101.113", "Ed448", KEY_FIXED, 456 },
	{ "1.3.101.110", "X25519", KEY_FIXED, 256 },
	{ "1.3.101.111", "X448", KEY_FIXED, 448 },
	{ "1.2.840.113549.1.1.10", "RSA-PSS", KEY_RSA, 0 },
	{ "1.2.840.113549.1.1.7", "RSA-OAEP", KEY_RSA, 0 },
	{ "1.2.840.10040.4.1", "DSA", KEY_DSA, 0 },
	{ "1.2.840.10046.2.1", "DH", KEY_DSA, 0 },
	{ "2.16.840.1.101.3.4.3.17", "ML-DSA-44", KEY_FIXED, 0 },
	{ "2.16.840.1.101.3.4.3.18", "ML-DSA-65", KEY_FIXED, 0 },
	{ "2.16.840.1.101.3.4.3.19", "ML-DSA-87", KEY_FIXED, 0 },
};

/* RFC 5480 2.1.1.1, SEC 2, RFC 5639. */
static const struct {
	const char *oid;
	uint32_t bits;
} curves[] = {
	{ "1.2.840.10045.3.1.7", 256 },
	{ "1.3.132.0.34", 384 },
	{ "1.3.132.0.35", 521 },
	{ "1.3.132.0.33", 224 },
	{ "1.2.840.10045.3.1.1", 192 },
	{ "1.3.132.0.10", 256 },
	{ "1.3.132.0.32", 224 },
	{ "1.3.132.0.31", 192 },
	{ "1.3.132.0.9", 160 },
	{ "1.3.132.0.8", 160 },
	{ "1.3.132.0.30", 160 },
	{ "1.3.132.0.6", 112 },
	{ "1.3.132.0.28", 128 },
	{ "1.3.132.0.1", 163 },
	{ "1.3.132.0.15", 163 },
	{ "1.3.132.0.26", 233 },
	{ "1.3.132.0.27", 233 },
	{ "1.3.132.0.16", 283 },
	{ "1.3.132.0.17", 283 },
	{ "1.3.132.0.36", 409 },
	{ "1.3.132.0.37", 409 },
	{ "1.3.132.0.38", 571 },
	{ "1.3.132.0.39", 571 },
	{ "1.3.36.3.3.2.8.1.1.1", 160 },
	{ "1.3.36.3.3.2.8.1.1.3", 192 },
	{ "1.3.36.3.3.2.8.1.1.5", 224 },
	{ "1.3.36.3.3.2.8.1.1.7", 256 },
	{ "1.3.36.3.3.2.8.1.1.9", 320 },
	{ "1.3.36.3.3.2.8.1.1.11", 384 },
	{ "1.3.36.3.3.2.8.1.1.13", 512 },
};

/* Bits of a positive INTEGER. */
static uint32_t integer_bits(struct slice content)
{
	uint32_t bits = 0;

	while (content.size && !content.data[0])
		content = slice_after(content, 1);
	if (!content.size || content.size > UINT32_MAX / 8)
		return 0;
	for (unsigned top = content.data[0]; top; top >>= 1)
		bits++;
	return bits + 8 * (uint32_t)(content.size - 1);
}

/* The modulus of RSAPublicKey { modulus, publicExponent } in the BIT STRING. */
static uint32_t rsa_bits(struct slice key)
{
	struct der_item list;
	struct der_item modulus;
	struct slice left = slice_after(key, 1);

	if (!der_take(&left, DER_SEQUENCE, &list) ||
		!der_take(&list.content, DER_INTEGER, &modulus))
		return 0;
	return integer_bits(modulus.content);
}

static uint32_t dsa_bits(struct slice parameters)
{
	struct der_item list;
	struct der_item p;

	if (!der_take(&parameters, DER_SEQUENCE, &list) ||
		!der_take(&list.content, DER_INTEGER, &p))
		return 0;
	return integer_bits(p.content);
}

static uint32_t ec_bits(struct slice parameters)
{
	char dotted[DER_OID_TEXT_BYTES];
	struct der_item item;
	struct der_item field;
	struct der_item part;

	if (der_take(&parameters, DER_OID, &item)) {
		(void)der_oid_text(item.content, dotted);
		for (size_t i = 0; i < sizeof(curves) / sizeof(*curves); i++)
			if (strcmp(curves[i].oid, dotted) == 0)
				return curves[i].bits;
		return 0;
	}
	/* Explicit parameters (RFC 3279 2.3.5): version, then a field with its prime. */
	if (!der_take(&parameters, DER_SEQUENCE, &item) ||
		!der_take(&item.content, DER_INTEGER, &part) ||
		!der_take(&item.content, DER_SEQUENCE, &field) ||
		!der_take(&field.content, DER_OID, &part) ||
		!der_take(&field.content, DER_INTEGER, &part))
		return 0;
	return integer_bits(part.content);
}

/* The OID of an AlgorithmIdentifier's content; `left` then holds the parameters. */
static void identifier_text(struct slice *left, char text[KEY_NAME_BYTES])
{
	struct der_item type;

	if (!der_take(left, DER_OID, &type) || !der_oid_text(type.content, text))
		(void)snprintf(text, KEY_NAME_BYTES, "unknown");
}

void key_algorithm(struct slice identifier, char algorithm[KEY_NAME_BYTES], uint32_t *bits)
{
	*bits = 0;
	identifier_text(&identifier, algorithm);
	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
		if (strcmp(keys[i].oid, algorithm) != 0)
			continue;
		(void)snprintf(algorithm, KEY_NAME_BYTES, "%s", keys[i].name);
		*bits = keys[i].kind == KEY_EC ? ec_bits(identifier) : keys[i].bits;
		return;
	}
}

void key_read(struct slice spki, char algorithm[KEY_NAME_BYTES], uint32_t *bits)
{
	struct der_item list = { 0 };
	struct der_item identifier = { 0 };
	struct der_item key = { 0 };

	*bits = 0;
	if (der_take(&spki, DER_SEQUENCE, &list) &&
		der_take(&list.content, DER_SEQUENCE, &identifier))
		(void)der_take(&list.content, DER_BIT_STRING, &key);
	identifier_text(&identifier.content, algorithm);
	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
		if (strcmp(keys[i].oid, algorithm) != 0)
			continue;
		(void)snprintf(algorithm, KEY_NAME_BYTES, "%s", keys[i].name);
		*bits = keys[i].kind == KEY_RSA   ? rsa_bits(key.content)
			: keys[i].kind == KEY_DSA ? dsa_bits(identifier.content)
			: keys[i].kind == KEY_EC  ? ec_bits(identifier.content)
						  : keys[i].bits;
		return;
	}
}

/* RSASSA-PSS names its hash in its parameters, SHA-1 unless said (RFC 4055 3.1). */
static const char *pss_name(struct slice parameters)
{
	char dotted[DER_OID_TEXT_BYTES];
	struct der_item list;
	struct der_item tagged;
	struct der_item hash;

	if (!der_take(&parameters, DER_SEQUENCE, &list) ||
		!der_take(&list.content, DER_CONTEXT_CONSTRUCTED, &tagged) ||
		!der_take(&tagged.content, DER_SEQUENCE, &hash))
		return "RSA-PSS-SHA1";
	identifier_text(&hash.content, dotted);
	switch (gnutls_oid_to_digest(dotted)) {
	case GNUTLS_DIG_SHA256:
		return "RSA-PSS-SHA256";
	case GNUTLS_DIG_SHA384:
		return "RSA-PSS-SHA384";
	case GNUTLS_DIG_SHA512:
		return "RSA-PSS-SHA512";
	case GNUTLS_DIG_SHA1:
		return "RSA-PSS-SHA1";
	default:
		return "RSA-PSS";
	}
}

void key_signature(struct slice identifier, char name[KEY_NAME_BYTES])
{
	static const char edwards[] = "EdDSA-";
	const char *known = NULL;
	gnutls_sign_algorithm_t algorithm;

	identifier_text(&identifier, name);
	if (strcmp(name, "1.2.840.113549.1.1.10") == 0) {
		known = pss_name(identifier);
	} else {
		algorithm = gnutls_oid_to_sign(name);
		if (algorithm != GNUTLS_SIGN_UNKNOWN)
			known = gnutls_sign_get_name(algorithm);
	}
	/* What GnuTLS does not verify may still have a name: one OID is key and signature here. */
	for (size_t i = 0; !known && i < sizeof(keys) / sizeof(*keys); i++)
		if (keys[i].kind == KEY_FIXED && strcmp(keys[i].oid, name) == 0)
			known = keys[i].name;
	if (!known)
		return;
	if (strncmp(known, edwards, sizeof(edwards) - 1) == 0)
		known += sizeof(edwards) - 1;
	(void)snprintf(name, KEY_NAME_BYTES, "%s", known);
}

gnutls_sign_algorithm_t key_signature_algorithm(struct slice identifier)
{
	char name[KEY_NAME_BYTES];

	identifier_text(&identifier, name);
	if (strcmp(name, "1.2.840.113549.1.1.10") == 0)
		return gnutls_sign_get_id(pss_name(identifier));
	return gnutls_oid_to_sign(name);
}

bool key_signature_is_pss(struct slice identifier)
{
	char name[KEY_NAME_BYTES];

	identifier_text(&identifier, name);
	return strcmp(name, "1.2.840.113549.1.1.10") == 0;
}

/* --- what weakness is seen by -------------------------------------------------------------------- */

/* Both parts of a SubjectPublicKeyInfo. */
static bool spki_parts(struct slice spki, struct slice *identifier, struct slice *key)
{
	struct der_item list;
	struct der_item item;

	if (!der_take(&spki, DER_SEQUENCE, &list) || !der_take(&list.content, DER_SEQUENCE, &item))
		return false;
	*identifier = item.content;
	if (!der_take(&list.content, DER_BIT_STRING, &item))
		return false;
	*key = slice_after(item.content, 1);
	return true;
}

bool key_rsa_read(struct slice spki, struct key_rsa *out)
{
	char dotted[DER_OID_TEXT_BYTES];
	struct slice identifier;
	struct slice key;
	struct der_item list;
	struct der_item modulus;
	struct der_item exponent;

	if (!spki_parts(spki, &identifier, &key))
		return false;
	identifier_text(&identifier, dotted);
	if (strcmp(dotted, "1.2.840.113549.1.1.1") != 0 &&
		strcmp(dotted, "1.2.840.113549.1.1.10") != 0)
		return false;
	if (!der_take(&key, DER_SEQUENCE, &list) ||
		!der_take(&list.content, DER_INTEGER, &modulus) ||
		!der_take(&list.content, DER_INTEGER, &exponent))
		return false;
	*out = (struct key_rsa){ .modulus = modulus.content,
		.exponent = exponent.content,
		.modulus_bits = integer_bits(modulus.content),
		.exponent_bits = integer_bits(exponent.content) };
	return true;
}

/* Is `residue` a power of 65537 modulo the prime? */
static bool is_power(unsigned residue, unsigned prime)
{
	unsigned power = 1;

	do {
		if (power == residue)
			return true;
		power = power * (65537 % prime) % prime;
	} while (power != 1);
	return false;
}

bool key_is_roca(struct slice modulus)
{
	/* Nemec et al., "The Return of Coppersmith's Attack", 2.1: primes are k * M + (65537^a mod M). */
	static const uint8_t primes[] = { 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53,
		59, 61, 67, 71, 73, 79, 83, 89, 97, 101, 103, 107, 109, 113, 127, 131, 137, 139,
		149, 151, 157, 163, 167 };

	for (size_t i = 0; i < sizeof(primes); i++) {
		unsigned residue = 0;

		for (size_t j = 0; j < modulus.size; j++)
			residue = (residue << 8 | modulus.data[j]) % primes[i];
		if (!is_power(residue, primes[i]))
			return false;
	}
	return modulus.size;
}

enum key_curve key_curve_read(struct slice spki)
{
	/* Those that GnuTLS and browsers know. */
	static const char *const usual[] = { "1.2.840.10045.3.1.7", "1.3.132.0.34", "1.3.132.0.35",
		"1.3.132.0.33" };
	char dotted[DER_OID_TEXT_BYTES];
	struct slice identifier;
	struct slice key;
	struct der_item curve;

	if (!spki_parts(spki, &identifier, &key))
		return CURVE_NONE;
	identifier_text(&identifier, dotted);
	if (strcmp(dotted, "1.2.840.10045.2.1") != 0)
		return CURVE_NONE;
	if (!der_take(&identifier, DER_OID, &curve))
		return CURVE_SPELT_OUT;
	(void)der_oid_text(curve.content, dotted);
	for (size_t i = 0; i < sizeof(usual) / sizeof(*usual); i++)
		if (strcmp(usual[i], dotted) == 0)
			return CURVE_USUAL;
	return CURVE_ODD;
}
