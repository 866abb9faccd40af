/* The view that main hands to exporters. */
#include "agent/view.h"

#include "agent/base/clock.h"
#include "agent/version.h"

#include <string.h>

static enum err each_sighting(void *ctx, enum record_kind kind,
	enum err (*fn)(void *, const struct sighting *), void *arg)
{
	const struct view_source *s = ctx;
	const struct inventory_filter filter = { .kind = (int)kind,
		.include_gone = s->include_gone,
		.uri = s->uri,
		.fingerprint = s->fingerprint };
	struct why why = { 0 };

	return inventory_each(s->inventory, &filter, fn, arg, &why);
}

static enum err each_user(
	void *ctx, const char *uri, enum err (*fn)(void *, const struct sighting *), void *arg)
{
	const struct view_source *s = ctx;
	struct why why = { 0 };

	return inventory_each_user(s->inventory, uri, fn, arg, &why);
}

struct job_search {
	const char *job;
	struct job_state found;
	bool is_found;
};

static enum err match_job(void *arg, const struct job_state *state)
{
	struct job_search *search = arg;

	if (strcmp(state->job, search->job) == 0) {
		search->found = *state;
		search->is_found = true;
	}
	return ERR_OK;
}

static enum err tell_job(const struct view_source *s, const struct job *job,
	enum err (*fn)(void *, const struct scanner_state *), void *arg)
{
	const struct scan_job *head = job->conf;
	struct job_search search = { .job = head->name };
	struct scanner_state state = { .scanner = job->scanner->name,
		.job = head->name,
		.last_success = TIME_UNKNOWN,
		.next = TIME_UNKNOWN };
	struct why why = { 0 };
	enum err e = inventory_each_job(s->inventory, match_job, &search, &why);

	if (e != ERR_OK)
		return e;
	if (search.is_found) {
		state.is_up = search.found.last_complete;
		state.last_success = search.found.last_success;
		state.duration_s = search.found.duration_s;
		state.items = search.found.items;
	}
	state.is_running = s->pipeline && pipeline_is_running(s->pipeline, head->name);
	if (s->next_due)
		state.next = s->next_due(s->arg, head->name);
	return fn(arg, &state);
}

static enum err each_scanner(
	void *ctx, enum err (*fn)(void *, const struct scanner_state *), void *arg)
{
	const struct view_source *s = ctx;
	enum err e = ERR_OK;

	for (size_t i = 0; e == ERR_OK && s->settings && i < s->settings->jobs_count; i++)
		if (!job_is_off(&s->settings->jobs[i]))
			e = tell_job(s, &s->settings->jobs[i], fn, arg);
	return e;
}

static enum err each_receiver(
	void *ctx, enum err (*fn)(void *, const struct receiver_state *), void *arg)
{
	const struct view_source *s = ctx;

	return s->outbox ? outbox_each_receiver(s->outbox, fn, arg) : ERR_OK;
}

static enum err each_failure(
	void *ctx, enum err (*fn)(void *, const struct receiver_failure *), void *arg)
{
	const struct view_source *s = ctx;

	return s->outbox ? outbox_each_failure(s->outbox, fn, arg) : ERR_OK;
}

static enum err each_alert(void *ctx, enum err (*fn)(void *, const struct alert_state *), void *arg)
{
	const struct view_source *s = ctx;

	return s->alerts ? alerts_each_state(s->alerts, fn, arg) : ERR_OK;
}

static enum err each_sandbox(
	void *ctx, enum err (*fn)(void *, const struct sandbox_state *), void *arg)
{
	const struct view_source *s = ctx;

	return s->pipeline ? pipeline_each_sandbox(s->pipeline, fn, arg) : ERR_OK;
}

static enum err links_of_certificate(
	void *ctx, const struct certificate *c, struct certificate_links *out)
{
	const struct view_source *s = ctx;

	*out = (struct certificate_links){ 0 };
	return s->links ? links_certificate(s->links, c->fingerprint, out) : ERR_OK;
}

static enum err links_of_endpoint(void *ctx, const struct location *at, struct endpoint_links *out)
{
	const struct view_source *s = ctx;

	*out = (struct endpoint_links){ 0 };
	return s->links ? links_endpoint(s->links, at, out) : ERR_OK;
}

static enum err note_unready(void *arg, const struct scanner_state *state)
{
	bool *is_ready = arg;

	if (state->last_success == TIME_UNKNOWN)
		*is_ready = false;
	return ERR_OK;
}

struct view view_of(const struct view_source *source)
{
	struct view v = { .ctx = (void *)(uintptr_t)source,
		.now = clock_now_s(),
		.thresholds = source->settings ? source->settings->thresholds : thresholds_default,
		.version = version_text(),
		.revision = version_revision(),
		.is_ready = true,
		.config_reloaded = source->reloaded,
		.config_reload_ok = source->reload_ok,
		.each_sighting = each_sighting,
		.each_user = each_user,
		.each_scanner = each_scanner,
		.each_receiver = each_receiver,
		.each_failure = each_failure,
		.each_alert = each_alert,
		.each_sandbox = each_sandbox };

	if (source->links) {
		v.links_of_certificate = links_of_certificate;
		v.links_of_endpoint = links_of_endpoint;
	}
	if (each_scanner(v.ctx, note_unready, &v.is_ready) != ERR_OK)
		v.is_ready = false;
	return v;
}
