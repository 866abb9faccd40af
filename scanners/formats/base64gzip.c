/* Compressed texts in base64 inside a text: cloud-init's gz+b64, Terraform's base64gzip, and Helm's releases,
 * which a Secret wraps in base64 once more. What comes out is unpacked like any archive, by the same
 * ceilings, and goes by what the text calls the place. */
#include "scanners/formats/base64_finder.h"
#include "scanners/formats/base64_text.h"

/* RFC 1952 2.3: a header and a trailer, with nothing between them. */
#define GZIP_BYTES_MIN 18

/* Base64 of 1f 8b 08 (RFC 1952 2.3.1: deflate is the only method), and base64 of that: there the flags' upper
 * half, which is 0 or 1, gives the last digit. */
static const char *const markers[] = { "H4sI", "SDRzSU", NULL };
enum { ONCE, TWICE };

static bool is_gzip(struct slice s)
{
	return s.size >= GZIP_BYTES_MIN && slice_starts(s, "\x1f\x8b\x08", 3);
}

static bool find_start(struct slice text, size_t at, size_t which, size_t *start)
{
	(void)which;
	*start = at;
	return base64_is_start(text, at);
}

static size_t take(struct base64_finder *f, struct slice text, size_t start, size_t which)
{
	struct buffer *outer = which == TWICE ? &f->inner : &f->bytes;
	size_t end;
	enum err e;

	buffer_clear(&f->bytes);
	buffer_clear(&f->inner);
	end = start + base64_text_decode(slice_after(text, start), BASE64_ALL, outer);
	if (which == TWICE && buffer_status(outer) == ERR_OK)
		(void)base64_text_decode(buffer_bytes(outer), BASE64_ALL, &f->bytes);
	e = buffer_status(outer) == ERR_OK ? buffer_status(&f->bytes) : buffer_status(outer);
	if (e != ERR_OK)
		base64_failed(f, e, text, start);
	else if (is_gzip(buffer_bytes(&f->bytes)) && !base64_is_sketch(slice_after(text, end)))
		base64_tell(f, text, start);
	return end;
}

static enum format_answer base64_parse(
	const struct format_input *in, const struct format_sink *sink)
{
	struct base64_finder f = {
		.in = in,
		.sink = sink,
		.markers = markers,
		.find = find_start,
		.take = take,
		.too_many =
			"compressed texts in base64 begin in too many places: not all were looked at"
	};

	return base64_find(&f);
}

extern const struct format format_base64_gzip;
const struct format format_base64_gzip = {
	.name = "base64-gzip",
	.help = "gzip in base64 inside a text: Helm's releases, cloud-init's gz+b64, Terraform's base64gzip",
	.password = "what is in it",
	.text_markers = markers,
	.parse = base64_parse,
};
