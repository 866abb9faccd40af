/* The table's certificates: what breaks first stands first, its places below each other. */
#include "exporters/report/place.h"
#include "exporters/report/table_parts.h"

#include <stdlib.h>
#include <string.h>

#define ROWS_FIRST 64
/* From these widths on there is room for further columns. */
#define WIDTH_WITH_EXPIRES 100
#define WIDTH_WITH_ISSUER 140
#define DATE_BYTES 10

struct row {
	enum status status;
	bool is_gone;
	int64_t breaks; /* or TIME_UNKNOWN */
	uint32_t problems;
	uint8_t fingerprint[FINGERPRINT_BYTES];
	char *name;   /* owned */
	char *issuer; /* owned */
	char *place;  /* owned */
};

struct rows {
	const struct view *view;              /* borrowed */
	const struct report_options *options; /* borrowed */
	struct table_counts *counts;          /* borrowed */
	struct row *items;                    /* owned */
	size_t count;
	size_t capacity;
};

enum {
	COLUMN_STATUS,
	COLUMN_LEFT,
	COLUMN_EXPIRES,
	COLUMN_NAME,
	COLUMN_ISSUER,
	COLUMN_PLACE,
	COLUMN_PROBLEMS,
	COLUMNS
};

static void row_fini(struct row *r)
{
	free(r->name);
	free(r->issuer);
	free(r->place);
}

static void rows_fini(struct rows *rows)
{
	for (size_t i = 0; i < rows->count; i++)
		row_fini(&rows->items[i]);
	free(rows->items);
}

/* Takes the row. */
static enum err rows_add(struct rows *rows, struct row *r)
{
	if (!r->name || !r->issuer || !r->place)
		goto fail;
	if (rows->count == rows->capacity) {
		size_t capacity = rows->capacity ? rows->capacity * 2 : ROWS_FIRST;
		struct row *items = reallocarray(rows->items, capacity, sizeof(*items));

		if (!items)
			goto fail;
		rows->items = items;
		rows->capacity = capacity;
	}
	rows->items[rows->count++] = *r;
	return ERR_OK;
fail:
	row_fini(r);
	return ERR_MEMORY;
}

static char *place_of(const struct sighting *s)
{
	char *place = place_text(&s->record->location);
	struct buffer out;

	if (!place || !s->is_stale)
		return place;
	buffer_init(&out, strlen(place) + 16);
	buffer_format(&out, "%s (stale)", place);
	free(place);
	return buffer_take_string(&out);
}

static enum err collect(void *arg, const struct sighting *s)
{
	struct rows *rows = arg;
	const struct certificate_record *r = &s->record->certificate;
	const char *issuer = r->facts.issuer_cn ? r->facts.issuer_cn : r->facts.issuer;
	struct row row = {
		.status = record_status_at(r, &rows->view->thresholds, rows->view->now),
		.is_gone = s->gone_at != TIME_UNKNOWN,
		.breaks = record_breaks(r),
		.problems = record_problems_at(r, rows->view->now),
	};

	if (verdict_is_public_root(&r->verdict) && !rows->options->all) {
		rows->counts->hidden_roots++;
		rows->counts->hidden_roots_expired += row.status == STATUS_EXPIRED;
		return ERR_OK;
	}
	memcpy(row.fingerprint, r->facts.fingerprint, FINGERPRINT_BYTES);
	row.name = strdup(place_short_name(&r->facts));
	row.issuer = strdup(issuer ? issuer : "");
	row.place = place_of(s);
	return rows_add(rows, &row);
}

/* What is healthy is sorted by time alone, checked or not. */
static int rank(const struct row *r)
{
	static const int ranks[STATUS_COUNT] = {
		[STATUS_EXPIRED] = 0,
		[STATUS_BROKEN] = 1,
		[STATUS_CRITICAL] = 2,
		[STATUS_WARNING] = 3,
		[STATUS_OK] = 4,
		[STATUS_UNCHECKED] = 4,
	};

	return r->is_gone ? 5 : ranks[r->status];
}

static int compare_numbers(int64_t a, int64_t b)
{
	return (a > b) - (a < b);
}

static int compare_groups(const struct row *x, const struct row *y)
{
	/* An unknown date comes last in its rank, not first. */
	int order = rank(x) - rank(y);

	if (!order)
		order = (x->breaks == TIME_UNKNOWN) - (y->breaks == TIME_UNKNOWN);
	if (!order)
		order = compare_numbers(x->breaks, y->breaks);
	if (!order)
		order = strcmp(x->name, y->name);
	if (!order)
		order = memcmp(x->fingerprint, y->fingerprint, FINGERPRINT_BYTES);
	if (!order)
		order = (int)x->status - (int)y->status;
	return order ? order : compare_numbers(x->problems, y->problems);
}

