/* Structs and tables as text. */
#include "agent/config/schema.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define SHOWN_BYTES_MAX (64 * 1024)

struct item {
	char *name;
	int64_t wait_ms;
};

struct all {
	char *text;
	struct strings texts;
	bool flag;
	int64_t number;
	int64_t jitter_ms;
	uint64_t size;
	int word;
	struct secret url;
	struct secret token;
	struct secret unset;
	struct item one;
	struct sections many;
	struct strings headers;
};

#define AT(member) .offset = offsetof(struct all, member)

static const char *const words[] = { "red", "green", NULL };

static const struct schema_field item_fields[] = {
	{ .key = "name",
		.type = SCHEMA_TEXT,
		.offset = offsetof(struct item, name),
		.help = "Its name." },
	{ .key = "wait",
		.type = SCHEMA_DURATION,
		.offset = offsetof(struct item, wait_ms),
		.standard = "90s",
		.minimum = 1000,
		.maximum = 3600000 },
	{ 0 },
};

static const struct schema_field fields[] = {
	{ .key = "text", .type = SCHEMA_TEXT, AT(text), .standard = "" },
	{ .key = "texts",
		.type = SCHEMA_TEXTS,
		AT(texts),
		.standard = "[a, b]",
		.help = "Some texts." },
	{ .key = "flag", .type = SCHEMA_BOOL, AT(flag) },
	{ .key = "number", .type = SCHEMA_INTEGER, AT(number), .minimum = -1, .maximum = 5 },
	{ .key = "jitter", .type = SCHEMA_DURATION, AT(jitter_ms), .standard = "10m" },
	{ .key = "size", .type = SCHEMA_SIZE, AT(size), .minimum = 4096 },
	{ .key = "word", .type = SCHEMA_WORD, AT(word), .words = words },
	{ .key = "url", .type = SCHEMA_SECRET, AT(url), .is_required = true, .help = "Where to." },
	{ .key = "token", .type = SCHEMA_SECRET, AT(token) },
	{ .key = "unset", .type = SCHEMA_SECRET, AT(unset) },
	{ .key = "one", .type = SCHEMA_SECTION, AT(one), .fields = item_fields },
	{ .key = "many",
		.type = SCHEMA_SECTIONS,
		AT(many),
		.fields = item_fields,
		.section_bytes = sizeof(struct item) },
	{ .key = "headers", .type = SCHEMA_HEADERS, AT(headers) },
	{ 0 },
};

static void show(const char *text, struct buffer *out)
{
	struct tree *t = NULL;
	struct all a = { 0 };
	struct why why = { 0 };
	enum err e;

	assert_int_equal(tree_new(&t), ERR_OK);
	e = tree_parse(t, "a.yml", slice_text(text), &why);
	if (e == ERR_OK)
		e = schema_apply(fields, tree_root(t), &a, &why);
	if (e != ERR_OK)
		fail_msg("%s", why.text);
	buffer_init(out, SHOWN_BYTES_MAX);
	schema_show(fields, &a, 0, out);
	assert_int_equal(buffer_status(out), ERR_OK);
	schema_fini(fields, &a);
	tree_free(t);
}

static void a_struct_is_shown_without_secrets(void **state)
{
	struct buffer shown;

	(void)state;
	show("text: plain/text:1\ntexts: [x, 'y z']\nflag: yes\nnumber: -1\njitter: 3723s\n"
	     "size: 1536KiB\nword: green\nurl: https://hooks.example.org/T0/hunter2\n"
	     "token_file: credential:tok\none: {name: 'null'}\n"
	     "many:\n  - {name: a, wait: 1500ms}\n  - {}\n"
	     "headers: {X-Key: hunter2}\n",
		&shown);
	assert_string_equal(buffer_string(&shown), "text: plain/text:1\n"
						   "texts:\n"
						   "  - x\n"
						   "  - \"y z\"\n"
						   "flag: true\n"
						   "number: -1\n"
						   "jitter: 1h2m3s\n"
						   "size: 1536KiB\n"
						   "word: green\n"
						   "url: <secret>\n"
						   "token_file: credential:tok\n"
						   "unset: null\n"
						   "one:\n"
						   "  name: \"null\"\n"
						   "  wait: 1m30s\n"
						   "many:\n"
						   "  -\n"
						   "    name: a\n"
						   "    wait: 1s500ms\n"
						   "  -\n"
						   "    name: null\n"
						   "    wait: 1m30s\n"
						   "headers:\n"
						   "  \"X-Key\": <secret>\n");
	assert_null(strstr(buffer_string(&shown), "hunter2"));
	buffer_fini(&shown);
}

