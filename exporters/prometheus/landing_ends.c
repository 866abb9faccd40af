/* Both ends on the page: what listens here, which servers want client certificates, which of ours they accept. */
#include "exporters/prometheus/html.h"
#include "exporters/prometheus/landing.h"
#include "exporters/report/listening.h"
#include "exporters/report/place.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Rows of one table; the others are only counted. */
#define ROWS_SHOWN 100
#define PLACES_SAID 3
#define SENTENCE_BYTES_MAX ((size_t)2 * RECORD_TEXT_BYTES_MAX)

static void open_table(struct buffer *out, const char *title, const char *columns)
{
	buffer_format(out,
		"<h2 id=\"%c%zu\">%s</h2><div class=\"wide\" role=\"region\" tabindex=\"0\""
		" aria-labelledby=\"%c%zu\"><table><tr>%s</tr>\n",
		'h', out->size, title, 'h', out->size, columns);
}

static void close_table(struct buffer *out, uint64_t more)
{
	buffer_text(out, "</table></div>\n");
	if (more)
		buffer_format(out, "<p class=\"muted\">%" PRIu64 " more</p>\n", more);
}

static void cell(struct buffer *out, const char *class, const char *text)
{
	buffer_format(out, "<td class=\"%s\">", class);
	html_text(out, text);
	buffer_text(out, "</td>");
}

/* ---- what listens ------------------------------------------------------------------------------- */

#define COL "<th scope=\"col\">"

static void write_listener(struct buffer *out, const struct listening_row *r)
{
	const char *status = r->has_certificate ? status_word(r->status) : "muted";
	bool is_required = strcmp(r->cells[LISTENING_CLIENT], "required") == 0;

	buffer_text(out, "<tr>");
	cell(out, "n", r->cells[LISTENING_PLACE]);
	cell(out, "n", r->cells[LISTENING_PROCESS]);
	cell(out, "", r->cells[LISTENING_UNIT]);
	cell(out, "n", r->cells[LISTENING_PROTOCOL]);
	cell(out, is_required ? "n" : "n muted", r->cells[LISTENING_CLIENT]);
	cell(out, "", r->cells[LISTENING_CERTIFICATE]);
	buffer_format(out, "<td class=\"r %s\">", status);
	html_text(out, r->cells[LISTENING_LEFT]);
	buffer_format(out, "</td><td class=\"%s\">", r->status == STATUS_OK ? "" : status);
	html_text(out, r->cells[LISTENING_PROBLEMS]);
	buffer_text(out, "</td></tr>\n");
}

static void write_messages(struct buffer *out, const struct listening_rows *rows)
{
	for (size_t i = 0; i < rows->count && i < ROWS_SHOWN; i++) {
		if (!rows->items[i].message)
			continue;
		buffer_text(out, "<p class=\"warning\">");
		html_text(out, rows->items[i].cells[LISTENING_PLACE]);
		buffer_text(out, ": ");
		html_text(out, rows->items[i].message);
		buffer_text(out, "</p>\n");
	}
}

static enum err write_listeners(const struct view *view, struct buffer *out)
{
	struct listening l;
	enum err e = listening_collect(view, &l);
	const struct listening_rows *rows = &l.rows;

	if (e == ERR_OK && rows->count) {
		open_table(out, "Listening here",
			COL "address" COL "process" COL "unit" COL "protocol" COL
			    "client certificate" COL "certificate"
			    "<th scope=\"col\" class=\"r\">left" COL "problems");
		for (size_t i = 0; i < rows->count && i < ROWS_SHOWN; i++)
			write_listener(out, &rows->items[i]);
		close_table(out, rows->count > ROWS_SHOWN ? rows->count - ROWS_SHOWN : 0);
		write_messages(out, rows);
	}
	if (e == ERR_OK && l.plains.sockets)
		buffer_format(out, "<p class=\"muted\">%zu listening socket%s no TLS%s.</p>\n",
			l.plains.sockets, l.plains.sockets == 1 ? " speaks" : "s speak",
			l.plains.datagrams ? ", or were not asked (UDP)" : "");
	listening_fini(&l);
	return e;
}

/* ---- servers that ask ----------------------------------------------------------------------------- */

