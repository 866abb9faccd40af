/* DER and BER: items, identifiers, times, strings. */
#include "agent/base/clock.h"
#include "agent/certificate/der.h"
#include "tests/certificate/maker.h"

#include <stdlib.h>

static int64_t time_of(uint8_t tag, const char *text)
{
	struct der_item item = { .tag = tag, .content = slice_text(text) };

	return der_time(&item);
}

static void test_times(void **state)
{
	static const struct {
		uint8_t tag;
		const char *text;
		int64_t seconds;
	} times[] = {
		{ DER_UTC_TIME, "700101000000Z", 0 },
		{ DER_UTC_TIME, "691231235959Z", -1 },
		{ DER_UTC_TIME, "500101000000Z", -631152000 },
		{ DER_UTC_TIME, "491231235959Z", 2524607999 },
		{ DER_UTC_TIME, "260101000000Z", 1767225600 },
		{ DER_UTC_TIME, "2601010000Z", 1767225600 },
		{ DER_UTC_TIME, "260101010000+0100", 1767225600 },
		{ DER_UTC_TIME, "251231190000-0500", 1767225600 },
		{ DER_UTC_TIME, "2601010100+0100", 1767225600 },
		{ DER_UTC_TIME, "260101000000", 1767225600 },
		{ DER_UTC_TIME, "000229000000Z", 951782400 },
		{ DER_GENERALIZED_TIME, "99991231235959Z", 253402300799 },
		{ DER_GENERALIZED_TIME, "19500101000000Z", -631152000 },
		{ DER_GENERALIZED_TIME, "19491231235959Z", -631152001 },
		{ DER_GENERALIZED_TIME, "20500101000000Z", 2524608000 },
		{ DER_GENERALIZED_TIME, "20491231235959Z", 2524607999 },
		{ DER_GENERALIZED_TIME, "00000101000000Z", -62167219200 },
		{ DER_GENERALIZED_TIME, "00010101000000Z", -62135596800 },
		{ DER_GENERALIZED_TIME, "20260101000000.123Z", 1767225600 },
		{ DER_GENERALIZED_TIME, "2026010100Z", 1767225600 },
		{ DER_GENERALIZED_TIME, "202601010000Z", 1767225600 },
		{ DER_UTC_TIME, "", TIME_UNKNOWN },
		{ DER_UTC_TIME, "Z", TIME_UNKNOWN },
		{ DER_UTC_TIME, "261301000000Z", TIME_UNKNOWN },
		{ DER_UTC_TIME, "260230000000Z", TIME_UNKNOWN },
		{ DER_UTC_TIME, "26010100000Z", TIME_UNKNOWN },
		{ DER_UTC_TIME, "260101000000ZZ", TIME_UNKNOWN },
		{ DER_UTC_TIME, "260101000000+01", TIME_UNKNOWN },
		{ DER_UTC_TIME, "260101000000+2500", TIME_UNKNOWN },
		{ DER_UTC_TIME, "26 101000000Z", TIME_UNKNOWN },
		{ DER_UTC_TIME, "-60101000000Z", TIME_UNKNOWN },
		{ DER_GENERALIZED_TIME, "20260101250000Z", TIME_UNKNOWN },
		{ DER_PRINTABLE_STRING, "260101000000Z", TIME_UNKNOWN },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(times) / sizeof(*times); i++)
		if (time_of(times[i].tag, times[i].text) != times[i].seconds)
			fail_msg("%s gives %lld", times[i].text,
				(long long)time_of(times[i].tag, times[i].text));
}

static bool next_of(const char *bytes, size_t size, struct der_item *out)
{
	struct slice left = slice_of(bytes, size);

	return der_next(&left, out);
}

#define NEXT(bytes, item) next_of(bytes, sizeof(bytes) - 1, item)

static void test_items(void **state)
{
	struct der_item item;
	struct slice left = slice_of("\x02\x01\x05\x04\x00", 5);

	(void)state;
	assert_true(der_take(&left, DER_INTEGER, &item));
	assert_int_equal(item.content.size, 1);
	assert_false(der_take(&left, DER_INTEGER, &item));
	assert_true(der_take(&left, DER_OCTET_STRING, &item));
	assert_int_equal(left.size, 0);
	assert_false(der_next(&left, &item));
	assert_true(NEXT("\x04\x81\x01x", &item));
	assert_true(NEXT("\x04\x88\0\0\0\0\0\0\0\x01x", &item));
	assert_int_equal(item.content.size, 1);
	assert_false(NEXT("\x04\x88\x01\0\0\0\0\0\0\x01x", &item));
	assert_false(NEXT("\x04\x84\xff\xff\xff\xffx", &item));
	assert_false(NEXT("\x04\x02x", &item));
	assert_false(NEXT("\x04", &item));
	assert_false(NEXT("\x04\x82\x01", &item));
	assert_false(NEXT("\x1f\xff\xff\xff\xff\xff\xff\x01x", &item));
	assert_true(NEXT("\x1f\x81\x01\x01x", &item));
}

