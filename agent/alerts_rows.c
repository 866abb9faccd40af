/* What is remembered of each alert, in SQLite. */
#include "agent/alerts_internal.h"

#include "agent/base/log.h"
#include "agent/base/text.h"
#include "agent/base/wire.h"

#include <stdlib.h>
#include <string.h>

#define ENCODING_VERSION 1
#define RECEIVERS_MAX 1024
#define STATE_BYTES_MAX (ALERT_BYTES_MAX + 512 * 1024)
/* In the severity column: remembered, but not firing. */
#define SEVERITY_NOT_FIRING (-1)

void row_fini(struct row *r)
{
	alert_fini(&r->alert);
	free(r->job);
	strings_fini(&r->told);
	*r = (struct row){ 0 };
}

void rows_fini(struct rows *r)
{
	for (size_t i = 0; i < r->count; i++)
		row_fini(&r->items[i]);
	free(r->items);
	*r = (struct rows){ 0 };
}

enum err rows_add(struct rows *r, struct row **out)
{
	if (r->count >= ALERTS_MAX)
		return ERR_LIMIT;
	if (r->count == r->capacity) {
		size_t capacity = r->capacity ? r->capacity * 2 : 16;
		struct row *more = reallocarray(r->items, capacity, sizeof(*more));

		if (!more)
			return ERR_MEMORY;
		r->items = more;
		r->capacity = capacity;
	}
	*out = &r->items[r->count++];
	**out = (struct row){ 0 };
	return ERR_OK;
}

static int by_key(const void *key, const void *row)
{
	return strcmp(key, ((const struct row *)row)->alert.key);
}

struct row *rows_find(const struct rows *r, const char *key)
{
	struct row *found = NULL;

	if (r->loaded)
		found = bsearch(key, r->items, r->loaded, sizeof(*r->items), by_key);
	return found && !found->is_dropped ? found : NULL;
}

static void encode(struct buffer *out, const struct row *r)
{
	struct buffer alert;

	buffer_init(&alert, ALERT_BYTES_MAX);
	alert_encode(&alert, &r->alert);
	if (buffer_status(&alert) != ERR_OK)
		out->status = buffer_status(&alert);
	wire_put_u8(out, ENCODING_VERSION);
	wire_put_u8(out, (uint8_t)r->phase);
	wire_put_u32(out, r->bad);
	wire_put_u32(out, r->good);
	wire_put_u32(out, r->relapses);
	wire_put_i64(out, r->seen);
	wire_put_i64(out, r->passed);
	wire_put_bool(out, r->is_network);
	wire_put_text(out, r->job);
	wire_put_strings(out, &r->told);
	wire_put_bytes(out, buffer_bytes(&alert));
	buffer_fini(&alert);
}

static enum err decode(struct slice bytes, struct row *r)
{
	struct wire w = wire_of(bytes);
	struct slice alert;
	uint8_t phase;

	if (wire_get_u8(&w) != ENCODING_VERSION)
		return ERR_MALFORMED;
	phase = wire_get_u8(&w);
	r->bad = wire_get_u32(&w);
	r->good = wire_get_u32(&w);
	r->relapses = wire_get_u32(&w);
	r->seen = wire_get_i64(&w);
	r->passed = wire_get_i64(&w);
	r->is_network = wire_get_bool(&w);
	r->job = wire_get_text(&w, RECORD_TEXT_BYTES_MAX);
	wire_get_strings(&w, &r->told, RECEIVERS_MAX, RECORD_TEXT_BYTES_MAX);
	alert = wire_get_bytes(&w, ALERT_BYTES_MAX);
	if (wire_end(&w) != ERR_OK || phase >= PHASE_COUNT)
		return ERR_MALFORMED;
	r->phase = (enum row_phase)phase;
	return alert_decode(alert, &r->alert);
}

static enum err load_row(sqlite3_stmt *s, struct rows *out)
{
	const char *key = (const char *)sqlite3_column_text(s, 0);
	const void *bytes = sqlite3_column_blob(s, 2);
	size_t size = (size_t)sqlite3_column_bytes(s, 2);
	struct row *r = NULL;
	enum err e = rows_add(out, &r);

