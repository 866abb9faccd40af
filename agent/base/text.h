/* Bytes from strangers made safe to show: valid UTF-8, nothing that moves a cursor or forges a line. */
#ifndef LEAFWATCH_BASE_TEXT_H
#define LEAFWATCH_BASE_TEXT_H

#include "agent/base/buffer.h"
#include "agent/base/slice.h"

#include <stdbool.h>
#include <stddef.h>

/* Length in bytes (1 to 4) of the well-formed UTF-8 character at the start of `s` (RFC 3629: no
 * overlong form, no surrogate, at most U+10FFFF), its code point through `point`; 0 if there is none. */
size_t text_utf8_character(struct slice s, uint32_t *point);
/* Control characters (C0, DEL, C1), line and paragraph separators and bidirectional controls. */
bool text_is_control(uint32_t point);
/* Well-formed UTF-8 with no control character. */
bool text_is_clean(struct slice s);
/* Appends `s` with each offending byte as \xHH, so that the result is clean. A backslash stays
 * itself: the text is for reading, not for decoding. */
void text_escape(struct buffer *out, struct slice s);
/* text_escape into an owned string; NULL when out of memory. */
char *text_escaped(struct slice s);
/* The number of bytes of `s` to keep so that at most `max` remain and no character is cut. */
size_t text_cut(const char *s, size_t max);

/* Lower-case hex of bytes into `out` (2 * size + 1 bytes). */
void text_hex(char *out, const uint8_t *bytes, size_t size);
/* Reads exactly 2 * size hex digits of either case; false on anything else. */
bool text_unhex(uint8_t *out, size_t size, const char *hex);

/* Appends `path` percent-encoded by RFC 3986: all but unreserved characters and '/'. */
void text_uri_encode(struct buffer *out, struct slice path);
/* Undoes percent-encoding into bytes; false on a broken escape. */
bool text_uri_decode(struct buffer *out, struct slice encoded);

/* Edit distance, for "did you mean"; names over 64 bytes are far from everything. */
unsigned text_distance(const char *a, const char *b);
/* The nearest of `count` candidates within a third of its length, or NULL. */
const char *text_nearest(const char *word, const char *const *candidates, size_t count);

#endif
