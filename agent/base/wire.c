/* Fields as bytes. */
#include "agent/base/wire.h"

#include <stdlib.h>
#include <string.h>

/* Before a text: is it there at all? */
enum { TEXT_ABSENT = 0, TEXT_PRESENT = 1 };

static void put_little(struct buffer *b, uint64_t v, size_t size)
{
	uint8_t bytes[8];

	for (size_t i = 0; i < size; i++)
		bytes[i] = (uint8_t)(v >> (8 * i));
	buffer_append(b, bytes, size);
}

void wire_put_u8(struct buffer *b, uint8_t v)
{
	put_little(b, v, 1);
}

void wire_put_u16(struct buffer *b, uint16_t v)
{
	put_little(b, v, 2);
}

void wire_put_u32(struct buffer *b, uint32_t v)
{
	put_little(b, v, 4);
}

void wire_put_u64(struct buffer *b, uint64_t v)
{
	put_little(b, v, 8);
}

void wire_put_i64(struct buffer *b, int64_t v)
{
	put_little(b, (uint64_t)v, 8);
}

void wire_put_bool(struct buffer *b, bool v)
{
	put_little(b, v, 1);
}

void wire_put_bytes(struct buffer *b, struct slice s)
{
	if (s.size > UINT32_MAX) {
		b->status = b->status == ERR_OK ? ERR_LIMIT : b->status;
		return;
	}
	wire_put_u32(b, (uint32_t)s.size);
	buffer_slice(b, s);
}

void wire_put_text(struct buffer *b, const char *text)
{
	wire_put_u8(b, text ? TEXT_PRESENT : TEXT_ABSENT);
	if (text)
		wire_put_bytes(b, slice_text(text));
}

void wire_put_strings(struct buffer *b, const struct strings *s)
{
	wire_put_u32(b, (uint32_t)s->count);
	for (size_t i = 0; i < s->count; i++)
		wire_put_bytes(b, slice_text(s->items[i]));
}

struct wire wire_of(struct slice bytes)
{
	return (struct wire){ .left = bytes };
}

static const uint8_t *take(struct wire *w, size_t size)
{
	const uint8_t *at = w->left.data;

	if (w->bad || w->left.size < size) {
		w->bad = true;
		return NULL;
	}
	w->left = slice_of(at + size, w->left.size - size);
	return at;
}

uint64_t wire_number(const uint8_t *at, size_t bytes)
{
	uint64_t n = 0;

	for (size_t i = bytes; i--;)
		n = n << 8 | at[i];
	return n;
}

static uint64_t get_little(struct wire *w, size_t size)
{
	const uint8_t *at = take(w, size);

	return at ? wire_number(at, size) : 0;
}

uint8_t wire_get_u8(struct wire *w)
{
	return (uint8_t)get_little(w, 1);
}

uint16_t wire_get_u16(struct wire *w)
{
	return (uint16_t)get_little(w, 2);
}

uint32_t wire_get_u32(struct wire *w)
{
	return (uint32_t)get_little(w, 4);
}

uint64_t wire_get_u64(struct wire *w)
{
	return get_little(w, 8);
}

int64_t wire_get_i64(struct wire *w)
{
	return (int64_t)get_little(w, 8);
}

bool wire_get_bool(struct wire *w)
{
	uint64_t v = get_little(w, 1);

	if (v > 1)
		w->bad = true;
	return v == 1;
}

struct slice wire_get_bytes(struct wire *w, size_t max)
{
	size_t size = wire_get_u32(w);
	const uint8_t *at;

	if (size > max)
		w->bad = true;
	at = take(w, size);
	return slice_of(at, at ? size : 0);
}

bool wire_get_raw(struct wire *w, void *out, size_t size)
{
	const uint8_t *at = take(w, size);

	if (!at) {
		memset(out, 0, size);
		return false;
	}
	if (size)
		memcpy(out, at, size);
	return true;
}

static char *text_from(struct wire *w, size_t max)
{
	struct slice s = wire_get_bytes(w, max);
	char *text;

	if (w->bad || (s.size && memchr(s.data, 0, s.size))) {
		w->bad = true;
		return NULL;
	}
	text = string_of(s);
	w->bad = !text;
	return text;
}

char *wire_get_text(struct wire *w, size_t max)
{
	if (!wire_get_bool(w))
		return NULL;
	return text_from(w, max);
}

void wire_get_strings(struct wire *w, struct strings *s, size_t max_count, size_t max_bytes)
{
	size_t count = wire_get_u32(w);

	if (count > max_count)
		w->bad = true;
	for (size_t i = 0; !w->bad && i < count; i++)
		if (strings_take(s, text_from(w, max_bytes)) != ERR_OK)
			w->bad = true;
}

enum err wire_end(const struct wire *w)
{
	return w->bad || w->left.size ? ERR_MALFORMED : ERR_OK;
}
