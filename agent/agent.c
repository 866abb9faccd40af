/* The agent as a service. */
#include "agent/agent.h"

#include "agent/alerts.h"
#include "agent/base/clock.h"
#include "agent/base/log.h"
#include "agent/base/text.h"
#include "agent/outbox.h"
#include "agent/outlets.h"
#include "agent/schedule.h"
#include "agent/store.h"
#include "agent/systemd.h"
#include "agent/version.h"
#include "agent/view.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#define TICK_MS 250
#define UPDATE_MS 2000         /* what is shown is rendered anew at most this often */
#define UPDATE_IDLE_MS 30000   /* and at least this often, because time goes by */
#define ONCE_DELIVERY_MS 30000 /* how long `once` waits for deliveries */
#define RETIRED_MAX 16
#define JITTER_SHARE 10 /* a start shifts by at most a tenth of the job's interval */

struct agent {
	struct agent_conf conf;
	uv_loop_t loop;
	uv_timer_t tick;
	uv_async_t reload_request;
	uv_signal_t signals[4];
	struct settings *settings;
	struct settings *retired[RETIRED_MAX]; /* a pass may still run on their jobs */
	size_t retired_count;
	struct store *store;
	struct inventory *inventory;
	struct pipeline *pipeline;
	struct schedule *schedule;
	struct outbox *outbox;
	struct alerts *alerts;
	struct outlets *outlets;
	struct view_source source;
	struct view view;
	int64_t updated_ms;
	int64_t fed_watchdog_ms;
	int64_t once_deadline_ms;
	bool is_dirty; /* something changed that outlets show */
	bool must_evaluate;
	bool first_passes_done;
	bool must_end;
	bool is_loop_open;
};

/* ---- what is shown ---------------------------------------------------------------------------- */

static int64_t next_due(void *arg, const char *job)
{
	const struct agent *a = arg;

	return schedule_job_due(a->schedule, job);
}

static const struct view *look(struct agent *a)
{
	a->source.inventory = a->inventory;
	a->source.settings = a->settings;
	a->source.pipeline = a->pipeline;
	a->source.alerts = a->alerts;
	a->source.links = alerts_links(a->alerts);
	a->source.outbox = a->outbox;
	a->source.next_due = next_due;
	a->source.arg = a;
	a->view = view_of(&a->source);
	return &a->view;
}

static void update(struct agent *a)
{
	int64_t now = clock_monotonic_ms();
	int64_t wait = a->is_dirty ? UPDATE_MS : UPDATE_IDLE_MS;

	if (a->updated_ms && now - a->updated_ms < wait)
		return;
	outlets_update(a->outlets, look(a));
	a->is_dirty = false;
	/* Rendering takes its time: the pause begins when it is done. */
	a->updated_ms = clock_monotonic_ms();
}

static void tell_systemd(struct agent *a)
{
	int64_t every = systemd_watchdog_ms();
	int64_t now = clock_monotonic_ms();

	if (!every || now - a->fed_watchdog_ms < every)
		return;
	a->fed_watchdog_ms = now;
	systemd_notify("WATCHDOG=1\n");
}

/* ---- passes ----------------------------------------------------------------------------------- */

static const char *job_name(const struct job *job)
{
	const struct scan_job *head = job->conf;

	return head->name;
}

static const struct job *find_job(const struct agent *a, const char *name)
{
	for (size_t i = 0; i < a->settings->jobs_count; i++)
		if (strcmp(job_name(&a->settings->jobs[i]), name) == 0)
			return &a->settings->jobs[i];
	return NULL;
}

static void drop_retired(struct agent *a)
{
	if (pipeline_running(a->pipeline))
		return;
	while (a->retired_count)
		settings_free(a->retired[--a->retired_count]);
}

static void on_pass_done(void *arg, const struct pass_stats *stats, const struct why *why)
{
	struct agent *a = arg;

	const struct scanner *scanner = scanner_find(stats->scanner);

	schedule_ended(a->schedule, stats->job);
	if (scanner && stats->appeared)
		schedule_again(a->schedule, scanner->stage, clock_now_s());
	a->is_dirty = true;
	a->must_evaluate = true;
	if (stats->is_complete)
		log_info(
			"job %s: %llu looked at, %llu certificates read, %llu appeared, %llu vanished, %llu problems, %.1f s",
			stats->job, (unsigned long long)stats->items,
			(unsigned long long)stats->certificates,
			(unsigned long long)stats->appeared, (unsigned long long)stats->vanished,
			(unsigned long long)stats->problems, stats->seconds);
	else
		log_error("job %s was not completed: %s", stats->job, why->text);
	systemd_notify("STATUS=%llu certificates read by job %s, %llu problems\n",
		(unsigned long long)stats->certificates, stats->job,
		(unsigned long long)stats->problems);
}

