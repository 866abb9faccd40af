/* Certificates that GnuTLS took before: sets of four, the oldest of a set makes way. */
#include "agent/certificate/known.h"

#include <stdlib.h>
#include <string.h>

#define WAYS 4

struct set {
	struct known entries[WAYS];
	unsigned used; /* entries filled */
	unsigned next; /* the entry to be overwritten */
};

struct known_certificates {
	size_t sets_count;
	struct set *sets; /* owned */
};

enum err known_certificates_new(size_t entries_max, struct known_certificates **out)
{
	struct known_certificates *k = calloc(1, sizeof(*k));

	if (!k)
		return ERR_MEMORY;
	k->sets_count = entries_max / WAYS ? entries_max / WAYS : 1;
	/* Untouched pages of a large calloc cost nothing. */
	k->sets = calloc(k->sets_count, sizeof(*k->sets));
	if (!k->sets) {
		free(k);
		return ERR_MEMORY;
	}
	*out = k;
	return ERR_OK;
}

void known_certificates_free(struct known_certificates *k)
{
	if (!k)
		return;
	free(k->sets);
	free(k);
}

/* Fingerprints are SHA-256, so any of their bytes will do as a hash. */
static struct set *set_of(
	const struct known_certificates *k, const uint8_t fingerprint[FINGERPRINT_BYTES])
{
	uint64_t number;

	memcpy(&number, fingerprint, sizeof(number));
	return &k->sets[number % k->sets_count];
}

const struct known *known_find(
	const struct known_certificates *k, const uint8_t fingerprint[FINGERPRINT_BYTES])
{
	const struct set *s = set_of(k, fingerprint);

	for (size_t i = 0; i < s->used; i++)
		if (memcmp(s->entries[i].fingerprint, fingerprint, FINGERPRINT_BYTES) == 0)
			return &s->entries[i];
	return NULL;
}

void known_put(struct known_certificates *k, const struct known *what)
{
	struct set *s = set_of(k, what->fingerprint);

	s->entries[s->next] = *what;
	s->next = (s->next + 1) % WAYS;
	if (s->used < WAYS)
		s->used++;
}
