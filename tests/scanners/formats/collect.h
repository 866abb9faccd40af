/* What the tests of the formats share: a sink that remembers, certificates made on the spot, a TLV writer. */
#ifndef LEAFWATCH_TESTS_FORMATS_COLLECT_H
#define LEAFWATCH_TESTS_FORMATS_COLLECT_H

#include "agent/base/buffer.h"
#include "agent/base/text.h"
#include "agent/certificate/certificate.h"
#include "agent/certificate/der.h"
#include "scanners/formats/asn1.h"
#include "scanners/formats/format.h"
#include "scanners/formats/label.h"

#include <gnutls/crypto.h>
#include <gnutls/x509.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#define UNUSED __attribute__((unused))
#define TEST_BYTES_MAX (64 * 1024 * 1024)
#define TEST_NOW 1790000000

struct found {
	bool is_problem;
	enum reason reason;
	char sha256
		[65]; /* of the outer SEQUENCE where there is one, else of the bytes; "" without bytes */
	char *alias;
	char *integrity;
	char *message;
	char *trust;
	bool is_record;
	struct record record;
	const struct format *format;
	size_t size;
	uint8_t spki[FINGERPRINT_BYTES]; /* of a certificate: the hash of its key */
};

struct collected {
	struct found *items;
	size_t count;
	size_t certificates;
	size_t problems;
	unsigned depth;
	char *trust; /* of the certificate that comes next */
	struct label *label;
	const struct strings *passwords;
	bool is_cut;
	const struct format *format;
	const struct format *which;
};

static struct found *collect_add(struct collected *c, struct slice bytes)
{
	uint8_t digest[32];
	struct slice left = bytes;
	struct found *f;
	struct asn1 item;

	c->items = reallocarray(c->items, c->count + 1, sizeof(*c->items));
	assert_non_null(c->items);
	f = &c->items[c->count++];
	*f = (struct found){ .format = c->format, .size = bytes.size };
	if (asn1_expect(&left, ASN1_SEQUENCE, &item))
		bytes = item.whole;
	if (bytes.size) {
		assert_int_equal(
			gnutls_hash_fast(GNUTLS_DIG_SHA256, bytes.data, bytes.size, digest), 0);
		text_hex(f->sha256, digest, sizeof(digest));
	}
	return f;
}

static enum err collect_certificate(
	void *arg, struct slice der, const char *alias, const char *integrity)
{
	struct collected *c = arg;
	struct found *f = collect_add(c, der);
	struct der_certificate parts;

	if (der_certificate(der, &parts))
		fingerprint_of(parts.spki, f->spki);
	assert_int_equal(label_alias(c->label, alias, &f->alias), ERR_OK);
	f->integrity = integrity ? strdup(integrity) : NULL;
	f->trust = c->trust;
	c->trust = NULL;
	c->certificates++;
	return ERR_OK;
}

static enum err collect_record(void *arg, struct record *r)
{
	struct found *f = collect_add(arg, slice_of(NULL, 0));

	f->is_record = true;
	f->record = *r;
	*r = (struct record){ 0 };
	return ERR_OK;
}

static void collect_trust(void *arg, const char *flags)
{
	struct collected *c = arg;

	free(c->trust);
	c->trust = strdup(flags);
}

static enum err collect_problem(
	void *arg, enum reason reason, struct slice bytes, const char *message)
{
	struct collected *c = arg;
	struct found *f = collect_add(c, bytes);

	f->is_problem = true;
	f->reason = reason;
	f->message = strdup(message);
	c->problems++;
	return ERR_OK;
}

static void collect_format(void *arg, const struct format *format)
{
	struct collected *c = arg;

	label_place(c->label, NULL);
	if (c->depth == 0)
		c->format = format;
}

static void collect_place(void *arg, const uint8_t *at)
{
	struct collected *c = arg;

	label_place(c->label, at);
}

static enum err collect_parse(struct collected *c, struct slice bytes);

static enum err collect_nested(void *arg, const char *member, struct slice bytes)
{
	struct collected *c = arg;
	enum err e;

	(void)member;
	if (c->depth == FORMAT_DEPTH_MAX)
		return collect_problem(c, REASON_LIMIT_REACHED, slice_of(NULL, 0), "depth");
	c->depth++;
	e = collect_parse(c, bytes);
	c->depth--;
	return e;
}

static enum err collect_parse(struct collected *c, struct slice bytes)
{
	const struct format_sink sink = { .arg = c,
		.certificate = collect_certificate,
		.problem = collect_problem,
		.nested = collect_nested,
		.record = collect_record,
		.trust = collect_trust,
		.place = collect_place,
		.format = collect_format };
	struct format_input in = { .bytes = bytes,
		.passwords = c->passwords,
		.depth = c->depth,
		.is_cut = c->is_cut && !c->depth };
	struct label label = { .text = bytes, .above = c->label };
	const struct format *which = NULL;
	enum err e;

	c->label = &label;
	e = formats_parse(&in, &sink, &which);
	c->label = label.above;
	label_fini(&label);
	if (c->depth == 0)
		c->which = which;
	return e;
}

