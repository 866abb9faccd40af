/* A file whose password configurations say, as it crosses from the reader to the parser inside a FINDING_LOCKED:
 * where the password may be, and then the file. The reader parses none of it. */
#ifndef LEAFWATCH_SCANNERS_LOCKED_FINDING_H
#define LEAFWATCH_SCANNERS_LOCKED_FINDING_H

#include "agent/base/buffer.h"
#include "agent/base/slice.h"
#include "agent/base/wire.h"

#include <stdbool.h>

/* Of a file that holds passwords, one a line; a configuration has the limit for those. */
#define LOCKED_PASSWORDS_BYTES_MAX (1024 * 1024)

struct locked_source {
	bool is_configuration; /* else passwords, one a line */
	char *uri;             /* owned once it is decoded */
	struct slice bytes;    /* borrowed */
};

/* Appends one; all of them come before locked_content, behind which the file's bytes follow. */
void locked_source_encode(struct buffer *out, const struct locked_source *s);
void locked_content(struct buffer *out);
/* The next one; false where the content begins (w->left), or where the bytes are no good (w->bad). */
bool locked_source_next(struct wire *w, struct locked_source *out);

#endif
