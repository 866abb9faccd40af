/* Base64 as it comes. */
#include "scanners/formats/base64.h"

static int value_of(uint8_t c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '+')
		return 62;
	return c == '/' ? 63 : -1;
}

bool base64_is_digit(uint8_t c)
{
	return value_of(c) >= 0;
}

void base64_feed(struct base64 *b, uint8_t c)
{
	int value = value_of(c);

	if (value < 0)
		return;
	b->bits = b->bits << 6 | (uint32_t)value;
	if (++b->count < 4)
		return;
	buffer_append(b->out,
		(uint8_t[]){ (uint8_t)(b->bits >> 16), (uint8_t)(b->bits >> 8), (uint8_t)b->bits },
		3);
	b->bits = 0;
	b->count = 0;
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
