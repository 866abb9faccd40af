/* A keyed permutation: a Feistel network over the next even power of two, walked until it lands inside
 * the wanted size (Black and Rogaway, "Ciphers with Arbitrary Finite Domains", 2002). */
#include "scanners/network/shuffle.h"

/* SplitMix64 (Steele, Lea and Flood, 2014). */
static uint64_t mix(uint64_t x)
{
	x += UINT64_C(0x9e3779b97f4a7c15);
	x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
	return x ^ (x >> 31);
}

void shuffle_init(struct shuffle *s, uint64_t size, uint64_t seed)
{
	s->size = size;
	s->half = 1;
	while ((UINT64_C(1) << (2 * s->half)) < size)
		s->half++;
	for (unsigned i = 0; i < SHUFFLE_ROUNDS; i++)
		s->keys[i] = mix(seed + i * UINT64_C(0x632be59bd9b4e019));
}

static uint64_t permute(const struct shuffle *s, uint64_t n)
{
	const uint64_t mask = (UINT64_C(1) << s->half) - 1;
	uint64_t left = n >> s->half;
	uint64_t right = n & mask;

	for (unsigned i = 0; i < SHUFFLE_ROUNDS; i++) {
		uint64_t next = left ^ (mix(right ^ s->keys[i]) & mask);

		left = right;
		right = next;
	}
	return left << s->half | right;
}

uint64_t shuffle_at(const struct shuffle *s, uint64_t n)
{
	/* Less than four times as many as wanted, and a walk in a cycle comes back: it ends. */
	do {
		n = permute(s, n);
	} while (n >= s->size);
	return n;
}
