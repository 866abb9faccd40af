/* OpenSSH certificates (PROTOCOL.certkeys): a key type that ends in -cert-v01@openssh.com, then base64.
 * They are records of certificates like others, but no chain is judged: only their dates. */
#include "agent/base/text.h"
#include "agent/certificate/certificate.h"
#include "scanners/formats/base64.h"
#include "scanners/formats/format.h"

#include <gnutls/gnutls.h>
#include <stdio.h>
#include <stdlib.h>

#define SUFFIX "-cert-v01@openssh.com"
#define MARKER SUFFIX " AAAA"
#define TYPE_BYTES_MAX 64
/* OpenSSH itself refuses a certificate with more than 256 (SSHKEY_CERT_MAX_PRINCIPALS). */
#define PRINCIPALS_MAX 1000
#define SERIAL_TEXT_BYTES 17
#define FINGERPRINT_BASE64_BYTES 64
/* No date in a record is later (9999-12-31). */
#define DATE_MAX_S 253402300799ULL

enum { KIND_USER = 1, KIND_HOST = 2 };

/* The fields of the public key inside, which follow the nonce: all of them are strings. */
static const struct {
	const char *type; /* without the suffix */
	const char *algorithm;
	uint32_t bits; /* 0: of the modulus */
	unsigned fields;
	unsigned modulus; /* which field it is */
} types[] = {
	{ "ssh-rsa", "RSA", 0, 2, 1 },
	{ "ssh-dss", "DSA", 0, 4, 0 },
	{ "ssh-ed25519", "Ed25519", 256, 1, 0 },
	{ "ecdsa-sha2-nistp256", "ECDSA", 256, 2, 0 },
	{ "ecdsa-sha2-nistp384", "ECDSA", 384, 2, 0 },
	{ "ecdsa-sha2-nistp521", "ECDSA", 521, 2, 0 },
	{ "sk-ssh-ed25519", "Ed25519", 256, 2, 0 },
	{ "sk-ecdsa-sha2-nistp256", "ECDSA", 256, 3, 0 },
};
#define TYPES_COUNT (sizeof(types) / sizeof(types[0]))

struct reader {
	struct slice left;
	bool is_short;
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

static struct slice get_string(struct reader *r)
{
	uint64_t size = get(r, 4);
	struct slice out = r->left;

	if (r->is_short || size > r->left.size) {
		r->is_short = true;
		return slice_of(NULL, 0);
	}
	out.size = (size_t)size;
	r->left = slice_after(r->left, out.size);
	return out;
}

/* 0 stands for "always", the greatest number for "forever". */
static int64_t date_of(uint64_t t)
{
	return !t || t > DATE_MAX_S ? TIME_UNKNOWN : (int64_t)t;
}

static uint32_t bits_of(struct slice number)
{
	while (number.size && !number.data[0])
		number = slice_after(number, 1);
	if (!number.size || number.size > UINT16_MAX)
		return 0;
	return (uint32_t)number.size * 8 - (uint32_t)(__builtin_clz(number.data[0]) - 24);
}

static enum err add_principals(struct certificate *c, struct slice list, uint64_t kind)
{
	struct reader r = { .left = list };
	enum err e = ERR_OK;

