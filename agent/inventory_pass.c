/* Passes: what a place holds is what the last complete one saw there. */
#include "agent/inventory_internal.h"

#include "agent/certificate/token.h"

#include <stdlib.h>
#include <string.h>

/* What is gone is remembered this long. */
#define GONE_KEPT_S (90 * 86400LL)
/* Cleaning goes through all rows, so it is not done at each end of a pass. */
#define PURGE_EVERY_S 86400LL
#define PURGE_KEY "purged_at"
/* Passes remembered of each job. */
#define PASSES_KEPT 100
/* Above every byte of well-formed UTF-8. */
#define LAST_BYTE "\xff"

/* ---- the end of a pass ------------------------------------------------------------------------ */

static enum err run_for_pass(struct inventory *i, enum statement which, const int64_t *values,
	int count, uint64_t *changed, struct why *why)
{
	sqlite3_stmt *statement;
	enum err e = inventory_statement(i, which, &statement, why);

	if (e != ERR_OK)
		return e;
	inventory_bind(statement, values, count);
	return inventory_run(i, statement, changed, why);
}

static enum err settle_complete(struct inventory *i, const struct open_pass *p, int64_t now,
	struct pass_result *result, struct why *why)
{
	const int64_t values[] = { p->job, p->id, now };
	uint64_t sightings = 0;
	uint64_t endpoints = 0;
	uint64_t references = 0;
	uint64_t keys = 0;
	enum err e = run_for_pass(i, SIGHTING_GONE, values, 3, &sightings, why);

	if (e == ERR_OK)
		e = run_for_pass(i, ENDPOINT_GONE, values, 3, &endpoints, why);
	if (e == ERR_OK)
		e = run_for_pass(i, REFERENCE_GONE, values, 3, &references, why);
	if (e == ERR_OK)
		e = run_for_pass(i, KEY_GONE, values, 3, &keys, why);
	if (e == ERR_OK)
		e = run_for_pass(i, PROBLEM_DROP, values, 3, NULL, why);
	result->vanished = p->vanished + sightings + endpoints;
	if (e == ERR_OK && sightings + references + keys)
		e = inventory_keys_unsettle(i, why);
	return e;
}

static enum err settle_incomplete(
	struct inventory *i, const struct open_pass *p, struct pass_result *result, struct why *why)
{
	const int64_t values[] = { p->job, p->id };

	result->vanished = p->vanished;
	return run_for_pass(i, PLACE_KEEP_UNSEEN, values, 2, NULL, why);
}

static enum err write_pass_end(struct inventory *i, const struct open_pass *p, int64_t now,
	const struct pass_result *result, struct why *why)
{
	const int64_t pass[] = { p->id, now, result->is_complete, (int64_t)result->items, 0,
		(int64_t)result->vanished, (int64_t)result->appeared };
	const int64_t job[] = { p->job, result->is_complete, now, 0, (int64_t)result->items };
	const int64_t forget[] = { p->job, PASSES_KEPT };
	sqlite3_stmt *statement;
	enum err e = inventory_statement(i, PASS_END, &statement, why);

	if (e != ERR_OK)
		return e;
	inventory_bind(statement, pass, 7);
	(void)sqlite3_bind_double(statement, 5, result->seconds);
	e = inventory_run(i, statement, NULL, why);
	if (e == ERR_OK)
		e = inventory_statement(i, JOB_END, &statement, why);
	if (e != ERR_OK)
		return e;
	inventory_bind(statement, job, 5);
	(void)sqlite3_bind_double(statement, 4, result->seconds);
	e = inventory_run(i, statement, NULL, why);
	if (e == ERR_OK)
		e = run_for_pass(i, PASS_FORGET, forget, 2, NULL, why);
	return e;
}

static enum err settle(struct inventory *i, const struct open_pass *p, int64_t now,
	struct pass_result *result, struct why *why)
{
	enum err e;

	result->appeared = p->appeared;
	e = result->is_complete ? settle_complete(i, p, now, result, why)
				: settle_incomplete(i, p, result, why);
	if (e == ERR_OK && p->has_changed)
		e = inventory_keys_unsettle(i, why);
	if (e == ERR_OK && p->has_succession)
		e = run_for_pass(i, SUCCESSION_UNDO, &p->id, 1, NULL, why);
	if (e == ERR_OK)
		e = write_pass_end(i, p, now, result, why);
	return e;
}

