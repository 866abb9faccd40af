/* Private keys on tokens, through GnuTLS. */
#include "agent/certificate/token_key.h"

#include "agent/base/clock.h"
#include "agent/base/wire.h"
#include "agent/certificate/token_internal.h"

#include <gnutls/abstract.h>
#include <gnutls/crypto.h>
#include <gnutls/pkcs11.h>
#include <gnutls/x509.h>
#include <stdlib.h>

struct token_key {
	gnutls_privkey_t key; /* owned */
	struct token_pin_given pin;
	unsigned bits;
	int algorithm;
};

static const gnutls_sign_algorithm_t schemes[] = { GNUTLS_SIGN_RSA_SHA256, GNUTLS_SIGN_RSA_SHA384,
	GNUTLS_SIGN_RSA_SHA512, GNUTLS_SIGN_RSA_PSS_SHA256, GNUTLS_SIGN_RSA_PSS_SHA384,
	GNUTLS_SIGN_RSA_PSS_SHA512, GNUTLS_SIGN_RSA_PSS_RSAE_SHA256,
	GNUTLS_SIGN_RSA_PSS_RSAE_SHA384, GNUTLS_SIGN_RSA_PSS_RSAE_SHA512, GNUTLS_SIGN_ECDSA_SHA256,
	GNUTLS_SIGN_ECDSA_SHA384, GNUTLS_SIGN_ECDSA_SHA512, GNUTLS_SIGN_ECDSA_SECP256R1_SHA256,
	GNUTLS_SIGN_ECDSA_SECP384R1_SHA384, GNUTLS_SIGN_ECDSA_SECP521R1_SHA512,
	GNUTLS_SIGN_EDDSA_ED25519, GNUTLS_SIGN_EDDSA_ED448 };

static bool is_whole(gnutls_sign_algorithm_t scheme)
{
	return scheme == GNUTLS_SIGN_EDDSA_ED25519 || scheme == GNUTLS_SIGN_EDDSA_ED448;
}

size_t token_key_digest_bytes(uint32_t scheme)
{
	for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++)
		if ((uint32_t)schemes[i] == scheme)
			return is_whole(schemes[i])
				       ? SIZE_MAX
				       : gnutls_hash_get_len((gnutls_digest_algorithm_t)
							 gnutls_sign_get_hash_algorithm(
								 schemes[i]));
	return 0;
}

static enum err fail(const struct token_key *k, int code, const char *what, struct why *why)
{
	if (code == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE)
		return why_fail(why, ERR_NOT_FOUND, "the token shows no such private key");
	if (k->pin.is_final_try)
		return why_fail(why, ERR_DENIED, "one more wrong PIN would lock it");
	return token_fail(why, code, what);
}

void token_key_free(struct token_key *k)
{
	if (!k)
		return;
	if (k->key)
		gnutls_privkey_deinit(k->key);
	gnutls_pkcs11_set_pin_function(NULL, NULL);
	free(k);
}

static int import(struct token_key *k, const char *uri)
{
	int code;

	k->key = NULL;
	code = gnutls_privkey_init(&k->key);
	if (code == 0)
		code = gnutls_privkey_import_url(k->key, uri, 0);
	if (code == 0)
		code = k->algorithm = gnutls_privkey_get_pk_algorithm(k->key, &k->bits);
	return code;
}

enum err token_key_open(const char *uri, const char *pin, struct token_key **out, struct why *why)
{
	struct token_key *k = calloc(1, sizeof(*k));
	enum err e;
	int code;

	if (!k)
		return ERR_MEMORY;
	k->pin.text = pin;
	gnutls_pkcs11_set_pin_function(token_on_pin, &k->pin);
	code = import(k, uri);
	for (unsigned tries = 1; code == GNUTLS_E_PKCS11_USER_ERROR && tries < TOKEN_TRIES_MAX;
		tries++) {
		clock_sleep_ms(TOKEN_PAUSE_MS);
		gnutls_privkey_deinit(k->key);
		k->pin.asked = 0;
		code = import(k, uri);
	}
	if (code >= 0) {
		*out = k;
		return ERR_OK;
	}
	e = fail(k, code, "its private key cannot be used", why);
	token_key_free(k);
	return e;
}

uint32_t token_key_algorithm(const struct token_key *k)
{
	return (uint32_t)k->algorithm;
}

uint32_t token_key_bits(const struct token_key *k)
{
	return k->bits;
}

enum err token_key_sign(struct token_key *k, uint32_t scheme, struct slice data, struct buffer *out,
	struct why *why)
{
	const gnutls_datum_t bytes = { .data = (unsigned char *)(uintptr_t)data.data,
		.size = (unsigned)data.size };
	gnutls_sign_algorithm_t by = (gnutls_sign_algorithm_t)scheme;
	gnutls_datum_t signature = { 0 };
	int code;

	/* Keys that want their PIN for each signature get it. */
	k->pin.asked = 0;
	code = is_whole(by) ? gnutls_privkey_sign_data2(k->key, by, 0, &bytes, &signature)
			    : gnutls_privkey_sign_hash2(k->key, by, 0, &bytes, &signature);

