/* The table's last part: what could not be seen, by reason. */
#include "exporters/report/place.h"
#include "exporters/report/table_parts.h"

#include <inttypes.h>
#include <stdlib.h>

#define INDENT_CELLS 2

enum { COLUMN_PLACE, COLUMN_MESSAGE, COLUMNS };

struct reason_rows {
	uint64_t count;
	struct strings places; /* the first ones, or all where all are wanted */
	struct strings messages;
};

struct rows {
	const struct report_options *options; /* borrowed */
	struct reason_rows reasons[REASON_COUNT];
};

static enum err collect(void *arg, const struct sighting *s)
{
	struct rows *rows = arg;
	const struct problem_record *problem = &s->record->problem;
	struct reason_rows *r;
	enum err e;

	if (s->gone_at != TIME_UNKNOWN || (unsigned)problem->reason >= REASON_COUNT)
		return ERR_OK;
	r = &rows->reasons[problem->reason];
	r->count++;
	/* One more than is shown, so that a line never says "and 1 more". */
	if (!rows->options->all && r->places.count > TABLE_PLACES_SHOWN)
		return ERR_OK;
	e = strings_take(&r->places, place_text(&s->record->location));
	return e == ERR_OK ? strings_add(&r->messages, problem->message ? problem->message : "")
			   : e;
}

static size_t shown_of(const struct reason_rows *r, const struct paint *p)
{
	if (!p->options->all && r->count > TABLE_PLACES_SHOWN + 1)
		return TABLE_PLACES_SHOWN;
	return r->places.count;
}

static void measure(const struct rows *rows, struct column columns[COLUMNS], const struct paint *p)
{
	for (size_t i = 0; i < REASON_COUNT; i++) {
		const struct reason_rows *r = &rows->reasons[i];

		for (size_t k = 0; k < shown_of(r, p); k++) {
			column_hold(&columns[COLUMN_PLACE], r->places.items[k]);
			column_hold(&columns[COLUMN_MESSAGE], r->messages.items[k]);
		}
	}
	(void)columns_fit(columns, COLUMNS, INDENT_CELLS, p->options);
}

static void paint_reason(const struct reason_rows *r, enum reason reason, struct paint *p,
	const struct column *columns)
{
	size_t shown = shown_of(r, p);

	paint_format(p, INK_YELLOW, "%s", reason_word(reason));
	paint_format(p, INK_PLAIN, " %" PRIu64, r->count);
	paint_format(p, INK_DIM, "  %s", reason_meaning(reason));
	paint_end(p);
	for (size_t k = 0; k < shown; k++) {
		p->owed = INDENT_CELLS;
		paint_cell(p, &columns[COLUMN_PLACE], r->places.items[k], INK_PLAIN);
		paint_cell(p, &columns[COLUMN_MESSAGE], r->messages.items[k], INK_DIM);
		paint_end(p);
	}
	if (shown < r->count) {
		p->owed = INDENT_CELLS;
		paint_format(p, INK_DIM, "and %" PRIu64 " more", r->count - shown);
		paint_end(p);
	}
}

enum err table_problems(const struct view *v, struct paint *p, struct table_counts *n)
{
	struct rows rows = { .options = p->options };
	struct column columns[COLUMNS] = {
		[COLUMN_PLACE] = { .title = "", .minimum = 24, .cut = CELLS_CUT_MIDDLE },
		[COLUMN_MESSAGE] = { .title = "", .minimum = 16 },
	};
	enum err e = v->each_sighting(v->ctx, RECORD_PROBLEM, collect, &rows);

	for (size_t i = 0; i < REASON_COUNT; i++)
		n->problems += rows.reasons[i].count;
	if (e == ERR_OK && n->problems) {
		measure(&rows, columns, p);
		if (n->places || n->endpoints || n->listeners || n->plain_listeners || n->crls)
			paint_end(p);
		paint_text(p, "COULD NOT BE SEEN", INK_BOLD);
		paint_end(p);
		for (size_t i = 0; i < REASON_COUNT; i++)
			if (rows.reasons[i].count)
				paint_reason(&rows.reasons[i], (enum reason)i, p, columns);
		e = paint_status(p);
	}
	for (size_t i = 0; i < REASON_COUNT; i++) {
		strings_fini(&rows.reasons[i].places);
		strings_fini(&rows.reasons[i].messages);
	}
	return e;
}
