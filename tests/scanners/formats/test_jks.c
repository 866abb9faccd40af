/* Java keystores, made by hand, whole and damaged. */
#include "collect.h"

static void put_number(struct buffer *b, uint64_t v, size_t size)
{
	while (size--)
		buffer_byte(b, (uint8_t)(v >> (8 * size)));
}

static void put_head(struct buffer *b, uint32_t magic, uint32_t version, uint32_t count)
{
	put_number(b, magic, 4);
	put_number(b, version, 4);
	put_number(b, count, 4);
}

static void put_entry(struct buffer *b, uint32_t tag, const char *alias)
{
	put_number(b, tag, 4);
	put_number(b, strlen(alias), 2);
	buffer_text(b, alias);
	put_number(b, 1700000000000, 8);
}

static void put_certificate(struct buffer *b, uint32_t version, struct slice der)
{
	if (version > 1) {
		put_number(b, 5, 2);
		buffer_text(b, "X.509");
	}
	put_number(b, der.size, 4);
	buffer_slice(b, der);
}

static void put_digest(struct buffer *b, const char *ascii)
{
	gnutls_hash_hd_t hash;
	uint8_t digest[20];

	assert_int_equal(gnutls_hash_init(&hash, GNUTLS_DIG_SHA1), 0);
	for (; *ascii; ascii++) {
		(void)gnutls_hash(hash, "\0", 1);
		(void)gnutls_hash(hash, ascii, 1);
	}
	(void)gnutls_hash(hash, "Mighty Aphrodite", 16);
	(void)gnutls_hash(hash, b->data, b->size);
	gnutls_hash_deinit(hash, digest);
	buffer_append(b, digest, sizeof(digest));
}

/* A trusted certificate, a key with a chain of two, and with JCEKS a sealed key in between. */
static void put_store(struct buffer *b, uint32_t magic, uint32_t version, struct slice der)
{
	bool has_secret = magic == 0xcecececeU;

	put_head(b, magic, version, has_secret ? 3 : 2);
	put_entry(b, 2, "trusted");
	put_certificate(b, version, der);
	if (has_secret) {
		put_entry(b, 3, "secret");
		put_number(b, 0xaced0005U, 4);
		buffer_text(b, "sr com.sun.crypto.provider.SealedObjectForKeyProtector and so on");
		put_number(b, 2, 4);
	}
	put_entry(b, 1, "\xc3\xa4 key\xc0\x80");
	put_number(b, 5, 4);
	buffer_text(b, "\x30\x03\x02\x01\x01");
	put_number(b, 2, 4);
	put_certificate(b, version, der);
	put_certificate(b, version, der);
	put_digest(b, "changeit");
}

static void all_kinds_and_versions(void **state)
{
	struct strings passwords = { 0 };
	gnutls_datum_t der;

	(void)state;
	make_certificate("java", &der);
	assert_int_equal(strings_add(&passwords, "wrong"), ERR_OK);
	assert_int_equal(strings_add(&passwords, "changeit"), ERR_OK);
	for (int i = 0; i < 4; i++) {
		struct collected c;
		struct buffer b;

		buffer_init(&b, TEST_BYTES_MAX);
		put_store(&b, i & 1 ? 0xcecececeU : 0xfeedfeedU, i & 2 ? 2 : 1, slice_datum(&der));
		c = collect(buffer_bytes(&b), NULL);
		assert_int_equal(c.certificates, 3);
		assert_int_equal(c.problems, 0);
		assert_string_equal(c.which->name, i & 1 ? "jceks" : "jks");
		assert_string_equal(c.items[0].alias, "trusted");
		assert_string_equal(c.items[0].integrity, "unverified");
		assert_string_equal(c.items[2].alias, "\xc3\xa4 key\xef\xbf\xbd");
		collected_fini(&c);
		c = collect(buffer_bytes(&b), &passwords);
		assert_int_equal(c.certificates, 3);
		assert_null(c.items[0].integrity);
		collected_fini(&c);
		buffer_fini(&b);
	}
	strings_fini(&passwords);
	gnutls_free(der.data);
}

/* Cut at every byte, or with a byte changed: always an answer, and what lies before the damage. */
static void damaged_anywhere(void **state)
{
	struct collected c;
	gnutls_datum_t der;
	struct buffer b;
	size_t size;

	(void)state;
	make_certificate("java", &der);
	buffer_init(&b, TEST_BYTES_MAX);
	put_store(&b, 0xcecececeU, 2, slice_datum(&der));
	for (size = 12; size < b.size; size++) {
		c = collect(slice_of(b.data, size), NULL);
		assert_true(c.problems >= 1);
		assert_true(size < 70 + der.size || c.certificates >= 1);
		collected_fini(&c);
	}
	for (size = 0; size < b.size; size++) {
		b.data[size] ^= 0xff;
		c = collect(buffer_bytes(&b), NULL);
		collected_fini(&c);
		b.data[size] ^= 0xff;
	}
	buffer_fini(&b);
	gnutls_free(der.data);
}

static void hostile_counts(void **state)
{
	struct collected c;
	struct buffer b;

	(void)state;
	buffer_init(&b, TEST_BYTES_MAX);
	put_head(&b, 0xfeedfeedU, 2, UINT32_MAX);
	c = collect(buffer_bytes(&b), NULL);
	assert_int_equal(c.problems, 1);
	assert_int_equal(c.items[0].reason, REASON_MALFORMED);
	collected_fini(&c);
	put_entry(&b, 1, "k");
	put_number(&b, UINT32_MAX, 4);
	put_number(&b, UINT32_MAX, 4);
	put_digest(&b, "");
	c = collect(buffer_bytes(&b), NULL);
	assert_int_equal(c.problems, 1);
	collected_fini(&c);
	buffer_clear(&b);
	put_head(&b, 0xfeedfeedU, 7, 0);
	c = collect(buffer_bytes(&b), NULL);
	assert_int_equal(c.items[0].reason, REASON_UNSUPPORTED);
	collected_fini(&c);
	buffer_fini(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_kinds_and_versions),
		cmocka_unit_test(damaged_anywhere),
		cmocka_unit_test(hostile_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
