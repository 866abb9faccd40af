/* Base64 as it comes. */
#include "scanners/formats/base64.h"

/* The value of each digit and one more, so that 0 is no digit. */
/* clang-format off */
static const uint8_t values[256] = {
	['A'] = 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13,
	14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26,
	['a'] = 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39,
	40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, 52,
	['0'] = 53, 54, 55, 56, 57, 58, 59, 60, 61, 62,
	['+'] = 63,
	['/'] = 64,
};
/* clang-format on */

bool base64_is_digit(uint8_t c)
{
	return values[c];
}

size_t base64_span(struct slice s)
{
	size_t n = 0;

	while (n < s.size && values[s.data[n]])
		n++;
	return n;
}

void base64_feed(struct base64 *b, uint8_t c)
{
	if (!values[c])
		return;
	b->bits = b->bits << 6 | (uint32_t)(values[c] - 1);
	if (++b->count < 4)
		return;
	buffer_append(b->out,
		(uint8_t[]){ (uint8_t)(b->bits >> 16), (uint8_t)(b->bits >> 8), (uint8_t)b->bits },
		3);
	b->bits = 0;
	b->count = 0;
}

/* Four digits, three bytes. */
static void decode(const uint8_t *from, uint8_t *to, size_t groups)
{
	for (; groups; groups--, from += 4, to += 3) {
		uint32_t bits = (uint32_t)(values[from[0]] - 1) << 18 |
				(uint32_t)(values[from[1]] - 1) << 12 |
				(uint32_t)(values[from[2]] - 1) << 6 |
				(uint32_t)(values[from[3]] - 1);

		to[0] = (uint8_t)(bits >> 16);
		to[1] = (uint8_t)(bits >> 8);
		to[2] = (uint8_t)bits;
	}
}

size_t base64_take(struct base64 *b, struct slice s)
{
	size_t size = base64_span(s);
	size_t at = 0, groups;
	uint8_t *to;

	while (at < size && b->count)
		base64_feed(b, s.data[at++]);
	groups = (size - at) / 4;
	to = groups ? buffer_reserve(b->out, groups * 3) : NULL;
	if (to) {
		decode(s.data + at, to, groups);
		to[groups * 3] = 0; /* buffer.h: a NUL follows */
		b->out->size += groups * 3;
	}
	/* Where there was no room the buffer's status says so. */
	at += groups * 4;
	while (at < size)
		base64_feed(b, s.data[at++]);
	return size;
}

bool base64_end(struct base64 *b)
{
	unsigned count = b->count;

	b->count = 0;
	if (count == 2)
		buffer_byte(b->out, (uint8_t)(b->bits >> 4));
	if (count == 3)
		buffer_append(b->out,
			(uint8_t[]){ (uint8_t)(b->bits >> 10), (uint8_t)(b->bits >> 2) }, 2);
	b->bits = 0;
	return count != 1;
}
