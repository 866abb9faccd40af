/* The listening sockets of this host as targets: where to connect, and whose they are. */
#ifndef LEAFWATCH_SCANNERS_NETWORK_LISTENERS_H
#define LEAFWATCH_SCANNERS_NETWORK_LISTENERS_H

#include "agent/base/err.h"
#include "agent/certificate/record.h"
#include "scanners/network/socket_units.h"
#include "scanners/network/sockets.h"

#include <net/if.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>

/* "fe80::1%eth0" */
#define LISTENER_HOST_BYTES (INET6_ADDRSTRLEN + 1 + IF_NAMESIZE)

struct listener {
	char host[LISTENER_HOST_BYTES]; /* where to connect: loopback for a socket bound to any */
	uint16_t port;
	bool is_datagram;
	struct process process; /* owned; pid 0 where it is not known */
};

struct listeners {
	struct listener *items; /* owned */
	size_t count;
	uint64_t unowned; /* sockets whose process could not be told for want of permission */
	bool is_cut;      /* the search for processes met its ceiling */
};

/* One listener for each address and port: a socket bound to any stands for its loopback address, one of v6
 * only where the same process does not listen there by v4; of several sockets at one place (SO_REUSEPORT)
 * the oldest process counts. One that systemd alone holds has the unit of its files (`units`). `proc` is "/proc".
 * `out` starts as {0}. */
enum err listeners_from(const struct sockets *sockets, const struct socket_units *units,
	const char *proc, struct listeners *out, struct why *why) MUST_CHECK;
void listeners_fini(struct listeners *l);

#endif
