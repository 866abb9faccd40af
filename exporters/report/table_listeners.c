/* The table's listeners: what this host serves, which process serves it, and what speaks no TLS. */
#include "exporters/report/listening.h"
#include "exporters/report/table_parts.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define CELL_BYTES_MAX ((size_t)2 * RECORD_TEXT_BYTES_MAX)
/* From this width on there is room for unit and protocol. */
#define WIDTH_WITH_UNIT 100
/* More sockets without TLS than this are only counted unless all are wanted. */
#define PLAIN_SHOWN 12
#define WORDS_BYTES 192

static void paint_rows(const struct listening_rows *rows, struct paint *p)
{
	struct column columns[LISTENING_CELLS] = {
		[LISTENING_PLACE] = { .title = "LISTENING HERE",
			.minimum = 16,
			.cut = CELLS_CUT_MIDDLE },
		[LISTENING_PROCESS] = { .title = "PROCESS", .minimum = 12 },
		[LISTENING_UNIT] = { .title = "UNIT", .minimum = 12 },
		[LISTENING_PROTOCOL] = { .title = "PROTOCOL", .minimum = 6 },
		[LISTENING_CLIENT] = { .title = "CLIENT CERT", .minimum = 8 },
		[LISTENING_CERTIFICATE] = { .title = "CERTIFICATE", .minimum = 14 },
		[LISTENING_LEFT] = { .title = "LEFT", .is_right = true },
		[LISTENING_PROBLEMS] = { .title = "PROBLEMS", .minimum = 12 },
	};
	bool has_unit = !p->options->width || p->options->width >= WIDTH_WITH_UNIT;

	for (size_t i = 0; i < rows->count; i++)
		for (size_t c = 0; c < LISTENING_CELLS; c++)
			if ((c != LISTENING_UNIT && c != LISTENING_PROTOCOL) || has_unit)
				column_hold(&columns[c], rows->items[i].cells[c]);
	(void)columns_fit(columns, LISTENING_CELLS, 0, p->options);
	paint_titles(p, columns, LISTENING_CELLS);
	for (size_t i = 0; i < rows->count; i++) {
		const struct listening_row *r = &rows->items[i];
		enum ink of_status = r->has_certificate ? ink_of_status(r->status) : INK_DIM;
		const enum ink inks[LISTENING_CELLS] = {
			[LISTENING_UNIT] = INK_DIM,
			[LISTENING_PROTOCOL] = INK_DIM,
			[LISTENING_CLIENT] = strcmp(r->cells[LISTENING_CLIENT], "required") == 0
						     ? INK_BOLD
						     : INK_DIM,
			[LISTENING_LEFT] = of_status,
			[LISTENING_PROBLEMS] = r->is_answer_bad         ? INK_YELLOW
					       : of_status == INK_GREEN ? INK_YELLOW
									: of_status,
		};

		for (size_t c = 0; c < LISTENING_CELLS; c++)
			paint_cell(p, &columns[c], r->cells[c], inks[c]);
		paint_end(p);
	}
}

/* Words after each other, on a new line where they would pass the terminal's edge. */
static void paint_words(struct paint *p, size_t *used, const char *words, enum ink ink)
{
	size_t cells = cells_of(words);

	if (*used && p->options->width && *used + 1 + cells > p->options->width) {
		paint_end(p);
		*used = 0;
	}
	paint_format(p, ink, "%s%s", *used ? " " : "", words);
	*used += cells + (*used != 0);
}

/* Each sentence once, after the places that it is about: one process serves at several. */
static void paint_message(const struct listening_rows *rows, size_t first, struct paint *p)
{
	const char *message = rows->items[first].message;
	char *words = strdup(message);
	char *rest = words;
	size_t used = 0;

	for (size_t i = first; i < rows->count; i++) {
		struct buffer place;

		if (!rows->items[i].message || strcmp(rows->items[i].message, message) != 0)
			continue;
		buffer_init(&place, CELL_BYTES_MAX);
		buffer_format(&place, "%s:", rows->items[i].cells[LISTENING_PLACE]);
		paint_words(p, &used, buffer_string(&place), INK_PLAIN);
		buffer_fini(&place);
	}
	for (char *word; (word = strsep(&rest, " "));)
		paint_words(p, &used, word, INK_YELLOW);
	paint_note(p, words ? ERR_OK : ERR_MEMORY);
	paint_end(p);
	free(words);
}

static void paint_messages(const struct listening_rows *rows, struct paint *p)
{
	for (size_t i = 0; i < rows->count; i++) {
		bool is_said = !rows->items[i].message;

		for (size_t n = 0; !is_said && n < i; n++)
			is_said = rows->items[n].message &&
				  strcmp(rows->items[n].message, rows->items[i].message) == 0;
		if (!is_said)
			paint_message(rows, i, p);
	}
}

static void paint_plain(
	struct paint *p, size_t *used, const struct listening_plain *plain, bool is_last)
{
	char words[WORDS_BYTES];

	(void)snprintf(words, sizeof(words), "%u%s%s%s%s%s%s%s", (unsigned)plain->port,
		plain->is_datagram ? "/udp" : "", *plain->name ? " " : "", plain->name,
		*plain->unit ? " (" : "", plain->unit, *plain->unit ? ")" : "", is_last ? "" : ",");
	paint_words(p, used, words, INK_DIM);
}

/* "9 listening sockets speak no TLS: 22 sshd, 53 unbound" */
static void paint_plains(const struct listening_plains *plains, struct paint *p)
{
	size_t shown =
		!p->options->all && plains->count > PLAIN_SHOWN + 1 ? PLAIN_SHOWN : plains->count;
	char words[WORDS_BYTES];
	size_t used = 0;

	if (!plains->count)
		return;
	(void)snprintf(words, sizeof(words), "%zu listening %s no TLS%s:", plains->sockets,
		plains->sockets == 1 ? "socket speaks" : "sockets speak",
		plains->datagrams ? ", or were not asked (UDP)" : "");
	paint_words(p, &used, words, INK_DIM);
	for (size_t i = 0; i < shown; i++)
		paint_plain(p, &used, &plains->items[i], i + 1 == plains->count);
	if (shown < plains->count) {
		(void)snprintf(words, sizeof(words), "and %zu more (--all lists them)",
			plains->count - shown);
		paint_words(p, &used, words, INK_DIM);
	}
	if (plains->unreachable) {
		(void)snprintf(
			words, sizeof(words), "(%zu could not be reached)", plains->unreachable);
		paint_words(p, &used, words, INK_DIM);
	}
	paint_end(p);
}

enum err table_listeners(const struct view *v, struct paint *p, struct table_counts *n)
{
	struct listening l;
	enum err e = listening_collect(v, &l);

	if (e == ERR_OK && (l.rows.count || l.plains.count)) {
		if (n->places || n->endpoints)
			paint_end(p);
		if (l.rows.count) {
			paint_rows(&l.rows, p);
			paint_messages(&l.rows, p);
		}
		paint_plains(&l.plains, p);
		e = paint_status(p);
	}
	n->listeners = l.rows.count;
	n->plain_listeners = l.plains.sockets;
	listening_fini(&l);
	return e;
}
