/* Storing records: a certificate's facts once, what differs from place to place in its sightings. */
#include "agent/inventory_internal.h"

#include <stdlib.h>
#include <string.h>

/* ---- places ----------------------------------------------------------------------------------- */

/* FNV-1a, enough to pick a cache entry. */
static size_t place_slot(const char *uri)
{
	uint32_t hash = UINT32_C(2166136261);

	for (; *uri; uri++)
		hash = (hash ^ (uint8_t)*uri) * UINT32_C(16777619);
	return hash % PLACE_CACHE_ENTRIES;
}

/* Without memory the entry stays empty and the next record asks the database. */
static void remember_place(
	struct place_entry *entry, const char *uri, const struct place_entry *found)
{
	free(entry->uri);
	*entry = *found;
	entry->uri = strdup(uri);
}

/* `*out` 0: it is there already. */
static enum err insert_place(
	struct inventory *i, const char *uri, int64_t job, int64_t *out, struct why *why)
{
	sqlite3_stmt *insert;
	uint64_t changed = 0;
	enum err e = inventory_statement(i, PLACE_INSERT, &insert, why);

	if (e != ERR_OK)
		return e;
	inventory_bind_text(insert, 1, uri);
	(void)sqlite3_bind_int64(insert, 2, job);
	e = inventory_run(i, insert, &changed, why);
	if (e == ERR_OK)
		*out = changed ? sqlite3_last_insert_rowid(i->store->db) : 0;
	return e;
}

/* `*out` 0: there is none. */
static enum err select_place(
	struct inventory *i, const char *uri, int64_t job, int64_t *out, struct why *why)
{
	sqlite3_stmt *find;
	bool is_row = false;
	enum err e = inventory_statement(i, PLACE_FIND, &find, why);

	if (e != ERR_OK)
		return e;
	inventory_bind_text(find, 1, uri);
	(void)sqlite3_bind_int64(find, 2, job);
	e = inventory_step(i, find, &is_row, why);
	if (e != ERR_OK)
		return e;
	*out = is_row ? sqlite3_column_int64(find, 0) : 0;
	(void)sqlite3_reset(find);
	return ERR_OK;
}

/* New places come in runs, known ones too: what the last one was says what to try first. */
static enum err find_place(struct inventory *i, const char *uri, int64_t job,
	struct place_entry **out, struct why *why)
{
	struct place_entry *entry = &i->places[place_slot(uri)];
	struct place_entry found = { .job = job };
	bool was_inserted = i->expects_new;
	enum err e = ERR_OK;

	*out = entry;
	if (entry->uri && entry->job == job && strcmp(entry->uri, uri) == 0)
		return ERR_OK;
	if (i->expects_new)
		e = insert_place(i, uri, job, &found.id, why);
	if (e == ERR_OK && !found.id) {
		was_inserted = false;
		e = select_place(i, uri, job, &found.id, why);
	}
	if (e == ERR_OK && !found.id) {
		was_inserted = true;
		e = insert_place(i, uri, job, &found.id, why);
	}
	if (e != ERR_OK)
		return e;
	i->expects_new = was_inserted;
	found.unused_from = was_inserted ? 0 : (int64_t)INDEX_MAX + 1;
	remember_place(entry, uri, &found);
	return ERR_OK;
}

/* ---- certificates ----------------------------------------------------------------------------- */

static struct certificate_entry *certificate_slot(struct inventory *i, const uint8_t *fingerprint)
{
	size_t n = (size_t)fingerprint[0] | (size_t)fingerprint[1] << 8;

	return &i->certificates[n % CERTIFICATE_CACHE_ENTRIES];
}

/* The record with nothing in it but what follows from the certificate's bytes. */
static enum err encode_facts(struct inventory *i, const struct record *r)
{
	struct record bare = { .kind = RECORD_CERTIFICATE };

	bare.certificate.facts = r->certificate.facts;
	buffer_clear(&i->facts);
	record_encode(&i->facts, &bare);
	return buffer_status(&i->facts);
}

static enum err write_certificate(
	struct inventory *i, enum statement which, const struct certificate *c, struct why *why)
{
	sqlite3_stmt *write;
	enum err e = inventory_statement(i, which, &write, why);

	if (e != ERR_OK)
		return e;
	inventory_bind_bytes(write, 1, slice_of(c->fingerprint, FINGERPRINT_BYTES));
	inventory_bind_text(write, 2, c->subject);
	inventory_bind_text(write, 3, c->issuer);
	inventory_bind_time(write, 4, c->not_before);
	inventory_bind_time(write, 5, c->not_after);
	inventory_bind_bytes(write, 6, buffer_bytes(&i->facts));
	return inventory_run(i, write, NULL, why);
}

