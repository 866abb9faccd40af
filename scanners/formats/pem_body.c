/* The base64 between a BEGIN and an END line. */
#include "scanners/formats/pem_body.h"

#include "scanners/formats/base64.h"
#include "scanners/formats/format.h"

#include <stdlib.h>

/* Lines that are no base64 before the first that is: beyond them BEGIN was only mentioned. */
#define MISSES_MAX 3
/* Source code between two string literals of one block. */
#define CODE_BYTES_MAX 4096
/* A line with fewer digits than this beside foreign characters is a remark, not damaged base64. */
#define DAMAGED_DIGITS_MIN 16
#define PREFIX_BYTES_MAX 128

struct decoder {
	struct base64 digits;
	size_t fed;
	unsigned misses;
	bool is_in_header;
	bool is_padded;
	bool is_clean;
};

static bool is_blank(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\v' || c == '\f';
}

static bool is_quote(uint8_t c)
{
	return c == '"' || c == '\'' || c == '`';
}

static bool is_in(uint8_t c, const char *set)
{
	return c && strchr(set, c);
}

/* "\u002b" after its backslashes: the character, and how many bytes it took; 0 = none. */
static size_t hex_escape(struct slice s, uint8_t *out)
{
	char digits[5] = { 0 };
	char *end;
	long value;

	if (s.size < 5 || (s.data[0] != 'u' && s.data[0] != 'U'))
		return 0;
	memcpy(digits, s.data + 1, 4);
	value = strtol(digits, &end, 16);
	if (*end || value <= 0 || value > 0x7f)
		return 0;
	*out = (uint8_t)value;
	return 5;
}

/* Behind a backslash: what it stands for. A backslash of unknown use vanishes. */
static size_t backslash(struct slice s, struct buffer *out)
{
	size_t slashes = 0, used;
	uint8_t c;

	while (slashes < s.size && s.data[slashes] == '\\')
		slashes++;
	s = slice_after(s, slashes);
	if (!s.size)
		return slashes;
	if (is_in(s.data[0], "nrt")) {
		buffer_byte(out, '\n');
		return slashes + 1;
	}
	used = hex_escape(s, &c);
	if (used)
		buffer_byte(out, c);
	return slashes + used;
}

/* "&#10;", "&#xA;", "&quot;" of XML and HTML. */
static size_t entity(struct slice s, struct buffer *out)
{
	char text[10] = { 0 };
	char *end;
	long value;

	if (slice_starts(s, "&quot;", 6)) {
		buffer_byte(out, '"');
		return 6;
	}
	if (!slice_starts(s, "&#", 2))
		return 1;
	memcpy(text, s.data + 2, s.size - 2 < sizeof(text) - 1 ? s.size - 2 : sizeof(text) - 1);
	value = is_in((uint8_t)text[0], "xX") ? strtol(text + 1, &end, 16) : strtol(text, &end, 10);
	if (*end != ';' || value <= 0 || value > 0x7f)
		return 1;
	buffer_byte(out, (uint8_t)value);
	return 3 + (size_t)(end - text);
}

static struct slice unescape(struct slice s, struct buffer *out)
{
	if (!s.size || (!memchr(s.data, '\\', s.size) && !memchr(s.data, '&', s.size)))
		return s;
	/* At once: growing would leave copies. It never becomes longer. */
	if (!buffer_reserve(out, s.size))
		return slice_of(NULL, 0);
	while (s.size) {
		size_t used = 1;

		if (s.data[0] == '\\')
			used = backslash(s, out);
		else if (s.data[0] == '&')
			used = entity(s, out);
		else
			buffer_byte(out, s.data[0]);
		s = slice_after(s, used);
	}
	return buffer_bytes(out);
}

/* False = no more is wanted. */
static bool feed(struct decoder *d, uint8_t c)
{
	if (c == '=') {
		d->is_padded = d->is_padded || d->fed;
		return true;
	}
	if (!base64_is_digit(c))
		return true;
	if (d->is_padded) {
		d->is_clean = false;
		return false;
	}
	base64_feed(&d->digits, c);
	d->fed++;
	return true;
}

static bool is_base64(struct slice line, size_t *digits)
{
	bool only = true;

	*digits = 0;
	for (size_t i = 0; i < line.size; i++) {
		if (base64_is_digit(line.data[i]))
			++*digits;
		else if (line.data[i] != '=' && !is_blank(line.data[i]))
			only = false;
	}
	return only;
}

