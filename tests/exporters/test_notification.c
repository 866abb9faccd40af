/* Notifications: words, ids, and bytes there and back, also hostile ones. */
#include "exporters/notification.h"

#include "agent/base/clock.h"
#include "agent/base/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

static void fill(struct notification *n)
{
	*n = (struct notification){ .created = 1800000000, .count = 2 };
	n->id = strdup("0190a1b2-0000-7000-8000-000000000000");
	n->receiver = strdup("ops");
	n->host = strdup("web01");
	n->alerts = calloc(2, sizeof(*n->alerts));
	for (size_t i = 0; i < 2; i++) {
		struct alert *a = &n->alerts[i];

		a->key = strdup("certificate-expiry:00");
		a->kind = strdup("certificate-expiry");
		a->severity = SEVERITY_CRITICAL;
		a->event = i ? ALERT_RENEWED : ALERT_REPEATED;
		a->summary = strdup("häßlich \"quoted\"");
		a->subject = strdup("CN=x");
		a->subject_cn = i ? NULL : strdup("x");
		a->issuer = strdup("CN=i");
		a->fingerprint = strdup("00ff");
		a->not_before = -5;
		a->not_after = INT64_C(253402300799);
		a->renewed_not_after = TIME_UNKNOWN;
		a->started = 7;
		a->locations_more = 3;
		assert_int_equal(strings_add(&a->locations, "file:///a"), ERR_OK);
		assert_int_equal(strings_add(&a->problems, "expired"), ERR_OK);
	}
}

static void test_there_and_back(void **state)
{
	struct notification n;
	struct notification back;
	struct buffer bytes;
	struct buffer again;

	(void)state;
	fill(&n);
	buffer_init(&bytes, NOTIFICATION_BYTES_MAX);
	buffer_init(&again, NOTIFICATION_BYTES_MAX);
	notification_encode(&bytes, &n);
	assert_int_equal(notification_decode(buffer_bytes(&bytes), &back), ERR_OK);
	assert_int_equal(back.count, 2);
	assert_string_equal(back.alerts[0].summary, "häßlich \"quoted\"");
	assert_null(back.alerts[1].subject_cn);
	assert_int_equal(back.alerts[0].not_before, -5);
	assert_int_equal(back.alerts[0].locations_more, 3);
	notification_encode(&again, &back);
	assert_int_equal(bytes.size, again.size);
	assert_memory_equal(bytes.data, again.data, bytes.size);
	notification_fini(&n);
	notification_fini(&back);
	buffer_fini(&bytes);
	buffer_fini(&again);
}

/* Every cut, and every byte changed, is refused or harmless. */
static void test_hostile_bytes(void **state)
{
	struct notification n;
	struct notification back;
	struct buffer bytes;
	size_t refused = 0;

	(void)state;
	fill(&n);
	buffer_init(&bytes, NOTIFICATION_BYTES_MAX);
	notification_encode(&bytes, &n);
	for (size_t i = 0; i < bytes.size; i++)
		assert_int_equal(
			notification_decode(slice_of(bytes.data, i), &back), ERR_MALFORMED);
	for (size_t i = 0; i < bytes.size; i++) {
		uint8_t was = bytes.data[i];

		for (unsigned v = 0; v < 256; v += 5) {
			bytes.data[i] = (uint8_t)v;
			if (notification_decode(buffer_bytes(&bytes), &back) == ERR_OK)
				notification_fini(&back);
			else
				refused++;
		}
		bytes.data[i] = was;
	}
	assert_true(refused > 0);
	/* Text that would forge a line is not taken. */
	free(n.alerts[0].summary);
	n.alerts[0].summary = strdup("a\nb");
	buffer_clear(&bytes);
	notification_encode(&bytes, &n);
	assert_int_equal(notification_decode(buffer_bytes(&bytes), &back), ERR_MALFORMED);
	notification_fini(&n);
	buffer_fini(&bytes);
}

