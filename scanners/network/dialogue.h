/* Runs what a protocol says before TLS, over a connected non-blocking socket. It reads not one byte of
 * TLS: what comes before its time is plaintext that does not belong there, and is refused. */
#ifndef LEAFWATCH_SCANNERS_NETWORK_DIALOGUE_H
#define LEAFWATCH_SCANNERS_NETWORK_DIALOGUE_H

#include "agent/base/err.h"
#include "agent/base/slice.h"
#include "scanners/network/protocol.h"

#define DIALOGUE_BYTES_MAX (64 * 1024) /* of all that the server says before TLS */
#define DIALOGUE_UNITS_MAX 2000        /* lines, packets, elements */

enum dialogue_status {
	DIALOGUE_WANT_READ,
	DIALOGUE_WANT_WRITE,
	DIALOGUE_DONE, /* TLS begins */
	DIALOGUE_FAILED,
};

struct dialogue;

/* `p` has states. The words are copied. */
enum err dialogue_new(
	const struct protocol *p, const struct words *words, struct dialogue **out) MUST_CHECK;
void dialogue_free(struct dialogue *d);

/* As far as it goes without waiting. ERR_MEMORY leaves `status` alone. */
enum err dialogue_step(struct dialogue *d, int fd, enum dialogue_status *status) MUST_CHECK;
/* The deadline has passed: it has failed with `timeout`. */
void dialogue_time_is_up(struct dialogue *d);

/* Why it failed, and for facts.handshake the word for it. */
const struct refusal *dialogue_refusal(const struct dialogue *d);
const char *dialogue_word(const struct dialogue *d);

/* ---- without a socket: what dialogue_step is made of, for tests and fuzzing --------------------- */

/* What is to be sent now; dialogue_sent takes it off. */
struct slice dialogue_output(const struct dialogue *d);
void dialogue_sent(struct dialogue *d, size_t size);
/* Bytes from the server; empty: it closed. */
enum err dialogue_feed(
	struct dialogue *d, struct slice bytes, enum dialogue_status *status) MUST_CHECK;

/* How this end calls itself, from the socket's own address; "[127.0.0.1]" where that is not to be had. */
void dialogue_own_name(int fd, char out[PROTOCOL_OWN_BYTES]);

#endif
