/* PKCS#12: passwords, bounds, trust stores larger than the library reads. */
#include "collect.h"

#include "scanners/formats/oid.h"
#include "scanners/formats/unicode.h"

#include <gnutls/pkcs12.h>

#define OID_CERTIFICATE_BAG "\x2a\x86\x48\x86\xf7\x0d\x01\x0c\x0a\x01\x03"
#define OID_X509 "\x2a\x86\x48\x86\xf7\x0d\x01\x09\x16\x01"
#define LITERAL(s) slice_of(s, sizeof(s) - 1)

struct fixture {
	gnutls_datum_t der;
	char sha256[65];
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	make_certificate("p12", &f->der);
	sha256_text(slice_datum(&f->der), f->sha256);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	gnutls_free(f->der.data);
	free(f);
	return 0;
}

struct recipe {
	const char *password;
	const char *mac_password;
	unsigned encryption; /* gnutls_pkcs_encrypt_flags_t, 0 = none */
	bool has_mac;
};

/* The library exports nothing without a MAC: writes the PFX anew from version and content. */
static void drop_mac(gnutls_datum_t *pfx)
{
	struct slice left = slice_datum(pfx);
	struct asn1 outer, version, content;
	struct buffer b;

	assert_true(asn1_expect(&left, ASN1_SEQUENCE, &outer));
	assert_true(asn1_expect(&outer.content, ASN1_INTEGER, &version));
	assert_true(asn1_expect(&outer.content, ASN1_SEQUENCE, &content));
	buffer_init(&b, TEST_BYTES_MAX);
	buffer_slice(&b, version.whole);
	buffer_slice(&b, content.whole);
	wrap(&b, ASN1_SEQUENCE);
	assert_true(b.size <= pfx->size);
	memcpy(pfx->data, b.data, b.size);
	pfx->size = (unsigned)b.size;
	buffer_fini(&b);
}

static void make_pkcs12(const struct fixture *f, const struct recipe *r, gnutls_datum_t *out)
{
	gnutls_pkcs12_bag_t bag;
	gnutls_x509_crt_t crt;
	gnutls_pkcs12_t p;

	assert_int_equal(gnutls_x509_crt_init(&crt), 0);
	assert_int_equal(gnutls_x509_crt_import(crt, &f->der, GNUTLS_X509_FMT_DER), 0);
	assert_int_equal(gnutls_pkcs12_bag_init(&bag), 0);
	assert_true(gnutls_pkcs12_bag_set_crt(bag, crt) >= 0);
	assert_int_equal(gnutls_pkcs12_bag_set_friendly_name(bag, 0, "a friendly name"), 0);
	if (r->encryption)
		assert_int_equal(gnutls_pkcs12_bag_encrypt(bag, r->password, r->encryption), 0);
	assert_int_equal(gnutls_pkcs12_init(&p), 0);
	assert_int_equal(gnutls_pkcs12_set_bag(p, bag), 0);
	assert_int_equal(gnutls_pkcs12_generate_mac2(p, GNUTLS_MAC_SHA256, r->mac_password), 0);
	assert_int_equal(gnutls_pkcs12_export2(p, GNUTLS_X509_FMT_DER, out), 0);
	if (!r->has_mac)
		drop_mac(out);
	gnutls_pkcs12_deinit(p);
	gnutls_pkcs12_bag_deinit(bag);
	gnutls_x509_crt_deinit(crt);
}

static void expect_one(const struct fixture *f, const struct recipe *r,
	const struct strings *passwords, const char *integrity)
{
	struct collected c;
	gnutls_datum_t p12;

	make_pkcs12(f, r, &p12);
	c = collect(slice_datum(&p12), passwords);
	if (c.certificates != 1 || c.problems)
		print_message("encryption %#x, password %s, MAC %d\n", r->encryption,
			r->password ? r->password : "(none)", r->has_mac);
	assert_int_equal(c.certificates, 1);
	assert_int_equal(c.problems, 0);
	assert_string_equal(c.which->name, "pkcs12");
	assert_string_equal(c.items[0].sha256, f->sha256);
	assert_string_equal(c.items[0].alias, "a friendly name");
	if (integrity)
		assert_string_equal(c.items[0].integrity, integrity);
	else
		assert_null(c.items[0].integrity);
	collected_fini(&c);
	gnutls_free(p12.data);
}

