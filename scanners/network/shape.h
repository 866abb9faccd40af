/* What one source or one line of a list means: an address or name, or a network, times ports. */
#ifndef LEAFWATCH_SCANNERS_NETWORK_SHAPE_H
#define LEAFWATCH_SCANNERS_NETWORK_SHAPE_H

#include "agent/base/err.h"
#include "scanners/network/item.h"
#include "scanners/network/targets.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SHAPE_ADDRESS_BYTES 16

struct shape {
	char *name; /* owned: SNI, or NULL */
	char *host; /* owned; NULL for a network */
	const struct protocol *protocol;
	int family; /* of a network: AF_INET or AF_INET6 */
	unsigned prefix;
	uint8_t base[SHAPE_ADDRESS_BYTES]; /* of a network; its host bits are zero */
	uint64_t addresses;                /* 1 for a host */
	uint16_t ports[TARGET_PORTS_MAX];
	size_t ports_count;
};

void shape_fini(struct shape *s);
/* ERR_USAGE or ERR_UNSUPPORTED with a sentence that names the source. */
enum err shape_parse(const char *source, struct shape *out, struct why *why) MUST_CHECK;
/* Like it, without a scheme and a name before an @; without ports there are none. `text` is changed. */
enum err shape_parse_place(char *text, struct shape *out, struct why *why) MUST_CHECK;
/* How many targets it is. */
uint64_t shape_size(const struct shape *s);
/* The n-th of them, owned by the caller. */
enum err shape_target(const struct shape *s, uint64_t n, struct target *out) MUST_CHECK;
/* Is a source written like an endpoint's? */
bool shape_is_likely(const char *source);

#endif
