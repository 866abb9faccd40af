/* Bouncy Castle's keystores BKS and UBER (BcKeyStoreSpi): a head of version, salt and iterations, then
 * entries. In BKS they lie open behind a MAC; in UBER all of them are encrypted. */
#include "scanners/formats/cipher.h"
#include "scanners/formats/keys.h"
#include "scanners/formats/unicode.h"

#include <stdio.h>

#define VERSION_MAX 2
#define SALT_BYTES_MIN 8
#define SALT_BYTES_MAX 128
/* What UBER writes: BcKeyStoreSpi takes 20 bytes of salt and 1024 to 2047 iterations. */
#define UBER_SALT_BYTES 20
#define UBER_ITERATIONS_MIN 1024
#define UBER_ITERATIONS_MAX 2047
#define MAC_BYTES 20
/* Versions 0 and 1 took a length in bits for one in bytes. */
#define MAC_KEY_BYTES_OLD 2
#define ALIAS_BYTES_MAX (4 * UINT16_MAX)
#define CHAIN_MAX 10000
/* 9999-12-31 in milliseconds: no entry was made later. */
#define TIMESTAMP_MS_MAX 253402300799999ULL
/* The empty password is no password here: both are no byte at all. */
#define NO_PASSWORD ""

/* What a sealed key is encrypted with: Triple DES with three keys. */
#define SEAL_KEY_BYTES 24
/* BcKeyStoreSpi.KEY_PRIVATE; public and secret ones follow. */
#define KEY_PRIVATE 0

enum { END, ENTRY_CERTIFICATE, ENTRY_KEY, ENTRY_SECRET, ENTRY_SEALED };

struct reader {
	struct slice left;
	bool is_short;
};

struct head {
	uint32_t version;
	struct slice salt;
	uint32_t iterations;
	struct slice body;
};

