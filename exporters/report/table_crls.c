/* The table's revocation lists: whose, and until when they hold. */
#include "exporters/report/place.h"
#include "exporters/report/table_parts.h"
#include "exporters/report/table_rows.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { COLUMN_LEFT, COLUMN_ISSUER, COLUMN_REVOKED, COLUMN_PLACE, COLUMNS };

struct lists {
	struct table_rows rows;
	int64_t now;
	uint64_t stale;
};

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

/* What promises no end comes last. */
static enum err collect(void *arg, const struct sighting *s)
{
	const struct crl_record *c = &s->record->crl;
	struct lists *lists = arg;
	bool is_stale = c->next_update != TIME_UNKNOWN && lists->now > c->next_update;
	struct table_row *r;

	if (s->gone_at != TIME_UNKNOWN)
		return ERR_OK;
	r = table_rows_add(&lists->rows);
	if (!r)
		return ERR_MEMORY;
	lists->stale += is_stale;
	r->order = c->next_update != TIME_UNKNOWN ? c->next_update : INT64_MAX;
	r->cells[COLUMN_LEFT] = left_text(c->next_update, lists->now);
	r->cells[COLUMN_ISSUER] = strdup(c->issuer_cn ? c->issuer_cn : c->issuer);
	r->cells[COLUMN_REVOKED] = count_text(c->revoked_count);
	r->cells[COLUMN_PLACE] = place_text(&s->record->location);
	r->inks[COLUMN_LEFT] = is_stale ? INK_RED : INK_GREEN;
	r->inks[COLUMN_ISSUER] = INK_PLAIN;
	r->inks[COLUMN_REVOKED] = r->inks[COLUMN_PLACE] = INK_DIM;
	return table_row_status(r, COLUMNS);
}

enum err table_crls(const struct view *v, struct paint *p, struct table_counts *n)
{
	struct column columns[COLUMNS] = {
		[COLUMN_LEFT] = { .title = "LEFT" },
		[COLUMN_ISSUER] = { .title = "REVOCATION LIST OF", .minimum = 18 },
		[COLUMN_REVOKED] = { .title = "REVOKED", .is_right = true },
		[COLUMN_PLACE] = { .title = "PLACE", .minimum = 20, .cut = CELLS_CUT_MIDDLE },
	};
	struct lists lists = { .now = v->now };
	enum err e = v->each_sighting(v->ctx, RECORD_CRL, collect, &lists);

	if (e == ERR_OK && lists.rows.count) {
		table_rows_sort(&lists.rows, COLUMN_PLACE);
		if (n->places || n->endpoints || n->listeners || n->plain_listeners)
			paint_end(p);
		table_rows_paint(&lists.rows, columns, COLUMNS, p);
		e = paint_status(p);
	}
	n->crls = lists.rows.count;
	n->crls_stale += lists.stale;
	table_rows_fini(&lists.rows);
	return e;
}
