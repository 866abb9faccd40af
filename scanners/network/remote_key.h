/* Signatures by keys that lie in tokens: the probe loads no module, it asks main (MESSAGE_SIGN). GnuTLS wants a signature
 * before its call returns, so who asks waits, in a thread of its own (attempt.c): the loop never does. */
#ifndef LEAFWATCH_SCANNERS_NETWORK_REMOTE_KEY_H
#define LEAFWATCH_SCANNERS_NETWORK_REMOTE_KEY_H

#include "agent/base/buffer.h"
#include "agent/base/err.h"
#include "agent/base/slice.h"
#include "agent/process/channel.h"

#include <stdbool.h>
#include <stdint.h>

#define REMOTE_KEY_TEXT_BYTES 256

struct remote_keys;

/* `channel` is borrowed: to main. */
enum err remote_keys_new(struct channel *channel, struct remote_keys **out) MUST_CHECK;
/* Nobody may wait any more. */
void remote_keys_free(struct remote_keys *k);
/* Main is to open the key of this number, and will say MESSAGE_KEY. */
enum err remote_keys_open(struct remote_keys *k, uint16_t number) MUST_CHECK;
/* Main's MESSAGE_SIGNED. `out` is what it says. */
enum err remote_keys_take(
	struct remote_keys *k, struct slice payload, struct sign_answer *out) MUST_CHECK;
/* Does anybody wait for an answer? */
bool remote_keys_are_awaited(struct remote_keys *k);
/* All waits end now, and none begins. */
void remote_keys_stop(struct remote_keys *k);

/* From any thread but the loop's: the signature, or false with the reason. Waits until `deadline_ms` (monotonic). */
struct remote_wish {
	uint16_t number;
	uint32_t scheme; /* gnutls_sign_algorithm_t */
	struct slice data;
	int64_t deadline_ms;
};
bool remote_keys_sign(struct remote_keys *k, const struct remote_wish *wish,
	struct buffer *signature, char failure[REMOTE_KEY_TEXT_BYTES]);

#endif
