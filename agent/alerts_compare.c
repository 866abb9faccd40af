/* What is wrong now against what was said before: what fires, escalates, is repeated, ends. */
#include "agent/alerts_turn.h"

#include "agent/base/log.h"
#include "agent/base/text.h"

#include <stdlib.h>
#include <string.h>

/* Good passes that end a flapping alert, at most. */
#define GOOD_PASSES_MAX 16

/* ---- passes ----------------------------------------------------------------------------------- */

static const struct job_end *job_find(const struct turn *t, const char *job)
{
	for (size_t i = 0; job && i < t->jobs_count; i++)
		if (strcmp(t->jobs[i].job, job) == 0)
			return &t->jobs[i];
	return NULL;
}

static int64_t passed_at(const struct turn *t, const char *job)
{
	const struct job_end *end = job_find(t, job);

	return end ? end->at : TIME_UNKNOWN;
}

/* ---- something is wrong ----------------------------------------------------------------------- */

static enum err take_job(struct row *r, const char *job)
{
	char *copy;

	if (r->job && strcmp(r->job, job) == 0)
		return ERR_OK;
	copy = strdup(job);
	if (!copy)
		return ERR_MEMORY;
	free(r->job);
	r->job = copy;
	return ERR_OK;
}

/* What is wrong now, beside what was said before: `started` and the severity that was said stay. */
static enum err take_facts(struct row *r, const struct candidate *c)
{
	struct alert now = { 0 };
	enum err e = alert_copy(&now, &c->alert);

	if (e != ERR_OK)
		return e;
	now.started = r->alert.started;
	now.event = r->alert.event;
	if (r->phase == PHASE_FIRING && r->alert.severity > now.severity)
		now.severity = r->alert.severity;
	now.summary = r->alert.summary;
	r->alert.summary = NULL;
	alert_fini(&r->alert);
	r->alert = now;
	r->is_network = c->is_network;
	return take_job(r, c->first ? c->first->job : "");
}

/* Did anything change that a restart must know? */
static bool differs(const struct row *r, const struct candidate *c)
{
	return !strings_equal(&r->alert.locations, &c->alert.locations) ||
	       !strings_equal(&r->alert.problems, &c->alert.problems) ||
	       r->is_network != c->is_network || !r->job ||
	       strcmp(r->job, c->first ? c->first->job : "") != 0;
}

static enum err say(
	struct turn *t, struct row *r, const struct candidate *c, enum alert_event event)
{
	r->alert.event = event;
	r->notified = t->now;
	r->is_changed = true;
	r->has_news = event != ALERT_FIRED;
	return alert_say_candidate(&r->alert, c, t->now);
}

static enum err fire(struct turn *t, struct row *r, const struct candidate *c)
{
	r->phase = PHASE_FIRING;
	r->good = 0;
	r->alert.started = t->now;
	return say(t, r, c, ALERT_FIRED);
}

/* Another look found it, before it was told of. */
static enum err pend(struct turn *t, struct row *r, const struct candidate *c)
{
	enum err e;

	if (r->phase == PHASE_QUIET) {
		r->relapses++;
		r->phase = PHASE_PENDING;
		r->bad = 0;
		r->seen = TIME_UNKNOWN;
	}
	if (r->bad && c->seen <= r->seen)
		return ERR_OK;
	r->bad++;
	r->seen = c->seen;
	r->is_changed = true;
	e = take_facts(r, c);
	if (e == ERR_OK && r->bad >= alert_kinds[c->kind]->looks)
		return fire(t, r, c);
	/* A remembered alert always has its sentence. */
	return e == ERR_OK ? alert_say_candidate(&r->alert, c, t->now) : e;
}

static enum err keep_firing(struct turn *t, struct row *r, const struct candidate *c)
{
	bool is_worse = c->alert.severity > r->alert.severity;
	bool is_due = t->alerts->renotify_s && t->now - r->notified >= t->alerts->renotify_s;
	enum err e;

	if (!is_worse && !is_due && !differs(r, c) && !r->good)
		return ERR_OK;
	r->good = 0;
	r->is_changed = true;
	/* A repetition may say that it is less bad than it was; nothing else does, so that a value to and
	 * fro across a threshold is told once. */
	if (is_due)
		r->alert.severity = c->alert.severity;
	e = take_facts(r, c);
	if (e != ERR_OK)
		return e;
	if (is_worse)
		return say(t, r, c, ALERT_ESCALATED);
	return is_due ? say(t, r, c, ALERT_REPEATED) : ERR_OK;
}

/* Its facts are taken by pend(), as those of a relapse are. */
static enum err add_row(struct turn *t, const struct candidate *c, struct row **out)
{
	enum err e = rows_add(&t->rows, out);

	if (e == ERR_LIMIT)
		log_warn("%d alerts are remembered: %s is not added", ALERTS_MAX, c->alert.key);
	if (e != ERR_OK)
		return e;
	(*out)->phase = PHASE_PENDING;
	(*out)->passed = TIME_UNKNOWN;
	(*out)->alert.started = t->now;
	return ERR_OK;
}

static bool has_strangers(const struct turn *t, const struct row *r)
{
	for (size_t i = 0; r->phase == PHASE_FIRING && i < t->alerts->receivers_count; i++)
		if (!strings_contain(&r->told, t->alerts->receivers[i].name))
			return true;
	return false;
}

static enum err meet(struct turn *t, const struct candidate *c)
{
	struct row *r = rows_find(&t->rows, c->alert.key);
	enum err e = ERR_OK;
	int64_t passed;

