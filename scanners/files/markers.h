/* Many short strings searched for at once. */
#ifndef LEAFWATCH_SCANNERS_FILES_MARKERS_H
#define LEAFWATCH_SCANNERS_FILES_MARKERS_H

#include "agent/base/err.h"
#include "agent/base/slice.h"

#include <stdint.h>

#define MARKERS_MAX 32
#define MARKER_BYTES_MAX 64
#define MARKER_HASH_BITS 12

/* The tables of Wu and Manber ("A fast algorithm for multi-pattern searching", 1994) over pairs of
 * bytes: how far the window may move, by the pair that ends it. */
struct markers {
	struct slice items[MARKERS_MAX]; /* borrowed */
	unsigned count;
	unsigned shortest; /* bytes; windows have this size */
	unsigned longest;
	uint8_t shift[1 << MARKER_HASH_BITS];
};

/* Starts an empty set. */
void markers_init(struct markers *m);
/* Adds one of 2 to MARKER_BYTES_MAX bytes, once. ERR_LIMIT when it is shorter or longer, or there is
 * no room. */
enum err markers_add(struct markers *m, struct slice marker) MUST_CHECK;
/* The place of the first of them in `text`, and which; -1 when there is none. */
int64_t markers_find(const struct markers *m, struct slice text, unsigned *which);

#endif
