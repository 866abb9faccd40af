/* Tables to structs: every type, defaults, sections, secrets, and what is refused. */
#include "agent/config/schema.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const char *const colours[] = { "red", "green", "blue", NULL };

struct part {
	char *name;
	int64_t count;
};

struct all {
	char *text;
	char *path;
	struct strings texts;
	struct strings listen;
	bool flag;
	int64_t number;
	int64_t any;
	int64_t least;
	int64_t every_ms;
	int64_t jitter_ms;
	uint64_t size;
	int colour;
	char *threshold;
	struct secret url;
	struct part part;
	struct sections parts;
	struct strings headers;
};

static enum err check_no_x(const char *value, struct why *why)
{
	return strchr(value, 'x') ? why_fail(why, ERR_MALFORMED, "an x is not allowed") : ERR_OK;
}

#define AT(member) .offset = offsetof(struct all, member)
#define IN_PART(member) .offset = offsetof(struct part, member)

static const struct schema_field part_fields[] = {
	{ .key = "name", .type = SCHEMA_TEXT, IN_PART(name), .is_required = true },
	{ .key = "count", .type = SCHEMA_INTEGER, IN_PART(count), .standard = "7" },
	{ 0 },
};

static const struct schema_field fields[] = {
	{ .key = "text", .type = SCHEMA_TEXT, AT(text) },
	{ .key = "path",
		.type = SCHEMA_TEXT,
		AT(path),
		.standard = "/metrics",
		.check = check_no_x },
	{ .key = "texts",
		.type = SCHEMA_TEXTS,
		AT(texts),
		.standard = "[a, 'b c']",
		.check = check_no_x },
	{ .key = "listen", .type = SCHEMA_TEXTS, AT(listen), .standard = "127.0.0.1:9947" },
	{ .key = "flag", .type = SCHEMA_BOOL, AT(flag), .standard = "true" },
	{ .key = "number",
		.type = SCHEMA_INTEGER,
		AT(number),
		.standard = "80",
		.minimum = 1,
		.maximum = 65535 },
	{ .key = "any", .type = SCHEMA_INTEGER, AT(any) },
	{ .key = "least", .type = SCHEMA_INTEGER, AT(least), .standard = "5", .minimum = 5 },
	{ .key = "every",
		.type = SCHEMA_DURATION,
		AT(every_ms),
		.standard = "1h30m",
		.minimum = 1000,
		.maximum = 90000000 },
	{ .key = "jitter", .type = SCHEMA_DURATION, AT(jitter_ms), .standard = "10m" },
	{ .key = "size",
		.type = SCHEMA_SIZE,
		AT(size),
		.standard = "64KiB",
		.minimum = 1024,
		.maximum = 1048576 },
	{ .key = "colour", .type = SCHEMA_WORD, AT(colour), .standard = "green", .words = colours },
	{ .key = "threshold",
		.type = SCHEMA_THRESHOLD,
		AT(threshold),
		.standard = "min(30d, 33%)",
		.check = check_no_x },
	{ .key = "url", .type = SCHEMA_SECRET, AT(url) },
	{ .key = "part", .type = SCHEMA_SECTION, AT(part), .fields = part_fields },
	{ .key = "parts",
		.type = SCHEMA_SECTIONS,
		AT(parts),
		.fields = part_fields,
		.section_bytes = sizeof(struct part) },
	{ .key = "headers", .type = SCHEMA_HEADERS, AT(headers) },
	{ 0 },
};

static enum err apply_by(
	const struct schema_field *table, const char *text, struct all *out, struct why *why)
{
	struct tree *t = NULL;
	enum err e;

	*out = (struct all){ 0 };
	assert_int_equal(tree_new(&t), ERR_OK);
	if (tree_parse(t, "a.yml", slice_text(text), why) != ERR_OK)
		fail_msg("%s", why->text);
	e = schema_apply(table, tree_root(t), out, why);
	tree_free(t);
	return e;
}

static void apply(const char *text, struct all *out)
{
	struct why why = { 0 };

	if (apply_by(fields, text, out, &why) != ERR_OK)
		fail_msg("%s", why.text);
}

