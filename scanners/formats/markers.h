/* A few short strings searched for at once. */
#ifndef LEAFWATCH_SCANNERS_FORMATS_MARKERS_H
#define LEAFWATCH_SCANNERS_FORMATS_MARKERS_H

#include "agent/base/err.h"
#include "agent/base/slice.h"

#include <stdint.h>

#define MARKERS_MAX 64 /* bits of members[] */
#define MARKER_BYTES_MIN 4
#define MARKER_BYTES_MAX 64
#define MARKER_WINDOW_BYTES 5
#define MARKER_BUCKETS 8 /* bits of a byte */

struct marker {
	struct slice bytes; /* borrowed */
	size_t window;      /* where its window begins; a short marker's ends early */
	uint32_t key;       /* the window's first bytes as they lie in memory */
};

/* How many places of a text are looked at together. */
enum markers_width { MARKERS_BY_1, MARKERS_BY_32, MARKERS_BY_64 };

struct markers {
	struct marker items[MARKERS_MAX];
	unsigned count;
	enum markers_width width; /* markers_prepare sets it to what the processor can */
	size_t longest;
	size_t lead;                      /* bytes at most of a marker before its window */
	uint64_t members[MARKER_BUCKETS]; /* marker i as bit i */
	/* Of the n-th byte of a window, by its lower and by its upper half: in which buckets it may be. */
	uint8_t low_halves[MARKER_WINDOW_BYTES][16];
	uint8_t high_halves[MARKER_WINDOW_BYTES][16];
};

/* Starts an empty set. */
void markers_init(struct markers *m);
/* Adds one of MARKER_BYTES_MIN to MARKER_BYTES_MAX bytes, once. ERR_LIMIT when it is shorter or longer, or there is
 * no room. */
enum err markers_add(struct markers *m, struct slice marker) MUST_CHECK;
/* The most that this processor can. */
enum markers_width markers_widest(void);
/* To be called once, between the last one added and the first search. */
void markers_prepare(struct markers *m);
/* The place of the first of them in `text`, and which; -1 when there is none. */
int64_t markers_find(const struct markers *m, struct slice text, unsigned *which);
/* Which of them stand in `text`: marker i as bit i. */
uint64_t markers_in(const struct markers *m, struct slice text);

#endif
