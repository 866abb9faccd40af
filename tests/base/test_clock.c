/* RFC 3339 both ways, the calendar, spans, units. */
#include "agent/base/clock.h"
#include "agent/base/units.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void test_rfc3339(void **state)
{
	static const struct {
		int64_t t;
		const char *text;
	} rows[] = {
		{ 0, "1970-01-01T00:00:00Z" },
		{ -1, "1969-12-31T23:59:59Z" },
		{ 253402300799, "9999-12-31T23:59:59Z" },
		{ 253402300800, "9999-12-31T23:59:59Z" },
		{ -62167219200, "0000-01-01T00:00:00Z" },
		{ INT64_MIN + 1, "0000-01-01T00:00:00Z" },
		{ INT64_MAX, "9999-12-31T23:59:59Z" },
		{ -631152000, "1950-01-01T00:00:00Z" },
		{ 2524607999, "2049-12-31T23:59:59Z" },
		{ 951782400, "2000-02-29T00:00:00Z" },
	};
	char text[TIME_TEXT_BYTES];
	int64_t t;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		time_rfc3339(rows[i].t, text);
		assert_string_equal(text, rows[i].text);
		assert_int_equal(time_parse(text, &t), ERR_OK);
		if (rows[i].t >= -62167219200 && rows[i].t <= 253402300799)
			assert_int_equal(t, rows[i].t);
	}
	time_rfc3339(TIME_UNKNOWN, text);
	assert_string_equal(text, "");
}

static void test_parse(void **state)
{
	static const char *const bad[] = { "", "2026", "2026-13-01", "2026-02-29", "2026-01-01T",
		"2026-01-01T25:00:00Z", "2026-01-01T00:00:00", "2026-01-01T00:00:00+1", "@", "@1x",
		"yesterday" };
	int64_t t;

	(void)state;
	assert_int_equal(time_parse("2026-01-01", &t), ERR_OK);
	assert_int_equal(t, 1767225600);
	assert_int_equal(time_parse("2026-01-01T01:00:00.5+01:00", &t), ERR_OK);
	assert_int_equal(t, 1767225600);
	assert_int_equal(time_parse("2025-12-31 19:00:00-05:00", &t), ERR_OK);
	assert_int_equal(t, 1767225600);
	assert_int_equal(time_parse("@-5", &t), ERR_OK);
	assert_int_equal(t, -5);
	for (size_t i = 0; i < COUNT(bad); i++)
		assert_int_equal(time_parse(bad[i], &t), ERR_MALFORMED);
}

/* Our calendar against the C library's, every 37 days of 10,000 years. */
static void test_calendar(void **state)
{
	(void)state;
	for (int64_t t = -62167219200; t < 253402300799; t += 37 * 86400 + 4321) {
		char ours[TIME_TEXT_BYTES];
		char theirs[TIME_TEXT_BYTES];
		time_t value = (time_t)t;
		struct tm tm;

		time_rfc3339(t, ours);
		(void)gmtime_r(&value, &tm);
		(void)snprintf(theirs, sizeof(theirs), "%04d-%02d-%02dT%02d:%02d:%02dZ",
			(tm.tm_year + 1900) % 10000, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour,
			tm.tm_min, tm.tm_sec % 60);
		assert_string_equal(ours, theirs);
	}
}

static void test_span(void **state)
{
	char text[TIME_TEXT_BYTES];

	(void)state;
	time_span(9 * 86400 + 4 * 3600, text);
	assert_string_equal(text, "9 d 4 h");
	time_span(-2 * 86400, text);
	assert_string_equal(text, "-2 d 0 h");
	time_span(90 * 86400, text);
	assert_string_equal(text, "90 d");
	time_span(59, text);
	assert_string_equal(text, "59 s");
}

static void test_pin(void **state)
{
	(void)state;
	clock_pin(42);
	assert_int_equal(clock_now_s(), 42);
	clock_pin(TIME_UNKNOWN);
	assert_true(clock_now_s() > 1700000000);
}

static void test_units(void **state)
{
	static const char *const bad_durations[] = { "", "5", "30 d", "1x", "d", "-1h", "1h5",
		"99999999999d", "1e3s" };
	static const char *const bad_sizes[] = { "", "64", "64Kib", "1 MiB", "99999999TiB", "MiB",
		"1MiB2KiB" };
	int64_t ms;
	uint64_t bytes;

	(void)state;
	assert_int_equal(units_duration_ms("1h30m", &ms, NULL), ERR_OK);
	assert_int_equal(ms, 5400000);
	assert_int_equal(units_duration_ms("500ms", &ms, NULL), ERR_OK);
	assert_int_equal(ms, 500);
	assert_int_equal(units_duration_ms("0", &ms, NULL), ERR_OK);
	assert_int_equal(units_size_bytes("64KiB", &bytes, NULL), ERR_OK);
	assert_int_equal(bytes, 65536);
	for (size_t i = 0; i < COUNT(bad_durations); i++)
		assert_int_equal(units_duration_ms(bad_durations[i], &ms, NULL), ERR_MALFORMED);
	for (size_t i = 0; i < COUNT(bad_sizes); i++)
		assert_int_equal(units_size_bytes(bad_sizes[i], &bytes, NULL), ERR_MALFORMED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rfc3339),
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_calendar),
		cmocka_unit_test(test_span),
		cmocka_unit_test(test_pin),
		cmocka_unit_test(test_units),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