static void assert_defaults(const struct all *a)
{
	assert_null(a->text);
	assert_string_equal(a->path, "/metrics");
	assert_int_equal(a->texts.count, 2);
	assert_string_equal(a->texts.items[0], "a");
	assert_string_equal(a->texts.items[1], "b c");
	assert_int_equal(a->listen.count, 1);
	assert_string_equal(a->listen.items[0], "127.0.0.1:9947");
	assert_true(a->flag);
	assert_int_equal(a->number, 80);
	assert_int_equal(a->any, 0);
	assert_int_equal(a->least, 5);
	assert_int_equal(a->every_ms, 5400000);
	assert_int_equal(a->jitter_ms, 600000);
	assert_int_equal(a->size, 65536);
	assert_int_equal(a->colour, 1);
	assert_string_equal(a->threshold, "min(30d, 33%)");
	assert_false(secret_is_set(&a->url));
	assert_null(a->part.name);
	assert_int_equal(a->part.count, 7);
	assert_int_equal(a->parts.count, 0);
	assert_int_equal(a->headers.count, 0);
}

static void absent_and_null_take_defaults(void **state)
{
	struct all a = { 0 };
	struct why why = { 0 };

	(void)state;
	assert_int_equal(schema_apply(fields, NULL, &a, &why), ERR_OK);
	assert_defaults(&a);
	schema_fini(fields, &a);
	apply("", &a);
	assert_defaults(&a);
	schema_fini(fields, &a);
	apply("text:\npath: ~\ntexts:\nlisten: null\nflag:\nnumber:\nany:\nevery:\njitter:\n"
	      "size:\ncolour:\nthreshold:\nurl:\nurl_file:\npart:\nparts:\nheaders:\n",
		&a);
	assert_defaults(&a);
	schema_fini(fields, &a);
	/* Freed twice is freed once. */
	schema_fini(fields, &a);
}

static void every_type_is_read(void **state)
{
	struct all a;

	(void)state;
	apply("text: ''\npath: /p\ntexts: [one, '']\nlisten: single\nflag: OFF\nnumber: 65535\n"
	      "any: -9223372036854775808\nleast: 9223372036854775807\nevery: 25h\njitter: 0\n"
	      "size: \"1MiB\"\ncolour: blue\nthreshold: 30d\nurl: https://h/s?t=1\n"
	      "part: {name: p, count: +3}\n"
	      "parts:\n  - name: q\n  - {name: r, count: 0}\n"
	      "headers:\n  X-A: 'b: c'\n  Y: 1\n",
		&a);
	assert_string_equal(a.text, "");
	assert_string_equal(a.path, "/p");
	assert_int_equal(a.texts.count, 2);
	assert_string_equal(a.texts.items[1], "");
	assert_int_equal(a.listen.count, 1);
	assert_string_equal(a.listen.items[0], "single");
	assert_false(a.flag);
	assert_int_equal(a.number, 65535);
	assert_true(a.any == INT64_MIN);
	assert_true(a.least == INT64_MAX);
	assert_int_equal(a.every_ms, 90000000);
	assert_int_equal(a.jitter_ms, 0);
	assert_int_equal(a.size, 1048576);
	assert_int_equal(a.colour, 2);
	assert_string_equal(a.threshold, "30d");
	assert_string_equal(a.url.value, "https://h/s?t=1");
	assert_null(a.url.file);
	assert_string_equal(a.part.name, "p");
	assert_int_equal(a.part.count, 3);
	assert_int_equal(a.parts.count, 2);
	assert_int_equal(((const struct part *)a.parts.items[0])->count, 7);
	assert_string_equal(((const struct part *)a.parts.items[1])->name, "r");
	assert_int_equal(((const struct part *)a.parts.items[1])->count, 0);
	assert_int_equal(a.headers.count, 2);
	assert_string_equal(a.headers.items[0], "X-A: b: c");
	assert_string_equal(a.headers.items[1], "Y: 1");
	schema_fini(fields, &a);
}

static void an_empty_list_is_not_the_default(void **state)
{
	struct all a;

	(void)state;
	apply("texts: []\nparts: []\nheaders: {}\nurl_file: credential:hook\n", &a);
	assert_int_equal(a.texts.count, 0);
	assert_int_equal(a.parts.count, 0);
	assert_null(a.url.value);
	assert_string_equal(a.url.file, "credential:hook");
	schema_fini(fields, &a);
}

static void booleans_are_six_words(void **state)
{
	static const char *const words[] = { "false", "true", "no", "yes", "off", "on", "False",
		"TRUE", "No", "YES", "oFF", "On" };
	char text[32];

	(void)state;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		struct all a;

		(void)snprintf(text, sizeof(text), "flag: %s", words[i]);
		apply(text, &a);
		assert_int_equal(a.flag, i % 2);
		schema_fini(fields, &a);
	}
}

struct bad {
	const char *text;
	const char *sentence;
};

