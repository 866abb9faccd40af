/* Chains across files and jobs: which certificates miss an issuer that now lies elsewhere on this host, or may
 * have a better path over one, and have to be judged again with it. */
#ifndef LEAFWATCH_AGENT_COMPLETION_H
#define LEAFWATCH_AGENT_COMPLETION_H

#include "agent/inventory.h"
#include "scanners/parser.h"

struct completion; /* what is to be judged */

/* By what is judged. All borrowed. */
struct completion_terms {
	const uint8_t *context; /* FINGERPRINT_BYTES: trust, and whatever else verdicts depend on */
	int64_t now;
	const struct parser_options *options; /* of the parsers: their judgings */
};

/* Works it out, after a pass: certificates of which some place has no path to an anchor, one that ends before
 * they do or is faulty, or one over a CA that is revoked; and for which the inventory holds CA certificates of
 * the right names that the place did not know. What was judged with the
 * same ones, in the same context, is left alone until the clock's next boundary; what has none any more goes
 * back to what its place knew. Jobs that trust other stores read verdicts of their own. */
enum err completion_new(struct inventory *i, const struct completion_terms *terms,
	struct completion **out, struct why *why) MUST_CHECK;
void completion_free(struct completion *c);

/* The next one: its place, to be given back with the answer, the number of its judging, and the bytes of a
 * completion_case. ERR_END when there are no more. */
#define COMPLETION_PLACE_BYTES (sizeof("completion:") + 2 * FINGERPRINT_BYTES)
enum err completion_next(struct completion *c, char place[COMPLETION_PLACE_BYTES], uint8_t *judging,
	struct buffer *out, struct why *why) MUST_CHECK;

/* What the parser says at such a place: a certificate's record, or a problem where it could not be judged. */
enum err completion_answer(struct inventory *i, const struct record *r, struct why *why) MUST_CHECK;

#endif
