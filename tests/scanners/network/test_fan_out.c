/* Which server is asked for which name. */
#include "scanners/network/fan_out.h"

#include "scanners/formats/format.h"
#include "scanners/network/item.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

struct hint {
	const char *name;
	uint16_t port;
};

struct world {
	const struct hint *names;
	unsigned many; /* more names that certificates suggest */
	const struct format_limits *limits;
	char complaint[200];
};

static enum err each_name(
	void *ctx, enum err (*fn)(void *, const char *, uint16_t), void *arg, struct why *why)
{
	const struct world *w = ctx;
	enum err e = ERR_OK;
	char name[64];

	(void)why;
	for (const struct hint *h = w->names; e == ERR_OK && h->name; h++)
		e = fn(arg, h->name, h->port);
	for (unsigned i = 0; e == ERR_OK && i < w->many; i++) {
		(void)snprintf(name, sizeof(name), "h%u.example.org", i);
		e = fn(arg, name, 0);
	}
	return e;
}

static enum err each_served(
	void *ctx, enum err (*fn)(void *, const struct scan_served *), void *arg, struct why *why)
{
	static const uint8_t leaf[FINGERPRINT_BYTES] = { 7 };
	const struct scan_served all[] = { { "tls", "127.0.0.1", 443, leaf },
		{ "smtp", "::1", 8443, leaf }, { "gopher", "::1", 70, leaf } };
	enum err e = ERR_OK;

	(void)ctx;
	(void)why;
	for (size_t i = 0; e == ERR_OK && i < sizeof(all) / sizeof(all[0]); i++)
		e = fn(arg, &all[i]);
	return e;
}

static void asks(struct world *w, struct buffer *out, size_t *count)
{
	const struct scan_hints hints = {
		.ctx = w, .each_name = each_name, .each_served = each_served
	};
	struct fan_out *f = NULL;
	struct scan_item item;
	enum err e;

	*count = 0;
	assert_int_equal(fan_out_new(&hints, w->limits, &f, NULL), ERR_OK);
	while ((e = fan_out_next(f, &item)) == ERR_OK) {
		struct target t;

		assert_int_equal(target_decode(buffer_bytes(&item.item), &t), ERR_OK);
		assert_true(
			t.is_suggested && (t.complaint || (t.is_quiet && t.usual_leaf[0] == 7)));
		if (t.complaint)
			(void)snprintf(w->complaint, sizeof(w->complaint), "%s", t.complaint);
		buffer_format(out, "%s%s ", item.place, t.is_configured ? "!" : "");
		(*count)++;
		target_fini(&t);
		free(item.place);
		buffer_fini(&item.item);
	}
	assert_int_equal(e, ERR_END);
	fan_out_free(f);
}

static void test_names(void **state)
{
	static const struct hint names[] = { { "disk.example.org", 0 },
		{ "*.wild.example.org", 443 }, { "api.example.org", 443 }, { "api.example.org", 0 },
		{ "API.example.org", 443 }, { "localhost", 443 }, { "10.0.0.1", 0 },
		{ "a b.example.org", 0 }, { ".x.org", 0 }, { "x.org.", 0 }, { "", 0 },
		{ "other.example.org", 9443 }, { NULL, 0 } };
	struct world w = { .names = names };
	struct buffer out;
	size_t count;

	(void)state;
	buffer_init(&out, 65536);
	asks(&w, &out, &count);
	assert_string_equal(buffer_string(&out),
		"tls://leafwatch.wild.example.org@127.0.0.1:443! tls://api.example.org@127.0.0.1:443! "
		"tls://disk.example.org@127.0.0.1:443 smtp://disk.example.org@[::1]:8443 "
		"smtp://api.example.org@[::1]:8443 ");
	buffer_fini(&out);
}

static void test_ceilings(void **state)
{
	static const struct hint none[] = { { NULL, 0 } };
	struct world w = { .names = none, .many = FORMAT_LISTENER_NAMES_MAX };
	struct format_limits limits = format_limits_standard;
	struct buffer out;
	size_t count;

	(void)state;
	buffer_init(&out, 1024 * 1024);
	asks(&w, &out, &count);
	assert_int_equal(count, 2 * FORMAT_LISTENER_NAMES_MAX);
	/* One more, and that it is left out is said once. */
	w.many++;
	asks(&w, &out, &count);
	assert_int_equal(count, 2 * FORMAT_LISTENER_NAMES_MAX + 1);
	/* Other limits, of each and of all. */
	w.limits = &limits;
	limits.listener_names = FORMAT_LISTENER_NAMES_MAX + 1;
	asks(&w, &out, &count);
	assert_int_equal(count, 2 * (FORMAT_LISTENER_NAMES_MAX + 1));
	limits.listener_names_total = 2;
	asks(&w, &out, &count);
	assert_int_equal(count, 2 * 2 + 1);
	assert_non_null(strstr(w.complaint, "(limits.listener_names_total)"));
	limits.listener_names = 1;
	limits.listener_names_total = 1000;
	asks(&w, &out, &count);
	assert_int_equal(count, 2 + 1);
	assert_non_null(strstr(w.complaint, "127.0.0.1 port 443 "));
	assert_non_null(strstr(w.complaint, "(limits.listener_names)"));
	/* One server of two that can be asked. */
	limits.listener_names = 1000;
	limits.listeners = 1;
	w.many = 2;
	asks(&w, &out, &count);
	assert_int_equal(count, 2 + 1);
	assert_string_equal(w.complaint,
		"more servers than are asked for names: 1 were left out, ::1 port 8443 the first (limits.listeners)");
	limits.listeners = 2;
	asks(&w, &out, &count);
	assert_int_equal(count, 2 * 2);
	buffer_fini(&out);
}

/* Main that knows nothing asks nothing. */
static void test_no_hints(void **state)
{
	const struct scan_hints hints = { 0 };
	struct fan_out *f = NULL;
	struct scan_item item;

	(void)state;
	assert_int_equal(fan_out_new(&hints, NULL, &f, NULL), ERR_OK);
	assert_int_equal(fan_out_next(f, &item), ERR_END);
	fan_out_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_ceilings),
		cmocka_unit_test(test_no_hints),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
