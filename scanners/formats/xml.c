/* Certificates in XML: the text of an X509Certificate element (XML Signature 4.4.4), as in SAML metadata,
 * WS-Federation, WS-Security. The text is not parsed as XML: it may be a part, or broken. */
#include "agent/base/text.h"
#include "scanners/formats/asn1.h"
#include "scanners/formats/base64.h"
#include "scanners/formats/base64_text.h"
#include "scanners/formats/format.h"

#include <stdlib.h>

#define ELEMENT "X509Certificate>"
#define CDATA "<![CDATA["
#define BLANKS " \t\r\n="
#define PREFIX_BYTES_MAX 64
#define REFERENCE_BYTES_MAX 8
#define COMMENT_BYTES_MAX 4096
#define LABEL_BYTES_MAX 2048
/* Decoded bytes below which it is a placeholder. */
#define CERTIFICATE_BYTES_MIN 64

struct xml {
	const struct format_sink *sink;
	struct slice entity; /* borrowed: the entityID last seen */
	struct slice use;    /* borrowed: of the KeyDescriptor last seen */
	struct buffer der;
	bool found;
	enum err status;
};

/* Is it the start tag, with any prefix? */
static bool is_start(struct slice text, const uint8_t *at)
{
	const uint8_t *from = at;

	while (from > text.data && at - from < PREFIX_BYTES_MAX && from[-1] != '<' &&
		from[-1] != '>' && from[-1] != '/')
		from--;
	return from > text.data && from[-1] == '<' && (from == at || at[-1] == ':');
}

/* The value of `name="..."` that stands last in `text`; empty where there is none. */
static struct slice last_attribute(struct slice text, const char *name)
{
	struct slice out = slice_of(NULL, 0);
	size_t size = strlen(name);

	while (text.size) {
		const uint8_t *at = memmem(text.data, text.size, name, size);
		const uint8_t *end;

		if (!at)
			break;
		text = slice_after(text, (size_t)(at - text.data) + size);
		if (text.size < 3 || text.data[0] != '=' ||
			(text.data[1] != '"' && text.data[1] != '\''))
			continue;
		end = memchr(text.data + 2, text.data[1],
			text.size - 2 < LABEL_BYTES_MAX ? text.size - 2 : LABEL_BYTES_MAX);
		if (end)
			out = slice_of(text.data + 2, (size_t)(end - text.data) - 2);
	}
	return out;
}

/* What stands between two certificates names the second: whose it is, and what for. */
static void note_labels(struct xml *x, struct slice between)
{
	struct slice entity = last_attribute(between, "entityID");
	struct slice use = last_attribute(between, " use");

	if (entity.size)
		x->entity = entity;
	if (memmem(between.data, between.size, "KeyDescriptor", strlen("KeyDescriptor")))
		x->use = use;
}

static enum err tell(struct xml *x, struct slice der)
{
	struct buffer alias;
	enum err e;

	buffer_init(&alias, 4 * LABEL_BYTES_MAX);
	buffer_slice(&alias, x->entity);
	if (x->entity.size && x->use.size)
		buffer_byte(&alias, ' ');
	buffer_slice(&alias, x->use);
	e = x->sink->certificate(
		x->sink->arg, der, alias.size ? buffer_string(&alias) : NULL, NULL);
	buffer_fini(&alias);
	return e;
}

/* A blank as a character reference (XML 1.0 4.1): "&#13;", "&#xA;". */
static size_t reference(struct slice s)
{
	char text[REFERENCE_BYTES_MAX] = { 0 };
	char *end;
	long value;

	if (!slice_starts(s, "&#", 2) || s.size == 2)
		return 0;
	s = slice_after(s, 2);
	memcpy(text, s.data, s.size < sizeof(text) - 1 ? s.size : sizeof(text) - 1);
	value = text[0] == 'x' ? strtol(text + 1, &end, 16) : strtol(text, &end, 10);
	return *end == ';' && value > 0 && value < 0x7f && strchr(BLANKS, (int)value)
		       ? 3 + (size_t)(end - text)
		       : 0;
}

/* What the text of an element may be wrapped in, and comments between (XML 1.0 2.5, 2.7). */
static size_t markup(struct slice s)
{
	const uint8_t *end;

	if (slice_starts(s, CDATA, strlen(CDATA)))
		return strlen(CDATA);
	if (!s.data || !slice_starts(s, "<!--", 4))
		return 0;
	end = memmem(s.data, s.size < COMMENT_BYTES_MAX ? s.size : COMMENT_BYTES_MAX, "-->", 3);
	return end ? (size_t)(end - s.data) + 3 : 0;
}

static size_t blank(struct slice s)
{
	size_t size = reference(s);

	if (size)
		return size;
	/* JSON and other literals around the XML. */
	if (s.size > 1 && s.data[0] == '\\' && s.data[1] && strchr("nrt", s.data[1]))
		return 2;
	return s.size && s.data[0] && strchr(BLANKS, s.data[0]) ? 1 : markup(s);
}

/* Decodes up to what is no base64 and returns how far that is. */
static size_t decode(struct slice s, struct buffer *out)
{
	struct base64 digits = { .out = out };
	size_t at = 0, skip;
	uint8_t digit;

	do {
		at += base64_take(&digits, slice_after(s, at));
		skip = base64_escaped_digit(slice_after(s, at), &digit);
		if (skip)
			base64_feed(&digits, digit);
		else
			skip = blank(slice_after(s, at));
		at += skip;
	} while (skip);
	(void)base64_end(&digits);
	return at;
}

static void take(struct xml *x, struct slice *left)
{
	struct slice der, rest;
	struct asn1 item;
	size_t used;

	buffer_clear(&x->der);
	used = decode(*left, &x->der);
	*left = slice_after(*left, used);
	if (buffer_status(&x->der) != ERR_OK) {
		x->found = true;
		x->status = format_limited(x->sink,
			"an X509Certificate element is larger than is decoded", "decoded_size");
		return;
	}
	der = rest = buffer_bytes(&x->der);
	if (der.size < CERTIFICATE_BYTES_MIN || der.data[0] != ASN1_SEQUENCE)
		return;
	x->found = true;
	if (!asn1_expect(&rest, ASN1_SEQUENCE, &item))
		x->status = x->sink->problem(x->sink->arg, REASON_MALFORMED, der,
			"the certificate in an X509Certificate element is cut off");
	else
		x->status = tell(x, der);
}

static enum format_answer xml_parse(const struct format_input *in, const struct format_sink *sink)
{
	struct xml x = { .sink = sink };
	struct slice left = in->bytes;

	buffer_init(&x.der, format_bytes_max(in));
	while (x.status == ERR_OK && left.size) {
		const uint8_t *at = memmem(left.data, left.size, ELEMENT, strlen(ELEMENT));

		if (!at)
			break;
		note_labels(&x, slice_of(left.data, (size_t)(at - left.data)));
		left = slice_after(left, (size_t)(at - left.data) + strlen(ELEMENT));
		if (is_start(in->bytes, at))
			take(&x, &left);
	}
	buffer_fini(&x.der);
	return x.found ? FORMAT_MINE : FORMAT_NOT_MINE;
}

extern const struct format format_xml;
const struct format format_xml = {
	.name = "xml",
	.help = "X509Certificate elements in XML: SAML metadata (with entity and use), signatures",
	.text_markers = (const char *const[]){ ELEMENT, NULL },
	.parse = xml_parse,
};
