/* Which questions to issuers are due: from the inventory to the plan of the revocation scanner. */
#ifndef LEAFWATCH_AGENT_REVOCATION_H
#define LEAFWATCH_AGENT_REVOCATION_H

#include "agent/inventory.h"

/* Calls `fn` with the place and the encoded struct fetch of each question that is due at `now`: about
 * certificates that are there, are not anchors, have a trusted chain and name where to ask. A source is
 * asked again when its answer runs out, a day after it was last asked (conditionally), when it failed,
 * and when there is a certificate that it was not asked about. */
enum err revocation_questions(struct inventory *i, int64_t now,
	enum err (*fn)(void *arg, const char *place, struct slice item), void *arg,
	struct why *why) MUST_CHECK;

#endif
