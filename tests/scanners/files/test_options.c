/* Options, roots and paths as they go from main to the reader; and the scanner's own description. */
#include "scanners/files/options.h"
#include "scanners/formats/format.h"
#include "scanners/scanner.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

extern const struct scanner files_scanner;

static void test_normal_paths(void **state)
{
	static const char *const cases[][3] = {
		{ "/x", "/", "/" },
		{ "/x", "//a///b/", "/a/b" },
		{ "/x", "/a/./b/../c", "/a/c" },
		{ "/x", "/../..", "/" },
		{ "/x/y", ".", "/x/y" },
		{ "/x/y", "..", "/x" },
		{ "/x/y", "./a", "/x/y/a" },
		{ "/x/y", "../../../a", "/a" },
		{ "/", "./a", "/a" },
		{ "/", "/..a/.b", "/..a/.b" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *path = path_normal(cases[i][0], cases[i][1]);

		assert_string_equal(path, cases[i][2]);
		free(path);
	}
}

static void test_options(void **state)
{
	struct files_options o = { .threads = 3,
		.deep = true,
		.file_bytes_max = 5,
		.text_bytes_max = 6,
		.archive_bytes_max = 7,
		.config_bytes_max = 8,
		.images = { .stores = 9,
			.list_bytes = 10,
			.layers = 11,
			.layers_per_image = 12,
			.nesting = 13 } };
	struct files_options back = { 0 };
	struct buffer out;

	(void)state;
	buffer_init(&out, 65536);
	assert_int_equal(strings_add(&o.roots, "/a\xff"), ERR_OK);
	assert_int_equal(strings_add(&o.exclude, "*.bak"), ERR_OK);
	files_options_encode(&out, &o);
	assert_int_equal(files_options_decode(buffer_bytes(&out), &back), ERR_OK);
	assert_int_equal(back.threads, 3);
	assert_true(back.deep);
	assert_false(back.follow_links);
	assert_int_equal(back.text_bytes_max, 6);
	assert_int_equal(back.archive_bytes_max, 7);
	assert_int_equal(back.config_bytes_max, 8);
	assert_int_equal(back.images.stores, 9);
	assert_int_equal(back.images.list_bytes, 10);
	assert_int_equal(back.images.layers, 11);
	assert_int_equal(back.images.layers_per_image, 12);
	assert_int_equal(back.images.nesting, 13);
	assert_true(strings_equal(&o.roots, &back.roots));
	assert_true(strings_equal(&o.exclude, &back.exclude));
	files_options_fini(&back);
	for (size_t size = 0; size < out.size; size++)
		assert_int_equal(
			files_options_decode(slice_of(out.data, size), &back), ERR_MALFORMED);
	files_options_fini(&o);
	buffer_fini(&out);
}

/* A pass's plan goes on with the files that configurations name. */
static enum err each_named_file(void *ctx, const char *job,
	enum err (*fn)(void *, const char *, const char *), void *arg, struct why *why)
{
	static const char *const uris[] = { "file:///etc/ssl/a%20b.pem", "https://x/",
		"file:///a%00b", "file:relative", "file:///%zz" };
	enum err e = ERR_OK;

	(void)why;
	assert_string_equal(job, ctx);
	for (size_t i = 0; e == ERR_OK && i < sizeof(uris) / sizeof(uris[0]); i++)
		e = fn(arg, uris[i], "nginx.conf:3 names it");
	return e;
}

static void test_named_files(void **state)
{
	char name[] = "files:2";
	struct scan_hints hints = { .ctx = name, .each_named_file = each_named_file };
	void *conf = calloc(1, files_scanner.conf_bytes);
	struct scan_job *job = conf;
	struct why why = { 0 };
	struct scan_item item;
	struct root_item root;
	uint64_t expected;
	void *plan;

	(void)state;
	assert_non_null(conf);
	job->name = name;
	assert_int_equal(files_scanner.open(conf, &hints, &plan, &expected, &why), ERR_OK);
	while (files_scanner.next(plan, &item, &why) == ERR_OK) {
		assert_int_equal(root_item_decode(buffer_bytes(&item.item), &root), ERR_OK);
		assert_int_equal(root.message.size, 0);
		free(item.place);
		buffer_fini(&item.item);
	}
	assert_int_equal(files_scanner.follow(plan, &hints, &why), ERR_OK);
	assert_int_equal(files_scanner.next(plan, &item, &why), ERR_OK);
	assert_string_equal(item.place, "file:///etc/ssl/a%20b.pem");
	assert_int_equal(root_item_decode(buffer_bytes(&item.item), &root), ERR_OK);
	assert_true(slice_starts(root.path, "/etc/ssl/a b.pem", 16));
	assert_true(slice_starts(root.message, "nginx.conf:3 names it", 21));
	free(item.place);
	buffer_fini(&item.item);
	assert_int_equal(files_scanner.next(plan, &item, &why), ERR_END);
	files_scanner.close(plan);
	free(conf);
}

/* And with those whose password one says. */
static enum err each_password(void *ctx, const char *job,
	enum err (*fn)(void *, const char *, const char *, bool), void *arg, struct why *why)
{
	enum err e = fn(arg, "file:///a.p12", "file:///etc/x", true);

	(void)why;
	assert_string_equal(job, ctx);
	for (size_t i = 0; e == ERR_OK && i < 2; i++)
		e = fn(arg, "file:///a.p12", "file:///etc/%20p", false);
	if (e == ERR_OK)
		e = fn(arg, "file:///b.p12", "https://x/", false);
	for (unsigned i = 0; e == ERR_OK && i < FORMAT_PASSWORD_SOURCES_MAX + 2; i++) {
		char uri[64];

		(void)snprintf(uri, sizeof(uri), "file:///p%u", i);
		e = fn(arg, "file:///c.p12", uri, false);
	}
	return e;
}

/* The plan's next item says so, at that place. */
static void expect_limit(void *plan, const char *message, const char *place)
{
	struct why why = { 0 };
	struct scan_item item;
	struct root_item root;

	assert_int_equal(files_scanner.next(plan, &item, &why), ERR_OK);
	assert_string_equal(item.place, place);
	assert_int_equal(root_item_decode(buffer_bytes(&item.item), &root), ERR_OK);
	assert_true(root.is_limit);
	assert_int_equal(root.message.size, strlen(message));
	assert_memory_equal(root.message.data, message, strlen(message));
	free(item.place);
	buffer_fini(&item.item);
}

static void test_passwords(void **state)
{
	char name[] = "files";
	struct scan_hints hints = { .ctx = name, .each_password = each_password };
	struct files_conf_start {
		struct scan_job job;
	} *conf = calloc(1, files_scanner.conf_bytes);
	struct why why = { 0 };
	struct scan_item item;
	struct root_item root;
	uint64_t expected;
	void *plan;

	(void)state;
	assert_non_null(conf);
	conf->job.name = name;
	assert_int_equal(files_scanner.open(conf, &hints, &plan, &expected, &why), ERR_OK);
	while (files_scanner.next(plan, &item, &why) == ERR_OK) {
		free(item.place);
		buffer_fini(&item.item);
	}
	assert_int_equal(files_scanner.follow(plan, &hints, &why), ERR_OK);
	assert_int_equal(files_scanner.next(plan, &item, &why), ERR_OK);
	assert_int_equal(root_item_decode(buffer_bytes(&item.item), &root), ERR_OK);
	assert_true(slice_starts(root.path, "/a.p12", root.path.size));
	assert_int_equal(root.sources_count, 2);
	assert_true(root.sources[0].is_configuration);
	assert_true(slice_starts(root.sources[0].path, "/etc/x", root.sources[0].path.size));
	assert_false(root.sources[1].is_configuration);
	assert_true(slice_starts(root.sources[1].path, "/etc/ p", root.sources[1].path.size));
	for (size_t size = 0; size < item.item.size; size++)
		assert_int_equal(
			root_item_decode(slice_of(item.item.data, size), &root), ERR_MALFORMED);
	free(item.place);
	buffer_fini(&item.item);
	assert_int_equal(files_scanner.next(plan, &item, &why), ERR_OK);
	assert_int_equal(root_item_decode(buffer_bytes(&item.item), &root), ERR_OK);
	assert_int_equal(root.sources_count, FORMAT_PASSWORD_SOURCES_MAX);
	free(item.place);
	buffer_fini(&item.item);
	expect_limit(plan,
		"its passwords are said in more files than are read: 2 left out, this the first (limits.password_sources)",
		"file:///c.p12");
	assert_int_equal(files_scanner.next(plan, &item, &why), ERR_END);
	files_scanner.close(plan);
	free(conf);
}

/* What a pass leaves out is a problem at the first file, with the key. */
static void test_limits(void **state)
{
	char name[] = "files";
	struct format_limits limits = format_limits_standard;
	const struct scan_hints hints = {
		.ctx = name, .each_named_file = each_named_file, .each_password = each_password
	};
	void *conf = calloc(1, files_scanner.conf_bytes);
	struct scan_job *job = conf;
	struct why why = { 0 };
	struct scan_item item;
	struct root_item root;
	uint64_t expected;
	void *plan;

	(void)state;
	assert_non_null(conf);
	job->name = name;
	job->limits = &limits;
	limits.named_files = 1;
	limits.password_sources = 1;
	assert_int_equal(files_scanner.open(conf, &hints, &plan, &expected, &why), ERR_OK);
	while (files_scanner.next(plan, &item, &why) == ERR_OK) {
		free(item.place);
		buffer_fini(&item.item);
	}
	assert_int_equal(files_scanner.follow(plan, &hints, &why), ERR_OK);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(files_scanner.next(plan, &item, &why), ERR_OK);
		assert_int_equal(root_item_decode(buffer_bytes(&item.item), &root), ERR_OK);
		assert_false(root.is_limit);
		assert_int_equal(root.sources_count, i);
		free(item.place);
		buffer_fini(&item.item);
	}
	expect_limit(plan,
		"configurations say the passwords of more files than are tried: 10 left out, this the first (limits.named_files)",
		"file:///c.p12");
	expect_limit(plan,
		"its passwords are said in more files than are read: 2 left out, this the first (limits.password_sources)",
		"file:///a.p12");
	assert_int_equal(files_scanner.next(plan, &item, &why), ERR_END);
	files_scanner.close(plan);
	limits.named_files = 0;
	assert_int_equal(files_scanner.open(conf, &hints, &plan, &expected, &why), ERR_OK);
	while (files_scanner.next(plan, &item, &why) == ERR_OK) {
		free(item.place);
		buffer_fini(&item.item);
	}
	assert_int_equal(files_scanner.follow(plan, &hints, &why), ERR_OK);
	expect_limit(plan,
		"configurations name more files than are looked for: 1 left out, this the first (limits.named_files)",
		"file:///etc/ssl/a%20b.pem");
	files_scanner.close(plan);
	free(conf);
}

