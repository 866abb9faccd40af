/* What issuers said of certificates: stored by source, found by certificate. */
#include "agent/inventory_internal.h"

#include "agent/base/array.h"
#include "agent/certificate/revocation.h"

#include <stdlib.h>
#include <string.h>

/* ---- storing ---------------------------------------------------------------------------------- */

static enum err put_source(
	struct inventory *i, const struct record *r, int64_t now, int64_t *id, struct why *why)
{
	const struct revocation_record *said = &r->revocation;
	sqlite3_stmt *put;
	bool is_row = false;
	enum err e = inventory_statement(i, REVOCATION_SOURCE_PUT, &put, why);

	if (e != ERR_OK)
		return e;
	inventory_bind_text(put, 1, r->location.uri);
	inventory_bind_text(put, 2, said->etag);
	inventory_bind_text(put, 3, said->last_modified);
	(void)sqlite3_bind_int64(put, 4, now);
	inventory_bind_time(put, 5, said->this_update);
	inventory_bind_time(put, 6, said->next_update);
	inventory_bind_text(put, 7, said->message);
	e = inventory_step(i, put, &is_row, why);
	if (e == ERR_OK)
		*id = sqlite3_column_int64(put, 0);
	(void)sqlite3_reset(put);
	return e;
}

static enum err put_result(struct inventory *i, int64_t source,
	const struct revocation_result *result, struct why *why)
{
	sqlite3_stmt *put;
	enum err e = inventory_statement(i, REVOCATION_PUT, &put, why);

	if (e != ERR_OK)
		return e;
	inventory_bind_bytes(put, 1, slice_of(result->fingerprint, FINGERPRINT_BYTES));
	(void)sqlite3_bind_int64(put, 2, source);
	(void)sqlite3_bind_int(put, 3, (int)result->status);
	(void)sqlite3_bind_int(put, 4, result->reason);
	inventory_bind_time(put, 5, result->revoked_at);
	return inventory_run(i, put, NULL, why);
}

static enum err touch_source(struct inventory *i, const char *uri, int64_t now, struct why *why)
{
	sqlite3_stmt *touch;
	enum err e = inventory_statement(i, REVOCATION_SOURCE_CHECKED, &touch, why);

	if (e != ERR_OK)
		return e;
	inventory_bind_text(touch, 1, uri);
	(void)sqlite3_bind_int64(touch, 2, now);
	return inventory_run(i, touch, NULL, why);
}

/* All that a source says: what it no longer speaks of is forgotten, unless it failed. */
enum err inventory_put_revocation(
	struct inventory *i, const struct record *r, int64_t now, struct why *why)
{
	const struct revocation_record *said = &r->revocation;
	sqlite3_stmt *clear;
	int64_t source = 0;
	enum err e = store_begin(i->store, why);

	revocation_map_forget(i);
	if (e == ERR_OK && said->is_unmodified)
		return touch_source(i, r->location.uri, now, why);
	if (e == ERR_OK)
		e = put_source(i, r, now, &source, why);
	if (e == ERR_OK && !said->message) {
		e = inventory_statement(i, REVOCATION_CLEAR, &clear, why);
		if (e == ERR_OK) {
			(void)sqlite3_bind_int64(clear, 1, source);
			e = inventory_run(i, clear, NULL, why);
		}
	}
	for (size_t n = 0; e == ERR_OK && n < said->count; n++)
		e = put_result(i, source, &said->results[n], why);
	return e;
}

enum err inventory_revocation_prune(struct inventory *i, struct why *why)
{
	static const enum statement steps[] = { REVOCATION_PRUNE, REVOCATION_SOURCE_PRUNE };
	bool is_own = false;
	enum err e = inventory_enter(i, &is_own, why);

	revocation_map_forget(i);
	if (e == ERR_OK)
		e = inventory_run_steps(i, steps, sizeof(steps) / sizeof(steps[0]), NULL, why);
	return inventory_leave(i, is_own, e, why);
}

enum err inventory_has_urls(struct inventory *i, bool *out, struct why *why)
{
	sqlite3_stmt *find = NULL;
	bool is_row = false;
	enum err e = store_prepare(i->store,
		"SELECT EXISTS(SELECT 1 FROM certificate WHERE instr(facts,x'3a2f2f'))", &find,
		why);

	if (e == ERR_OK)
		e = inventory_step(i, find, &is_row, why);
	*out = e == ERR_OK && is_row && sqlite3_column_int(find, 0);
	sqlite3_finalize(find);
	return e;
}

