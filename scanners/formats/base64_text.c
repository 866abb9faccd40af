/* Base64 that stands somewhere in a text. */
#include "scanners/formats/base64_text.h"

#include "scanners/formats/base64.h"

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

bool base64_is_start(struct slice text, size_t at)
{
	if (!at || !base64_is_digit(text.data[at - 1]))
		return true;
	/* Behind an escape of JSON. */
	return at > 1 && text.data[at - 2] == '\\' && strchr("nrt", text.data[at - 1]);
}

bool base64_is_sketch(struct slice rest)
{
	static const char ellipsis[] = "\xe2\x80\xa6";

	return slice_starts(rest, "..", 2) || slice_starts(rest, ellipsis, strlen(ellipsis)) ||
	       slice_starts(rest, "[", 1) ||
	       (slice_starts(rest, "<", 1) && !slice_starts(rest, "</", 2));
}

/* A line's end, written as itself, as an escape of JSON, as a character reference of XML. 0 = none. */
static size_t line_end(struct slice s)
{
	static const char *const references[] = { "&#13;", "&#10;", "&#xD;", "&#xd;", "&#xA;",
		"&#xa;" };

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

	if (!size)
		return false;
	s = slice_after(s, size);
	/* RFC 8259 7: a slash may be escaped. */
	if (s.size > 1 && s.data[0] == '\\' && s.data[1] == '/')
		return true;
	for (size = 0; size < 2 && s.size && s.data[0] == '='; size++)
		s = slice_after(s, 1);
	s = slice_after(s, blanks(s));
	return !s.size || line_end(s) || (s.data[0] && strchr("\\\"'<,", s.data[0]));
}

/* What stands between two digits without ending the run. 0 = it ends. */
static size_t gap(struct slice s)
{
	size_t n = 0, size;
	bool is_new_line = false;

	if (s.size > 1 && s.data[0] == '\\' && s.data[1] == '/')
		return 1;
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
		size_t skip;
		uint8_t url;

		if (left.size > digits)
			left.size = digits;
		skip = base64_take(&b, left);
		at += skip;
		if (digits != BASE64_ALL)
			digits -= skip;
		left = slice_after(s, at);
		url = digits != BASE64_ALL ? url_digit(left, digits == 1) : 0;
		if (digits && url) {
			base64_feed(&b, url);
			digits--;
			at++;
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