	if (!r)
		e = add_row(t, c, &r);
	if (e == ERR_LIMIT)
		return ERR_OK;
	if (e != ERR_OK)
		return e;
	e = r->phase == PHASE_FIRING ? keep_firing(t, r, c) : pend(t, r, c);
	/* For a receiver that is new the sentence must be of today. */
	if (e == ERR_OK && has_strangers(t, r))
		e = alert_say_candidate(&r->alert, c, t->now);
	/* Good passes are counted from the last one that found it. */
	passed = passed_at(t, r->job);
	if (r->is_network && passed != r->passed) {
		r->passed = passed;
		r->is_changed = true;
	}
	return e;
}

/* ---- nothing is wrong any more ---------------------------------------------------------------- */

/* Is anything of it still there? */
static enum err is_present(struct turn *t, const struct row *r, bool *out, struct why *why)
{
	struct inventory_filter filter = { .kind = 0 };
	uint8_t fingerprint[FINGERPRINT_BYTES];

	*out = false;
	if (r->alert.fingerprint) {
		if (!text_unhex(fingerprint, sizeof(fingerprint), r->alert.fingerprint))
			return ERR_OK;
		filter.kind = RECORD_CERTIFICATE;
		filter.fingerprint = fingerprint;
	} else {
		filter.uri = r->alert.subject;
	}
	return inventory_has(t->alerts->inventory, &filter, out, why);
}

static enum err find_successor(struct turn *t, struct row *r, bool *out, struct why *why)
{
	uint8_t fingerprint[FINGERPRINT_BYTES];
	uint8_t successor[FINGERPRINT_BYTES];
	int64_t not_after = TIME_UNKNOWN;
	bool found = false;
	enum err e;

	if (!r->alert.fingerprint ||
		!text_unhex(fingerprint, sizeof(fingerprint), r->alert.fingerprint))
		return ERR_OK;
	e = inventory_successor(
		t->alerts->inventory, fingerprint, &found, &not_after, successor, why);
	if (e != ERR_OK || !found || not_after == TIME_UNKNOWN)
		return e;
	/* What lies there now and does not last longer is another certificate, not a renewal. */
	if (strcmp(r->alert.kind, alert_kinds[KIND_EXPIRY]->word) == 0 &&
		not_after <= r->alert.not_after)
		return ERR_OK;
	r->alert.renewed_not_after = not_after;
	*out = true;
	return ERR_OK;
}

static enum err ending(struct turn *t, struct row *r, bool is_there, struct why *why)
{
	const struct candidate *c = candidates_find(&t->found, r->alert.key);
	bool is_renewed = false;
	enum err e = ERR_OK;

	r->alert.event = is_there ? ALERT_RECOVERED : ALERT_GONE;
	if (c && c->superseded != TIME_UNKNOWN) {
		r->alert.renewed_not_after = c->superseded;
		is_renewed = true;
	} else if (!is_there) {
		e = find_successor(t, r, &is_renewed, why);
	}
	if (is_renewed)
		r->alert.event = ALERT_RENEWED;
	return e;
}

static enum err resolve(struct turn *t, struct row *r, bool is_there, struct why *why)
{
	enum err e = ending(t, r, is_there, why);

	if (e == ERR_OK)
		e = alert_say_resolved(&r->alert);
	r->has_ended = true;
	r->is_changed = true;
	r->phase = PHASE_QUIET;
	r->notified = t->now;
	r->good = 0;
	return e;
}

static uint32_t good_needed(const struct row *r)
{
	uint32_t needed = ALERTS_LOOKS;

	for (uint32_t i = 0; i < r->relapses && needed < GOOD_PASSES_MAX; i++)
		needed *= 2;
	return needed;
}

/* One pass may meet the one healthy machine behind an address: the network must agree with itself. */
static bool is_settled(struct turn *t, struct row *r, bool is_there)
{
	const struct job_end *end = job_find(t, r->job);

	if (!r->is_network || !end || (!is_there && !r->alert.fingerprint))
		return true;
	if (end->at == TIME_UNKNOWN || end->at <= r->passed)
		return false;
	r->passed = end->at;
	r->good++;
	r->is_changed = true;
	return r->good >= good_needed(r);
}

static enum err miss(struct turn *t, struct row *r, struct why *why)
{
	bool is_there = false;
	enum err e;

	if (r->phase == PHASE_PENDING) {
		r->is_dropped = true;
		return ERR_OK;
	}
	if (r->phase == PHASE_QUIET) {
		r->is_dropped = t->now - r->notified >= ALERTS_FLAP_S;
		return ERR_OK;
	}
	e = is_present(t, r, &is_there, why);
	if (e != ERR_OK || !is_settled(t, r, is_there))
		return e;
	return resolve(t, r, is_there, why);
}

enum err turn_compare(struct turn *t, struct why *why)
{
	size_t known = t->rows.loaded;
	enum err e = ERR_OK;

	for (size_t i = 0; e == ERR_OK && i < t->found.count; i++)
		if (t->found.items[i].is_live)
			e = meet(t, &t->found.items[i]);
	for (size_t i = 0; e == ERR_OK && i < known; i++) {
		struct row *r = &t->rows.items[i];
		const struct candidate *c = candidates_find(&t->found, r->alert.key);

		if (!r->is_dropped && (!c || !c->is_live) && !t->found.is_full)
			e = miss(t, r, why);
	}
	return e;
}
