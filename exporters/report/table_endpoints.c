/* The table's endpoints: who answers, how, and whether a client certificate is wanted. */
#include "exporters/report/place.h"
#include "exporters/report/table_parts.h"
#include "exporters/report/table_rows.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

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

struct found {
	const struct view *view; /* borrowed */
	struct table_rows rows;
	bool has_files; /* files were looked at: what matches here can be told */
	bool has_issuers;
};

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
	const struct found *f, const struct sighting *s, enum ink *ink, char **out)
{
	struct endpoint_links l = { 0 };
	struct buffer text;
	enum err e = ERR_OK;

	if (f->has_files)
		e = f->view->links_of_endpoint(f->view->ctx, &s->record->location, &l);
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
	struct found *f = arg;

	f->has_files |= strcmp(s->scanner, "files") == 0;
	return ERR_OK;
}

static enum ink client_ink(enum client_certificate c)
{
	return c == CLIENT_CERTIFICATE_REQUIRED   ? INK_BOLD
	       : c == CLIENT_CERTIFICATE_OPTIONAL ? INK_PLAIN
						  : INK_DIM;
}

/* Those that did not answer well come first. */
static enum err collect(void *arg, const struct sighting *s)
{
	const struct endpoint_record *e = &s->record->endpoint;
	struct found *f = arg;
	struct table_row *r;
	enum err result;

	if (s->gone_at != TIME_UNKNOWN || record_is_listener(s->record))
		return ERR_OK;
	r = table_rows_add(&f->rows);
	if (!r)
		return ERR_MEMORY;
	for (size_t c = 0; c < COLUMNS; c++)
		r->inks[c] = INK_DIM;
	r->cells[COLUMN_PLACE] = place_text(&s->record->location);
	r->inks[COLUMN_PLACE] = INK_PLAIN;
	r->cells[COLUMN_ADDRESS] = strdup(e->address ? e->address : "");
	r->cells[COLUMN_PROTOCOL] = strdup(e->protocol ? e->protocol : "");
	r->cells[COLUMN_CLIENT] = strdup(client_certificate_word(e->client_certificate));
	r->inks[COLUMN_CLIENT] = client_ink(e->client_certificate);
	r->cells[COLUMN_ISSUERS] = f->has_issuers ? issuers_text(&e->acceptable_cas) : strdup("");
	result = matches_text(f, s, &r->inks[COLUMN_MATCHES], &r->cells[COLUMN_MATCHES]);
	if (result != ERR_OK)
		return result;
	r->cells[COLUMN_ANSWER] = answer_text(s, &r->inks[COLUMN_ANSWER]);
	r->order = r->inks[COLUMN_ANSWER] != INK_RED;
	return table_row_status(r, COLUMNS);
}

enum err table_endpoints(const struct view *v, struct paint *p, struct table_counts *n)
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
	struct found f = { .view = v,
		.has_issuers = !p->options->width || p->options->width >= WIDTH_WITH_ISSUERS };
	enum err e = ERR_OK;

	if (v->links_of_endpoint)
		e = v->each_scanner(v->ctx, note_files, &f);
	if (e == ERR_OK)
		e = v->each_sighting(v->ctx, RECORD_ENDPOINT, collect, &f);
	if (e == ERR_OK && f.rows.count) {
		table_rows_sort(&f.rows, COLUMN_PLACE);
		if (n->places)
			paint_end(p);
		table_rows_paint(&f.rows, columns, COLUMNS, p);
		e = paint_status(p);
	}
	n->endpoints = f.rows.count;
	table_rows_fini(&f.rows);
	return e;
}