static void start_due(struct agent *a)
{
	for (;;) {
		const char *name = schedule_due(a->schedule, clock_now_s());
		const struct job *job = name ? find_job(a, name) : NULL;
		struct why why = { 0 };
		enum err e;

		if (!job)
			return;
		schedule_started(a->schedule, name, clock_now_s());
		e = pipeline_start(a->pipeline, job, &why);
		if (e == ERR_OK)
			continue;
		log_error("job %s could not be started: %s", name, why_text(&why, e));
		schedule_ended(a->schedule, name);
	}
}

static void evaluate(struct agent *a)
{
	int64_t now = clock_now_s();
	int64_t next = alerts_next(a->alerts);
	struct why why = { 0 };
	enum err e;

	if (!a->must_evaluate && (next == TIME_UNKNOWN || next > now))
		return;
	/* A first look at a host is only fair when it is over. */
	if (!a->first_passes_done)
		return;
	a->must_evaluate = false;
	e = alerts_evaluate(a->alerts, now, &why);
	if (e != ERR_OK)
		log_error("cannot work out alerts: %s", why_text(&why, e));
	a->is_dirty = true;
}

static void note_first_passes(struct agent *a)
{
	if (a->first_passes_done || !schedule_all_ran(a->schedule))
		return;
	a->first_passes_done = true;
	a->must_evaluate = true;
	a->once_deadline_ms = clock_monotonic_ms() + ONCE_DELIVERY_MS;
	if (a->conf.first_pass)
		a->conf.first_pass(a->conf.arg, look(a));
}

static void maybe_end(struct agent *a)
{
	int64_t wake = TIME_UNKNOWN;
	struct why why = { 0 };

	if (a->conf.once && a->first_passes_done && !a->must_evaluate &&
		!pipeline_running(a->pipeline)) {
		bool is_told =
			outbox_wake(a->outbox, &wake, &why) != ERR_OK || wake == TIME_UNKNOWN;

		if ((is_told && !outlets_flights(a->outlets)) ||
			clock_monotonic_ms() > a->once_deadline_ms)
			a->must_end = true;
	}
	if (a->must_end)
		uv_stop(&a->loop);
}

static void on_tick(uv_timer_t *timer)
{
	struct agent *a = timer->data;

	start_due(a);
	note_first_passes(a);
	evaluate(a);
	outlets_deliver(a->outlets, a->outbox, clock_now_s());
	update(a);
	drop_retired(a);
	tell_systemd(a);
	maybe_end(a);
}

/* ---- settings in force ------------------------------------------------------------------------ */

static enum err apply_jobs(struct agent *a, const struct settings *s, struct why *why)
{
	struct strings names = { 0 };
	enum err e = ERR_OK;

	for (size_t i = 0; e == ERR_OK && i < s->jobs_count; i++)
		if (!job_is_off(&s->jobs[i]))
			e = strings_add(&names, job_name(&s->jobs[i]));
	for (size_t i = 0; a->settings && i < a->settings->jobs_count; i++)
		if (!strings_contain(&names, job_name(&a->settings->jobs[i])))
			pipeline_stop(a->pipeline, job_name(&a->settings->jobs[i]));
	if (e == ERR_OK)
		e = inventory_retain_jobs(a->inventory, &names, clock_now_s(), why);
	strings_fini(&names);
	return e;
}

/* "off" is the first of the words. */
static enum alert_severity severity_of(int word)
{
	return word ? (enum alert_severity)(word - 1) : SEVERITY_COUNT;
}

static enum err apply_alerts(struct agent *a, const struct settings *s, struct why *why)
{
	struct alerts_conf conf = { .store = a->store,
		.inventory = a->inventory,
		.outbox = a->outbox,
		.thresholds = s->thresholds,
		.keys = { .exposed = severity_of(s->alerts.key_exposed),
			.shared = severity_of(s->alerts.key_shared) },
		.renotify_ms = s->alerts.renotify_ms };
	const struct receiver_conf **receivers = NULL;
	struct strings names = { 0 };
	struct alerts *fresh = NULL;
	enum err e = outlets_receivers(s, &names, &receivers, &conf.receivers_count);

