/* Facts of certificates made by GnuTLS, and of such that were tampered with. */
#include "agent/base/clock.h"
#include "tests/certificate/maker.h"

#include <gnutls/crypto.h>
#include <stdlib.h>

static void test_facts(void **state)
{
	struct recipe recipe = recipe_of("CN=api.example.org,O=Example\\, Inc.,C=DE");
	struct recipe ca = recipe_ca("CN=Test CA");
	struct made issuer;
	struct made leaf;
	const struct certificate *c;
	uint8_t id[FINGERPRINT_BYTES];
	size_t size = sizeof(id);

	(void)state;
	recipe.dns = "api.example.org";
	recipe.purpose = GNUTLS_KP_TLS_WWW_SERVER;
	make(&issuer, &ca, NULL);
	make(&leaf, &recipe, &issuer);
	c = &leaf.parsed.facts;
	assert_string_equal(c->subject, "CN=api.example.org,O=Example\\, Inc.,C=DE");
	assert_string_equal(c->issuer, "CN=Test CA");
	assert_string_equal(c->subject_cn, "api.example.org");
	assert_string_equal(c->issuer_cn, "Test CA");
	assert_string_equal(c->serial, "07");
	assert_int_equal(c->not_before, MADE_NOT_BEFORE);
	assert_int_equal(c->not_after, MADE_NOT_AFTER);
	assert_string_equal(c->key_algorithm, "ECDSA");
	assert_int_equal(c->key_bits, 256);
	assert_string_equal(c->signature_algorithm, "ECDSA-SHA256");
	assert_false(c->is_ca);
	assert_false(c->is_self_issued);
	assert_int_equal(c->names.count, 1);
	assert_string_equal(c->names.items[0], "dns:api.example.org");
	assert_string_equal(c->extended_key_usage.items[0], "serverAuth");
	assert_true(issuer.parsed.facts.is_ca);
	assert_true(issuer.parsed.facts.is_self_issued);
	assert_true(strings_contain(&issuer.parsed.facts.key_usage, "keyCertSign"));
	assert_true(strings_contain(&issuer.parsed.facts.key_usage, "cRLSign"));
	assert_int_equal(issuer.parsed.facts.key_usage.count, 2);
	assert_int_equal(
		gnutls_x509_crt_get_fingerprint(leaf.crt, GNUTLS_DIG_SHA256, id, &size), 0);
	assert_memory_equal(c->fingerprint, id, sizeof(id));
	assert_int_equal(
		gnutls_x509_crt_get_key_id(leaf.crt, GNUTLS_KEYID_USE_SHA256, id, &size), 0);
	assert_memory_equal(c->spki_sha256, id, sizeof(id));
	assert_false(leaf.parsed.is_cut);
	made_fini(&leaf);
	made_fini(&issuer);
}

static void check_key(gnutls_pk_algorithm_t algorithm, unsigned bits, const char *key,
	unsigned shown, const char *signature)
{
	struct recipe r = recipe_of("CN=a");
	struct made m;

	r.algorithm = algorithm;
	r.bits = bits;
	if (algorithm == GNUTLS_PK_EDDSA_ED448)
		r.digest = GNUTLS_DIG_SHAKE_256;
	if (algorithm == GNUTLS_PK_EDDSA_ED25519)
		r.digest = GNUTLS_DIG_SHA512;
	make(&m, &r, NULL);
	assert_string_equal(m.parsed.facts.key_algorithm, key);
	assert_int_equal(m.parsed.facts.key_bits, shown);
	assert_string_equal(m.parsed.facts.signature_algorithm, signature);
	made_fini(&m);
}

static void test_algorithms(void **state)
{
	(void)state;
	check_key(GNUTLS_PK_RSA, 2048, "RSA", 2048, "RSA-SHA256");
	check_key(GNUTLS_PK_RSA_PSS, 2048, "RSA-PSS", 2048, "RSA-PSS-SHA256");
	check_key(GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP384R1), "ECDSA", 384,
		"ECDSA-SHA256");
	check_key(GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP521R1), "ECDSA", 521,
		"ECDSA-SHA256");
	check_key(GNUTLS_PK_EDDSA_ED25519, 256, "Ed25519", 256, "Ed25519");
	check_key(GNUTLS_PK_EDDSA_ED448, 456, "Ed448", 456, "Ed448");
}

/* Replaces bytes of the same number and parses again. */
static void patch(struct made *m, struct slice from, struct slice to)
{
	uint8_t *at = memmem(m->der.data, m->der.size, from.data, from.size);

	assert_int_equal(from.size, to.size);
	assert_non_null(at);
	memcpy(at, to.data, to.size);
	parsed_certificate_fini(&m->parsed);
	made_parse(m);
}

