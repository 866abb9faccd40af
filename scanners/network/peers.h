/* How many connections there are to each address, and what waits because that is enough. */
#ifndef LEAFWATCH_SCANNERS_NETWORK_PEERS_H
#define LEAFWATCH_SCANNERS_NETWORK_PEERS_H

#include "scanners/network/dns.h"

#include <stdbool.h>
#include <stddef.h>

struct peers;
struct peer;

/* Something that waits in a list; a member of what the caller has. */
struct waiter {
	struct waiter *next;
};

/* NULL when out of memory. */
struct peers *peers_new(void);
/* Calls `drop` for all that waits. */
void peers_free(struct peers *p, void (*drop)(struct waiter *));

/* A connection to `a` begins: true, and `*peer` is for peers_leave. At `limit` (not 0) it waits: false,
 * and NULL. Out of memory it is not counted: true, and NULL. */
bool peers_enter(struct peers *p, const union address *a, unsigned limit, struct waiter *w,
	struct peer **peer);
/* A connection has ended: the next that waited, not yet entered, or NULL. NULL is allowed. */
struct waiter *peers_leave(struct peers *p, struct peer *peer);
size_t peers_waiting(const struct peers *p);

#endif
