/* The addresses of this host. */
#ifndef LEAFWATCH_AGENT_OWN_ADDRESSES_H
#define LEAFWATCH_AGENT_OWN_ADDRESSES_H

#include "agent/base/err.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>

/* Starts as {0}. */
struct own_addresses {
	struct in6_addr *items; /* owned; v4 as v4-mapped */
	size_t count;
};

/* Those of its interfaces, as they are now, in this network namespace. ERR_IO where the system does not tell. */
enum err own_addresses_read(struct own_addresses *out, struct why *why) MUST_CHECK;
void own_addresses_fini(struct own_addresses *o);
/* Is the numeric address one of them, or a loopback one? One with a zone ("fe80::1%eth0") counts without it. */
bool own_addresses_have(const struct own_addresses *o, const char *address);

#endif
