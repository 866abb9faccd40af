/* Bare DER, PKCS#7, and what is DER but holds no certificate. */
#include "collect.h"

#include <gnutls/pkcs7.h>

static void one_certificate_and_what_follows(void **state)
{
	gnutls_datum_t der;
	struct buffer b;
	struct collected c;

	(void)state;
	make_certificate("a", &der);
	buffer_init(&b, TEST_BYTES_MAX);
	buffer_slice(&b, slice_datum(&der));
	c = collect(buffer_bytes(&b), NULL);
	assert_int_equal(c.certificates, 1);
	assert_int_equal(c.problems, 0);
	assert_string_equal(c.which->name, "der");
	collected_fini(&c);
	buffer_append(&b, "\0\0\0\n", 4);
	c = collect(buffer_bytes(&b), NULL);
	assert_int_equal(c.problems, 0);
	collected_fini(&c);
	b.size = der.size;
	buffer_text(&b, "junk");
	c = collect(buffer_bytes(&b), NULL);
	assert_int_equal(c.certificates, 1);
	assert_int_equal(c.problems, 1);
	assert_int_equal(c.items[1].reason, REASON_MALFORMED);
	assert_string_equal(c.items[1].sha256, "");
	collected_fini(&c);
	b.size = der.size;
	buffer_slice(&b, slice_datum(&der));
	put_pem(&b, "CERTIFICATE", slice_datum(&der));
	c = collect(buffer_bytes(&b), NULL);
	assert_int_equal(c.certificates, 3);
	assert_int_equal(c.problems, 0);
	collected_fini(&c);
	buffer_fini(&b);
	gnutls_free(der.data);
}

/* In either order. */
static void beside_its_key(void **state)
{
	gnutls_x509_privkey_t key;
	gnutls_datum_t der, secret;
	struct collected c;
	struct buffer b;

	(void)state;
	make_certificate("a", &der);
	assert_int_equal(gnutls_x509_privkey_init(&key), 0);
	assert_int_equal(gnutls_x509_privkey_generate(key, GNUTLS_PK_ECDSA,
				 GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0),
		0);
	assert_int_equal(gnutls_x509_privkey_export2(key, GNUTLS_X509_FMT_DER, &secret), 0);
	for (int i = 0; i < 2; i++) {
		buffer_init(&b, TEST_BYTES_MAX);
		buffer_slice(&b, slice_datum(i ? &der : &secret));
		buffer_slice(&b, slice_datum(i ? &secret : &der));
		c = collect(buffer_bytes(&b), NULL);
		assert_int_equal(c.certificates, 1);
		assert_int_equal(c.problems, 0);
		assert_int_equal(c.count, 2);
		collected_fini(&c);
		buffer_fini(&b);
	}
	gnutls_free(secret.data);
	gnutls_x509_privkey_deinit(key);
	gnutls_free(der.data);
}

static void cut_off_is_told(void **state)
{
	gnutls_datum_t der;
	struct collected c;

	(void)state;
	make_certificate("a", &der);
	c = collect(slice_of(der.data, der.size - 20), NULL);
	assert_int_equal(c.certificates, 0);
	assert_int_equal(c.problems, 1);
	assert_int_equal(c.items[0].reason, REASON_MALFORMED);
	assert_int_equal(strlen(c.items[0].sha256), 64);
	collected_fini(&c);
	gnutls_free(der.data);
}

/* Cut at every byte: nothing is read beyond the end, and what is evident is never passed over. */
static void cut_anywhere(void **state)
{
	gnutls_datum_t der;

	(void)state;
	make_certificate("a", &der);
	for (unsigned size = 0; size < der.size; size++) {
		struct collected c = collect(slice_of(der.data, size), NULL);

		assert_int_equal(c.certificates, 0);
		assert_true(size < 150 || c.problems == 1);
		collected_fini(&c);
	}
	gnutls_free(der.data);
}

