/* Fields as bytes: how records cross a socket and lie in the inventory. Little endian, lengths before
 * content, nothing of any struct's memory. Writing goes into a bounded buffer whose failure sticks;
 * a reader's failure sticks too, and what it returns then is zero or empty. */
#ifndef LEAFWATCH_BASE_WIRE_H
#define LEAFWATCH_BASE_WIRE_H

#include "agent/base/buffer.h"
#include "agent/base/slice.h"
#include "agent/base/strings.h"

#include <stdbool.h>
#include <stdint.h>

void wire_put_u8(struct buffer *b, uint8_t v);
void wire_put_u16(struct buffer *b, uint16_t v);
void wire_put_u32(struct buffer *b, uint32_t v);
void wire_put_u64(struct buffer *b, uint64_t v);
void wire_put_i64(struct buffer *b, int64_t v);
void wire_put_bool(struct buffer *b, bool v);
/* u32 length and the bytes. */
void wire_put_bytes(struct buffer *b, struct slice s);
/* NULL reads back as NULL. */
void wire_put_text(struct buffer *b, const char *text);
void wire_put_strings(struct buffer *b, const struct strings *s);

struct wire {
	struct slice left; /* borrowed */
	bool bad;
};

/* The number that stands in 1 to 8 bytes, the least first. */
uint64_t wire_number(const uint8_t *at, size_t bytes);
struct wire wire_of(struct slice bytes);
uint8_t wire_get_u8(struct wire *w);
uint16_t wire_get_u16(struct wire *w);
uint32_t wire_get_u32(struct wire *w);
uint64_t wire_get_u64(struct wire *w);
int64_t wire_get_i64(struct wire *w);
/* Anything but 0 and 1 is bad. */
bool wire_get_bool(struct wire *w);
/* Borrowed from the bytes being read; longer than `max` is bad. */
struct slice wire_get_bytes(struct wire *w, size_t max);
/* Exactly `size` bytes with no length before them. */
bool wire_get_raw(struct wire *w, void *out, size_t size);
/* An owned string or NULL; one longer than `max` or holding a NUL byte is bad. */
char *wire_get_text(struct wire *w, size_t max);
/* Adds to `s` (to be freed by the caller whatever happens). */
void wire_get_strings(struct wire *w, struct strings *s, size_t max_count, size_t max_bytes);
/* ERR_MALFORMED unless everything was good and all was read. */
enum err wire_end(const struct wire *w) MUST_CHECK;

#endif
