/* A few short strings searched for at once, a block of vector registers at a time: an algorithm that
 * skips (Boyer and Moore, Wu and Manber) waits for its table after each skip, and is slower on text. */
#include "scanners/files/markers.h"

#include <stdbool.h>
#include <string.h>

#define BLOCK_BYTES 64
#define REGISTER_BYTES 32

/* The widest registers that the processor has; the compiler makes two narrow ones of a wide one. */
#if defined(__x86_64__) && defined(__GLIBC__)
#define WIDEST __attribute__((target_clones("avx2", "default")))
#else
#define WIDEST
#endif

typedef uint8_t lane __attribute__((vector_size(REGISTER_BYTES)));
typedef uint64_t words __attribute__((vector_size(REGISTER_BYTES)));

void markers_init(struct markers *m)
{
	memset(m, 0, sizeof(*m));
}

/* Kinds of bytes; neighbours of different kinds are rare. */
static int kind_of(uint8_t c)
{
	if (c >= 'a' && c <= 'z')
		return 1;
	if (c >= 'A' && c <= 'Z')
		return 2;
	if (c >= '0' && c <= '9')
		return 3;
	return c == ' ' || c == '\n' ? 0 : 4;
}

static int rarity(uint8_t a, uint8_t b)
{
	int first = kind_of(a);
	int second = kind_of(b);

	if (first == 0 || second == 0)
		return 0;
	return first == second ? 1 : first + second;
}

static size_t rarest_pair(struct slice s)
{
	size_t best = 0;

	for (size_t i = 1; i + 1 < s.size; i++)
		if (rarity(s.data[i], s.data[i + 1]) > rarity(s.data[best], s.data[best + 1]))
			best = i;
	return best;
}

enum err markers_add(struct markers *m, struct slice marker)
{
	for (unsigned i = 0; i < m->count; i++)
		if (m->items[i].bytes.size == marker.size &&
			memcmp(m->items[i].bytes.data, marker.data, marker.size) == 0)
			return ERR_OK;
	if (marker.size < 2 || marker.size > MARKER_BYTES_MAX || m->count == MARKERS_MAX)
		return ERR_LIMIT;
	m->items[m->count++] = (struct marker){ .bytes = marker, .pair = rarest_pair(marker) };
	if (marker.size > m->longest)
		m->longest = marker.size;
	return ERR_OK;
}

/* Does some marker's pair stand in a block of places? The first such block at or behind `at`, or where
 * there is no room for a block any more. The loads reach at most one marker's length behind it. */
WIDEST static size_t skip_blocks(const struct markers *m, struct slice text, size_t at)
{
	for (; text.size - at >= BLOCK_BYTES + m->longest; at += BLOCK_BYTES) {
		lane any = { 0 };
		words w;

		for (unsigned i = 0; i < m->count; i++) {
			const uint8_t *pair = m->items[i].bytes.data + m->items[i].pair;
			const uint8_t *from = text.data + at + m->items[i].pair;
			lane block[4];

			memcpy(&block[0], from, sizeof(lane));
			memcpy(&block[1], from + 1, sizeof(lane));
			memcpy(&block[2], from + REGISTER_BYTES, sizeof(lane));
			memcpy(&block[3], from + REGISTER_BYTES + 1, sizeof(lane));
			any |= (lane)((block[0] == pair[0]) & (block[1] == pair[1]));
			any |= (lane)((block[2] == pair[0]) & (block[3] == pair[1]));
		}
		w = (words)any;
		if (w[0] | w[1] | w[2] | w[3])
			break;
	}
	return at;
}

static int64_t find_slowly(
	const struct markers *m, struct slice text, size_t from, size_t to, unsigned *which)
{
	for (; from < to; from++) {
		for (unsigned i = 0; i < m->count; i++) {
			struct slice marker = m->items[i].bytes;

			if (text.data[from] == marker.data[0] && text.size - from >= marker.size &&
				memcmp(text.data + from, marker.data, marker.size) == 0) {
				*which = i;
				return (int64_t)from;
			}
		}
	}
	return -1;
}

int64_t markers_find(const struct markers *m, struct slice text, unsigned *which)
{
	size_t at = 0;

	if (m->count == 0)
		return -1;
	for (;;) {
		size_t end;
		int64_t place;

		at = skip_blocks(m, text, at);
		end = text.size - at >= BLOCK_BYTES + m->longest ? at + BLOCK_BYTES : text.size;
		place = find_slowly(m, text, at, end, which);
		if (place >= 0 || end == text.size)
			return place;
		at = end;
	}
}
