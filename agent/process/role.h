/* A role: one of the processes that main re-executes itself as. */
#ifndef LEAFWATCH_PROCESS_ROLE_H
#define LEAFWATCH_PROCESS_ROLE_H

#include "agent/base/err.h"

#include <stdbool.h>
#include <stddef.h>

#define ROLE_FD 3

/* What a role may keep when the sandbox closes. */
enum role_need {
	ROLE_NEEDS_READ_FILES = 1 << 0, /* CAP_DAC_READ_SEARCH, read-only file system */
	ROLE_NEEDS_NETWORK = 1 << 1,    /* outbound sockets, resolver files */
	/* PKCS#11 modules: what its user may read, and plain files and devices that its user may write; each
	 * module is confined further (confine.h) before it is loaded. */
	ROLE_NEEDS_MODULES = 1 << 2,
	/* Sends or is sent files that are open for reading: what may not open any may read the one. */
	ROLE_PASSES_FILES = 1 << 3,
};

struct role {
	const char *name;
	unsigned needs; /* enum role_need */
	/* Loads what `run` will use, while the sandbox is open still. What is missing `run` meets. NULL: nothing. */
	bool (*prepare)(void);
	/* Serves the socket until FINISH was answered or main went away. ERR_OK = ended in order. */
	enum err (*run)(int fd, struct why *why);
};

struct role_table {
	const struct role *const *roles;
	size_t count;
};

const struct role *role_find(const struct role_table *table, const char *name);

/* The child's main: drops what costs nothing to drop, reports the layers, runs. Returns the exit code. */
int role_main(const struct role *role);

#endif
