/* Lines of a table for people: columns that fit a width, colours where they are wanted. */
#ifndef LEAFWATCH_EXPORTERS_REPORT_PAINT_H
#define LEAFWATCH_EXPORTERS_REPORT_PAINT_H

#include "agent/base/buffer.h"
#include "agent/certificate/record.h"
#include "exporters/report/cells.h"
#include "exporters/report/report.h"

#include <stdbool.h>
#include <stdio.h>

enum ink { INK_PLAIN, INK_DIM, INK_BOLD, INK_GREEN, INK_YELLOW, INK_RED, INK_ALARM };

struct paint {
	FILE *to;                             /* borrowed */
	const struct report_options *options; /* borrowed */
	struct buffer line;
	size_t owed;     /* blanks before the next text: a line never ends in blanks */
	enum err status; /* first failure: ERR_IO or ERR_MEMORY */
};

void paint_init(struct paint *p, FILE *to, const struct report_options *options);
void paint_fini(struct paint *p);
/* Appends text as it is. */
void paint_text(struct paint *p, const char *text, enum ink ink);
void paint_format(struct paint *p, enum ink ink, const char *format, ...) PRINTF_LIKE(3, 4);
/* Remembers a failure; ERR_OK is none. */
void paint_note(struct paint *p, enum err e);
/* Writes the line out. */
void paint_end(struct paint *p);
enum err paint_status(const struct paint *p) MUST_CHECK;

struct column {
	const char *title;
	size_t natural; /* cells of its widest text; 0 = nobody has any: not shown */
	size_t minimum; /* it may shrink to this; 0 = it does not shrink */
	enum cells_cut cut;
	bool is_right;
	size_t width; /* by columns_fit */
};

/* Makes room for `text` in the column. */
void column_hold(struct column *c, const char *text);
/* Sets the widths so that all columns with `indent` fit the options' width, shrinking the widest first.
 * True when none had to shrink. */
bool columns_fit(
	struct column *columns, size_t count, size_t indent, const struct report_options *o);
/* One cell and the gap after it; nothing for a column not shown. */
void paint_cell(struct paint *p, const struct column *c, const char *text, enum ink ink);
/* The titles, where any column is shown. */
void paint_titles(struct paint *p, const struct column *columns, size_t count);

enum ink ink_of_status(enum status s);

#endif
