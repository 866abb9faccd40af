/* What some of a job's targets trust instead of what the job does. */
#ifndef LEAFWATCH_SCANNERS_NETWORK_TARGET_TRUST_H
#define LEAFWATCH_SCANNERS_NETWORK_TARGET_TRUST_H

#include "agent/base/slice.h"
#include "scanners/scanner.h"

/* The keys of struct target_trust, NULL-terminated. */
extern const struct schema_field target_trust_fields[];

/* The position of the first entry for the endpoint at this place (tls://host:port, tls://name@address:port);
 * `all->count`: none is. */
size_t target_trust_find(const struct sections *all, struct slice place);

#endif
