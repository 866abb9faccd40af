/* The table's revocation lists: whose, and until when they hold. */
#include "exporters/report/place.h"
#include "exporters/report/table_parts.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define CRLS_FIRST 16
#define CELL_BYTES_MAX ((size_t)2 * RECORD_TEXT_BYTES_MAX)

enum { COLUMN_LEFT, COLUMN_ISSUER, COLUMN_REVOKED, COLUMN_PLACE, COLUMNS };

struct row {
	char *cells[COLUMNS]; /* owned */
	int64_t next_update;
	bool is_stale;
};

struct rows {
	struct row *items; /* owned */
	size_t count;
	size_t capacity;
	int64_t now;
};

static void rows_fini(struct rows *rows)
{
	for (size_t i = 0; i < rows->count; i++)
		for (size_t c = 0; c < COLUMNS; c++)
			free(rows->items[i].cells[c]);
	free(rows->items);
}

static struct row *rows_new(struct rows *rows)
{
	if (rows->count == rows->capacity) {
		size_t capacity = rows->capacity ? rows->capacity * 2 : CRLS_FIRST;
		struct row *items = reallocarray(rows->items, capacity, sizeof(*items));

		if (!items)
			return NULL;
		rows->items = items;
		rows->capacity = capacity;
	}
	rows->items[rows->count] = (struct row){ 0 };
	return &rows->items[rows->count++];
}

static char *left_text(int64_t next_update, int64_t now)
{
	char span[TIME_TEXT_BYTES];

	if (next_update == TIME_UNKNOWN)
		return strdup("no next update");
	time_span(next_update - now, span);
	return strdup(span);
}

static char *count_text(uint64_t n)
{
	char *text = NULL;

	return asprintf(&text, "%" PRIu64, n) < 0 ? NULL : text;
}

static enum err collect(void *arg, const struct sighting *s)
{
	const struct crl_record *c = &s->record->crl;
	struct rows *rows = arg;
	struct row *r;

	if (s->gone_at != TIME_UNKNOWN)
		return ERR_OK;
	r = rows_new(rows);
	if (!r)
		return ERR_MEMORY;
	r->next_update = c->next_update;
	r->is_stale = c->next_update != TIME_UNKNOWN && rows->now > c->next_update;
	r->cells[COLUMN_LEFT] = left_text(c->next_update, rows->now);
	r->cells[COLUMN_ISSUER] = strdup(c->issuer_cn ? c->issuer_cn : c->issuer);
	r->cells[COLUMN_REVOKED] = count_text(c->revoked_count);
	r->cells[COLUMN_PLACE] = place_text(&s->record->location);
	for (size_t i = 0; i < COLUMNS; i++)
		if (!r->cells[i])
			return ERR_MEMORY;
	return ERR_OK;
}

/* What promises no end comes last. */
static int compare(const void *a, const void *b)
{
	const struct row *x = a;
	const struct row *y = b;
	bool has_x = x->next_update != TIME_UNKNOWN;
	bool has_y = y->next_update != TIME_UNKNOWN;

	if (has_x != has_y)
		return has_x ? -1 : 1;
	if (x->next_update != y->next_update)
		return x->next_update < y->next_update ? -1 : 1;
	return strcmp(x->cells[COLUMN_PLACE], y->cells[COLUMN_PLACE]);
}

static void paint_rows(const struct rows *rows, struct paint *p)
{
	struct column columns[COLUMNS] = {
		[COLUMN_LEFT] = { .title = "LEFT" },
		[COLUMN_ISSUER] = { .title = "REVOCATION LIST OF", .minimum = 18 },
		[COLUMN_REVOKED] = { .title = "REVOKED", .is_right = true },
		[COLUMN_PLACE] = { .title = "PLACE", .minimum = 20, .cut = CELLS_CUT_MIDDLE },
	};

	for (size_t i = 0; i < rows->count; i++)
		for (size_t c = 0; c < COLUMNS; c++)
			column_hold(&columns[c], rows->items[i].cells[c]);
	(void)columns_fit(columns, COLUMNS, 0, p->options);
	paint_titles(p, columns, COLUMNS);
	for (size_t i = 0; i < rows->count; i++) {
		const struct row *r = &rows->items[i];

		for (size_t c = 0; c < COLUMNS; c++)
			paint_cell(p, &columns[c], r->cells[c],
				c == COLUMN_LEFT     ? r->is_stale ? INK_RED : INK_GREEN
				: c == COLUMN_ISSUER ? INK_PLAIN
						     : INK_DIM);
		paint_end(p);
	}
}

enum err table_crls(const struct view *v, struct paint *p, struct table_counts *n)
{
	struct rows rows = { .now = v->now };
	enum err e = v->each_sighting(v->ctx, RECORD_CRL, collect, &rows);

	if (e == ERR_OK && rows.count) {
		qsort(rows.items, rows.count, sizeof(*rows.items), compare);
		if (n->places || n->endpoints || n->listeners || n->plain_listeners)
			paint_end(p);
		paint_rows(&rows, p);
		e = paint_status(p);
	}
	n->crls = rows.count;
	for (size_t i = 0; i < rows.count; i++)
		n->crls_stale += rows.items[i].is_stale;
	rows_fini(&rows);
	return e;
}
