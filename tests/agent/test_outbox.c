/* The outbox: order, retries, disabling, ceilings, what survives a restart. */
#include "agent/outbox.h"

#include "agent/base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NOW INT64_C(1800000000)
#define TRIES 200

static const struct delivery_result delivered = { .outcome = DELIVERY_OK };
static const struct delivery_result later = {
	.outcome = DELIVERY_RETRY, .reason = "serverError", .message = "answered 500"
};
static const struct delivery_result limited = {
	.outcome = DELIVERY_RETRY, .reason = "rateLimited", .retry_after_s = 120
};
static const struct delivery_result limited_long = {
	.outcome = DELIVERY_RETRY, .reason = "rateLimited", .retry_after_s = 1000000
};
static const struct delivery_result refused = {
	.outcome = DELIVERY_FAILED, .reason = "clientError", .message = "answered 400"
};
static const struct delivery_result forbidden = {
	.outcome = DELIVERY_DISABLE, .reason = "authError", .message = "answered 403"
};

struct box {
	struct store *store;
	struct outbox *outbox;
};

static void box_open(struct box *b)
{
	struct why why = { 0 };

	if (!b->store && store_open(NULL, &b->store, &why) != ERR_OK)
		fail_msg("%s", why.text);
	if (outbox_new(b->store, &b->outbox, &why) != ERR_OK)
		fail_msg("%s", why.text);
}

static void box_restart(struct box *b)
{
	outbox_free(b->outbox);
	box_open(b);
}

static void box_close(struct box *b)
{
	outbox_free(b->outbox);
	store_close(b->store);
}

static void add_event(struct box *b, const char *receiver, const char *id, enum alert_event event)
{
	struct alert a = { .key = (char *)"k",
		.kind = (char *)"test",
		.event = event,
		.summary = (char *)"s",
		.subject = (char *)"CN=x",
		.not_before = TIME_UNKNOWN,
		.not_after = TIME_UNKNOWN,
		.renewed_not_after = TIME_UNKNOWN,
		.started = NOW };
	struct notification n = { .id = (char *)id,
		.receiver = (char *)receiver,
		.host = (char *)"h",
		.created = NOW,
		.alerts = &a,
		.count = 1 };
	struct why why = { 0 };

	assert_int_equal(store_begin(b->store, &why), ERR_OK);
	if (outbox_add(b->outbox, &n, &why) != ERR_OK)
		fail_msg("%s", why.text);
}

static void add(struct box *b, const char *receiver, const char *id)
{
	add_event(b, receiver, id, ALERT_FIRED);
	assert_int_equal(store_commit(b->store, false, NULL), ERR_OK);
}

/* The id that is due now, or "". */
static const char *due(struct box *b, int64_t now)
{
	static char id[64];
	struct notification n;
	struct why why = { 0 };
	enum err e = outbox_due(b->outbox, now, &n, &why);

	if (e == ERR_END)
		return "";
	if (e != ERR_OK)
		fail_msg("%s", why.text);
	(void)snprintf(id, sizeof(id), "%s", n.id);
	notification_fini(&n);
	return id;
}

static void answer(struct box *b, const char *id, const struct delivery_result *r, int64_t now)
{
	struct why why = { 0 };

	if (outbox_result(b->outbox, id, r, now, &why) != ERR_OK)
		fail_msg("%s", why.text);
}

static int64_t wake(struct box *b)
{
	int64_t at = 0;

	assert_int_equal(outbox_wake(b->outbox, &at, NULL), ERR_OK);
	return at;
}

struct found {
	struct receiver_state state;
	char reasons[256];
};

static enum err on_receiver(void *arg, const struct receiver_state *s)
{
	struct found *f = arg;

	if (strcmp(s->receiver, "ops") != 0)
		return ERR_OK;
	f->state = *s;
	f->state.receiver = f->state.last_error = NULL;
	return ERR_OK;
}

