/* The life of an alert: fires, escalates, is repeated, ends; and who is told. */
#include "agent/alerts.h"

#include "agent/alerts_internal.h"
#include "agent/base/log.h"
#include "agent/base/text.h"

#include <stdlib.h>
#include <string.h>

/* Bytes of the alerts of one notification, well under what the outbox takes. */
#define NOTIFICATION_ALERT_BYTES_MAX (NOTIFICATION_BYTES_MAX / 2)
/* What an alert needs on the wire beside its texts. */
#define ALERT_FIXED_BYTES 256
/* Good passes that end a flapping alert, at most. */
#define GOOD_PASSES_MAX 16
/* Lines in the log for one evaluation. */
#define LOG_LINES_MAX 50
/* After a failed evaluation. */
#define AGAIN_S 60
/* Nothing was ever evaluated. */
#define AT_ONCE (INT64_MIN + 1)

const struct alert_kind alert_kinds[KIND_COUNT] = {
	[KIND_EXPIRY] = { "certificate-expiry", 1 },
	[KIND_PROBLEM] = { "certificate-problem", 1 },
	[KIND_ENDPOINT] = { "endpoint-trouble", ALERTS_LOOKS },
	[KIND_CRL] = { "crl-expiry", 1 },
};

struct alerts {
	struct store *store;
	struct inventory *inventory;
	struct outbox *outbox;
	struct thresholds thresholds;
	int64_t renotify_s;
	struct receiver_conf *receivers; /* owned, names too */
	size_t receivers_count;
	char *host; /* owned */
	int64_t next;
};

/* When a job last came to its end. */
struct job_end {
	char *job; /* owned */
	int64_t at;
};

/* One evaluation. */
struct turn {
	struct alerts *alerts; /* borrowed */
	int64_t now;
	struct candidates found;
	struct rows rows;
	struct job_end *jobs; /* owned */
	size_t jobs_count;
	size_t sent; /* notifications queued */
};

/* ---- life ------------------------------------------------------------------------------------- */

static enum err copy_receivers(struct alerts *a, const struct alerts_conf *conf)
{
	a->receivers = calloc(conf->receivers_count + 1, sizeof(*a->receivers));
	if (!a->receivers)
		return ERR_MEMORY;
	for (size_t i = 0; i < conf->receivers_count; i++) {
		struct receiver_conf *r = &a->receivers[i];

		*r = *conf->receivers[i];
		r->name = strdup(conf->receivers[i]->name);
		if (!r->name)
			return ERR_MEMORY;
		a->receivers_count++;
	}
	return ERR_OK;
}

enum err alerts_new(const struct alerts_conf *conf, struct alerts **out, struct why *why)
{
	struct alerts *a = calloc(1, sizeof(*a));
	enum err e;

	(void)why;
	if (!a)
		return ERR_MEMORY;
	a->store = conf->store;
	a->inventory = conf->inventory;
	a->outbox = conf->outbox;
	a->thresholds = conf->thresholds;
	a->renotify_s = conf->renotify_ms / 1000;
	if (conf->renotify_ms > 0 && !a->renotify_s)
		a->renotify_s = 1;
	a->next = AT_ONCE;
	a->host = notification_host();
	e = a->host ? copy_receivers(a, conf) : ERR_MEMORY;
	if (e != ERR_OK) {
		alerts_free(a);
		return e;
	}
	*out = a;
	return ERR_OK;
}

void alerts_free(struct alerts *a)
{
	if (!a)
		return;
	for (size_t i = 0; i < a->receivers_count; i++)
		free(a->receivers[i].name);
	free(a->receivers);
	free(a->host);
	free(a);
}

int64_t alerts_next(const struct alerts *a)
{
	return a->next;
}

/* ---- passes ----------------------------------------------------------------------------------- */

static enum err on_job(void *arg, const struct job_state *state)
{
	struct turn *t = arg;
	struct job_end *more = reallocarray(t->jobs, t->jobs_count + 1, sizeof(*more));

