/* What a process gives away before it loads foreign code. */
#ifndef LEAFWATCH_PROCESS_CONFINE_H
#define LEAFWATCH_PROCESS_CONFINE_H

#include "agent/base/err.h"
#include "agent/base/strings.h"

#include <stdbool.h>

struct confine {
	const struct strings
		*writable; /* files and folders that may be written; missing ones are fine */
	bool has_network;  /* else no socket but of this host (AF_UNIX) */
	unsigned cpu_s;    /* of processor time, then it is killed */
};

/* No new privileges, writing only where allowed (Landlock), no network (seccomp), limits on processor time, files
 * and descriptors, nothing on standard output and error, every descriptor closed but `fd`, its end with its
 * parent's. A layer that the kernel has not is left out; ERR_IO where one that it has was refused. */
enum err confine_process(const struct confine *c, int fd, struct why *why) MUST_CHECK;

#endif
