/* The schedule: who is due when, over restarts, reloads and clocks that jump. */
#include "agent/schedule.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the four above first. */
#include <cmocka.h>

#define NOW 1767225600LL /* 2026-01-01 */
#define HOUR 3600LL
#define HOUR_MS (3600 * 1000LL)

static struct schedule *fresh(struct store *store)
{
	struct schedule *s = NULL;
	struct why why = { 0 };

	assert_int_equal(schedule_new(store, &s, &why), ERR_OK);
	return s;
}

static void add(struct schedule *s, const char *name, int64_t every_ms, int64_t jitter_ms,
	int64_t last_start)
{
	struct schedule_job job = { name, every_ms, jitter_ms, last_start,
		last_start != TIME_UNKNOWN, 0 };
	struct why why = { 0 };

	assert_int_equal(schedule_add_job(s, &job, &why), ERR_OK);
}

static void is_due(struct schedule *s, int64_t now, const char *name)
{
	const char *due = schedule_due(s, now);

	if (name)
		assert_non_null(due);
	else
		assert_null(due);
	if (name)
		assert_string_equal(due, name);
}

/* When the job first comes, by what is known of its past: seconds after NOW, from and to. */
static void first_run(void **state)
{
	static const struct {
		const char *what;
		int64_t every_ms;
		int64_t jitter_ms;
		int64_t last_start;
		int64_t from;
		int64_t to;
	} rows[] = {
		{ "never ran", HOUR_MS, TIME_UNKNOWN, TIME_UNKNOWN, 0, 0 },
		{ "never ran, once", 0, TIME_UNKNOWN, TIME_UNKNOWN, 0, 0 },
		{ "ran before, once", 0, 0, NOW - 60, 0, 0 },
		{ "ran just now", HOUR_MS, 0, NOW, HOUR, HOUR },
		{ "ran half an hour ago", HOUR_MS, 0, NOW - 1800, 1800, 1800 },
		{ "with jitter", HOUR_MS, TIME_UNKNOWN, NOW - 1800, 1800, 1800 + 360 },
		{ "with much jitter", HOUR_MS, HOUR_MS, NOW, HOUR, 2 * HOUR },
		{ "missed, no jitter", HOUR_MS, 0, NOW - 90 * 86400, 0, 0 },
		{ "missed by years, jitter", HOUR_MS, TIME_UNKNOWN, 0, 0,
			SCHEDULE_CATCH_UP_MS / 1000 },
		{ "missed, little jitter", HOUR_MS, 5000, NOW - 86400, 0, 5 },
		{ "last start in the future", HOUR_MS, 0, NOW + 90 * 86400, HOUR, HOUR },
		{ "absurd last start", HOUR_MS, TIME_UNKNOWN, INT64_MAX, HOUR, HOUR + 360 },
		{ "absurd early last start", HOUR_MS, 0, INT64_MIN + 1, 0, 0 },
		{ "negative every and jitter", -5, -5, TIME_UNKNOWN, 0, 0 },
		{ "sub-second every", 500, 0, NOW, 1, 1 },
	};

	(void)state;
	for (size_t n = 0; n < sizeof(rows) / sizeof(rows[0]); n++) {
		struct schedule *s = fresh(NULL);
		int64_t due;

		add(s, "files", rows[n].every_ms, rows[n].jitter_ms, rows[n].last_start);
		assert_int_equal(schedule_job_due(s, "files"), TIME_UNKNOWN);
		(void)schedule_due(s, NOW);
		due = schedule_job_due(s, "files");
		if (due < NOW + rows[n].from || due > NOW + rows[n].to)
			fail_msg("%s: due %lld s from now", rows[n].what, (long long)(due - NOW));
		if (due > NOW)
			is_due(s, due - 1, NULL);
		is_due(s, due, "files");
		schedule_free(s);
	}
}

