/* Asking the TLS servers of this host for each name that they may serve. */
#ifndef LEAFWATCH_SCANNERS_NETWORK_FAN_OUT_H
#define LEAFWATCH_SCANNERS_NETWORK_FAN_OUT_H

#include "agent/base/err.h"
#include "scanners/scanner.h"

struct fan_out;

/* Takes over what the hints say. `*out` may be given nothing to ask. Of `limits` (NULL: the standard ones) those of
 * names count. */
enum err fan_out_new(const struct scan_hints *hints, const struct format_limits *limits,
	struct fan_out **out, struct why *why) MUST_CHECK;
void fan_out_free(struct fan_out *f);
/* The next question, ERR_END behind the last. Names of a configuration come first, on the ports that it
 * says; a wildcard is asked for by a name below it. */
enum err fan_out_next(struct fan_out *f, struct scan_item *out) MUST_CHECK;

#endif
