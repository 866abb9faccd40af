/* Certificate policies along a path (RFC 5280 6.1). Private to this folder. */
#ifndef LEAFWATCH_CERTIFICATE_POLICY_H
#define LEAFWATCH_CERTIFICATE_POLICY_H

#include "agent/certificate/node.h"

/* Is there a policy valid for the whole path (leaf first, anchor last), or is none required? Asked with
 * user-initial-policy-set any-policy and nothing inhibited or required beforehand. */
bool policies_are_valid(const struct node *const *path, size_t count);

#endif
