/* One target's way through the probe: resolve, connect, handshake, listen; one deadline over all. */
#ifndef LEAFWATCH_SCANNERS_NETWORK_ATTEMPT_H
#define LEAFWATCH_SCANNERS_NETWORK_ATTEMPT_H

#include "agent/base/err.h"
#include "scanners/network/dns.h"
#include "scanners/network/item.h"
#include "scanners/network/tls.h"
#include "scanners/session.h"

#include <stdint.h>
#include <uv.h>

struct attempt;

/* What all attempts of a process share; borrowed until the last has closed. */
struct attempts {
	uv_loop_t *loop;
	struct dns *dns;
	const struct tls_shared *tls;
	int64_t timeout_ms;
	/* Time in which the process could not look at its sockets because main was not reading. It is
	 * given to every deadline that it fell into. */
	int64_t stalled_ms;
	/* Once for each attempt: `seen` is borrowed. The attempt frees itself afterwards. An error means
	 * that what was seen could not be kept (out of memory). */
	void (*done)(void *arg, uint64_t id, const char *place, const struct target *target,
		const struct session *seen, enum err e);
	void *arg;
	struct attempt *first; /* those under way */
};

/* Starts it; takes `target` and `place`, on failure too. `done` may be called before this returns. */
enum err attempt_start(
	struct attempts *all, uint64_t id, char *place, struct target *target) MUST_CHECK;
/* Drops all that are under way, without `done`. Their handles close in the loop, which must run on. */
void attempts_stop(struct attempts *all);

#endif
