/* The processes behind sockets, from a /proc. */
#ifndef LEAFWATCH_SCANNERS_NETWORK_OWNERS_H
#define LEAFWATCH_SCANNERS_NETWORK_OWNERS_H

#include "agent/base/err.h"
#include "agent/certificate/record.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Descriptors looked at in one search, and processes that hold one of the sockets. */
#define OWNERS_LINKS_MAX 2000000
#define OWNERS_HOLDERS_MAX 65536

struct owners {
	struct process
		*items; /* owned; one for each inode asked for, pid 0 where nobody was found */
	size_t count;
	uint64_t denied; /* processes whose descriptors may not be read */
	bool is_cut;     /* a ceiling ended the search */
};

/* Looks through the descriptors of all processes of `proc` ("/proc") for these sockets (sorted inodes).
 * Of several processes that hold one, the oldest counts, and init only where it is alone: a master before
 * its workers, a service before the systemd that opened its socket. `out` starts as {0}. */
enum err owners_find(const char *proc, const uint64_t *inodes, size_t count, struct owners *out,
	struct why *why) MUST_CHECK;
void owners_fini(struct owners *o);

#endif
