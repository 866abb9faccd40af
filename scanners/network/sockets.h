/* The listening TCP sockets, and the UDP sockets that wait for anybody, of this host's network namespace, as the kernel tells them. */
#ifndef LEAFWATCH_SCANNERS_NETWORK_SOCKETS_H
#define LEAFWATCH_SCANNERS_NETWORK_SOCKETS_H

#include "agent/base/err.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define SOCKETS_MAX 65536
#define SOCKETS_LINES_MAX 1000000

struct listening_socket {
	int family;              /* AF_INET or AF_INET6 */
	struct in6_addr address; /* of AF_INET: the first four bytes */
	uint16_t port;
	bool is_datagram;   /* UDP */
	uint32_t interface; /* it is bound to, or 0 */
	uint64_t inode;
};

struct sockets {
	struct listening_socket *items; /* owned */
	size_t count;
};

/* Asks the kernel through NETLINK_SOCK_DIAG (sock_diag(7)); where that cannot be, reads /proc/net/tcp, tcp6, udp
 * and udp6. Of UDP those whose port the kernel hands out to clients (ip_local_port_range) are left out, for
 * nothing tells a client's from a server's. `out` starts as {0}. ERR_LIMIT beyond SOCKETS_MAX. */
enum err sockets_read(struct sockets *out, struct why *why) MUST_CHECK;
void sockets_fini(struct sockets *s);

/* The two ways, for sockets_read and for tests. sockets_ask gives ERR_UNSUPPORTED where there is no such
 * netlink family. sockets_read_table skips lines that make no sense. */
struct sockets_kind {
	int family;       /* AF_INET or AF_INET6 */
	bool is_datagram; /* UDP, else TCP */
};
enum err sockets_ask(
	const struct sockets_kind *kind, struct sockets *out, struct why *why) MUST_CHECK;
enum err sockets_read_table(
	FILE *table, const struct sockets_kind *kind, struct sockets *out) MUST_CHECK;

#endif
