/* Thresholds, problems and status at a time. */
#include "agent/certificate/record.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define DAY 86400
#define START 1767225600

static struct certificate_record record_of(int64_t days)
{
	struct certificate_record r = { 0 };

	r.facts.not_before = START;
	r.facts.not_after = START + days * DAY;
	r.verdict.is_checked = true;
	r.verdict.expires = TIME_UNKNOWN;
	r.verdict.boundary = TIME_UNKNOWN;
	return r;
}

static enum status at(const struct certificate_record *r, int64_t day)
{
	return record_status_at(r, &thresholds_default, START + day * DAY);
}

static void test_shares_of_the_lifetime(void **state)
{
	struct certificate_record r = record_of(100);

	(void)state;
	assert_int_equal(at(&r, 0), STATUS_OK);
	assert_int_equal(at(&r, 66), STATUS_OK);
	assert_int_equal(at(&r, 67), STATUS_WARNING);
	assert_int_equal(at(&r, 89), STATUS_WARNING);
	assert_int_equal(at(&r, 90), STATUS_CRITICAL);
	/* The last second still belongs to it. */
	assert_int_equal(at(&r, 100), STATUS_CRITICAL);
	assert_int_equal(
		record_status_at(&r, &thresholds_default, START + 100 * DAY + 1), STATUS_EXPIRED);
	/* A certificate of six days is not always red. */
	r = record_of(6);
	assert_int_equal(at(&r, 1), STATUS_OK);
}

static void test_path_breaks_first(void **state)
{
	struct certificate_record r = record_of(100);

	(void)state;
	r.verdict.expires = START + 10 * DAY;
	assert_int_equal(record_breaks(&r), START + 100 * DAY);
	r.verdict.trust = (char *)(uintptr_t) "system";
	assert_int_equal(record_breaks(&r), START + 10 * DAY);
	assert_int_equal(at(&r, 1), STATUS_CRITICAL);
	assert_int_equal(at(&r, 11), STATUS_EXPIRED);
	assert_int_equal(record_problems_at(&r, START + 11 * DAY), 0);
}

static void test_unknown_dates_are_no_good_news(void **state)
{
	struct certificate_record r = record_of(100);

	(void)state;
	r.facts.not_after = TIME_UNKNOWN;
	assert_int_equal(record_breaks(&r), TIME_UNKNOWN);
	assert_int_equal(at(&r, 0), STATUS_UNCHECKED);
	r.verdict.problems = PROBLEM_BIT(PROBLEM_REVOKED);
	assert_int_equal(at(&r, 0), STATUS_BROKEN);
	r = record_of(100);
	r.facts.not_before = TIME_UNKNOWN;
	assert_int_equal(at(&r, 50), STATUS_OK);
	/* Before 1970 is long over, not unknown. */
	r.facts.not_after = -1;
	assert_int_equal(at(&r, 0), STATUS_EXPIRED);
	r.facts.not_after = 0;
	assert_int_equal(at(&r, 0), STATUS_EXPIRED);
}