	if (code < 0)
		return fail(k, code, "it did not sign", why);
	buffer_append(out, signature.data, signature.size);
	gnutls_free(signature.data);
	return buffer_status(out);
}

static gnutls_sign_algorithm_t usual_scheme(const struct token_key *k)
{
	switch (k->algorithm) {
	case GNUTLS_PK_EDDSA_ED25519:
		return GNUTLS_SIGN_EDDSA_ED25519;
	case GNUTLS_PK_EDDSA_ED448:
		return GNUTLS_SIGN_EDDSA_ED448;
	default:
		return gnutls_pk_to_sign((gnutls_pk_algorithm_t)k->algorithm, GNUTLS_DIG_SHA256);
	}
}

static int sign_and_verify(
	struct token_key *k, gnutls_pubkey_t public_key, gnutls_sign_algorithm_t scheme)
{
	static const char text[] = "leafwatch: is this certificate this key's?";
	const gnutls_datum_t data = { .data = (unsigned char *)(uintptr_t)text,
		.size = sizeof(text) - 1 };
	gnutls_datum_t signature = { 0 };
	int code;

	k->pin.asked = 0;
	code = gnutls_privkey_sign_data2(k->key, scheme, 0, &data, &signature);
	if (code >= 0)
		code = gnutls_pubkey_verify_data2(public_key, scheme, 0, &data, &signature);
	gnutls_free(signature.data);
	return code;
}

static enum err check(
	struct token_key *k, gnutls_pubkey_t public_key, bool *has_pss, struct why *why)
{
	int code = GNUTLS_E_PK_SIGN_FAILED;

	if (gnutls_pubkey_get_pk_algorithm(public_key, NULL) != k->algorithm)
		return why_fail(why, ERR_MALFORMED, "the certificate is of another key");
	*has_pss = false;
	if (k->algorithm == GNUTLS_PK_RSA) {
		code = sign_and_verify(k, public_key, GNUTLS_SIGN_RSA_PSS_RSAE_SHA256);
		*has_pss = code >= 0;
	}
	if (code < 0 && code != GNUTLS_E_PK_SIG_VERIFY_FAILED)
		code = sign_and_verify(k, public_key, usual_scheme(k));
	if (code == GNUTLS_E_PK_SIG_VERIFY_FAILED)
		return why_fail(why, ERR_MALFORMED, "the certificate is of another key");
	return code >= 0 ? ERR_OK : fail(k, code, "it did not sign", why);
}

enum err token_key_check(
	struct token_key *k, struct slice certificate, bool *has_pss, struct why *why)
{
	const gnutls_datum_t bytes = { .data = (unsigned char *)(uintptr_t)certificate.data,
		.size = (unsigned)certificate.size };
	gnutls_pcert_st leaf;
	enum err e;
	int code = gnutls_pcert_import_x509_raw(&leaf, &bytes,
		memmem(bytes.data, bytes.size, "-----BEGIN ", 11) ? GNUTLS_X509_FMT_PEM
								  : GNUTLS_X509_FMT_DER,
		0);

	if (code < 0)
		return why_fail(why, ERR_MALFORMED, "its certificate cannot be read: %s",
			gnutls_strerror(code));
	e = check(k, leaf.pubkey, has_pss, why);
	gnutls_pcert_deinit(&leaf);
	return e;
}

static gnutls_x509_crt_t parse(struct slice der)
{
	const gnutls_datum_t bytes = { .data = (unsigned char *)(uintptr_t)der.data,
		.size = (unsigned)der.size };
	gnutls_x509_crt_t c = NULL;

	if (gnutls_x509_crt_init(&c) != 0)
		return NULL;
	if (gnutls_x509_crt_import(c, &bytes, GNUTLS_X509_FMT_DER) == 0)
		return c;
	gnutls_x509_crt_deinit(c);
	return NULL;
}

static bool is_issuer(gnutls_x509_crt_t of, const struct token_object *o)
{
	gnutls_x509_crt_t c = parse(slice_of(o->der, o->der_size));
	bool is_it = c && gnutls_x509_crt_check_issuer(of, c);

	if (c)
		gnutls_x509_crt_deinit(c);
	return is_it;
}

/* Empty where there is none, or none is needed. */
static struct slice issuer_of(const struct token_objects *all, struct slice der)
{
	gnutls_x509_crt_t c = parse(der);
	struct slice found = slice_of(NULL, 0);

	if (c && !gnutls_x509_crt_check_issuer(c, c))
		for (size_t i = 0; !found.size && i < all->count; i++)
			if (is_issuer(c, &all->items[i]))
				found = slice_of(all->items[i].der, all->items[i].der_size);
	if (c)
		gnutls_x509_crt_deinit(c);
	return found;
}

void token_chain(const struct token_objects *all, struct slice leaf, struct buffer *out)
{
	for (unsigned i = 0; leaf.size && i < TOKEN_CHAIN_MAX; i++) {
		wire_put_bytes(out, leaf);
		leaf = issuer_of(all, leaf);
	}
}
