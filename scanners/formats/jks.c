/* Java keystores: JKS and JCEKS. The certificates in them are not encrypted; only keys are, which are opened with
 * the passwords given. Layout: sun.security.provider.JavaKeyStore, com.sun.crypto.provider.JceKeyStore. */
#include "scanners/formats/asn1.h"
#include "scanners/formats/keys.h"
#include "scanners/formats/oid.h"
#include "scanners/formats/unicode.h"

#include <gnutls/crypto.h>
#include <stdio.h>

#define MAGIC_JKS 0xfeedfeedU
#define MAGIC_JCEKS 0xcecececeU
#define HEAD_BYTES 12
#define DIGEST_BYTES 20
/* Java mixes this into the digest of password and content. */
#define WHITENER "Mighty Aphrodite"
#define ALIAS_BYTES_MAX (4 * UINT16_MAX)
#define PASSWORD_BYTES_MAX 4096
/* Start of a Java object stream: magic 0xaced, version 5. */
#define STREAM_MAGIC 0xaced0005U
/* 9999-12-31 in milliseconds: no entry was made later. */
#define TIMESTAMP_MS_MAX 253402300799999ULL

/* sun.security.provider.KeyProtector: 1.3.6.1.4.1.42.2.17.1.1. */
#define OID_JAVA_PROTECTOR "\x2b\x06\x01\x04\x01\x2a\x02\x11\x01\x01"

enum { TAG_KEY = 1, TAG_TRUSTED = 2, TAG_SECRET = 3 };

struct reader {
	struct slice left;
	bool is_short;
};

struct store {
	const struct format_sink *sink;
	struct keys keys;
	uint32_t version;
	const char *integrity;
	struct buffer alias;
	enum err status;
};

static uint64_t get(struct reader *r, size_t size)
{
	uint64_t value = 0;

	if (r->left.size < size) {
		r->is_short = true;
		r->left.size = 0;
		return 0;
	}
	for (size_t i = 0; i < size; i++)
		value = value << 8 | r->left.data[i];
	r->left = slice_after(r->left, size);
	return value;
}

static struct slice get_bytes(struct reader *r, size_t length_size)
{
	uint64_t size = get(r, length_size);
	struct slice out = r->left;

	if (r->is_short || size > r->left.size) {
		r->is_short = true;
		return slice_of(NULL, 0);
	}
	out.size = (size_t)size;
	r->left = slice_after(r->left, out.size);
	return out;
}

static enum format_answer broken(
	const struct format_sink *sink, struct slice bytes, const char *message)
{
	(void)sink->problem(sink->arg, REASON_MALFORMED, bytes, message);
	return FORMAT_BROKEN;
}

/* One certificate: its type (version 2 on), its length, its bytes. False = the bytes end here. */
static bool take_certificate(struct store *s, struct reader *r)
{
	struct slice type = slice_text("X.509"), der;
	struct reader at;
	char message[96];

	if (s->version > 1)
		type = get_bytes(r, 2);
	at = *r;
	der = get_bytes(r, 4);
	if (r->is_short) {
		(void)get(&at, 4);
		(void)broken(s->sink, at.is_short ? slice_of(NULL, 0) : at.left,
			"the keystore ends inside a certificate");
		return false;
	}
	if (type.size >= 4 && memcmp(type.data, "X.50", 4) == 0) {
		s->status = s->sink->certificate(
			s->sink->arg, der, buffer_string(&s->alias), s->integrity);
		return s->status == ERR_OK;
	}
	(void)snprintf(message, sizeof(message), "an entry holds a certificate of type %.*s",
		type.size > 32 ? 32 : (int)type.size, (const char *)type.data);
	s->status = s->sink->problem(s->sink->arg, REASON_UNSUPPORTED, slice_of(NULL, 0), message);
	return s->status == ERR_OK;
}

static void take_alias(struct store *s, struct reader *r)
{
	buffer_clear(&s->alias);
	unicode_from_java(get_bytes(r, 2), &s->alias);
	(void)get(r, 8);
}

/* SHA-1 of the password as Java has it and other bytes. */
static bool digest_of(
	struct slice password, const uint8_t *bytes, size_t size, uint8_t out[DIGEST_BYTES])
{
	gnutls_hash_hd_t hash;

	if (gnutls_hash_init(&hash, GNUTLS_DIG_SHA1) != 0)
		return false;
	(void)gnutls_hash(hash, password.data, password.size);
	(void)gnutls_hash(hash, bytes, size);
	gnutls_hash_deinit(hash, out);
	return true;
}

/* Salt, the key under a stream of digests, and a digest of it in the clear. */
static bool unprotect(struct slice sealed, struct slice password, struct buffer *out)
{
	uint8_t digest[DIGEST_BYTES];
	struct slice text = slice_after(sealed, DIGEST_BYTES);
	uint8_t *to;

	if (sealed.size < (size_t)2 * DIGEST_BYTES || text.size < DIGEST_BYTES)
		return false;
	text.size -= DIGEST_BYTES;
	to = buffer_reserve(out, text.size);
	memcpy(digest, sealed.data, DIGEST_BYTES);
	for (size_t i = 0; to && i < text.size; i++) {
		if (i % DIGEST_BYTES == 0 && !digest_of(password, digest, DIGEST_BYTES, digest))
			return false;
		to[i] = text.data[i] ^ digest[i % DIGEST_BYTES];
	}
	if (!to || !digest_of(password, to, text.size, digest))
		return false;
	out->size = text.size;
	return memcmp(digest, text.data + text.size, DIGEST_BYTES) == 0;
}

