/* Text as PKCS#12 and Java write it: UTF-16 and "modified UTF-8", to UTF-8 and back. */
#ifndef LEAFWATCH_SCANNERS_FORMATS_UNICODE_H
#define LEAFWATCH_SCANNERS_FORMATS_UNICODE_H

#include "agent/base/buffer.h"
#include "agent/base/slice.h"

/* A code point as UTF-8 (RFC 3629 3). */
void unicode_put(struct buffer *out, uint32_t c);
/* UTF-16, big endian, to UTF-8; half a pair, a NUL and an odd last byte become U+FFFD. */
void unicode_from_utf16be(struct slice text, struct buffer *out);
/* The same, little endian. */
void unicode_from_utf16le(struct slice text, struct buffer *out);
/* Java's modified UTF-8 (two bytes for NUL, surrogates apart) to UTF-8; what is broken becomes U+FFFD. */
void unicode_from_java(struct slice text, struct buffer *out);
/* UTF-8 to UTF-16, big endian; a byte that is no UTF-8 is taken as Latin-1. */
void unicode_to_utf16be(const char *text, struct buffer *out);

#endif