static void assert_refused(const struct schema_field *table, const struct bad *bad, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct all a;
		struct why why = { 0 };

		assert_int_equal(apply_by(table, bad[i].text, &a, &why), ERR_CONFIG);
		assert_string_equal(why.text, bad[i].sentence);
		schema_fini(table, &a);
	}
}

static void unknown_keys_are_refused(void **state)
{
	static const struct bad bad[] = {
		{ "flag: on\ntexxt: a\n",
			"a.yml:2:1: unknown key \"texxt\"; did you mean \"text\"?" },
		{ "Size: 1KiB\n", "a.yml:1:1: unknown key \"Size\"; did you mean \"size\"?" },
		{ "url_fil: x\n",
			"a.yml:1:1: unknown key \"url_fil\"; did you mean \"url_file\"?" },
		{ "part: {nme: x}\n", "a.yml:1:8: unknown key \"nme\"; did you mean \"name\"?" },
		{ "parts:\n  - name: a\n    counts: 1\n",
			"a.yml:3:5: unknown key \"counts\"; did you mean \"count\"?" },
		{ "part:\n  completely: x\n",
			"a.yml:2:3: unknown key \"completely\"; known here are name, count" },
	};

	(void)state;
	assert_refused(fields, bad, sizeof(bad) / sizeof(bad[0]));
}

static void wrong_kinds_are_refused(void **state)
{
	static const struct bad bad[] = {
		{ "text: [a]\n", "a.yml:1:7: \"text\" must be a text, not a list" },
		{ "flag: {a: b}\n", "a.yml:1:7: \"flag\" must be true or false, not a map" },
		{ "every: [1h]\n", "a.yml:1:8: \"every\" must be a duration like 90s, 15m, 1h or "
				   "30d, not a list" },
		{ "texts: {a: b}\n", "a.yml:1:8: \"texts\" must be a list of texts, not a map" },
		{ "texts: [a, [b]]\n", "a.yml:1:12: an entry of \"texts\" must be a text" },
		{ "texts: [a, ~]\n", "a.yml:1:12: an entry of \"texts\" is empty" },
		{ "texts:\n  -\n", "a.yml:2:4: an entry of \"texts\" is empty" },
		{ "part: p\n", "a.yml:1:7: \"part\" must be a map of keys, not a single value" },
		{ "parts: {name: x}\n", "a.yml:1:8: \"parts\" must be a list of maps, each begun "
					"with \"- \", not a map" },
		{ "parts: ''\n", "a.yml:1:8: \"parts\" must be a list of maps, each begun with "
				 "\"- \", not a single value" },
		{ "parts: [p]\n", "a.yml:1:9: an entry of \"parts\" must be a map of keys" },
		{ "headers: [a]\n", "a.yml:1:10: \"headers\" must be a map of header names and "
				    "texts, not a list" },
		{ "url: [a]\n", "a.yml:1:6: \"url\" must be a text, not a list" },
		{ "url_file: [a]\n", "a.yml:1:11: \"url_file\" must be the path of a file" },
		{ "url_file: ''\n", "a.yml:1:11: \"url_file\" must be the path of a file" },
	};

	(void)state;
	assert_refused(fields, bad, sizeof(bad) / sizeof(bad[0]));
}

