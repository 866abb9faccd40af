/* Scanner to parser to inventory: starts passes, feeds them, and tells when they are over. */
#ifndef LEAFWATCH_AGENT_PIPELINE_H
#define LEAFWATCH_AGENT_PIPELINE_H

#include "agent/base/err.h"
#include "agent/inventory.h"
#include "agent/pass.h"
#include "agent/settings.h"

#include <stdbool.h>
#include <uv.h>

struct pipeline;
struct parser_options;

struct pipeline_conf {
	uv_loop_t *loop;
	struct inventory *inventory; /* borrowed */
	const struct settings
		*settings; /* borrowed; trust, passwords and processes are taken from it */
	bool is_transient; /* the inventory is not kept */
	bool is_single;    /* roles as threads of this process */
	/* A pass is over. It may be started again from here. */
	void (*pass_done)(void *arg, const struct pass_stats *stats, const struct why *why);
	void *arg;
};

enum err pipeline_new(
	const struct pipeline_conf *conf, struct pipeline **out, struct why *why) MUST_CHECK;
/* Stops everything: what was seen is stored, nothing is marked gone. */
void pipeline_free(struct pipeline *p);

/* Starts a pass of the job. ERR_BUSY when one is under way. */
enum err pipeline_start(struct pipeline *p, const struct job *job, struct why *why) MUST_CHECK;
bool pipeline_is_running(const struct pipeline *p, const char *job);
unsigned pipeline_running(const struct pipeline *p);
/* Ends the pass of a job that is no longer wanted. */
void pipeline_stop(struct pipeline *p, const char *job);

/* What parsers are given: reads trust stores and passwords into `out`, which starts as {0}. */
enum err pipeline_parser_options(
	const struct settings *s, struct parser_options *out, struct why *why) MUST_CHECK;
/* Reads trust stores and passwords anew (reload); parsers are replaced as they fall idle. */
enum err pipeline_renew(
	struct pipeline *p, const struct settings *settings, struct why *why) MUST_CHECK;

/* For the progress bar and the metrics. */
void pipeline_each(
	const struct pipeline *p, void (*fn)(void *arg, const struct pass_stats *), void *arg);
enum err pipeline_each_sandbox(const struct pipeline *p,
	enum err (*fn)(void *, const struct sandbox_state *), void *arg) MUST_CHECK;

#endif