/* The row of a certificate, written when it is new or when a newer parser reads it differently. */
static enum err find_certificate(
	struct inventory *i, const struct record *r, int64_t *out, struct why *why)
{
	const struct certificate *c = &r->certificate.facts;
	struct certificate_entry *entry = certificate_slot(i, c->fingerprint);
	bool is_row = false;
	bool is_same = false;
	sqlite3_stmt *find;
	enum err e;

	if (entry->id && memcmp(entry->fingerprint, c->fingerprint, FINGERPRINT_BYTES) == 0) {
		*out = entry->id;
		return ERR_OK;
	}
	e = encode_facts(i, r);
	if (e == ERR_OK)
		e = inventory_statement(i, CERTIFICATE_FIND, &find, why);
	if (e != ERR_OK)
		return e;
	inventory_bind_bytes(find, 1, slice_of(c->fingerprint, FINGERPRINT_BYTES));
	e = inventory_step(i, find, &is_row, why);
	if (e != ERR_OK)
		return e;
	if (is_row) {
		struct slice facts = inventory_column_bytes(find, 1);

		*out = sqlite3_column_int64(find, 0);
		is_same = facts.size == i->facts.size &&
			  memcmp(facts.data, i->facts.data, facts.size) == 0;
		(void)sqlite3_reset(find);
	}
	if (!is_same)
		e = write_certificate(i, is_row ? CERTIFICATE_UPDATE : CERTIFICATE_INSERT, c, why);
	if (e != ERR_OK)
		return e;
	if (!is_row)
		*out = sqlite3_last_insert_rowid(i->store->db);
	entry->id = *out;
	memcpy(entry->fingerprint, c->fingerprint, FINGERPRINT_BYTES);
	return ERR_OK;
}

/* ---- rows ------------------------------------------------------------------------------------- */

/* Where one record goes. */
struct put {
	struct open_pass *pass;
	const struct record *record;
	int64_t now;
	struct place_entry *place;
	int64_t id; /* of a sighting or endpoint */
	int64_t certificate;
};

/* The record without what other columns hold. */
static enum err encode_detail(struct inventory *i, const struct record *r)
{
	struct record bare = *r;

	bare.location.uri = NULL;
	bare.location.index = 0;
	if (r->kind == RECORD_CERTIFICATE) {
		bare.certificate.facts = (struct certificate){ 0 };
		bare.certificate.der = NULL;
		bare.certificate.der_size = 0;
	}
	buffer_clear(&i->detail);
	record_encode(&i->detail, &bare);
	return buffer_status(&i->detail);
}

static enum err insert_sighting(struct inventory *i, const struct put *p, enum statement which,
	int64_t first_seen, struct why *why)
{
	const int64_t values[] = { p->id, p->certificate, p->pass->id, p->now, first_seen };
	sqlite3_stmt *write;
	enum err e = inventory_statement(i, which, &write, why);

	if (e != ERR_OK)
		return e;
	inventory_bind(write, values, 5);
	inventory_bind_time(write, 6, p->record->certificate.verdict.boundary);
	inventory_bind_bytes(write, 7, buffer_bytes(&i->detail));
	return inventory_run(i, write, NULL, why);
}

static enum err touch_sighting(
	struct inventory *i, const struct put *p, bool is_same, struct why *why)
{
	const int64_t values[] = { p->id, p->pass->id, p->now };
	sqlite3_stmt *write;
	enum err e =
		inventory_statement(i, is_same ? SIGHTING_TOUCH : SIGHTING_REFRESH, &write, why);

	if (e != ERR_OK)
		return e;
	inventory_bind(write, values, 3);
	if (!is_same) {
		inventory_bind_time(write, 4, p->record->certificate.verdict.boundary);
		inventory_bind_bytes(write, 5, buffer_bytes(&i->detail));
	}
	return inventory_run(i, write, NULL, why);
}

/* Was the new certificate at this place before, under another index? Then the row moved: an entry
 * was taken out before it. */
static enum err has_moved(struct inventory *i, const struct put *p, bool *out, struct why *why)
{
	const int64_t values[] = { p->certificate, p->id, p->pass->id };
	sqlite3_stmt *find;
	enum err e = inventory_statement(i, SIGHTING_AT_PLACE, &find, why);

	if (e != ERR_OK)
		return e;
	inventory_bind(find, values, 3);
	e = inventory_step(i, find, out, why);
	(void)sqlite3_reset(find);
	return e;
}

static enum err note_succession(
	struct inventory *i, const struct put *p, int64_t old, struct why *why)
{
	const int64_t values[] = { old, p->id, p->certificate, p->pass->id, p->now };
	sqlite3_stmt *write;
	bool is_move = false;
	enum err e = has_moved(i, p, &is_move, why);