static void others_are_not_mine(void **state)
{
	gnutls_x509_privkey_t key;
	gnutls_x509_crq_t request;
	gnutls_datum_t der;
	struct collected c;

	(void)state;
	assert_int_equal(gnutls_x509_privkey_init(&key), 0);
	assert_int_equal(gnutls_x509_privkey_generate(key, GNUTLS_PK_ECDSA,
				 GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0),
		0);
	assert_int_equal(gnutls_x509_privkey_export2(key, GNUTLS_X509_FMT_DER, &der), 0);
	c = collect(slice_datum(&der), NULL);
	assert_int_equal(c.count, 1);
	assert_true(c.items[0].is_record);
	assert_int_equal(c.items[0].record.kind, RECORD_KEY);
	collected_fini(&c);
	gnutls_free(der.data);
	assert_int_equal(gnutls_x509_crq_init(&request), 0);
	assert_int_equal(
		gnutls_x509_crq_set_dn_by_oid(request, GNUTLS_OID_X520_COMMON_NAME, 0, "r", 1), 0);
	assert_int_equal(gnutls_x509_crq_set_key(request, key), 0);
	assert_int_equal(gnutls_x509_crq_sign2(request, key, GNUTLS_DIG_SHA256, 0), 0);
	assert_int_equal(gnutls_x509_crq_export2(request, GNUTLS_X509_FMT_DER, &der), 0);
	c = collect(slice_datum(&der), NULL);
	assert_int_equal(c.count, 0);
	collected_fini(&c);
	gnutls_free(der.data);
	gnutls_x509_crq_deinit(request);
	gnutls_x509_privkey_deinit(key);
	c = collect(slice_text("0 is where this text starts, and 0x30 is its first byte"), NULL);
	assert_int_equal(c.count, 0);
	collected_fini(&c);
}

static void make_pkcs7(unsigned count, gnutls_datum_t *out)
{
	gnutls_pkcs7_t p;

	assert_int_equal(gnutls_pkcs7_init(&p), 0);
	for (unsigned i = 0; i < count; i++) {
		gnutls_datum_t der;

		make_certificate("member", &der);
		assert_int_equal(gnutls_pkcs7_set_crt_raw(p, &der), 0);
		gnutls_free(der.data);
	}
	assert_int_equal(gnutls_pkcs7_export2(p, GNUTLS_X509_FMT_DER, out), 0);
	gnutls_pkcs7_deinit(p);
}

static void pkcs7_in_der_and_pem(void **state)
{
	struct collected c;
	gnutls_datum_t der;
	struct buffer pem;

	(void)state;
	make_pkcs7(3, &der);
	c = collect(slice_datum(&der), NULL);
	assert_int_equal(c.certificates, 3);
	assert_int_equal(c.problems, 0);
	assert_string_equal(c.which->name, "pkcs7");
	collected_fini(&c);
	buffer_init(&pem, TEST_BYTES_MAX);
	put_pem(&pem, "PKCS7", slice_datum(&der));
	c = collect(buffer_bytes(&pem), NULL);
	assert_int_equal(c.certificates, 3);
	assert_string_equal(c.which->name, "pem");
	collected_fini(&c);
	buffer_clear(&pem);
	/* As Windows' certificate services label it. */
	put_pem(&pem, "CERTIFICATE", slice_datum(&der));
	c = collect(buffer_bytes(&pem), NULL);
	assert_int_equal(c.certificates, 3);
	assert_int_equal(c.problems, 0);
	collected_fini(&c);
	buffer_clear(&pem);
	put_pem(&pem, "CMS",
		slice_text(
			"\x30\x03\x02\x01\x01 and then bytes that mean nothing at all, but are so many "
			"that this is no sketch"));
	c = collect(buffer_bytes(&pem), NULL);
	assert_int_equal(c.certificates, 0);
	assert_int_equal(c.problems, 1);
	collected_fini(&c);
	buffer_fini(&pem);
	/* Cut off inside the last certificate: the others are there, and the last one is told of. */
	c = collect(slice_of(der.data, der.size - 40), NULL);
	assert_int_equal(c.certificates, 2);
	assert_int_equal(c.problems, 2);
	assert_int_equal(strlen(c.items[2].sha256), 64);
	collected_fini(&c);
	gnutls_free(der.data);
}

/* SignedData in indefinite lengths, as older software writes it. */
static void pkcs7_in_ber(void **state)
{
	static const char head[] =
		"\x30\x80\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02\xa0\x80\x30\x80\x02\x01\x01\x31"
		"\x00\x30\x80\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01\x00\x00\xa0\x80";
	gnutls_datum_t der;
	struct collected c;
	struct buffer b;

	(void)state;
	make_certificate("a", &der);
	buffer_init(&b, TEST_BYTES_MAX);
	buffer_append(&b, head, sizeof(head) - 1);
	buffer_slice(&b, slice_datum(&der));
	buffer_slice(&b, slice_datum(&der));
	buffer_append(&b, "\0\0\x31\x00\0\0\0\0\0\0", 10);
	c = collect(buffer_bytes(&b), NULL);
	assert_int_equal(c.certificates, 2);
	assert_int_equal(c.problems, 0);
	collected_fini(&c);
	buffer_fini(&b);
	gnutls_free(der.data);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_certificate_and_what_follows),
		cmocka_unit_test(beside_its_key),
		cmocka_unit_test(cut_off_is_told),
		cmocka_unit_test(cut_anywhere),
		cmocka_unit_test(others_are_not_mine),
		cmocka_unit_test(pkcs7_in_der_and_pem),
		cmocka_unit_test(pkcs7_in_ber),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