struct asking {
	const struct view *view; /* borrowed */
	struct buffer *out;      /* borrowed */
	uint64_t count;
};

static void write_matches(struct buffer *out, const struct endpoint_links *l, bool is_required)
{
	size_t shown;

	if (l->is_open) {
		buffer_text(out, "<td class=\"muted\">it names no CA");
	} else if (!l->valid_count) {
		buffer_format(out, "<td class=\"%s\">none", is_required ? "warning" : "muted");
	} else {
		buffer_text(out, "<td>");
		for (shown = 0; shown < l->accepts_names.count && shown < PLACES_SAID; shown++) {
			buffer_text(out, shown ? ", " : "");
			html_text(out, l->accepts_names.items[shown]);
		}
		if (l->accepts_count > shown)
			buffer_format(out, " and %" PRIu64 " more", l->accepts_count - shown);
	}
	buffer_text(out, "</td>");
}

static void write_issuers(struct buffer *out, const struct strings *cas)
{
	buffer_text(out, "<td class=\"long\">");
	if (cas->count)
		html_text(out, cas->items[0]);
	if (cas->count > 1)
		buffer_format(out, " and %zu more", cas->count - 1);
	buffer_text(out, "</td>");
}

static enum err on_endpoint(void *arg, const struct sighting *s)
{
	struct asking *a = arg;
	struct buffer *out = a->out;
	struct endpoint_links l = { 0 };
	enum client_certificate mode;
	enum err e;

	/* A listener that was asked for names asks for the same each time: it is told once. */
	if (s->gone_at != TIME_UNKNOWN ||
		(record_is_listener(s->record) && strchr(s->record->location.uri, '@')))
		return ERR_OK;
	e = a->view->links_of_endpoint(a->view->ctx, &s->record->location, &l);
	if (e == ERR_OK && l.asks && a->count++ < ROWS_SHOWN) {
		mode = mtls_mode(s->mtls, &s->record->endpoint);
		if (a->count == 1)
			open_table(out, "Servers that ask for client certificates",
				COL "server" COL "asks" COL "issued by one of" COL
				    "certificates here that match" COL "first client CA to end");
		buffer_text(out, "<tr>");
		cell(out, "long", s->record->location.uri);
		cell(out, "n", client_certificate_word(mode));
		write_issuers(out, mtls_list(s->mtls, &s->record->endpoint));
		write_matches(out, &l, mode == CLIENT_CERTIFICATE_REQUIRED);
		if (l.cas_count)
			html_time(out, l.cas[0].not_after);
		else
			cell(out, "", "");
		buffer_text(out, "</tr>\n");
	}
	endpoint_links_fini(&l);
	return e;
}

static enum err write_asking(const struct view *view, struct buffer *out)
{
	struct asking a = { .view = view, .out = out };
	enum err e = view->each_sighting(view->ctx, RECORD_ENDPOINT, on_endpoint, &a);

	if (a.count)
		close_table(out, a.count > ROWS_SHOWN ? a.count - ROWS_SHOWN : 0);
	return e;
}

/* ---- certificates that servers accept --------------------------------------------------------------- */

struct end {
	uint8_t fingerprint[FINGERPRINT_BYTES];
	int64_t breaks;
	enum status status;
	char *name;     /* owned */
	char *sentence; /* owned */
};

/* By time; what ends last is left out. */
struct ends {
	const struct view *view; /* borrowed */
	bool of_cas;             /* else of clients */
	struct end items[ROWS_SHOWN];
	size_t count;
	bool is_cut;
};

static void end_fini(struct end *end)
{
	free(end->name);
	free(end->sentence);
}

static bool has(const struct ends *ends, const uint8_t fingerprint[FINGERPRINT_BYTES])
{
	for (size_t i = 0; i < ends->count; i++)
		if (memcmp(ends->items[i].fingerprint, fingerprint, FINGERPRINT_BYTES) == 0)
			return true;
	return false;
}

static enum err insert(
	struct ends *ends, const struct certificate_record *r, const struct certificate_links *l)
{
	struct end end = { .breaks = record_breaks(r),
		.status = record_status_at(r, &ends->view->thresholds, ends->view->now),
		.name = strdup(place_short_name(&r->facts)) };
	size_t at = ends->count;
	struct buffer text;

