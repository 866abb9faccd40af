/* Connections to one address, counted in every window of a second; the clock is the test's own. */
#include "scanners/network/pace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SECONDS 10
#define PROCESSES_MAX 8
#define BEGUN_MAX 20000

static union address address_of(const char *text)
{
	union address a;

	assert_true(address_parse(text, 443, &a));
	return a;
}

/* All processes try in every millisecond; the most connections that began in any one second. */
static size_t busiest_second(unsigned rate, unsigned processes, size_t *total)
{
	const union address a = address_of("192.0.2.1");
	static int64_t begun[BEGUN_MAX];
	struct pace *paces[PROCESSES_MAX];
	size_t count = 0, first = 0, most = 0;

	for (unsigned i = 0; i < processes; i++)
		assert_non_null(paces[i] = pace_new(rate, processes));
	for (int64_t now = 5000; now < 5000 + INT64_C(1000) * SECONDS; now++)
		for (unsigned i = 0; i < processes; i++) {
			int64_t wait = pace_wait_ms(paces[i], &a, now);

			assert_true(wait >= 0 && wait <= 1000);
			if (wait)
				continue;
			assert_true(count < BEGUN_MAX);
			begun[count++] = now;
			while (begun[first] + 1000 <= now)
				first++;
			if (count - first > most)
				most = count - first;
		}
	for (unsigned i = 0; i < processes; i++)
		pace_free(paces[i]);
	*total = count;
	return most;
}

static void test_never_more_in_any_second(void **state)
{
	static const struct {
		unsigned rate;
		unsigned processes;
	} rows[] = { { 1, 1 }, { 2, 1 }, { 2, 2 }, { 3, 2 }, { 5, 1 }, { 7, 3 }, { 8, 8 },
		{ 30, 1 }, { 300, 4 }, { 999, 1 }, { 1000, 2 } };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		unsigned rate = rows[i].rate, processes = rows[i].processes;
		size_t total = 0;
		size_t most = busiest_second(rate, processes, &total);

		if (most > rate)
			fail_msg("rate %u over %u: %zu in a second", rate, processes, most);
		/* Shares are whole, and so are milliseconds: little is lost by that. */
		if (total < (size_t)SECONDS * processes * (rate / processes) / 2)
			fail_msg("rate %u over %u: %zu in all", rate, processes, total);
	}
}

static void test_addresses_do_not_wait_for_each_other(void **state)
{
	const union address a = address_of("192.0.2.1"), b = address_of("192.0.2.2"),
			    c = address_of("2001:db8::1");
	struct pace *p = pace_new(4, 1);

	(void)state;
	assert_non_null(p);
	assert_int_equal(pace_wait_ms(p, &a, 100), 0);
	assert_int_equal(pace_wait_ms(p, &b, 100), 0);
	assert_int_equal(pace_wait_ms(p, &c, 100), 0);
	assert_int_equal(pace_wait_ms(p, &a, 100), 250);
	assert_int_equal(pace_wait_ms(p, &c, 200), 150);
	assert_int_equal(pace_wait_ms(p, &a, 349), 1);
	assert_int_equal(pace_wait_ms(p, &a, 350), 0);
	assert_int_equal(pace_wait_ms(p, &a, 350), 250);
	pace_free(p);
	pace_free(NULL);
}

/* The port is not what is spared. */
static void test_ports_of_one_address(void **state)
{
	union address a, b;
	struct pace *p = pace_new(1, 1);

	(void)state;
	assert_non_null(p);
	assert_true(address_parse("192.0.2.1", 443, &a));
	assert_true(address_parse("192.0.2.1", 8443, &b));
	assert_int_equal(pace_wait_ms(p, &a, 0), 0);
	assert_int_equal(pace_wait_ms(p, &b, 0), 1000);
	pace_free(p);
}

static void test_what_is_over_is_forgotten(void **state)
{
	struct pace *p = pace_new(10, 1);

	(void)state;
	assert_non_null(p);
	/* 100,000 addresses at 10,000 a second: those of a tenth of a second, and what a round leaves. */
	for (uint32_t i = 0; i < 100000; i++) {
		union address a = address_of("10.0.0.0");

		const uint8_t bytes[] = { 10, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i };

		memcpy(&a.v4.sin_addr, bytes, sizeof(bytes));
		assert_int_equal(pace_wait_ms(p, &a, i / 10), 0);
		assert_true(pace_count(p) < 4096);
	}
	pace_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_never_more_in_any_second),
		cmocka_unit_test(test_addresses_do_not_wait_for_each_other),
		cmocka_unit_test(test_ports_of_one_address),
		cmocka_unit_test(test_what_is_over_is_forgotten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