static int compare_rows(const void *a, const void *b)
{
	const struct row *x = a;
	const struct row *y = b;
	int order = compare_groups(x, y);

	return order ? order : strcmp(x->place, y->place);
}

static int compare_identity(const void *a, const void *b)
{
	const struct row *const *x = a;
	const struct row *const *y = b;
	int order = memcmp((*x)->fingerprint, (*y)->fingerprint, FINGERPRINT_BYTES);

	return order ? order : rank(*x) - rank(*y);
}

static enum err count(struct rows *rows)
{
	const struct row **by_identity;
	size_t known = 0;

	if (!rows->count)
		return ERR_OK;
	by_identity = reallocarray(NULL, rows->count, sizeof(struct row *));
	if (!by_identity)
		return ERR_MEMORY;
	for (size_t i = 0; i < rows->count; i++)
		if (!rows->items[i].is_gone)
			by_identity[known++] = &rows->items[i];
	qsort(by_identity, known, sizeof(struct row *), compare_identity);
	for (size_t i = 0; i < known; i++) {
		if (i && memcmp(by_identity[i]->fingerprint, by_identity[i - 1]->fingerprint,
				 FINGERPRINT_BYTES) == 0)
			continue;
		rows->counts->certificates++;
		rows->counts->by_status[by_identity[i]->status]++;
	}
	rows->counts->places = known;
	free(by_identity);
	return ERR_OK;
}

static const char *status_text(const struct row *r)
{
	return r->is_gone ? "gone" : status_word(r->status);
}

static void left_text(const struct row *r, int64_t now, char out[TIME_TEXT_BYTES])
{
	if (r->breaks == TIME_UNKNOWN)
		memcpy(out, "?", sizeof("?"));
	else
		time_span(r->breaks - now, out);
}

static void expires_text(const struct row *r, char out[TIME_TEXT_BYTES])
{
	time_rfc3339(r->breaks, out);
	out[out[0] ? DATE_BYTES : 0] = 0;
}

/* Appends the next problem words that fit into `width` cells (at least one) and takes them out of
 * `*problems`. Words are ASCII. */
static void problems_line(struct buffer *out, uint32_t *problems, size_t width)
{
	for (unsigned i = 0; i < PROBLEM_COUNT; i++) {
		const char *word = problem_word((enum problem)i);

		if (!(*problems & PROBLEM_BIT(i)))
			continue;
		if (out->size && out->size + 1 + strlen(word) > width)
			return;
		if (out->size)
			buffer_byte(out, ' ');
		buffer_text(out, word);
		*problems &= ~PROBLEM_BIT(i);
	}
}

static void hold_row(const struct rows *rows, const struct row *r, struct column columns[COLUMNS])
{
	unsigned width = rows->options->width;
	char text[TIME_TEXT_BYTES];

	column_hold(&columns[COLUMN_STATUS], status_text(r));
	left_text(r, rows->view->now, text);
	column_hold(&columns[COLUMN_LEFT], text);
	expires_text(r, text);
	if (!width || width >= WIDTH_WITH_EXPIRES)
		column_hold(&columns[COLUMN_EXPIRES], text);
	column_hold(&columns[COLUMN_NAME], r->name);
	if (!width || width >= WIDTH_WITH_ISSUER)
		column_hold(&columns[COLUMN_ISSUER], r->issuer);
	column_hold(&columns[COLUMN_PLACE], r->place);
}

/* Room for all problems of a row in one line, or for one word a line. */
static void hold_problems(const struct rows *rows, struct column *c, size_t width)
{
	struct buffer words;

	c->natural = 0;
	buffer_init(&words, RECORD_TEXT_BYTES_MAX);
	for (size_t i = 0; i < rows->count; i++) {
		for (uint32_t left = rows->items[i].problems; left;) {
			buffer_clear(&words);
			problems_line(&words, &left, width);
			column_hold(c, buffer_string(&words));
		}
	}
	buffer_fini(&words);
}

static void measure(const struct rows *rows, struct column columns[COLUMNS])
{
	for (size_t i = 0; i < rows->count; i++)
		hold_row(rows, &rows->items[i], columns);
	hold_problems(rows, &columns[COLUMN_PROBLEMS], SIZE_MAX);
	/* Problems go below each other before a name or a place is shortened. */
	if (columns_fit(columns, COLUMNS, 0, rows->options))
		return;
	hold_problems(rows, &columns[COLUMN_PROBLEMS], 0);
	(void)columns_fit(columns, COLUMNS, 0, rows->options);
}

