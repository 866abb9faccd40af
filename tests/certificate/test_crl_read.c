/* Revocation lists: GnuTLS's own, odd ones, damaged ones, large ones. */
#include "agent/certificate/crl_read.h"

#include "maker.h"

#include <stdlib.h>

#define DAY 86400
#define LARGE_COUNT 1000000

/* DER of a list with `revoked` entries; freed with gnutls_free. */
static gnutls_datum_t make_crl(struct made *ca, unsigned revoked, time_t next_update)
{
	gnutls_datum_t der;
	gnutls_x509_crl_t crl;

	assert_int_equal(gnutls_x509_crl_init(&crl), 0);
	assert_int_equal(gnutls_x509_crl_set_version(crl, 2), 0);
	assert_int_equal(gnutls_x509_crl_set_this_update(crl, MADE_NOT_BEFORE), 0);
	if (next_update)
		assert_int_equal(gnutls_x509_crl_set_next_update(crl, next_update), 0);
	assert_int_equal(gnutls_x509_crl_set_number(crl, "\x00\xff\x01", 3), 0);
	for (unsigned i = 0; i < revoked; i++) {
		uint8_t serial[2] = { (uint8_t)(i >> 8 & 0x7f), (uint8_t)i };

		assert_int_equal(
			gnutls_x509_crl_set_crt_serial(crl, serial, 2, MADE_NOT_BEFORE), 0);
	}
	assert_int_equal(gnutls_x509_crl_sign2(crl, ca->crt, ca->key, GNUTLS_DIG_SHA256, 0), 0);
	assert_int_equal(gnutls_x509_crl_export2(crl, GNUTLS_X509_FMT_DER, &der), 0);
	gnutls_x509_crl_deinit(crl);
	return der;
}

static struct made make_ca(void)
{
	struct recipe r = recipe_ca("CN=Watch Root,O=Example");
	struct made ca;

	make(&ca, &r, NULL);
	return ca;
}

static void test_facts(void **state)
{
	struct made ca = make_ca();
	gnutls_datum_t der = make_crl(&ca, 3, MADE_NOT_BEFORE + 7 * DAY);
	struct crl_record crl;
	size_t trailing = 9;

	(void)state;
	assert_true(crl_is_evident(slice_of(der.data, der.size)));
	assert_int_equal(crl_read(slice_of(der.data, der.size), &crl, &trailing, NULL), ERR_OK);
	assert_int_equal(trailing, 0);
	assert_string_equal(crl.issuer, "CN=Watch Root,O=Example");
	assert_string_equal(crl.issuer_cn, "Watch Root");
	assert_string_equal(crl.signature_algorithm, "ECDSA-SHA256");
	assert_string_equal(crl.number, "ff01");
	assert_int_equal(crl.this_update, MADE_NOT_BEFORE);
	assert_int_equal(crl.next_update, MADE_NOT_BEFORE + 7 * DAY);
	assert_int_equal(crl.revoked_count, 3);
	assert_false(crl.is_delta);
	crl_fini(&crl);
	gnutls_free(der.data);
	made_fini(&ca);
}

static void test_no_entries(void **state)
{
	struct made ca = make_ca();
	gnutls_datum_t der = make_crl(&ca, 0, MADE_NOT_BEFORE + DAY);
	struct crl_record crl;

	(void)state;
	assert_int_equal(crl_read(slice_of(der.data, der.size), &crl, NULL, NULL), ERR_OK);
	assert_int_equal(crl.revoked_count, 0);
	assert_string_equal(crl.number, "ff01");
	crl_fini(&crl);
	gnutls_free(der.data);
	made_fini(&ca);
}

static void test_a_certificate_is_none(void **state)
{
	struct made ca = make_ca();

	(void)state;
	assert_false(crl_is_evident(slice_of(ca.der.data, ca.der.size)));
	made_fini(&ca);
}

/* Cut anywhere it is malformed, and its facts are never half told. */
static void test_cut_anywhere(void **state)
{
	struct made ca = make_ca();
	gnutls_datum_t der = make_crl(&ca, 2, MADE_NOT_BEFORE + DAY);
	struct crl_record crl;

	(void)state;
	for (size_t size = 0; size < der.size; size++) {
		uint8_t *exact = malloc(size ? size : 1);

		memcpy(exact, der.data, size);
		assert_int_equal(crl_read(slice_of(exact, size), &crl, NULL, NULL), ERR_MALFORMED);
		free(exact);
	}
	gnutls_free(der.data);
	made_fini(&ca);
}

static void put_long(struct buffer *out, uint8_t tag, struct slice content)
{
	buffer_byte(out, tag);
	buffer_byte(out, 0x84);
	for (int shift = 24; shift >= 0; shift -= 8)
		buffer_byte(out, (uint8_t)(content.size >> shift));
	buffer_slice(out, content);
}

/* Version 1, a million entries, 30 MB: read in place. */
static void test_a_large_one(void **state)
{
	static const char entry[] = "\x30\x1e\x02\x0d"
				    "1234567890123"
				    "\x17\x0d"
				    "260101000000Z";
	static const char algorithm[] = "\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02";
	static const char name[] = "\x30\x0c\x31\x0a\x30\x08\x06\x03\x55\x04\x03\x0c\x01"
				   "L";
	static const char time[] = "\x17\x0d"
				   "260101000000Z";
	struct buffer list, tbs, body, der;
	struct crl_record crl;

	(void)state;
	buffer_init(&list, 64 << 20);
	buffer_init(&tbs, 64 << 20);
	buffer_init(&body, 64 << 20);
	buffer_init(&der, 64 << 20);
	for (unsigned i = 0; i < LARGE_COUNT; i++)
		buffer_append(&list, entry, sizeof(entry) - 1);
	buffer_append(&tbs, algorithm, sizeof(algorithm) - 1);
	buffer_append(&tbs, name, sizeof(name) - 1);
	buffer_append(&tbs, time, sizeof(time) - 1);
	buffer_append(&tbs, time, sizeof(time) - 1);
	put_long(&tbs, 0x30, buffer_bytes(&list));
	put_long(&body, 0x30, buffer_bytes(&tbs));
	buffer_append(&body, algorithm, sizeof(algorithm) - 1);
	put_long(&body, 0x03, slice_of("\0\0", 2));
	put_long(&der, 0x30, buffer_bytes(&body));
	assert_int_equal(buffer_status(&der), ERR_OK);
	assert_true(der.size > 30 * 1000 * 1000);
	assert_int_equal(crl_read(buffer_bytes(&der), &crl, NULL, NULL), ERR_OK);
	assert_int_equal(crl.revoked_count, LARGE_COUNT);
	assert_string_equal(crl.issuer_cn, "L");
	assert_null(crl.number);
	crl_fini(&crl);
	buffer_fini(&list);
	buffer_fini(&tbs);
	buffer_fini(&body);
	buffer_fini(&der);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_facts),
		cmocka_unit_test(test_no_entries),
		cmocka_unit_test(test_a_certificate_is_none),
		cmocka_unit_test(test_cut_anywhere),
		cmocka_unit_test(test_a_large_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