static void test_order_of_states(void **state)
{
	struct certificate_record r = record_of(100);

	(void)state;
	r.verdict.problems = PROBLEM_BIT(PROBLEM_NAME_MISMATCH);
	assert_int_equal(at(&r, 0), STATUS_OK);
	r.is_served = true;
	assert_int_equal(at(&r, 0), STATUS_BROKEN);
	assert_int_equal(at(&r, 95), STATUS_BROKEN);
	assert_int_equal(at(&r, 101), STATUS_EXPIRED);
	r.verdict.problems = PROBLEM_BIT(PROBLEM_WEAK_KEY);
	assert_int_equal(at(&r, 0), STATUS_OK);
	r.verdict.problems = PROBLEM_BIT(PROBLEM_REVOKED);
	r.is_served = false;
	assert_int_equal(at(&r, 0), STATUS_BROKEN);
	r.verdict.is_anchor = true;
	assert_int_equal(at(&r, 0), STATUS_OK);
	/* What is newer on disk is none of a client's troubles, until the one that is served is due. */
	r = record_of(100);
	r.verdict.problems = PROBLEM_BIT(PROBLEM_SERVED_DIFFERS);
	assert_int_equal(at(&r, 0), STATUS_OK);
	r.is_served = true;
	assert_int_equal(at(&r, 0), STATUS_WARNING);
	assert_int_equal(at(&r, 67), STATUS_CRITICAL);
	assert_int_equal(at(&r, 95), STATUS_CRITICAL);
	assert_int_equal(at(&r, 101), STATUS_EXPIRED);
	r.verdict.problems |= PROBLEM_BIT(PROBLEM_NAME_MISMATCH);
	assert_int_equal(at(&r, 0), STATUS_BROKEN);
	r = record_of(100);
	r.verdict.is_checked = false;
	assert_int_equal(at(&r, 0), STATUS_UNCHECKED);
	assert_int_equal(at(&r, 95), STATUS_CRITICAL);
}

static void test_not_yet_valid(void **state)
{
	struct certificate_record r = record_of(100);

	(void)state;
	assert_int_equal(record_problems_at(&r, START - 1), PROBLEM_BIT(PROBLEM_NOT_YET_VALID));
	assert_int_equal(record_problems_at(&r, START), 0);
	assert_int_equal(
		record_problems_at(&r, START + 100 * DAY + 1), PROBLEM_BIT(PROBLEM_EXPIRED));
	assert_int_equal(at(&r, -1), STATUS_OK);
	r.is_served = true;
	assert_int_equal(at(&r, -1), STATUS_BROKEN);
}

static void test_parse(void **state)
{
	static const char *const bad[] = { "", "33", "%", "101%", "-5%", "nan%", "0x5%", "1e1%",
		"33%%", "3.3.3%", "30", "30x", "min(30d)", "min(30d, 20d)", "min(30d, 33%",
		"min(33%, 20%)", "min()", "min(", "max(30d, 33%)", "30d 33%" };
	struct threshold t;

	(void)state;
	assert_int_equal(threshold_parse("33%", &t, NULL), ERR_OK);
	assert_true(t.share > 0.329 && t.share < 0.331 && t.seconds == 0);
	assert_int_equal(threshold_parse(" 30d ", &t, NULL), ERR_OK);
	assert_true(t.share == 0 && t.seconds == 30 * DAY);
	assert_int_equal(threshold_parse("min(30d, 33%)", &t, NULL), ERR_OK);
	assert_true(t.share > 0.32 && t.seconds == 30 * DAY);
	assert_int_equal(threshold_parse("min(12.5%,1h)", &t, NULL), ERR_OK);
	assert_true(t.share == 0.125 && t.seconds == 3600);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct why why = { 0 };

		if (threshold_parse(bad[i], &t, &why) == ERR_OK)
			fail_msg("\"%s\" was taken", bad[i]);
		assert_true(why.text[0]);
	}
}

static void test_span(void **state)
{
	struct threshold both = { .share = 0.5, .seconds = 10 };

	(void)state;
	assert_int_equal(threshold_span(&both, 0, 100), 10);
	assert_int_equal(threshold_span(&both, 0, 10), 5);
	assert_int_equal(threshold_span(&both, 100, 0), 0);
	assert_int_equal(threshold_span(&both, TIME_UNKNOWN, 10), 10);
	assert_int_equal(threshold_span(&both, INT64_MIN + 1, INT64_MAX), 10);
	both.seconds = 0;
	assert_int_equal(threshold_span(&both, 0, 100), 50);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_shares_of_the_lifetime),
		cmocka_unit_test(test_path_breaks_first),
		cmocka_unit_test(test_unknown_dates_are_no_good_news),
		cmocka_unit_test(test_order_of_states),
		cmocka_unit_test(test_not_yet_valid),
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_span),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