	conf.receivers = receivers;
	if (e == ERR_OK)
		e = outbox_retain(a->outbox, &names, why);
	if (e == ERR_OK)
		e = outbox_enable_all(a->outbox, clock_now_s(), why);
	if (e == ERR_OK)
		e = alerts_new(&conf, &fresh, why);
	free(receivers);
	strings_fini(&names);
	if (e != ERR_OK)
		return e;
	alerts_free(a->alerts);
	a->alerts = fresh;
	a->must_evaluate = true;
	return ERR_OK;
}

static void request_reload(void *ctx)
{
	struct agent *a = ctx;

	(void)uv_async_send(&a->reload_request);
}

static enum err start_outlets(struct agent *a, struct settings *s, struct why *why)
{
	const struct exporter_host host = { .loop = &a->loop,
		.ctx = a,
		.request_reload = request_reload,
		.version = version_text() };

	struct outlets *old = a->outlets;

	a->outlets = NULL;
	outbox_drop_flights(a->outbox);
	return outlets_start(s, &host, old, &a->outlets, why);
}

static enum err apply_schedule(struct agent *a, const struct settings *s, struct why *why)
{
	struct schedule *fresh = NULL;
	enum err e = schedule_new(a->store, &fresh, why);

	for (size_t i = 0; e == ERR_OK && i < s->jobs_count; i++) {
		const struct scan_job *head = s->jobs[i].conf;
		struct schedule_job job = { .name = head->name,
			.every_ms = head->every_ms,
			.jitter_ms = head->every_ms / JITTER_SHARE,
			.stage = s->jobs[i].scanner->stage };

		if (job_is_off(&s->jobs[i]))
			continue;
		if (head->jitter_ms < job.jitter_ms)
			job.jitter_ms = head->jitter_ms;
		e = schedule_add(fresh, &job, why);
	}
	if (e != ERR_OK) {
		schedule_free(fresh);
		return e;
	}
	if (a->schedule)
		schedule_carry(fresh, a->schedule);
	schedule_free(a->schedule);
	a->schedule = fresh;
	return ERR_OK;
}

static void on_address(void *arg, const char *exporter, const char *address)
{
	const struct agent *a = arg;

	log_info("%s at %s", exporter, address);
	if (a->conf.address)
		a->conf.address(a->conf.arg, exporter, address);
}

/* Puts settings in force; what can fail without harm comes first. */
static enum err apply(struct agent *a, struct settings *s, struct why *why)
{
	enum err e = start_outlets(a, s, why);

	if (e == ERR_OK && a->pipeline)
		e = pipeline_renew(a->pipeline, s, why);
	if (e == ERR_OK)
		e = apply_alerts(a, s, why);
	if (e == ERR_OK)
		e = apply_schedule(a, s, why);
	if (e == ERR_OK && a->pipeline)
		e = apply_jobs(a, s, why);
	if (e == ERR_OK)
		outlets_each_address(a->outlets, on_address, a);
	return e;
}

static void retire(struct agent *a, struct settings *s)
{
	if (a->retired_count < RETIRED_MAX) {
		a->retired[a->retired_count++] = s;
		return;
	}
	/* Reloaded over and over during one long pass: that pass ends here. */
	for (size_t i = 0; i < s->jobs_count; i++)
		pipeline_stop(a->pipeline, job_name(&s->jobs[i]));
	settings_free(s);
}

static void reload(struct agent *a)
{
	struct settings *fresh = NULL;
	struct why why = { 0 };
	enum err e;

	systemd_notify("RELOADING=1\n");
	e = a->conf.load(a->conf.arg, &fresh, &why);
	if (e == ERR_OK) {
		e = apply(a, fresh, &why);
		if (e != ERR_OK) {
			struct why ignored = { 0 };

			settings_free(fresh);
			if (apply(a, a->settings, &ignored) != ERR_OK)
				log_error("the old configuration does not start either: %s",
					ignored.text);
		}
	}
	a->source.reload_ok = e == ERR_OK;
	a->is_dirty = true;
	if (e == ERR_OK) {
		retire(a, a->settings);
		a->settings = fresh;
		a->source.reloaded = clock_now_s();
		log_info("the configuration is reloaded");
	} else {
		log_error("the configuration stays as it was: %s", why_text(&why, e));
	}
	systemd_notify("READY=1\n");
}

static void on_reload_request(uv_async_t *async)
{
	reload(async->data);
}

