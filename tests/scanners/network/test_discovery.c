/* http_sd: places, what is handed over, and the plan's lists over passes. */
#include "scanners/network/discovered.h"
#include "scanners/network/discovery.h"

/* cmocka.h wants these before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

static char *text(const char *s)
{
	return (char *)(uintptr_t)s;
}

static void test_places(void **state)
{
	static const struct {
		const char *url;
		const char *file;
		const char *place;
	} rows[] = {
		{ "http://sd.example/list", NULL, "http://sd.example/list" },
		{ "https://u:p@w@sd.example:8443/a/b?token=t#f", NULL,
			"https://sd.example:8443/a/b" },
		{ "http://u:p@sd.example?token=t", NULL, "http://sd.example" },
		{ "http://sd.example/x@y", NULL, "http://sd.example/x@y" },
		{ "http://[::1]:1/a\x01\xc3\xa9 b", NULL, "http://[::1]:1/a%01%C3%A9%20b" },
		{ NULL, "/no where/url", "file:///no%20where/url" },
		{ NULL, "credential:sd", "credential:sd" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct discovery_conf conf = { .url = { .value = text(rows[i].url),
							     .file = text(rows[i].file) } };
		char *place = discovery_place(&conf);

		assert_string_equal(place, rows[i].place);
		free(place);
	}
}

static void test_handed_over(void **state)
{
	struct discovery_conf conf = { .url.value = text("https://sd.example/"),
		.authorization = { .type = text("Bearer"), .credentials.value = text("t0ken") },
		.proxy.value = text("none") };
	void *items[] = { &conf };
	const struct sections all = { .items = items, .count = 1 };
	struct discoveries d = { 0 };
	struct discoveries back = { 0 };
	struct why why = { 0 };
	struct buffer bytes;
	struct wire w;

	(void)state;
	assert_int_equal(discoveries_read(&all, &d, &why), ERR_OK);
	d.refresh_ms = 1500;
	buffer_init(&bytes, 4096);
	discoveries_encode(&bytes, &d);
	w = wire_of(buffer_bytes(&bytes));
	discoveries_decode(&w, &back);
	assert_int_equal(wire_end(&w), ERR_OK);
	assert_int_equal(back.count, 1);
	assert_int_equal(back.refresh_ms, 1500);
	assert_string_equal(back.items[0].url, "https://sd.example/");
	assert_string_equal(back.items[0].authorization, "Authorization: Bearer t0ken");
	assert_string_equal(back.items[0].proxy, "");
	assert_null(back.items[0].ca);
	discoveries_fini(&back);
	/* Each cut is refused, and nothing is lost of it. */
	for (size_t size = 0; size < bytes.size; size++) {
		w = wire_of(slice_of(bytes.data, size));
		discoveries_decode(&w, &back);
		assert_int_equal(wire_end(&w), ERR_MALFORMED);
		discoveries_fini(&back);
	}
	bytes.data[0] = DISCOVERIES_MAX + 1;
	w = wire_of(buffer_bytes(&bytes));
	discoveries_decode(&w, &back);
	assert_int_equal(wire_end(&w), ERR_MALFORMED);
	discoveries_fini(&back);
	buffer_fini(&bytes);
	discoveries_fini(&d);
	conf.authorization.type = text("a\r\nb");
	assert_int_equal(discoveries_read(&all, &d, &why), ERR_CONFIG);
	assert_non_null(strstr(why.text, "more than one line"));
	assert_null(strstr(why.text, "t0ken"));
	discoveries_fini(&d);
}

/* ---- the plan --------------------------------------------------------------------------------- */

struct memory {
	struct buffer bytes;
	bool is_there;
	unsigned writes;
};

static enum err recall(void *ctx, const char *job, struct buffer *out, struct why *why)
{
	struct memory *m = ctx;

	assert_string_equal(job, "job");
	if (!m->is_there)
		return why_fail(why, ERR_NOT_FOUND, "nothing");
	buffer_slice(out, buffer_bytes(&m->bytes));
	return buffer_status(out);
}

static enum err remember(void *ctx, const char *job, struct slice bytes, struct why *why)
{
	struct memory *m = ctx;

	(void)why;
	assert_string_equal(job, "job");
	buffer_clear(&m->bytes);
	buffer_slice(&m->bytes, bytes);
	m->is_there = true;
	m->writes++;
	return buffer_status(&m->bytes);
}

