/* Private keys that formats come upon. */
#include "scanners/formats/keys.h"

#include "scanners/formats/asn1.h"
#include "scanners/formats/pbe.h"

#include <stdlib.h>
#include <string.h>

/* Passwords tried before the candidates: none, and the empty one. They differ (RFC 7292 B.1). */
#define FIXED_PASSWORDS 2

static size_t password_count(const struct keys *k)
{
	return FIXED_PASSWORDS + (k->in->passwords ? k->in->passwords->count : 0);
}

static const char *password_at(const struct keys *k, size_t i)
{
	if (i < FIXED_PASSWORDS)
		return i ? "" : NULL;
	return k->in->passwords->items[i - FIXED_PASSWORDS];
}

/* Takes what `key` owns. */
static enum err tell(struct keys *k, struct key_record *key)
{
	struct record r = { .kind = RECORD_KEY, .key = *key };
	enum err e = ERR_OK;

	if (k->alias) {
		r.location.alias = strdup(k->alias);
		e = r.location.alias ? ERR_OK : ERR_MEMORY;
	}
	if (e == ERR_OK && k->sink->record)
		e = k->sink->record(k->sink->arg, &r);
	record_fini(&r);
	return e;
}

static bool is_full(struct keys *k, enum err *e)
{
	*e = ERR_OK;
	if (++k->count <= KEYS_MAX)
		return false;
	if (k->count == KEYS_MAX + 1)
		*e = k->sink->problem(k->sink->arg, REASON_LIMIT_REACHED, slice_of(NULL, 0),
			"it holds more private keys than are read");
	return true;
}

enum err keys_take_locked(struct keys *k)
{
	struct key_record key = { .is_encrypted = true };
	enum err e;

	return is_full(k, &e) ? e : tell(k, &key);
}

static enum err try_password(struct keys *k, const struct pbe *pbe, const char *password,
	struct slice secret, struct key_record *key)
{
	struct buffer plain;
	enum err e;

	buffer_init(&plain, PRIVATE_KEY_BYTES_MAX);
	e = pbe_decrypt(pbe, password, &k->budget, secret, &plain);
	if (e == ERR_OK)
		e = private_key_read(buffer_bytes(&plain), key);
	buffer_wipe(&plain);
	/* What does not look like a key was opened by the wrong one. */
	return e == ERR_MALFORMED ? ERR_PASSWORD : e;
}

/* EncryptedPrivateKeyInfo ::= SEQUENCE { AlgorithmIdentifier, OCTET STRING }. What cannot be opened leaves the
 * key locked. */
static enum err unlock(struct keys *k, struct slice der, struct key_record *key)
{
	char oid[ASN1_OID_TEXT_BYTES];
	struct asn1 outer, algorithm, octets;
	struct slice secret;
	struct buffer copy;
	struct pbe pbe;
	enum err e = ERR_PASSWORD;

	if (!asn1_expect(&der, ASN1_SEQUENCE, &outer) ||
		!asn1_expect(&outer.content, ASN1_SEQUENCE, &algorithm) ||
		!asn1_next(&outer.content, &octets))
		return ERR_NOT_FOUND;
	if (pbe_read(algorithm.content, &pbe, oid) != ERR_OK)
		return ERR_OK;
	buffer_init(&copy, PRIVATE_KEY_BYTES_MAX);
	if (!asn1_octets(&octets, &copy, &secret) || secret.size > PRIVATE_KEY_BYTES_MAX)
		e = ERR_NOT_FOUND;
	if (e == ERR_PASSWORD && k->likely)
		e = try_password(k, &pbe, k->likely, secret, key);
	for (size_t i = 0; e == ERR_PASSWORD && i < password_count(k); i++) {
		/* PBKDF2 takes the empty password and none for the same. */
		if (i == 0 && pbe.kind == PBE_PBES2)
			continue;
		e = try_password(k, &pbe, password_at(k, i), secret, key);
		/* Whoever knows where it lies knows the empty one. */
		if (e == ERR_OK && i < FIXED_PASSWORDS)
			key->is_encrypted = false;
	}
	buffer_fini(&copy);
	return e == ERR_MEMORY || e == ERR_NOT_FOUND ? e : ERR_OK;
}

enum err keys_take(struct keys *k, struct slice der, bool is_encrypted)
{
	struct key_record key = { .is_encrypted = is_encrypted };
	enum private_key_form form = private_key_form(der);
	enum err e = ERR_NOT_FOUND;

	if (form == PRIVATE_KEY_NONE)
		return e;
	if (is_full(k, &e))
		return e;
	if (form == PRIVATE_KEY_ENCRYPTED) {
		key.is_encrypted = true;
		e = unlock(k, der, &key);
	} else {
		e = private_key_read(der, &key);
	}
	if (e == ERR_OK)
		return tell(k, &key);
	free(key.algorithm);
	return e == ERR_MALFORMED ? ERR_NOT_FOUND : e;
}

enum err keys_take_openssl(struct keys *k, struct slice pem)
{
	struct key_record key = { .is_encrypted = true };
	enum err e;

	if (is_full(k, &e))
		return e;
	e = ERR_PASSWORD;
	for (size_t i = FIXED_PASSWORDS; e == ERR_PASSWORD && i < password_count(k); i++)
		e = private_key_read_openssl(pem, password_at(k, i), &key);
	if (e == ERR_OK || e == ERR_PASSWORD)
		return tell(k, &key);
	free(key.algorithm);
	return e == ERR_MALFORMED ? ERR_NOT_FOUND : e;
}
