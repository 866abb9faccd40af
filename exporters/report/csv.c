/* -o csv: one line a certificate (RFC 4180), safe to open in a spreadsheet. */
#include "agent/base/text.h"
#include "exporters/report/report.h"

#include <inttypes.h>
#include <string.h>

#define DAY_S 86400

struct csv {
	const struct view *view; /* borrowed */
	FILE *to;                /* borrowed */
	bool is_inside;          /* a cell of the line was written */
	bool is_broken;          /* a write failed */
};

static void put(struct csv *c, const char *text, size_t size)
{
	if (fwrite(text, 1, size, c->to) != size)
		c->is_broken = true;
}

static void separate(struct csv *c)
{
	if (c->is_inside)
		put(c, ",", 1);
	c->is_inside = true;
}

static void end_line(struct csv *c)
{
	put(c, "\r\n", 2);
	c->is_inside = false;
}

/* Text starting like a formula would run in a spreadsheet: an apostrophe makes it text there. */
static bool is_formula(const char *text)
{
	return *text && strchr("=+-@\t\r", *text);
}

static void cell(struct csv *c, const char *text)
{
	bool is_plain;

	separate(c);
	text = text ? text : "";
	is_plain = !text[strcspn(text, ",\"\r\n")];
	if (!is_plain)
		put(c, "\"", 1);
	if (is_formula(text))
		put(c, "'", 1);
	for (const char *at = text; *at;) {
		size_t run = strcspn(at, "\"");

		put(c, at, run);
		at += run;
		if (*at) {
			put(c, "\"\"", 2);
			at++;
		}
	}
	if (!is_plain)
		put(c, "\"", 1);
}

static void cell_number(struct csv *c, int64_t value)
{
	separate(c);
	if (fprintf(c->to, "%" PRId64, value) < 0)
		c->is_broken = true;
}

static void cell_time(struct csv *c, int64_t t)
{
	char text[TIME_TEXT_BYTES];

	time_rfc3339(t, text);
	cell(c, text);
}

static void cell_fingerprint(struct csv *c, const uint8_t bytes[FINGERPRINT_BYTES])
{
	char text[FINGERPRINT_TEXT_BYTES];

	text_hex(text, bytes, FINGERPRINT_BYTES);
	cell(c, text);
}

/* Several words in one cell, a blank between them. */
static enum err cell_strings(struct csv *c, const struct strings *s)
{
	struct buffer joined;
	enum err e;

	buffer_init(&joined, RECORD_BYTES_MAX);
	for (size_t i = 0; i < s->count; i++) {
		if (i)
			buffer_byte(&joined, ' ');
		buffer_text(&joined, s->items[i]);
	}
	e = buffer_status(&joined);
	if (e == ERR_OK)
		cell(c, buffer_string(&joined));
	buffer_fini(&joined);
	return e;
}

static void cell_problems(struct csv *c, uint32_t problems)
{
	bool is_first = true;

	separate(c);
	for (unsigned p = 0; p < PROBLEM_COUNT; p++) {
		const char *word = problem_word((enum problem)p);

		if (!(problems & PROBLEM_BIT(p)))
			continue;
		if (!is_first)
			put(c, " ", 1);
		put(c, word, strlen(word));
		is_first = false;
	}
}

static int64_t days(int64_t seconds)
{
	return seconds / DAY_S - (seconds % DAY_S < 0);
}

static enum err write_facts(struct csv *c, const struct certificate *f)
{
	enum err e;

	cell_time(c, f->not_before);
	cell_time(c, f->not_after);
	cell(c, f->subject);
	cell(c, f->issuer);
	cell(c, f->serial);
	e = cell_strings(c, &f->names);
	if (e != ERR_OK)
		return e;
	cell_fingerprint(c, f->fingerprint);
	cell(c, f->key_algorithm);
	if (f->key_bits)
		cell_number(c, f->key_bits);
	else
		cell(c, NULL);
	cell(c, f->signature_algorithm);
	cell(c, f->is_ca ? "true" : "false");
	e = cell_strings(c, &f->key_usage);
	return e == ERR_OK ? cell_strings(c, &f->extended_key_usage) : e;
}

static void write_place(struct csv *c, const struct sighting *s)
{
	const struct location *l = &s->record->location;

	cell(c, l->scanner);
	cell(c, l->uri);
	cell_number(c, l->index);
	cell(c, l->format);
	cell(c, l->alias);
	cell(c, l->integrity);
	cell_time(c, s->first_seen);
	cell_time(c, s->last_seen);
	cell_time(c, s->gone_at);
	cell(c, s->is_stale ? "true" : "false");
}

static enum err each(void *arg, const struct sighting *s)
{
	struct csv *c = arg;
	const struct certificate_record *r = &s->record->certificate;
	int64_t breaks = record_breaks(r);
	enum err e;

	cell(c, status_word(record_status_at(r, &c->view->thresholds, c->view->now)));
	if (breaks == TIME_UNKNOWN)
		cell(c, NULL);
	else
		cell_number(c, days(breaks - c->view->now));
	cell_problems(c, record_problems_at(r, c->view->now));
	cell_time(c, r->verdict.expires);
	e = write_facts(c, &r->facts);
	if (e != ERR_OK)
		return e;
	write_place(c, s);
	end_line(c);
	return c->is_broken ? ERR_IO : ERR_OK;
}

static enum err csv_write(const struct view *view, const struct report_options *options,
	const struct report_summary *summary, FILE *to)
{
	/* The order of each(). */
	static const char *const header[] = { "status", "days_left", "problems", "expires",
		"not_before", "not_after", "subject", "issuer", "serial", "names", "fingerprint",
		"key_algorithm", "key_bits", "signature_algorithm", "is_ca", "key_usage",
		"extended_key_usage", "scanner", "uri", "index", "format", "alias", "integrity",
		"first_seen", "last_seen", "gone", "stale" };
	struct csv c = { .view = view, .to = to };
	enum err e;

	(void)options;
	(void)summary;
	for (size_t i = 0; i < sizeof(header) / sizeof(header[0]); i++)
		cell(&c, header[i]);
	end_line(&c);
	e = c.is_broken ? ERR_IO : view->each_sighting(view->ctx, RECORD_CERTIFICATE, each, &c);
	if (e == ERR_OK && fflush(to) != 0)
		e = ERR_IO;
	return e;
}

const struct report csv_report = {
	.name = "csv",
	.help = "one line a certificate, with a header (RFC 4180)",
	.write = csv_write,
};
