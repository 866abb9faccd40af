/* Private keys beside certificates: do they match, who can read them, what else uses them. */
#ifndef LEAFWATCH_AGENT_PRIVATE_KEYS_H
#define LEAFWATCH_AGENT_PRIVATE_KEYS_H

#include "agent/base/err.h"
#include "agent/inventory.h"

#include <stdint.h>

/* Compares the keys in the inventory with its certificates, and remembers there what is wrong or worth a word
 * (key-mismatch, key-exposed, key-shared); what no longer holds is forgotten. Asks the system who may enter
 * the folders of a key that others may read. After each pass. Of `limits` (NULL: the standard ones) those of what is
 * compared count; what is left out is logged. */
struct format_limits;
enum err private_keys_update(struct inventory *i, const struct format_limits *limits, int64_t now,
	struct why *why) MUST_CHECK;

#endif