	while (e == ERR_OK && r.left.size && c->names.count < PRINCIPALS_MAX) {
		struct slice name = get_string(&r);
		struct buffer text;

		if (r.is_short)
			break;
		buffer_init(&text, RECORD_TEXT_BYTES_MAX);
		buffer_text(&text, kind == KIND_HOST ? "dns:" : "other:");
		text_escape(&text, name);
		e = buffer_status(&text);
		if (e == ERR_OK)
			e = strings_add(&c->names, buffer_string(&text));
		buffer_fini(&text);
	}
	return e;
}

/* The CA by its key as ssh-keygen shows it: "SHA256:" and base64 without padding. */
static char *authority_text(struct slice key)
{
	uint8_t digest[FINGERPRINT_BYTES];
	char text[FINGERPRINT_BASE64_BYTES];
	gnutls_datum_t in = { .data = digest, .size = sizeof(digest) }, out;
	char *copy = NULL;

	fingerprint_of(key, digest);
	if (gnutls_base64_encode2(&in, &out) != 0)
		return NULL;
	while (out.size && out.data[out.size - 1] == '=')
		out.size--;
	if (out.size < sizeof(text) &&
		asprintf(&copy, "SHA256:%.*s", (int)out.size, (const char *)out.data) < 0)
		copy = NULL;
	gnutls_free(out.data);
	return copy;
}

struct parts {
	size_t type;
	struct slice type_text;
	struct slice key; /* the fields of the public key, together */
	struct slice modulus;
	uint64_t serial;
	uint64_t kind;
	struct slice id;
	struct slice principals;
	uint64_t after;
	uint64_t before;
	struct slice authority;
	struct slice signature;
};

static bool find_type(struct slice text, size_t *out)
{
	size_t suffix = strlen(SUFFIX);

	for (size_t i = 0; i < TYPES_COUNT; i++) {
		size_t size = strlen(types[i].type);

		*out = i;
		if (text.size == size + suffix && memcmp(text.data, types[i].type, size) == 0 &&
			memcmp(text.data + size, SUFFIX, suffix) == 0)
			return true;
	}
	return false;
}

static bool read_parts(struct slice blob, struct parts *out)
{
	struct reader r = { .left = blob };
	const uint8_t *key;

	out->type_text = get_string(&r);
	if (r.is_short || !find_type(out->type_text, &out->type))
		return false;
	(void)get_string(&r);
	key = r.left.data;
	for (unsigned i = 0; i < types[out->type].fields; i++) {
		struct slice field = get_string(&r);

		if (i == types[out->type].modulus)
			out->modulus = field;
	}
	if (r.is_short)
		return false;
	out->key = slice_of(key, (size_t)(r.left.data - key));
	out->serial = get(&r, 8);
	out->kind = get(&r, 4);
	out->id = get_string(&r);
	out->principals = get_string(&r);
	out->after = get(&r, 8);
	out->before = get(&r, 8);
	for (unsigned i = 0; i < 3; i++)
		(void)get_string(&r);
	out->authority = get_string(&r);
	out->signature = get_string(&r);
	return !r.is_short && !r.left.size;
}

static char *signature_text(struct slice signature)
{
	struct reader r = { .left = signature };
	struct slice name = get_string(&r);

	return r.is_short ? strdup("unknown") : text_escaped(name);
}

/* The plain key's SHA-256, as ssh-keygen -l shows it: the same key with and without certificate. */
static void key_fingerprint(const struct parts *p, uint8_t out[FINGERPRINT_BYTES])
{
	const char *suffix = strncmp(types[p->type].type, "sk-", 3) == 0 ? "@openssh.com" : "";
	size_t size = strlen(types[p->type].type) + strlen(suffix);
	struct buffer plain;

	buffer_init(&plain, TYPE_BYTES_MAX + 2 * sizeof(uint32_t) + p->key.size);
	for (int shift = 24; shift >= 0; shift -= 8)
		buffer_byte(&plain, (uint8_t)(size >> shift));
	buffer_text(&plain, types[p->type].type);
	buffer_text(&plain, suffix);
	buffer_slice(&plain, p->key);
	fingerprint_of(buffer_bytes(&plain), out);
	buffer_fini(&plain);
}

static enum err fill(const struct parts *p, struct slice blob, struct certificate *c)
{
	char serial[SERIAL_TEXT_BYTES];
	enum err e;

