/* The exposition text: escapes, cuts, numbers, headers in both formats. */
#include "exporters/prometheus/exposition.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define BYTES_MAX 65536

static void expect_escaped(const char *text, size_t max, const char *expected)
{
	struct buffer out;

	buffer_init(&out, BYTES_MAX);
	exposition_value(&out, text, max);
	assert_int_equal(buffer_status(&out), ERR_OK);
	assert_string_equal(buffer_string(&out), expected);
	buffer_fini(&out);
}

static void values_are_escaped_and_cut(void **state)
{
	(void)state;
	expect_escaped(NULL, 256, "");
	expect_escaped("CN=plain", 256, "CN=plain");
	expect_escaped("a\"b\\c", 256, "a\\\"b\\\\c");
	/* A line end, a NUL's neighbour, a broken byte: shown, never sent. */
	expect_escaped("a\nb", 256, "a\\\\x0Ab");
	expect_escaped("a\xff"
		       "b",
		256, "a\\\\xFFb");
	expect_escaped("\xc3\xa5sa", 256, "\xc3\xa5sa");
	expect_escaped("abcdef", 3, "abc");
	/* No character is cut in half. */
	expect_escaped("ab\xc3\xa5", 3, "ab");
	expect_escaped("ab\xc3\xa5", 4, "ab\xc3\xa5");
	/* Bytes that only look like UTF-8 cut at the limit still come out clean. */
	expect_escaped("\xe8\xaf\x81\xe4\xb9\xa6", 5, "\xe8\xaf\x81");
}

static void expect_sample(double value, const char *expected)
{
	struct buffer out;

	buffer_init(&out, BYTES_MAX);
	exposition_sample(&out, "m", slice_text("a=\"b\""), value);
	assert_string_equal(buffer_string(&out), expected);
	buffer_fini(&out);
}

static void numbers_read_back(void **state)
{
	(void)state;
	expect_sample(0, "m{a=\"b\"} 0\n");
	expect_sample(1767225600, "m{a=\"b\"} 1767225600\n");
	expect_sample(0.1, "m{a=\"b\"} 0.1\n");
	expect_sample(253402300799.0, "m{a=\"b\"} 253402300799\n");
	expect_sample(-5.5, "m{a=\"b\"} -5.5\n");
	expect_sample(1.0 / 3, "m{a=\"b\"} 0.3333333333333333\n");
	expect_sample((double)INFINITY, "m{a=\"b\"} +Inf\n");
	expect_sample(-(double)INFINITY, "m{a=\"b\"} -Inf\n");
	expect_sample((double)NAN, "m{a=\"b\"} NaN\n");
}

static void expect_whole(int64_t value, const char *expected)
{
	struct buffer out;

	buffer_init(&out, BYTES_MAX);
	exposition_sample_i64(&out, "m", slice_of(NULL, 0), value);
	assert_string_equal(buffer_string(&out), expected);
	buffer_fini(&out);
}

static void whole_numbers(void **state)
{
	(void)state;
	expect_whole(0, "m 0\n");
	expect_whole(-62135596800, "m -62135596800\n");
	expect_whole(INT64_MAX, "m 9223372036854775807\n");
	expect_whole(INT64_MIN, "m -9223372036854775808\n");
}

static void expect_header(const struct family *f, bool is_openmetrics, const char *expected)
{
	struct buffer out;

	buffer_init(&out, BYTES_MAX);
	exposition_header(&out, f, is_openmetrics);
	assert_string_equal(buffer_string(&out), expected);
	buffer_fini(&out);
}

static void headers_by_format(void **state)
{
	static const struct family gauge = { "x_up", "Help.", FAMILY_GAUGE };
	static const struct family counter = { "x_total", "Help.", FAMILY_COUNTER };
	static const struct family info = { "x_info", "Help.", FAMILY_INFO };

	(void)state;
	expect_header(&gauge, false, "# HELP x_up Help.\n# TYPE x_up gauge\n");
	expect_header(&gauge, true, "# HELP x_up Help.\n# TYPE x_up gauge\n");
	expect_header(&counter, false, "# HELP x_total Help.\n# TYPE x_total counter\n");
	expect_header(&counter, true, "# HELP x Help.\n# TYPE x counter\n");
	expect_header(&info, false, "# HELP x_info Help.\n# TYPE x_info gauge\n");
	expect_header(&info, true, "# HELP x Help.\n# TYPE x info\n");
}

static void a_full_buffer_sticks(void **state)
{
	struct buffer out;

	(void)state;
	buffer_init(&out, 4);
	exposition_sample_i64(&out, "metric", slice_of(NULL, 0), 1);
	assert_int_equal(buffer_status(&out), ERR_LIMIT);
	buffer_fini(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_are_escaped_and_cut),
		cmocka_unit_test(numbers_read_back),
		cmocka_unit_test(whole_numbers),
		cmocka_unit_test(headers_by_format),
		cmocka_unit_test(a_full_buffer_sticks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