/* ERR_PASSWORD: not by this one. */
static enum err try_key(struct store *s, struct slice sealed, const char *password)
{
	struct buffer wide, plain;
	enum err e = ERR_PASSWORD;

	buffer_init(&wide, PASSWORD_BYTES_MAX);
	buffer_init(&plain, PRIVATE_KEY_BYTES_MAX);
	unicode_to_utf16be(password, &wide);
	if (buffer_status(&wide) == ERR_OK && unprotect(sealed, buffer_bytes(&wide), &plain))
		e = keys_take(&s->keys, buffer_bytes(&plain), true);
	buffer_wipe(&plain);
	buffer_wipe(&wide);
	return e;
}

/* EncryptedPrivateKeyInfo with an algorithm of Java's own: that of JKS is no cipher of a kind. */
static enum err open_key(struct store *s, struct slice der)
{
	const struct strings *passwords = s->keys.in->passwords;
	const struct slice whole = der;
	struct asn1 outer, algorithm, oid, octets;
	enum err e = ERR_PASSWORD;

	if (!asn1_expect(&der, ASN1_SEQUENCE, &outer) ||
		!asn1_expect(&outer.content, ASN1_SEQUENCE, &algorithm) ||
		!asn1_expect(&algorithm.content, ASN1_OID, &oid) ||
		!asn1_expect(&outer.content, ASN1_OCTETS, &octets))
		return ERR_OK;
	if (!OID_IS(oid.content, OID_JAVA_PROTECTOR)) {
		e = keys_take(&s->keys, whole, true);
		return e == ERR_NOT_FOUND ? keys_take_locked(&s->keys) : e;
	}
	if (octets.content.size < 2 * (size_t)DIGEST_BYTES ||
		octets.content.size > PRIVATE_KEY_BYTES_MAX)
		return keys_take_locked(&s->keys);
	for (size_t i = 0; e == ERR_PASSWORD && passwords && i < passwords->count; i++)
		e = try_key(s, octets.content, passwords->items[i]);
	return e == ERR_PASSWORD || e == ERR_NOT_FOUND ? keys_take_locked(&s->keys) : e;
}

static bool take_chain(struct store *s, struct reader *r)
{
	struct slice sealed = get_bytes(r, 4);
	uint64_t count;

	s->keys.alias = buffer_string(&s->alias);
	if (!r->is_short)
		s->status = open_key(s, sealed);
	if (s->status != ERR_OK)
		return false;
	count = get(r, 4);
	for (uint64_t i = 0; !r->is_short && i < count; i++)
		if (!take_certificate(s, r))
			return false;
	if (r->is_short)
		(void)broken(s->sink, slice_of(NULL, 0), "the keystore ends inside a key entry");
	return !r->is_short;
}

/* Does an entry start here? A sealed secret key does not say how long it is, so the next entry is found
 * by its head: tag, an alias without control characters, a time of this era, the head of its content. */
static bool is_entry(struct reader r, uint32_t version)
{
	uint64_t tag = get(&r, 4);
	struct slice alias = get_bytes(&r, 2);
	uint64_t time = get(&r, 8);
	struct asn1 item;

	if (r.is_short || tag < TAG_KEY || tag > TAG_SECRET || time > TIMESTAMP_MS_MAX)
		return false;
	for (size_t i = 0; i < alias.size; i++)
		if (alias.data[i] < 0x20)
			return false;
	if (tag == TAG_SECRET)
		return get(&r, 4) == STREAM_MAGIC;
	if (tag == TAG_TRUSTED && version > 1 && get_bytes(&r, 2).size != 5)
		return false;
	r.left = get_bytes(&r, 4);
	return !r.is_short && asn1_expect(&r.left, ASN1_SEQUENCE, &item) && !r.left.size;
}

static bool skip_secret(struct store *s, struct reader *r, uint64_t entries_left)
{
	bool is_stream = get(r, 4) == STREAM_MAGIC && !r->is_short;

	if (entries_left) {
		while (r->left.size && !is_entry(*r, s->version))
			r->left = slice_after(r->left, 1);
	} else if (is_stream) {
		r->left = slice_of(NULL, 0);
	}
	if (is_stream && (!entries_left || r->left.size))
		return true;
	(void)broken(s->sink, slice_of(NULL, 0),
		is_stream ? "what follows a secret key could not be found"
			  : "a secret key entry is damaged");
	return r->left.size != 0 && entries_left;
}

static enum format_answer take_entries(struct store *s, struct slice body, uint64_t count)
{
	struct reader r = { .left = body };

