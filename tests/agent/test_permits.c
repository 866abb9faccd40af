/* One rate for many: never exceeded, and whoever works alone gets all of it. */
#include "agent/permits.h"

#include "agent/base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define RATE 400.0
#define WANTED 100

struct rig {
	uv_loop_t loop;
	struct permits *permits;
	uint64_t given[PERMITS_ASKERS_MAX];
	uint64_t total;
	uint64_t wanted;
	int64_t began_ms;
};

static void on_grant(void *arg, unsigned which, uint64_t count)
{
	struct rig *r = arg;
	double elapsed_s = (double)(clock_monotonic_ms() - r->began_ms + 1) / 1000.0;

	assert_true(count > 0);
	r->given[which] += count;
	r->total += count;
	/* What the time allows, and a twentieth of a second's worth that may come at once. */
	assert_true((double)r->total <= RATE * elapsed_s + RATE * 0.05 + 1);
	if (r->total == r->wanted)
		permits_free(r->permits);
}

static void rig_start(struct rig *r)
{
	memset(r, 0, sizeof(*r));
	assert_int_equal(uv_loop_init(&r->loop), 0);
	r->began_ms = clock_monotonic_ms();
	assert_int_equal(permits_new(&r->loop, RATE, on_grant, r, &r->permits), ERR_OK);
}

static int64_t rig_run(struct rig *r)
{
	assert_int_equal(uv_run(&r->loop, UV_RUN_DEFAULT), 0);
	assert_int_equal(uv_loop_close(&r->loop), 0);
	return clock_monotonic_ms() - r->began_ms;
}

static void test_alone(void **state)
{
	struct rig r;
	int64_t took_ms;

	(void)state;
	rig_start(&r);
	r.wanted = WANTED;
	permits_want(r.permits, 5, WANTED);
	took_ms = rig_run(&r);
	assert_int_equal(r.given[5], WANTED);
	/* All of the rate, not a share of it: at 400 a second 80 of them take 200 ms. */
	assert_true(took_ms >= 150);
	assert_true(took_ms < 2000);
}

static void test_shared(void **state)
{
	struct rig r;

	(void)state;
	rig_start(&r);
	r.wanted = 2 * WANTED;
	permits_want(r.permits, 0, WANTED);
	permits_want(r.permits, 63, WANTED / 2);
	permits_want(r.permits, 63, WANTED / 2);
	permits_want(r.permits, 7, WANTED);
	permits_forget(r.permits, 7);
	permits_want(r.permits, PERMITS_ASKERS_MAX, WANTED);
	(void)rig_run(&r);
	assert_int_equal(r.given[0], WANTED);
	assert_int_equal(r.given[63], WANTED);
	assert_int_equal(r.given[7], 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_alone),
		cmocka_unit_test(test_shared),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
