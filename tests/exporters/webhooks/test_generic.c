/* Alertmanager's webhook, version 4: every key of the documented body, and its sizes. */
#include "exporters/webhooks/service.h"
#include "samples.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cjson/cJSON.h>
#include <cmocka.h>

extern const struct service alertmanager_service;

static cJSON *render(const struct notification *n)
{
	struct buffer out;
	cJSON *root;

	buffer_init(&out, WEBHOOK_BODY_BYTES_MAX);
	assert_int_equal(alertmanager_service.render(n, &out), ERR_OK);
	root = cJSON_Parse(buffer_string(&out));
	assert_non_null(root);
	buffer_fini(&out);
	return root;
}

static const cJSON *item(const cJSON *o, const char *key)
{
	const cJSON *found = cJSON_GetObjectItemCaseSensitive(o, key);

	assert_non_null(found);
	return found;
}

static const char *text_of(const cJSON *o, const char *key)
{
	const char *text = cJSON_GetStringValue(item(o, key));

	assert_non_null(text);
	return text;
}

/* A map of texts. */
static void check_map(const cJSON *map)
{
	const cJSON *v;

	assert_true(cJSON_IsObject(map));
	cJSON_ArrayForEach(v, map) assert_true(cJSON_IsString(v));
}

static void check_time(const char *text)
{
	int64_t at;

	assert_int_equal(strlen(text), 20);
	assert_int_equal(time_parse(text, &at), ERR_OK);
}

static void check_alert(const cJSON *a)
{
	const char *status = text_of(a, "status");
	const char *fingerprint = text_of(a, "fingerprint");

	assert_true(strcmp(status, "firing") == 0 || strcmp(status, "resolved") == 0);
	check_map(item(a, "labels"));
	check_map(item(a, "annotations"));
	assert_true(strncmp(text_of(item(a, "labels"), "alertname"), "Leafwatch", 9) == 0);
	assert_non_null(strstr("info warning critical", text_of(item(a, "labels"), "severity")));
	assert_string_equal(text_of(item(a, "labels"), "instance"), "web01");
	(void)text_of(item(a, "annotations"), "summary");
	(void)text_of(item(a, "annotations"), "description");
	check_time(text_of(a, "startsAt"));
	check_time(text_of(a, "endsAt"));
	(void)text_of(a, "generatorURL");
	assert_int_equal(strlen(fingerprint), 16);
	assert_int_equal(strspn(fingerprint, "0123456789abcdef"), 16);
	assert_int_equal(strcmp(text_of(a, "endsAt"), "0001-01-01T00:00:00Z") == 0,
		strcmp(status, "firing") == 0);
}

/* Returns the number of alerts. */
static int check(const cJSON *root)
{
	const cJSON *alerts = item(root, "alerts");
	const cJSON *a;

	assert_string_equal(text_of(root, "version"), "4");
	assert_true(*text_of(root, "groupKey"));
	assert_true(cJSON_IsNumber(item(root, "truncatedAlerts")));
	(void)text_of(root, "status");
	assert_string_equal(text_of(root, "receiver"), "ops");
	check_map(item(root, "groupLabels"));
	check_map(item(root, "commonLabels"));
	check_map(item(root, "commonAnnotations"));
	(void)text_of(root, "externalURL");
	assert_true(cJSON_IsArray(alerts));
	cJSON_ArrayForEach(a, alerts) check_alert(a);
	return cJSON_GetArraySize(alerts);
}

static void check_sample(size_t count, const char *name, size_t places)
{
	struct notification n = sample(count, name, places);
	cJSON *root = render(&n);
	int shown = check(root);
	double left = item(root, "truncatedAlerts")->valuedouble;

	assert_int_equal(shown + (int)left, count);
	if (strlen(name) < 1000)
		assert_int_equal((int)left, 0);
	cJSON_Delete(root);
	notification_fini(&n);
}

static void test_shape(void **state)
{
	char *huge = long_name(60000);

	(void)state;
	check_sample(0, "api", 1);
	check_sample(1, "api", 1);
	check_sample(200, "api", 1);
	check_sample(200, HOSTILE_NAME, 10);
	check_sample(1, "", 0);
	check_sample(1, huge, 1000);
	check_sample(NOTIFICATION_ALERTS_MAX, huge + 52000, 2);
	free(huge);
}

static void test_common_labels(void **state)
{
	struct notification n = sample(2, "api", 1);
	cJSON *root = render(&n);

	(void)state;
	assert_string_equal(
		text_of(item(root, "commonLabels"), "alertname"), "LeafwatchCertificateExpiry");
	assert_string_equal(text_of(item(root, "commonLabels"), "subject_cn"), "api");
	/* One is critical, the other a warning; and they are two certificates. */
	assert_null(cJSON_GetObjectItemCaseSensitive(item(root, "commonLabels"), "severity"));
	assert_null(cJSON_GetObjectItemCaseSensitive(item(root, "commonLabels"), "fingerprint"));
	assert_string_equal(text_of(item(root, "commonAnnotations"), "summary"), "api");
	cJSON_Delete(root);
	notification_fini(&n);
}

static void test_identity_stays(void **state)
{
	struct notification n = sample(1, "api", 1);
	cJSON *fired = render(&n);
	cJSON *resolved;
	const cJSON *a;
	const cJSON *b;

	(void)state;
	n.alerts[0].event = ALERT_RENEWED;
	n.alerts[0].renewed_not_after = SAMPLE_NOW + 90 * 86400;
	n.created += 3600;
	resolved = render(&n);
	a = cJSON_GetArrayItem(item(fired, "alerts"), 0);
	b = cJSON_GetArrayItem(item(resolved, "alerts"), 0);
	assert_string_equal(text_of(a, "fingerprint"), text_of(b, "fingerprint"));
	assert_string_equal(text_of(a, "startsAt"), text_of(b, "startsAt"));
	assert_true(cJSON_Compare(item(a, "labels"), item(b, "labels"), true));
	assert_string_equal(text_of(fired, "status"), "firing");
	assert_string_equal(text_of(resolved, "status"), "resolved");
	assert_string_equal(text_of(b, "endsAt"), "2027-01-15T09:00:00Z");
	assert_non_null(
		strstr(text_of(item(b, "annotations"), "description"), "renewed until 2027-04-15"));
	cJSON_Delete(fired);
	cJSON_Delete(resolved);
	notification_fini(&n);
}

static void test_all_places_up_to_a_limit(void **state)
{
	struct notification n = sample(1, "file:///x", 25);
	cJSON *root;
	const char *text;

	(void)state;
	n.alerts[0].locations_more = 100;
	root = render(&n);
	text = text_of(
		item(cJSON_GetArrayItem(item(root, "alerts"), 0), "annotations"), "description");
	assert_non_null(strstr(text, " and 105 more places"));
	cJSON_Delete(root);
	notification_fini(&n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_shape),
		cmocka_unit_test(test_common_labels),
		cmocka_unit_test(test_identity_stays),
		cmocka_unit_test(test_all_places_up_to_a_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