static enum err hear(struct discovered *d, const struct discovery_part *part)
{
	struct buffer bytes;
	enum err e;

	buffer_init(&bytes, 4096);
	discovery_part_encode(&bytes, part);
	e = discovered_hear(d, buffer_bytes(&bytes));
	buffer_fini(&bytes);
	return e;
}

/* One pass: what of two URLs comes (NULL: nothing), and the targets that it makes. */
static void pass(struct memory *m, const char *const urls[2], const char *const lists[2],
	const char *wanted, bool is_lacking)
{
	struct discovery_conf confs[2] = { { .url.value = text(urls[0]) },
		{ .url.value = text(urls[1]) } };
	void *items[] = { &confs[0], &confs[1] };
	const struct sections all = { .items = items, .count = 2 };
	const struct scan_hints hints = { .ctx = m, .recall = recall, .remember = remember };
	const struct strings none = { 0 };
	struct discovered *d = NULL;
	struct targets *targets = NULL;
	struct target target;
	struct scan_item item;
	struct buffer shown;
	uint64_t expected;

	assert_int_equal(discovered_new(&all, true, &d, NULL), ERR_OK);
	for (uint16_t i = 0; i < 2; i++) {
		struct discovery_part part = { .number = (uint16_t)(i + 1) };

		/* Not asked yet. */
		assert_int_equal(hear(d, &part), ERR_MALFORMED);
		assert_int_equal(discovered_next(d, &item), ERR_OK);
		assert_int_equal(target_decode(buffer_bytes(&item.item), &target), ERR_OK);
		assert_int_equal(target.discovery, i + 1);
		target_fini(&target);
		free(item.place);
		buffer_fini(&item.item);
		/* From a process that died; of it nothing stays. */
		part.is_first = true;
		part.text = slice_text("dead.example\n");
		assert_int_equal(hear(d, &part), ERR_OK);
		part.is_last = true;
		part.text = slice_text(lists[i] ? lists[i] : "");
		if (lists[i])
			assert_int_equal(hear(d, &part), ERR_OK);
		part.is_first = false;
		if (lists[i])
			assert_int_equal(hear(d, &part), ERR_MALFORMED);
	}
	assert_int_equal(discovered_next(d, &item), ERR_END);
	assert_int_equal(targets_open(&none, NULL, &targets, &expected, NULL), ERR_OK);
	assert_int_equal(discovered_settle(d, "job", &hints, targets, NULL), ERR_OK);
	buffer_init(&shown, 4096);
	while (targets_next(targets, &target, NULL) == ERR_OK) {
		buffer_format(&shown, "%s ", target.host);
		target_fini(&target);
	}
	assert_string_equal(buffer_string(&shown), wanted);
	assert_int_equal(discovered_lack(d, NULL), is_lacking ? ERR_IO : ERR_OK);
	buffer_fini(&shown);
	targets_free(targets);
	discovered_free(d);
}

static void test_last_good(void **state)
{
	static const char *const urls[2] = { "http://x/?1", "http://x/?2" };
	static const char *const others[2] = { "http://x/?1", "http://x/?3" };
	static const char *const both[2] = { "a\nb\n", "c\n" };
	static const char *const first[2] = { "a\n", NULL };
	static const char *const second[2] = { NULL, "" };
	static const char *const nothing[2] = { NULL, NULL };
	struct memory m = { 0 };

	(void)state;
	buffer_init(&m.bytes, 4096);
	pass(&m, urls, nothing, "", true);
	assert_false(m.is_there);
	pass(&m, urls, both, "a b c ", false);
	pass(&m, urls, nothing, "a b c ", false);
	pass(&m, urls, both, "a b c ", false);
	assert_int_equal(m.writes, 1);
	pass(&m, urls, first, "a c ", false);
	assert_int_equal(m.writes, 2);
	pass(&m, urls, nothing, "a c ", false);
	/* An empty list is one. */
	pass(&m, urls, second, "a ", false);
	pass(&m, urls, nothing, "a ", false);
	pass(&m, others, nothing, "a ", true);
	/* What was remembered is damaged: as if it were not. */
	m.bytes.size -= 3;
	pass(&m, urls, nothing, "a ", true);
	m.bytes.size = 1;
	pass(&m, urls, nothing, "", true);
	buffer_fini(&m.bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_places),
		cmocka_unit_test(test_handed_over),
		cmocka_unit_test(test_last_good),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
