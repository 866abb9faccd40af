/* ${NAME}, ${NAME:-default} and $$ in the text of a scalar. */
#include "agent/base/text.h"
#include "agent/config/tree_internal.h"

#include <stdlib.h>
#include <string.h>

#define VARIABLE_BYTES_MAX 255

static const char notation[] = "write ${NAME} or ${NAME:-default}, and $$ for a dollar sign";

static bool is_name_byte(uint8_t c, bool is_first)
{
	if ((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_')
		return true;
	return !is_first && c >= '0' && c <= '9';
}

static size_t name_length(struct slice body)
{
	size_t length = 0;

	while (length < body.size && is_name_byte(body.data[length], length == 0))
		length++;
	return length;
}

static bool is_utf8(struct slice s)
{
	uint32_t point;

	while (s.size) {
		size_t length = text_utf8_character(s, &point);

		if (!length)
			return false;
		s = slice_after(s, length);
	}
	return true;
}

static void put_default(struct slice text, struct buffer *out)
{
	while (text.size) {
		bool is_escape = slice_starts(text, "$$", 2);

		buffer_byte(out, text.data[0]);
		text = slice_after(text, is_escape ? 2 : 1);
	}
}

static enum err put_variable(
	const char *name, const struct slice *standard, struct buffer *out, struct why *why)
{
	const char *value = getenv(name);

	if (standard && (!value || !*value)) {
		put_default(*standard, out);
		return ERR_OK;
	}
	if (!value)
		return why_fail(why, ERR_CONFIG,
			"the variable %s is not set; ${%s:-default} would give it a default", name,
			name);
	if (!is_utf8(slice_text(value)))
		return why_fail(why, ERR_CONFIG, "the value of the variable %s is not UTF-8", name);
	buffer_text(out, value);
	return ERR_OK;
}

/* `body` is what stands between the braces. */
static enum err expand_body(struct slice body, struct buffer *out, struct why *why)
{
	char name[VARIABLE_BYTES_MAX + 1];
	size_t length = name_length(body);
	struct slice rest = slice_after(body, length);
	struct slice standard;

	if (!length || (rest.size && !slice_starts(rest, ":-", 2)))
		return why_fail(why, ERR_CONFIG, "not a variable; %s", notation);
	if (length > VARIABLE_BYTES_MAX)
		return why_fail(why, ERR_CONFIG, "a variable's name is over %d bytes long",
			VARIABLE_BYTES_MAX);
	memcpy(name, body.data, length);
	name[length] = 0;
	standard = slice_after(rest, 2);
	if (standard.size && memmem(standard.data, standard.size, "${", 2))
		return why_fail(why, ERR_CONFIG,
			"the default of the variable %s cannot hold another variable", name);
	return put_variable(name, rest.size ? &standard : NULL, out, why);
}

enum err expand_text(struct slice text, struct buffer *out, struct why *why)
{
	while (text.size) {
		const uint8_t *end;
		size_t length;
		enum err e;

		if (slice_starts(text, "$$", 2) || !slice_starts(text, "${", 2)) {
			buffer_byte(out, text.data[0]);
			text = slice_after(text, slice_starts(text, "$$", 2) ? 2 : 1);
			continue;
		}
		end = memchr(text.data, '}', text.size);
		if (!end)
			return why_fail(
				why, ERR_CONFIG, "\"${\" without a closing brace; %s", notation);
		length = (size_t)(end - text.data);
		e = expand_body(slice_of(text.data + 2, length - 2), out, why);
		if (e != ERR_OK)
			return e;
		text = slice_after(text, length + 1);
	}
	if (buffer_status(out) == ERR_LIMIT)
		return why_fail(why, ERR_CONFIG, "variables expand to more than %d bytes",
			CONFIG_EXPANDED_BYTES_MAX);
	if (buffer_status(out) != ERR_OK)
		return why_fail(why, ERR_MEMORY, "out of memory");
	return ERR_OK;
}
