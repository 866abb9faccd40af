/* When each address may be connected to again. An address whose time has come is forgotten. */
#include "scanners/network/pace.h"

#include <stdlib.h>

#define BUCKETS 1024 /* a power of two */
#define SECOND_MS 1000

struct step {
	struct step *next; /* in its bucket */
	union address address;
	int64_t free_ms; /* from then on */
};

struct pace {
	struct step *buckets[BUCKETS]; /* owned */
	int64_t interval_ms;
	size_t count;
	size_t sweep; /* the bucket that is swept next */
};

struct pace *pace_new(unsigned rate, unsigned processes)
{
	struct pace *p = calloc(1, sizeof(*p));
	unsigned share = processes ? rate / processes : rate;

	if (!p)
		return NULL;
	if (!share)
		share = 1;
	/* Rounded up: one too many in a second is what must not be. */
	p->interval_ms = (SECOND_MS + share - 1) / share;
	return p;
}

void pace_free(struct pace *p)
{
	for (size_t i = 0; p && i < BUCKETS; i++)
		while (p->buckets[i]) {
			struct step *step = p->buckets[i];

			p->buckets[i] = step->next;
			free(step);
		}
	free(p);
}

size_t pace_count(const struct pace *p)
{
	return p->count;
}

static struct step **bucket_of(struct pace *p, const union address *a)
{
	return &p->buckets[address_hash(a) & (BUCKETS - 1)];
}

/* Forgets those of a bucket whose time has come. */
static void sweep(struct pace *p, struct step **at, int64_t now_ms)
{
	while (*at) {
		struct step *step = *at;

		if (step->free_ms > now_ms) {
			at = &step->next;
			continue;
		}
		*at = step->next;
		free(step);
		p->count--;
	}
}

int64_t pace_wait_ms(struct pace *p, const union address *a, int64_t now_ms)
{
	struct step **bucket = bucket_of(p, a);
	struct step *step;

	sweep(p, bucket, now_ms);
	/* And one that nobody may come to again. */
	sweep(p, &p->buckets[p->sweep++ & (BUCKETS - 1)], now_ms);
	for (step = *bucket; step; step = step->next)
		if (address_equal(&step->address, a))
			return step->free_ms - now_ms;
	step = calloc(1, sizeof(*step));
	if (!step)
		return 0;
	step->address = *a;
	step->free_ms = now_ms + p->interval_ms;
	step->next = *bucket;
	*bucket = step;
	p->count++;
	return 0;
}
