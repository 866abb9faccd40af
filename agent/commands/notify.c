/* leafwatch notify test: does a message arrive? */
#include "agent/commands/start.h"

#include "agent/base/clock.h"
#include "agent/outlets.h"
#include "agent/version.h"

#include <stdio.h>
#include <string.h>

/* Longer than any receiver's own time-out. */
#define TEST_DEADLINE_MS 120000

struct test {
	uv_loop_t loop;
	uv_timer_t deadline;
	const char *receiver;
	bool is_answered;
	bool is_ok;
};

static void on_delivered(void *arg, const struct delivery_result *result)
{
	struct test *t = arg;

	t->is_answered = true;
	t->is_ok = result->outcome == DELIVERY_OK;
	if (t->is_ok)
		(void)printf("%s: delivered\n", t->receiver);
	else
		(void)printf("%s: FAILED (%s): %s\n", t->receiver, result->reason,
			result->message ? result->message : "");
	uv_stop(&t->loop);
}

static void on_deadline(uv_timer_t *timer)
{
	uv_stop(timer->loop);
}

static void close_handle(uv_handle_t *handle, void *arg)
{
	(void)arg;
	if (!uv_is_closing(handle))
		uv_close(handle, NULL);
}

static enum err deliver(struct test *t, const struct outlet *outlet, struct why *why)
{
	const struct exporter_host host = { .loop = &t->loop, .version = version_text() };
	struct notification n = { 0 };
	void *state = NULL;
	enum err e = outlet->exporter->start(outlet->conf, &host, &state, why);

	if (e != ERR_OK)
		return e;
	e = notification_test(t->receiver, clock_now_s(), &n);
	if (e == ERR_OK)
		e = outlet->exporter->deliver(state, &n, on_delivered, t, why);
	if (e == ERR_OK)
		(void)uv_run(&t->loop, UV_RUN_DEFAULT);
	if (e == ERR_OK && !t->is_answered)
		e = why_fail(why, ERR_TIMEOUT, "%s: no answer", t->receiver);
	outlet->exporter->stop(state);
	notification_fini(&n);
	return e;
}

/* Tests one receiver; false when the message did not arrive. */
static bool test_one(const struct outlet *outlet)
{
	const struct receiver_conf *conf = outlet->conf;
	struct test t = { .receiver = conf->name };
	struct why why = { 0 };
	enum err e;

	if (uv_loop_init(&t.loop) != 0)
		return false;
	(void)uv_timer_init(&t.loop, &t.deadline);
	(void)uv_timer_start(&t.deadline, on_deadline, TEST_DEADLINE_MS, 0);
	e = deliver(&t, outlet, &why);
	uv_walk(&t.loop, close_handle, NULL);
	while (uv_loop_close(&t.loop) == UV_EBUSY)
		(void)uv_run(&t.loop, UV_RUN_DEFAULT);
	if (e != ERR_OK)
		(void)printf("%s: FAILED: %s\n", conf->name, why_text(&why, e));
	return e == ERR_OK && t.is_ok;
}

static enum err test_all(const struct settings *s, const char *name, bool *all_ok, struct why *why)
{
	size_t tested = 0;

	*all_ok = true;
	for (size_t i = 0; i < s->outlets_count; i++) {
		const struct receiver_conf *conf = s->outlets[i].conf;

		if (!s->outlets[i].exporter->is_receiver || (name && strcmp(conf->name, name) != 0))
			continue;
		tested++;
		if (!test_one(&s->outlets[i]))
			*all_ok = false;
	}
	if (tested)
		return ERR_OK;
	if (name)
		return why_fail(
			why, ERR_CONFIG, "there is no receiver \"%s\" in the configuration", name);
	return why_fail(why, ERR_CONFIG, "the configuration names no receiver");
}

static int run(const struct options *o)
{
	struct settings *s = NULL;
	struct why why = { 0 };
	bool all_ok = false;
	enum err e = ERR_OK;

	if (!o->words.count || o->words.count > 2 || strcmp(o->words.items[0], "test") != 0)
		e = why_fail(&why, ERR_USAGE, "write: leafwatch notify test [NAME]");
	if (e == ERR_OK)
		e = start_settings(o, &s, &why);
	if (e == ERR_OK)
		e = test_all(s, o->words.count == 2 ? o->words.items[1] : NULL, &all_ok, &why);
	settings_free(s);
	if (e != ERR_OK)
		return command_fail(e, &why);
	return all_ok ? EXIT_DONE : EXIT_FAILED;
}

const struct command notify_command = {
	.name = "notify",
	.arguments = "test [NAME]",
	.help = "send a test message to every receiver, or to one",
	.details = "Exits 0 when every receiver took it, 1 when one did not.\n",
	.use = USE_NOTIFY,
	.run = run,
};
