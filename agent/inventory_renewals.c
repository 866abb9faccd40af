/* Asking the inventory what took the place of what. */
#include "agent/inventory_internal.h"

#include <stdlib.h>
#include <string.h>

/* What lies now where it took something's place after ?1. */
static const char renewals_text[] =
	"SELECT o.facts,s.detail,c.facts,p.uri,x.sighting&16777215,j.name,s.first_seen,s.seen,x.at"
	" FROM succession x CROSS JOIN sighting s ON s.id=x.sighting AND s.certificate=x.new"
	" CROSS JOIN certificate o ON o.id=x.old CROSS JOIN certificate c ON c.id=x.new"
	" CROSS JOIN place p ON p.id=x.sighting>>24 CROSS JOIN job j ON j.id=p.job"
	" WHERE x.at>?1 AND s.gone_at IS NULL ORDER BY p.uri,x.sighting,x.at";

struct telling {
	struct inventory *i;
	enum err (*fn)(void *, const struct renewal *);
	void *arg;
};

static enum err read_now(sqlite3_stmt *row, struct record *out)
{
	struct record r = { 0 };
	enum err e = record_decode(inventory_column_bytes(row, 1), &r);

	if (e != ERR_OK)
		return e;
	e = r.kind == RECORD_CERTIFICATE ? inventory_fill_facts(inventory_column_bytes(row, 2), &r)
					 : ERR_MALFORMED;
	if (e == ERR_OK) {
		free(r.location.uri);
		r.location.uri = strdup((const char *)sqlite3_column_text(row, 3));
		r.location.index = (uint32_t)sqlite3_column_int64(row, 4);
		e = r.location.uri ? ERR_OK : ERR_MEMORY;
	}
	if (e == ERR_OK)
		*out = r;
	else
		record_fini(&r);
	return e;
}

static enum err tell(const struct telling *t, sqlite3_stmt *row, struct why *why)
{
	struct record old = { 0 };
	struct record now = { 0 };
	struct sighting sighting = { .record = &now,
		.job = (const char *)sqlite3_column_text(row, 5),
		.first_seen = sqlite3_column_int64(row, 6),
		.last_seen = inventory_column_time(row, 7),
		.gone_at = TIME_UNKNOWN };
	struct renewal renewal = { .now = &sighting, .at = sqlite3_column_int64(row, 8) };
	enum err e = record_decode(inventory_column_bytes(row, 0), &old);

	if (e == ERR_OK)
		e = read_now(row, &now);
	if (e == ERR_OK && old.kind == RECORD_CERTIFICATE) {
		renewal.old = &old.certificate.facts;
		e = t->fn(t->arg, &renewal);
	} else if (e == ERR_MALFORMED) {
		e = inventory_damaged(t->i, why);
	}
	record_fini(&old);
	record_fini(&now);
	return e;
}

enum err inventory_each_renewal(struct inventory *i, int64_t since,
	enum err (*fn)(void *, const struct renewal *), void *arg, struct why *why)
{
	const struct telling telling = { .i = i, .fn = fn, .arg = arg };
	sqlite3_stmt *rows = NULL;
	bool is_row = true;
	enum err e = store_prepare(i->store, renewals_text, &rows, why);

	if (e == ERR_OK)
		inventory_bind(rows, &since, 1);
	while (e == ERR_OK) {
		e = inventory_step(i, rows, &is_row, why);
		if (e != ERR_OK || !is_row)
			break;
		e = tell(&telling, rows, why);
	}
	sqlite3_finalize(rows);
	return e;
}
