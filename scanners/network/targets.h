/* Sources that name endpoints: what a user may write, and the targets that it means, one at a time. */
#ifndef LEAFWATCH_SCANNERS_NETWORK_TARGETS_H
#define LEAFWATCH_SCANNERS_NETWORK_TARGETS_H

#include "agent/base/err.h"
#include "agent/base/strings.h"
#include "scanners/network/item.h"

#include <stdbool.h>
#include <stdint.h>

#define TARGET_PORT_STANDARD 443
/* Addresses of one CIDR at most: an IPv4 /8, an IPv6 /104. */
#define TARGET_ADDRESSES_MAX (UINT64_C(1) << 24)
#define TARGET_PORTS_MAX 64
#define TARGET_SOURCE_BYTES_MAX 1024

/* Does a SOURCE look like an endpoint? Yes for whatever is no path and no scheme of others, so that a
 * mistake in it is explained by target_check. */
bool target_accepts(const char *source);

/* Is it well written and supported? ERR_USAGE or ERR_UNSUPPORTED with the sentence. Lists ("@file",
 * "-") are not opened. */
enum err target_check(const char *source, struct why *why) MUST_CHECK;

struct exclusions;
struct targets; /* an iterator; its size does not depend on how many targets there are */

/* `sources` and `except` (NULL: nothing) are borrowed until targets_free. `expected` is 0 when a list
 * makes it unknown. */
enum err targets_open(const struct strings *sources, const struct exclusions *except,
	struct targets **out, uint64_t *expected, struct why *why) MUST_CHECK;
/* The next target, owned by the caller: hosts in the order of the sources, networks shuffled and among
 * them. A bad line of a list is a target with a complaint. ERR_END at
 * the end; where a list could not be read, its error then, after all the others were given. */
enum err targets_next(struct targets *t, struct target *out, struct why *why) MUST_CHECK;
/* Entries of a discovery, a line each, to be given after all the others (also when the end was told already).
 * Takes the text; `place` is copied: the line's number is added to it where a line is bad. */
enum err targets_add_list(struct targets *t, struct buffer *text, const char *place) MUST_CHECK;
void targets_free(struct targets *t);

#endif
