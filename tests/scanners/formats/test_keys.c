/* Private keys in every form: the hash of their public half is that of their certificate. */
#include "collect.h"

#include "agent/certificate/private_key.h"
#include "scanners/formats/keys.h"

#include <gnutls/abstract.h>
#include <gnutls/pkcs12.h>

struct made {
	gnutls_x509_privkey_t key;
	uint8_t spki[FINGERPRINT_BYTES];
};

static struct made make_key(gnutls_pk_algorithm_t algorithm, unsigned bits)
{
	struct made m;
	gnutls_x509_crt_t crt;
	gnutls_pubkey_t public;
	gnutls_datum_t der;

	/* By way of a certificate, as the other half of the comparison goes. */
	assert_int_equal(gnutls_x509_privkey_init(&m.key), 0);
	assert_int_equal(gnutls_x509_privkey_generate(m.key, algorithm, bits, 0), 0);
	assert_int_equal(gnutls_x509_crt_init(&crt), 0);
	assert_int_equal(gnutls_x509_crt_set_key(crt, m.key), 0);
	assert_int_equal(gnutls_pubkey_init(&public), 0);
	assert_int_equal(gnutls_pubkey_import_x509(public, crt, 0), 0);
	assert_int_equal(gnutls_pubkey_export2(public, GNUTLS_X509_FMT_DER, &der), 0);
	assert_int_equal(gnutls_hash_fast(GNUTLS_DIG_SHA256, der.data, der.size, m.spki), 0);
	gnutls_free(der.data);
	gnutls_pubkey_deinit(public);
	gnutls_x509_crt_deinit(crt);
	return m;
}

static void export_pkcs8(const struct made *m, gnutls_x509_crt_fmt_t format, const char *password,
	unsigned flags, gnutls_datum_t *out)
{
	assert_int_equal(
		gnutls_x509_privkey_export2_pkcs8(m->key, format, password, flags, out), 0);
}

/* Exactly one key is told, and this is it. */
static void expect_key(const struct collected *c, const struct made *m, bool is_encrypted)
{
	assert_int_equal(c->count, 1);
	assert_true(c->items[0].is_record);
	assert_int_equal(c->items[0].record.kind, RECORD_KEY);
	assert_true(c->items[0].record.key.is_known);
	assert_int_equal(c->items[0].record.key.is_encrypted, is_encrypted);
	assert_memory_equal(c->items[0].record.key.spki_sha256, m->spki, FINGERPRINT_BYTES);
}

static void expect_locked(const struct collected *c)
{
	assert_int_equal(c->count, 1);
	assert_true(c->items[0].is_record);
	assert_int_equal(c->items[0].record.kind, RECORD_KEY);
	assert_false(c->items[0].record.key.is_known);
	assert_true(c->items[0].record.key.is_encrypted);
}

static void parse_and_expect(gnutls_datum_t *bytes, const struct made *m)
{
	struct collected c = collect(slice_datum(bytes), NULL);

	expect_key(&c, m, false);
	collected_fini(&c);
	gnutls_free(bytes->data);
}

static void test_forms(void **state)
{
	static const struct {
		gnutls_pk_algorithm_t algorithm;
		unsigned bits;
		const char *name;
	} kinds[] = {
		{ GNUTLS_PK_RSA, 2048, "RSA" },
		{ GNUTLS_PK_RSA_PSS, 2048, "RSA-PSS" },
		{ GNUTLS_PK_DSA, 1024, "DSA" },
		{ GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), "ECDSA" },
		{ GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP521R1), "ECDSA" },
		{ GNUTLS_PK_EDDSA_ED25519, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_ED25519),
			"Ed25519" },
		{ GNUTLS_PK_EDDSA_ED448, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_ED448), "Ed448" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		struct made m = make_key(kinds[i].algorithm, kinds[i].bits);
		struct collected c;
		gnutls_datum_t out;

		export_pkcs8(&m, GNUTLS_X509_FMT_DER, NULL, GNUTLS_PKCS_PLAIN, &out);
		c = collect(slice_datum(&out), NULL);
		assert_string_equal(c.items[0].record.key.algorithm, kinds[i].name);
		collected_fini(&c);
		parse_and_expect(&out, &m);
		export_pkcs8(&m, GNUTLS_X509_FMT_PEM, NULL, GNUTLS_PKCS_PLAIN, &out);
		parse_and_expect(&out, &m);
		/* PKCS#1 does not say that a key is for PSS alone; EdDSA has no form of its own. */
		if (kinds[i].algorithm == GNUTLS_PK_RSA_PSS ||
			kinds[i].algorithm == GNUTLS_PK_EDDSA_ED25519 ||
			kinds[i].algorithm == GNUTLS_PK_EDDSA_ED448) {
			gnutls_x509_privkey_deinit(m.key);
			continue;
		}
		/* The form of the algorithm's own: PKCS#1, SEC 1, DSA's. */
		assert_int_equal(gnutls_x509_privkey_export2(m.key, GNUTLS_X509_FMT_PEM, &out), 0);
		parse_and_expect(&out, &m);
		assert_int_equal(gnutls_x509_privkey_export2(m.key, GNUTLS_X509_FMT_DER, &out), 0);
		parse_and_expect(&out, &m);
		gnutls_x509_privkey_deinit(m.key);
	}
}