	for (uint64_t i = 0; i < count; i++) {
		uint64_t tag = get(&r, 4);
		bool go_on = false;

		if (tag >= TAG_KEY && tag <= TAG_SECRET)
			take_alias(s, &r);
		if (r.is_short)
			return broken(s->sink, slice_of(NULL, 0),
				"the keystore ends before its last entry");
		if (tag == TAG_KEY)
			go_on = take_chain(s, &r);
		else if (tag == TAG_TRUSTED)
			go_on = take_certificate(s, &r);
		else if (tag == TAG_SECRET)
			go_on = skip_secret(s, &r, count - i - 1);
		else
			return broken(s->sink, slice_of(NULL, 0),
				"the keystore has an entry of unknown kind");
		if (!go_on)
			return FORMAT_BROKEN;
	}
	if (r.left.size)
		return broken(s->sink, slice_of(NULL, 0), "bytes follow the keystore's last entry");
	return FORMAT_MINE;
}

static bool is_digest(struct slice bytes, const char *password)
{
	uint8_t digest[DIGEST_BYTES];
	gnutls_hash_hd_t hash;
	struct buffer wide;
	bool matches = false;

	buffer_init(&wide, PASSWORD_BYTES_MAX);
	unicode_to_utf16be(password, &wide);
	if (buffer_status(&wide) == ERR_OK && gnutls_hash_init(&hash, GNUTLS_DIG_SHA1) == 0) {
		(void)gnutls_hash(hash, wide.data, wide.size);
		(void)gnutls_hash(hash, WHITENER, strlen(WHITENER));
		(void)gnutls_hash(hash, bytes.data, bytes.size - DIGEST_BYTES);
		gnutls_hash_deinit(hash, digest);
		matches = memcmp(digest, bytes.data + bytes.size - DIGEST_BYTES, DIGEST_BYTES) == 0;
	}
	buffer_wipe(&wide);
	return matches;
}

/* Its certificates lie open whatever comes out. */
static const char *integrity_of(const struct format_input *in, const struct format_sink *sink)
{
	struct pbe_budget budget = pbe_budget_of(in);

	for (size_t i = 0; in->passwords && i < in->passwords->count; i++) {
		if (pbe_budget_hash(&budget, in->bytes.size) != ERR_OK) {
			(void)!format_limited(sink,
				"it is large for so many passwords: not every one was tried on its integrity",
				in->budget && in->budget->locked_by ? in->budget->locked_by
								    : "kdf_iterations_total");
			break;
		}
		if (is_digest(in->bytes, in->passwords->items[i]))
			return NULL;
	}
	return "unverified";
}

static uint64_t magic_of(struct slice bytes)
{
	return get(&(struct reader){ .left = bytes }, 4);
}

static enum format_answer store_parse(const struct format_input *in, const struct format_sink *sink)
{
	struct store s = { .sink = sink,
		.keys = { .in = in, .sink = sink, .budget = pbe_budget_of(in) } };
	struct slice body = slice_after(in->bytes, HEAD_BYTES);
	struct reader head = { .left = slice_after(in->bytes, 4) };
	enum format_answer answer;
	uint64_t count;
	char message[96];

	s.version = (uint32_t)get(&head, 4);
	count = get(&head, 4);
	if (head.is_short)
		return broken(sink, slice_of(NULL, 0), "the keystore ends in its head");
	if (s.version != 1 && s.version != 2) {
		(void)snprintf(message, sizeof(message), "keystore version %u", s.version);
		(void)sink->problem(sink->arg, REASON_UNSUPPORTED, slice_of(NULL, 0), message);
		return FORMAT_BROKEN;
	}
	s.integrity = "unverified";
	if (body.size >= DIGEST_BYTES) {
		s.integrity = integrity_of(in, sink);
		body.size -= DIGEST_BYTES;
	}
	buffer_init(&s.alias, ALIAS_BYTES_MAX);
	answer = take_entries(&s, body, count);
	buffer_fini(&s.alias);
	return answer;
}

static bool jks_sniff(struct slice head, struct file_size_hint size)
{
	(void)size;
	return head.size >= 8 && magic_of(head) == MAGIC_JKS;
}

static bool jceks_sniff(struct slice head, struct file_size_hint size)
{
	(void)size;
	return head.size >= 8 && magic_of(head) == MAGIC_JCEKS;
}

static enum format_answer jks_parse(const struct format_input *in, const struct format_sink *sink)
{
	return magic_of(in->bytes) == MAGIC_JKS ? store_parse(in, sink) : FORMAT_NOT_MINE;
}

static enum format_answer jceks_parse(const struct format_input *in, const struct format_sink *sink)
{
	return magic_of(in->bytes) == MAGIC_JCEKS ? store_parse(in, sink) : FORMAT_NOT_MINE;
}

extern const struct format format_jks, format_jceks;
const struct format format_jks = {
	.name = "jks",
	.help = "Java keystore",
	.password = "integrity, keys",
	.sniff = jks_sniff,
	.parse = jks_parse,
};
const struct format format_jceks = {
	.name = "jceks",
	.help = "Java keystore of the JCE provider",
	.password = "integrity, keys",
	.sniff = jceks_sniff,
	.parse = jceks_parse,
};