static void ciphers_and_passwords(void **state)
{
	static const unsigned ciphers[] = { GNUTLS_PKCS_PKCS12_3DES, GNUTLS_PKCS_PKCS12_ARCFOUR,
		GNUTLS_PKCS_PKCS12_RC2_40, GNUTLS_PKCS_PBES2_3DES, GNUTLS_PKCS_PBES2_AES_128,
		GNUTLS_PKCS_PBES2_AES_192, GNUTLS_PKCS_PBES2_AES_256 };
	static const char *const words[] = { "", "secret", "p\xc3\xa4ss \xf0\x9f\x94\x91" };
	const struct fixture *f = *state;
	struct strings passwords = { 0 };

	assert_int_equal(strings_add(&passwords, "wrong"), ERR_OK);
	assert_int_equal(strings_add(&passwords, words[1]), ERR_OK);
	assert_int_equal(strings_add(&passwords, words[2]), ERR_OK);
	/* The library asks for 600,000 iterations, so not everything is combined with everything. */
	for (size_t i = 0; i < sizeof(ciphers) / sizeof(ciphers[0]); i++) {
		const char *word = words[i % (sizeof(words) / sizeof(words[0]))];
		struct recipe r = { .password = word,
			.mac_password = word,
			.has_mac = i % 2 == 0,
			.encryption = ciphers[i] };

		expect_one(f, &r, &passwords, NULL);
	}
	/* The MAC has one password, the bag another. */
	expect_one(f,
		&(struct recipe){ .password = words[1],
			.mac_password = words[2],
			.has_mac = true,
			.encryption = GNUTLS_PKCS_PBES2_AES_256 },
		&passwords, NULL);
	expect_one(f,
		&(struct recipe){ .password = words[1],
			.mac_password = "unknown",
			.has_mac = true,
			.encryption = GNUTLS_PKCS_PBES2_AES_256 },
		&passwords, "unverified");
	/* Nothing is encrypted: nothing is needed. */
	expect_one(f, &(struct recipe){ .mac_password = "unknown", .has_mac = true }, NULL,
		"unverified");
	expect_one(f, &(struct recipe){ 0 }, NULL, NULL);
	expect_one(f, &(struct recipe){ .mac_password = NULL, .has_mac = true }, NULL, NULL);
	strings_fini(&passwords);
}

static void locked_says_so(void **state)
{
	struct recipe r = { .password = "x",
		.mac_password = "x",
		.has_mac = true,
		.encryption = GNUTLS_PKCS_PBES2_AES_256 };
	const struct fixture *f = *state;
	struct strings passwords = { 0 };
	struct collected c;
	gnutls_datum_t p12;

	make_pkcs12(f, &r, &p12);
	c = collect(slice_datum(&p12), NULL);
	assert_int_equal(c.certificates, 0);
	assert_int_equal(c.problems, 1);
	assert_int_equal(c.items[0].reason, REASON_NEEDS_PASSWORD);
	collected_fini(&c);
	assert_int_equal(strings_add(&passwords, "y"), ERR_OK);
	c = collect(slice_datum(&p12), &passwords);
	assert_int_equal(c.certificates, 0);
	assert_int_equal(c.problems, 1);
	assert_int_equal(c.items[0].reason, REASON_WRONG_PASSWORD);
	collected_fini(&c);
	strings_fini(&passwords);
	gnutls_free(p12.data);
}

/* --- by hand ---------------------------------------------------------------------------------- */

