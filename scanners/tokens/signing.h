/* The token role as a signer: one private key, kept at work in its module's process. */
#ifndef LEAFWATCH_SCANNERS_TOKENS_SIGNING_H
#define LEAFWATCH_SCANNERS_TOKENS_SIGNING_H

#include "agent/process/channel.h"
#include "scanners/tokens/order.h"

/* Looks for the key in all modules that may have it, tells main MESSAGE_KEY once, then answers each of its
 * MESSAGE_SIGN, until main is gone: ERR_CLOSED. A module that hangs or dies ends the key, not this. */
enum err signing_serve(const struct token_order *order, struct channel *to) MUST_CHECK;

/* Are the bytes what a TLS client signs, and nothing else? RFC 8446 4.4.3, RFC 5246 7.4.8, RFC 6347 4.2.6. */
bool signing_is_tls(struct slice data);

#endif
