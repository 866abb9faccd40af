/* Base64 in runs and digit by digit, against GnuTLS's encoder. */
#include "scanners/formats/base64.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <gnutls/gnutls.h>
#include <string.h>

#define BYTES_MAX 200

/* `width` digits a line; of each line the first `single` go in one by one. */
static void check(struct slice plain, struct slice text, size_t width, size_t single)
{
	struct buffer out;
	struct base64 b = { .out = &out };

	buffer_init(&out, BYTES_MAX);
	while (text.size) {
		size_t size = text.size < width ? text.size : width;
		struct slice line = slice_of(text.data, size);

		for (size_t i = 0; i < single && line.size; i++) {
			base64_feed(&b, line.data[0]);
			line = slice_after(line, 1);
		}
		assert_int_equal(base64_span(line), base64_take(&b, line));
		text = slice_after(text, size);
	}
	assert_true(base64_end(&b));
	assert_int_equal(buffer_status(&out), ERR_OK);
	assert_int_equal(out.size, plain.size);
	assert_memory_equal(out.data, plain.data, plain.size);
	assert_int_equal(out.data[out.size], 0);
	buffer_fini(&out);
}

static void test_all_sizes(void **state)
{
	uint8_t bytes[BYTES_MAX];

	(void)state;
	for (size_t i = 0; i < BYTES_MAX; i++)
		bytes[i] = (uint8_t)(i * 167 + 13);
	for (size_t size = 1; size <= BYTES_MAX; size++) {
		const gnutls_datum_t in = { bytes, (unsigned)size };
		gnutls_datum_t text;

		assert_int_equal(gnutls_base64_encode2(&in, &text), 0);
		for (size_t single = 0; single < 5; single++) {
			check(slice_of(bytes, size), slice_of(text.data, text.size), 64, single);
			check(slice_of(bytes, size), slice_of(text.data, text.size), 7, single);
		}
		gnutls_free(text.data);
	}
}

static void test_digits(void **state)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	(void)state;
	for (unsigned c = 0; c < 256; c++) {
		uint8_t byte = (uint8_t)c;

		assert_int_equal(base64_is_digit(byte), c && strchr(digits, (int)c));
		assert_int_equal(base64_span(slice_of(&byte, 1)), base64_is_digit(byte));
	}
}

/* What does not fit fails the buffer, and all digits count as taken. */
static void test_ceiling(void **state)
{
	struct buffer out;
	struct base64 b = { .out = &out };

	(void)state;
	buffer_init(&out, 5);
	assert_int_equal(base64_take(&b, slice_text("QUJDREVG-")), 8);
	assert_int_equal(buffer_status(&out), ERR_LIMIT);
	buffer_fini(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_sizes),
		cmocka_unit_test(test_digits),
		cmocka_unit_test(test_ceiling),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