static struct slice trim(struct slice line, const char *left, const char *right)
{
	while (line.size && (is_blank(line.data[0]) || is_in(line.data[0], left)))
		line = slice_after(line, 1);
	while (line.size &&
		(is_blank(line.data[line.size - 1]) || is_in(line.data[line.size - 1], right)))
		line.size--;
	return line;
}

/* The decoration that the BEGIN line has ("// ", " * ", "+"), taken off another line. */
static struct slice undecorate(struct slice line, struct slice before)
{
	if (before.size > PREFIX_BYTES_MAX)
		return line;
	if (slice_starts(line, before.data, before.size))
		return slice_after(line, before.size);
	while (before.size && is_blank(before.data[before.size - 1]))
		before.size--;
	if (before.size && slice_starts(line, before.data, before.size))
		return slice_after(line, before.size);
	return line;
}

/* Feeds a line of which part is no base64. False = stop here. */
static bool damaged_line(struct decoder *d, struct slice line, size_t digits)
{
	if (!d->fed)
		return ++d->misses < MISSES_MAX;
	d->is_clean = false;
	if (digits < DAMAGED_DIGITS_MIN)
		return ++d->misses < MISSES_MAX;
	for (size_t i = 0;
		i < line.size && (base64_is_digit(line.data[i]) || is_blank(line.data[i])); i++)
		(void)feed(d, line.data[i]);
	return false;
}

static bool take_line(struct decoder *d, struct slice raw, struct slice before)
{
	struct slice line =
		trim(before.size ? undecorate(raw, before) : raw, "#;*>|%!\"'`,", "\\,;\"'`)]}|");
	size_t digits;

	if (!line.size) {
		d->is_in_header = false;
		return true;
	}
	/* RFC 1421 4.6: headers, folded by leading white space, end with an empty line. */
	if (!d->fed &&
		(memchr(line.data, ':', line.size) || (d->is_in_header && is_blank(raw.data[0])))) {
		d->is_in_header = true;
		return true;
	}
	/* Nearly all lines are digits and nothing else. */
	if (!d->is_padded && base64_span(line) == line.size) {
		d->fed += base64_take(&d->digits, line);
		return true;
	}
	if (!is_base64(line, &digits))
		return damaged_line(d, line, digits);
	for (size_t i = 0; i < line.size; i++)
		if (!feed(d, line.data[i]))
			return false;
	return true;
}

static void take_lines(struct decoder *d, struct slice text, struct slice before)
{
	bool is_first = true;

	while (text.size) {
		size_t size = base64_span(text);

		while (size < text.size && text.data[size] != '\n' && text.data[size] != '\r')
			size++;
		/* What follows the dashes on the BEGIN line itself has no decoration before it. */
		if (!take_line(d, slice_of(text.data, size), is_first ? slice_of(NULL, 0) : before))
			return;
		is_first = false;
		text = slice_after(text, size + 1);
	}
}

/* In source code only what lies inside string literals counts. BEGIN stood inside one. */
static void take_literals(struct decoder *d, struct slice text, uint8_t quote)
{
	size_t outside = 0;
	bool is_inside = true;

	for (size_t i = 0; i < text.size; i++) {
		uint8_t c = text.data[i];

		if (c == quote) {
			is_inside = !is_inside;
			outside = 0;
			continue;
		}
		if (!is_inside) {
			if (++outside > CODE_BYTES_MAX)
				return;
			continue;
		}
		if (!base64_is_digit(c) && c != '=' && !is_blank(c)) {
			d->is_clean = false;
			return;
		}
		if (!feed(d, c))
			return;
	}
}

bool pem_body_decode(const struct pem_body *body, struct buffer *out)
{
	struct decoder d = { .digits = { .out = out }, .is_clean = true };
	struct slice before = body->before;
	struct buffer plain;
	struct slice text;

	buffer_init(&plain, body->text.size);
	text = unescape(body->text, &plain);
	while (before.size && is_blank(before.data[before.size - 1]))
		before.size--;
	if (before.size && is_quote(before.data[before.size - 1]))
		take_literals(&d, text, before.data[before.size - 1]);
	else
		take_lines(&d, text, body->before);
	if (!base64_end(&d.digits) || buffer_status(&plain) != ERR_OK)
		d.is_clean = false;
	/* It may hold a key. */
	buffer_wipe(&plain);
	return d.is_clean;
}
