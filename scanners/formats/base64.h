/* Base64 (RFC 4648 4) as it comes, in runs of digits: what surrounds it is the caller's affair. */
#ifndef LEAFWATCH_SCANNERS_FORMATS_BASE64_H
#define LEAFWATCH_SCANNERS_FORMATS_BASE64_H

#include "agent/base/buffer.h"
#include "agent/base/slice.h"

#include <stdbool.h>
#include <stdint.h>

/* Starts as { .out = an initialised buffer }. */
struct base64 {
	struct buffer *out; /* borrowed */
	uint32_t bits;
	unsigned count; /* characters in `bits`, 0 to 3 */
};

bool base64_is_digit(uint8_t c);
/* How many digits stand at the start of `s`. */
size_t base64_span(struct slice s);
/* Takes the digits at the start of `s` and returns how many they were. */
size_t base64_take(struct base64 *b, struct slice s);
/* Takes one digit; anything else is ignored. */
void base64_feed(struct base64 *b, uint8_t c);
/* Writes what is left, padded or not; false where a single digit is left over. */
bool base64_end(struct base64 *b);

#endif
