/* S/MIME (RFC 8551): the signature of a mail, base64 behind its header lines. */
#include "scanners/formats/asn1.h"
#include "scanners/formats/base64.h"
#include "scanners/formats/format.h"

/* application/pkcs7-signature, application/pkcs7-mime, and both with x- before. */
#define MARKER "pkcs7-"
/* From the type to the empty line, and what a header must say. */
#define HEADER_BYTES_MAX 4096
#define ENCODING "base64"

/* Where the body begins: behind the first empty line. 0 = not near. */
static size_t body_at(struct slice s)
{
	size_t max = s.size < HEADER_BYTES_MAX ? s.size : HEADER_BYTES_MAX;

	for (size_t i = 0; i + 1 < max; i++) {
		if (s.data[i] != '\n')
			continue;
		if (s.data[i + 1] == '\n')
			return i + 2;
		if (s.data[i + 1] == '\r' && i + 2 < max && s.data[i + 2] == '\n')
			return i + 3;
	}
	return 0;
}

static size_t decode(struct slice s, struct buffer *out)
{
	struct base64 digits = { .out = out };
	size_t at = 0;

	while (at < s.size) {
		at += base64_take(&digits, slice_after(s, at));
		if (at >= s.size || (s.data[at] != '\r' && s.data[at] != '\n' && s.data[at] != '='))
			break;
		/* An empty line ends the body. */
		if (s.data[at] == '\n' && at + 1 < s.size && s.data[at + 1] == '\n')
			break;
		at++;
	}
	(void)base64_end(&digits);
	return at;
}

/* Is what begins at `s`, behind the type, a header up to an empty line, and says base64? 0 = no. */
static size_t signed_body_at(struct slice s)
{
	size_t body = body_at(s);

	/* "Content-Transfer-Encoding" may stand before the type, but hardly ever does. */
	return body && s.size && memmem(s.data, body, ENCODING, strlen(ENCODING)) ? body : 0;
}

bool smime_has_body(struct slice text, size_t at)
{
	size_t from = at > HEADER_BYTES_MAX ? at - HEADER_BYTES_MAX : 0;
	struct slice left = slice_after(text, from);

	left.size = left.data ? at - from : 0;
	while (left.size) {
		const uint8_t *marker = memmem(left.data, left.size, MARKER, strlen(MARKER));

		if (!marker)
			break;
		left = slice_after(left, (size_t)(marker - left.data) + strlen(MARKER));
		if (left.size && signed_body_at(left) == left.size)
			return true;
	}
	return false;
}

static enum format_answer smime_parse(const struct format_input *in, const struct format_sink *sink)
{
	struct slice left = in->bytes;
	bool found = false;
	struct buffer der;
	enum err e = ERR_OK;

	buffer_init(&der, format_bytes_max(in));
	while ((e == ERR_OK || e == ERR_NOT_FOUND) && left.size) {
		const uint8_t *at = memmem(left.data, left.size, MARKER, strlen(MARKER));
		size_t body;

		if (!at)
			break;
		left = slice_after(left, (size_t)(at - left.data) + strlen(MARKER));
		body = signed_body_at(left);
		if (!body)
			continue;
		left = slice_after(left, body);
		buffer_clear(&der);
		left = slice_after(left, decode(left, &der));
		e = buffer_status(&der);
		if (e == ERR_LIMIT)
			e = format_limited(sink, "a signature in a mail is larger than is decoded",
				"decoded_size");
		else if (e == ERR_OK && der.size && der.data[0] == ASN1_SEQUENCE)
			e = sink->nested(sink->arg, NULL, buffer_bytes(&der));
		found = found || (e == ERR_OK && der.size);
	}
	buffer_fini(&der);
	return found ? FORMAT_MINE : FORMAT_NOT_MINE;
}

extern const struct format format_smime;
const struct format format_smime = {
	.name = "smime",
	.help = "signatures of mails (S/MIME), base64 in the mail",
	.is_signature = true,
	.text_markers = (const char *const[]){ MARKER, NULL },
	.parse = smime_parse,
};