static void test_too_many_alerts(void **state)
{
	struct notification n;
	struct notification back;
	struct buffer bytes;
	struct alert one;
	struct alert *many = calloc(NOTIFICATION_ALERTS_MAX + 1, sizeof(*many));

	(void)state;
	fill(&n);
	one = n.alerts[0];
	for (size_t i = 0; i <= NOTIFICATION_ALERTS_MAX; i++)
		many[i] = one;
	struct notification big = n;
	big.alerts = many;
	big.count = NOTIFICATION_ALERTS_MAX;
	buffer_init(&bytes, NOTIFICATION_BYTES_MAX);
	notification_encode(&bytes, &big);
	assert_int_equal(notification_decode(buffer_bytes(&bytes), &back), ERR_OK);
	notification_fini(&back);
	big.count++;
	buffer_clear(&bytes);
	notification_encode(&bytes, &big);
	assert_int_equal(notification_decode(buffer_bytes(&bytes), &back), ERR_MALFORMED);
	free(many);
	notification_fini(&n);
	buffer_fini(&bytes);
}

static void test_repeats_are_marked(void **state)
{
	struct notification n;
	struct buffer bytes;

	(void)state;
	fill(&n);
	buffer_init(&bytes, NOTIFICATION_BYTES_MAX);
	assert_false(notification_only_repeats(&n));
	notification_encode(&bytes, &n);
	assert_int_equal(bytes.data[1], 0);
	n.alerts[1].event = ALERT_REPEATED;
	assert_true(notification_only_repeats(&n));
	buffer_clear(&bytes);
	notification_encode(&bytes, &n);
	assert_int_equal(bytes.data[1], 1);
	notification_fini(&n);
	buffer_fini(&bytes);
}

static void test_copies_stand_alone(void **state)
{
	struct notification n;
	struct alert copy;

	(void)state;
	fill(&n);
	assert_int_equal(alert_copy(&copy, &n.alerts[0]), ERR_OK);
	notification_fini(&n);
	assert_string_equal(copy.subject, "CN=x");
	assert_string_equal(copy.locations.items[0], "file:///a");
	alert_fini(&copy);
	assert_null(copy.key);
}

/* RFC 9562 5.7. */
static void test_ids(void **state)
{
	char id[NOTIFICATION_ID_BYTES];
	char other[NOTIFICATION_ID_BYTES];
	char head[13];
	long long ms;

	(void)state;
	assert_int_equal(notification_new_id(id), ERR_OK);
	assert_int_equal(notification_new_id(other), ERR_OK);
	assert_string_not_equal(id, other);
	assert_int_equal(strlen(id), 36);
	assert_true(id[8] == '-' && id[13] == '-' && id[18] == '-' && id[23] == '-');
	assert_int_equal(id[14], '7');
	assert_non_null(strchr("89ab", id[19]));
	memcpy(head, id, 8);
	memcpy(head + 8, id + 9, 4);
	head[12] = 0;
	ms = strtoll(head, NULL, 16);
	assert_true(llabs(ms / 1000 - (long long)time(NULL)) <= 5);
}

static void test_words(void **state)
{
	enum alert_severity severity;

	(void)state;
	for (unsigned i = 0; i < SEVERITY_COUNT; i++) {
		assert_int_equal(
			severity_parse(severity_word((enum alert_severity)i), &severity), ERR_OK);
		assert_int_equal(severity, i);
	}
	assert_int_equal(severity_parse("page", &severity), ERR_NOT_FOUND);
	for (unsigned i = 0; i < ALERT_EVENT_COUNT; i++) {
		const char *word = alert_event_word((enum alert_event)i);

		assert_int_equal(strncmp(word, "resolved", 8) == 0,
			alert_event_is_resolved((enum alert_event)i));
	}
	assert_string_equal(severity_word((enum alert_severity)99), "unknown");
	assert_string_equal(alert_event_word((enum alert_event)99), "unknown");
}

static void test_test_notification(void **state)
{
	struct notification n;

	(void)state;
	assert_int_equal(notification_test("ops", 5, &n), ERR_OK);
	assert_string_equal(n.receiver, "ops");
	assert_int_equal(n.count, 1);
	assert_int_equal(n.alerts[0].event, ALERT_TEST);
	assert_true(*n.host && text_is_clean(slice_text(n.host)));
	notification_fini(&n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_there_and_back),
		cmocka_unit_test(test_hostile_bytes),
		cmocka_unit_test(test_too_many_alerts),
		cmocka_unit_test(test_repeats_are_marked),
		cmocka_unit_test(test_copies_stand_alone),
		cmocka_unit_test(test_ids),
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_test_notification),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
