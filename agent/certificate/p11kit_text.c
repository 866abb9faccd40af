/* The lines of a p11-kit trust file. */
#include "agent/certificate/p11kit_text.h"

#include <string.h>

struct slice p11kit_line(struct slice *left)
{
	const uint8_t *end = memchr(left->data, '\n', left->size);
	struct slice line = slice_of(left->data, end ? (size_t)(end - left->data) : left->size);

	*left = slice_after(*left, line.size + 1);
	while (line.size && (line.data[line.size - 1] == '\r' || line.data[line.size - 1] == ' '))
		line.size--;
	return line;
}

bool p11kit_key(struct slice line, const char *key, struct slice *value)
{
	size_t size = strlen(key);

	if (!slice_starts(line, key, size) || line.size <= size || line.data[size] != ':')
		return false;
	*value = slice_after(line, size + 1);
	while (value->size && (value->data[0] == ' ' || value->data[0] == '\t'))
		*value = slice_after(*value, 1);
	return true;
}

bool p11kit_is(struct slice s, const char *word)
{
	return s.size == strlen(word) && memcmp(s.data, word, s.size) == 0;
}

static int digit(uint8_t c)
{
	return c >= '0' && c <= '9'   ? c - '0'
	       : c >= 'a' && c <= 'f' ? c - 'a' + 10
	       : c >= 'A' && c <= 'F' ? c - 'A' + 10
				      : -1;
}

void p11kit_unquote(struct slice s, struct buffer *out)
{
	buffer_clear(out);
	if (s.size && s.data[0] == '"')
		s = slice_after(s, 1);
	if (s.size && s.data[s.size - 1] == '"')
		s.size--;
	while (s.size) {
		int high = s.size > 2 && s.data[0] == '%' ? digit(s.data[1]) : -1;
		int low = high >= 0 ? digit(s.data[2]) : -1;

		buffer_byte(out, (uint8_t)(low >= 0 ? high << 4 | low : s.data[0]));
		s = slice_after(s, low >= 0 ? 3 : 1);
	}
}
