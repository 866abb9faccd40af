/* Certificates that this host serves although a newer one lies on its disk. */
#ifndef LEAFWATCH_AGENT_SERVED_H
#define LEAFWATCH_AGENT_SERVED_H

#include "agent/base/err.h"
#include "agent/inventory.h"

#include <stdint.h>

/* Compares what this host serves (its listeners, and endpoints by name whose address is its own) with the files in the
 * inventory, and remembers there what is newer on disk (the problem served-differs-from-disk); what no longer differs
 * is forgotten. Asks the system when a file changed, and `proc` ("/proc") what a process has open. After each pass. Of
 * `limits` (NULL: the standard ones) that of servers counts; what is left out is logged. */
struct format_limits;
enum err served_update(struct inventory *i, const char *proc, const struct format_limits *limits,
	int64_t now, struct why *why) MUST_CHECK;

#endif
