/* A few short strings searched for at once. */
#ifndef LEAFWATCH_SCANNERS_FILES_MARKERS_H
#define LEAFWATCH_SCANNERS_FILES_MARKERS_H

#include "agent/base/err.h"
#include "agent/base/slice.h"

#include <stdint.h>

#define MARKERS_MAX 64 /* bits of starting[] */
#define MARKER_CORE_BYTES 4
#define MARKER_BYTES_MAX 64

struct marker {
	struct slice bytes; /* borrowed */
};

struct markers {
	struct marker items[MARKERS_MAX];
	unsigned count;
	size_t longest;
	/* Four bytes each, one of which is in every marker. A core costs a block of text as much as any other,
	 * however many markers share it. */
	uint8_t cores[MARKERS_MAX][MARKER_CORE_BYTES];
	unsigned cores_count;
	uint64_t core_starting[256]; /* by first byte: the cores that begin with it */
	/* Of the n-th byte of a core, by its lower and by its upper half: which cores, core i as bit i % 8. */
	uint8_t low_halves[MARKER_CORE_BYTES][16];
	uint8_t high_halves[MARKER_CORE_BYTES][16];
	size_t lead;            /* bytes at most of a marker before its core */
	uint64_t starting[256]; /* by first byte: the markers that begin with it */
};

/* Starts an empty set. */
void markers_init(struct markers *m);
/* Adds one of MARKER_CORE_BYTES to MARKER_BYTES_MAX bytes, once. ERR_LIMIT when it is shorter or longer, or there is
 * no room. */
enum err markers_add(struct markers *m, struct slice marker) MUST_CHECK;
/* To be called once, between the last one added and the first search. */
void markers_prepare(struct markers *m);
/* The place of the first of them in `text`, and which; -1 when there is none. */
int64_t markers_find(const struct markers *m, struct slice text, unsigned *which);

#endif
