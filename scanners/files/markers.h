/* A few short strings searched for at once. */
#ifndef LEAFWATCH_SCANNERS_FILES_MARKERS_H
#define LEAFWATCH_SCANNERS_FILES_MARKERS_H

#include "agent/base/err.h"
#include "agent/base/slice.h"

#include <stdint.h>

/* Each costs two comparisons a block. */
#define MARKERS_MAX 16
#define MARKER_BYTES_MAX 64

struct marker {
	struct slice bytes; /* borrowed */
	size_t pair;        /* where in it two neighbours stand that are rare in text */
};

struct markers {
	struct marker items[MARKERS_MAX];
	unsigned count;
	size_t longest;
};

/* Starts an empty set. */
void markers_init(struct markers *m);
/* Adds one of 2 to MARKER_BYTES_MAX bytes, once. ERR_LIMIT when it is shorter or longer, or there is
 * no room. */
enum err markers_add(struct markers *m, struct slice marker) MUST_CHECK;
/* The place of the first of them in `text`, and which; -1 when there is none. */
int64_t markers_find(const struct markers *m, struct slice text, unsigned *which);

#endif
