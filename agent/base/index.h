/* A hash index over an array that the caller keeps: finds the position of an item by its hash and the
 * caller's idea of equality. */
#ifndef LEAFWATCH_BASE_INDEX_H
#define LEAFWATCH_BASE_INDEX_H

#include "agent/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct index_slot {
	uint64_t hash;
	uint32_t item; /* position + 1; 0 = free */
};

/* Starts as {0}. */
struct index {
	struct index_slot *slots; /* owned */
	size_t slots_count;       /* a power of two */
	size_t count;
};

/* Is the item at `at` the one with `key`? */
typedef bool (*index_equal_fn)(const void *items, uint32_t at, const void *key);

void index_fini(struct index *i);
/* FNV-1a over bytes: for texts from strangers only where a slow day for them is the worst of it. */
uint64_t index_hash(const void *bytes, size_t size);
/* Its position; false when there is none. */
bool index_find(const struct index *i, uint64_t hash, index_equal_fn equal, const void *items,
	const void *key, uint32_t *out);
/* Adds a position that is not there. */
enum err index_add(struct index *i, uint64_t hash, uint32_t at) MUST_CHECK;

#endif
