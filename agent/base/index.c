/* A hash index with open addressing. */
#include "agent/base/index.h"

#include <stdlib.h>

#define FIRST_SLOTS 64
#define FNV_OFFSET UINT64_C(14695981039346656037)
#define FNV_PRIME UINT64_C(1099511628211)

void index_fini(struct index *i)
{
	free(i->slots);
	*i = (struct index){ 0 };
}

uint64_t index_hash(const void *bytes, size_t size)
{
	const uint8_t *at = bytes;
	uint64_t hash = FNV_OFFSET;

	for (size_t n = 0; n < size; n++)
		hash = (hash ^ at[n]) * FNV_PRIME;
	return hash;
}

bool index_find(const struct index *i, uint64_t hash, index_equal_fn equal, const void *items,
	const void *key, uint32_t *out)
{
	size_t at;

	if (!i->slots_count)
		return false;
	for (at = hash & (i->slots_count - 1); i->slots[at].item;
		at = (at + 1) & (i->slots_count - 1)) {
		if (i->slots[at].hash != hash || !equal(items, i->slots[at].item - 1, key))
			continue;
		*out = i->slots[at].item - 1;
		return true;
	}
	return false;
}

static void put(struct index_slot *slots, size_t count, struct index_slot slot)
{
	size_t at = slot.hash & (count - 1);

	while (slots[at].item)
		at = (at + 1) & (count - 1);
	slots[at] = slot;
}

static enum err grow(struct index *i)
{
	size_t count = i->slots_count ? i->slots_count * 2 : FIRST_SLOTS;
	struct index_slot *slots = calloc(count, sizeof(*slots));

	if (!slots)
		return ERR_MEMORY;
	for (size_t n = 0; n < i->slots_count; n++)
		if (i->slots[n].item)
			put(slots, count, i->slots[n]);
	free(i->slots);
	i->slots = slots;
	i->slots_count = count;
	return ERR_OK;
}

enum err index_add(struct index *i, uint64_t hash, uint32_t at)
{
	if (at == UINT32_MAX)
		return ERR_LIMIT;
	if (2 * (i->count + 1) > i->slots_count) {
		enum err e = grow(i);

		if (e != ERR_OK)
			return e;
	}
	put(i->slots, i->slots_count, (struct index_slot){ hash, at + 1 });
	i->count++;
	return ERR_OK;
}
