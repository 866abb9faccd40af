/* Makes certificates for tests with GnuTLS, and DER by hand for what GnuTLS would not make. */
#ifndef LEAFWATCH_TESTS_CERTIFICATE_MAKER_H
#define LEAFWATCH_TESTS_CERTIFICATE_MAKER_H

#include "agent/certificate/certificate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <gnutls/x509.h>
#include <string.h>

/* 2026-01-01T00:00:00Z */
#define MADE_NOT_BEFORE 1767225600
#define MADE_NOT_AFTER (MADE_NOT_BEFORE + 90 * 86400)

struct made {
	gnutls_x509_privkey_t key;
	gnutls_x509_crt_t crt;
	gnutls_datum_t der;
	struct parsed_certificate parsed;
};

struct recipe {
	const char *dn; /* RFC 4514, for GnuTLS */
	bool is_ca;
	int path_length; /* -1 none; only of CAs */
	const char *dns; /* a name, or NULL */
	const char *purpose;
	const char *permitted_dns; /* a name constraint, or NULL */
	struct slice names;        /* DER of GeneralNames, or empty */
	struct slice constraints;  /* DER of NameConstraints, or empty */
	gnutls_x509_privkey_t key; /* borrowed; NULL: a new one */
	gnutls_pk_algorithm_t algorithm;
	unsigned bits;
	gnutls_digest_algorithm_t digest;
	time_t not_before;
	time_t not_after;
	bool has_no_key_ids;
	uint16_t serial;
};

static inline struct recipe recipe_of(const char *dn)
{
	return (struct recipe){ .dn = dn,
		.path_length = -1,
		.algorithm = GNUTLS_PK_ECDSA,
		.bits = GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1),
		.digest = GNUTLS_DIG_SHA256,
		.not_before = MADE_NOT_BEFORE,
		.not_after = MADE_NOT_AFTER,
		.serial = 7 };
}

static inline struct recipe recipe_ca(const char *dn)
{
	struct recipe r = recipe_of(dn);

	r.is_ca = true;
	r.not_after = MADE_NOT_BEFORE + 3650 * 86400LL;
	return r;
}

static inline void made_key_ids(const struct made *m, const struct made *issuer)
{
	uint8_t id[64];
	size_t size = sizeof(id);

	assert_int_equal(gnutls_x509_crt_get_key_id(m->crt, 0, id, &size), 0);
	assert_int_equal(gnutls_x509_crt_set_subject_key_id(m->crt, id, size), 0);
	size = sizeof(id);
	assert_int_equal(gnutls_x509_crt_get_key_id(issuer->crt, 0, id, &size), 0);
	assert_int_equal(gnutls_x509_crt_set_authority_key_id(m->crt, id, size), 0);
}

static inline void made_extensions(struct made *m, const struct recipe *r)
{
	if (r->is_ca) {
		assert_int_equal(
			gnutls_x509_crt_set_basic_constraints(m->crt, 1, r->path_length), 0);
		assert_int_equal(gnutls_x509_crt_set_key_usage(
					 m->crt, GNUTLS_KEY_KEY_CERT_SIGN | GNUTLS_KEY_CRL_SIGN),
			0);
	}
	if (r->dns)
		assert_int_equal(gnutls_x509_crt_set_subject_alt_name(m->crt, GNUTLS_SAN_DNSNAME,
					 r->dns, (unsigned)strlen(r->dns), 0),
			0);
	if (r->purpose)
		assert_int_equal(gnutls_x509_crt_set_key_purpose_oid(m->crt, r->purpose, 0), 0);
	if (r->names.size)
		assert_int_equal(gnutls_x509_crt_set_extension_by_oid(
					 m->crt, "2.5.29.17", r->names.data, r->names.size, 0),
			0);
	if (r->constraints.size)
		assert_int_equal(gnutls_x509_crt_set_extension_by_oid(m->crt, "2.5.29.30",
					 r->constraints.data, r->constraints.size, 1),
			0);
	if (r->permitted_dns) {
		gnutls_x509_name_constraints_t nc;
		gnutls_datum_t name = { (unsigned char *)(uintptr_t)r->permitted_dns,
			(unsigned)strlen(r->permitted_dns) };

		assert_int_equal(gnutls_x509_name_constraints_init(&nc), 0);
		assert_int_equal(
			gnutls_x509_name_constraints_add_permitted(nc, GNUTLS_SAN_DNSNAME, &name),
			0);
		assert_int_equal(gnutls_x509_crt_set_name_constraints(m->crt, nc, 1), 0);
		gnutls_x509_name_constraints_deinit(nc);
	}
}