/* Ciphers that are not known leave the key locked, as does a wrong password; no problem is told. */
static void test_passwords(void **state)
{
	static const unsigned ciphers[] = { GNUTLS_PKCS_PBES2_AES_256, GNUTLS_PKCS_PBES2_3DES,
		GNUTLS_PKCS_PKCS12_3DES };
	struct made m = make_key(GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1));
	char *words[] = { (char *)"wrong", (char *)"käse" };
	const struct strings right = { words, 2, 2 };
	const struct strings wrong = { words, 1, 1 };

	(void)state;
	for (size_t i = 0; i < sizeof(ciphers) / sizeof(*ciphers); i++) {
		for (int f = 0; f < 2; f++) {
			struct collected c;
			gnutls_datum_t out;

			export_pkcs8(&m, f ? GNUTLS_X509_FMT_PEM : GNUTLS_X509_FMT_DER, "käse",
				ciphers[i], &out);
			c = collect(slice_datum(&out), &right);
			expect_key(&c, &m, true);
			collected_fini(&c);
			c = collect(slice_datum(&out), &wrong);
			expect_locked(&c);
			collected_fini(&c);
			c = collect(slice_datum(&out), NULL);
			expect_locked(&c);
			collected_fini(&c);
			gnutls_free(out.data);
		}
	}
	gnutls_x509_privkey_deinit(m.key);
}

/* Made by `openssl rsa -aes256 -traditional -passout pass:secret` of a key of 512 bits; `spki` is the SHA-256
 * of `openssl rsa -pubout -outform DER`. */
static void test_openssl_traditional(void **state)
{
	static const char pem[] =
		"-----BEGIN RSA PRIVATE KEY-----\n"
		"Proc-Type: 4,ENCRYPTED\n"
		"DEK-Info: AES-256-CBC,BE13E5FEFB592645E7D7B23AC0BDD088\n"
		"\n"
		"4hQnKk/ykbCrmfrv9hSNbZbiLv4AOnoTq5lMCXX7igPLDqdokQUOltpQ//UjgsNO\n"
		"qZ8sq2q1urEtAdYpFe/au1a9f/GHaJ0Ey0nPqy6mXyvfPAMByBi8cGsM38XPjxQh\n"
		"UZkqyjxXIScS6ry3hkzSmrEs0atCRbnZoBs11OrHMeFrsepVBPYDaiipvvLzJtmx\n"
		"+ECHq5MTWwaiqnMU76oBas0XCTpY0e/WrFRXwzBJq7DmosY8CPjenpFSVNOBDqq+\n"
		"LWCkd0lXRCYok2U9KonNnmwZyFFzaiPFRoaU3xnqmJ5wrQzBasEI/QYjhvxKifIF\n"
		"5eqWvu9KRgGxaTfGeJ70DLpFl+YmT5cdeWhgP825M/xzl7jj4A2HNkXmtr7e/9G2\n"
		"qT9JndFCd2FG7diulOkOr7YrHZ2JoWhqEUdL9gOvNr8=\n"
		"-----END RSA PRIVATE KEY-----\n";
	static const char spki[] =
		"e97751ab0b29b13df35fa23157a8ff737fa919b949d9ca089ea0127dea9ac7ed";
	char *words[] = { (char *)"no", (char *)"secret" };
	const struct strings right = { words, 2, 2 };
	struct collected c = collect(slice_text(pem), &right);
	char hex[FINGERPRINT_TEXT_BYTES];

	(void)state;
	assert_int_equal(c.count, 1);
	assert_true(c.items[0].record.key.is_known);
	assert_true(c.items[0].record.key.is_encrypted);
	text_hex(hex, c.items[0].record.key.spki_sha256, FINGERPRINT_BYTES);
	assert_string_equal(hex, spki);
	collected_fini(&c);
	c = collect(slice_text(pem), NULL);
	expect_locked(&c);
	collected_fini(&c);
}

