/* Distinguished names compared as RFC 5280 7.1 says. Private to this folder. */
#ifndef LEAFWATCH_CERTIFICATE_DN_H
#define LEAFWATCH_CERTIFICATE_DN_H

#include "agent/base/slice.h"

#include <stdbool.h>
#include <stdint.h>

/* All take a Name with its header. Character strings are equal whatever their type when they differ only
 * in the case of ASCII letters and in runs of spaces; other values when their bytes are. Malformed names
 * are equal to themselves only. Equal names have equal hashes. */
uint64_t dn_hash(struct slice name);
bool dn_equal(struct slice a, struct slice b);
/* Is `base` the beginning of `name` (4.2.1.10), or all of it? */
bool dn_is_within(struct slice name, struct slice base);
bool dn_is_empty(struct slice name);
/* RDNs of the name. */
size_t dn_size(struct slice name);

#endif