static void runs_every_so_often(void **state)
{
	struct schedule *s = fresh(NULL);
	int64_t last = NOW;

	(void)state;
	add(s, "files", HOUR_MS, TIME_UNKNOWN, TIME_UNKNOWN);
	is_due(s, NOW, "files");
	for (int n = 0; n < 50; n++) {
		int64_t due;

		schedule_started(s, "files", last);
		is_due(s, last + 100 * HOUR, NULL);
		assert_int_equal(schedule_job_due(s, "files"), TIME_UNKNOWN);
		schedule_ended(s, "files");
		due = schedule_job_due(s, "files");
		assert_in_range(due, last + HOUR, last + HOUR + 360);
		is_due(s, due - 1, NULL);
		is_due(s, due, "files");
		last = due;
	}
	schedule_free(s);
}

static void a_long_pass_starts_again_at_once(void **state)
{
	struct schedule *s = fresh(NULL);

	(void)state;
	add(s, "files", HOUR_MS, 0, TIME_UNKNOWN);
	schedule_started(s, "files", NOW);
	is_due(s, NOW + 5 * HOUR, NULL);
	schedule_ended(s, "files");
	is_due(s, NOW + 5 * HOUR, "files");
	schedule_free(s);
}

static void once_is_once(void **state)
{
	struct schedule *s = fresh(NULL);

	(void)state;
	add(s, "files", 0, TIME_UNKNOWN, TIME_UNKNOWN);
	assert_false(schedule_all_ran(s));
	is_due(s, NOW, "files");
	schedule_started(s, "files", NOW);
	assert_false(schedule_all_ran(s));
	schedule_ended(s, "files");
	assert_true(schedule_all_ran(s));
	is_due(s, NOW + 1000 * HOUR, NULL);
	assert_int_equal(schedule_job_due(s, "files"), TIME_UNKNOWN);
	/* Unless somebody asks for it. */
	schedule_hurry(s, NOW + HOUR);
	assert_false(schedule_all_ran(s));
	is_due(s, NOW + HOUR, "files");
	schedule_free(s);
}

/* However the clock jumps: after the jump no job waits longer than every + jitter. */
static void clocks_jump(void **state)
{
	static const int64_t jumps[] = { -1, -HOUR, -86400, -20 * 365 * 86400LL, -NOW, 86400,
		50 * 365 * 86400LL };

	(void)state;
	for (size_t n = 0; n < sizeof(jumps) / sizeof(jumps[0]); n++) {
		struct schedule *s = fresh(NULL);
		int64_t now = NOW + jumps[n];
		int64_t due;

		add(s, "files", HOUR_MS, TIME_UNKNOWN, TIME_UNKNOWN);
		schedule_started(s, "files", NOW);
		schedule_ended(s, "files");
		(void)schedule_due(s, now);
		due = schedule_job_due(s, "files");
		assert_true(due <= now + HOUR + 360 || due <= NOW + HOUR + 360);
		assert_true(due <= now + HOUR + 360);
		/* Asking again and again does not push it away. */
		for (int64_t t = now; t < due; t += 600)
			is_due(s, t, NULL);
		if (due > now)
			assert_int_equal(schedule_job_due(s, "files"), due);
		is_due(s, due > now ? due : now, "files");
		schedule_free(s);
	}
}

static void most_overdue_first(void **state)
{
	struct schedule *s = fresh(NULL);

	(void)state;
	add(s, "a", HOUR_MS, 0, NOW - 1800);
	add(s, "b", HOUR_MS, 0, NOW - 2400);
	add(s, "c", HOUR_MS, 0, NOW);
	is_due(s, NOW, NULL);
	assert_int_equal(schedule_next(s), NOW + 1200);
	is_due(s, NOW + 2000, "b");
	is_due(s, NOW + 2000, "b");
	schedule_started(s, "b", NOW + 2000);
	is_due(s, NOW + 2000, "a");
	schedule_started(s, "a", NOW + 2000);
	is_due(s, NOW + 2000, NULL);
	assert_int_equal(schedule_next(s), NOW + HOUR);
	schedule_free(s);
}

