/* Certificates that a store distrusts by issuer and serial number alone. Private to this folder. */
#ifndef LEAFWATCH_CERTIFICATE_BLOCKED_H
#define LEAFWATCH_CERTIFICATE_BLOCKED_H

#include "agent/base/err.h"
#include "agent/base/slice.h"

#include <stddef.h>
#include <stdint.h>

#define BLOCKED_MAX 10000

struct blocked;

/* Starts as {0}. */
struct blocked_list {
	struct blocked *items; /* owned, by the hash of the issuer */
	size_t count;
};
void blocked_fini(struct blocked_list *l);
/* Adds, for these stores, what lies one after another in `pairs`: a Name and an INTEGER, with their headers. The
 * bytes are borrowed. ERR_LIMIT beyond the ceiling. */
enum err blocked_add(struct blocked_list *l, struct slice pairs, uint64_t stores) MUST_CHECK;
/* The stores that distrust the certificate of that issuer (with its dn_hash) and serial number (content). */
uint64_t blocked_by(const struct blocked_list *l, struct slice issuer, uint64_t issuer_hash,
	struct slice serial);

#endif
