/* PEM inside base64, as kubeconfigs and Kubernetes objects carry it. */
#include "scanners/formats/base64_text.h"
#include "scanners/formats/format.h"

/* Base64 of "-----BEGIN " in the three ways in which it may lie on groups of three bytes: at the start of
 * one, behind one byte, behind two. What stands before in the same base64 is no concern. */
static const char *const markers[] = { "LS0tLS1CRUdJTi", "0tLS0tQkVHSU4g", "tLS0tLUJFR0lO", NULL };

static const struct {
	size_t skip;        /* digits of the marker before the first whole group */
	const char *before; /* what they stand for */
} ways[] = { { 0, "" }, { 2, "--" }, { 1, "-" } };

static enum format_answer base64_parse(
	const struct format_input *in, const struct format_sink *sink)
{
	struct base64_search search = { .text = in->bytes, .markers = markers };
	enum err e = ERR_OK;
	struct buffer plain;
	bool found = false;
	size_t at = 0, which;

	buffer_init(&plain, format_bytes_max(in));
	while ((e == ERR_OK || e == ERR_NOT_FOUND) &&
		base64_search_next(&search, at, &at, &which)) {
		format_place(sink, in->bytes.data + at);
		at += ways[which].skip;
		buffer_clear(&plain);
		buffer_text(&plain, ways[which].before);
		at += base64_text_decode(slice_after(in->bytes, at), BASE64_ALL, &plain);
		e = buffer_status(&plain);
		if (e == ERR_OK)
			e = sink->nested(sink->arg, NULL, buffer_bytes(&plain));
		else if (e == ERR_LIMIT)
			e = format_limited(sink, "a PEM text in base64 is larger than is decoded",
				"decoded_size");
		found = found || e == ERR_OK;
	}
	buffer_wipe(&plain);
	return found ? FORMAT_MINE : FORMAT_NOT_MINE;
}

extern const struct format format_base64_pem;
const struct format format_base64_pem = {
	.name = "base64-pem",
	.help = "base64 of PEM inside a text, as in kubeconfig and Kubernetes objects",
	.password = "encrypted keys",
	.text_markers = markers,
	.parse = base64_parse,
};
