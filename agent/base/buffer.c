/* Growing bytes under a ceiling. */
#include "agent/base/buffer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BUFFER_FIRST_BYTES 256

void buffer_init(struct buffer *b, size_t ceiling)
{
	*b = (struct buffer){ .ceiling = ceiling };
}

void buffer_fini(struct buffer *b)
{
	free(b->data);
	*b = (struct buffer){ .ceiling = b->ceiling };
}

void buffer_wipe(struct buffer *b)
{
	if (b->data)
		explicit_bzero(b->data, b->capacity);
	buffer_fini(b);
}

void buffer_clear(struct buffer *b)
{
	b->size = 0;
	b->status = ERR_OK;
	if (b->data)
		b->data[0] = 0;
}

static enum err grow(struct buffer *b, size_t needed)
{
	size_t capacity = b->capacity ? b->capacity : BUFFER_FIRST_BYTES;
	uint8_t *data;

	while (capacity < needed)
		capacity = capacity > SIZE_MAX / 2 ? needed : capacity * 2;
	if (capacity > b->ceiling + 1)
		capacity = b->ceiling + 1;
	data = realloc(b->data, capacity);
	if (!data)
		return ERR_MEMORY;
	b->data = data;
	b->capacity = capacity;
	return ERR_OK;
}

uint8_t *buffer_reserve(struct buffer *b, size_t size)
{
	if (b->status != ERR_OK)
		return NULL;
	if (size > b->ceiling - b->size) {
		b->status = ERR_LIMIT;
		return NULL;
	}
	if (b->size + size + 1 > b->capacity) {
		b->status = grow(b, b->size + size + 1);
		if (b->status != ERR_OK)
			return NULL;
	}
	return b->data + b->size;
}

void buffer_append(struct buffer *b, const void *data, size_t size)
{
	uint8_t *to = buffer_reserve(b, size);

	if (!to)
		return;
	if (size)
		memcpy(to, data, size);
	b->size += size;
	b->data[b->size] = 0;
}

void buffer_byte(struct buffer *b, uint8_t byte)
{
	buffer_append(b, &byte, 1);
}

void buffer_text(struct buffer *b, const char *text)
{
	buffer_append(b, text, strlen(text));
}

void buffer_slice(struct buffer *b, struct slice s)
{
	buffer_append(b, s.data, s.size);
}

void buffer_format(struct buffer *b, const char *format, ...)
{
	va_list args;
	va_list again;
	uint8_t *to;
	int length;

	va_start(args, format);
	va_copy(again, args);
	length = vsnprintf(NULL, 0, format, args);
	va_end(args);
	to = length < 0 ? NULL : buffer_reserve(b, (size_t)length);
	if (to) {
		(void)vsnprintf((char *)to, (size_t)length + 1, format, again);
		b->size += (size_t)length;
	}
	va_end(again);
}

void buffer_consume(struct buffer *b, size_t size)
{
	if (size >= b->size) {
		b->size = 0;
	} else if (size) {
		memmove(b->data, b->data + size, b->size - size);
		b->size -= size;
	}
	if (b->data)
		b->data[b->size] = 0;
}

enum err buffer_status(const struct buffer *b)
{
	return b->status;
}

struct slice buffer_bytes(const struct buffer *b)
{
	return slice_of(b->data, b->size);
}

const char *buffer_string(const struct buffer *b)
{
	return b->data && b->size ? (const char *)b->data : "";
}

char *buffer_take_string(struct buffer *b)
{
	char *text = NULL;

	if (b->status == ERR_OK) {
		if (!b->data)
			text = calloc(1, 1);
		else
			text = (char *)b->data;
	} else {
		free(b->data);
	}
	*b = (struct buffer){ .ceiling = b->ceiling };
	return text;
}
