/* The listening TCP sockets of this host, from /proc/net. */
#ifndef LEAFWATCH_SCANNERS_NETWORK_LISTENERS_H
#define LEAFWATCH_SCANNERS_NETWORK_LISTENERS_H

#include "agent/base/err.h"

#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define LISTENERS_MAX 4096
#define LISTENERS_LINES_MAX 1000000

struct listener {
	char address[INET6_ADDRSTRLEN]; /* where to connect: loopback for a socket bound to any */
	uint16_t port;
};

struct listeners {
	struct listener *items; /* owned */
	size_t count;
};

/* Adds the listening sockets of a table as /proc/net/tcp (AF_INET) and tcp6 (AF_INET6) show it, once
 * each; call it for v4 first: a v6 socket bound to any adds nothing where the v4 loopback has its port.
 * Lines that make no sense are skipped. ERR_LIMIT beyond LISTENERS_MAX. */
enum err listeners_read(FILE *table, int family, struct listeners *out) MUST_CHECK;
void listeners_fini(struct listeners *l);

#endif
