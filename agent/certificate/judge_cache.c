/* What was verified before: sets of four, the oldest of a set makes way. */
#include "agent/certificate/judge_cache.h"

#include "agent/certificate/judge.h"

#include <stdlib.h>
#include <string.h>

#define WAYS 4

struct entry {
	bool is_used;
	uint8_t key[FINGERPRINT_BYTES];
	struct judged judged;
};

struct set {
	struct entry entries[WAYS];
	unsigned next; /* the entry to be overwritten */
};

struct judge_cache {
	size_t sets_count;
	struct set *sets;                   /* owned */
	struct signature_cache *signatures; /* owned */
};

enum err judge_cache_new(size_t entries_max, struct judge_cache **out)
{
	struct judge_cache *c = calloc(1, sizeof(*c));

	if (!c)
		return ERR_MEMORY;
	c->sets_count = entries_max / WAYS ? entries_max / WAYS : 1;
	/* Untouched pages of a large calloc cost nothing. */
	c->sets = calloc(c->sets_count, sizeof(*c->sets));
	c->signatures = signature_cache_new(entries_max);
	if (!c->sets || !c->signatures) {
		judge_cache_free(c);
		return ERR_MEMORY;
	}
	*out = c;
	return ERR_OK;
}

void judge_cache_free(struct judge_cache *c)
{
	if (!c)
		return;
	signature_cache_free(c->signatures);
	free(c->sets);
	free(c);
}

struct signature_cache *judge_cache_signatures(const struct judge_cache *c)
{
	return c ? c->signatures : NULL;
}

/* Keys are SHA-256, so any of their bytes will do as a hash. */
static struct set *set_of(const struct judge_cache *c, const uint8_t key[FINGERPRINT_BYTES])
{
	uint64_t number;

	memcpy(&number, key, sizeof(number));
	return &c->sets[number % c->sets_count];
}

const struct judged *judge_cache_find(
	const struct judge_cache *c, const uint8_t key[FINGERPRINT_BYTES])
{
	const struct set *s = set_of(c, key);

	for (size_t i = 0; i < WAYS; i++)
		if (s->entries[i].is_used && memcmp(s->entries[i].key, key, FINGERPRINT_BYTES) == 0)
			return &s->entries[i].judged;
	return NULL;
}

void judge_cache_put(
	struct judge_cache *c, const uint8_t key[FINGERPRINT_BYTES], const struct judged *what)
{
	struct set *s = set_of(c, key);
	struct entry *e = &s->entries[s->next];

	s->next = (s->next + 1) % WAYS;
	e->is_used = true;
	memcpy(e->key, key, FINGERPRINT_BYTES);
	e->judged = *what;
}
