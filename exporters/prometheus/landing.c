/* The plain page at "/". */
#include "exporters/prometheus/landing.h"

#include "exporters/prometheus/html.h"
#include "exporters/report/place.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define SOONEST_MAX 20

static const char head[] =
	"<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
	"<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">"
	"<meta name=\"color-scheme\" content=\"light dark\"><title>leafwatch</title><style>"
	"body{font:16px/1.5 system-ui,sans-serif;max-width:76rem;margin:2rem auto;padding:0 1rem}"
	"h1{margin:0}h2{font-size:1.1rem;margin:2rem 0 .5rem}"
	"table{border-collapse:collapse;width:100%}"
	"th,td{text-align:left;padding:.3rem 1rem .3rem 0;vertical-align:top;"
	"border-bottom:1px solid #8884;overflow-wrap:anywhere}"
	"th{font-weight:600}td.n{white-space:nowrap}"
	".ok{color:#1a7f37}.warning{color:#9a6700}.critical,.expired,.broken{color:#cf222e;"
	"font-weight:600}.muted{color:#6a6a6a}.wide{overflow-x:auto}"
	".wide td{overflow-wrap:normal}td.long{min-width:15rem;overflow-wrap:anywhere}"
	"td.r,th.r{text-align:right;white-space:nowrap}"
	"@media(prefers-color-scheme:dark){.ok{color:#3fb950}.warning{color:#d29922}"
	".critical,.expired,.broken{color:#ff7b72}.muted{color:#9a9a9a}}"
	"</style></head><body>\n";

struct soon {
	int64_t breaks;
	enum status status;
	uint8_t fingerprint[FINGERPRINT_BYTES];
	uint64_t places;
	char *name;  /* owned */
	char *place; /* owned */
};

struct page {
	const struct view *view; /* borrowed */
	struct buffer *out;      /* borrowed */
	uint64_t statuses[STATUS_COUNT];
	uint64_t endpoints;
	uint64_t problems;
	struct soon soonest[SOONEST_MAX]; /* by time */
	size_t soonest_count;
};

static void soon_fini(struct soon *s)
{
	free(s->name);
	free(s->place);
}

static struct soon *find(struct page *p, const struct certificate *f)
{
	for (size_t i = 0; i < p->soonest_count; i++)
		if (memcmp(p->soonest[i].fingerprint, f->fingerprint, FINGERPRINT_BYTES) == 0)
			return &p->soonest[i];
	return NULL;
}

static bool is_worse(enum status a, enum status b)
{
	return a != STATUS_UNCHECKED && (b == STATUS_UNCHECKED || a > b);
}

/* One place more of a certificate that stands already: the worst one is named. */
static enum err add_place(struct soon *soon, const struct location *at, enum status status)
{
	char *place;

	soon->places++;
	if (!is_worse(status, soon->status))
		return ERR_OK;
	place = place_text(at);
	if (!place)
		return ERR_MEMORY;
	free(soon->place);
	soon->place = place;
	soon->status = status;
	return ERR_OK;
}

static enum err insert(struct page *p, const struct sighting *s, int64_t breaks, enum status status)
{
	const struct certificate *f = &s->record->certificate.facts;
	struct soon soon = { .breaks = breaks, .status = status, .places = 1 };
	size_t at = p->soonest_count;

	memcpy(soon.fingerprint, f->fingerprint, FINGERPRINT_BYTES);
	soon.name = strdup(place_short_name(f));
	soon.place = place_text(&s->record->location);
	if (!soon.name || !soon.place) {
		soon_fini(&soon);
		return ERR_MEMORY;
	}
	if (p->soonest_count == SOONEST_MAX)
		soon_fini(&p->soonest[--at]);
	else
		p->soonest_count++;
	for (; at && p->soonest[at - 1].breaks > breaks; at--)
		p->soonest[at] = p->soonest[at - 1];
	p->soonest[at] = soon;
	return ERR_OK;
}

static enum err each_certificate(void *arg, const struct sighting *s)
{
	struct page *p = arg;
	const struct certificate_record *r = &s->record->certificate;
	enum status status = record_status_at(r, &p->view->thresholds, p->view->now);
	int64_t breaks = record_breaks(r);
	struct soon *known;

	if (s->gone_at != TIME_UNKNOWN)
		return ERR_OK;
	p->statuses[status]++;
	if (verdict_is_public_root(&r->verdict) || breaks == TIME_UNKNOWN)
		return ERR_OK;
	known = find(p, &r->facts);
	if (known)
		return add_place(known, &s->record->location, status);
	if (p->soonest_count == SOONEST_MAX && p->soonest[SOONEST_MAX - 1].breaks <= breaks)
		return ERR_OK;
	return insert(p, s, breaks, status);
}

static enum err count_endpoint(void *arg, const struct sighting *s)
{
	struct page *p = arg;

	p->endpoints += s->gone_at == TIME_UNKNOWN && !record_is_plain_listener(s->record);
	return ERR_OK;
}

