/* The token role: PKCS#11 modules are foreign code, so each is looked at in a process of its own that it may
 * hang or crash; what it tells goes to the parser. */
#ifndef LEAFWATCH_SCANNERS_TOKENS_ROLE_H
#define LEAFWATCH_SCANNERS_TOKENS_ROLE_H

#include "agent/process/role.h"

#define TOKENS_SCANNER "tokens"

/* No options; work items are a struct token_work each; memory is a struct token_memory. With KEY_OPEN (a struct
 * token_order) it becomes the signer of one key, and ends when main closes. */
extern const struct role token_role;

#endif
