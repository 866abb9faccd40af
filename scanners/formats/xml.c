/* Certificates in XML: the text of an X509Certificate element (XML Signature 4.4.4), as in SAML metadata,
 * WS-Federation, WS-Security. The text is not parsed as XML: it may be a part, or broken. */
#include "agent/base/text.h"
#include "scanners/formats/asn1.h"
#include "scanners/formats/base64.h"
#include "scanners/formats/format.h"

#define ELEMENT "X509Certificate>"
#define PREFIX_BYTES_MAX 64
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

/* A carriage return may stand there as a character reference. */
static size_t blank(struct slice s)
{
	if (slice_starts(s, "&#13;", 5))
		return 5;
	if (slice_starts(s, "&#xD;", 5) || slice_starts(s, "&#xd;", 5))
		return 5;
	/* JSON and other literals around the XML. */
	if (s.size > 1 && s.data[0] == '\\' && strchr("nrt", s.data[1]))
		return 2;
	return s.size && s.data[0] && strchr(" \t\r\n=", s.data[0]) ? 1 : 0;
}

/* Decodes up to what is no base64 and returns how far that is. */
static size_t decode(struct slice s, struct buffer *out)
{
	struct base64 digits = { .out = out };
	size_t at = 0, skip;

	do {
		at += base64_take(&digits, slice_after(s, at));
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