static void refuses_a_name_twice(void **state)
{
	struct schedule *s = fresh(NULL);
	struct schedule_job job = { "a", HOUR_MS, 0, TIME_UNKNOWN, false, 0 };

	(void)state;
	add(s, "a", HOUR_MS, 0, TIME_UNKNOWN);
	assert_int_equal(schedule_add_job(s, &job, NULL), ERR_CONFIG);
	schedule_started(s, "unknown", NOW);
	schedule_ended(s, "unknown");
	assert_int_equal(schedule_job_due(s, "unknown"), TIME_UNKNOWN);
	schedule_free(s);
}

static void reload_does_not_start_what_runs(void **state)
{
	struct schedule *old = fresh(NULL);
	struct schedule *s = fresh(NULL);

	(void)state;
	add(old, "a", HOUR_MS, 0, TIME_UNKNOWN);
	add(old, "b", HOUR_MS, 0, TIME_UNKNOWN);
	schedule_started(old, "a", NOW);
	schedule_started(old, "b", NOW);
	schedule_ended(old, "b");
	add(s, "a", HOUR_MS, 0, TIME_UNKNOWN);
	add(s, "b", HOUR_MS, 0, NOW);
	schedule_carry(s, old);
	schedule_free(old);
	is_due(s, NOW + 60, NULL);
	assert_false(schedule_all_ran(s));
	schedule_ended(s, "a");
	assert_true(schedule_all_ran(s));
	is_due(s, NOW + 60, "a");
	schedule_free(s);
}

/* Hosts of a fleet, told apart by what their stores drew, spread over the jitter. */
static void hosts_do_not_fire_together(void **state)
{
	unsigned buckets[6] = { 0 };

	(void)state;
	for (int host = 0; host < 60; host++) {
		struct store *store = NULL;
		struct schedule *s;
		struct schedule *again;
		int64_t due;

		assert_int_equal(store_open(NULL, &store, NULL), ERR_OK);
		s = fresh(store);
		add(s, "files", HOUR_MS, TIME_UNKNOWN, NOW);
		(void)schedule_due(s, NOW);
		due = schedule_job_due(s, "files");
		assert_in_range(due, NOW + HOUR, NOW + HOUR + 360);
		buckets[(due - NOW - HOUR) / 61]++;
		/* The same host says the same after a restart. */
		again = fresh(store);
		add(again, "files", HOUR_MS, TIME_UNKNOWN, NOW);
		(void)schedule_due(again, NOW);
		assert_int_equal(schedule_job_due(again, "files"), due);
		schedule_free(s);
		schedule_free(again);
		store_close(store);
	}
	/* 10 expected in each; that one of them stays under 1 happens once in some thousand runs, so only
	 * a crowd is a failure: more than half of all in one sixth of the time. */
	for (size_t n = 0; n < 6; n++)
		assert_true(buckets[n] <= 30);
}

static void knows_the_past(void **state)
{
	struct store *store = NULL;
	struct schedule *s;
	struct why why = { 0 };

	(void)state;
	assert_int_equal(store_open(NULL, &store, NULL), ERR_OK);
	assert_int_equal(
		sqlite3_exec(store->db,
			"INSERT INTO job(name,scanner,last_start,last_success,is_retired) VALUES"
			"('done','files',1767225000,1767225100,0),"
			"('begun','files',1767225000,NULL,0),"
			"('retired','files',1767225000,1767225100,1)",
			NULL, NULL, NULL),
		SQLITE_OK);
	s = fresh(store);
	assert_int_equal(
		schedule_add(
			s, &(struct schedule_job){ .name = "done", .every_ms = HOUR_MS }, &why),
		ERR_OK);
	is_due(s, NOW, NULL);
	assert_int_equal(schedule_job_due(s, "done"), NOW - 600 + HOUR);
	assert_true(schedule_all_ran(s));
	assert_int_equal(
		schedule_add(
			s, &(struct schedule_job){ .name = "begun", .every_ms = HOUR_MS }, &why),
		ERR_OK);
	/* Cut short before its first end: not left for an hour. */
	is_due(s, NOW, "begun");
	schedule_started(s, "begun", NOW);
	assert_false(schedule_all_ran(s));
	assert_int_equal(
		schedule_add(
			s, &(struct schedule_job){ .name = "retired", .every_ms = HOUR_MS }, &why),
		ERR_OK);
	is_due(s, NOW, "retired");
	schedule_free(s);
	store_close(store);
}