static void wrong_values_are_refused(void **state)
{
	static const struct bad bad[] = {
		{ "flag: maybe\n", "a.yml:1:7: \"flag\" must be true or false, not \"maybe\"" },
		{ "flag: y\n", "a.yml:1:7: \"flag\" must be true or false, not \"y\"" },
		{ "flag: 1\n", "a.yml:1:7: \"flag\" must be true or false, not \"1\"" },
		{ "flag: ''\n", "a.yml:1:7: \"flag\" must be true or false, not \"\"" },
		{ "number: 12x\n", "a.yml:1:9: \"number\" must be a whole number, not \"12x\"" },
		{ "number: 1.5\n", "a.yml:1:9: \"number\" must be a whole number, not \"1.5\"" },
		{ "number: 0x10\n", "a.yml:1:9: \"number\" must be a whole number, not \"0x10\"" },
		{ "number: 010\n", "a.yml:1:9: \"number\" must be a whole number, not \"010\"" },
		{ "number: ' 1'\n", "a.yml:1:9: \"number\" must be a whole number, not \" 1\"" },
		{ "number: '-'\n", "a.yml:1:9: \"number\" must be a whole number, not \"-\"" },
		{ "number: ''\n", "a.yml:1:9: \"number\" must be a whole number, not \"\"" },
		{ "any: 9223372036854775808\n",
			"a.yml:1:6: \"any\" must be a whole number, not \"9223372036854775808\"" },
		{ "any: -9223372036854775809\n",
			"a.yml:1:6: \"any\" must be a whole number, not \"-9223372036854775809\"" },
		{ "number: 0\n", "a.yml:1:9: \"number\" must be from 1 to 65535, not 0" },
		{ "number: -1\n", "a.yml:1:9: \"number\" must be from 1 to 65535, not -1" },
		{ "number: 65536\n", "a.yml:1:9: \"number\" must be from 1 to 65535, not 65536" },
		{ "least: 4\n", "a.yml:1:8: \"least\" must be at least 5, not 4" },
		{ "every: 15\n", "a.yml:1:8: \"every\": \"15\" has no unit of time; write it like "
				 "90s, 15m, 1h or 30d" },
		{ "every: soon\n",
			"a.yml:1:8: \"every\": \"soon\" is not a duration; write it like "
			"90s, 15m, 1h or 30d" },
		{ "every: auto\n",
			"a.yml:1:8: \"every\": \"auto\" is not a duration; write it like "
			"90s, 15m, 1h or 30d" },
		{ "every: 10ms\n", "a.yml:1:8: \"every\" must be from 1s to 1d1h, not 10ms" },
		{ "every: 0\n", "a.yml:1:8: \"every\" must be from 1s to 1d1h, not 0" },
		{ "every: 26h\n", "a.yml:1:8: \"every\" must be from 1s to 1d1h, not 26h" },
		{ "size: 4096\n",
			"a.yml:1:7: \"size\": \"4096\" has no unit of size; write it like "
			"64KiB or 8MiB" },
		{ "size: 1B\n", "a.yml:1:7: \"size\" must be from 1KiB to 1MiB, not 1B" },
		{ "size: 10000000TiB\n",
			"a.yml:1:7: \"size\" must be from 1KiB to 1MiB, not 10000000TiB" },
		{ "colour: gren\n", "a.yml:1:9: \"colour\" must be one of red, green, blue, not "
				    "\"gren\"; did you mean \"green\"?" },
		{ "colour: Red\n", "a.yml:1:9: \"colour\" must be one of red, green, blue, not "
				   "\"Red\"; did you mean \"red\"?" },
		{ "colour: mauve-ish\n",
			"a.yml:1:9: \"colour\" must be one of red, green, blue, not \"mauve-ish\"" },
		{ "path: /x\n", "a.yml:1:7: \"path\": an x is not allowed" },
		{ "texts: [a,\n  x]\n", "a.yml:2:3: \"texts\": an x is not allowed" },
		{ "threshold: x\n", "a.yml:1:12: \"threshold\": an x is not allowed" },
	};

	(void)state;
	assert_refused(fields, bad, sizeof(bad) / sizeof(bad[0]));
}

static void headers_cannot_carry_others(void **state)
{
	static const struct bad bad[] = {
		{ "headers: {'a b': c}\n", "a.yml:1:11: \"a b\" is not the name of a header" },
		{ "headers: {\"a:\": c}\n", "a.yml:1:11: \"a:\" is not the name of a header" },
		{ "headers: {\"a\\nb\": c}\n",
			"a.yml:1:11: \"a\\x0Ab\" is not the name of a header" },
		{ "headers: {a: \"b\\r\\nc: d\"}\n",
			"a.yml:1:14: the header \"a\" must be a text of one line" },
		{ "headers: {a: [b]}\n",
			"a.yml:1:14: the header \"a\" must be a text of one line" },
		{ "headers:\n  a:\n", "a.yml:2:5: the header \"a\" has no value" },
		{ "headers:\n  a: ''\n", "a.yml:2:6: the header \"a\" has no value" },
		{ "headers: {X-A: 1, x-a: 2}\n",
			"a.yml:1:19: the header \"x-a\" is given twice in \"headers\"" },
	};

	(void)state;
	assert_refused(fields, bad, sizeof(bad) / sizeof(bad[0]));
}

static void secrets_have_one_source(void **state)
{
	static const struct bad bad[] = {
		{ "url: s3cret\nurl_file: /f\n",
			"a.yml:2:1: \"url_file\" and \"url\" (a.yml:1:1) are both given; keep one "
			"of them" },
		{ "url_file: 'credential:'\n",
			"a.yml:1:11: \"url_file\": \"credential:\" must name a credential by a file "
			"name without \"/\"" },
		{ "url_file: credential:../x\n",
			"a.yml:1:11: \"url_file\": \"credential:../x\" must name a credential by a "
			"file name without \"/\"" },
		{ "url_file: 'credential:..'\n",
			"a.yml:1:11: \"url_file\": \"credential:..\" must name a credential by a "
			"file name without \"/\"" },
	};

	(void)state;
	assert_refused(fields, bad, sizeof(bad) / sizeof(bad[0]));
}