static void put_bag(struct buffer *out, struct slice der)
{
	struct buffer b, bag;

	buffer_init(&b, TEST_BYTES_MAX);
	put_tlv(&b, ASN1_OCTETS, der);
	wrap(&b, 0xa0);
	buffer_init(&bag, TEST_BYTES_MAX);
	put_tlv(&bag, ASN1_OID, LITERAL(OID_X509));
	buffer_slice(&bag, buffer_bytes(&b));
	wrap(&bag, ASN1_SEQUENCE);
	wrap(&bag, 0xa0);
	buffer_clear(&b);
	put_tlv(&b, ASN1_OID, LITERAL(OID_CERTIFICATE_BAG));
	buffer_slice(&b, buffer_bytes(&bag));
	put_tlv(out, ASN1_SEQUENCE, buffer_bytes(&b));
	buffer_fini(&bag);
	buffer_fini(&b);
}

/* A ContentInfo of data with `content` in its OCTET STRING. */
static void put_data(struct buffer *out, struct slice content)
{
	struct buffer b, outer;

	buffer_init(&b, TEST_BYTES_MAX);
	put_tlv(&b, ASN1_OCTETS, content);
	wrap(&b, 0xa0);
	buffer_init(&outer, TEST_BYTES_MAX);
	put_tlv(&outer, ASN1_OID, LITERAL(OID_DATA));
	buffer_slice(&outer, buffer_bytes(&b));
	put_tlv(out, ASN1_SEQUENCE, buffer_bytes(&outer));
	buffer_fini(&outer);
	buffer_fini(&b);
}

static void put_pfx(struct buffer *out, struct slice parts)
{
	struct buffer safe;

	buffer_init(&safe, TEST_BYTES_MAX);
	put_tlv(&safe, ASN1_SEQUENCE, parts);
	put_tlv(out, ASN1_INTEGER, LITERAL("\x03"));
	put_data(out, buffer_bytes(&safe));
	wrap(out, ASN1_SEQUENCE);
	buffer_fini(&safe);
}

/* Java's trust stores have hundreds of certificates in one bag; the library stops at 32. */
static void large_trust_store(void **state)
{
	const struct fixture *f = *state;
	struct buffer bags, parts, pfx;
	struct collected c;

	buffer_init(&bags, TEST_BYTES_MAX);
	buffer_init(&parts, TEST_BYTES_MAX);
	buffer_init(&pfx, TEST_BYTES_MAX);
	for (int i = 0; i < 140; i++)
		put_bag(&bags, slice_datum(&f->der));
	wrap(&bags, ASN1_SEQUENCE);
	put_data(&parts, buffer_bytes(&bags));
	put_pfx(&pfx, buffer_bytes(&parts));
	c = collect(buffer_bytes(&pfx), NULL);
	assert_int_equal(c.certificates, 140);
	assert_int_equal(c.problems, 0);
	collected_fini(&c);
	/* Cut anywhere near the end: told, not missed. */
	c = collect(slice_of(pfx.data, pfx.size - 10), NULL);
	assert_int_equal(c.problems, 1);
	collected_fini(&c);
	buffer_fini(&bags);
	buffer_fini(&parts);
	buffer_fini(&pfx);
}

