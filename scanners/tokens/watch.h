/* Modules at work, each in a process of its own: with a deadline, and with an end that is not ours. */
#ifndef LEAFWATCH_SCANNERS_TOKENS_WATCH_H
#define LEAFWATCH_SCANNERS_TOKENS_WATCH_H

#include "agent/process/channel.h"
#include "scanners/tokens/work.h"

#include <stdint.h>

/* Looks at all modules of the work, tells `to` (main) findings and problems, and brings `memory` up to date.
 * `items` counts tokens. A module that dies or hangs is a problem at each of its tokens, not an error. */
enum err watch_modules(const struct token_work *work, struct token_memory *memory,
	struct channel *to, uint64_t *items) MUST_CHECK;

/* What a module's process sends, as bytes: taken like it, without a process. For tests with hostile bytes. */
enum err watch_frames(const struct token_work *work, struct token_memory *memory,
	struct channel *to, struct slice frames) MUST_CHECK;

#endif