/* Reads its DER into `parsed`. */
static inline void made_parse(struct made *m)
{
	assert_int_equal(
		certificate_parse(slice_of(m->der.data, m->der.size), &m->parsed, NULL, NULL),
		ERR_OK);
}

/* `issuer` NULL: it signs itself. */
static inline void make(struct made *m, const struct recipe *r, const struct made *issuer)
{
	const uint8_t serial[] = { (uint8_t)(r->serial >> 8), (uint8_t)r->serial };
	const char *error;

	*m = (struct made){ 0 };
	issuer = issuer ? issuer : m;
	assert_int_equal(gnutls_x509_privkey_init(&m->key), 0);
	if (r->key)
		assert_int_equal(gnutls_x509_privkey_cpy(m->key, r->key), 0);
	else
		assert_int_equal(gnutls_x509_privkey_generate(m->key, r->algorithm, r->bits, 0), 0);
	assert_int_equal(gnutls_x509_crt_init(&m->crt), 0);
	assert_int_equal(gnutls_x509_crt_set_version(m->crt, 3), 0);
	assert_int_equal(
		gnutls_x509_crt_set_serial(m->crt, serial + !serial[0], serial[0] ? 2 : 1), 0);
	assert_int_equal(gnutls_x509_crt_set_activation_time(m->crt, r->not_before), 0);
	assert_int_equal(gnutls_x509_crt_set_expiration_time(m->crt, r->not_after), 0);
	assert_int_equal(gnutls_x509_crt_set_dn(m->crt, r->dn, &error), 0);
	assert_int_equal(gnutls_x509_crt_set_key(m->crt, m->key), 0);
	made_extensions(m, r);
	if (!r->has_no_key_ids)
		made_key_ids(m, issuer);
	assert_int_equal(gnutls_x509_crt_sign2(m->crt, issuer->crt, issuer->key, r->digest, 0), 0);
	assert_int_equal(gnutls_x509_crt_export2(m->crt, GNUTLS_X509_FMT_DER, &m->der), 0);
	made_parse(m);
}

static inline void made_fini(struct made *m)
{
	parsed_certificate_fini(&m->parsed);
	gnutls_free(m->der.data);
	if (m->crt)
		gnutls_x509_crt_deinit(m->crt);
	if (m->key)
		gnutls_x509_privkey_deinit(m->key);
	*m = (struct made){ 0 };
}

/* --- DER by hand --------------------------------------------------------------------------------- */

/* One TLV; its content may be at most 64 KiB. */
static inline void put_tlv(struct buffer *out, uint8_t tag, struct slice content)
{
	buffer_byte(out, tag);
	if (content.size < 0x80) {
		buffer_byte(out, (uint8_t)content.size);
	} else {
		buffer_byte(out, 0x82);
		buffer_byte(out, (uint8_t)(content.size >> 8));
		buffer_byte(out, (uint8_t)content.size);
	}
	buffer_slice(out, content);
}

/* SEQUENCE { OID, value } for a Name. */
static inline void put_pair(struct buffer *out, struct slice oid, uint8_t tag, struct slice value)
{
	struct buffer inner;

	buffer_init(&inner, 1 << 20);
	put_tlv(&inner, 0x06, oid);
	put_tlv(&inner, tag, value);
	put_tlv(out, 0x30, buffer_bytes(&inner));
	buffer_fini(&inner);
}

/* SET { SEQUENCE { OID, value } } */
static inline void put_rdn(struct buffer *out, const char *oid, uint8_t tag, struct slice value)
{
	struct buffer pair;

	buffer_init(&pair, 1 << 20);
	put_pair(&pair, slice_text(oid), tag, value);
	put_tlv(out, 0x31, buffer_bytes(&pair));
	buffer_fini(&pair);
}

#endif