/* An encrypted part: PBES2, PBKDF2 with `iterations`, AES-256. */
static void put_encrypted(struct buffer *out, struct slice iterations, struct slice kdf_oid)
{
	struct buffer a, b, c;

	buffer_init(&a, TEST_BYTES_MAX);
	buffer_init(&b, TEST_BYTES_MAX);
	buffer_init(&c, TEST_BYTES_MAX);
	put_tlv(&a, ASN1_OCTETS, LITERAL("saltsalt"));
	put_tlv(&a, ASN1_INTEGER, iterations);
	wrap(&a, ASN1_SEQUENCE);
	put_tlv(&b, ASN1_OID, kdf_oid);
	buffer_slice(&b, buffer_bytes(&a));
	wrap(&b, ASN1_SEQUENCE);
	buffer_clear(&a);
	put_tlv(&a, ASN1_OID, LITERAL("\x60\x86\x48\x01\x65\x03\x04\x01\x2a"));
	put_tlv(&a, ASN1_OCTETS, LITERAL("0123456789abcdef"));
	wrap(&a, ASN1_SEQUENCE);
	buffer_slice(&b, buffer_bytes(&a));
	wrap(&b, ASN1_SEQUENCE);
	put_tlv(&c, ASN1_OID, LITERAL("\x2a\x86\x48\x86\xf7\x0d\x01\x05\x0d"));
	buffer_slice(&c, buffer_bytes(&b));
	wrap(&c, ASN1_SEQUENCE);
	buffer_clear(&a);
	put_tlv(&a, ASN1_OID, LITERAL(OID_DATA));
	buffer_slice(&a, buffer_bytes(&c));
	put_tlv(&a, 0x80, LITERAL("0123456789abcdef0123456789abcdef"));
	wrap(&a, ASN1_SEQUENCE);
	buffer_clear(&b);
	put_tlv(&b, ASN1_INTEGER, LITERAL("\0"));
	buffer_slice(&b, buffer_bytes(&a));
	wrap(&b, ASN1_SEQUENCE);
	wrap(&b, 0xa0);
	buffer_clear(&c);
	put_tlv(&c, ASN1_OID, LITERAL(OID_ENCRYPTED_DATA));
	buffer_slice(&c, buffer_bytes(&b));
	put_tlv(out, ASN1_SEQUENCE, buffer_bytes(&c));
	buffer_fini(&a);
	buffer_fini(&b);
	buffer_fini(&c);
}

static void expect_reason(struct slice iterations, unsigned parts_count, enum reason reason)
{
	struct slice pbkdf2 = LITERAL("\x2a\x86\x48\x86\xf7\x0d\x01\x05\x0c");
	struct strings passwords = { 0 };
	struct buffer parts, pfx;
	clock_t start = clock();
	struct collected c;

	for (int i = 0; i < 50; i++)
		assert_int_equal(strings_add(&passwords, "candidate"), ERR_OK);
	buffer_init(&parts, TEST_BYTES_MAX);
	buffer_init(&pfx, TEST_BYTES_MAX);
	while (parts_count--)
		put_encrypted(&parts, iterations, pbkdf2);
	put_pfx(&pfx, buffer_bytes(&parts));
	c = collect(buffer_bytes(&pfx), &passwords);
	print_message("%.2f s\n", (double)(clock() - start) / CLOCKS_PER_SEC);
	assert_int_equal(c.certificates, 0);
	assert_int_equal(c.items[c.count - 1].reason, reason);
	assert_true((clock() - start) / CLOCKS_PER_SEC < 10);
	collected_fini(&c);
	buffer_fini(&parts);
	buffer_fini(&pfx);
	strings_fini(&passwords);
}

static void iterations_are_bounded(void **state)
{
	(void)state;
	expect_reason(LITERAL("\x7f\xff\xff\xff"), 1, REASON_LIMIT_REACHED);
	expect_reason(LITERAL("\x7f\xff\xff\xff"), 1000, REASON_LIMIT_REACHED);
	expect_reason(LITERAL("\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00"), 1, REASON_LIMIT_REACHED);
	expect_reason(LITERAL("\xff"), 1, REASON_LIMIT_REACHED);
	/* Each count is small, all together are not. */
	expect_reason(LITERAL("\x07\xd0"), 1000, REASON_LIMIT_REACHED);
	expect_reason(LITERAL("\x07\xd0"), 1, REASON_WRONG_PASSWORD);
}