static void what_is_required_is_required(void **state)
{
	static const struct schema_field strict[] = {
		{ .key = "text", .type = SCHEMA_TEXT, AT(text), .is_required = true },
		{ .key = "url", .type = SCHEMA_SECRET, AT(url), .is_required = true },
		{ .key = "part", .type = SCHEMA_SECTION, AT(part), .fields = part_fields },
		{ .key = "parts",
			.type = SCHEMA_SECTIONS,
			AT(parts),
			.fields = part_fields,
			.section_bytes = sizeof(struct part) },
		{ 0 },
	};
	static const struct bad bad[] = {
		{ "url: x\n", "configuration:1:1: the key \"text\" is required" },
		{ "url: x\ntext: ~\n", "configuration:1:1: the key \"text\" is required" },
		{ "text: x\n", "configuration:1:1: the key \"url\" (or \"url_file\") is required" },
		{ "text: x\nurl: x\npart:\n  count: 1\n",
			"a.yml:4:3: the key \"name\" is required" },
		{ "text: x\nurl: x\npart: {}\n", "a.yml:3:7: the key \"name\" is required" },
		{ "text: x\nurl: x\nparts: [{name: a}, {}]\n",
			"a.yml:3:20: the key \"name\" is required" },
		{ "text: x\nurl: x\nparts:\n  -\n", "a.yml:4:4: the key \"name\" is required" },
	};
	struct all a;
	struct why why = { 0 };

	(void)state;
	assert_refused(strict, bad, sizeof(bad) / sizeof(bad[0]));
	assert_int_equal(apply_by(strict, "text: ''\nurl_file: x\n", &a, &why), ERR_OK);
	schema_fini(strict, &a);
}

static void defaults_are_checked_like_values(void **state)
{
	static const struct schema_field wrong[][2] = {
		{ { .key = "any", .type = SCHEMA_INTEGER, AT(any), .standard = "many" }, { 0 } },
		{ { .key = "any", .type = SCHEMA_INTEGER, AT(any), .standard = "9", .maximum = 8 },
			{ 0 } },
		{ { .key = "every", .type = SCHEMA_DURATION, AT(every_ms), .standard = "5" },
			{ 0 } },
		{ { .key = "colour",
			  .type = SCHEMA_WORD,
			  AT(colour),
			  .standard = "puce",
			  .words = colours },
			{ 0 } },
		{ { .key = "texts", .type = SCHEMA_TEXTS, AT(texts), .standard = "[a, " }, { 0 } },
		{ { .key = "texts",
			  .type = SCHEMA_TEXTS,
			  AT(texts),
			  .standard = "[x]",
			  .check = check_no_x },
			{ 0 } },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct all a = { 0 };
		struct why why = { 0 };

		assert_int_equal(schema_apply(wrong[i], NULL, &a, &why), ERR_CONFIG);
		assert_int_equal(strncmp(why.text, "default:", 8), 0);
		schema_fini(wrong[i], &a);
	}
}

static void a_map_is_a_map(void **state)
{
	struct tree *t = NULL;
	struct all a = { 0 };
	struct why why = { 0 };

	(void)state;
	assert_int_equal(tree_new(&t), ERR_OK);
	assert_int_equal(tree_parse(t, "a.yml", slice_text("l: [1]\nn: ~\n"), NULL), ERR_OK);
	assert_int_equal(schema_apply(fields, node_child(tree_root(t), "l"), &a, &why), ERR_CONFIG);
	assert_string_equal(why.text, "a.yml:1:4: a map of keys is wanted here");
	assert_int_equal(schema_apply(fields, node_child(tree_root(t), "n"), &a, &why), ERR_OK);
	assert_defaults(&a);
	schema_fini(fields, &a);
	tree_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(absent_and_null_take_defaults),
		cmocka_unit_test(every_type_is_read),
		cmocka_unit_test(an_empty_list_is_not_the_default),
		cmocka_unit_test(booleans_are_six_words),
		cmocka_unit_test(unknown_keys_are_refused),
		cmocka_unit_test(wrong_kinds_are_refused),
		cmocka_unit_test(wrong_values_are_refused),
		cmocka_unit_test(headers_cannot_carry_others),
		cmocka_unit_test(secrets_have_one_source),
		cmocka_unit_test(what_is_required_is_required),
		cmocka_unit_test(defaults_are_checked_like_values),
		cmocka_unit_test(a_map_is_a_map),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
