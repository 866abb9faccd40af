/* Alerts: one evaluation from the inventory's state to messages in the outbox. */
#include "agent/alerts_turn.h"

#include "agent/base/log.h"

#include <stdlib.h>
#include <string.h>

/* Lines in the log for one evaluation. */
#define LOG_LINES_MAX 50
/* After a failed evaluation. */
#define AGAIN_S 60
/* Who looks for the certificates of this host. */
#define FILES_SCANNER "files"
/* Nothing was ever evaluated. */
#define AT_ONCE (INT64_MIN + 1)

const struct alert_kind *const alert_kinds[KIND_COUNT] = {
#define ALERT_KIND(id, ops) [id] = &(ops),
#include "agent/alerts_kinds.def"
#undef ALERT_KIND
};

const struct alert_kind *alert_kind_find(const char *word)
{
	for (size_t i = 0; i < KIND_COUNT; i++)
		if (strcmp(alert_kinds[i]->word, word) == 0)
			return alert_kinds[i];
	return NULL;
}

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
	a->keys = conf->keys;
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
	links_free(a->links);
	free(a->host);
	free(a);
}

int64_t alerts_next(const struct alerts *a)
{
	return a->next;
}

const struct links *alerts_links(const struct alerts *a)
{
	return a->links;
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
	t->has_read_files |=
		state->last_success != TIME_UNKNOWN && strcmp(state->scanner, FILES_SCANNER) == 0;
	return ERR_OK;
}

/* NULL for a job that is no longer there. */
/* ---- evaluation ------------------------------------------------------------------------------- */

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
		e = turn_tell(t, why);
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
		.inventory = a->inventory,
		.thresholds = &a->thresholds,
		.keys = a->keys,
		.now = now,
	};
	struct turn t = { .alerts = a, .now = now };
	struct links *links = NULL;
	enum err e = inventory_each_job(a->inventory, on_job, &t, why);

	search.has_read_files = t.has_read_files;
	if (e == ERR_OK)
		e = candidates_search(&search, &t.found, &links, why);
	if (e == ERR_OK) {
		links_free(a->links);
		a->links = links;
	}
	if (e == ERR_OK)
		e = rows_load(a->store, &t.rows, why);
	if (e == ERR_OK)
		e = turn_compare(&t, why);
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
		for (unsigned v = SEVERITY_INFO; e == ERR_OK && v < SEVERITY_COUNT; v++) {
			struct alert_state state = { .kind = alert_kinds[k]->word,
				.severity = (enum alert_severity)v };

			e = count_state(s, alert_kinds[k], state.severity, &state.count);
			if (e == ERR_OK)
				e = fn(arg, &state);
		}
	}
	(void)sqlite3_finalize(s);
	return e;
}