static void unknown_algorithm_is_named(void **state)
{
	struct buffer parts, pfx;
	struct collected c;

	(void)state;
	buffer_init(&parts, TEST_BYTES_MAX);
	buffer_init(&pfx, TEST_BYTES_MAX);
	put_encrypted(&parts, LITERAL("\x07\xd0"), LITERAL("\x2b\x06\x01\x04\x01\xda\x47\x04\x0c"));
	put_pfx(&pfx, buffer_bytes(&parts));
	c = collect(buffer_bytes(&pfx), NULL);
	assert_int_equal(c.problems, 1);
	assert_int_equal(c.items[0].reason, REASON_UNSUPPORTED);
	assert_non_null(strstr(c.items[0].message, "1.3.6.1.4.1.11591.4.12"));
	collected_fini(&c);
	buffer_fini(&parts);
	buffer_fini(&pfx);
}

static void names_in_utf16(void **state)
{
	static const struct {
		struct slice wide;
		const char *text;
	} cases[] = {
		{ { (const uint8_t *)"\0a\0\xe4\x20\xac", 6 }, "a\xc3\xa4\xe2\x82\xac" },
		{ { (const uint8_t *)"\xd8\x3d\xdd\x11", 4 }, "\xf0\x9f\x94\x91" },
		{ { (const uint8_t *)"\xd8\x3d\0a", 4 }, "\xef\xbf\xbd"
							 "a" },
		{ { (const uint8_t *)"\0a\0\0\0", 5 }, "a\xef\xbf\xbd\xef\xbf\xbd" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct buffer out, back;

		buffer_init(&out, TEST_BYTES_MAX);
		unicode_from_utf16be(cases[i].wide, &out);
		assert_string_equal(buffer_string(&out), cases[i].text);
		buffer_init(&back, TEST_BYTES_MAX);
		unicode_to_utf16be(cases[i].text, &back);
		if (i < 2)
			assert_memory_equal(back.data, cases[i].wide.data, cases[i].wide.size);
		buffer_fini(&back);
		buffer_fini(&out);
	}
}

/* Every byte changed in turn, and cut at every byte: always an answer. */
static void damaged_anywhere(void **state)
{
	const struct fixture *f = *state;
	struct buffer bags, parts, pfx;
	struct collected c;

	buffer_init(&bags, TEST_BYTES_MAX);
	buffer_init(&parts, TEST_BYTES_MAX);
	buffer_init(&pfx, TEST_BYTES_MAX);
	put_bag(&bags, slice_datum(&f->der));
	wrap(&bags, ASN1_SEQUENCE);
	put_data(&parts, buffer_bytes(&bags));
	put_encrypted(&parts, LITERAL("\x07\xd0"), LITERAL("\x2a\x86\x48\x86\xf7\x0d\x01\x05\x0c"));
	put_pfx(&pfx, buffer_bytes(&parts));
	for (size_t i = 0; i < pfx.size; i++) {
		pfx.data[i] ^= 0x55;
		c = collect(buffer_bytes(&pfx), NULL);
		collected_fini(&c);
		pfx.data[i] ^= 0x55;
		c = collect(slice_of(pfx.data, i), NULL);
		assert_int_equal(c.certificates, 0);
		assert_true(i < 60 || c.problems == 1);
		collected_fini(&c);
	}
	c = collect(buffer_bytes(&pfx), NULL);
	assert_int_equal(c.certificates, 1);
	assert_int_equal(c.items[1].reason, REASON_NEEDS_PASSWORD);
	collected_fini(&c);
	buffer_fini(&bags);
	buffer_fini(&parts);
	buffer_fini(&pfx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(ciphers_and_passwords, setup, teardown),
		cmocka_unit_test_setup_teardown(locked_says_so, setup, teardown),
		cmocka_unit_test_setup_teardown(large_trust_store, setup, teardown),
		cmocka_unit_test(iterations_are_bounded),
		cmocka_unit_test(unknown_algorithm_is_named),
		cmocka_unit_test(names_in_utf16),
		cmocka_unit_test_setup_teardown(damaged_anywhere, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