/* The key of a PKCS#12 file, and its name. */
static void test_pkcs12(void **state)
{
	struct made m = make_key(GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1));
	char *words[] = { (char *)"secret" };
	const struct strings right = { words, 1, 1 };
	gnutls_datum_t plain;
	gnutls_datum_t out;
	gnutls_pkcs12_bag_t bag;
	gnutls_pkcs12_t p;
	struct collected c;

	(void)state;
	export_pkcs8(&m, GNUTLS_X509_FMT_DER, "secret", GNUTLS_PKCS_PBES2_AES_256, &plain);
	assert_int_equal(gnutls_pkcs12_bag_init(&bag), 0);
	assert_true(gnutls_pkcs12_bag_set_data(bag, GNUTLS_BAG_PKCS8_ENCRYPTED_KEY, &plain) >= 0);
	assert_int_equal(gnutls_pkcs12_bag_set_friendly_name(bag, 0, "a key"), 0);
	assert_int_equal(gnutls_pkcs12_init(&p), 0);
	assert_int_equal(gnutls_pkcs12_set_bag(p, bag), 0);
	assert_int_equal(gnutls_pkcs12_generate_mac2(p, GNUTLS_MAC_SHA256, "secret"), 0);
	assert_int_equal(gnutls_pkcs12_export2(p, GNUTLS_X509_FMT_DER, &out), 0);
	c = collect(slice_datum(&out), &right);
	expect_key(&c, &m, true);
	assert_string_equal(c.items[0].record.location.alias, "a key");
	collected_fini(&c);
	/* Of the store nothing could be read, which is a problem besides. */
	c = collect(slice_datum(&out), NULL);
	assert_int_equal(c.count, 2);
	assert_int_equal(c.items[1].reason, REASON_NEEDS_PASSWORD);
	c.count = 1;
	expect_locked(&c);
	c.count = 2;
	collected_fini(&c);
	gnutls_pkcs12_deinit(p);
	gnutls_pkcs12_bag_deinit(bag);
	gnutls_free(out.data);
	gnutls_free(plain.data);
	gnutls_x509_privkey_deinit(m.key);
}

/* A key cut off anywhere, or with any byte changed, is a key or nothing: never a problem, never a crash. */
static void test_damaged(void **state)
{
	struct made m = make_key(GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1));
	gnutls_datum_t out;

	(void)state;
	export_pkcs8(&m, GNUTLS_X509_FMT_DER, NULL, GNUTLS_PKCS_PLAIN, &out);
	for (unsigned size = 0; size < out.size; size++) {
		struct collected c = collect(slice_of(out.data, size), NULL);

		assert_int_equal(c.count, 0);
		collected_fini(&c);
	}
	for (unsigned i = 0; i < out.size; i++) {
		struct collected c;

		out.data[i] ^= 0xff;
		c = collect(slice_datum(&out), NULL);
		assert_int_equal(c.problems, 0);
		assert_true(c.count <= 1);
		collected_fini(&c);
		out.data[i] ^= 0xff;
	}
	gnutls_free(out.data);
	gnutls_x509_privkey_deinit(m.key);
}

static void put_u32(struct buffer *out, size_t value)
{
	for (int shift = 24; shift >= 0; shift -= 8)
		buffer_byte(out, (uint8_t)(value >> shift));
}

static void put_string(struct buffer *out, struct slice s)
{
	put_u32(out, s.size);
	buffer_slice(out, s);
}

/* As ssh-keygen writes it; `numbers` are the public half's behind its type. */
static struct buffer openssh_key(
	const char *cipher, const char *type, const struct slice *numbers, size_t count)
{
	struct buffer blob, body, pem;

	buffer_init(&blob, TEST_BYTES_MAX);
	put_string(&blob, slice_text(type));
	for (size_t i = 0; i < count; i++)
		put_string(&blob, numbers[i]);
	buffer_init(&body, TEST_BYTES_MAX);
	buffer_append(&body, "openssh-key-v1", sizeof("openssh-key-v1"));
	put_string(&body, slice_text(cipher));
	put_string(&body, slice_text("bcrypt"));
	put_string(&body, slice_text("salt and rounds"));
	put_u32(&body, 1);
	put_string(&body, buffer_bytes(&blob));
	put_string(&body, slice_text("the sealed part"));
	buffer_init(&pem, TEST_BYTES_MAX);
	put_pem(&pem, "OPENSSH PRIVATE KEY", buffer_bytes(&body));
	buffer_fini(&blob);
	buffer_fini(&body);
	return pem;
}

static void expect_openssh(
	struct made *m, const char *type, const struct slice *numbers, size_t count)
{
	static const char *const ciphers[] = { "none", "aes256-ctr" };