static void test_serials(void **state)
{
	static const struct {
		const char *bytes;
		const char *expected;
	} serials[] = {
		{ "\x02\x02\x12\x34", "1234" },
		{ "\x02\x02\x00\x80", "80" },
		{ "\x02\x02\xff\x7f", "-81" },
		{ "\x02\x02\x80\x00", "-8000" },
		{ "\x02\x02\xff\x00", "-0100" },
	};
	struct recipe r = recipe_of("CN=serial");
	struct made m;

	(void)state;
	for (size_t i = 0; i < sizeof(serials) / sizeof(*serials); i++) {
		r.serial = 0x4567;
		make(&m, &r, NULL);
		patch(&m, slice_of("\x02\x02\x45\x67", 4), slice_of(serials[i].bytes, 4));
		assert_string_equal(m.parsed.facts.serial, serials[i].expected);
		made_fini(&m);
	}
	r.serial = 1;
	make(&m, &r, NULL);
	patch(&m, slice_of("\x02\x01\x01\x30", 4), slice_of("\x02\x01\x00\x30", 4));
	assert_string_equal(m.parsed.facts.serial, "00");
	patch(&m, slice_of("\x02\x01\x00\x30", 4), slice_of("\x02\x01\xff\x30", 4));
	assert_string_equal(m.parsed.facts.serial, "-01");
	made_fini(&m);
}

static void test_dates_gnutls_cannot_tell(void **state)
{
	struct recipe r = recipe_of("CN=dates");
	struct made m;

	(void)state;
	make(&m, &r, NULL);
	patch(&m, slice_text("260101000000Z"), slice_text("500101000000Z"));
	assert_int_equal(m.parsed.facts.not_before, -631152000);
	patch(&m, slice_text("260401000000Z"), slice_text("691231235959Z"));
	assert_int_equal(m.parsed.facts.not_after, -1);
	made_fini(&m);
	r.not_after = 253402300799;
	make(&m, &r, NULL);
	assert_int_equal(m.parsed.facts.not_after, 253402300799);
	patch(&m, slice_text("99991231235959Z"), slice_text("00010101000000Z"));
	assert_int_equal(m.parsed.facts.not_after, -62135596800);
	made_fini(&m);
}

static void test_trailing_bytes(void **state)
{
	struct recipe r = recipe_of("CN=trailing");
	struct made m;
	struct buffer bytes;
	struct parsed_certificate p;
	struct evident_certificate e;
	size_t trailing = 0;

	(void)state;
	make(&m, &r, NULL);
	buffer_init(&bytes, 1 << 16);
	buffer_append(&bytes, m.der.data, m.der.size);
	buffer_append(&bytes, "trust settings", 14);
	assert_int_equal(certificate_parse(buffer_bytes(&bytes), &p, &trailing, NULL), ERR_OK);
	assert_int_equal(trailing, 14);
	assert_int_equal(p.der.size, m.der.size);
	assert_memory_equal(p.facts.fingerprint, m.parsed.facts.fingerprint, FINGERPRINT_BYTES);
	parsed_certificate_fini(&p);
	assert_true(certificate_is_evident(buffer_bytes(&bytes), &e));
	assert_int_equal(e.der_size, m.der.size);
	assert_memory_equal(e.fingerprint, m.parsed.facts.fingerprint, FINGERPRINT_BYTES);
	buffer_fini(&bytes);
	made_fini(&m);
}

/* What GnuTLS refuses still shows when it ends. */
static void test_refused_is_evident(void **state)
{
	struct recipe r = recipe_of("CN=refused");
	struct made m;
	struct parsed_certificate p;
	struct evident_certificate e;
	struct why why = { 0 };
	uint8_t sha256[FINGERPRINT_BYTES];
	uint8_t *at;

	(void)state;
	make(&m, &r, NULL);
	at = memmem(m.der.data, m.der.size, "260101000000Z", 13);
	assert_non_null(at);
	at[2] = '1'; /* month 13 */
	at[3] = '3';
	assert_int_equal(
		certificate_parse(slice_of(m.der.data, m.der.size), &p, NULL, &why), ERR_MALFORMED);
	assert_non_null(strstr(why.text, "GnuTLS"));
	assert_true(certificate_is_evident(slice_of(m.der.data, m.der.size), &e));
	assert_int_equal(e.not_before, TIME_UNKNOWN);
	assert_int_equal(e.not_after, MADE_NOT_AFTER);
	assert_int_equal(gnutls_hash_fast(GNUTLS_DIG_SHA256, m.der.data, m.der.size, sha256), 0);
	assert_memory_equal(e.fingerprint, sha256, sizeof(sha256));
	made_fini(&m);
}

static void check_same(const struct certificate *a, const struct certificate *b)
{
	assert_memory_equal(a->fingerprint, b->fingerprint, FINGERPRINT_BYTES);
	assert_memory_equal(a->spki_sha256, b->spki_sha256, FINGERPRINT_BYTES);
	assert_string_equal(a->subject, b->subject);
	assert_string_equal(a->issuer, b->issuer);
	assert_string_equal(a->serial, b->serial);
	assert_int_equal(a->not_before, b->not_before);
	assert_int_equal(a->not_after, b->not_after);
	assert_true(strings_equal(&a->names, &b->names));
	assert_string_equal(a->key_algorithm, b->key_algorithm);
	assert_string_equal(a->signature_algorithm, b->signature_algorithm);
}