/* Parses an exact copy on the heap, so that reading past the end is seen. */
static UNUSED struct collected collect_with(struct collected c, struct slice bytes)
{
	uint8_t *exact = malloc(bytes.size ? bytes.size : 1);

	assert_non_null(exact);
	if (bytes.size)
		memcpy(exact, bytes.data, bytes.size);
	if (collect_parse(&c, slice_of(exact, bytes.size)) == ERR_NOT_FOUND)
		assert_null(c.which);
	free(exact);
	return c;
}

static UNUSED struct collected collect(struct slice bytes, const struct strings *passwords)
{
	return collect_with((struct collected){ .passwords = passwords }, bytes);
}

static UNUSED void collected_fini(struct collected *c)
{
	for (size_t i = 0; i < c->count; i++) {
		free(c->items[i].alias);
		free(c->items[i].integrity);
		free(c->items[i].message);
		free(c->items[i].trust);
		record_fini(&c->items[i].record);
	}
	free(c->trust);
	free(c->items);
	*c = (struct collected){ 0 };
}

/* --- certificates ----------------------------------------------------------------------------- */

/* DER of a fresh self-signed certificate; freed with gnutls_free(out->data). */
static UNUSED void make_certificate(const char *name, gnutls_datum_t *out)
{
	gnutls_x509_privkey_t key;
	gnutls_x509_crt_t crt;
	uint8_t serial[4];

	assert_int_equal(gnutls_rnd(GNUTLS_RND_NONCE, serial, sizeof(serial)), 0);
	serial[0] &= 0x7f;
	assert_int_equal(gnutls_x509_privkey_init(&key), 0);
	assert_int_equal(gnutls_x509_privkey_generate(key, GNUTLS_PK_ECDSA,
				 GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0),
		0);
	assert_int_equal(gnutls_x509_crt_init(&crt), 0);
	assert_int_equal(gnutls_x509_crt_set_version(crt, 3), 0);
	assert_int_equal(gnutls_x509_crt_set_serial(crt, serial, sizeof(serial)), 0);
	assert_int_equal(gnutls_x509_crt_set_activation_time(crt, TEST_NOW - 86400), 0);
	assert_int_equal(gnutls_x509_crt_set_expiration_time(crt, TEST_NOW + 86400), 0);
	assert_int_equal(gnutls_x509_crt_set_dn_by_oid(
				 crt, GNUTLS_OID_X520_COMMON_NAME, 0, name, (unsigned)strlen(name)),
		0);
	assert_int_equal(gnutls_x509_crt_set_key(crt, key), 0);
	assert_int_equal(gnutls_x509_crt_sign2(crt, crt, key, GNUTLS_DIG_SHA256, 0), 0);
	assert_int_equal(gnutls_x509_crt_export2(crt, GNUTLS_X509_FMT_DER, out), 0);
	gnutls_x509_crt_deinit(crt);
	gnutls_x509_privkey_deinit(key);
}

static UNUSED struct slice slice_datum(const gnutls_datum_t *d)
{
	return slice_of(d->data, d->size);
}

static UNUSED void sha256_text(struct slice bytes, char out[65])
{
	uint8_t digest[32];

	assert_int_equal(gnutls_hash_fast(GNUTLS_DIG_SHA256, bytes.data, bytes.size, digest), 0);
	text_hex(out, digest, sizeof(digest));
}

/* Base64 in lines of 64 between `before` and `after` of each line. */
static UNUSED void put_base64(
	struct buffer *out, struct slice der, const char *before, const char *after)
{
	gnutls_datum_t in = { .data = (unsigned char *)(uintptr_t)der.data,
		.size = (unsigned)der.size },
		       text;

	assert_int_equal(gnutls_base64_encode2(&in, &text), 0);
	for (unsigned at = 0; at < text.size; at += 64) {
		buffer_text(out, before);
		buffer_append(out, text.data + at, text.size - at < 64 ? text.size - at : 64);
		buffer_text(out, after);
	}
	gnutls_free(text.data);
}

static UNUSED void put_pem(struct buffer *out, const char *label, struct slice der)
{
	buffer_format(out, "-----BEGIN %s-----\n", label);
	put_base64(out, der, "", "\n");
	buffer_format(out, "-----END %s-----\n", label);
}

/* --- TLV -------------------------------------------------------------------------------------- */

static UNUSED void put_tlv(struct buffer *out, uint8_t tag, struct slice content)
{
	buffer_byte(out, tag);
	if (content.size < 0x80) {
		buffer_byte(out, (uint8_t)content.size);
	} else {
		buffer_byte(out, 0x83);
		buffer_byte(out, (uint8_t)(content.size >> 16));
		buffer_byte(out, (uint8_t)(content.size >> 8));
		buffer_byte(out, (uint8_t)content.size);
	}
	buffer_slice(out, content);
}

/* Wraps what the buffer holds. */
static UNUSED void wrap(struct buffer *b, uint8_t tag)
{
	struct buffer outer;

	buffer_init(&outer, TEST_BYTES_MAX);
	put_tlv(&outer, tag, buffer_bytes(b));
	buffer_fini(b);
	*b = outer;
}

#endif
