/* leafwatch scan: one pass over the sources given, or over this host, and what it found. */
#include "agent/commands/progress.h"
#include "agent/commands/start.h"
#include "agent/view.h"

#include "agent/base/clock.h"
#include "agent/base/log.h"

#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXIT_BY_SIGNAL 128

struct scan {
	const struct options *options;
	struct output output;
	struct threshold fail_within;
	struct settings *settings;
	struct store *store;
	struct inventory *inventory;
	struct pipeline *pipeline;
	struct links *links; /* between what was found; NULL without an endpoint */
	struct progress_bar *bar;
	uv_loop_t loop;
	uv_timer_t next; /* runs when a pass has ended */
	uv_signal_t interrupt;
	uv_signal_t terminate;
	struct report_summary summary;
	int64_t started_ms;
	int signal_number; /* that ended it early, or 0 */
	unsigned stage;    /* of the jobs that come next */
	enum err status;
	struct why why; /* of `status` */
	bool is_incomplete;
	bool is_due; /* a certificate is, within the time that the user gave */
	bool is_loop_open;
};

/* Starts the jobs of the lowest stage that is left; false when there are none. */
static bool start_stage(struct scan *s)
{
	unsigned stage = UINT_MAX;
	const struct settings *settings = s->settings;

	for (size_t i = 0; i < settings->jobs_count; i++)
		if (!job_is_off(&settings->jobs[i]) &&
			settings->jobs[i].scanner->stage >= s->stage &&
			settings->jobs[i].scanner->stage < stage)
			stage = settings->jobs[i].scanner->stage;
	if (stage == UINT_MAX)
		return false;
	s->stage = stage + 1;
	for (size_t i = 0; i < settings->jobs_count && s->status == ERR_OK; i++)
		if (settings->jobs[i].scanner->stage == stage && !job_is_off(&settings->jobs[i]))
			s->status = pipeline_start(s->pipeline, &settings->jobs[i], &s->why);
	return s->status == ERR_OK;
}

static void on_next(uv_timer_t *timer)
{
	struct scan *s = timer->data;

	while (!pipeline_running(s->pipeline))
		if (!start_stage(s)) {
			uv_stop(&s->loop);
			return;
		}
}

static void on_pass_done(void *arg, const struct pass_stats *stats, const struct why *why)
{
	struct scan *s = arg;

	if (strcmp(stats->scanner, "files") == 0)
		s->summary.files += stats->items;
	if (!stats->is_complete) {
		s->is_incomplete = true;
		log_error("%s could not be scanned to the end: %s", stats->scanner, why->text);
	}
	/* Not from here: the pass that ends is still there. */
	(void)uv_timer_start(&s->next, on_next, 0, 0);
}

static void on_signal(uv_signal_t *handle, int number)
{
	struct scan *s = handle->data;

	s->signal_number = number;
	uv_stop(&s->loop);
}

static void watch_signal(struct scan *s, uv_signal_t *handle, int number)
{
	(void)uv_signal_init(&s->loop, handle);
	handle->data = s;
	(void)uv_signal_start(handle, on_signal, number);
	uv_unref((uv_handle_t *)handle);
}

static enum err override(struct scan *s, struct why *why)
{
	const struct options *o = s->options;
	enum err e = ERR_OK;