/* ---- cleaning --------------------------------------------------------------------------------- */

static enum err purge_is_due(
	struct inventory *i, int64_t now, bool *out, bool *is_first, struct why *why)
{
	bool is_row = false;
	int64_t last = 0;
	enum err e = inventory_meta_get(i, PURGE_KEY, &last, &is_row, why);

	if (e != ERR_OK)
		return e;
	/* A last time that lies ahead means that the clock was set back; without one, nothing is old yet. */
	*out = is_row && (last > now || now - last >= PURGE_EVERY_S);
	*is_first = !is_row;
	return ERR_OK;
}

/* In this order: each step frees what the next one may drop. */
static const char *const purge_steps[] = {
	"DELETE FROM sighting WHERE gone_at<?1",
	"DELETE FROM endpoint WHERE gone_at<?1",
	"DELETE FROM reference WHERE gone_at<?1",
	"DELETE FROM private_key WHERE gone_at<?1",
	"DELETE FROM succession WHERE at<?1",
	"DELETE FROM place WHERE NOT EXISTS (SELECT 1 FROM sighting WHERE id BETWEEN place.id<<24"
	" AND (place.id<<24)|16777215) AND NOT EXISTS (SELECT 1 FROM endpoint WHERE id BETWEEN"
	" place.id<<24 AND (place.id<<24)|16777215) AND NOT EXISTS (SELECT 1 FROM reference WHERE"
	" id BETWEEN place.id<<24 AND (place.id<<24)|16777215) AND NOT EXISTS (SELECT 1 FROM"
	" private_key WHERE id BETWEEN place.id<<24 AND (place.id<<24)|16777215)"
	" AND NOT EXISTS (SELECT 1 FROM problem WHERE problem.place=place.id)",
	"DELETE FROM certificate WHERE NOT EXISTS (SELECT 1 FROM sighting WHERE"
	" sighting.certificate=certificate.id) AND NOT EXISTS (SELECT 1 FROM succession WHERE"
	" old=certificate.id) AND id NOT IN (SELECT new FROM succession)",
	/* Ids of certificates may be given out again. */
	"DELETE FROM pool WHERE certificate NOT IN (SELECT id FROM certificate)",
	"DELETE FROM wanting WHERE certificate NOT IN (SELECT id FROM certificate)",
	"DELETE FROM completion WHERE certificate NOT IN (SELECT id FROM certificate)",
	"DELETE FROM pass WHERE ended IS NOT NULL AND job IN (SELECT id FROM job WHERE is_retired"
	" AND id NOT IN (SELECT job FROM place))",
	"DELETE FROM job WHERE is_retired AND id NOT IN (SELECT job FROM place)"
	" AND id NOT IN (SELECT job FROM pass)",
};

static enum err purge(struct inventory *i, int64_t now, struct why *why)
{
	const int64_t before = now - GONE_KEPT_S;
	bool is_first = false;
	bool is_due = false;
	enum err e = purge_is_due(i, now, &is_due, &is_first, why);

	if (e == ERR_OK && is_first)
		return inventory_meta_set(i, PURGE_KEY, now, why);
	if (e != ERR_OK || !is_due)
		return e;
	for (size_t n = 0; e == ERR_OK && n < sizeof(purge_steps) / sizeof(purge_steps[0]); n++) {
		sqlite3_stmt *step = NULL;

		e = store_prepare(i->store, purge_steps[n], &step, why);
		if (e != ERR_OK)
			break;
		inventory_bind(step, &before, 1);
		e = inventory_run(i, step, NULL, why);
		sqlite3_finalize(step);
	}
	inventory_forget_ids(i);
	if (e == ERR_OK)
		e = inventory_meta_set(i, PURGE_KEY, now, why);
	return e;
}

/* ---- begin and end ---------------------------------------------------------------------------- */

