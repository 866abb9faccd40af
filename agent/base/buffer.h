/* Growing bytes under a ceiling. Failure sticks: appends after it do nothing, buffer_status tells. */
#ifndef LEAFWATCH_BASE_BUFFER_H
#define LEAFWATCH_BASE_BUFFER_H

#include "agent/base/err.h"
#include "agent/base/slice.h"

#include <stddef.h>
#include <stdint.h>

struct buffer {
	uint8_t *data;   /* owned; always followed by a NUL byte once anything was appended */
	size_t size;     /* bytes in use */
	size_t capacity; /* bytes allocated, the NUL's included */
	size_t ceiling;  /* bytes it may ever hold */
	enum err status; /* first failure: ERR_MEMORY or ERR_LIMIT */
};

/* An empty buffer that will never hold more than `ceiling` bytes. Allocates nothing. */
void buffer_init(struct buffer *b, size_t ceiling);
/* Frees what it holds; it may be initialised again. buffer_wipe overwrites the bytes first. */
void buffer_fini(struct buffer *b);
void buffer_wipe(struct buffer *b);
/* Forgets content and failure, keeps the allocation. */
void buffer_clear(struct buffer *b);

void buffer_append(struct buffer *b, const void *data, size_t size);
void buffer_byte(struct buffer *b, uint8_t byte);
void buffer_text(struct buffer *b, const char *text);
void buffer_slice(struct buffer *b, struct slice s);
void buffer_format(struct buffer *b, const char *format, ...) PRINTF_LIKE(2, 3);

/* Room for `size` more bytes, to be filled by the caller, who then adds to b->size.
 * NULL when that would pass the ceiling or memory is out (the failure sticks). */
uint8_t *buffer_reserve(struct buffer *b, size_t size);
/* Removes the first `size` bytes (at most all). */
void buffer_consume(struct buffer *b, size_t size);

enum err buffer_status(const struct buffer *b) MUST_CHECK;
struct slice buffer_bytes(const struct buffer *b);
/* The content as a C string ("" when empty), valid until the next append. */
const char *buffer_string(const struct buffer *b);
/* Hands over the content as an owned C string and leaves the buffer empty; NULL after a failure. */
char *buffer_take_string(struct buffer *b);

#endif
