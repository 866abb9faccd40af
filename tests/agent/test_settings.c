/* The section `limits`: its standards are those of the formats, and nonsense is an error with its place. */
#include "agent/settings.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static const char *const keys[] = { "certificates", "file_time", "nesting", "problems", "keys",
	"references", "base64_places", "decoded_size", "kdf_iterations", "kdf_iterations_total",
	"password_attempts", "archive_depth", "archive_members", "archive_size", "archive_ratio",
	"member_size", "memory", "config_size", "image_stores", "image_lists", "image_layers",
	"reference_names", "tokens", "token_certificates", "listener_names",
	"listener_names_total" };
#define KEYS_COUNT (sizeof(keys) / sizeof(keys[0]))

static enum err load(const char *text, struct settings **out, struct why *why)
{
	char path[] = "/tmp/leafwatch-settings-XXXXXX";
	int fd = mkstemp(path);
	enum err e;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	(void)close(fd);
	*why = (struct why){ 0 };
	e = settings_load(path, out, why);
	(void)unlink(path);
	return e;
}

static void standards(void **state)
{
	const struct format_limits *l = &format_limits_standard;
	struct settings *s;
	struct why why;

	(void)state;
	assert_int_equal(load("", &s, &why), ERR_OK);
	assert_memory_equal(&s->limits, l, sizeof(*l));
	settings_free(s);
}

/* A word, less than nothing, more than any, a list. */
static void nonsense(void **state)
{
	static const char *const values[] = { "many", "-1", "99999999999999999999", "[1]", "1.5",
		"''" };

	(void)state;
	for (size_t k = 0; k < KEYS_COUNT; k++)
		for (size_t v = 0; v < sizeof(values) / sizeof(values[0]); v++) {
			struct settings *s = NULL;
			char text[128];
			struct why why;

			(void)snprintf(
				text, sizeof(text), "limits: {%s: %s}\n", keys[k], values[v]);
			if (load(text, &s, &why) != ERR_CONFIG)
				fail_msg("%s was taken", text);
			assert_non_null(strstr(why.text, ":1:"));
		}
}

/* What may be set is set, and nothing beside it. */
static void each_alone(void **state)
{
	static const struct {
		const char *text;
		size_t offset;
		int64_t value;
	} cases[] = {
		{ "nesting: 8", offsetof(struct format_limits, nesting), 8 },
		{ "problems: 1", offsetof(struct format_limits, problems), 1 },
		{ "keys: 0", offsetof(struct format_limits, keys), 0 },
		{ "references: 1", offsetof(struct format_limits, references), 1 },
		{ "reference_names: 10000", offsetof(struct format_limits, reference_names),
			10000 },
		{ "tokens: 4096", offsetof(struct format_limits, tokens), 4096 },
		{ "token_certificates: 1", offsetof(struct format_limits, token_certificates), 1 },
		{ "listener_names: 1", offsetof(struct format_limits, listener_names), 1 },
		{ "listener_names_total: 1", offsetof(struct format_limits, listener_names_total),
			1 },
		{ "base64_places: 5", offsetof(struct format_limits, places), 5 },
		{ "decoded_size: 4KiB", offsetof(struct format_limits, decoded_bytes), 4096 },
		{ "kdf_iterations: 1", offsetof(struct format_limits, kdf_iterations), 1 },
		{ "kdf_iterations_total: 7", offsetof(struct format_limits, kdf_iterations_total),
			7 },
		{ "password_attempts: 0", offsetof(struct format_limits, passwords), 0 },
		{ "memory: 1GiB", offsetof(struct format_limits, memory_bytes),
			1024 * 1024 * 1024 },
		{ "config_size: 8MiB", offsetof(struct format_limits, config_bytes),
			8 * 1024 * 1024 },
		{ "image_stores: 0", offsetof(struct format_limits, image_stores), 0 },
		{ "image_lists: 1GiB", offsetof(struct format_limits, image_list_bytes),
			1024 * 1024 * 1024 },
		{ "image_layers: 1", offsetof(struct format_limits, image_layers), 1 },
		{ "file_time: 100ms", offsetof(struct format_limits, time_ms), 100 },
	};
	static const char *const too_much[] = { "nesting: 9", "problems: 0", "references: 0",
		"kdf_iterations: 0", "kdf_iterations: 10000001", "kdf_iterations_total: 100000001",
		"decoded_size: 65MiB", "decoded_size: 1KiB", "file_time: 61m", "file_time: 99ms",
		"password_attempts: 1000001", "listener_names: 0", "listener_names_total: 20001",
		"tokens: 0", "tokens: 4097", "token_certificates: 10001", "reference_names: 10001",
		"image_stores: 100001", "image_lists: 1025MiB", "image_layers: 0",
		"config_size: 65MiB", "config_size: 4095", "memory: 1025MiB", "memory: 1023KiB" };
	char text[128];
	struct why why;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct format_limits wanted = format_limits_standard;
		struct settings *s = NULL;

		memcpy((char *)&wanted + cases[i].offset, &cases[i].value, sizeof(int64_t));
		(void)snprintf(text, sizeof(text), "limits: {%s}\n", cases[i].text);
		assert_int_equal(load(text, &s, &why), ERR_OK);
		assert_memory_equal(&s->limits, &wanted, sizeof(wanted));
		settings_free(s);
	}
	for (size_t i = 0; i < sizeof(too_much) / sizeof(too_much[0]); i++) {
		struct settings *s = NULL;

		(void)snprintf(text, sizeof(text), "limits: {%s}\n", too_much[i]);
		if (load(text, &s, &why) != ERR_CONFIG)
			fail_msg("%s was taken", text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(standards),
		cmocka_unit_test(nonsense),
		cmocka_unit_test(each_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
