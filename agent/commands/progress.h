/* The progress bar on stderr. */
#ifndef LEAFWATCH_AGENT_COMMANDS_PROGRESS_H
#define LEAFWATCH_AGENT_COMMANDS_PROGRESS_H

#include "agent/base/err.h"
#include "agent/pipeline.h"

#include <uv.h>

struct progress_bar;

/* NULL through `out` when stderr is no terminal. The pipeline may be set later. */
enum err progress_bar_new(uv_loop_t *loop, struct progress_bar **out) MUST_CHECK;
void progress_bar_watch(struct progress_bar *b, const struct pipeline *p);
/* Wipes the line and ends. Takes NULL. */
void progress_bar_free(struct progress_bar *b);

#endif