struct store {
	const struct format_sink *sink;
	struct keys keys;
	bool is_opened; /* all of it was encrypted */
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

static bool read_head(struct slice bytes, struct head *out)
{
	struct reader r = { .left = bytes };

	out->version = (uint32_t)get(&r, 4);
	out->salt = get_bytes(&r, 4);
	out->iterations = (uint32_t)get(&r, 4);
	out->body = r.left;
	return !r.is_short && out->version <= VERSION_MAX && out->salt.size >= SALT_BYTES_MIN &&
	       out->salt.size <= SALT_BYTES_MAX && out->iterations &&
	       out->iterations <= FORMAT_KDF_ITERATIONS_CEILING;
}

/* Does an entry begin here, or do the entries end? Kind, an alias without control characters, a time of
 * this era, a chain of some length. */
static bool begins_entry(struct slice body, size_t all)
{
	struct reader r = { .left = body };
	uint64_t kind = get(&r, 1);
	struct slice alias;

	if (r.is_short || kind > ENTRY_SEALED)
		return false;
	if (kind == END)
		return all == 1 + MAC_BYTES;
	alias = get_bytes(&r, 2);
	for (size_t i = 0; i < alias.size; i++)
		if (alias.data[i] < 0x20)
			return false;
	return get(&r, 8) <= TIMESTAMP_MS_MAX && get(&r, 4) <= CHAIN_MAX && !r.is_short;
}

static bool bks_sniff(struct slice head, struct file_size_hint size)
{
	struct head h;
	size_t all;

	if (!read_head(head, &h))
		return false;
	all = size.is_known ? (size_t)(size.size - (uint64_t)(h.body.data - head.data))
			    : h.body.size;
	return begins_entry(h.body, all);
}

static bool uber_sniff(struct slice head, struct file_size_hint size)
{
	struct head h;

	if (!read_head(head, &h) || h.salt.size != UBER_SALT_BYTES ||
		h.iterations < UBER_ITERATIONS_MIN || h.iterations > UBER_ITERATIONS_MAX ||
		!h.body.size)
		return false;
	return !size.is_known ||
	       (size.size - (uint64_t)(h.body.data - head.data)) % CIPHER_TWOFISH_BLOCK_BYTES == 0;
}

/* --- entries ---------------------------------------------------------------------------------- */

static bool broken(struct store *s, struct slice bytes, const char *message)
{
	enum err e = s->sink->problem(s->sink->arg, REASON_MALFORMED, bytes, message);

	if (s->status == ERR_OK)
		s->status = e;
	return false;
}

static bool take_certificate(struct store *s, struct reader *r)
{
	struct slice type = get_bytes(r, 2), der;
	struct reader at = *r;
	char message[96];

	der = get_bytes(r, 4);
	if (r->is_short) {
		(void)get(&at, 4);
		return broken(s, at.is_short ? slice_of(NULL, 0) : at.left,
			"the keystore ends inside a certificate");
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

/* BcKeyStoreSpi.encodeKey: the kind, names of format and algorithm, the key's bytes. */
static bool strip_key(struct slice plain, struct slice *der)
{
	struct reader r = { .left = plain };
	bool is_private = get(&r, 1) == KEY_PRIVATE;

	(void)get_bytes(&r, 2);
	(void)get_bytes(&r, 2);
	*der = get_bytes(&r, 4);
	return !r.is_short && is_private;
}

/* BcKeyStoreSpi.seal: salt and iterations of PBEWithSHAAnd3-KeyTripleDES-CBC, then what encodeKey wrote. */
static enum err open_sealed(struct store *s, struct slice sealed, bool is_surely_key)
{
	struct reader r = { .left = sealed };
	struct pbe pbe = { .kind = PBE_PKCS12,
		.own = PBE_GNUTLS,
		.cipher = GNUTLS_CIPHER_3DES_CBC,
		.key_bytes = SEAL_KEY_BYTES };
	struct keys_seal seal = { .pbe = &pbe, .strip = strip_key, .is_surely_key = is_surely_key };

	pbe.kdf.salt = get_bytes(&r, 4);
	pbe.kdf.iterations = get(&r, 4);
	seal.secret = r.left;
	if (r.is_short)
		return is_surely_key ? keys_take_locked(&s->keys) : ERR_OK;
	return keys_take_sealed(&s->keys, &seal);
}

/* A secret key has no certificate, and a private one mostly has. */
static bool take_key(struct store *s, struct reader *r, uint64_t kind, bool has_chain)
{
	const struct slice from = r->left;
	struct slice der = { 0 };
	enum err e = ERR_OK;

	if (kind == ENTRY_KEY) {
		(void)get(r, 1);
		(void)get_bytes(r, 2);
		(void)get_bytes(r, 2);
	}
	der = get_bytes(r, 4);
	if (r->is_short)
		return broken(s, slice_of(NULL, 0), "the keystore ends inside a key entry");
	s->keys.alias = buffer_string(&s->alias);
	if (kind == ENTRY_SEALED)
		e = open_sealed(s, der, has_chain);
	else if (kind == ENTRY_KEY &&
		 strip_key(slice_of(from.data, (size_t)(r->left.data - from.data)), &der))
		e = keys_take(&s->keys, der, s->is_opened);
	if (e != ERR_OK && e != ERR_NOT_FOUND)
		s->status = e;
	return s->status == ERR_OK;
}

/* The entry's own content: what is neither certificate nor private key is stepped over. */
static bool take_content(struct store *s, struct reader *r, uint64_t kind, bool has_chain)
{
	return kind == ENTRY_CERTIFICATE ? take_certificate(s, r) : take_key(s, r, kind, has_chain);
}

static bool take_entry(struct store *s, struct reader *r, uint64_t kind)
{
	uint64_t chain;

	if (kind > ENTRY_SEALED)
		return broken(s, slice_of(NULL, 0), "the keystore has an entry of unknown kind");
	buffer_clear(&s->alias);
	unicode_from_java(get_bytes(r, 2), &s->alias);
	(void)get(r, 8);
	chain = get(r, 4);
	for (uint64_t i = 0; !r->is_short && i < chain; i++)
		if (!take_certificate(s, r))
			return false;
	return take_content(s, r, kind, chain != 0);
}

/* Entries up to the end mark; false where they are damaged, with what lay before it told. */
static bool take_entries(struct store *s, struct slice body)
{
	struct reader r = { .left = body };

	for (;;) {
		uint64_t kind = get(&r, 1);

		if (r.is_short)
			return broken(
				s, slice_of(NULL, 0), "the keystore ends before its last entry");
		if (kind == END)
			return true;
		if (!take_entry(s, &r, kind))
			return false;
	}
}

/* `opened_by`: the password of the whole store, or NULL where it lies open. */
static enum format_answer read_entries(const struct format_input *in,
	const struct format_sink *sink, struct slice body, const char *integrity,
	const char *opened_by)
{
	struct store s = { .sink = sink,
		.integrity = integrity,
		.is_opened = opened_by && *opened_by,
		.keys = { .in = in,
			.sink = sink,
			.likely = opened_by && *opened_by ? opened_by : NULL,
			.budget = pbe_budget_of(in) } };
	bool is_good;

	buffer_init(&s.alias, ALIAS_BYTES_MAX);
	is_good = take_entries(&s, body);
	buffer_wipe(&s.alias);
	return is_good ? FORMAT_MINE : FORMAT_BROKEN;
}

/* --- BKS -------------------------------------------------------------------------------------- */

static bool is_mac(const struct head *h, const char *password, struct pbe_budget *budget)
{
	struct pbe_derive d = { .hash = GNUTLS_DIG_SHA1,
		.password = *password ? password : NULL,
		.salt = h->salt,
		.iterations = h->iterations,
		.budget = budget };
	size_t size = h->version < 2 ? MAC_KEY_BYTES_OLD : MAC_BYTES;
	uint8_t key[MAC_BYTES], mac[MAC_BYTES];
	bool is_same = false;

	if (pbe_pkcs12_derive(&d, PBE_FOR_MAC, key, size) == ERR_OK &&
		gnutls_hmac_fast(GNUTLS_MAC_SHA1, key, size, h->body.data, h->body.size - MAC_BYTES,
			mac) == 0)
		is_same = memcmp(mac, h->body.data + h->body.size - MAC_BYTES, MAC_BYTES) == 0;
	explicit_bzero(key, sizeof(key));
	return is_same;
}

/* The MAC is over the entries, and lies behind them. */
static const char *integrity_of(
	const struct format_input *in, const struct format_sink *sink, const struct head *h)
{
	struct pbe_budget budget = pbe_budget_of(in);

	for (size_t i = 0; in->passwords && i < in->passwords->count; i++)
		if (h->body.size > MAC_BYTES && is_mac(h, in->passwords->items[i], &budget))
			return NULL;
	/* Its certificates lie open all the same. */
	if (in->budget && in->budget->locked_by)
		(void)!format_limited(sink,
			"it asks for more key derivation than is allowed: its integrity was not checked",
			in->budget->locked_by);
	return "unverified";
}

static enum format_answer bks_parse(const struct format_input *in, const struct format_sink *sink)
{
	struct file_size_hint size = { .size = in->bytes.size, .is_known = true };
	struct head h;

	if (!bks_sniff(in->bytes, size) || !read_head(in->bytes, &h))
		return FORMAT_NOT_MINE;
	return read_entries(in, sink, h.body, integrity_of(in, sink, &h), NULL);
}

/* --- UBER ------------------------------------------------------------------------------------- */

#define DIGEST_BYTES 20

/* The plain text is the entries, their SHA-1, and padding that the cipher took off. */
static bool is_intact(struct slice plain)
{
	uint8_t digest[DIGEST_BYTES];
	size_t size = plain.size - DIGEST_BYTES;

	return plain.size > DIGEST_BYTES &&
	       gnutls_hash_fast(GNUTLS_DIG_SHA1, plain.data, size, digest) == 0 &&
	       memcmp(digest, plain.data + size, DIGEST_BYTES) == 0;
}

static enum err open_uber(
	const struct head *h, const char *password, struct pbe_budget *budget, struct buffer *plain)
{
	const struct pbe p = { .kind = PBE_PKCS12,
		.own = PBE_TWOFISH,
		.key_bytes = CIPHER_TWOFISH_KEY_BYTES,
		.kdf = { .salt = h->salt, .iterations = h->iterations } };
	enum err e;

	buffer_clear(plain);
	e = pbe_decrypt(&p, *password ? password : NULL, budget, h->body, plain);
	return e == ERR_OK && !is_intact(buffer_bytes(plain)) ? ERR_PASSWORD : e;
}

static enum format_answer uber_parse(const struct format_input *in, const struct format_sink *sink)
{
	struct pbe_budget budget = pbe_budget_of(in);
	struct file_size_hint size = { .size = in->bytes.size, .is_known = true };
	enum format_answer answer = FORMAT_MINE;
	const char *password = NO_PASSWORD;
	struct buffer plain;
	struct head h;
	enum err e;

	if (!uber_sniff(in->bytes, size) || !read_head(in->bytes, &h))
		return FORMAT_NOT_MINE;
	buffer_init(&plain, format_bytes_max(in));
	e = open_uber(&h, password, &budget, &plain);
	for (size_t i = 0; e == ERR_PASSWORD && in->passwords && i < in->passwords->count; i++) {
		password = in->passwords->items[i];
		e = open_uber(&h, password, &budget, &plain);
	}
	if (e == ERR_OK)
		answer = read_entries(
			in, sink, slice_of(plain.data, plain.size - DIGEST_BYTES), NULL, password);
	else
		(void)format_locked(in, sink, e, NULL);
	buffer_wipe(&plain);
	return answer;
}

extern const struct format format_bks, format_uber;
const struct format format_bks = {
	.name = "bks",
	.help = "Bouncy Castle keystore BKS, versions 1 and 2",
	.password = "integrity, keys",
	.sniff = bks_sniff,
	.parse = bks_parse,
};
const struct format format_uber = {
	.name = "uber",
	.help = "Bouncy Castle keystore UBER",
	.password = "to open",
	.sniff = uber_sniff,
	.parse = uber_parse,
};
