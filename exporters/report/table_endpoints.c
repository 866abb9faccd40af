/* The table's endpoints: who answers, how, and whether a client certificate is wanted. */
#include "exporters/report/place.h"
#include "exporters/report/table_parts.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define ENDPOINTS_FIRST 32
/* From this width on there is room for them. */
#define WIDTH_WITH_ISSUERS 100
#define CELL_BYTES_MAX ((size_t)2 * RECORD_TEXT_BYTES_MAX)

enum {
	COLUMN_PLACE,
	COLUMN_ADDRESS,
	COLUMN_PROTOCOL,
	COLUMN_CLIENT,
	COLUMN_ISSUERS,
	COLUMN_MATCHES,
	COLUMN_ANSWER,
	COLUMNS
};

struct row {
	char *cells[COLUMNS]; /* owned */
	enum ink client_ink;
	enum ink answer_ink;
	enum ink matches_ink;
};

struct rows {
	const struct view *view; /* borrowed */
	struct row *items;       /* owned */
	bool has_files;          /* files were looked at: what matches here can be told */
	size_t count;
	size_t capacity;
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
		size_t capacity = rows->capacity ? rows->capacity * 2 : ENDPOINTS_FIRST;
		struct row *items = reallocarray(rows->items, capacity, sizeof(*items));

		if (!items)
			return NULL;
		rows->items = items;
		rows->capacity = capacity;
	}
	rows->items[rows->count] = (struct row){ 0 };
	return &rows->items[rows->count++];
}

static char *issuers_text(const struct strings *cas)
{
	struct buffer out;

	buffer_init(&out, CELL_BYTES_MAX);
	if (cas->count)
		buffer_text(&out, cas->items[0]);
	if (cas->count > 1)
		buffer_format(&out, " and %zu more", cas->count - 1);
	return buffer_take_string(&out);
}

static char *answer_text(const struct sighting *s, enum ink *ink)
{
	const struct endpoint_record *e = &s->record->endpoint;
	const char *handshake = e->handshake ? e->handshake : "unknown";
	bool is_good = e->is_reachable && strcmp(handshake, "ok") == 0;
	bool is_staple_bad = e->stapled_ocsp == STAPLED_OCSP_REVOKED ||
			     e->stapled_ocsp == STAPLED_OCSP_STALE ||
			     e->stapled_ocsp == STAPLED_OCSP_INVALID;
	struct buffer out;

	buffer_init(&out, CELL_BYTES_MAX);
	if (!e->is_reachable && !e->handshake)
		handshake = "unreachable";
	buffer_text(&out, handshake);
	if (is_staple_bad)
		buffer_format(&out, ", stapled OCSP %s", stapled_ocsp_word(e->stapled_ocsp));
	if (s->is_stale)
		buffer_text(&out, " (stale)");
	*ink = !is_good ? INK_RED : is_staple_bad || s->is_stale ? INK_YELLOW : INK_GREEN;
	return buffer_take_string(&out);
}

/* How many valid client certificates of this host it would let in; "?" where it names no CA. */
static enum err matches_text(
	const struct rows *rows, const struct sighting *s, enum ink *ink, char **out)
{
	struct endpoint_links l = { 0 };
	struct buffer text;
	enum err e = ERR_OK;

	if (rows->has_files)
		e = rows->view->links_of_endpoint(rows->view->ctx, &s->record->location, &l);
	if (e != ERR_OK)
		return e;
	buffer_init(&text, CELL_BYTES_MAX);
	*ink = INK_DIM;
	if (l.asks && l.is_open)
		buffer_text(&text, "?");
	else if (l.asks && l.valid_count)
		buffer_format(&text, "%" PRIu64, l.valid_count);
	else if (l.asks)
		buffer_text(&text, "none");
	if (l.asks && !l.is_open && !l.valid_count &&
		s->record->endpoint.client_certificate == CLIENT_CERTIFICATE_REQUIRED)
		*ink = INK_YELLOW;
	endpoint_links_fini(&l);
	*out = buffer_take_string(&text);
	return ERR_OK;
}

static enum err note_files(void *arg, const struct scanner_state *s)
{
	struct rows *rows = arg;

	rows->has_files |= strcmp(s->scanner, "files") == 0;
	return ERR_OK;
}

