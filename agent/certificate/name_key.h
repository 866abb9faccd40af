/* Names compared as RFC 5280 7.1 says, from their text in records. */
#ifndef LEAFWATCH_CERTIFICATE_NAME_KEY_H
#define LEAFWATCH_CERTIFICATE_NAME_KEY_H

#include "agent/base/buffer.h"
#include "agent/base/err.h"

#include <stdint.h>

#define NAME_KEY_BYTES 16

/* A digest of a name. */
struct name_key {
	uint8_t bytes[NAME_KEY_BYTES];
};

/* Appends the name, given as RFC 4514, in the form in which equal names are equal bytes: case and runs of
 * white space are folded (RFC 4518 2.2, 2.3, 2.6), the order within a multi-valued RDN is one and the
 * same. What string type the certificate used is not in the text, so it plays no part. The text need not
 * be well-formed: a malformed one is folded as far as it goes. Appends nothing for an empty name. */
void name_fold(const char *text, struct buffer *out);
/* The digest of that. ERR_NOT_FOUND for the empty name, which is nobody's. */
enum err name_key_of(const char *text, struct name_key *out) MUST_CHECK;

#endif
