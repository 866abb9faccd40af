/* A private key at work, in the process of its module. */
#ifndef LEAFWATCH_SCANNERS_TOKENS_SIGNER_H
#define LEAFWATCH_SCANNERS_TOKENS_SIGNER_H

#include "agent/process/channel.h"
#include "scanners/tokens/order.h"

/* Looks for the key in the module at `path`, and tells MESSAGE_KEY, or MESSAGE_FINISHED where the module has no
 * such token. With a key that is usable it then answers MESSAGE_SIGN with MESSAGE_SIGNED until its parent goes. The
 * module may never return from it. */
enum err signer_serve(
	const char *path, const struct token_order *order, struct channel *to) MUST_CHECK;

/* Tells MESSAGE_KEY that there is none, and why. */
enum err signer_refuse(struct channel *to, enum reason reason, const char *message) MUST_CHECK;

#endif