	buffer_init(&text, SENTENCE_BYTES_MAX);
	if (ends->of_cas)
		link_say_ca(&text, l, r->facts.not_after);
	else
		link_say_client(&text, l);
	end.sentence = buffer_take_string(&text);
	memcpy(end.fingerprint, r->facts.fingerprint, FINGERPRINT_BYTES);
	if (!end.name || !end.sentence) {
		end_fini(&end);
		return ERR_MEMORY;
	}
	if (at == ROWS_SHOWN)
		end_fini(&ends->items[--at]);
	else
		ends->count++;
	for (; at && ends->items[at - 1].breaks > end.breaks; at--)
		ends->items[at] = ends->items[at - 1];
	ends->items[at] = end;
	return ERR_OK;
}

static enum err on_certificate(void *arg, const struct sighting *s)
{
	struct ends *ends = arg;
	const struct certificate_record *r = &s->record->certificate;
	struct certificate_links l = { 0 };
	bool is_one;
	enum err e;

	if (s->gone_at != TIME_UNKNOWN || r->facts.is_ca != ends->of_cas ||
		record_breaks(r) == TIME_UNKNOWN || has(ends, r->facts.fingerprint))
		return ERR_OK;
	if (ends->count == ROWS_SHOWN && ends->items[ROWS_SHOWN - 1].breaks <= record_breaks(r)) {
		ends->is_cut = true;
		return ERR_OK;
	}
	e = ends->view->links_of_certificate(ends->view->ctx, &r->facts, &l);
	is_one = ends->of_cas ? l.trusted_by_count && !l.is_outlasted
			      : l.is_client && (l.is_named || l.accepted_by_count);
	if (e == ERR_OK && is_one) {
		ends->is_cut |= ends->count == ROWS_SHOWN;
		e = insert(ends, r, &l);
	}
	certificate_links_fini(&l);
	return e;
}

static void write_ends(const struct ends *ends, struct buffer *out)
{
	char left[TIME_TEXT_BYTES];

	if (!ends->count)
		return;
	open_table(out, ends->of_cas ? "CAs that clients depend on" : "Client certificates in use",
		ends->of_cas ? COL "CA<th scope=\"col\" class=\"r\">left" COL "expires" COL
				   "what ends with it"
			     : COL "certificate<th scope=\"col\" class=\"r\">left" COL "expires" COL
				   "who depends on it");
	for (size_t i = 0; i < ends->count; i++) {
		const struct end *end = &ends->items[i];

		time_span(end->breaks - ends->view->now, left);
		buffer_text(out, "<tr>");
		cell(out, "", end->name);
		buffer_format(out, "<td class=\"r %s\">%s</td>", status_word(end->status), left);
		html_time(out, end->breaks);
		cell(out, "long", *end->sentence ? end->sentence : "no server seen accepts it");
		buffer_text(out, "</tr>\n");
	}
	close_table(out, 0);
	if (ends->is_cut)
		buffer_text(out, "<p class=\"muted\">Those that end later are left out.</p>\n");
}

static enum err collect_and_write(const struct view *view, bool of_cas, struct buffer *out)
{
	struct ends *ends = calloc(1, sizeof(*ends));
	enum err e;

	if (!ends)
		return ERR_MEMORY;
	ends->view = view;
	ends->of_cas = of_cas;
	e = view->each_sighting(view->ctx, RECORD_CERTIFICATE, on_certificate, ends);
	if (e == ERR_OK)
		write_ends(ends, out);
	for (size_t i = 0; i < ends->count; i++)
		end_fini(&ends->items[i]);
	free(ends);
	return e;
}

enum err landing_ends(const struct view *view, struct buffer *out)
{
	enum err e = write_listeners(view, out);

	if (e == ERR_OK && view->links_of_endpoint)
		e = write_asking(view, out);
	if (e == ERR_OK && view->links_of_certificate)
		e = collect_and_write(view, false, out);
	if (e == ERR_OK && view->links_of_certificate)
		e = collect_and_write(view, true, out);
	return e;
}
