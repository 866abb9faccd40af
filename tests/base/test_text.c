/* Escaping, hex, percent-encoding, "did you mean". */
#include "agent/base/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void test_escape(void **state)
{
	static const struct {
		const char *in;
		size_t size;
		const char *out;
	} rows[] = {
		{ "plain", 5, "plain" },
		{ "", 0, "" },
		{ "a\nFAKE LOG LINE\033[31m", 20, "a\\x0AFAKE LOG LINE\\x1B[31m" },
		{ "nul\0byte", 8, "nul\\x00byte" },
		{ "\xc3\xa4", 2, "\xc3\xa4" },
		{ "\xc3", 1, "\\xC3" },
		{ "\xc0\xaf", 2, "\\xC0\\xAF" },                   /* overlong '/' */
		{ "\xed\xa0\x80", 3, "\\xED\\xA0\\x80" },          /* a surrogate */
		{ "\xf4\x90\x80\x80", 4, "\\xF4\\x90\\x80\\x80" }, /* over U+10FFFF */
		{ "\xe2\x80\xae"
		  "exe",
			6,
			"\\xE2\\x80\\xAE"
			"exe" },                 /* right-to-left override */
		{ "\xc2\x85", 2, "\\xC2\\x85" }, /* C1 next line */
		{ "\x7f", 1, "\\x7F" },
		{ "\xf0\x9f\x94\x92", 4, "\xf0\x9f\x94\x92" },
		{ "\\x0A", 4, "\\x0A" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		char *out = text_escaped(slice_of(rows[i].in, rows[i].size));

		assert_string_equal(out, rows[i].out);
		assert_true(text_is_clean(slice_text(out)));
		free(out);
	}
}

static void test_escape_all_pairs(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 65536; i++) {
		const uint8_t pair[2] = { (uint8_t)(i >> 8), (uint8_t)i };
		char *out = text_escaped(slice_of(pair, 2));

		assert_true(text_is_clean(slice_text(out)));
		free(out);
	}
}

static void test_cut(void **state)
{
	(void)state;
	assert_int_equal(text_cut("abc", 5), 3);
	assert_int_equal(text_cut("abc", 2), 2);
	assert_int_equal(text_cut("a\xc3\xa4", 2), 1);
	assert_int_equal(text_cut("\xf0\x9f\x94\x92", 3), 0);
}

static void test_hex(void **state)
{
	uint8_t bytes[3];
	char hex[7];

	(void)state;
	text_hex(hex, (const uint8_t *)"\x00\xab\xff", 3);
	assert_string_equal(hex, "00abff");
	assert_true(text_unhex(bytes, 3, "00ABff"));
	assert_memory_equal(bytes, "\x00\xab\xff", 3);
	assert_false(text_unhex(bytes, 3, "00ABf"));
	assert_false(text_unhex(bytes, 3, "00ABfg"));
}

static void test_uri(void **state)
{
	static const char path[] = "/a b/!x#y?\xff\n%";
	struct buffer out;
	struct buffer back;

	(void)state;
	buffer_init(&out, 256);
	buffer_init(&back, 256);
	text_uri_encode(&out, slice_text(path));
	assert_string_equal(buffer_string(&out), "/a%20b/%21x%23y%3F%FF%0A%25");
	assert_true(text_uri_decode(&back, buffer_bytes(&out)));
	assert_string_equal(buffer_string(&back), path);
	assert_false(text_uri_decode(&back, slice_text("%4")));
	assert_false(text_uri_decode(&back, slice_text("%zz")));
	buffer_fini(&out);
	buffer_fini(&back);
}

static void test_nearest(void **state)
{
	static const char *const words[] = { "paths", "every", "exclude" };

	(void)state;
	assert_string_equal(text_nearest("path", words, 3), "paths");
	assert_string_equal(text_nearest("evry", words, 3), "every");
	assert_null(text_nearest("colour", words, 3));
	assert_int_equal(text_distance("kitten", "sitting"), 3);
	assert_true(
		text_distance(
			"0123456789012345678901234567890123456789012345678901234567890123456789",
			"") > 64);
}

/* Each byte at each place of texts of each length: alone, no byte from 0x80 on is UTF-8. */
static void test_clean_at_every_place(void **state)
{
	uint8_t text[20];

	(void)state;
	for (unsigned c = 0; c < 256; c++)
		for (size_t size = 1; size <= sizeof(text); size++)
			for (size_t at = 0; at < size; at++) {
				memset(text, at % 2 ? '~' : ' ', sizeof(text));
				text[at] = (uint8_t)c;
				assert_int_equal(
					text_is_clean(slice_of(text, size)), c >= 0x20 && c < 0x7f);
			}
	assert_true(text_is_clean(slice_text("printable, and then gr\xc3\xbc\xc3\x9f")));
	assert_false(text_is_clean(slice_text("printable, and then \xe2\x80\xae")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_clean_at_every_place),
		cmocka_unit_test(test_escape),
		cmocka_unit_test(test_escape_all_pairs),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_hex),
		cmocka_unit_test(test_uri),
		cmocka_unit_test(test_nearest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
