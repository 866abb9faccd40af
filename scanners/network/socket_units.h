/* The .socket units of systemd, as their files say (systemd.unit(5), systemd.socket(5)): which of them has an address.
 * systemd itself is not asked, so of two that say the same address neither is taken unless one alone is enabled. */
#ifndef LEAFWATCH_SCANNERS_NETWORK_SOCKET_UNITS_H
#define LEAFWATCH_SCANNERS_NETWORK_SOCKET_UNITS_H

#include "agent/base/err.h"
#include "agent/base/strings.h"
#include "scanners/network/sockets.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SOCKET_UNITS_MAX 512

/* One address of a unit. */
struct unit_address {
	size_t unit;             /* its place among the names */
	struct in6_addr address; /* v4 as v4-mapped; any of v6 where `is_any` */
	bool is_any;             /* a port alone: of both families */
	uint16_t port;
};

struct socket_units {
	struct strings names;       /* owned: "ssh.socket" */
	struct strings enabled;     /* owned: those that a target or another unit wants */
	struct unit_address *items; /* owned */
	size_t count;
};

/* The folders of units, those that count first before the others; each may be missing. */
extern const char *const socket_unit_folders[];
extern const size_t socket_unit_folders_count;

/* What cannot be read says nothing. `out` starts as {0}. */
enum err socket_units_read(
	const char *const *folders, size_t count, struct socket_units *out) MUST_CHECK;
void socket_units_fini(struct socket_units *u);
/* The unit of a socket that systemd holds; NULL where its files do not say. Borrowed. */
const char *socket_units_find(const struct socket_units *u, const struct listening_socket *s);

#endif