	fingerprint_of(blob, c->fingerprint);
	key_fingerprint(p, c->spki_sha256);
	(void)snprintf(serial, sizeof(serial), "%02llx", (unsigned long long)p->serial);
	c->subject = text_escaped(p->id);
	c->subject_cn = text_escaped(p->id);
	c->issuer = authority_text(p->authority);
	c->serial = strdup(serial);
	c->not_before = date_of(p->after);
	c->not_after = date_of(p->before);
	c->key_algorithm = strdup(types[p->type].algorithm);
	c->key_bits = types[p->type].bits ? types[p->type].bits : bits_of(p->modulus);
	c->signature_algorithm = signature_text(p->signature);
	if (!c->subject || !c->subject_cn || !c->issuer || !c->serial || !c->key_algorithm ||
		!c->signature_algorithm)
		return ERR_MEMORY;
	e = add_principals(c, p->principals, p->kind);
	if (e == ERR_OK && (p->kind == KIND_USER || p->kind == KIND_HOST))
		e = strings_add(
			&c->extended_key_usage, p->kind == KIND_USER ? "sshUser" : "sshHost");
	return e;
}

static enum err tell(const struct format_sink *sink, struct slice blob, struct slice comment)
{
	struct record r = { .kind = RECORD_CERTIFICATE };
	struct parts parts = { 0 };
	enum err e;

	if (!read_parts(blob, &parts))
		return sink->problem(sink->arg, REASON_MALFORMED, slice_of(NULL, 0),
			"an OpenSSH certificate is damaged or cut off");
	if (!sink->record)
		return ERR_OK;
	r.certificate.verdict.expires = TIME_UNKNOWN;
	r.certificate.verdict.boundary = TIME_UNKNOWN;
	e = fill(&parts, blob, &r.certificate.facts);
	if (e == ERR_OK && comment.size) {
		r.location.alias = text_escaped(comment);
		e = r.location.alias ? ERR_OK : ERR_MEMORY;
	}
	if (e == ERR_OK)
		e = sink->record(sink->arg, &r);
	record_fini(&r);
	return e;
}

/* Up to the end of the line, without blanks at either end. */
static struct slice comment_of(struct slice s)
{
	size_t size = 0;

	while (size < s.size && s.data[size] != '\n' && s.data[size] != '\r' &&
		size < TYPE_BYTES_MAX * 4)
		size++;
	s.size = size;
	while (s.size && s.data[0] == ' ')
		s = slice_after(s, 1);
	return s;
}

static bool is_type_character(uint8_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
}

/* Does a known type stand before the suffix that `at` points to? Elsewhere it is only mentioned. */
static bool has_type(struct slice text, const uint8_t *at)
{
	const uint8_t *from = at;
	size_t type;

	while (from > text.data && at - from < TYPE_BYTES_MAX && is_type_character(from[-1]))
		from--;
	return find_type(slice_of(from, (size_t)(at - from) + strlen(SUFFIX)), &type);
}

static enum format_answer openssh_parse(
	const struct format_input *in, const struct format_sink *sink)
{
	struct slice left = in->bytes;
	struct buffer blob;
	bool found = false;
	enum err e = ERR_OK;

	buffer_init(&blob, format_bytes_max(in));
	while (e == ERR_OK && left.size) {
		const uint8_t *at = memmem(left.data, left.size, MARKER, strlen(MARKER));
		struct base64 digits = { .out = &blob };

		if (!at)
			break;
		left = slice_after(left, (size_t)(at - left.data) + strlen(SUFFIX) + 1);
		if (!has_type(in->bytes, at))
			continue;
		buffer_clear(&blob);
		left = slice_after(left, base64_take(&digits, left));
		(void)base64_end(&digits);
		while (left.size && left.data[0] == '=')
			left = slice_after(left, 1);
		found = true;
		e = buffer_status(&blob) == ERR_OK
			    ? tell(sink, buffer_bytes(&blob), comment_of(left))
			    : format_limited(sink,
				      "an OpenSSH certificate is larger than is decoded",
				      "decoded_size");
	}
	buffer_fini(&blob);
	return found ? FORMAT_MINE : FORMAT_NOT_MINE;
}

extern const struct format format_openssh;
const struct format format_openssh = {
	.name = "openssh",
	.has_other_key_hash = true,
	.help = "OpenSSH certificates (*-cert.pub) of users and hosts; only their dates are judged",
	.text_markers = (const char *const[]){ MARKER, NULL },
	.parse = openssh_parse,
};
