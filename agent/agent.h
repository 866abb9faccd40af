/* The agent as a service: jobs by the clock, alerts, outlets, reload, an orderly end. */
#ifndef LEAFWATCH_AGENT_AGENT_H
#define LEAFWATCH_AGENT_AGENT_H

#include "agent/base/err.h"
#include "agent/inventory.h"
#include "agent/pipeline.h"
#include "agent/settings.h"

#include <stdbool.h>
#include <uv.h>

struct agent;

struct agent_conf {
	/* Reads the settings, at the start and at each reload. The result is the agent's to free. */
	enum err (*load)(void *arg, struct settings **out, struct why *why);
	bool is_single;
	bool at_once; /* the first passes begin now, whenever the last ones were */
	bool once;    /* end after the first pass of every job and what they had to tell */
	/* Called when every job has had its first pass; `view` is good for the call. NULL = not wanted. */
	void (*first_pass)(void *arg, const struct view *view);
	/* Called once everything runs, before the first pass. NULL = not wanted. */
	void (*started)(void *arg, uv_loop_t *loop, const struct pipeline *pipeline);
	/* Called with the address of each exporter that has one, at the start and after a reload. */
	void (*address)(void *arg, const char *exporter, const char *address);
	/* Called just before everything is taken down. NULL = not wanted. */
	void (*ending)(void *arg);
	void *arg;
};

/* Runs until SIGTERM or SIGINT (or the end of `once`), then stores everything and returns within
 * seconds. SIGHUP reloads, SIGUSR1 starts every job at once. */
enum err agent_run(const struct agent_conf *conf, struct why *why) MUST_CHECK;

#endif
