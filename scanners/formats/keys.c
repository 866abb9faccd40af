/* Private keys that formats come upon. */
#include "scanners/formats/keys.h"

#include "scanners/formats/asn1.h"

#include <stdio.h>
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
	size_t max = (size_t)format_limits_of(k->in)->keys;

	*e = ERR_OK;
	if (++k->count <= max)
		return false;
	if (k->count == max + 1)
		*e = format_limited(k->sink, "it holds more private keys than are read", "keys");
	return true;
}

enum err keys_take_locked(struct keys *k)
{
	struct key_record key = { .is_encrypted = true };
	enum err e;

	return is_full(k, &e) ? e : tell(k, &key);
}

static bool strip_nothing(struct slice plain, struct slice *der)
{
	*der = plain;
	return true;
}

/* The tag of a cipher, or what comes out, says whether it was the right one. */
static enum err try_way(
	struct keys *k, const struct keys_seal *seal, const char *password, struct key_record *key)
{
	const struct pbe_secret secret = { .password = password,
		.suffix = k->suffix,
		.budget = &k->budget,
		.bytes = seal->secret };
	struct buffer plain;
	struct slice der;
	enum err e;

	buffer_init(&plain, PRIVATE_KEY_BYTES_MAX);
	e = pbe_decrypt_for(seal->pbe, &secret, &plain);
	if (e == ERR_OK && !seal->strip(buffer_bytes(&plain), &der))
		e = ERR_NOT_FOUND;
	if (e == ERR_OK)
		e = private_key_read(der, key);
	buffer_wipe(&plain);
	/* What does not look like a key was opened by the wrong one. */
	return e == ERR_MALFORMED ? ERR_PASSWORD : e;
}

/* Once: it holds for all keys of the file. */
static enum err tell_limit(struct keys *k)
{
	const struct format_budget *b = k->in->budget;

	if (k->is_limited)
		return ERR_OK;
	k->is_limited = true;
	return format_limited(k->sink,
		"a private key asks for more key derivation than is allowed: not every password was tried",
		b && b->locked_by ? b->locked_by : "kdf_iterations_total");
}

static enum err try_password(
	struct keys *k, const struct keys_seal *seal, const char *password, struct key_record *key)
{
	struct pbe theirs = *seal->pbe;
	struct keys_seal odd = *seal;
	enum err e = try_way(k, seal, password, key);

	if (e != ERR_PASSWORD || !k->suffix.size || !pbe_is_odd_scrypt(&theirs.kdf))
		return e;
	odd.pbe = &theirs;
	return try_way(k, &odd, password, key);
}

/* ERR_OK also where none fits, and the key stays locked. */
static enum err try_passwords(struct keys *k, const struct keys_seal *seal, struct key_record *key)
{
	enum err e = ERR_PASSWORD;

	if (k->likely)
		e = try_password(k, seal, k->likely, key);
	for (size_t i = 0; e == ERR_PASSWORD && i < password_count(k); i++) {
		/* PKCS#12 alone tells the empty password from none. */
		if (i == 0 && seal->pbe->kind != PBE_PKCS12)
			continue;
		e = try_password(k, seal, password_at(k, i), key);
		/* Whoever knows where it lies knows the empty one. */
		if (e == ERR_OK && i < FIXED_PASSWORDS)
			key->is_encrypted = false;
	}
	if (e == ERR_LIMIT)
		return tell_limit(k);
	return e == ERR_MEMORY || e == ERR_NOT_FOUND ? e : ERR_OK;
}

enum err keys_take_sealed(struct keys *k, const struct keys_seal *seal)
{
	struct key_record key = { .is_encrypted = true };
	enum err e;

	if (is_full(k, &e))
		return e;
	e = seal->secret.size <= PRIVATE_KEY_BYTES_MAX ? try_passwords(k, seal, &key) : ERR_OK;
	if (e == ERR_OK && (key.is_known || key.algorithm || seal->is_surely_key))
		return tell(k, &key);
	free(key.algorithm);
	return e;
}

enum err keys_take_public(struct keys *k, const struct public_key *half, bool is_encrypted)
{
	struct key_record key = { .is_encrypted = is_encrypted };
	enum err e;

	if (is_full(k, &e))
		return e;
	e = public_key_read(half, &key);
	if (e == ERR_OK)
		return tell(k, &key);
	free(key.algorithm);
	return e == ERR_MALFORMED ? ERR_NOT_FOUND : e;
}

/* EncryptedPrivateKeyInfo ::= SEQUENCE { AlgorithmIdentifier, OCTET STRING }. What cannot be opened leaves the
 * key locked. */
static enum err unlock(struct keys *k, struct slice der, struct key_record *key)
{
	char oid[ASN1_OID_TEXT_BYTES];
	struct asn1 outer, algorithm, octets;
	struct keys_seal seal = { .strip = strip_nothing };
	struct buffer copy;
	struct pbe pbe;
	enum err e = ERR_NOT_FOUND;

	if (!asn1_expect(&der, ASN1_SEQUENCE, &outer) ||
		!asn1_expect(&outer.content, ASN1_SEQUENCE, &algorithm) ||
		!asn1_next(&outer.content, &octets))
		return ERR_NOT_FOUND;
	if (pbe_read(algorithm.content, &pbe, oid) != ERR_OK) {
		(void)snprintf(k->unsupported, sizeof(k->unsupported), "%s", oid);
		return ERR_OK;
	}
	seal.pbe = &pbe;
	buffer_init(&copy, PRIVATE_KEY_BYTES_MAX);
	if (asn1_octets(&octets, &copy, &seal.secret) && seal.secret.size <= PRIVATE_KEY_BYTES_MAX)
		e = try_passwords(k, &seal, key);
	buffer_fini(&copy);
	return e;
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
		if (e == ERR_OK && !key.is_known && !key.algorithm)
			k->has_locked = true;
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