	if (e != ERR_OK || is_move)
		return e;
	e = inventory_statement(i, SUCCESSION_PUT, &write, why);
	if (e != ERR_OK)
		return e;
	inventory_bind(write, values, 5);
	p->pass->has_succession = true;
	return inventory_run(i, write, NULL, why);
}

/* What the row held until now. */
struct held {
	bool is_row;
	int64_t certificate;
	int64_t pass;
	int64_t gone_at;
	int64_t first_seen;
	bool is_same_detail;
};

static enum err read_held(struct inventory *i, int64_t id, struct held *out, struct why *why)
{
	struct slice detail;
	sqlite3_stmt *find;
	enum err e = inventory_statement(i, SIGHTING_FIND, &find, why);

	*out = (struct held){ .is_row = false };
	if (e != ERR_OK)
		return e;
	inventory_bind(find, &id, 1);
	e = inventory_step(i, find, &out->is_row, why);
	if (e != ERR_OK || !out->is_row)
		return e;
	out->certificate = sqlite3_column_int64(find, 0);
	out->pass = sqlite3_column_int64(find, 1);
	out->gone_at = inventory_column_time(find, 2);
	out->first_seen = sqlite3_column_int64(find, 3);
	detail = inventory_column_bytes(find, 4);
	out->is_same_detail = detail.size == i->detail.size &&
			      memcmp(detail.data, i->detail.data, detail.size) == 0;
	(void)sqlite3_reset(find);
	return ERR_OK;
}

/* The end of the pass says it again: this may be rolled back. */
static enum err note_change(struct inventory *i, const struct put *p, struct why *why)
{
	p->pass->has_changed = true;
	return i->is_unsettled ? ERR_OK : inventory_keys_unsettle(i, why);
}

static enum err put_certificate(struct inventory *i, struct put *p, struct why *why)
{
	bool is_new = p->record->location.index >= p->place->unused_from;
	struct held held = { .is_row = false };
	bool is_gone;
	enum err e = find_certificate(i, p->record, &p->certificate, why);

	if (e == ERR_OK && p->record->certificate.der_size)
		e = inventory_pool_put(i, p->certificate, p->record, why);
	if (e == ERR_OK && is_new)
		p->place->unused_from = (int64_t)p->record->location.index + 1;
	else if (e == ERR_OK)
		e = read_held(i, p->id, &held, why);
	if (e != ERR_OK)
		return e;
	if (!held.is_row) {
		p->pass->appeared++;
		e = note_change(i, p, why);
		return e == ERR_OK ? insert_sighting(i, p, SIGHTING_INSERT, p->now, why) : e;
	}
	is_gone = held.gone_at != TIME_UNKNOWN;
	if (held.certificate == p->certificate && !is_gone && held.is_same_detail)
		return touch_sighting(i, p, true, why);
	e = note_change(i, p, why);
	if (e != ERR_OK)
		return e;
	if (held.certificate == p->certificate && !is_gone)
		return touch_sighting(i, p, false, why);
	if (held.certificate != p->certificate && held.pass != p->pass->id)
		e = note_succession(i, p, held.certificate, why);
	if (held.pass != p->pass->id) {
		p->pass->appeared++;
		p->pass->vanished += !is_gone;
	}
	if (e == ERR_OK)
		e = insert_sighting(i, p, SIGHTING_REPLACE, p->now, why);
	return e;
}

/* The row that is there, if any, and what it remembers with this look taken in. */
static enum err look_at_endpoint(
	struct inventory *i, const struct put *p, bool *is_row, bool *is_there, struct why *why)
{
	struct endpoint_held held = { 0 };
	bool is_known = false;
	sqlite3_stmt *find;
	enum err e = inventory_statement(i, ENDPOINT_FIND, &find, why);

	if (e != ERR_OK)
		return e;
	inventory_bind(find, &p->id, 1);
	e = inventory_step(i, find, is_row, why);
	if (e == ERR_OK && *is_row) {
		*is_there = inventory_column_time(find, 0) == TIME_UNKNOWN;
		held.pass = sqlite3_column_int64(find, 1);
		held.detail = inventory_column_bytes(find, 2);
		held.history = inventory_column_bytes(find, 3);
		is_known = held.pass == p->pass->id;
	}
	/* One pass is one look. */
	buffer_clear(&i->history);
	if (e == ERR_OK && is_known)
		buffer_slice(&i->history, held.history);
	else if (e == ERR_OK && p->record->kind == RECORD_ENDPOINT)
		e = inventory_history_look(i, &held, &p->record->endpoint, p->now);
	if (e == ERR_OK)
		e = buffer_status(&i->history);
	(void)sqlite3_reset(find);
	return e;
}

