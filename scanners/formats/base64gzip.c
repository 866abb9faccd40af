/* Compressed texts in base64 inside a text: cloud-init's gz+b64, Terraform's base64gzip, and Helm's releases,
 * which a Secret wraps in base64 once more. What comes out is unpacked like any archive, by the same
 * ceilings, and goes by what the text calls the place. */
#include "scanners/formats/base64_text.h"
#include "scanners/formats/format.h"

/* RFC 1952 2.3: a header and a trailer, with nothing between them. */
#define GZIP_BYTES_MIN 18

/* Base64 of 1f 8b 08 (RFC 1952 2.3.1: deflate is the only method), and base64 of that: there the flags' upper
 * half, which is 0 or 1, gives the last digit. */
static const char *const markers[] = { "H4sI", "SDRzSU", NULL };
enum { ONCE, TWICE };

struct finder {
	const struct format_sink *sink;
	struct buffer bytes; /* wiped, as is the next: keys may be in them */
	struct buffer inner; /* base64 that was in base64 */
	bool is_mine;
	enum err status;
};

static bool is_gzip(struct slice s)
{
	return s.size >= GZIP_BYTES_MIN && slice_starts(s, "\x1f\x8b\x08", 3);
}

/* Takes the run at `at` and returns where it ends. */
static size_t take(struct finder *f, struct slice text, size_t at, size_t which)
{
	struct buffer *outer = which == TWICE ? &f->inner : &f->bytes;
	size_t end;
	enum err e;

	buffer_clear(&f->bytes);
	buffer_clear(&f->inner);
	end = at + base64_text_decode(slice_after(text, at), BASE64_ALL, outer);
	if (which == TWICE && buffer_status(outer) == ERR_OK)
		(void)base64_text_decode(buffer_bytes(outer), BASE64_ALL, &f->bytes);
	e = buffer_status(outer) == ERR_OK ? buffer_status(&f->bytes) : buffer_status(outer);
	format_place(f->sink, text.data + at);
	if (e == ERR_LIMIT) {
		f->is_mine = true;
		f->status = format_limited(f->sink,
			"what stands there in base64 is larger than is decoded", "decoded_size");
	} else if (e != ERR_OK) {
		f->status = e;
	} else if (is_gzip(buffer_bytes(&f->bytes)) && !base64_is_sketch(slice_after(text, end))) {
		e = f->sink->nested(f->sink->arg, NULL, buffer_bytes(&f->bytes));
		f->is_mine = f->is_mine || e == ERR_OK;
		f->status = e == ERR_NOT_FOUND ? ERR_OK : e;
	}
	return end;
}

static enum format_answer base64_parse(
	const struct format_input *in, const struct format_sink *sink)
{
	struct base64_search search = { .text = in->bytes, .markers = markers };
	struct finder f = { .sink = sink };
	size_t from = 0, runs = 0, at, which;
	const size_t runs_max = (size_t)format_limits_of(in)->places;

	buffer_init(&f.bytes, format_bytes_max(in));
	buffer_init(&f.inner, format_bytes_max(in));
	while (f.status == ERR_OK && base64_search_next(&search, from, &at, &which)) {
		from = at + 1;
		if (!base64_is_start(in->bytes, at))
			continue;
		if (++runs > runs_max)
			break;
		from = take(&f, in->bytes, at, which);
	}
	if (runs > runs_max && f.status == ERR_OK)
		(void)!format_limited(sink,
			"compressed texts in base64 begin in too many places: not all were looked at",
			"base64_places");
	buffer_wipe(&f.bytes);
	buffer_wipe(&f.inner);
	return f.is_mine || runs > runs_max ? FORMAT_MINE : FORMAT_NOT_MINE;
}

extern const struct format format_base64_gzip;
const struct format format_base64_gzip = {
	.name = "base64-gzip",
	.help = "gzip in base64 inside a text: Helm's releases, cloud-init's gz+b64, Terraform's base64gzip",
	.password = "what is in it",
	.text_markers = markers,
	.parse = base64_parse,
};
