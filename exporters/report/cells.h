/* Text in a terminal: how many cells it takes, and how it is made to fit. Text is clean UTF-8. */
#ifndef LEAFWATCH_EXPORTERS_REPORT_CELLS_H
#define LEAFWATCH_EXPORTERS_REPORT_CELLS_H

#include "agent/base/buffer.h"

#include <stddef.h>

enum cells_cut { CELLS_CUT_END, CELLS_CUT_MIDDLE };

/* Cells of a text: wide East Asian characters and emoji take two, combining marks none. */
size_t cells_of(const char *text);
/* Appends `text`, shortened with an ellipsis to `width` cells where it is wider. Returns the cells
 * written, at most `width`. */
size_t cells_fit(struct buffer *out, const char *text, size_t width, enum cells_cut cut);
/* Appends `count` blanks. */
void cells_blank(struct buffer *out, size_t count);

#endif
