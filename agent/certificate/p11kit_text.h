/* The lines of a p11-kit trust file (p11-kit trust/persist.c): "key: value", texts quoted and percent-encoded.
 * What they mean is trust_objects.h's for trust stores, and the format's for files. */
#ifndef LEAFWATCH_CERTIFICATE_P11KIT_TEXT_H
#define LEAFWATCH_CERTIFICATE_P11KIT_TEXT_H

#include "agent/base/buffer.h"
#include "agent/base/slice.h"

#include <stdbool.h>

/* Takes the next line off `left`, without its end and blanks before that. */
struct slice p11kit_line(struct slice *left);
/* Is the line "KEY: VALUE" of this key? Then `value` is what follows, borrowed from it. */
bool p11kit_key(struct slice line, const char *key, struct slice *value);
bool p11kit_is(struct slice s, const char *word);
/* The bytes that a value stands for, in place of what `out` held; its ceiling shows in buffer_status. */
void p11kit_unquote(struct slice s, struct buffer *out);

#endif
