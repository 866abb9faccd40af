/* What the inventory remembers of certificates that are served although a newer one lies on disk. */
#include "agent/inventory_internal.h"

#include "agent/base/wire.h"

#include <stdlib.h>
#include <string.h>

#define DIFFERS_LAYOUT 1
#define DIFFERS_BYTES_MAX ((size_t)4 * RECORD_TEXT_BYTES_MAX)

/* ---- who was where ------------------------------------------------------------------------------ */

/* Places where it was replaced, whatever they hold now. */
static const char replaced_text[] =
	"SELECT p.uri,s.id&16777215 FROM succession x CROSS JOIN certificate c ON c.id=x.old"
	" CROSS JOIN sighting s ON s.id=x.sighting CROSS JOIN place p ON p.id=s.id>>24"
	" WHERE c.fingerprint=?1 AND s.gone_at IS NULL AND s.certificate<>c.id";

enum err inventory_each_succession(struct inventory *i,
	const uint8_t fingerprint[FINGERPRINT_BYTES],
	enum err (*fn)(void *, const char *uri, uint32_t index), void *arg, struct why *why)
{
	sqlite3_stmt *rows = NULL;
	bool is_row = true;
	enum err e = store_prepare(i->store, replaced_text, &rows, why);

	if (e == ERR_OK)
		inventory_bind_bytes(rows, 1, slice_of(fingerprint, FINGERPRINT_BYTES));
	while (e == ERR_OK) {
		const char *uri;

		e = inventory_step(i, rows, &is_row, why);
		if (e != ERR_OK || !is_row)
			break;
		uri = (const char *)sqlite3_column_text(rows, 0);
		e = uri ? fn(arg, uri, (uint32_t)sqlite3_column_int64(rows, 1)) : ERR_MEMORY;
	}
	sqlite3_finalize(rows);
	return e;
}

/* ---- rows --------------------------------------------------------------------------------------- */

static void encode(struct buffer *out, const struct served_differs *d)
{
	wire_put_u8(out, DIFFERS_LAYOUT);
	wire_put_text(out, d->file);
	wire_put_u32(out, d->index);
	buffer_append(out, d->fingerprint, FINGERPRINT_BYTES);
	wire_put_i64(out, d->not_after);
	wire_put_i64(out, d->since);
	wire_put_u8(out, (uint8_t)d->needs);
	wire_put_text(out, d->message);
}

static enum err decode(struct slice bytes, struct served_differs *d)
{
	struct wire w = wire_of(bytes);
	uint8_t needs;

	if (wire_get_u8(&w) != DIFFERS_LAYOUT)
		return ERR_MALFORMED;
	d->file = wire_get_text(&w, RECORD_TEXT_BYTES_MAX);
	d->index = wire_get_u32(&w);
	(void)wire_get_raw(&w, d->fingerprint, FINGERPRINT_BYTES);
	d->not_after = wire_get_i64(&w);
	d->since = wire_get_i64(&w);
	needs = wire_get_u8(&w);
	d->message = wire_get_text(&w, RECORD_TEXT_BYTES_MAX);
	if (wire_end(&w) != ERR_OK || needs >= SERVED_NEEDS_COUNT || !d->file || !d->message)
		return ERR_MALFORMED;
	d->needs = (enum served_needs)needs;
	return ERR_OK;
}

enum err inventory_served_clear(struct inventory *i, struct why *why)
{
	sqlite3_stmt *clear;
	enum err e = store_begin(i->store, why);

	if (e == ERR_OK)
		e = inventory_statement(i, SERVED_CLEAR, &clear, why);
	return e == ERR_OK ? inventory_run(i, clear, NULL, why) : e;
}

enum err inventory_served_put(struct inventory *i, const struct served_row *row, struct why *why)
{
	struct buffer detail;
	sqlite3_stmt *put;
	enum err e = store_begin(i->store, why);

	buffer_init(&detail, DIFFERS_BYTES_MAX);
	encode(&detail, row->differs);
	if (e == ERR_OK)
		e = buffer_status(&detail);
	if (e == ERR_OK)
		e = inventory_statement(i, SERVED_PUT, &put, why);
	if (e == ERR_OK) {
		inventory_bind_text(put, 1, row->uri);
		inventory_bind_text(put, 2, row->job);
		inventory_bind_bytes(put, 3, slice_of(row->fingerprint, FINGERPRINT_BYTES));
		inventory_bind_bytes(put, 4, buffer_bytes(&detail));
		e = inventory_run(i, put, NULL, why);
		(void)sqlite3_clear_bindings(put);
	}
	buffer_fini(&detail);
	return e;
}

/* Into the certificate's record, where it is still the one that was compared. */
static enum err apply(struct slice served, struct slice detail, struct certificate_record *r)
{
	struct served_differs *d;

	if (served.size != FINGERPRINT_BYTES ||
		memcmp(served.data, r->facts.fingerprint, FINGERPRINT_BYTES) != 0)
		return ERR_OK;
	d = calloc(1, sizeof(*d));
	if (!d)
		return ERR_MEMORY;
	/* What cannot be read is made anew after the next pass. */
	if (decode(detail, d) != ERR_OK) {
		served_differs_fini(d);
		free(d);
		return ERR_OK;
	}
	r->differs = d;
	r->verdict.problems |= PROBLEM_BIT(PROBLEM_SERVED_DIFFERS);
	return ERR_OK;
}

enum err inventory_served_fill(
	struct inventory *i, int64_t sighting, struct certificate_record *r, struct why *why)
{
	sqlite3_stmt *find;
	bool is_row = false;
	enum err e = inventory_statement(i, SERVED_FIND, &find, why);

	if (e != ERR_OK)
		return e;
	inventory_bind(find, &sighting, 1);
	e = inventory_step(i, find, &is_row, why);
	if (e == ERR_OK && is_row)
		e = apply(inventory_column_bytes(find, 0), inventory_column_bytes(find, 1), r);
	(void)sqlite3_reset(find);
	return e;
}
