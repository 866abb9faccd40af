/* Borrowed bytes with their length. */
#ifndef LEAFWATCH_BASE_SLICE_H
#define LEAFWATCH_BASE_SLICE_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct slice {
	const uint8_t *data; /* borrowed */
	size_t size;
};

static inline struct slice slice_of(const void *data, size_t size)
{
	return (struct slice){ .data = data, .size = size };
}

static inline struct slice slice_text(const char *text)
{
	return slice_of(text, text ? strlen(text) : 0);
}

static inline int slice_starts(struct slice s, const void *prefix, size_t size)
{
	/* Most differ in the first byte, which costs no call. */
	return s.size >= size && (!size || (s.data[0] == *(const uint8_t *)prefix &&
						   memcmp(s.data, prefix, size) == 0));
}

/* What is left after `skip` bytes; empty where there are fewer. */
static inline struct slice slice_after(struct slice s, size_t skip)
{
	if (skip >= s.size)
		return slice_of(NULL, 0);
	return slice_of(s.data + skip, s.size - skip);
}

#endif
