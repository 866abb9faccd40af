/* One rate for many processes: each says how much it would begin, and is told how much it may. */
#ifndef LEAFWATCH_AGENT_PERMITS_H
#define LEAFWATCH_AGENT_PERMITS_H

#include "agent/base/err.h"

#include <stdint.h>
#include <uv.h>

#define PERMITS_ASKERS_MAX 64

struct permits;

/* `count` permits for the asker `which`; never 0. */
typedef void permits_fn(void *arg, unsigned which, uint64_t count);

/* `rate` permits a second for all askers together. */
enum err permits_new(uv_loop_t *loop, double rate, permits_fn *grant, void *arg,
	struct permits **out) MUST_CHECK;
void permits_free(struct permits *p);
/* The asker wants so many more. */
void permits_want(struct permits *p, unsigned which, uint64_t count);
/* The asker is gone, and with it what it wanted. */
void permits_forget(struct permits *p, unsigned which);

#endif
