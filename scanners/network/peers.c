/* A table of the addresses that are connected to just now. */
#include "scanners/network/peers.h"

#include <stdlib.h>
#include <string.h>

#define BUCKETS 4096 /* a power of two */

struct peer {
	struct peer *next; /* in its bucket */
	union address address;
	unsigned under_way;
	struct waiter *first; /* borrowed */
	struct waiter **last;
};

struct peers {
	struct peer *buckets[BUCKETS]; /* owned */
	size_t waiting;
};

struct peers *peers_new(void)
{
	return calloc(1, sizeof(struct peers));
}

void peers_free(struct peers *p, void (*drop)(struct waiter *))
{
	for (size_t i = 0; p && i < BUCKETS; i++)
		while (p->buckets[i]) {
			struct peer *peer = p->buckets[i];

			p->buckets[i] = peer->next;
			while (peer->first) {
				struct waiter *w = peer->first;

				peer->first = w->next;
				drop(w);
			}
			free(peer);
		}
	free(p);
}

size_t peers_waiting(const struct peers *p)
{
	return p->waiting;
}

static struct peer **bucket_of(struct peers *p, const union address *a)
{
	return &p->buckets[address_hash(a) & (BUCKETS - 1)];
}

static struct peer *peer_of(struct peers *p, const union address *a)
{
	struct peer **bucket = bucket_of(p, a);
	struct peer *peer = *bucket;

	while (peer && !address_equal(&peer->address, a))
		peer = peer->next;
	if (peer)
		return peer;
	peer = calloc(1, sizeof(*peer));
	if (!peer)
		return NULL;
	peer->address = *a;
	peer->last = &peer->first;
	peer->next = *bucket;
	*bucket = peer;
	return peer;
}

bool peers_enter(struct peers *p, const union address *a, unsigned limit, struct waiter *w,
	struct peer **out)
{
	struct peer *peer = peer_of(p, a);

	*out = NULL;
	if (!peer)
		return true;
	if (limit && peer->under_way >= limit) {
		w->next = NULL;
		*peer->last = w;
		peer->last = &w->next;
		p->waiting++;
		return false;
	}
	peer->under_way++;
	*out = peer;
	return true;
}

static void forget(struct peers *p, struct peer *peer)
{
	struct peer **at = bucket_of(p, &peer->address);

	while (*at != peer)
		at = &(*at)->next;
	*at = peer->next;
	free(peer);
}

struct waiter *peers_leave(struct peers *p, struct peer *peer)
{
	struct waiter *w = peer ? peer->first : NULL;

	if (!peer)
		return NULL;
	peer->under_way--;
	if (w) {
		peer->first = w->next;
		if (!peer->first)
			peer->last = &peer->first;
		p->waiting--;
	} else if (!peer->under_way) {
		forget(p, peer);
	}
	return w;
}