static void on_signal(uv_signal_t *handle, int number)
{
	struct agent *a = handle->data;

	if (number == SIGHUP) {
		reload(a);
	} else if (number == SIGUSR1) {
		schedule_hurry(a->schedule, clock_now_s());
	} else {
		log_info("ending");
		a->must_end = true;
		uv_stop(&a->loop);
	}
}

/* ---- start and end ---------------------------------------------------------------------------- */

static void open_loop(struct agent *a)
{
	static const int numbers[] = { SIGHUP, SIGUSR1, SIGTERM, SIGINT };

	(void)uv_timer_init(&a->loop, &a->tick);
	a->tick.data = a;
	(void)uv_timer_start(&a->tick, on_tick, 0, TICK_MS);
	(void)uv_async_init(&a->loop, &a->reload_request, on_reload_request);
	a->reload_request.data = a;
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		(void)uv_signal_init(&a->loop, &a->signals[i]);
		a->signals[i].data = a;
		(void)uv_signal_start(&a->signals[i], on_signal, numbers[i]);
	}
}

static enum err open_state(struct agent *a, struct why *why)
{
	char *folder = NULL;
	enum err e = settings_state_folder(a->settings, &folder, why);

	if (e == ERR_OK)
		e = store_open(folder, &a->store, why);
	free(folder);
	if (e == ERR_OK)
		e = inventory_new(a->store, &a->inventory, why);
	if (e == ERR_OK)
		e = outbox_new(a->store, &a->outbox, why);
	return e;
}

static enum err start(struct agent *a, struct why *why)
{
	struct pipeline_conf pipeline = { .loop = &a->loop,
		.is_single = a->conf.is_single,
		.pass_done = on_pass_done,
		.arg = a };
	enum err e = a->conf.load(a->conf.arg, &a->settings, why);

	if (e == ERR_OK)
		e = open_state(a, why);
	if (e != ERR_OK)
		return e;
	if (uv_loop_init(&a->loop) != 0)
		return why_fail(why, ERR_IO, "cannot start the event loop");
	a->is_loop_open = true;
	open_loop(a);
	pipeline.inventory = a->inventory;
	pipeline.settings = a->settings;
	e = pipeline_new(&pipeline, &a->pipeline, why);
	if (e == ERR_OK)
		e = apply(a, a->settings, why);
	if (e == ERR_OK && a->conf.at_once)
		schedule_hurry(a->schedule, clock_now_s());
	a->source.reload_ok = true;
	a->source.reloaded = clock_now_s();
	return e;
}

static void close_handle(uv_handle_t *handle, void *arg)
{
	(void)arg;
	if (!uv_is_closing(handle))
		uv_close(handle, NULL);
}

static void close_loop(struct agent *a)
{
	if (!a->is_loop_open)
		return;
	uv_close((uv_handle_t *)&a->tick, NULL);
	uv_close((uv_handle_t *)&a->reload_request, NULL);
	for (size_t i = 0; i < sizeof(a->signals) / sizeof(a->signals[0]); i++)
		uv_close((uv_handle_t *)&a->signals[i], NULL);
	/* Children and timers close by themselves; whatever is left after that is closed here. */
	(void)uv_run(&a->loop, UV_RUN_DEFAULT);
	uv_walk(&a->loop, close_handle, NULL);
	while (uv_loop_close(&a->loop) == UV_EBUSY)
		(void)uv_run(&a->loop, UV_RUN_DEFAULT);
}

static void end(struct agent *a)
{
	systemd_notify("STOPPING=1\n");
	pipeline_free(a->pipeline);
	a->pipeline = NULL;
	outlets_stop(a->outlets);
	alerts_free(a->alerts);
	schedule_free(a->schedule);
	outbox_free(a->outbox);
	close_loop(a);
	inventory_free(a->inventory);
	store_close(a->store);
	while (a->retired_count)
		settings_free(a->retired[--a->retired_count]);
	settings_free(a->settings);
}

enum err agent_run(const struct agent_conf *conf, struct why *why)
{
	struct agent *a = calloc(1, sizeof(*a));
	enum err e;

	if (!a)
		return ERR_MEMORY;
	a->conf = *conf;
	e = start(a, why);
	if (e == ERR_OK) {
		if (conf->started)
			conf->started(conf->arg, &a->loop, a->pipeline);
		systemd_notify("READY=1\nSTATUS=started\n");
		(void)uv_run(&a->loop, UV_RUN_DEFAULT);
		if (conf->ending)
			conf->ending(conf->arg);
	}
	end(a);
	free(a);
	return e;
}