static void test_root_items(void **state)
{
	struct root_item item = { .is_optional = true, .path = slice_text("/a") };
	struct root_item back;
	struct buffer out;

	(void)state;
	buffer_init(&out, 1000);
	root_item_encode(&out, &item);
	assert_int_equal(root_item_decode(buffer_bytes(&out), &back), ERR_OK);
	assert_true(back.is_optional);
	assert_memory_equal(back.path.data, "/a", 2);
	assert_int_equal(back.message.size, 0);
	buffer_clear(&out);
	item.message = slice_text("why");
	root_item_encode(&out, &item);
	assert_int_equal(root_item_decode(buffer_bytes(&out), &back), ERR_OK);
	assert_memory_equal(back.message.data, "why", 3);
	buffer_clear(&out);
	item.path = slice_text("relative");
	root_item_encode(&out, &item);
	assert_int_equal(root_item_decode(buffer_bytes(&out), &back), ERR_MALFORMED);
	buffer_clear(&out);
	item.path = slice_of("/a\0b", 4);
	root_item_encode(&out, &item);
	assert_int_equal(root_item_decode(buffer_bytes(&out), &back), ERR_MALFORMED);
	buffer_fini(&out);
}

static void test_accepts(void **state)
{
	static const char *const yes[] = { "/", "/etc", "./x", "../x", ".", ".." };
	static const char *const no[] = { "example.org", "host:443", "[::1]:443", "tls://x", "-",
		"@file", "x/y", ".x", "" };

	(void)state;
	for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++)
		assert_true(files_scanner.accepts(yes[i]));
	for (size_t i = 0; i < sizeof(no) / sizeof(no[0]); i++)
		assert_false(files_scanner.accepts(no[i]));
}