static enum err on_failure(void *arg, const struct receiver_failure *r)
{
	struct found *f = arg;
	size_t size = strlen(f->reasons);

	(void)snprintf(
		f->reasons + size, sizeof(f->reasons) - size, "%s=%d ", r->reason, (int)r->count);
	return ERR_OK;
}

static struct found look(struct box *b)
{
	struct found f = { 0 };

	assert_int_equal(outbox_each_receiver(b->outbox, on_receiver, &f), ERR_OK);
	assert_int_equal(outbox_each_failure(b->outbox, on_failure, &f), ERR_OK);
	return f;
}

static void test_order_and_one_in_flight(void **state)
{
	struct box b = { 0 };

	(void)state;
	box_open(&b);
	assert_string_equal(due(&b, NOW), "");
	assert_true(wake(&b) == TIME_UNKNOWN);
	add(&b, "ops", "1");
	add(&b, "ops", "2");
	add(&b, "dev", "3");
	assert_string_equal(due(&b, NOW), "1");
	assert_string_equal(due(&b, NOW), "3");
	assert_string_equal(due(&b, NOW), "");
	assert_true(wake(&b) == TIME_UNKNOWN);
	answer(&b, "1", &delivered, NOW);
	assert_string_equal(due(&b, NOW), "2");
	answer(&b, "2", &delivered, NOW);
	assert_string_equal(due(&b, NOW), "");
	assert_int_equal(look(&b).state.sent, 2);
	assert_int_equal(look(&b).state.outbox_entries, 0);
	assert_int_equal(outbox_result(b.outbox, "2", &delivered, NOW, NULL), ERR_NOT_FOUND);
	box_close(&b);
}

static void test_retries_back_off_with_jitter(void **state)
{
	static const int64_t steps[] = { 5, 300, 1800, 7200, 18000, 18000 };
	struct box b = { 0 };

	(void)state;
	box_open(&b);
	for (int i = 0; i < TRIES; i++) {
		int64_t now = NOW;
		char id[32];

		(void)snprintf(id, sizeof(id), "n%d", i);
		add(&b, "ops", id);
		for (size_t s = 0; s < sizeof(steps) / sizeof(steps[0]); s++) {
			int64_t at;

			assert_string_equal(due(&b, now), id);
			answer(&b, id, &later, now);
			at = wake(&b);
			assert_true(at > now && at <= now + steps[s]);
			assert_string_equal(due(&b, at - 1), "");
			now = at;
		}
		assert_string_equal(due(&b, now), id);
		answer(&b, id, &delivered, now);
	}
	assert_string_equal(look(&b).reasons, "serverError=1200 ");
	box_close(&b);
}

static void test_retry_after_wins_and_is_capped(void **state)
{
	struct box b = { 0 };

	(void)state;
	box_open(&b);
	add(&b, "ops", "1");
	assert_string_equal(due(&b, NOW), "1");
	answer(&b, "1", &limited, NOW);
	assert_int_equal(wake(&b), NOW + 120);
	/* What comes later waits too. */
	add(&b, "ops", "2");
	assert_string_equal(due(&b, NOW + 119), "");
	assert_string_equal(due(&b, NOW + 120), "1");
	answer(&b, "1", &limited_long, NOW + 120);
	assert_int_equal(wake(&b), NOW + 120 + OUTBOX_RETRY_AFTER_MAX_S);
	box_close(&b);
}

static void test_a_stuck_entry_lets_others_past(void **state)
{
	struct box b = { 0 };
	int64_t now = NOW;

	(void)state;
	box_open(&b);
	add(&b, "ops", "poison");
	add(&b, "ops", "2");
	for (int i = 0; i < 4; i++) {
		assert_string_equal(due(&b, now), "poison");
		answer(&b, "poison", &later, now);
		if (i < 3) {
			assert_string_equal(due(&b, now), "");
			now = wake(&b);
		}
	}
	assert_string_equal(due(&b, now), "2");
	answer(&b, "2", &delivered, now);
	/* Something got through: it is tried at once, before anything younger. */
	add(&b, "ops", "3");
	assert_string_equal(due(&b, now), "poison");
	answer(&b, "poison", &later, now);
	assert_string_equal(due(&b, now), "3");
	answer(&b, "3", &delivered, now);
	box_close(&b);
}

