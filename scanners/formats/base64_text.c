/* Base64 that stands somewhere in a text. */
#include "scanners/formats/base64_text.h"

#include "scanners/formats/base64.h"

/* A line of base64 that goes on below has at least so many. */
#define FOLDED_DIGITS_MIN 32

bool base64_search_next(struct base64_search *s, size_t from, size_t *at, size_t *which)
{
	bool is_found = false;

	for (size_t i = 0; s->markers[i]; i++) {
		/* A marker that is not there is looked for once, not again behind each that is. */
		if (!s->is_started || s->next[i] < from) {
			struct slice left = slice_after(s->text, from);
			const uint8_t *place = left.size
						       ? memmem(left.data, left.size, s->markers[i],
								 strlen(s->markers[i]))
						       : NULL;

			s->next[i] = place ? (size_t)(place - s->text.data) : SIZE_MAX;
		}
		if (s->next[i] != SIZE_MAX && (!is_found || s->next[i] < *at)) {
			*at = s->next[i];
			*which = i;
			is_found = true;
		}
	}
	s->is_started = true;
	return is_found;
}

/* The two digits that may not stand anywhere as themselves: in JSON (RFC 8259 7), XML, URLs (RFC 3986 2.1). */
static const struct {
	const char *text;
	uint8_t digit;
} escapes[] = {
	{ "\\/", '/' },
	{ "\\u002b", '+' },
	{ "\\u002B", '+' },
	{ "\\u002f", '/' },
	{ "\\u002F", '/' },
	{ "&#43;", '+' },
	{ "&#x2b;", '+' },
	{ "&#x2B;", '+' },
	{ "&#47;", '/' },
	{ "&#x2f;", '/' },
	{ "&#x2F;", '/' },
	{ "%2b", '+' },
	{ "%2B", '+' },
	{ "%2f", '/' },
	{ "%2F", '/' },
};
#define ESCAPES_COUNT (sizeof(escapes) / sizeof(escapes[0]))

size_t base64_escaped_digit(struct slice s, uint8_t *digit)
{
	size_t slashes = 0;

	if (!s.size || !s.data[0] || !strchr("\\&%", s.data[0]))
		return 0;
	/* JSON in JSON has escaped the backslash too. */
	while (slashes + 1 < s.size && s.data[slashes] == '\\' && s.data[slashes + 1] == '\\')
		slashes++;
	s = slice_after(s, slashes);
	for (size_t i = 0; i < ESCAPES_COUNT; i++)
		if (slice_starts(s, escapes[i].text, strlen(escapes[i].text))) {
			*digit = escapes[i].digit;
			return slashes + strlen(escapes[i].text);
		}
	return 0;
}

/* As all of `escapes` do. */
static bool may_end_escape(uint8_t c)
{
	return c == '/' || c == ';' || c == 'b' || c == 'B' || c == 'f' || c == 'F';
}

/* The bytes of the escaped digit that ends at `at`; 0 = none. */
static size_t escape_before(struct slice text, size_t at)
{
	if (!at || !may_end_escape(text.data[at - 1]))
		return 0;
	for (size_t i = 0; i < ESCAPES_COUNT; i++) {
		size_t size = strlen(escapes[i].text);

		if (at < size || memcmp(text.data + at - size, escapes[i].text, size) != 0)
			continue;
		while (escapes[i].text[0] == '\\' && size < at && text.data[at - size - 1] == '\\')
			size++;
		return size;
	}
	return 0;
}

size_t base64_digit_before(struct slice text, size_t at)
{
	size_t size = escape_before(text, at);

	if (size || !at)
		return size;
	return base64_is_digit(text.data[at - 1]) || text.data[at - 1] == '-' ||
	       text.data[at - 1] == '_';
}

static bool is_hex(const uint8_t *from, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (!from[i] || !strchr("0123456789abcdefABCDEF", from[i]))
			return false;
	return true;
}

bool base64_is_start(struct slice text, size_t at)
{
	const uint8_t *end = text.data + at;

	if (!at)
		return true;
	if (escape_before(text, at))
		return false;
	if (!base64_is_digit(end[-1]))
		return true;
	/* Behind an escape of something else in JSON, in a URL. */
	return (at > 1 && end[-2] == '\\' && strchr("nrt", end[-1])) ||
	       (at > 2 && end[-3] == '%' && is_hex(end - 2, 2)) ||
	       (at > 5 && end[-6] == '\\' && end[-5] == 'u' && is_hex(end - 4, 4));
}

/* Goes up to the line above where that is base64 of whole groups, and nothing behind it. */
static bool go_up(struct slice text, size_t least, size_t *start)
{
	size_t at = *start, end;

	while (at > least && (text.data[at - 1] == ' ' || text.data[at - 1] == '\t'))
		at--;
	if (at == least || text.data[at - 1] != '\n')
		return false;
	at--;
	if (at > least && text.data[at - 1] == '\r')
		at--;
	end = at;
	while (at > least && base64_is_digit(text.data[at - 1]))
		at--;
	if (end - at < FOLDED_DIGITS_MIN || (end - at) % 4)
		return false;
	*start = at;
	return true;
}