	if (o->timeout)
		e = settings_override(s->settings, "timeout", "timeout", o->timeout, why);
	if (e == ERR_OK && o->concurrency)
		e = settings_override(
			s->settings, "concurrency", "concurrency", o->concurrency, why);
	if (e == ERR_OK && o->rate)
		e = settings_override(s->settings, "rate", "rate", o->rate, why);
	if (e == ERR_OK && o->http_path)
		e = settings_override(s->settings, "http-path", "http_path", o->http_path, why);
	if (e == ERR_OK && o->client_cert)
		e = settings_override(
			s->settings, "client-cert", "client_cert", o->client_cert, why);
	if (e == ERR_OK && o->client_key)
		e = settings_override(s->settings, "client-key", "client_key", o->client_key, why);
	if (e == ERR_OK && o->client_password_file)
		e = settings_override(s->settings, "client-password-file", "client_password_file",
			o->client_password_file, why);
	if (e == ERR_OK && o->certificates_only)
		e = settings_override(
			s->settings, "certificates-only", "certificates_only", "true", why);
	if (e == ERR_OK && o->per_address)
		e = settings_override(
			s->settings, "per-address", "per_address", o->per_address, why);
	if (e == ERR_OK && o->per_address_rate)
		e = settings_override(s->settings, "per-address-rate", "per_address_rate",
			o->per_address_rate, why);
	if (e == ERR_OK && o->proxy)
		e = settings_override(s->settings, "proxy", "proxy", o->proxy, why);
	if (e == ERR_OK)
		e = settings_override_list(
			s->settings, "endpoints", "exclude", "exclude", &o->exclude, why);
	if (e == ERR_OK)
		e = settings_override_list(
			s->settings, "endpoints", "resolver", "resolvers", &o->resolvers, why);
	return e;
}

/* A scan looks where it was told to, not where the agent's jobs look. */
static enum err choose_jobs(struct scan *s, struct why *why)
{
	const struct strings *sources = &s->options->words;
	enum err e = ERR_OK;

	settings_without_jobs(s->settings);
	for (size_t i = 0; e == ERR_OK && i < sources->count; i++)
		e = settings_add_source(s->settings, sources->items[i], why);
	if (e == ERR_OK && !sources->count)
		e = settings_add_default_jobs(s->settings, why);
	if (e == ERR_OK)
		e = override(s, why);
	return e == ERR_OK ? settings_name_jobs(s->settings, sources) : e;
}

static enum err prepare(struct scan *s, struct why *why)
{
	enum err e = start_output(s->options, &s->output, why);

	if (e == ERR_OK && s->options->fail_within)
		e = threshold_parse(s->options->fail_within, &s->fail_within, why) == ERR_OK
			    ? ERR_OK
			    : why_fail(why, ERR_USAGE,
				      "--fail-within takes a span like 30d, or a share like 33%%");
	if (e == ERR_OK)
		e = start_settings(s->options, &s->settings, why);
	if (e == ERR_OK)
		e = choose_jobs(s, why);
	if (e == ERR_OK)
		e = store_open(s->options->state, &s->store, why);
	if (e == ERR_OK)
		e = inventory_new(s->store, &s->inventory, why);
	return e;
}

static enum err run_jobs(struct scan *s, struct why *why)
{
	struct pipeline_conf conf = { .loop = &s->loop,
		.inventory = s->inventory,
		.settings = s->settings,
		.is_transient = !s->options->state,
		.is_single = s->options->single,
		.pass_done = on_pass_done,
		.arg = s };
	enum err e;

	if (uv_loop_init(&s->loop) != 0)
		return why_fail(why, ERR_IO, "cannot start the event loop");
	s->is_loop_open = true;
	(void)uv_timer_init(&s->loop, &s->next);
	s->next.data = s;
	watch_signal(s, &s->interrupt, SIGINT);
	watch_signal(s, &s->terminate, SIGTERM);
	if (!s->options->no_progress && progress_bar_new(&s->loop, &s->bar) != ERR_OK)
		return ERR_MEMORY;
	e = pipeline_new(&conf, &s->pipeline, why);
	progress_bar_watch(s->bar, s->pipeline);
	if (e == ERR_OK) {
		(void)uv_timer_start(&s->next, on_next, 0, 0);
		(void)uv_run(&s->loop, UV_RUN_DEFAULT);
		e = s->status;
		*why = s->why;
	}
	progress_bar_free(s->bar);
	return e;
}

/* ---- what to say ------------------------------------------------------------------------------ */

static bool is_due(const struct scan *s, const struct certificate_record *r)
{
	const struct thresholds t = { .warning = s->fail_within };
	enum status status;

	/* A root that the system trusts is the system's to renew. */
	if ((r->verdict.is_anchor || r->verdict.is_bundled) && !r->is_served)
		return false;
	status = record_status_at(r, &t, clock_now_s());
	return status != STATUS_OK && status != STATUS_UNCHECKED;
}

static enum err on_certificate(void *arg, const struct sighting *sighting)
{
	struct scan *s = arg;

