/* PEM inside base64, as kubeconfigs and Kubernetes objects carry it. */
#include "scanners/formats/base64.h"
#include "scanners/formats/format.h"

/* Base64 of "-----BEGIN" up to where the next character decides. */
#define TOKEN "LS0tLS1CRUdJTi"

/* How many bytes at `s` stand between two digits without ending the token: folds of YAML, escapes of
 * JSON. 0 = the token ends. */
static size_t gap(struct slice s)
{
	size_t n = 0;

	while (n < s.size && s.data[n] && strchr(" \t\r\n\\", s.data[n])) {
		bool is_escape = s.data[n] == '\\' && n + 1 < s.size &&
				 (s.data[n + 1] == 'n' || s.data[n + 1] == 'r');

		n += is_escape ? 2 : 1;
	}
	return n;
}

/* Decodes the token at the start of `s` and returns its size. */
static size_t decode(struct slice s, struct buffer *out)
{
	struct base64 digits = { .out = out };
	size_t at = 0;

	while (at < s.size) {
		size_t skip;

		at += base64_take(&digits, slice_after(s, at));
		skip = gap(slice_after(s, at));
		if (!skip)
			break;
		at += skip;
	}
	(void)base64_end(&digits);
	return at;
}

static enum format_answer base64_parse(
	const struct format_input *in, const struct format_sink *sink)
{
	struct slice left = in->bytes;
	enum err e = ERR_OK;
	struct buffer plain;
	bool found = false;

	buffer_init(&plain, FORMAT_BYTES_MAX);
	while (e == ERR_OK || e == ERR_NOT_FOUND) {
		const uint8_t *at =
			left.size ? memmem(left.data, left.size, TOKEN, strlen(TOKEN)) : NULL;

		if (!at)
			break;
		left = slice_after(left, (size_t)(at - left.data));
		buffer_clear(&plain);
		left = slice_after(left, decode(left, &plain));
		e = buffer_status(&plain);
		if (e == ERR_OK)
			e = sink->nested(sink->arg, NULL, buffer_bytes(&plain));
		found = found || e == ERR_OK;
	}
	buffer_wipe(&plain);
	return found ? FORMAT_MINE : FORMAT_NOT_MINE;
}

extern const struct format format_base64_pem;
const struct format format_base64_pem = {
	.name = "base64-pem",
	.help = "base64 of PEM inside a text, as in kubeconfig and Kubernetes objects",
	.text_marker = TOKEN,
	.parse = base64_parse,
};