static void test_gives_up_after_75_hours(void **state)
{
	struct box b = { 0 };

	(void)state;
	box_open(&b);
	add(&b, "ops", "1");
	assert_string_equal(due(&b, NOW + OUTBOX_GIVE_UP_S - 1), "1");
	answer(&b, "1", &later, NOW + OUTBOX_GIVE_UP_S - 1);
	assert_int_equal(look(&b).state.outbox_entries, 1);
	assert_string_equal(due(&b, NOW + OUTBOX_GIVE_UP_S + 5), "1");
	answer(&b, "1", &later, NOW + OUTBOX_GIVE_UP_S + 5);
	assert_int_equal(look(&b).state.outbox_entries, 0);
	assert_string_equal(look(&b).reasons, "abandoned=1 serverError=2 ");
	box_close(&b);
}

static void test_refused_is_dropped(void **state)
{
	struct box b = { 0 };

	(void)state;
	box_open(&b);
	add(&b, "ops", "1");
	add(&b, "ops", "2");
	assert_string_equal(due(&b, NOW), "1");
	answer(&b, "1", &refused, NOW);
	assert_string_equal(due(&b, NOW), "2");
	assert_string_equal(look(&b).reasons, "clientError=1 ");
	box_close(&b);
}

static void test_disabled_until_enabled(void **state)
{
	struct box b = { 0 };

	(void)state;
	box_open(&b);
	add(&b, "ops", "1");
	assert_string_equal(due(&b, NOW), "1");
	answer(&b, "1", &forbidden, NOW);
	add(&b, "ops", "2");
	assert_string_equal(due(&b, NOW + 100000), "");
	assert_true(wake(&b) == TIME_UNKNOWN);
	assert_true(look(&b).state.is_disabled);
	assert_int_equal(look(&b).state.outbox_entries, 2);
	/* A restart alone does not enable it. */
	box_restart(&b);
	assert_string_equal(due(&b, NOW + 100000), "");
	assert_int_equal(outbox_enable_all(b.outbox, NOW + 100000, NULL), ERR_OK);
	assert_false(look(&b).state.is_disabled);
	assert_string_equal(due(&b, NOW + 100000), "1");
	box_close(&b);
}

static void test_what_was_in_flight_is_due_again(void **state)
{
	struct box b = { 0 };

	(void)state;
	box_open(&b);
	add(&b, "ops", "1");
	assert_string_equal(due(&b, NOW), "1");
	box_restart(&b);
	assert_string_equal(due(&b, NOW), "1");
	assert_string_equal(due(&b, NOW), "");
	outbox_drop_flights(b.outbox);
	assert_string_equal(due(&b, NOW), "1");
	box_close(&b);
}

static void test_ceiling_drops_only_repetitions(void **state)
{
	struct box b = { 0 };
	char id[32];

	(void)state;
	box_open(&b);
	add_event(&b, "ops", "first", ALERT_FIRED);
	add_event(&b, "ops", "repeat-1", ALERT_REPEATED);
	add_event(&b, "ops", "repeat-2", ALERT_REPEATED);
	for (int i = 0; i < OUTBOX_ENTRIES_MAX - 3; i++) {
		(void)snprintf(id, sizeof(id), "f%d", i);
		add_event(&b, "ops", id, ALERT_FIRED);
	}
	assert_int_equal(look(&b).state.outbox_entries, OUTBOX_ENTRIES_MAX);
	add_event(&b, "ops", "new-1", ALERT_FIRED);
	add_event(&b, "ops", "new-2", ALERT_REPEATED);
	assert_int_equal(look(&b).state.outbox_entries, OUTBOX_ENTRIES_MAX);
	add_event(&b, "ops", "new-3", ALERT_FIRED);
	assert_int_equal(look(&b).state.outbox_entries, OUTBOX_ENTRIES_MAX);
	/* Nothing is left that may go: a repetition is not taken, what fires is. */
	add_event(&b, "ops", "new-4", ALERT_REPEATED);
	assert_int_equal(look(&b).state.outbox_entries, OUTBOX_ENTRIES_MAX);
	add_event(&b, "ops", "new-5", ALERT_FIRED);
	assert_int_equal(look(&b).state.outbox_entries, OUTBOX_ENTRIES_MAX + 1);
	assert_int_equal(store_commit(b.store, true, NULL), ERR_OK);
	assert_string_equal(due(&b, NOW), "first");
	answer(&b, "first", &delivered, NOW);
	assert_string_equal(due(&b, NOW), "f0");
	box_close(&b);
}