static void defaults_are_shown(void **state)
{
	struct buffer shown;

	(void)state;
	show("url: x\ntexts: []\nsize: 4096B", &shown);
	assert_string_equal(buffer_string(&shown), "text: \"\"\n"
						   "texts: []\n"
						   "flag: false\n"
						   "number: 0\n"
						   "jitter: 10m\n"
						   "size: 4KiB\n"
						   "word: red\n"
						   "url: <secret>\n"
						   "token: null\n"
						   "unset: null\n"
						   "one:\n"
						   "  name: null\n"
						   "  wait: 1m30s\n"
						   "many: []\n"
						   "headers: {}\n");
	buffer_fini(&shown);
}

/* What is shown can be read back, whatever the text: it gives the same struct. */
static void what_is_shown_reads_back(void **state)
{
	static const char *const texts[] = { "''", "a", "'~'", "'- a'", "'a: b'", "'#'", "'a #b'",
		"\"a\\nb\\tc\\e[0m\"", "\"\\x7f\\x80\\u2028\\u202e\\ufeff\"",
		"\"\\U0001F600 \xc3\xa4\"", "'$$x'", "'$${HOME}'", "'$$$$'", "'\"\\'", "'''x'''",
		"'*a'", "'&a'", "'!a'", "'<<'", "'@a'", "'`'", "'%a'", "'[a'", "'{a'", "'a:'",
		"':a'", "':'", "'?'", "'-'", "'---'", "'...'", "' a '", "\"\\uFFFE\\U0001FFFE\"",
		"'true'", "'1'", "'>'", "'|'", "'a,b'" };
	struct buffer first;
	struct buffer second;
	char text[512];

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		(void)snprintf(text, sizeof(text),
			"text: %s\ntexts: [%s]\nurl: x\nsize: 1MiB\none: {name: %s}\n", texts[i],
			texts[i], texts[i]);
		show(text, &first);
		show(buffer_string(&first), &second);
		assert_string_equal(buffer_string(&first), buffer_string(&second));
		buffer_fini(&first);
		buffer_fini(&second);
	}
}

static void a_table_is_described(void **state)
{
	struct buffer out;

	(void)state;
	buffer_init(&out, SHOWN_BYTES_MAX);
	schema_describe(fields, 1, &out);
	assert_string_equal(buffer_string(&out),
		"  text: text; default \"\"\n"
		"  texts: list of texts; default [a, b] - Some texts.\n"
		"  flag: true or false\n"
		"  number: number from -1 to 5\n"
		"  jitter: duration; default 10m\n"
		"  size: size at least 4KiB\n"
		"  word: red | green\n"
		"  url: secret, or url_file with a path; required - Where to.\n"
		"  token: secret, or token_file with a path\n"
		"  unset: secret, or unset_file with a path\n"
		"  one: map\n"
		"    name: text - Its name.\n"
		"    wait: duration from 1s to 1h; default 90s\n"
		"  many: list of maps\n"
		"    name: text - Its name.\n"
		"    wait: duration from 1s to 1h; default 90s\n"
		"  headers: map of headers\n");
	buffer_fini(&out);
}

/* A section with a required key shows as null where it was not given. */
static void what_was_not_given_is_null(void **state)
{
	static const struct schema_field strict_item[] = {
		{ .key = "name",
			.type = SCHEMA_TEXT,
			.offset = offsetof(struct item, name),
			.is_required = true },
		{ .key = "wait",
			.type = SCHEMA_DURATION,
			.offset = offsetof(struct item, wait_ms),
			.minimum = 1 },
		{ 0 },
	};
	static const struct schema_field strict[] = {
		{ .key = "one", .type = SCHEMA_SECTION, AT(one), .fields = strict_item },
		{ 0 },
	};
	struct all a = { 0 };
	struct buffer out;

	(void)state;
	buffer_init(&out, SHOWN_BYTES_MAX);
	assert_int_equal(schema_apply(strict, NULL, &a, NULL), ERR_OK);
	schema_show(strict, &a, 0, &out);
	assert_string_equal(buffer_string(&out), "one: null\n");
	buffer_clear(&out);
	schema_show(strict_item, &a.one, 0, &out);
	assert_string_equal(buffer_string(&out), "name: null\nwait: null\n");
	buffer_fini(&out);
	schema_fini(strict, &a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_struct_is_shown_without_secrets),
		cmocka_unit_test(defaults_are_shown),
		cmocka_unit_test(what_is_shown_reads_back),
		cmocka_unit_test(what_was_not_given_is_null),
		cmocka_unit_test(a_table_is_described),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
