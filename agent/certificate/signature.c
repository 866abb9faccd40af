/* Did this certificate's key sign that one? GnuTLS computes, a cache remembers. */
#include "agent/certificate/signature.h"

#include "agent/certificate/key.h"

#include <gnutls/abstract.h>
#include <gnutls/x509.h>
#include <stdlib.h>

#define WAYS 4
#define KEYS_MAX 16
/* As OpenSSL has it: beyond these a single verification may take seconds. */
#define RSA_BITS_MAX 16384
#define RSA_EXPONENT_BITS_MAX 64

/* Weakness is told beside the rest instead of hiding it. */
#define VERIFY_FLAGS (GNUTLS_VERIFY_ALLOW_BROKEN | GNUTLS_VERIFY_ALLOW_SIGN_WITH_SHA1)

struct pair {
	uint8_t key[FINGERPRINT_BYTES];
	bool is_used;
	enum signature outcome;
};

struct set {
	struct pair pairs[WAYS];
	unsigned next;
};

struct imported {
	uint8_t fingerprint[FINGERPRINT_BYTES];
	gnutls_pubkey_t key; /* owned, or NULL */
};

struct signature_cache {
	struct set *sets; /* owned */
	size_t sets_count;
	struct imported keys[KEYS_MAX];
	unsigned next_key;
};

struct signature_cache *signature_cache_new(size_t entries_max)
{
	struct signature_cache *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->sets_count = entries_max / WAYS ? entries_max / WAYS : 1;
	/* Untouched pages of a large calloc cost nothing. */
	c->sets = calloc(c->sets_count, sizeof(*c->sets));
	if (!c->sets) {
		free(c);
		return NULL;
	}
	return c;
}

void signature_cache_free(struct signature_cache *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < KEYS_MAX; i++)
		if (c->keys[i].key)
			gnutls_pubkey_deinit(c->keys[i].key);
	free(c->sets);
	free(c);
}

static gnutls_datum_t datum(struct slice s)
{
	return (gnutls_datum_t){ (unsigned char *)(uintptr_t)s.data, (unsigned)s.size };
}

/* --- keys ---------------------------------------------------------------------------------------- */

/* NULL where GnuTLS cannot work with it, or where working with it could take too long. */
static gnutls_pubkey_t import(struct slice spki)
{
	const gnutls_datum_t der = datum(spki);
	struct key_rsa rsa;
	gnutls_pubkey_t key = NULL;

	if (key_rsa_read(spki, &rsa) &&
		(rsa.modulus_bits > RSA_BITS_MAX || rsa.exponent_bits > RSA_EXPONENT_BITS_MAX))
		return NULL;
	if (gnutls_pubkey_init(&key) != 0)
		return NULL;
	if (gnutls_pubkey_import(key, &der, GNUTLS_X509_FMT_DER) == 0)
		return key;
	gnutls_pubkey_deinit(key);
	return NULL;
}

/* Owned by the cache. */
static gnutls_pubkey_t import_cached(struct signature_cache *c, const struct node *n)
{
	struct imported *slot = &c->keys[c->next_key];

	for (size_t i = 0; i < KEYS_MAX; i++)
		if (c->keys[i].key &&
			memcmp(c->keys[i].fingerprint, n->fingerprint, FINGERPRINT_BYTES) == 0)
			return c->keys[i].key;
	c->next_key = (c->next_key + 1) % KEYS_MAX;
	if (slot->key)
		gnutls_pubkey_deinit(slot->key);
	slot->key = import(n->at.spki);
	memcpy(slot->fingerprint, n->fingerprint, FINGERPRINT_BYTES);
	return slot->key;
}

/* --- verifying ----------------------------------------------------------------------------------- */

static enum signature verify(
	gnutls_pubkey_t key, struct slice identifier, struct slice tbs, struct slice signature)
{
	const gnutls_datum_t data = datum(tbs);
	const gnutls_datum_t bits = datum(signature);
	gnutls_sign_algorithm_t algorithm = key_signature_algorithm(identifier);
	int rc;

	if (algorithm == GNUTLS_SIGN_UNKNOWN || !key)
		return SIGNATURE_UNKNOWN;
	rc = gnutls_pubkey_verify_data2(key, algorithm, VERIFY_FLAGS, &data, &bits);
	if (rc >= 0)
		return SIGNATURE_GOOD;
	return rc == GNUTLS_E_UNSUPPORTED_SIGNATURE_ALGORITHM ||
			       rc == GNUTLS_E_UNKNOWN_HASH_ALGORITHM ||
			       rc == GNUTLS_E_UNKNOWN_PK_ALGORITHM || rc == GNUTLS_E_MEMORY_ERROR
		       ? SIGNATURE_UNKNOWN
		       : SIGNATURE_BAD;
}