	if (!more)
		return ERR_MEMORY;
	t->jobs = more;
	more[t->jobs_count] =
		(struct job_end){ .job = strdup(state->job), .at = state->last_success };
	if (!more[t->jobs_count].job)
		return ERR_MEMORY;
	t->jobs_count++;
	return ERR_OK;
}

/* NULL for a job that is no longer there. */
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

static enum err replace_text(char **at, const char *text)
{
	char *copy = strdup(text);

	if (!copy)
		return ERR_MEMORY;
	free(*at);
	*at = copy;
	return ERR_OK;
}

/* What is wrong now, beside what was said before: `started` and the severity that was said stay. */
static enum err take_facts(struct row *r, const struct candidate *c)
{
	const char *job = c->first ? c->first->job : "";
	struct alert now = { 0 };
	enum err e = ERR_OK;

	if (!r->job || strcmp(r->job, job) != 0)
		e = replace_text(&r->job, job);
	if (e == ERR_OK)
		e = alert_copy(&now, &c->alert);
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
	return ERR_OK;
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
	if (e == ERR_OK && r->bad >= alert_kinds[c->kind].looks)
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
	return take_facts(*out, c);
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

static enum err on_any(void *arg, const struct sighting *s)
{
	(void)s;
	*(bool *)arg = true;
	return ERR_END;
}

/* Is anything of it still there? */
static enum err is_present(struct turn *t, const struct row *r, bool *out, struct why *why)
{
	struct inventory_filter filter = { .kind = 0 };
	uint8_t fingerprint[FINGERPRINT_BYTES];
	enum err e;

