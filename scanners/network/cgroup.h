/* What a process's control group says of its unit and its container. */
#ifndef LEAFWATCH_SCANNERS_NETWORK_CGROUP_H
#define LEAFWATCH_SCANNERS_NETWORK_CGROUP_H

#include "agent/base/slice.h"

#define CGROUP_NAME_BYTES 256

struct cgroup {
	char unit[CGROUP_NAME_BYTES];      /* "nginx.service", or "" */
	char container[CGROUP_NAME_BYTES]; /* id (its first 12 digits) or name, or "" */
};

/* Reads the text of /proc/PID/cgroup (cgroups(7)): the line of version 2, else that of systemd's own
 * hierarchy, else whichever names a unit or container. Bytes are taken as they are. */
void cgroup_read(struct slice text, struct cgroup *out);

#endif
