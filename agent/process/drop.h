/* What a process gives away before it touches input. */
#ifndef LEAFWATCH_PROCESS_DROP_H
#define LEAFWATCH_PROCESS_DROP_H

#include "agent/base/err.h"

#include <stdbool.h>
#include <stddef.h>

struct role;

/* One layer: its name in metrics, and the step, which says whether it took hold. */
struct drop_layer {
	const char *name;
	bool (*apply)(const struct role *role);
};

/* In the order in which they are applied. `role` NULL = main itself. */
extern const struct drop_layer drop_layers[];
extern const size_t drop_layers_count;

#endif