static void test_a_later_stage_waits_and_comes_again(void **state)
{
	const struct schedule_job first = {
		.name = "first", .every_ms = HOUR_MS, .last_start = TIME_UNKNOWN
	};
	const struct schedule_job second = {
		.name = "second", .every_ms = HOUR_MS, .last_start = TIME_UNKNOWN, .stage = 1
	};
	struct schedule *s;

	(void)state;
	assert_int_equal(schedule_new(NULL, &s, NULL), ERR_OK);
	assert_int_equal(schedule_add_job(s, &second, NULL), ERR_OK);
	assert_int_equal(schedule_add_job(s, &first, NULL), ERR_OK);
	assert_string_equal(schedule_due(s, 1000), "first");
	schedule_started(s, "first", 1000);
	assert_null(schedule_due(s, 1000));
	schedule_ended(s, "first");
	assert_string_equal(schedule_due(s, 1001), "second");
	schedule_started(s, "second", 1001);
	schedule_ended(s, "second");
	assert_null(schedule_due(s, 1002));
	schedule_again(s, 1, 1002);
	assert_null(schedule_due(s, 1002));
	schedule_again(s, 0, 1002);
	assert_string_equal(schedule_due(s, 1002), "second");
	schedule_free(s);
}

/* Two jobs that take longer than their interval: one of them always runs. */
static void test_a_later_stage_is_not_starved(void **state)
{
	const struct schedule_job jobs[] = {
		{ .name = "a", .every_ms = 1000, .last_start = TIME_UNKNOWN },
		{ .name = "b", .every_ms = 1000, .last_start = TIME_UNKNOWN },
		{ .name = "later", .every_ms = HOUR_MS, .last_start = TIME_UNKNOWN, .stage = 1 },
	};
	struct schedule *s;

	(void)state;
	assert_int_equal(schedule_new(NULL, &s, NULL), ERR_OK);
	for (size_t n = 0; n < 3; n++)
		assert_int_equal(schedule_add_job(s, &jobs[n], NULL), ERR_OK);
	assert_string_equal(schedule_due(s, 1000), "a");
	schedule_started(s, "a", 1000);
	assert_string_equal(schedule_due(s, 1000), "b");
	schedule_started(s, "b", 1000);
	schedule_ended(s, "a");
	assert_string_equal(schedule_due(s, 1010), "a");
	schedule_started(s, "a", 1010);
	schedule_ended(s, "b");
	assert_string_equal(schedule_due(s, 1011), "later");
	schedule_started(s, "later", 1011);
	schedule_ended(s, "later");
	/* What is new while others run again does not put it off either; what began before it does. */
	schedule_again(s, 0, 1012);
	assert_string_equal(schedule_due(s, 1012), "b");
	schedule_started(s, "b", 1013);
	schedule_again(s, 0, 1014);
	assert_null(schedule_due(s, 1014));
	schedule_ended(s, "a");
	assert_string_equal(schedule_due(s, 1014), "a");
	schedule_started(s, "a", 1014);
	assert_string_equal(schedule_due(s, 1014), "later");
	schedule_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(first_run),
		cmocka_unit_test(runs_every_so_often),
		cmocka_unit_test(a_long_pass_starts_again_at_once),
		cmocka_unit_test(once_is_once),
		cmocka_unit_test(clocks_jump),
		cmocka_unit_test(most_overdue_first),
		cmocka_unit_test(refuses_a_name_twice),
		cmocka_unit_test(reload_does_not_start_what_runs),
		cmocka_unit_test(hosts_do_not_fire_together),
		cmocka_unit_test(test_a_later_stage_waits_and_comes_again),
		cmocka_unit_test(test_a_later_stage_is_not_starved),
		cmocka_unit_test(knows_the_past),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
