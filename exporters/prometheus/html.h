/* What strangers say, in HTML. */
#ifndef LEAFWATCH_EXPORTERS_PROMETHEUS_HTML_H
#define LEAFWATCH_EXPORTERS_PROMETHEUS_HTML_H

#include "agent/base/buffer.h"

#include <stdint.h>

/* Text of strangers: clean, short, nothing that HTML could take for markup. */
void html_text(struct buffer *out, const char *text);
/* A table's cell with a time, "never" for TIME_UNKNOWN. */
void html_time(struct buffer *out, int64_t t);

#endif