size_t base64_run_start(struct slice text, size_t at, size_t least, unsigned *phase)
{
	size_t digits = 0;

	while (at > least && !base64_is_start(text, at)) {
		size_t size = base64_digit_before(text, at);

		if (size > at - least)
			break;
		at -= size;
		digits++;
	}
	*phase = digits % 4;
	while (go_up(text, least, &at))
		;
	return at;
}

bool base64_is_sketch(struct slice rest)
{
	static const char ellipsis[] = "\xe2\x80\xa6";

	return slice_starts(rest, "..", 2) || slice_starts(rest, ellipsis, strlen(ellipsis)) ||
	       slice_starts(rest, "[", 1) ||
	       (slice_starts(rest, "<", 1) && !slice_starts(rest, "</", 2));
}

/* A line's end, written as itself, as an escape of JSON or of a URL, as a character reference of XML. 0 = none. */
static size_t line_end(struct slice s)
{
	static const char *const references[] = { "&#13;", "&#10;", "&#xD;", "&#xd;", "&#xA;",
		"&#xa;", "%0A", "%0a", "%0D", "%0d", "\\u000a", "\\u000A", "\\u000d", "\\u000D" };

	if (s.size && (s.data[0] == '\n' || s.data[0] == '\r'))
		return 1;
	if (s.size > 1 && s.data[0] == '\\' && (s.data[1] == 'n' || s.data[1] == 'r'))
		return 2;
	for (size_t i = 0; i < sizeof(references) / sizeof(references[0]); i++)
		if (slice_starts(s, references[i], strlen(references[i])))
			return strlen(references[i]);
	return 0;
}

static size_t blanks(struct slice s)
{
	size_t n = 0;

	while (n < s.size && (s.data[n] == ' ' || s.data[n] == '\t'))
		n++;
	return n;
}

/* Is there nothing but base64 up to the line's end, or to what closes the text? "tls.key: ..." is not. */
static bool is_base64_line(struct slice s)
{
	size_t size = base64_span(s);
	uint8_t digit;

	s = slice_after(s, size);
	if (base64_escaped_digit(s, &digit))
		return true;
	if (!size)
		return false;
	for (size = 0; size < 2 && s.size && s.data[0] == '='; size++)
		s = slice_after(s, 1);
	s = slice_after(s, blanks(s));
	return !s.size || line_end(s) || (s.data[0] && strchr("\\\"'<,&%", s.data[0]));
}

/* What stands between two digits without ending the run. 0 = it ends. */
static size_t gap(struct slice s)
{
	size_t n = 0, size;
	bool is_new_line = false;

	/* YAML folds a line in quotes by a backslash at its end. */
	if (s.size > 1 && s.data[0] == '\\' && (s.data[1] == '\n' || s.data[1] == '\r'))
		n = 1;
	while ((size = line_end(slice_after(s, n))) || (size = blanks(slice_after(s, n)))) {
		is_new_line = is_new_line || line_end(slice_after(s, n));
		n += size;
	}
	return is_new_line && is_base64_line(slice_after(s, n)) ? n : 0;
}

/* A digit of the URL's alphabet, as the usual one; 0 for none. Dashes in a row are a line of PEM. */
static uint8_t url_digit(struct slice s, bool is_last)
{
	if (!s.size || slice_starts(s, "-----", 5))
		return 0;
	if (!is_last && (s.size < 2 || (!base64_is_digit(s.data[1]) && s.data[1] != '-' &&
					       s.data[1] != '_')))
		return 0;
	return s.data[0] == '-' ? '+' : s.data[0] == '_' ? '/' : 0;
}

size_t base64_text_decode(struct slice s, size_t digits, struct buffer *out)
{
	struct base64 b = { .out = out };
	size_t at = 0;

	while (at < s.size && digits) {
		struct slice left = slice_after(s, at);
		uint8_t digit = 0;
		size_t skip;

		if (left.size > digits)
			left.size = digits;
		skip = base64_take(&b, left);
		at += skip;
		if (digits != BASE64_ALL)
			digits -= skip;
		left = slice_after(s, at);
		skip = base64_escaped_digit(left, &digit);
		if (!skip && digits != BASE64_ALL)
			digit = url_digit(left, digits == 1);
		if (digits && digit) {
			base64_feed(&b, digit);
			digits -= digits != BASE64_ALL;
			at += skip ? skip : 1;
			continue;
		}
		skip = digits ? gap(left) : 0;
		if (!skip)
			break;
		at += skip;
	}
	(void)base64_end(&b);
	return at;
}