static enum err count_problem(void *arg, const struct sighting *s)
{
	struct page *p = arg;

	p->problems += s->gone_at == TIME_UNKNOWN;
	return ERR_OK;
}

static void write_numbers(struct page *p)
{
	buffer_text(p->out, "<h2>Places that hold a certificate, by status</h2><table><tr>");
	for (unsigned i = 0; i < STATUS_COUNT; i++)
		buffer_format(p->out, "<th>%s</th>", status_word((enum status)i));
	buffer_text(p->out, "</tr><tr>");
	for (unsigned i = 0; i < STATUS_COUNT; i++)
		buffer_format(p->out, "<td class=\"%s\">%" PRIu64 "</td>",
			p->statuses[i] ? status_word((enum status)i) : "muted", p->statuses[i]);
	buffer_format(p->out,
		"</tr></table><p>%" PRIu64 " endpoints, %" PRIu64
		" places that could not be seen.</p>\n",
		p->endpoints, p->problems);
}

static enum err write_scanner(void *arg, const struct scanner_state *s)
{
	struct page *p = arg;

	buffer_text(p->out, "<tr><td>");
	html_text(p->out, s->job ? s->job : s->scanner);
	buffer_format(p->out, "</td><td class=\"%s\">%s</td>", s->is_up ? "ok" : "broken",
		s->is_running ? "running"
		: s->is_up    ? "up"
			      : "failed");
	html_time(p->out, s->last_success);
	buffer_format(
		p->out, "<td>%.1f s</td><td>%" PRIu64 "</td></tr>\n", s->duration_s, s->items);
	return ERR_OK;
}

static enum err write_scanners(struct page *p)
{
	enum err e;

	buffer_text(p->out, "<h2>Scanners</h2><table><tr><th>job</th><th>state</th>"
			    "<th>last complete pass</th><th>took</th><th>items</th></tr>\n");
	e = p->view->each_scanner(p->view->ctx, write_scanner, p);
	buffer_text(p->out, "</table>\n");
	return e;
}

static void write_soonest(struct page *p)
{
	char left[TIME_TEXT_BYTES];

	buffer_text(p->out, "<h2>Soonest to expire</h2><table><tr><th>status</th><th>left</th>"
			    "<th>expires</th><th>certificate</th><th>place</th></tr>\n");
	for (size_t i = 0; i < p->soonest_count; i++) {
		const struct soon *s = &p->soonest[i];

		time_span(s->breaks - p->view->now, left);
		buffer_format(p->out, "<tr><td class=\"%s\">%s</td><td class=\"n\">%s</td>",
			status_word(s->status), status_word(s->status), left);
		html_time(p->out, s->breaks);
		buffer_text(p->out, "<td>");
		html_text(p->out, s->name);
		buffer_text(p->out, "</td><td>");
		html_text(p->out, s->place);
		if (s->places > 1)
			buffer_format(p->out, " <span class=\"muted\">and %" PRIu64 " more</span>",
				s->places - 1);
		buffer_text(p->out, "</td></tr>\n");
	}
	buffer_text(p->out, "</table>\n");
}

static enum err write_view(struct page *p)
{
	const struct view *v = p->view;
	enum err e = v->each_sighting(v->ctx, RECORD_CERTIFICATE, each_certificate, p);

	if (e == ERR_OK)
		e = v->each_sighting(v->ctx, RECORD_ENDPOINT, count_endpoint, p);
	if (e == ERR_OK)
		e = v->each_sighting(v->ctx, RECORD_PROBLEM, count_problem, p);
	if (e != ERR_OK)
		return e;
	write_numbers(p);
	write_soonest(p);
	e = landing_ends(v, p->out);
	return e == ERR_OK ? write_scanners(p) : e;
}

enum err landing_render(const struct view *view, const char *metrics_path, struct buffer *out)
{
	struct page p = { .view = view, .out = out };
	enum err e = ERR_OK;

	buffer_text(out, head);
	buffer_text(out, "<h1>leafwatch</h1><p>");
	if (view) {
		buffer_text(out, "Version ");
		html_text(out, view->version ? view->version : "unknown");
		buffer_text(out, " (");
		html_text(out, view->revision ? view->revision : "unknown");
		buffer_text(out, "). ");
	}
	buffer_text(out, "Finds every certificate of this host.</p><p><a href=\"");
	html_text(out, metrics_path);
	buffer_text(out, "\">Metrics</a> &middot; <a href=\"/-/healthy\">Healthy</a> &middot; "
			 "<a href=\"/-/ready\">Ready</a></p>\n");
	if (view)
		e = write_view(&p);
	if (!view || !view->is_ready)
		buffer_text(out, "<p class=\"muted\">The first pass has not ended yet.</p>\n");
	buffer_text(out, "</body></html>\n");
	for (size_t i = 0; i < p.soonest_count; i++)
		soon_fini(&p.soonest[i]);
	return e == ERR_OK ? buffer_status(out) : e;
}
