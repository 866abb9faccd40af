/* The character strings of ASN.1 as UTF-8. */
#include "agent/certificate/der.h"

static void put_point(struct buffer *out, uint32_t point)
{
	if (point < 0x80) {
		buffer_byte(out, (uint8_t)point);
	} else if (point < 0x800) {
		buffer_byte(out, (uint8_t)(0xc0 | point >> 6));
		buffer_byte(out, (uint8_t)(0x80 | (point & 0x3f)));
	} else if (point < 0x10000) {
		buffer_byte(out, (uint8_t)(0xe0 | point >> 12));
		buffer_byte(out, (uint8_t)(0x80 | (point >> 6 & 0x3f)));
		buffer_byte(out, (uint8_t)(0x80 | (point & 0x3f)));
	} else {
		buffer_byte(out, (uint8_t)(0xf0 | point >> 18));
		buffer_byte(out, (uint8_t)(0x80 | (point >> 12 & 0x3f)));
		buffer_byte(out, (uint8_t)(0x80 | (point >> 6 & 0x3f)));
		buffer_byte(out, (uint8_t)(0x80 | (point & 0x3f)));
	}
}

static uint32_t unit_at(struct slice s, size_t at, size_t width)
{
	uint32_t unit = 0;

	for (size_t i = 0; i < width; i++)
		unit = unit << 8 | s.data[at + i];
	return unit;
}

/* Big-endian UTF-32, or UTF-16 where surrogate pairs are met in what should be UCS-2. */
static bool put_wide(struct slice s, size_t width, struct buffer *out)
{
	if (s.size % width)
		return false;
	for (size_t i = 0; i < s.size; i += width) {
		uint32_t point = unit_at(s, i, width);
		uint32_t low;

		if (width == 2 && (point & 0xfc00) == 0xd800 && i + 4 <= s.size) {
			low = unit_at(s, i + 2, 2);
			if ((low & 0xfc00) != 0xdc00)
				return false;
			point = 0x10000 + ((point & 0x3ff) << 10 | (low & 0x3ff));
			i += 2;
		}
		if (point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff))
			return false;
		put_point(out, point);
	}
	return true;
}

bool der_string_utf8(uint8_t tag, struct slice content, struct buffer *out)
{
	switch (tag) {
	case DER_UTF8_STRING:
	case DER_NUMERIC_STRING:
	case DER_PRINTABLE_STRING:
	case DER_IA5_STRING:
	case DER_VISIBLE_STRING:
	case DER_GENERAL_STRING:
		buffer_slice(out, content);
		return true;
	case DER_T61_STRING:
		/* By the standard a code table of its own; in certificates it is Latin-1. */
		for (size_t i = 0; i < content.size; i++)
			put_point(out, content.data[i]);
		return true;
	case DER_BMP_STRING:
		return put_wide(content, 2, out);
	case DER_UNIVERSAL_STRING:
		return put_wide(content, 4, out);
	default:
		return false;
	}
}