/* Passes that a crash left open: what they saw counts, what they did not see is as last known. */
static enum err close_left_open(struct inventory *i, int64_t job, int64_t now, struct why *why)
{
	for (;;) {
		struct pass_result result = { .is_complete = false };
		struct open_pass *left;
		sqlite3_stmt *find;
		bool is_row = false;
		int64_t id;
		enum err e = inventory_statement(i, PASS_OPEN_OF_JOB, &find, why);

		if (e != ERR_OK)
			return e;
		inventory_bind(find, &job, 1);
		e = inventory_step(i, find, &is_row, why);
		if (e != ERR_OK || !is_row)
			return e;
		id = sqlite3_column_int64(find, 0);
		(void)sqlite3_reset(find);
		e = inventory_open_pass(i, id, &left, why);
		if (e == ERR_OK) {
			/* What it had stored is not known any more. */
			left->has_changed = true;
			e = settle(i, left, now, &result, why);
		}
		if (e != ERR_OK)
			return e;
		inventory_forget_pass(i, id);
	}
}

static enum err start_job(struct inventory *i, const char *scanner, const char *job, int64_t now,
	int64_t *out, struct why *why)
{
	sqlite3_stmt *start;
	bool is_row = false;
	enum err e = inventory_statement(i, JOB_START, &start, why);

	if (e != ERR_OK)
		return e;
	inventory_bind_text(start, 1, job);
	inventory_bind_text(start, 2, scanner);
	(void)sqlite3_bind_int64(start, 3, now);
	e = inventory_step(i, start, &is_row, why);
	if (e == ERR_OK && is_row) {
		*out = sqlite3_column_int64(start, 0);
		/* To its end: a statement left in the middle holds its transaction open. */
		e = inventory_step(i, start, &is_row, why);
	}
	return e;
}

enum err inventory_pass_begin(struct inventory *i, const char *scanner, const char *job,
	int64_t now, int64_t *pass, struct why *why)
{
	struct open_pass *entry;
	sqlite3_stmt *insert;
	bool is_own = false;
	int64_t values[] = { 0, now };
	int64_t id = 0;
	enum err e = inventory_enter(i, &is_own, why);

	if (e != ERR_OK)
		return e;
	e = start_job(i, scanner, job, now, &values[0], why);
	if (e == ERR_OK)
		e = close_left_open(i, values[0], now, why);
	if (e == ERR_OK)
		e = inventory_statement(i, PASS_INSERT, &insert, why);
	if (e == ERR_OK) {
		inventory_bind(insert, values, 2);
		e = inventory_run(i, insert, NULL, why);
		id = sqlite3_last_insert_rowid(i->store->db);
	}
	if (e == ERR_OK)
		e = inventory_open_pass(i, id, &entry, why);
	e = inventory_leave(i, is_own, e, why);
	if (e == ERR_OK)
		*pass = id;
	return e;
}

enum err inventory_pass_end(
	struct inventory *i, int64_t pass, struct pass_result *result, int64_t now, struct why *why)
{
	struct open_pass *p;
	enum err e = store_begin(i->store, why);

	uses_map_forget(i);
	if (e == ERR_OK)
		e = inventory_open_pass(i, pass, &p, why);
	if (e == ERR_OK)
		e = settle(i, p, now, result, why);
	if (e == ERR_OK && result->is_complete)
		e = purge(i, now, why);
	if (e != ERR_OK)
		return e;
	inventory_forget_pass(i, pass);
	return store_commit(i->store, true, why);
}

/* ---- keeping ---------------------------------------------------------------------------------- */

/* Places from `low` to `high`, both included. */
struct range {
	const char *low;
	const char *high;
};

static enum err keep_range(struct inventory *i, const struct open_pass *p,
	const struct range *range, bool stale, struct why *why)
{
	sqlite3_stmt *keep;
	enum err e =
		inventory_statement(i, stale ? PLACE_KEEP_STALE : PLACE_KEEP_FRESH, &keep, why);

	if (e != ERR_OK)
		return e;
	inventory_bind_text(keep, 1, range->low);
	inventory_bind_text(keep, 2, range->high);
	(void)sqlite3_bind_int64(keep, 3, p->job);
	(void)sqlite3_bind_int64(keep, 4, p->id);
	if (!stale)
		(void)sqlite3_bind_int64(keep, 5, p->latest);
	return inventory_run(i, keep, NULL, why);
}

