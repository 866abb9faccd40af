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
	int64_t since;
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

/* ---- numbered files ----------------------------------------------------------------------------- */

/* certbot keeps archive/NAME/cert1.pem, cert2.pem and so on: each number took the place of the one before,
 * whether or not this agent was there. Ordered, those of a folder come one after the other. */
static const char numbered_text[] =
	"SELECT c.facts,s.detail,c.facts,p.uri,s.id&16777215,j.name,s.first_seen,s.seen FROM place p"
	" CROSS JOIN job j ON j.id=p.job CROSS JOIN sighting s ON s.id=p.id<<24"
	" CROSS JOIN certificate c ON c.id=s.certificate"
	" WHERE p.uri GLOB 'file:///*/archive/*/cert[0-9]*.pem' AND s.gone_at IS NULL"
	" ORDER BY p.uri,p.job";
#define NUMBERED_STEM "/cert"
#define NUMBER_DIGITS_MAX 9

struct numbered {
	struct record record;
	long number; /* 0: none */
	char *job;   /* owned */
	int64_t first_seen;
	int64_t last_seen;
};

static void numbered_fini(struct numbered *n)
{
	record_fini(&n->record);
	free(n->job);
	*n = (struct numbered){ .number = 0 };
}

/* The number at the end of a place, and the length of what is before it. */
static long number_of(const char *uri, size_t *stem)
{
	const char *at = strrchr(uri, '/');
	char *end;
	long number;

	if (!at || strncmp(at, NUMBERED_STEM, strlen(NUMBERED_STEM)) != 0)
		return 0;
	at += strlen(NUMBERED_STEM);
	*stem = (size_t)(at - uri);
	if (strspn(at, "0123456789") > NUMBER_DIGITS_MAX)
		return 0;
	number = strtol(at, &end, 10);
	return strcmp(end, ".pem") == 0 ? number : 0;
}

static enum err tell_numbered(
	const struct telling *t, const struct numbered *newest, const struct numbered *before)
{
	const struct sighting sighting = { .record = &newest->record,
		.job = newest->job,
		.first_seen = newest->first_seen,
		.last_seen = newest->last_seen,
		.gone_at = TIME_UNKNOWN };
	const struct renewal renewal = {
		.old = &before->record.certificate.facts, .now = &sighting, .at = newest->first_seen
	};

	if (!newest->number || !before->number || newest->first_seen <= t->since)
		return ERR_OK;
	return t->fn(t->arg, &renewal);
}

static enum err read_numbered(sqlite3_stmt *row, long number, struct numbered *out)
{
	struct numbered n = { .number = number,
		.job = inventory_column_copy(row, 5),
		.first_seen = sqlite3_column_int64(row, 6),
		.last_seen = inventory_column_time(row, 7) };
	enum err e = n.job ? read_now(row, &n.record) : ERR_MEMORY;

	if (e == ERR_OK)
		*out = n;
	else
		free(n.job);
	return e;
}

/* Into its place among the two newest of the folder. Takes `n`. */
static void rank(struct numbered *n, struct numbered *newest, struct numbered *before)
{
	struct numbered *to = n->number > newest->number ? newest : before;

	if (n->number <= before->number || n->number == newest->number) {
		numbered_fini(n);
		return;
	}
	numbered_fini(before);
	if (to == newest)
		*before = *newest;
	*to = *n;
}

static enum err each_numbered(const struct telling *t, struct why *why)
{
	struct numbered newest = { .number = 0 };
	struct numbered before = { .number = 0 };
	sqlite3_stmt *rows = NULL;
	bool is_row = true;
	enum err e = store_prepare(t->i->store, numbered_text, &rows, why);

	while (e == ERR_OK) {
		struct numbered n;
		const char *uri;
		size_t stem = 0;
		long number;

		e = inventory_step(t->i, rows, &is_row, why);
		if (e != ERR_OK || !is_row)
			break;
		uri = (const char *)sqlite3_column_text(rows, 3);
		number = uri ? number_of(uri, &stem) : 0;
		if (!number)
			continue;
		if (newest.number && strncmp(newest.record.location.uri, uri, stem) != 0) {
			e = tell_numbered(t, &newest, &before);
			numbered_fini(&newest);
			numbered_fini(&before);
		}
		if (e == ERR_OK)
			e = read_numbered(rows, number, &n);
		if (e == ERR_OK)
			rank(&n, &newest, &before);
		else if (e == ERR_MALFORMED)
			e = inventory_damaged(t->i, why);
	}
	if (e == ERR_OK)
		e = tell_numbered(t, &newest, &before);
	numbered_fini(&newest);
	numbered_fini(&before);
	sqlite3_finalize(rows);
	return e;
}

/* ---- all of them -------------------------------------------------------------------------------- */

enum err inventory_each_renewal(struct inventory *i, int64_t since,
	enum err (*fn)(void *, const struct renewal *), void *arg, struct why *why)
{
	const struct telling telling = { .i = i, .fn = fn, .arg = arg, .since = since };
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
	return e == ERR_OK ? each_numbered(&telling, why) : e;
}