/* ---- sources ---------------------------------------------------------------------------------- */

enum err inventory_each_revocation_source(struct inventory *i,
	enum err (*fn)(void *, const struct revocation_source *), void *arg, struct why *why)
{
	sqlite3_stmt *rows = NULL;
	bool is_row = true;
	enum err e = store_prepare(i->store,
		"SELECT uri,etag,last_modified,checked,next_update,message IS NOT NULL"
		" FROM revocation_source s ORDER BY uri",
		&rows, why);

	while (e == ERR_OK) {
		struct revocation_source source;

		e = inventory_step(i, rows, &is_row, why);
		if (e != ERR_OK || !is_row)
			break;
		source = (struct revocation_source){
			.uri = (const char *)sqlite3_column_text(rows, 0),
			.etag = (const char *)sqlite3_column_text(rows, 1),
			.last_modified = (const char *)sqlite3_column_text(rows, 2),
			.checked = sqlite3_column_int64(rows, 3),
			.next_update = inventory_column_time(rows, 4),
			.has_failed = sqlite3_column_int(rows, 5) != 0,
		};
		e = source.uri ? fn(arg, &source) : ERR_MEMORY;
	}
	sqlite3_finalize(rows);
	return e;
}

/* ---- by certificate --------------------------------------------------------------------------- */

struct entry {
	uint8_t fingerprint[FINGERPRINT_BYTES];
	enum revocation_status status;
	unsigned reason;
	int64_t revoked_at;
	size_t source;
};

struct source {
	char *uri;     /* owned */
	char *message; /* owned, or NULL */
	int64_t checked;
	int64_t this_update;
	int64_t next_update;
};

struct revocation_map {
	struct shared shared;
	struct source *sources; /* owned */
	size_t sources_count;
	struct entry *entries; /* owned, sorted by fingerprint */
	size_t count;
};

static void fini(struct shared *s)
{
	struct revocation_map *m = (struct revocation_map *)s;

	for (size_t n = 0; n < m->sources_count; n++) {
		free(m->sources[n].uri);
		free(m->sources[n].message);
	}
	free(m->sources);
	free(m->entries);
}

static enum err add_row(struct revocation_map *m, sqlite3_stmt *row, int64_t *last)
{
	int64_t id = sqlite3_column_int64(row, 4);
	struct slice fingerprint = inventory_column_bytes(row, 0);
	struct entry *entry;

	if (!m->sources_count || *last != id) {
		struct source *s;

		if (!array_grow((void **)&m->sources, m->sources_count, sizeof(*m->sources)))
			return ERR_MEMORY;
		s = &m->sources[m->sources_count];
		*s = (struct source){ .uri = inventory_column_copy(row, 5),
			.message = inventory_column_copy(row, 9),
			.checked = sqlite3_column_int64(row, 6),
			.this_update = inventory_column_time(row, 7),
			.next_update = inventory_column_time(row, 8) };
		m->sources_count++;
		*last = id;
		if (!s->uri)
			return ERR_MEMORY;
	}
	if (fingerprint.size != FINGERPRINT_BYTES)
		return ERR_MALFORMED;
	if (!array_grow((void **)&m->entries, m->count, sizeof(*m->entries)))
		return ERR_MEMORY;
	entry = &m->entries[m->count++];
	memcpy(entry->fingerprint, fingerprint.data, FINGERPRINT_BYTES);
	entry->status = (enum revocation_status)sqlite3_column_int(row, 1);
	entry->reason = (unsigned)sqlite3_column_int(row, 2);
	entry->revoked_at = inventory_column_time(row, 3);
	entry->source = m->sources_count - 1;
	return ERR_OK;
}

static int by_fingerprint(const void *a, const void *b)
{
	return memcmp(a, b, FINGERPRINT_BYTES);
}

static enum err load(struct inventory *i, struct shared *s, struct why *why)
{
	struct revocation_map *m = (struct revocation_map *)s;
	sqlite3_stmt *rows = NULL;
	int64_t last = 0;
	bool is_row = true;
	enum err e = store_prepare(i->store,
		"SELECT r.fingerprint,r.status,r.reason,r.revoked_at,s.id,s.uri,s.checked,"
		"s.this_update,s.next_update,s.message FROM revocation_source s JOIN revocation r"
		" ON r.source=s.id ORDER BY s.id",
		&rows, why);

