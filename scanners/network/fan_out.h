/* Asking the TLS servers of this host for each name that they may serve. */
#ifndef LEAFWATCH_SCANNERS_NETWORK_FAN_OUT_H
#define LEAFWATCH_SCANNERS_NETWORK_FAN_OUT_H

#include "agent/base/err.h"
#include "scanners/scanner.h"

/* Of all servers together; of one server. */
#define FAN_OUT_NAMES_MAX 10000
#define FAN_OUT_NAMES_EACH_MAX 256

struct fan_out;

/* Takes over what the hints say. `*out` may be given nothing to ask. */
enum err fan_out_new(
	const struct scan_hints *hints, struct fan_out **out, struct why *why) MUST_CHECK;
void fan_out_free(struct fan_out *f);
/* The next question, ERR_END behind the last. Names of a configuration come first, on the ports that it
 * says; a wildcard is asked for by a name below it. */
enum err fan_out_next(struct fan_out *f, struct scan_item *out) MUST_CHECK;

#endif