	if (is_due(s, &sighting->record->certificate))
		s->is_due = true;
	return ERR_OK;
}

/* What is due, and what accepts what: without an endpoint nothing does. */
static enum err gather(struct scan *s, struct why *why)
{
	static const struct inventory_filter certificates = { .kind = RECORD_CERTIFICATE };
	static const struct inventory_filter endpoints = { .kind = RECORD_ENDPOINT };
	bool has_endpoints = false;
	enum err e = ERR_OK;

	if (s->options->fail_within)
		e = inventory_each(s->inventory, &certificates, on_certificate, s, why);
	if (e == ERR_OK)
		e = inventory_has(s->inventory, &endpoints, &has_endpoints, why);
	if (e == ERR_OK && has_endpoints)
		e = links_of_inventory(s->inventory, clock_now_s(), &s->links, why);
	return e;
}

static enum err tell(struct scan *s, struct why *why)
{
	const struct view_source source = { .inventory = s->inventory,
		.settings = s->settings,
		.pipeline = s->pipeline,
		.links = s->links };
	const struct view view = view_of(&source);

	s->summary.seconds = (double)(clock_monotonic_ms() - s->started_ms) / 1000.0;
	return start_write(&s->output, &view, &s->summary, why);
}

static void on_walk_close(uv_handle_t *handle, void *arg)
{
	(void)arg;
	if (!uv_is_closing(handle))
		uv_close(handle, NULL);
}

static void finish(struct scan *s)
{
	pipeline_free(s->pipeline);
	if (s->is_loop_open) {
		(void)uv_run(&s->loop, UV_RUN_NOWAIT);
		uv_close((uv_handle_t *)&s->next, NULL);
		uv_close((uv_handle_t *)&s->interrupt, NULL);
		uv_close((uv_handle_t *)&s->terminate, NULL);
		(void)uv_run(&s->loop, UV_RUN_DEFAULT);
		uv_walk(&s->loop, on_walk_close, NULL);
		while (uv_loop_close(&s->loop) == UV_EBUSY)
			(void)uv_run(&s->loop, UV_RUN_DEFAULT);
	}
	links_free(s->links);
	inventory_free(s->inventory);
	store_close(s->store);
	settings_free(s->settings);
}

static int run(const struct options *o)
{
	struct scan s = { .options = o, .started_ms = clock_monotonic_ms() };
	struct why why = { 0 };
	int code = EXIT_DONE;
	enum err e = prepare(&s, &why);

	if (e == ERR_OK)
		e = run_jobs(&s, &why);
	if (e == ERR_OK && s.signal_number)
		(void)fputs("leafwatch: interrupted: this is what was found so far\n", stderr);
	if (e == ERR_OK)
		e = gather(&s, &why);
	if (e == ERR_OK)
		e = tell(&s, &why);
	if (e != ERR_OK)
		code = command_fail(e, &why);
	else if (s.signal_number)
		code = EXIT_BY_SIGNAL + s.signal_number;
	else if (s.is_incomplete)
		code = EXIT_FAILED;
	else if (s.is_due)
		code = EXIT_DUE;
	finish(&s);
	return code;
}

const struct command scan_command = {
	.name = "scan",
	.arguments = "[SOURCE...]",
	.help = "look once, and show what is there",
	.details =
		"A SOURCE is /path or ./path (file or tree), host:port, [v6]:port, tls://host,\n"
		"smtp://host and so on for lmtp, imap, pop3, ftp, ldap, xmpp, xmpp-server, nntp, sieve,\n"
		"irc, telnet, postgres, mysql, rdp and tds (TLS after their own dialogue), dtls://host,\n"
		"name@address:port, a network like 10.0.0.0/24:443,8443, listeners: for the sockets this\n"
		"host listens on, pkcs11:... (RFC 7512) for tokens, nss:/folder, @FILE or - for a list.\n"
		"Without any: the usual folders, the listeners and the tokens.\n"
		"Exits 0 when it ran to its end whatever it found, 1 when it could not, 2 for wrong usage,\n"
		"4 when --fail-within says so.\n",
	.use = USE_SCAN,
	.run = run,
};