static size_t plan(const void *conf, struct strings *places)
{
	struct why why = { 0 };
	struct scan_item item = { 0 };
	void *p = NULL;
	uint64_t expected = 1;
	size_t optional = 0;

	assert_int_equal(files_scanner.open(conf, NULL, &p, &expected, &why), ERR_OK);
	while (files_scanner.next(p, &item, &why) == ERR_OK) {
		struct root_item root;

		assert_int_equal(root_item_decode(buffer_bytes(&item.item), &root), ERR_OK);
		optional += root.is_optional;
		assert_int_equal(strings_take(places, item.place), ERR_OK);
		buffer_fini(&item.item);
	}
	files_scanner.close(p);
	return optional;
}

static void test_plan(void **state)
{
	void *conf = calloc(1, files_scanner.conf_bytes);
	struct strings places = { 0 };
	struct why why = { 0 };

	(void)state;
	assert_non_null(conf);
	assert_int_equal(schema_apply(files_scanner.fields, NULL, conf, &why), ERR_OK);
	/* Nothing said: the defaults, of which none must exist. */
	assert_int_equal(plan(conf, &places), 8);
	assert_true(strings_contain(&places, "file:///etc"));
	strings_fini(&places);
	assert_int_equal(files_scanner.add_source(conf, "/a b//", &why), ERR_OK);
	assert_int_equal(files_scanner.add_source(conf, "/a b/.", &why), ERR_OK);
	assert_int_equal(files_scanner.add_source(conf, "/", &why), ERR_OK);
	assert_int_equal(plan(conf, &places), 0);
	assert_int_equal(places.count, 2);
	assert_string_equal(places.items[0], "file:///a%20b");
	assert_string_equal(places.items[1], "file:///");
	strings_fini(&places);
	schema_fini(files_scanner.fields, conf);
	free(conf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_normal_paths),
		cmocka_unit_test(test_options),
		cmocka_unit_test(test_passwords),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_root_items),
		cmocka_unit_test(test_named_files),
		cmocka_unit_test(test_accepts),
		cmocka_unit_test(test_plan),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
