/* Sockets that are waited for, in one epoll set of our own inside the loop: uv_poll_t asks the kernel nine times
 * for what takes two calls here, and a connection of the probe's lives for a few milliseconds. */
#ifndef LEAFWATCH_SCANNERS_NETWORK_WATCH_H
#define LEAFWATCH_SCANNERS_NETWORK_WATCH_H

#include "agent/base/err.h"

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

/* What is waited for. Errors and the peer's end count as either. */
#define WATCH_READABLE 1U
#define WATCH_WRITABLE 2U

struct watches;

/* One socket. All zero but for `arg`: it is not watched. */
struct watch {
	int fd;
	unsigned events; /* 0: not watched */
	void *arg;       /* borrowed */
};

/* Calls `fn` with a watch's `arg` as long as what it waits for holds. The handle in the loop is closed by whoever
 * closes all that the loop has, and `out` is freed after the loop was closed; on failure too, where it is not NULL. */
enum err watches_new(uv_loop_t *loop, void (*fn)(void *arg), struct watches **out) MUST_CHECK;
void watches_free(struct watches *all);

/* From now on for `events`, whatever it was before. */
enum err watch_for(struct watches *all, struct watch *w, int fd, unsigned events) MUST_CHECK;
/* Nothing of it is told any longer. `is_closing`: its descriptor, of which there is no copy, is closed next. */
void watch_stop(struct watches *all, struct watch *w, bool is_closing);

#endif