	*out = false;
	if (r->alert.fingerprint) {
		if (!text_unhex(fingerprint, sizeof(fingerprint), r->alert.fingerprint))
			return ERR_OK;
		filter.kind = RECORD_CERTIFICATE;
		filter.fingerprint = fingerprint;
	} else {
		filter.uri = r->alert.subject;
	}
	e = inventory_each(t->alerts->inventory, &filter, on_any, out, why);
	return e == ERR_END ? ERR_OK : e;
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
	if (strcmp(r->alert.kind, alert_kinds[KIND_EXPIRY].word) == 0 &&
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

/* ---- telling ---------------------------------------------------------------------------------- */

/* What, if anything, this receiver is to hear of the row. */
static bool news_for(const struct row *r, const struct receiver_conf *to, enum alert_event *event)
{
	bool is_told = strings_contain(&r->told, to->name);

	if (r->is_dropped)
		return false;
	*event = r->alert.event;
	if (r->has_ended)
		return is_told && to->send_resolved;
	if (r->phase != PHASE_FIRING || (int)r->alert.severity < to->min_severity)
		return false;
	if (!is_told) {
		*event = ALERT_FIRED;
		return true;
	}
	return r->has_news;
}

static size_t alert_bytes(const struct alert *a)
{
	size_t size = ALERT_FIXED_BYTES + strlen(a->key) + strlen(a->summary) + strlen(a->subject);

	size += a->issuer ? strlen(a->issuer) : 0;
	size += a->subject_cn ? strlen(a->subject_cn) : 0;
	for (size_t i = 0; i < a->locations.count; i++)
		size += strlen(a->locations.items[i]) + 4;
	for (size_t i = 0; i < a->problems.count; i++)
		size += strlen(a->problems.items[i]) + 4;
	return size;
}

/* Worst first: what fires before what ended, by severity, then by time left; then always the same. */
static int by_weight(const void *left, const void *right)
{
	const struct alert *a = left;
	const struct alert *b = right;
	bool a_over = alert_event_is_resolved(a->event);
	bool b_over = alert_event_is_resolved(b->event);

	if (a_over != b_over)
		return a_over ? 1 : -1;
	if (a->severity != b->severity)
		return a->severity > b->severity ? -1 : 1;
	/* Without a date last. */
	if (a->not_after != b->not_after)
		return (uint64_t)a->not_after - (uint64_t)INT64_MIN - 1 <
				       (uint64_t)b->not_after - (uint64_t)INT64_MIN - 1
			       ? -1
			       : 1;
	return strcmp(a->key, b->key);
}

/* Queues a run of alerts as one notification; `alerts` stays the caller's. */
static enum err queue(struct turn *t, const struct receiver_conf *to, struct alert *alerts,
	size_t count, struct why *why)
{
	char id[NOTIFICATION_ID_BYTES];
	struct notification n = { .id = id,
		.receiver = to->name,
		.host = t->alerts->host,
		.created = t->now,
		.alerts = alerts,
		.count = count };
	enum err e = notification_new_id(id);

	if (e != ERR_OK)
		return why_fail(why, e, "no random bytes for a notification's id");
	t->sent++;
	return outbox_add(t->alerts->outbox, &n, why);
}

static enum err queue_all(struct turn *t, const struct receiver_conf *to, struct alert *alerts,
	size_t count, struct why *why)
{
	size_t from = 0;
	enum err e = ERR_OK;

	qsort(alerts, count, sizeof(*alerts), by_weight);
	while (e == ERR_OK && from < count) {
		size_t bytes = alert_bytes(&alerts[from]);
		size_t run = 1;

		while (from + run < count && run < NOTIFICATION_ALERTS_MAX) {
			bytes += alert_bytes(&alerts[from + run]);
			if (bytes > NOTIFICATION_ALERT_BYTES_MAX)
				break;
			run++;
		}
		e = queue(t, to, alerts + from, run, why);
		from += run;
	}
	return e;
}

/* The texts of the copies stay the rows'. */
static enum err tell(struct turn *t, const struct receiver_conf *to, struct why *why)
{
	struct alert *alerts = calloc(t->rows.count + 1, sizeof(*alerts));
	size_t count = 0;
	enum err e = alerts ? ERR_OK : ERR_MEMORY;

	for (size_t i = 0; e == ERR_OK && i < t->rows.count; i++) {
		struct row *r = &t->rows.items[i];
		enum alert_event event;

		if (!news_for(r, to, &event))
			continue;
		alerts[count] = r->alert;
		alerts[count++].event = event;
		if (r->has_ended || strings_contain(&r->told, to->name))
			continue;
		r->is_changed = true;
		e = strings_add(&r->told, to->name);
	}
	if (e == ERR_OK && count)
		e = queue_all(t, to, alerts, count, why);
	free(alerts);
	return e;
}

static enum err tell_all(struct turn *t, struct why *why)
{
	enum err e = ERR_OK;

	for (size_t i = 0; e == ERR_OK && i < t->alerts->receivers_count; i++)
		e = tell(t, &t->alerts->receivers[i], why);
	for (size_t i = 0; i < t->rows.count; i++) {
		struct row *r = &t->rows.items[i];

		if (!r->has_ended)
			continue;
		strings_fini(&r->told);
		/* Only what may flap is remembered beyond its end. */
		r->is_dropped = !r->is_network;
	}
	return e;
}

/* ---- evaluation ------------------------------------------------------------------------------- */

static enum err compare(struct turn *t, struct why *why)
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

static bool has_changes(const struct turn *t)
{
	for (size_t i = 0; i < t->rows.count; i++)
		if (t->rows.items[i].is_changed || t->rows.items[i].is_dropped)
			return true;
	return t->sent > 0;
}

static enum err run_sql(struct store *s, const char *sql, struct why *why)
{
	if (sqlite3_exec(s->db, sql, NULL, NULL, NULL) != SQLITE_OK)
		return store_fail(s, why, "write the alerts");
	return ERR_OK;
}

/* State and messages in one transaction. A savepoint, because an open batch is not ours to undo. */
static enum err store_turn(struct turn *t, struct why *why)
{
	struct store *s = t->alerts->store;
	bool is_own = !s->is_in_batch;
	enum err e = store_begin(s, why);

	if (e != ERR_OK)
		return e;
	e = run_sql(s, "SAVEPOINT alerts", why);
	if (e == ERR_OK) {
		e = tell_all(t, why);
		if (e == ERR_OK && has_changes(t))
			e = rows_save(s, &t->rows, why);
		if (e != ERR_OK)
			(void)sqlite3_exec(s->db, "ROLLBACK TO alerts", NULL, NULL, NULL);
		if (e == ERR_OK)
			e = run_sql(s, "RELEASE alerts", why);
		else
			(void)sqlite3_exec(s->db, "RELEASE alerts", NULL, NULL, NULL);
	}
	if (e == ERR_OK)
		return store_commit(s, has_changes(t), why);
	if (is_own)
		store_rollback(s);
	return e;
}

static void log_turn(const struct turn *t)
{
	size_t lines = 0;

	for (size_t i = 0; i < t->rows.count; i++) {
		const struct row *r = &t->rows.items[i];
		bool is_new = r->phase == PHASE_FIRING && r->notified == t->now && r->is_changed;

		if (!r->alert.summary || (!r->has_ended && !is_new))
			continue;
		if (lines++ < LOG_LINES_MAX)
			log_info("alert %s (%s): %s", alert_event_word(r->alert.event),
				severity_word(r->alert.severity), r->alert.summary);
	}
	if (lines > LOG_LINES_MAX)
		log_info("alerts: %zu more lines like these", lines - LOG_LINES_MAX);
}

static void set_next(struct turn *t)
{
	int64_t next = t->found.next;

	for (size_t i = 0; t->alerts->renotify_s && i < t->rows.count; i++) {
		const struct row *r = &t->rows.items[i];
		int64_t at;

		if (r->phase != PHASE_FIRING || r->is_dropped ||
			__builtin_add_overflow(r->notified, t->alerts->renotify_s, &at))
			continue;
		/* One that is due but was not found now is waiting for a pass, not for the clock. */
		if (at > t->now && (next == TIME_UNKNOWN || at < next))
			next = at;
	}
	t->alerts->next = next;
}

static void turn_fini(struct turn *t)
{
	candidates_fini(&t->found);
	rows_fini(&t->rows);
	for (size_t i = 0; i < t->jobs_count; i++)
		free(t->jobs[i].job);
	free(t->jobs);
}

enum err alerts_evaluate(struct alerts *a, int64_t now, struct why *why)
{
	struct alerts_search search = {
		.inventory = a->inventory, .thresholds = &a->thresholds, .now = now
	};
	struct turn t = { .alerts = a, .now = now };
	enum err e = inventory_each_job(a->inventory, on_job, &t, why);

	if (e == ERR_OK)
		e = candidates_search(&search, &t.found, why);
	if (e == ERR_OK)
		e = rows_load(a->store, &t.rows, why);
	if (e == ERR_OK)
		e = compare(&t, why);
	if (e == ERR_OK)
		e = store_turn(&t, why);
	if (e == ERR_OK) {
		log_turn(&t);
		set_next(&t);
	} else {
		a->next = now + AGAIN_S;
	}
	turn_fini(&t);
	return e;
}

/* ---- metrics ---------------------------------------------------------------------------------- */

static enum err count_state(
	sqlite3_stmt *s, const struct alert_kind *kind, enum alert_severity severity, uint64_t *out)
{
	(void)sqlite3_reset(s);
	(void)sqlite3_bind_text(s, 1, kind->word, -1, SQLITE_STATIC);
	(void)sqlite3_bind_int(s, 2, (int)severity);
	if (sqlite3_step(s) != SQLITE_ROW)
		return ERR_STORE;
	*out = (uint64_t)sqlite3_column_int64(s, 0);
	return ERR_OK;
}

enum err alerts_each_state(
	struct alerts *a, enum err (*fn)(void *, const struct alert_state *), void *arg)
{
	sqlite3_stmt *s = NULL;
	enum err e = store_prepare(
		a->store, "SELECT count(*) FROM alert WHERE kind=?1 AND severity=?2", &s, NULL);

	for (unsigned k = 0; e == ERR_OK && k < KIND_COUNT; k++) {
		for (unsigned v = SEVERITY_WARNING; e == ERR_OK && v < SEVERITY_COUNT; v++) {
			struct alert_state state = { .kind = alert_kinds[k].word,
				.severity = (enum alert_severity)v };

			e = count_state(s, &alert_kinds[k], state.severity, &state.count);
			if (e == ERR_OK)
				e = fn(arg, &state);
		}
	}
	(void)sqlite3_finalize(s);
	return e;
}
