/* One address's way through the probe: connect, handshake, listen; one deadline over all. */
#ifndef LEAFWATCH_SCANNERS_NETWORK_ATTEMPT_H
#define LEAFWATCH_SCANNERS_NETWORK_ATTEMPT_H

#include "agent/base/err.h"
#include "scanners/network/dns.h"
#include "scanners/network/item.h"
#include "scanners/network/proxy.h"
#include "scanners/network/tls.h"
#include "scanners/network/watch.h"
#include "scanners/session.h"

#include <stdint.h>
#include <uv.h>

struct attempt;

/* What is to be tried. */
struct attempt_start {
	char *place;              /* owned */
	struct target target;     /* owned */
	union address *addresses; /* owned: tried in turn until one of them accepts */
	size_t addresses_count;
	const struct proxy *proxy; /* borrowed: the addresses are the proxy's; or NULL */
	char *failure;             /* owned: why there are no addresses */
};
void attempt_start_fini(struct attempt_start *s);

/* What all attempts of a process share; borrowed until the last has closed. */
struct attempts {
	uv_loop_t *loop;
	struct watches *watches; /* that attempt_on_ready is called by */
	const struct tls_shared *tls;
	int64_t timeout_ms;
	/* Time in which the process could not look at its sockets because main was not reading. It is
	 * given to every deadline that it fell into. */
	int64_t stalled_ms;
	/* In how many milliseconds a connection to the address may begin; 0: now, and it is counted. NULL:
	 * at any time. Such waiting takes nothing of an attempt's time. */
	int64_t (*wait_ms)(void *arg, const union address *to);
	/* Once for each attempt: `seen` is borrowed. The attempt frees itself afterwards. An error means
	 * that what was seen could not be kept (out of memory). */
	void (*done)(void *arg, void *ctx, const struct attempt_start *what,
		const struct session *seen, enum err e);
	/* An attempt that ends without `done` gives its `ctx` back. */
	void (*dropped)(void *ctx);
	void *arg;
	struct attempt *first; /* those under way */
};

/* Starts it; takes what `what` holds, on failure too. `ctx` is handed to `done`, which may be called before
 * this returns. */
enum err attempt_start(struct attempts *all, void *ctx, struct attempt_start *what) MUST_CHECK;
/* What the watches call. */
void attempt_on_ready(void *attempt);
/* Drops all that are under way, without `done`. Their handles close in the loop, which must run on. */
void attempts_stop(struct attempts *all);

#endif
