/* Lines of a table for people. */
#include "exporters/report/paint.h"

#include <stdarg.h>

#define LINE_BYTES_MAX ((size_t)1024 * 1024)
#define GAP_CELLS 2
/* Below its minimum a column still shows this much when the terminal is very narrow. */
#define LEAST_CELLS 6

static const char *const codes[] = {
	[INK_PLAIN] = "",
	[INK_DIM] = "\033[2m",
	[INK_BOLD] = "\033[1m",
	[INK_GREEN] = "\033[32m",
	[INK_YELLOW] = "\033[33m",
	[INK_RED] = "\033[31m",
	[INK_ALARM] = "\033[1;31m",
};

void paint_init(struct paint *p, FILE *to, const struct report_options *options)
{
	*p = (struct paint){ .to = to, .options = options };
	buffer_init(&p->line, LINE_BYTES_MAX);
}

void paint_fini(struct paint *p)
{
	buffer_fini(&p->line);
}

static void start_ink(struct paint *p, enum ink ink)
{
	cells_blank(&p->line, p->owed);
	p->owed = 0;
	if (p->options->color && ink != INK_PLAIN)
		buffer_text(&p->line, codes[ink]);
}

static void end_ink(struct paint *p, enum ink ink)
{
	if (p->options->color && ink != INK_PLAIN)
		buffer_text(&p->line, "\033[0m");
}

void paint_text(struct paint *p, const char *text, enum ink ink)
{
	if (!*text)
		return;
	start_ink(p, ink);
	buffer_text(&p->line, text);
	end_ink(p, ink);
}

void paint_format(struct paint *p, enum ink ink, const char *format, ...)
{
	char text[256];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	paint_text(p, text, ink);
}

void paint_note(struct paint *p, enum err e)
{
	if (p->status == ERR_OK)
		p->status = e;
}

void paint_end(struct paint *p)
{
	p->owed = 0;
	buffer_byte(&p->line, '\n');
	paint_note(p, buffer_status(&p->line));
	if (p->status == ERR_OK && fwrite(p->line.data, 1, p->line.size, p->to) != p->line.size)
		paint_note(p, ERR_IO);
	buffer_clear(&p->line);
}

enum err paint_status(const struct paint *p)
{
	return p->status;
}

void column_hold(struct column *c, const char *text)
{
	size_t cells = cells_of(text);

	if (cells > c->natural)
		c->natural = cells;
}

static size_t total_cells(const struct column *columns, size_t count)
{
	size_t total = 0;

	for (size_t i = 0; i < count; i++)
		if (columns[i].natural)
			total += columns[i].width + (total ? GAP_CELLS : 0);
	return total;
}

static struct column *widest_above(struct column *columns, size_t count, bool is_desperate)
{
	struct column *found = NULL;

	for (size_t i = 0; i < count; i++) {
		struct column *c = &columns[i];
		size_t least = is_desperate ? LEAST_CELLS : c->minimum;

		if (c->natural && c->minimum && c->width > least &&
			(!found || c->width > found->width))
			found = c;
	}
	return found;
}

bool columns_fit(
	struct column *columns, size_t count, size_t indent, const struct report_options *o)
{
	size_t room = o->width > indent ? o->width - indent : 1;
	size_t total;

	for (size_t i = 0; i < count; i++) {
		struct column *c = &columns[i];

		c->width = c->natural;
		if (c->natural && cells_of(c->title) > c->width)
			c->width = cells_of(c->title);
	}
	total = total_cells(columns, count);
	if (!o->width || total <= room)
		return true;
	for (; total > room; total--) {
		struct column *c = widest_above(columns, count, false);

		if (!c)
			c = widest_above(columns, count, true);
		if (!c)
			break;
		c->width--;
	}
	return false;
}

void paint_cell(struct paint *p, const struct column *c, const char *text, enum ink ink)
{
	size_t cells = cells_of(text);
	size_t spare = cells < c->width ? c->width - cells : 0;

	if (!c->natural)
		return;
	if (c->is_right)
		p->owed += spare;
	if (*text) {
		start_ink(p, ink);
		cells = cells_fit(&p->line, text, c->width, c->cut);
		end_ink(p, ink);
		/* A wide character that did not fit leaves one cell more. */
		spare = c->width - cells;
	}
	p->owed += GAP_CELLS;
	if (!c->is_right)
		p->owed += spare;
}

void paint_titles(struct paint *p, const struct column *columns, size_t count)
{
	for (size_t i = 0; i < count; i++)
		paint_cell(p, &columns[i], columns[i].title, INK_BOLD);
	paint_end(p);
}

enum ink ink_of_status(enum status s)
{
	static const enum ink inks[STATUS_COUNT] = {
		[STATUS_OK] = INK_GREEN,
		[STATUS_WARNING] = INK_YELLOW,
		[STATUS_CRITICAL] = INK_RED,
		[STATUS_EXPIRED] = INK_ALARM,
		[STATUS_BROKEN] = INK_ALARM,
		[STATUS_UNCHECKED] = INK_DIM,
	};

	return s < STATUS_COUNT ? inks[s] : INK_PLAIN;
}
