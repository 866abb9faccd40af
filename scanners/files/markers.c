/* Many short strings searched for at once. */
#include "scanners/files/markers.h"

#include <stdbool.h>
#include <string.h>

static unsigned pair_hash(const uint8_t *p)
{
	return (((unsigned)p[0] << 5) ^ p[1]) & ((1U << MARKER_HASH_BITS) - 1);
}

void markers_init(struct markers *m)
{
	memset(m, 0, sizeof(*m));
}

static void fill_shifts(struct markers *m)
{
	memset(m->shift, (int)(m->shortest - 1), sizeof(m->shift));
	for (unsigned i = 0; i < m->count; i++) {
		for (unsigned at = 0; at + 2 <= m->shortest; at++) {
			uint8_t *s = &m->shift[pair_hash(m->items[i].data + at)];
			uint8_t left = (uint8_t)(m->shortest - 2 - at);

			if (left < *s)
				*s = left;
		}
	}
}

enum err markers_add(struct markers *m, struct slice marker)
{
	for (unsigned i = 0; i < m->count; i++)
		if (m->items[i].size == marker.size &&
			memcmp(m->items[i].data, marker.data, marker.size) == 0)
			return ERR_OK;
	if (marker.size < 2 || marker.size > MARKER_BYTES_MAX || m->count == MARKERS_MAX)
		return ERR_LIMIT;
	m->items[m->count++] = marker;
	if (m->count == 1 || marker.size < m->shortest)
		m->shortest = (unsigned)marker.size;
	if (marker.size > m->longest)
		m->longest = (unsigned)marker.size;
	fill_shifts(m);
	return ERR_OK;
}

static bool is_at(const struct markers *m, struct slice text, unsigned *which)
{
	for (unsigned i = 0; i < m->count; i++) {
		if (slice_starts(text, m->items[i].data, m->items[i].size)) {
			*which = i;
			return true;
		}
	}
	return false;
}

int64_t markers_find(const struct markers *m, struct slice text, unsigned *which)
{
	size_t end = m->shortest; /* of the window */

	if (m->count == 0)
		return -1;
	while (end <= text.size) {
		unsigned shift = m->shift[pair_hash(text.data + end - 2)];

		if (shift) {
			end += shift;
			continue;
		}
		if (is_at(m, slice_after(text, end - m->shortest), which))
			return (int64_t)(end - m->shortest);
		end++;
	}
	return -1;
}
