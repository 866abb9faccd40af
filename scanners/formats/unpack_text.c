/* A text that is longer than what is held of it at once. */
#include "scanners/formats/unpack_internal.h"

#include <string.h>

#define LINE_BYTES_MAX 1024

/* Base64, what it is broken with in texts, and what a block of PEM consists of. */
static bool may_be_inside(uint8_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c != 0 && strchr("+/=-_ \t\r\n\\\"'", c));
}

/* What stands before base64 in its line may say what it is. */
static size_t line_start(struct slice text, size_t at)
{
	size_t least = at > LINE_BYTES_MAX ? at - LINE_BYTES_MAX : 0;
	const uint8_t *newline = memrchr(text.data + least, '\n', at - least);

	return newline ? (size_t)(newline - text.data) + 1 : at;
}

size_t unpack_text_cut(struct slice text)
{
	static const char end[] = "-----END ";

	for (size_t at = text.size; at > text.size / 2; at--) {
		struct slice rest = slice_after(text, at - 1);
		const uint8_t *newline;

		if (!may_be_inside(text.data[at - 1]))
			return line_start(text, at);
		if (!slice_starts(rest, end, sizeof(end) - 1))
			continue;
		newline = memchr(rest.data, '\n', rest.size);
		if (newline)
			return (size_t)(newline - text.data) + 1;
	}
	return text.size;
}