/* Met again, a certificate has the same facts and no handle, until others took its place. */
static void test_known(void **state)
{
	struct recipe r = recipe_of("CN=known");
	struct made made[6];
	const size_t count = sizeof(made) / sizeof(*made);
	struct known_certificates *known;
	struct parsed_certificate p;

	(void)state;
	assert_int_equal(known_certificates_new(4, &known), ERR_OK);
	for (size_t i = 0; i < count; i++) {
		r.serial = (uint16_t)(i + 1);
		make(&made[i], &r, NULL);
		for (int again = 0; again < 2; again++) {
			assert_int_equal(
				certificate_parse_known(known, made[i].parsed.der, &p, NULL, NULL),
				ERR_OK);
			assert_int_equal(p.handle == NULL, again);
			check_same(&p.facts, &made[i].parsed.facts);
			parsed_certificate_fini(&p);
		}
	}
	for (size_t i = count; i-- > 0;) {
		/* There is room for four. Those that make way come last here. */
		assert_int_equal(
			certificate_parse_known(known, made[i].parsed.der, &p, NULL, NULL), ERR_OK);
		assert_int_equal(p.handle == NULL, i >= count - 4);
		check_same(&p.facts, &made[i].parsed.facts);
		parsed_certificate_fini(&p);
		made_fini(&made[i]);
	}
	known_certificates_free(known);
}

/* What GnuTLS refused it refuses again, in the same words. */
static void test_refused_is_not_known(void **state)
{
	struct recipe r = recipe_of("CN=refused");
	struct known_certificates *known;
	struct parsed_certificate p;
	struct made m;
	uint8_t *at;

	(void)state;
	make(&m, &r, NULL);
	at = memmem(m.der.data, m.der.size, "260101000000Z", 13);
	assert_non_null(at);
	at[2] = '1'; /* month 13 */
	at[3] = '3';
	assert_int_equal(known_certificates_new(4, &known), ERR_OK);
	for (int i = 0; i < 2; i++) {
		struct why why = { 0 };

		assert_int_equal(certificate_parse_known(
					 known, slice_of(m.der.data, m.der.size), &p, NULL, &why),
			ERR_MALFORMED);
		assert_non_null(strstr(why.text, "GnuTLS"));
	}
	known_certificates_free(known);
	made_fini(&m);
}

static void check_not_evident(gnutls_datum_t *der)
{
	struct evident_certificate e;
	struct parsed_certificate p;

	assert_false(certificate_is_evident(slice_of(der->data, der->size), &e));
	assert_int_not_equal(
		certificate_parse(slice_of(der->data, der->size), &p, NULL, NULL), ERR_OK);
	gnutls_free(der->data);
}

/* Requests, revocation lists and keys begin much like certificates. */
static void test_others_are_not_evident(void **state)
{
	struct recipe r = recipe_ca("CN=others");
	gnutls_x509_crq_t request;
	gnutls_x509_crl_t list;
	gnutls_datum_t der;
	struct made m;

	(void)state;
	make(&m, &r, NULL);
	assert_int_equal(gnutls_x509_crq_init(&request), 0);
	assert_int_equal(gnutls_x509_crq_set_dn(request, "CN=x", NULL), 0);
	assert_int_equal(gnutls_x509_crq_set_key(request, m.key), 0);
	assert_int_equal(gnutls_x509_crq_sign2(request, m.key, GNUTLS_DIG_SHA256, 0), 0);
	assert_int_equal(gnutls_x509_crq_export2(request, GNUTLS_X509_FMT_DER, &der), 0);
	check_not_evident(&der);
	gnutls_x509_crq_deinit(request);
	assert_int_equal(gnutls_x509_crl_init(&list), 0);
	assert_int_equal(gnutls_x509_crl_set_version(list, 2), 0);
	assert_int_equal(gnutls_x509_crl_set_this_update(list, MADE_NOT_BEFORE), 0);
	assert_int_equal(gnutls_x509_crl_set_next_update(list, MADE_NOT_AFTER), 0);
	assert_int_equal(gnutls_x509_crl_sign2(list, m.crt, m.key, GNUTLS_DIG_SHA256, 0), 0);
	assert_int_equal(gnutls_x509_crl_export2(list, GNUTLS_X509_FMT_DER, &der), 0);
	check_not_evident(&der);
	gnutls_x509_crl_deinit(list);
	assert_int_equal(gnutls_x509_privkey_export2(m.key, GNUTLS_X509_FMT_DER, &der), 0);
	check_not_evident(&der);
	assert_int_equal(gnutls_x509_privkey_export2_pkcs8(
				 m.key, GNUTLS_X509_FMT_DER, NULL, GNUTLS_PKCS_PLAIN, &der),
		0);
	check_not_evident(&der);
	made_fini(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_facts),
		cmocka_unit_test(test_algorithms),
		cmocka_unit_test(test_serials),
		cmocka_unit_test(test_dates_gnutls_cannot_tell),
		cmocka_unit_test(test_trailing_bytes),
		cmocka_unit_test(test_refused_is_evident),
		cmocka_unit_test(test_known),
		cmocka_unit_test(test_refused_is_not_known),
		cmocka_unit_test(test_others_are_not_evident),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
