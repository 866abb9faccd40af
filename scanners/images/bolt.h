/* A bbolt database as bytes, in which containerd keeps what it knows: every value with the buckets that it lies in.
 * Hostile: nothing outside of the bytes is read, and the work is bounded by their number. */
#ifndef LEAFWATCH_SCANNERS_IMAGES_BOLT_H
#define LEAFWATCH_SCANNERS_IMAGES_BOLT_H

#include "agent/base/slice.h"

#include <stdbool.h>

#define BOLT_DEPTH_MAX 8

struct bolt_place {
	struct slice buckets[BOLT_DEPTH_MAX]; /* names, from the outermost on */
	unsigned depth;
};

/* False ends it. */
typedef bool (*bolt_value_fn)(
	void *arg, const struct bolt_place *place, struct slice key, struct slice value);

/* False for what is not such a database, or damaged: what was found before was told. */
bool bolt_values(struct slice file, bolt_value_fn tell, void *arg);
/* Is the bucket of that number (0 = the outermost) called so? */
bool bolt_is_bucket(const struct bolt_place *place, unsigned number, const char *name);

#endif