	if (e != ERR_OK)
		return e;
	r->notified = sqlite3_column_int64(s, 1);
	e = decode(slice_of(bytes, size), r);
	if (e == ERR_OK && key && strcmp(key, r->alert.key) == 0)
		return ERR_OK;
	/* It fires anew if it still holds. */
	log_error("the state of alert %s cannot be read and is forgotten", key ? key : "");
	row_fini(r);
	r->is_dropped = true;
	r->alert.key = strdup(key ? key : "");
	return r->alert.key ? ERR_OK : ERR_MEMORY;
}

enum err rows_load(struct store *store, struct rows *out, struct why *why)
{
	sqlite3_stmt *s = NULL;
	enum err e = store_prepare(store,
		"SELECT key, notified, state FROM alert ORDER BY key COLLATE BINARY", &s, why);
	int code = SQLITE_DONE;

	while (e == ERR_OK && (code = sqlite3_step(s)) == SQLITE_ROW)
		e = load_row(s, out);
	if (e == ERR_OK && code != SQLITE_DONE)
		e = store_fail(store, why, "read the alerts");
	(void)sqlite3_finalize(s);
	out->loaded = out->count;
	return e;
}

static void bind_fingerprint(sqlite3_stmt *s, int at, const struct alert *a)
{
	uint8_t bytes[FINGERPRINT_BYTES];

	if (a->fingerprint && text_unhex(bytes, sizeof(bytes), a->fingerprint))
		(void)sqlite3_bind_blob(s, at, bytes, sizeof(bytes), SQLITE_TRANSIENT);
}

static enum err write_row(
	struct store *store, sqlite3_stmt *s, const struct row *r, struct why *why)
{
	int severity = r->phase == PHASE_FIRING ? (int)r->alert.severity : SEVERITY_NOT_FIRING;
	struct buffer state;
	enum err e;

	buffer_init(&state, STATE_BYTES_MAX);
	encode(&state, r);
	e = buffer_status(&state);
	(void)sqlite3_reset(s);
	(void)sqlite3_clear_bindings(s);
	(void)sqlite3_bind_text(s, 1, r->alert.key, -1, SQLITE_TRANSIENT);
	(void)sqlite3_bind_text(s, 2, r->alert.kind, -1, SQLITE_TRANSIENT);
	(void)sqlite3_bind_int(s, 3, severity);
	(void)sqlite3_bind_int64(s, 4, r->alert.started);
	(void)sqlite3_bind_int64(s, 5, r->notified);
	if (r->alert.not_after != TIME_UNKNOWN)
		(void)sqlite3_bind_int64(s, 6, r->alert.not_after);
	bind_fingerprint(s, 7, &r->alert);
	(void)sqlite3_bind_blob64(s, 8, state.data, state.size, SQLITE_TRANSIENT);
	if (e == ERR_OK && sqlite3_step(s) != SQLITE_DONE)
		e = store_fail(store, why, "remember an alert");
	buffer_fini(&state);
	return e;
}

static enum err delete_row(
	struct store *store, sqlite3_stmt *s, const struct row *r, struct why *why)
{
	(void)sqlite3_reset(s);
	(void)sqlite3_bind_text(s, 1, r->alert.key, -1, SQLITE_TRANSIENT);
	if (sqlite3_step(s) != SQLITE_DONE)
		return store_fail(store, why, "forget an alert");
	return ERR_OK;
}

enum err rows_save(struct store *store, const struct rows *r, struct why *why)
{
	sqlite3_stmt *put = NULL;
	sqlite3_stmt *drop = NULL;
	enum err e = store_prepare(store,
		"INSERT OR REPLACE INTO alert(key, kind, severity, started, notified, not_after,"
		" fingerprint, state) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
		&put, why);

	if (e == ERR_OK)
		e = store_prepare(store, "DELETE FROM alert WHERE key=?1", &drop, why);
	for (size_t i = 0; e == ERR_OK && i < r->count; i++) {
		if (r->items[i].is_dropped)
			e = delete_row(store, drop, &r->items[i], why);
		else if (r->items[i].is_changed)
			e = write_row(store, put, &r->items[i], why);
	}
	(void)sqlite3_finalize(put);
	(void)sqlite3_finalize(drop);
	return e;
}
