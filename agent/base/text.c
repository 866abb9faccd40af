/* Bytes from strangers made safe to show. */
#include "agent/base/text.h"

#include <string.h>

#define DISTANCE_BYTES_MAX 64

static size_t sequence_length(uint8_t lead)
{
	if (lead < 0x80)
		return 1;
	if (lead >= 0xc2 && lead <= 0xdf)
		return 2;
	if (lead >= 0xe0 && lead <= 0xef)
		return 3;
	if (lead >= 0xf0 && lead <= 0xf4)
		return 4;
	return 0;
}

size_t text_utf8_character(struct slice s, uint32_t *point)
{
	static const uint8_t lead_mask[] = { 0, 0x7f, 0x1f, 0x0f, 0x07 };
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t length;
	uint32_t value;

	if (!s.size)
		return 0;
	length = sequence_length(s.data[0]);
	if (!length || length > s.size)
		return 0;
	value = s.data[0] & lead_mask[length];
	for (size_t i = 1; i < length; i++) {
		if ((s.data[i] & 0xc0) != 0x80)
			return 0;
		value = value << 6 | (s.data[i] & 0x3f);
	}
	if (value < least[length] || value > 0x10ffff || (value >= 0xd800 && value <= 0xdfff))
		return 0;
	*point = value;
	return length;
}

bool text_is_control(uint32_t point)
{
	return point < 0x20 || (point >= 0x7f && point <= 0x9f) || point == 0x061c ||
	       (point >= 0x200b && point <= 0x200f) || (point >= 0x2028 && point <= 0x202e) ||
	       (point >= 0x2060 && point <= 0x206f) || point == 0xfeff ||
	       (point >= 0xfff9 && point <= 0xfffb);
}

/* The bytes of printable ASCII that it begins with, by eights: most texts are nothing else. In a byte below 0x20 the
 * subtraction, in 0x7f the addition sets the upper bit; what they carry over comes from bytes that are told already. */
static size_t printable_size(struct slice s)
{
	const uint64_t each = UINT64_C(0x0101010101010101);
	size_t size = 0;

	for (uint64_t eight; s.size - size >= sizeof(eight); size += sizeof(eight)) {
		memcpy(&eight, s.data + size, sizeof(eight));
		if ((eight | (eight - each * 0x20) | (eight + each)) & each * 0x80)
			break;
	}
	return size;
}

bool text_is_clean(struct slice s)
{
	uint32_t point;

	s = slice_after(s, printable_size(s));
	while (s.size) {
		size_t length = text_utf8_character(s, &point);

		if (!length || text_is_control(point))
			return false;
		s = slice_after(s, length);
	}
	return true;
}

static void escape_bytes(struct buffer *out, const uint8_t *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++)
		buffer_format(out, "\\x%02X", bytes[i]);
}

void text_escape(struct buffer *out, struct slice s)
{
	if (text_is_clean(s)) {
		buffer_slice(out, s);
		return;
	}
	while (s.size) {
		uint32_t point = 0;
		size_t length = text_utf8_character(s, &point);

		if (!length || text_is_control(point)) {
			length = length ? length : 1;
			escape_bytes(out, s.data, length);
		} else {
			buffer_append(out, s.data, length);
		}
		s = slice_after(s, length);
	}
}

char *text_escaped(struct slice s)
{
	struct buffer out;

	buffer_init(&out, s.size * 4 + 1);
	text_escape(&out, s);
	return buffer_take_string(&out);
}

size_t text_cut(const char *s, size_t max)
{
	size_t size = strlen(s);

	if (size <= max)
		return size;
	while (max && ((uint8_t)s[max] & 0xc0) == 0x80)
		max--;
	return max;
}

void text_hex(char *out, const uint8_t *bytes, size_t size)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < size; i++) {
		out[2 * i] = digits[bytes[i] >> 4];
		out[2 * i + 1] = digits[bytes[i] & 15];
	}
	out[2 * size] = 0;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

bool text_unhex(uint8_t *out, size_t size, const char *hex)
{
	if (strlen(hex) != 2 * size)
		return false;
	for (size_t i = 0; i < size; i++) {
		int high = hex_digit(hex[2 * i]);
		int low = hex_digit(hex[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		out[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

static bool is_unreserved(uint8_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '-' || c == '.' || c == '_' || c == '~' || c == '/';
}

void text_uri_encode(struct buffer *out, struct slice path)
{
	for (size_t i = 0; i < path.size; i++) {
		if (is_unreserved(path.data[i]))
			buffer_byte(out, path.data[i]);
		else
			buffer_format(out, "%%%02X", path.data[i]);
	}
}

bool text_uri_decode(struct buffer *out, struct slice encoded)
{
	for (size_t i = 0; i < encoded.size; i++) {
		int high;
		int low;

		if (encoded.data[i] != '%') {
			buffer_byte(out, encoded.data[i]);
			continue;
		}
		if (encoded.size - i < 3)
			return false;
		high = hex_digit((char)encoded.data[i + 1]);
		low = hex_digit((char)encoded.data[i + 2]);
		if (high < 0 || low < 0)
			return false;
		buffer_byte(out, (uint8_t)(high << 4 | low));
		i += 2;
	}
	return true;
}

unsigned text_distance(const char *a, const char *b)
{
	unsigned row[DISTANCE_BYTES_MAX + 1];
	size_t width = strlen(b);

	if (strlen(a) > DISTANCE_BYTES_MAX || width > DISTANCE_BYTES_MAX)
		return DISTANCE_BYTES_MAX + 1;
	for (size_t j = 0; j <= width; j++)
		row[j] = (unsigned)j;
	for (size_t i = 1; a[i - 1]; i++) {
		unsigned diagonal = row[0];

		row[0] = (unsigned)i;
		for (size_t j = 1; j <= width; j++) {
			unsigned substitute = diagonal + (a[i - 1] != b[j - 1]);
			unsigned least = row[j] < row[j - 1] ? row[j] : row[j - 1];

			diagonal = row[j];
			row[j] = least + 1 < substitute ? least + 1 : substitute;
		}
	}
	return row[width];
}

const char *text_nearest(const char *word, const char *const *candidates, size_t count)
{
	const char *best = NULL;
	unsigned best_distance = 0;

	for (size_t i = 0; i < count; i++) {
		unsigned distance = text_distance(word, candidates[i]);
		unsigned near = (unsigned)strlen(candidates[i]) / 3 + 1;

		if (distance > near || (best && distance >= best_distance))
			continue;
		best = candidates[i];
		best_distance = distance;
	}
	return best;
}