	for (size_t i = 0; i < 2; i++) {
		struct buffer pem = openssh_key(ciphers[i], type, numbers, count);
		struct collected c = collect(buffer_bytes(&pem), NULL);

		expect_key(&c, m, i == 1);
		collected_fini(&c);
		buffer_fini(&pem);
	}
	gnutls_x509_privkey_deinit(m->key);
}

static void test_openssh(void **state)
{
	struct made m = make_key(GNUTLS_PK_RSA, 2048);
	gnutls_datum_t n, e, d, p, q, u, x, y;
	uint8_t point[1 + 2 * 32] = { 4 };
	gnutls_ecc_curve_t curve;
	struct buffer pem;
	struct collected c;

	(void)state;
	assert_int_equal(gnutls_x509_privkey_export_rsa_raw(m.key, &n, &e, &d, &p, &q, &u), 0);
	expect_openssh(
		&m, "ssh-rsa", (const struct slice[]){ slice_datum(&e), slice_datum(&n) }, 2);
	gnutls_free(n.data);
	gnutls_free(e.data);
	gnutls_free(d.data);
	gnutls_free(p.data);
	gnutls_free(q.data);
	gnutls_free(u.data);
	m = make_key(GNUTLS_PK_EDDSA_ED25519, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_ED25519));
	assert_int_equal(gnutls_x509_privkey_export_ecc_raw(m.key, &curve, &x, &y, &d), 0);
	expect_openssh(&m, "ssh-ed25519", (const struct slice[]){ slice_datum(&x) }, 1);
	gnutls_free(x.data);
	gnutls_free(y.data);
	gnutls_free(d.data);
	m = make_key(GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1));
	assert_int_equal(gnutls_x509_privkey_export_ecc_raw(m.key, &curve, &x, &y, &d), 0);
	/* A leading zero may be there or lack. */
	memcpy(point + 1 + (x.size > 32 ? 0 : 32 - x.size), x.data + (x.size > 32),
		x.size > 32 ? 32 : x.size);
	memcpy(point + 33 + (y.size > 32 ? 0 : 32 - y.size), y.data + (y.size > 32),
		y.size > 32 ? 32 : y.size);
	expect_openssh(&m, "ecdsa-sha2-nistp256",
		(const struct slice[]){ slice_text("nistp256"), slice_of(point, sizeof(point)) },
		2);
	/* What is damaged is no key: half a point, an unknown kind, too much. */
	pem = openssh_key("none", "ecdsa-sha2-nistp256",
		(const struct slice[]){ slice_text("nistp256"), slice_of(point, 33) }, 2);
	c = collect(buffer_bytes(&pem), NULL);
	assert_int_equal(c.count, 0);
	collected_fini(&c);
	buffer_fini(&pem);
	pem = openssh_key("none", "ssh-new", &(const struct slice){ 0 }, 1);
	c = collect(buffer_bytes(&pem), NULL);
	assert_int_equal(c.count, 0);
	collected_fini(&c);
	buffer_fini(&pem);
	gnutls_free(x.data);
	gnutls_free(y.data);
	gnutls_free(d.data);
}

/* A manual's placeholder is no key. */
static void test_sketch(void **state)
{
	struct collected c = collect(
		slice_text("-----BEGIN PRIVATE KEY-----\nMIIEvQ...\n-----END PRIVATE KEY-----\n"),
		NULL);

	(void)state;
	assert_int_equal(c.count, 0);
	collected_fini(&c);
}

/* One file with thousands of keys costs no more than the bound, and says that there were more. */
static void test_many(void **state)
{
	struct made m = make_key(GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1));
	gnutls_datum_t out;
	struct buffer text;
	struct collected c;

	(void)state;
	export_pkcs8(&m, GNUTLS_X509_FMT_PEM, NULL, GNUTLS_PKCS_PLAIN, &out);
	buffer_init(&text, TEST_BYTES_MAX);
	for (int i = 0; i < FORMAT_KEYS_MAX + 10; i++)
		buffer_append(&text, out.data, out.size);
	c = collect(buffer_bytes(&text), NULL);
	assert_int_equal(c.count, FORMAT_KEYS_MAX + 1);
	assert_int_equal(c.problems, 1);
	assert_int_equal(c.items[FORMAT_KEYS_MAX].reason, REASON_LIMIT_REACHED);
	collected_fini(&c);
	buffer_fini(&text);
	gnutls_free(out.data);
	gnutls_x509_privkey_deinit(m.key);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_forms),
		cmocka_unit_test(test_passwords),
		cmocka_unit_test(test_openssl_traditional),
		cmocka_unit_test(test_pkcs12),
		cmocka_unit_test(test_openssh),
		cmocka_unit_test(test_damaged),
		cmocka_unit_test(test_sketch),
		cmocka_unit_test(test_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