	while (e == ERR_OK) {
		e = inventory_step(i, rows, &is_row, why);
		if (e != ERR_OK || !is_row)
			break;
		e = add_row(m, rows, &last);
	}
	sqlite3_finalize(rows);
	if (e == ERR_OK && m->count)
		qsort(m->entries, m->count, sizeof(*m->entries), by_fingerprint);
	return e;
}

static const struct shared_kind kind = {
	.slot = SHARED_REVOCATION,
	.bytes = sizeof(struct revocation_map),
	.load = load,
	.fini = fini,
};

enum err revocation_map_take(struct inventory *i, struct revocation_map **out, struct why *why)
{
	struct shared *s = NULL;
	enum err e = shared_take(i, &kind, &s, why);

	if (e == ERR_OK)
		*out = (struct revocation_map *)s;
	return e;
}

void revocation_map_release(struct revocation_map *m)
{
	shared_release((struct shared *)m);
}

void revocation_map_forget(struct inventory *i)
{
	shared_forget(i, SHARED_REVOCATION);
}

/* What one source's word is worth now. Once revoked is revoked, also when nobody can be asked. */
static enum revocation_status worth(const struct source *s, const struct entry *e, int64_t now)
{
	if (e->status == REVOCATION_GOOD &&
		!revocation_is_current(s->this_update, s->next_update, now))
		return REVOCATION_UNKNOWN;
	return e->status;
}

static const char *why_not(const struct source *s, const struct entry *e)
{
	static const char *const gaps[REVOCATION_GAP_COUNT] = {
		[REVOCATION_OUT_OF_SCOPE] = "the list does not cover certificates of its kind",
		[REVOCATION_SOME_REASONS] = "the list speaks of some reasons for revocation only",
	};

	if (s->message)
		return s->message;
	if (e->status == REVOCATION_UNKNOWN && e->reason < REVOCATION_GAP_COUNT)
		return gaps[e->reason];
	return e->status == REVOCATION_GOOD ? "what was said of it has run out" : NULL;
}

static int weight(enum revocation_status s)
{
	return s == REVOCATION_REVOKED ? 2 : s == REVOCATION_GOOD;
}

/* The first entry of a certificate, or NULL. */
static const struct entry *first_entry(
	const struct revocation_map *m, const uint8_t fingerprint[FINGERPRINT_BYTES])
{
	const struct entry *found = m->count ? bsearch(fingerprint, m->entries, m->count,
						       sizeof(*m->entries), by_fingerprint)
					     : NULL;

	while (found && found > m->entries && by_fingerprint(found - 1, fingerprint) == 0)
		found--;
	return found;
}

bool revocation_map_says(const struct revocation_map *m,
	const uint8_t fingerprint[FINGERPRINT_BYTES], const char *uri, enum revocation_status *out)
{
	const struct entry *e = first_entry(m, fingerprint);
	const struct entry *end = e ? m->entries + m->count : NULL;

	for (; e && e < end && by_fingerprint(e, fingerprint) == 0; e++)
		if (strcmp(m->sources[e->source].uri, uri) == 0) {
			*out = e->status;
			return true;
		}
	return false;
}

bool revocation_map_find(const struct revocation_map *m,
	const uint8_t fingerprint[FINGERPRINT_BYTES], int64_t now, struct revocation *out)
{
	const struct entry *found = first_entry(m, fingerprint);
	const struct entry *end;
	const struct entry *best;
	enum revocation_status best_worth;

	if (!found)
		return false;
	end = m->entries + m->count;
	best = found;
	best_worth = worth(&m->sources[best->source], best, now);
	for (found++; found < end && by_fingerprint(found, fingerprint) == 0; found++) {
		enum revocation_status w = worth(&m->sources[found->source], found, now);

		if (weight(w) <= weight(best_worth))
			continue;
		best = found;
		best_worth = w;
	}
	*out = (struct revocation){ .status = best_worth,
		.source = m->sources[best->source].uri,
		.checked = m->sources[best->source].checked,
		.next_update = m->sources[best->source].next_update,
		.revoked_at = best->revoked_at,
		.reason = best_worth == REVOCATION_REVOKED ? revocation_reason_word(best->reason)
							   : NULL,
		.message = best_worth == REVOCATION_UNKNOWN
				   ? why_not(&m->sources[best->source], best)
				   : NULL };
	return true;
}

bool revocation_map_find_above(const struct revocation_map *m, const struct fingerprints *chain,
	int64_t now, struct revocation *out)
{
	for (size_t n = 1; n < chain->count; n++)
		if (revocation_map_find(m, chain->items[n], now, out) &&
			out->status == REVOCATION_REVOKED)
			return true;
	return false;
}
