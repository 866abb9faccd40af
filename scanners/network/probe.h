/* The probe role: resolves, connects, handshakes, thousands of targets at once. */
#ifndef LEAFWATCH_SCANNERS_NETWORK_PROBE_H
#define LEAFWATCH_SCANNERS_NETWORK_PROBE_H

#include "agent/process/role.h"

/* Options are a struct probe_options, work items a struct target each (item.h). Every work item gets a
 * FINDING_ENDPOINT (or, for a complaint, a problem record; or nothing, for a quiet target that is no TLS
 * server) and then WORK_DONE. */
extern const struct role probe_role;

#endif
