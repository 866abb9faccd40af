/* An order of the numbers below some size in which neighbours lie far apart, computed and not stored. */
#ifndef LEAFWATCH_SCANNERS_NETWORK_SHUFFLE_H
#define LEAFWATCH_SCANNERS_NETWORK_SHUFFLE_H

#include <stdint.h>

#define SHUFFLE_ROUNDS 4
#define SHUFFLE_SIZE_MAX (UINT64_C(1) << 62)

struct shuffle {
	uint64_t size;
	unsigned half; /* bits */
	uint64_t keys[SHUFFLE_ROUNDS];
};

/* `size` is 1 to SHUFFLE_SIZE_MAX. The same seed gives the same order. */
void shuffle_init(struct shuffle *s, uint64_t size, uint64_t seed);
/* The number at place `n` < size; each number has one place. */
uint64_t shuffle_at(const struct shuffle *s, uint64_t n);

#endif