enum signature signature_check_bytes(
	struct slice spki, struct slice identifier, struct slice tbs, struct slice signature)
{
	gnutls_pubkey_t key = import(spki);
	enum signature outcome = verify(key, identifier, tbs, signature);

	if (key)
		gnutls_pubkey_deinit(key);
	return outcome;
}

static gnutls_x509_crt_t handle_of(struct slice der)
{
	const gnutls_datum_t bytes = datum(der);
	gnutls_x509_crt_t crt = NULL;

	if (gnutls_x509_crt_init(&crt) != 0)
		return NULL;
	if (gnutls_x509_crt_import(crt, &bytes, GNUTLS_X509_FMT_DER) == 0)
		return crt;
	gnutls_x509_crt_deinit(crt);
	return NULL;
}

/* Parameters of RSASSA-PSS other than the usual ones reach GnuTLS by whole certificates only. */
static enum signature verify_certificates(const struct node *below, const struct node *above)
{
	gnutls_x509_crt_t child = handle_of(below->at.whole);
	gnutls_x509_crt_t issuer = handle_of(above->at.whole);
	unsigned status = GNUTLS_CERT_SIGNATURE_FAILURE;

	if (child && issuer)
		(void)gnutls_x509_crt_verify(child, &issuer, 1,
			VERIFY_FLAGS | GNUTLS_VERIFY_DISABLE_TIME_CHECKS |
				GNUTLS_VERIFY_DISABLE_CRL_CHECKS |
				GNUTLS_VERIFY_DISABLE_TRUSTED_TIME_CHECKS,
			&status);
	if (child)
		gnutls_x509_crt_deinit(child);
	if (issuer)
		gnutls_x509_crt_deinit(issuer);
	return status & (GNUTLS_CERT_SIGNATURE_FAILURE | GNUTLS_CERT_SIGNER_NOT_FOUND)
		       ? SIGNATURE_BAD
		       : SIGNATURE_GOOD;
}

static enum signature ask(
	struct signature_cache *cache, const struct node *below, const struct node *above)
{
	gnutls_pubkey_t key = cache ? import_cached(cache, above) : import(above->at.spki);
	enum signature outcome =
		verify(key, below->at.signature_algorithm, below->at.tbs, below->at.signature);

	if (outcome == SIGNATURE_BAD && key_signature_is_pss(below->at.signature_algorithm))
		outcome = verify_certificates(below, above);
	if (!cache && key)
		gnutls_pubkey_deinit(key);
	return outcome;
}

static struct set *set_of(const struct signature_cache *c, const uint8_t key[FINGERPRINT_BYTES])
{
	uint64_t number;

	memcpy(&number, key, sizeof(number));
	return &c->sets[number % c->sets_count];
}

enum signature signature_check(struct signature_cache *cache, const struct node *below,
	const struct node *above, unsigned *costs)
{
	uint8_t both[2 * FINGERPRINT_BYTES];
	uint8_t key[FINGERPRINT_BYTES];
	struct set *set;
	struct pair *pair;

	if (!cache) {
		++*costs;
		return ask(NULL, below, above);
	}
	memcpy(both, below->fingerprint, FINGERPRINT_BYTES);
	memcpy(both + FINGERPRINT_BYTES, above->fingerprint, FINGERPRINT_BYTES);
	fingerprint_of(slice_of(both, sizeof(both)), key);
	set = set_of(cache, key);
	for (size_t i = 0; i < WAYS; i++)
		if (set->pairs[i].is_used && memcmp(set->pairs[i].key, key, FINGERPRINT_BYTES) == 0)
			return set->pairs[i].outcome;
	++*costs;
	pair = &set->pairs[set->next];
	set->next = (set->next + 1) % WAYS;
	pair->is_used = true;
	memcpy(pair->key, key, FINGERPRINT_BYTES);
	pair->outcome = ask(cache, below, above);
	return pair->outcome;
}