static enum err collect(void *arg, const struct sighting *s)
{
	const struct endpoint_record *e = &s->record->endpoint;
	const struct rows *rows = arg;
	struct row *r;
	enum err result;

	if (s->gone_at != TIME_UNKNOWN || record_is_listener(s->record))
		return ERR_OK;
	r = rows_new(arg);
	if (!r)
		return ERR_MEMORY;
	r->cells[COLUMN_PLACE] = place_text(&s->record->location);
	r->cells[COLUMN_ADDRESS] = strdup(e->address ? e->address : "");
	r->cells[COLUMN_PROTOCOL] = strdup(e->protocol ? e->protocol : "");
	r->cells[COLUMN_CLIENT] = strdup(client_certificate_word(e->client_certificate));
	r->cells[COLUMN_ISSUERS] = issuers_text(&e->acceptable_cas);
	result = matches_text(rows, s, &r->matches_ink, &r->cells[COLUMN_MATCHES]);
	if (result != ERR_OK)
		return result;
	r->cells[COLUMN_ANSWER] = answer_text(s, &r->answer_ink);
	r->client_ink = e->client_certificate == CLIENT_CERTIFICATE_REQUIRED   ? INK_BOLD
			: e->client_certificate == CLIENT_CERTIFICATE_OPTIONAL ? INK_PLAIN
									       : INK_DIM;
	for (size_t c = 0; c < COLUMNS; c++)
		if (!r->cells[c])
			return ERR_MEMORY;
	return ERR_OK;
}

static int compare(const void *a, const void *b)
{
	const struct row *x = a;
	const struct row *y = b;
	int order = (y->answer_ink == INK_RED) - (x->answer_ink == INK_RED);

	return order ? order : strcmp(x->cells[COLUMN_PLACE], y->cells[COLUMN_PLACE]);
}

static enum ink ink_of(const struct row *r, size_t column)
{
	switch (column) {
	case COLUMN_CLIENT:
		return r->client_ink;
	case COLUMN_ANSWER:
		return r->answer_ink;
	case COLUMN_MATCHES:
		return r->matches_ink;
	case COLUMN_PLACE:
		return INK_PLAIN;
	default:
		return INK_DIM;
	}
}

static void paint_rows(const struct rows *rows, struct paint *p)
{
	struct column columns[COLUMNS] = {
		[COLUMN_PLACE] = { .title = "ENDPOINT", .minimum = 20, .cut = CELLS_CUT_MIDDLE },
		[COLUMN_ADDRESS] = { .title = "ADDRESS", .minimum = 9 },
		[COLUMN_PROTOCOL] = { .title = "TLS" },
		[COLUMN_CLIENT] = { .title = "CLIENT CERT" },
		[COLUMN_ISSUERS] = { .title = "ISSUED BY ONE OF", .minimum = 12 },
		[COLUMN_MATCHES] = { .title = "MATCHES" },
		[COLUMN_ANSWER] = { .title = "ANSWER", .minimum = 10 },
	};
	bool has_issuers = !p->options->width || p->options->width >= WIDTH_WITH_ISSUERS;

	for (size_t i = 0; i < rows->count; i++)
		for (size_t c = 0; c < COLUMNS; c++)
			if (c != COLUMN_ISSUERS || has_issuers)
				column_hold(&columns[c], rows->items[i].cells[c]);
	(void)columns_fit(columns, COLUMNS, 0, p->options);
	paint_titles(p, columns, COLUMNS);
	for (size_t i = 0; i < rows->count; i++) {
		const struct row *r = &rows->items[i];

		for (size_t c = 0; c < COLUMNS; c++)
			paint_cell(p, &columns[c], r->cells[c], ink_of(r, c));
		paint_end(p);
	}
}

enum err table_endpoints(const struct view *v, struct paint *p, struct table_counts *n)
{
	struct rows rows = { .view = v };
	enum err e = ERR_OK;

	if (v->links_of_endpoint)
		e = v->each_scanner(v->ctx, note_files, &rows);
	if (e == ERR_OK)
		e = v->each_sighting(v->ctx, RECORD_ENDPOINT, collect, &rows);

	if (e == ERR_OK && rows.count) {
		qsort(rows.items, rows.count, sizeof(*rows.items), compare);
		if (n->places)
			paint_end(p);
		paint_rows(&rows, p);
		e = paint_status(p);
	}
	n->endpoints = rows.count;
	rows_fini(&rows);
	return e;
}
