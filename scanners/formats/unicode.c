/* Text as PKCS#12 and Java write it. */
#include "scanners/formats/unicode.h"

#include "agent/base/text.h"

#define REPLACEMENT 0xfffd

void unicode_put(struct buffer *out, uint32_t c)
{
	if (c < 0x80) {
		buffer_byte(out, (uint8_t)c);
		return;
	}
	if (c < 0x800) {
		buffer_byte(out, (uint8_t)(0xc0 | c >> 6));
	} else if (c < 0x10000) {
		buffer_byte(out, (uint8_t)(0xe0 | c >> 12));
		buffer_byte(out, (uint8_t)(0x80 | (c >> 6 & 0x3f)));
	} else {
		buffer_byte(out, (uint8_t)(0xf0 | c >> 18));
		buffer_byte(out, (uint8_t)(0x80 | (c >> 12 & 0x3f)));
		buffer_byte(out, (uint8_t)(0x80 | (c >> 6 & 0x3f)));
	}
	buffer_byte(out, (uint8_t)(0x80 | (c & 0x3f)));
}

/* Joins surrogates (RFC 2781 2.2) as units come. */
struct units {
	struct buffer *out;
	uint32_t high; /* 0 = none waits */
};

static void take_unit(struct units *u, uint32_t unit)
{
	if (u->high && unit >= 0xdc00 && unit <= 0xdfff) {
		unicode_put(u->out, 0x10000 + ((u->high - 0xd800) << 10) + (unit - 0xdc00));
		u->high = 0;
		return;
	}
	if (u->high)
		unicode_put(u->out, REPLACEMENT);
	u->high = unit >= 0xd800 && unit <= 0xdbff ? unit : 0;
	if (u->high)
		return;
	unicode_put(u->out, unit == 0 || (unit >= 0xdc00 && unit <= 0xdfff) ? REPLACEMENT : unit);
}

static void end_units(struct units *u)
{
	if (u->high)
		unicode_put(u->out, REPLACEMENT);
}

static void from_utf16(struct slice text, bool is_little, struct buffer *out)
{
	struct units u = { .out = out };

	for (; text.size >= 2; text = slice_after(text, 2))
		take_unit(&u, (uint32_t)text.data[is_little] << 8 | text.data[!is_little]);
	end_units(&u);
	if (text.size)
		unicode_put(out, REPLACEMENT);
}

void unicode_from_utf16be(struct slice text, struct buffer *out)
{
	from_utf16(text, false, out);
}

void unicode_from_utf16le(struct slice text, struct buffer *out)
{
	from_utf16(text, true, out);
}

static bool is_tail(struct slice s, size_t at)
{
	return at < s.size && (s.data[at] & 0xc0) == 0x80;
}

void unicode_from_java(struct slice text, struct buffer *out)
{
	struct units u = { .out = out };

	while (text.size) {
		uint32_t c = text.data[0];
		size_t used = 1;

		if ((c & 0xe0) == 0xc0 && is_tail(text, 1)) {
			c = (c & 0x1f) << 6 | (text.data[1] & 0x3fU);
			used = 2;
		} else if ((c & 0xf0) == 0xe0 && is_tail(text, 1) && is_tail(text, 2)) {
			c = (c & 0xf) << 12 | (text.data[1] & 0x3fU) << 6 | (text.data[2] & 0x3fU);
			used = 3;
		} else if (c >= 0x80) {
			c = REPLACEMENT;
		}
		take_unit(&u, c);
		text = slice_after(text, used);
	}
	end_units(&u);
}

static void put_unit(struct buffer *out, uint32_t unit)
{
	buffer_byte(out, (uint8_t)(unit >> 8));
	buffer_byte(out, (uint8_t)unit);
}

void unicode_to_utf16be(const char *text, struct buffer *out)
{
	struct slice left = slice_text(text);

	while (left.size) {
		uint32_t point = left.data[0];
		size_t used = text_utf8_character(left, &point);

		if (!used) {
			point = left.data[0];
			used = 1;
		}
		if (point > 0xffff) {
			put_unit(out, 0xd800 + ((point - 0x10000) >> 10));
			put_unit(out, 0xdc00 + ((point - 0x10000) & 0x3ff));
		} else {
			put_unit(out, point);
		}
		left = slice_after(left, used);
	}
}