/* An endpoint, or a revocation list. */
static enum err put_endpoint(struct inventory *i, struct put *p, struct why *why)
{
	const int64_t values[] = { p->id, p->pass->id };
	sqlite3_stmt *write;
	bool is_row = false;
	bool is_there = false;
	bool is_seen;
	enum err e = look_at_endpoint(i, p, &is_row, &is_there, why);

	if (e == ERR_OK)
		e = inventory_statement(i, is_row ? ENDPOINT_UPDATE : ENDPOINT_INSERT, &write, why);
	if (e != ERR_OK)
		return e;
	inventory_bind(write, values, 2);
	is_seen = p->record->kind != RECORD_ENDPOINT || p->record->endpoint.is_reachable;
	inventory_bind_time(write, 3, is_seen ? p->now : TIME_UNKNOWN);
	(void)sqlite3_bind_int64(write, 4, p->now);
	inventory_bind_bytes(write, 5, buffer_bytes(&i->detail));
	(void)sqlite3_bind_int(write, 6, (int)p->record->kind);
	inventory_bind_bytes(write, 7, buffer_bytes(&i->history));
	p->pass->appeared += !is_there;
	return inventory_run(i, write, NULL, why);
}

/* Several problems may lie at one place and index: each reason once, each refused certificate once. */
static enum err put_problem(struct inventory *i, struct put *p, struct why *why)
{
	const struct problem_record *problem = &p->record->problem;
	const int64_t values[] = { p->place->id, p->record->location.index,
		reason_keeps_known(problem->reason), p->pass->id, p->now };
	sqlite3_stmt *write;
	enum err e = inventory_statement(i, PROBLEM_PUT, &write, why);

	if (e != ERR_OK)
		return e;
	inventory_bind(write, values, 5);
	inventory_bind_text(write, 6, reason_word(problem->reason));
	inventory_bind_bytes(write, 7,
		slice_of(problem->fingerprint, problem->has_fingerprint ? FINGERPRINT_BYTES : 0));
	inventory_bind_bytes(write, 8, buffer_bytes(&i->detail));
	return inventory_run(i, write, NULL, why);
}

static enum err put_reference(struct inventory *i, struct put *p, struct why *why)
{
	const int64_t values[] = { p->id, p->pass->id, p->now };
	const char *file = p->record->reference.file;
	sqlite3_stmt *write;
	enum err e = inventory_statement(i, REFERENCE_PUT, &write, why);

	if (e != ERR_OK)
		return e;
	inventory_bind(write, values, 3);
	inventory_bind_text(write, 4, file);
	inventory_bind_bytes(write, 5, buffer_bytes(&i->detail));
	uses_map_forget(i);
	e = note_change(i, p, why);
	return e == ERR_OK ? inventory_run(i, write, NULL, why) : e;
}

static enum err put_key(struct inventory *i, struct put *p, struct why *why)
{
	const int64_t values[] = { p->id, p->pass->id, p->now };
	sqlite3_stmt *write;
	enum err e = inventory_statement(i, KEY_PUT, &write, why);

	if (e != ERR_OK)
		return e;
	inventory_bind(write, values, 3);
	inventory_bind_bytes(write, 4, buffer_bytes(&i->detail));
	e = note_change(i, p, why);
	return e == ERR_OK ? inventory_run(i, write, NULL, why) : e;
}

enum err inventory_put(
	struct inventory *i, int64_t pass, const struct record *r, int64_t now, struct why *why)
{
	struct put p = { .record = r, .now = now };
	enum err e;

	if (!r->location.uri || r->location.index > INDEX_MAX)
		return why_fail(why, ERR_LIMIT, "a record has no place, or lies too deep in it");
	if (r->kind == RECORD_REVOCATION)
		return inventory_put_revocation(i, r, now, why);
	e = store_begin(i->store, why);
	if (e == ERR_OK)
		e = inventory_open_pass(i, pass, &p.pass, why);
	if (e == ERR_OK)
		e = find_place(i, r->location.uri, p.pass->job, &p.place, why);
	if (e == ERR_OK)
		e = encode_detail(i, r);
	if (e != ERR_OK)
		return e;
	p.id = p.place->id << INDEX_BITS | r->location.index;
	p.pass->latest = now;
	switch (r->kind) {
	case RECORD_CERTIFICATE:
		return put_certificate(i, &p, why);
	case RECORD_ENDPOINT:
	case RECORD_CRL:
		return put_endpoint(i, &p, why);
	case RECORD_PROBLEM:
		return put_problem(i, &p, why);
	case RECORD_REFERENCE:
		return put_reference(i, &p, why);
	case RECORD_KEY:
		return put_key(i, &p, why);
	case RECORD_REVOCATION:
		break;
	}
	return why_fail(why, ERR_MALFORMED, "a record of no known kind");
}
