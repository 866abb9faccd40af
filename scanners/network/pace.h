/* How often one address is connected to: at most so many new connections in any second. */
#ifndef LEAFWATCH_SCANNERS_NETWORK_PACE_H
#define LEAFWATCH_SCANNERS_NETWORK_PACE_H

#include "scanners/network/dns.h"

#include <stddef.h>
#include <stdint.h>

struct pace;

/* `rate` connections a second to one address, at least 1, over `processes` that do not know of each other:
 * each takes a whole share, so there are to be no more of them than `rate`. NULL when out of memory. */
struct pace *pace_new(unsigned rate, unsigned processes);
/* NULL is allowed. */
void pace_free(struct pace *p);
/* 0: a connection to `a` may begin at `now_ms`, and is counted. Else in so many milliseconds it is worth
 * asking again. `now_ms` is monotonic. Out of memory the connection may begin. */
int64_t pace_wait_ms(struct pace *p, const union address *a, int64_t now_ms);
/* Addresses that are remembered. */
size_t pace_count(const struct pace *p);

#endif