static enum err count_range(struct inventory *i, const struct open_pass *p,
	const struct range *range, uint64_t *kept, struct why *why)
{
	sqlite3_stmt *count;
	bool is_row = false;
	enum err e = inventory_statement(i, PLACE_COUNT, &count, why);

	if (e != ERR_OK)
		return e;
	inventory_bind_text(count, 1, range->low);
	inventory_bind_text(count, 2, range->high);
	(void)sqlite3_bind_int64(count, 3, p->job);
	e = inventory_step(i, count, &is_row, why);
	if (e == ERR_OK && is_row)
		*kept += (uint64_t)sqlite3_column_int64(count, 0);
	(void)sqlite3_reset(count);
	return e;
}

/* "tls://name:443" to "tls://name@": the places of a name's addresses begin so. Empty for all else. */
static void name_prefix(struct buffer *out, const char *uri)
{
	const char *name = strstr(uri, "://");
	size_t size;

	if (!name || strncmp(uri, "file:", 5) == 0)
		return;
	size = strcspn(name + 3, ":@/[");
	if (size == 0 || name[3 + size] != ':')
		return;
	buffer_append(out, uri, (size_t)(name - uri) + 3 + size);
	buffer_text(out, "@");
}

static enum err keep_addresses(struct inventory *i, const struct open_pass *p,
	const struct keep *keep, uint64_t *kept, struct why *why)
{
	struct buffer low, high;
	struct range range;
	enum err e;

	buffer_init(&low, strlen(keep->uri) + 8);
	buffer_init(&high, strlen(keep->uri) + 8);
	name_prefix(&low, keep->uri);
	buffer_slice(&high, buffer_bytes(&low));
	buffer_text(&high, LAST_BYTE);
	e = buffer_status(&low) == ERR_OK ? buffer_status(&high) : buffer_status(&low);
	range = (struct range){ buffer_string(&low), buffer_string(&high) };
	if (e == ERR_OK && low.size)
		e = keep_range(i, p, &range, keep->stale, why);
	if (e == ERR_OK && low.size && kept)
		e = count_range(i, p, &range, kept, why);
	buffer_fini(&low);
	buffer_fini(&high);
	return e;
}

/* The place itself, the members of the container that it is, what lies below it. */
static enum err keep_ranges(struct inventory *i, const struct open_pass *p, const struct keep *keep,
	uint64_t *kept, struct why *why)
{
	size_t size = strlen(keep->uri);
	struct range ranges[3];
	struct buffer texts[4];
	size_t count = keep->below ? 3 : 2;
	/* RFC 7512 2.3: a token's objects add attributes to its URI. */
	const char *separator =
		strncmp(keep->uri, TOKEN_URI_SCHEME, strlen(TOKEN_URI_SCHEME)) == 0 ? ";" : "/";
	enum err e = ERR_OK;

	/* A root's name ends in the separator. */
	while (keep->below && size && keep->uri[size - 1] == '/')
		size--;
	for (size_t n = 0; n < 4; n++) {
		buffer_init(&texts[n], strlen(keep->uri) + 8);
		buffer_append(&texts[n], keep->uri, size);
		buffer_text(&texts[n], n < 2 ? "!/" : separator);
		buffer_text(&texts[n], n % 2 ? LAST_BYTE : "");
		e = e == ERR_OK ? buffer_status(&texts[n]) : e;
	}
	ranges[0] = (struct range){ keep->uri, keep->uri };
	ranges[1] = (struct range){ buffer_string(&texts[0]), buffer_string(&texts[1]) };
	ranges[2] = (struct range){ buffer_string(&texts[2]), buffer_string(&texts[3]) };
	for (size_t n = 0; e == ERR_OK && n < count; n++) {
		e = keep_range(i, p, &ranges[n], keep->stale, why);
		if (e == ERR_OK && kept)
			e = count_range(i, p, &ranges[n], kept, why);
	}
	for (size_t n = 0; n < 4; n++)
		buffer_fini(&texts[n]);
	return e;
}

enum err inventory_keep(
	struct inventory *i, int64_t pass, const struct keep *keep, uint64_t *kept, struct why *why)
{
	struct open_pass *p;
	uint64_t count = 0;
	enum err e = store_begin(i->store, why);

	if (e == ERR_OK)
		e = inventory_open_pass(i, pass, &p, why);
	if (e == ERR_OK)
		e = keep_ranges(i, p, keep, kept ? &count : NULL, why);
	if (e == ERR_OK && keep->below)
		e = keep_addresses(i, p, keep, kept ? &count : NULL, why);
	if (e == ERR_OK && kept)
		*kept = count;
	return e;
}