static void paint_first(
	const struct rows *rows, const struct row *r, struct paint *p, const struct column *columns)
{
	enum ink ink = r->is_gone ? INK_DIM : ink_of_status(r->status);
	char left[TIME_TEXT_BYTES];
	char expires[TIME_TEXT_BYTES];

	left_text(r, rows->view->now, left);
	expires_text(r, expires);
	paint_cell(p, &columns[COLUMN_STATUS], status_text(r), ink);
	paint_cell(p, &columns[COLUMN_LEFT], left, ink);
	paint_cell(p, &columns[COLUMN_EXPIRES], expires, INK_PLAIN);
	paint_cell(p, &columns[COLUMN_NAME], r->name, r->is_gone ? INK_DIM : INK_PLAIN);
	paint_cell(p, &columns[COLUMN_ISSUER], r->issuer, INK_DIM);
}

static void paint_below(struct paint *p, const struct column *columns)
{
	for (size_t i = 0; i < COLUMN_PLACE; i++)
		paint_cell(p, &columns[i], "", INK_PLAIN);
}

/* The place of the n-th line of a group: a place, the count of those left out, or nothing. */
static void paint_place(
	const struct row *group, size_t size, size_t line, struct paint *p, const struct column *c)
{
	size_t shown = size;
	char more[64];

	if (!p->options->all && size > TABLE_PLACES_SHOWN + 1)
		shown = TABLE_PLACES_SHOWN;
	if (line < shown) {
		paint_cell(p, c, group[line].place, line ? INK_DIM : INK_PLAIN);
		return;
	}
	more[0] = 0;
	if (line == shown && shown < size)
		(void)snprintf(more, sizeof(more), "and %zu more places", size - shown);
	paint_cell(p, c, more, INK_DIM);
}

static size_t lines_of_places(size_t size, const struct paint *p)
{
	return !p->options->all && size > TABLE_PLACES_SHOWN + 1 ? TABLE_PLACES_SHOWN + 1 : size;
}

static void paint_group(const struct rows *rows, size_t first, size_t size, struct paint *p,
	const struct column *columns)
{
	const struct row *group = &rows->items[first];
	uint32_t problems = group->problems;
	size_t lines = lines_of_places(size, p);
	enum ink ink = group->status == STATUS_BROKEN || group->status == STATUS_EXPIRED
			       ? INK_RED
			       : INK_YELLOW;
	struct buffer words;

	buffer_init(&words, RECORD_TEXT_BYTES_MAX);
	for (size_t line = 0; line < lines || problems; line++) {
		if (line == 0)
			paint_first(rows, group, p, columns);
		else
			paint_below(p, columns);
		paint_place(group, size, line, p, &columns[COLUMN_PLACE]);
		buffer_clear(&words);
		problems_line(&words, &problems, columns[COLUMN_PROBLEMS].width);
		paint_cell(p, &columns[COLUMN_PROBLEMS], buffer_string(&words),
			group->is_gone ? INK_DIM : ink);
		paint_note(p, buffer_status(&words));
		paint_end(p);
	}
	buffer_fini(&words);
}

static void paint_rows(const struct rows *rows, struct paint *p)
{
	struct column columns[COLUMNS] = {
		[COLUMN_STATUS] = { .title = "STATUS" },
		[COLUMN_LEFT] = { .title = "LEFT", .is_right = true },
		[COLUMN_EXPIRES] = { .title = "EXPIRES" },
		[COLUMN_NAME] = { .title = "CERTIFICATE", .minimum = 18 },
		[COLUMN_ISSUER] = { .title = "ISSUER", .minimum = 14 },
		[COLUMN_PLACE] = { .title = "PLACE", .minimum = 20, .cut = CELLS_CUT_MIDDLE },
		[COLUMN_PROBLEMS] = { .title = "PROBLEMS", .minimum = 18 },
	};
	size_t size;

	measure(rows, columns);
	paint_titles(p, columns, COLUMNS);
	for (size_t i = 0; i < rows->count; i += size) {
		size = 1;
		while (i + size < rows->count &&
			compare_groups(&rows->items[i], &rows->items[i + size]) == 0)
			size++;
		paint_group(rows, i, size, p, columns);
	}
}

enum err table_certificates(const struct view *v, struct paint *p, struct table_counts *n)
{
	struct rows rows = { .view = v, .options = p->options, .counts = n };
	enum err e = v->each_sighting(v->ctx, RECORD_CERTIFICATE, collect, &rows);

	if (e == ERR_OK)
		e = count(&rows);
	if (e == ERR_OK && rows.count) {
		qsort(rows.items, rows.count, sizeof(*rows.items), compare_rows);
		paint_rows(&rows, p);
		e = paint_status(p);
	}
	rows_fini(&rows);
	return e;
}
