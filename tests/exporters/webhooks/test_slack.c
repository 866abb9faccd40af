/* Slack's bodies: the documented shape and limits, whatever a certificate says. */
#include "exporters/webhooks/service.h"
#include "samples.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cjson/cJSON.h>
#include <cmocka.h>

extern const struct service slack_service;

static cJSON *render(const struct notification *n)
{
	struct buffer out;
	cJSON *root;

	buffer_init(&out, WEBHOOK_BODY_BYTES_MAX);
	assert_int_equal(slack_service.render(n, &out), ERR_OK);
	root = cJSON_Parse(buffer_string(&out));
	assert_non_null(root);
	buffer_fini(&out);
	return root;
}

static const char *text_of(const cJSON *o, const char *key)
{
	const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(o, key));

	assert_non_null(text);
	return text;
}

/* Every "<" is escaped, so there is neither link, mention nor channel. */
static void check_escaped(const char *text)
{
	assert_null(strchr(text, '<'));
	assert_null(strchr(text, '>'));
	for (const char *at = strchr(text, '&'); at; at = strchr(at + 1, '&'))
		assert_true(strncmp(at, "&amp;", 5) == 0 || strncmp(at, "&lt;", 4) == 0 ||
			    strncmp(at, "&gt;", 4) == 0);
}

static size_t check_text(const cJSON *o, const char *type, size_t max)
{
	const char *text;

	assert_true(cJSON_IsObject(o));
	assert_string_equal(text_of(o, "type"), type);
	text = text_of(o, "text");
	assert_true(*text && strlen(text) <= max);
	if (strcmp(type, "mrkdwn") == 0) {
		assert_true(cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(o, "verbatim")));
		check_escaped(text);
	}
	return strlen(text);
}

static size_t check_section(const cJSON *block)
{
	const cJSON *text = cJSON_GetObjectItemCaseSensitive(block, "text");
	const cJSON *fields = cJSON_GetObjectItemCaseSensitive(block, "fields");
	const cJSON *f;
	size_t total = 0;

	assert_true(text || fields);
	if (text)
		total += check_text(text, "mrkdwn", 3000);
	if (fields)
		assert_in_range(cJSON_GetArraySize(fields), 1, 10);
	cJSON_ArrayForEach(f, fields) total += check_text(f, "mrkdwn", 2000);
	return total;
}

static size_t check_block(const cJSON *block)
{
	const char *type = text_of(block, "type");
	const cJSON *e;
	size_t total = 0;

	if (strcmp(type, "header") == 0)
		return check_text(
			cJSON_GetObjectItemCaseSensitive(block, "text"), "plain_text", 150);
	if (strcmp(type, "section") == 0)
		return check_section(block);
	assert_string_equal(type, "context");
	cJSON_ArrayForEach(e, cJSON_GetObjectItemCaseSensitive(block, "elements")) total +=
		check_text(e, "mrkdwn", 2000);
	assert_true(total > 0);
	return total;
}

/* Returns the number of blocks. */
static int check(const cJSON *root)
{
	const cJSON *blocks = cJSON_GetObjectItemCaseSensitive(root, "blocks");
	const cJSON *b;
	size_t total = 0;

	assert_true(*text_of(root, "text"));
	assert_true(strlen(text_of(root, "text")) <= 3000);
	check_escaped(text_of(root, "text"));
	assert_in_range(cJSON_GetArraySize(blocks), 1, 50);
	cJSON_ArrayForEach(b, blocks) total += check_block(b);
	assert_true(total <= 13000);
	return cJSON_GetArraySize(blocks);
}

static int render_checked(struct notification n)
{
	cJSON *root = render(&n);
	int blocks = check(root);

	cJSON_Delete(root);
	notification_fini(&n);
	return blocks;
}

static void test_limits(void **state)
{
	char *huge = long_name(60000);

	(void)state;
	assert_int_equal(render_checked(sample(0, "api", 1)), 3);
	assert_int_equal(render_checked(sample(1, "api", 1)), 4);
	assert_int_equal(render_checked(sample(200, "api", 1)), 49);
	(void)render_checked(sample(1, "", 0));
	(void)render_checked(sample(200, HOSTILE_NAME, 10));
	(void)render_checked(sample(1, huge, 1000));
	(void)render_checked(sample(200, huge + 40000, 10));
	(void)render_checked(sample(NOTIFICATION_ALERTS_MAX, huge + 52000, 1));
	free(huge);
}

static bool says(const cJSON *root, const char *what)
{
	char *text = cJSON_PrintUnformatted(root);
	bool found = strstr(text, what) != NULL;

	cJSON_free(text);
	return found;
}

static void test_says_how_many_more(void **state)
{
	struct notification n = sample(200, "api", 7);
	cJSON *root = render(&n);

	(void)state;
	assert_true(says(root, "200 alerts, 100 critical on web01"));
	assert_true(says(root, "…and 155 more"));
	assert_true(says(root, "…and 2 more places"));
	cJSON_Delete(root);
	notification_fini(&n);
}

static void test_single_alert_is_in_the_fallback(void **state)
{
	struct notification n = sample(1, "api.example.org expires in 6 d", 1);
	cJSON *root = render(&n);

	(void)state;
	assert_string_equal(
		text_of(root, "text"), "1 critical alert on web01: api.example.org expires in 6 d");
	cJSON_Delete(root);
	notification_fini(&n);
}

static void test_mentions_are_impossible(void **state)
{
	struct notification n = sample(1, "<!channel>&<@U1>`", 1);
	cJSON *root = render(&n);

	(void)state;
	assert_false(says(root, "<!channel>"));
	assert_true(says(root, "&lt;!channel&gt;&amp;&lt;@U1&gt;"));
	/* The backtick would end the code span. */
	assert_true(says(root, "&lt;@U1&gt;'`"));
	cJSON_Delete(root);
	notification_fini(&n);
}

static void test_events(void **state)
{
	struct notification n = sample(3, "api", 1);
	cJSON *root;

	(void)state;
	n.alerts[1].event = ALERT_RENEWED;
	n.alerts[2].event = ALERT_ESCALATED;
	root = render(&n);
	assert_true(says(root, "2 critical alerts, 1 resolved on web01"));
	assert_true(says(root, "resolved: renewed"));
	assert_true(says(root, ":white_check_mark:"));
	cJSON_Delete(root);
	notification_fini(&n);
	assert_int_equal(notification_test("ops", SAMPLE_NOW, &n), ERR_OK);
	root = render(&n);
	(void)check(root);
	assert_true(says(root, "Test notification"));
	cJSON_Delete(root);
	notification_fini(&n);
}

static void test_answers(void **state)
{
	(void)state;
	assert_true(slack_service.accepts(slice_text("ok")));
	assert_true(slack_service.accepts(slice_text("ok\n")));
	assert_false(slack_service.accepts(slice_text("")));
	assert_false(slack_service.accepts(slice_text("okay then")));
	assert_false(slack_service.accepts(slice_text("<html>log in</html>")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_says_how_many_more),
		cmocka_unit_test(test_single_alert_is_in_the_fallback),
		cmocka_unit_test(test_mentions_are_impossible),
		cmocka_unit_test(test_events),
		cmocka_unit_test(test_answers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