static void test_indefinite(void **state)
{
	struct der_item item;

	(void)state;
	assert_true(NEXT("\x30\x80\x02\x01\x05\0\0tail", &item));
	assert_int_equal(item.content.size, 3);
	assert_int_equal(item.whole.size, 7);
	assert_true(NEXT("\x30\x80\x30\x80\x04\x02\0\0\0\0\0\0", &item));
	assert_int_equal(item.content.size, 8);
	assert_false(NEXT("\x30\x80\x30\x80\0\0", &item));
	assert_false(NEXT("\x04\x80\0\0", &item));
	assert_false(NEXT("\x30\x80\x04\x7f\0\0", &item));
}

static void test_cut(void **state)
{
	struct slice left = slice_of("\x30\x82\x10\x00\x02\x01", 6);
	struct der_item item;

	(void)state;
	assert_false(der_next(&left, &item));
	assert_int_equal(left.size, 6);
	assert_true(der_next_cut(&left, &item));
	assert_true(item.is_cut);
	assert_int_equal(item.content.size, 2);
	assert_int_equal(left.size, 0);
}

static void test_identifiers(void **state)
{
	char text[DER_OID_TEXT_BYTES];
	uint8_t many[300];

	(void)state;
	assert_true(der_oid_text(slice_of("\x2a\x86\x48\x86\xf7\x0d", 6), text));
	assert_string_equal(text, "1.2.840.113549");
	assert_true(der_oid_text(slice_of("\x88\x37\x03", 3), text));
	assert_string_equal(text, "2.999.3");
	assert_false(der_oid_text(slice_of(NULL, 0), text));
	assert_string_equal(text, "");
	assert_false(der_oid_text(slice_of("\x2a\x86", 2), text));
	assert_false(der_oid_text(
		slice_of("\x2a\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 12), text));
	memset(many, 1, sizeof(many));
	assert_false(der_oid_text(slice_of(many, sizeof(many)), text));
	assert_string_equal(text, "");
}

static void check_string(uint8_t tag, struct slice content, const char *expected)
{
	struct buffer out;
	bool is_text;

	buffer_init(&out, 1024);
	is_text = der_string_utf8(tag, content, &out);
	assert_int_equal(is_text, expected != NULL);
	if (expected)
		assert_string_equal(buffer_string(&out), expected);
	buffer_fini(&out);
}

static void test_strings(void **state)
{
	(void)state;
	check_string(DER_UTF8_STRING, slice_text("ä"), "ä");
	check_string(DER_T61_STRING, slice_of("\xe4", 1), "ä");
	check_string(DER_BMP_STRING, slice_of("\x00\x41\x20\xac", 4), "A€");
	check_string(DER_BMP_STRING, slice_of("\xd8\x3d\xde\x00", 4), "😀");
	check_string(DER_BMP_STRING, slice_of("\xd8\x3d", 2), NULL);
	check_string(DER_BMP_STRING, slice_of("\xde\x00\xd8\x3d", 4), NULL);
	check_string(DER_BMP_STRING, slice_of("\x00", 1), NULL);
	check_string(DER_UNIVERSAL_STRING, slice_of("\x00\x01\xf6\x00", 4), "😀");
	check_string(DER_UNIVERSAL_STRING, slice_of("\x00\x11\x00\x00", 4), NULL);
	check_string(DER_UNIVERSAL_STRING, slice_of("\x00\x00\x41", 3), NULL);
	check_string(DER_OCTET_STRING, slice_text("a"), NULL);
}

/* Every byte of a certificate changed, and every length cut: the walk must not leave its bytes. */
static void test_hostile_certificates(void **state)
{
	struct recipe recipe = recipe_of("CN=a,O=b");
	struct made m;
	size_t evident = 0;

	(void)state;
	recipe.dns = "a.example";
	make(&m, &recipe, NULL);
	for (size_t size = 0; size <= m.der.size; size++) {
		uint8_t *copy = malloc(size + 1);
		struct evident_certificate e;
		struct parsed_certificate p;

		memcpy(copy, m.der.data, size);
		if (certificate_is_evident(slice_of(copy, size), &e)) {
			evident++;
			assert_int_equal(e.der_size, size);
		}
		if (certificate_parse(slice_of(copy, size), &p, NULL, NULL) == ERR_OK) {
			assert_int_equal(size, m.der.size);
			parsed_certificate_fini(&p);
		}
		free(copy);
	}
	/* Cut off behind its dates it is still evident. */
	assert_true(evident > 100);
	for (size_t i = 0; i < m.der.size * 2; i++) {
		struct parsed_certificate p;

		m.der.data[i / 2] ^= i % 2 ? 0x80 : 0x01;
		if (certificate_parse(slice_of(m.der.data, m.der.size), &p, NULL, NULL) == ERR_OK)
			parsed_certificate_fini(&p);
		m.der.data[i / 2] ^= i % 2 ? 0x80 : 0x01;
	}
	made_fini(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_times),
		cmocka_unit_test(test_items),
		cmocka_unit_test(test_indefinite),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_identifiers),
		cmocka_unit_test(test_strings),
		cmocka_unit_test(test_hostile_certificates),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
