/* -o table: for people. Certificates by time left, endpoints, what could not be seen, a closing line. */
#include "exporters/report/table_parts.h"

#include <inttypes.h>
#include <string.h>

#define NUMBER_TEXT_BYTES 32

/* 81234 reads "81,234". */
static void grouped(uint64_t n, char out[NUMBER_TEXT_BYTES])
{
	char digits[NUMBER_TEXT_BYTES];
	size_t count = (size_t)snprintf(digits, sizeof(digits), "%" PRIu64, n);
	size_t at = 0;

	for (size_t i = 0; i < count; i++) {
		if (i && (count - i) % 3 == 0)
			out[at++] = ',';
		out[at++] = digits[i];
	}
	out[at] = 0;
}

static void paint_count(struct paint *p, uint64_t n, const char *one, const char *many)
{
	char text[NUMBER_TEXT_BYTES];

	grouped(n, text);
	paint_format(p, INK_PLAIN, "%s %s", text, n == 1 ? one : many);
}

static void paint_roots(struct paint *p, const struct table_counts *n)
{
	if (!n->hidden_roots)
		return;
	paint_text(p, "Not listed: ", INK_DIM);
	paint_count(p, n->hidden_roots, "public root", "public roots");
	paint_text(p, " of trust stores", INK_PLAIN);
	if (n->hidden_roots_expired)
		paint_format(p, INK_YELLOW, ", %" PRIu64 " expired", n->hidden_roots_expired);
	paint_text(p, " (--all lists them)", INK_DIM);
	paint_end(p);
}

static void paint_statuses(struct paint *p, const struct table_counts *n)
{
	static const enum status order[] = { STATUS_EXPIRED, STATUS_BROKEN, STATUS_CRITICAL,
		STATUS_WARNING, STATUS_OK, STATUS_UNCHECKED };
	const char *before = ": ";

	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
		if (!n->by_status[order[i]])
			continue;
		paint_text(p, before, INK_PLAIN);
		paint_format(p, ink_of_status(order[i]), "%" PRIu64 " %s", n->by_status[order[i]],
			status_word(order[i]));
		before = ", ";
	}
}

static void paint_work(struct paint *p, const struct report_summary *s)
{
	char text[NUMBER_TEXT_BYTES];

	if (!s)
		return;
	paint_text(p, "; ", INK_DIM);
	if (s->files) {
		grouped(s->files, text);
		paint_format(p, INK_DIM, "%s %s in ", text, s->files == 1 ? "file" : "files");
	}
	paint_format(p, INK_DIM, "%.1f s", s->seconds);
}

static void paint_closing(
	struct paint *p, const struct table_counts *n, const struct report_summary *summary)
{
	if (n->places || n->endpoints || n->listeners || n->plain_listeners || n->crls ||
		n->problems)
		paint_end(p);
	paint_roots(p, n);
	if (n->places) {
		paint_count(p, n->certificates, "certificate", "certificates");
		paint_text(p, " at ", INK_PLAIN);
		paint_count(p, n->places, "place", "places");
		paint_statuses(p, n);
	} else {
		paint_text(p, n->hidden_roots ? "No other certificates" : "No certificates",
			INK_PLAIN);
	}
	paint_end(p);
	paint_count(p, n->endpoints + n->listeners, "endpoint", "endpoints");
	paint_text(p, ", ", INK_PLAIN);
	if (n->crls) {
		paint_count(p, n->crls, "revocation list", "revocation lists");
		if (n->crls_stale)
			paint_format(p, INK_RED, " (%" PRIu64 " out of date)", n->crls_stale);
		paint_text(p, ", ", INK_PLAIN);
	}
	paint_count(
		p, n->problems, "place that could not be seen", "places that could not be seen");
	paint_work(p, summary);
	paint_end(p);
}

static enum err table_write(const struct view *view, const struct report_options *options,
	const struct report_summary *summary, FILE *to)
{
	struct table_counts n = { 0 };
	struct paint p;
	enum err e;

	paint_init(&p, to, options);
	e = table_certificates(view, &p, &n);
	if (e == ERR_OK)
		e = table_endpoints(view, &p, &n);
	if (e == ERR_OK)
		e = table_listeners(view, &p, &n);
	if (e == ERR_OK)
		e = table_crls(view, &p, &n);
	if (e == ERR_OK)
		e = table_problems(view, &p, &n);
	if (e == ERR_OK) {
		paint_closing(&p, &n, summary);
		e = paint_status(&p);
	}
	if (e == ERR_OK && fflush(to) != 0)
		e = ERR_IO;
	paint_fini(&p);
	return e;
}

const struct report table_report = {
	.name = "table",
	.help = "for people: sorted by time left, problems at a glance",
	.write = table_write,
};