static void test_unreadable_entries_are_dropped(void **state)
{
	struct box b = { 0 };

	(void)state;
	box_open(&b);
	add(&b, "ops", "1");
	add(&b, "ops", "2");
	assert_int_equal(sqlite3_exec(b.store->db, "UPDATE outbox SET body=x'0102' WHERE id='1'",
				 NULL, NULL, NULL),
		SQLITE_OK);
	assert_string_equal(due(&b, NOW), "2");
	assert_int_equal(look(&b).state.outbox_entries, 1);
	box_close(&b);
}

static void test_unknown_receivers_are_forgotten(void **state)
{
	struct box b = { 0 };
	struct strings names = { 0 };

	(void)state;
	box_open(&b);
	add(&b, "ops", "1");
	add(&b, "old", "2");
	assert_int_equal(strings_add(&names, "ops"), ERR_OK);
	assert_int_equal(strings_add(&names, "new"), ERR_OK);
	assert_int_equal(outbox_retain(b.outbox, &names, NULL), ERR_OK);
	assert_string_equal(due(&b, NOW), "1");
	assert_string_equal(due(&b, NOW), "");
	strings_fini(&names);
	box_close(&b);
}

/* A delivery that could not be struck off is not repeated as long as this process lives. */
static void test_a_failing_store_makes_no_flood(void **state)
{
	struct box b = { 0 };
	struct why why = { 0 };

	(void)state;
	box_open(&b);
	add(&b, "ops", "1");
	add(&b, "ops", "2");
	assert_string_equal(due(&b, NOW), "1");
	assert_int_equal(
		sqlite3_exec(b.store->db, "PRAGMA query_only=1", NULL, NULL, NULL), SQLITE_OK);
	assert_int_not_equal(outbox_result(b.outbox, "1", &delivered, NOW, &why), ERR_OK);
	assert_true(why.text[0]);
	assert_string_equal(due(&b, NOW), "");
	assert_true(wake(&b) > NOW);
	assert_int_equal(
		sqlite3_exec(b.store->db, "PRAGMA query_only=0", NULL, NULL, NULL), SQLITE_OK);
	assert_string_equal(due(&b, NOW + 3600), "2");
	assert_int_equal(look(&b).state.sent, 1);
	box_close(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order_and_one_in_flight),
		cmocka_unit_test(test_retries_back_off_with_jitter),
		cmocka_unit_test(test_retry_after_wins_and_is_capped),
		cmocka_unit_test(test_a_stuck_entry_lets_others_past),
		cmocka_unit_test(test_gives_up_after_75_hours),
		cmocka_unit_test(test_refused_is_dropped),
		cmocka_unit_test(test_disabled_until_enabled),
		cmocka_unit_test(test_what_was_in_flight_is_due_again),
		cmocka_unit_test(test_ceiling_drops_only_repetitions),
		cmocka_unit_test(test_unreadable_entries_are_dropped),
		cmocka_unit_test(test_unknown_receivers_are_forgotten),
		cmocka_unit_test(test_a_failing_store_makes_no_flood),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
