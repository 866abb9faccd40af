/* The certificates of a PKCS#7 or CMS SignedData (RFC 5652 5.1), in DER or BER. Read by hand: the
 * library's accessor is quadratic in the number of certificates and gives up on the first odd one. */
#include "scanners/formats/asn1.h"
#include "scanners/formats/format.h"
#include "scanners/formats/oid.h"

#define CONTEXT(n) (ASN1_CONTEXT_0 | ASN1_CONSTRUCTED | (n))

static bool pkcs7_sniff(struct slice head, struct file_size_hint size)
{
	size_t header, length;
	uint8_t tag;
	struct asn1 oid;

	(void)size;
	if (!asn1_header(head, &tag, &header, &length) || tag != ASN1_SEQUENCE)
		return false;
	head = slice_after(head, header);
	return asn1_expect(&head, ASN1_OID, &oid) &&
	       (OID_IS(oid.content, OID_SIGNED_DATA) ||
		       OID_IS(oid.content, OID_SIGNED_AND_ENVELOPED) ||
		       OID_IS(oid.content, OID_CERTIFICATE_SEQUENCE));
}

static enum format_answer broken(const struct format_sink *sink, const char *message)
{
	(void)sink->problem(sink->arg, REASON_MALFORMED, slice_of(NULL, 0), message);
	return FORMAT_BROKEN;
}

static enum format_answer take_set(struct slice set, const struct format_sink *sink)
{
	while (set.size) {
		struct slice rest = set;
		struct asn1 item;

		if (!asn1_next(&set, &item)) {
			(void)sink->problem(
				sink->arg, REASON_MALFORMED, rest, "a certificate is cut off");
			return FORMAT_BROKEN;
		}
		/* RFC 5652 10.2.2: other choices are attribute certificates and obsolete forms. */
		if (item.tag != ASN1_SEQUENCE)
			continue;
		if (sink->certificate(sink->arg, item.whole, NULL, NULL) != ERR_OK)
			break;
	}
	return FORMAT_MINE;
}

/* The content of the outermost elements, also where the file ends too early. */
static struct slice enter(struct slice bytes, uint8_t want)
{
	size_t header, length;
	uint8_t tag;
	struct slice left = bytes;
	struct asn1 item;

	if (asn1_expect(&left, want, &item))
		return item.content;
	if (!asn1_header(bytes, &tag, &header, &length) || tag != want)
		return slice_of(NULL, 0);
	return slice_after(bytes, header);
}

/* What was signed may itself hold certificates: a configuration profile, a text. EncapsulatedContentInfo:
 * SEQUENCE { contentType, [0] { OCTET STRING }? }, or in PKCS#7 anything (RFC 5652 5.2.1). */
static enum err take_content(
	const struct format_input *in, struct slice info, const struct format_sink *sink)
{
	struct slice bytes = slice_of(NULL, 0);
	struct asn1 oid, outer, octets;
	struct buffer copy;
	enum err e = ERR_NOT_FOUND;

	if (!asn1_expect(&info, ASN1_OID, &oid) || !OID_IS(oid.content, OID_DATA) ||
		!asn1_expect(&info, CONTEXT(0), &outer) || !asn1_next(&outer.content, &octets))
		return ERR_OK;
	buffer_init(&copy, format_bytes_max(in));
	if (asn1_octets(&octets, &copy, &bytes) && bytes.size)
		e = sink->nested(sink->arg, NULL, bytes);
	else if (buffer_status(&copy) == ERR_LIMIT)
		e = format_limited(
			sink, "what is signed is larger than is decoded", "decoded_size");
	buffer_fini(&copy);
	return e == ERR_NOT_FOUND ? ERR_OK : e;
}

/* SignedData: version, digestAlgorithms, encapContentInfo, certificates [0] IMPLICIT, ...
 * SignedAndEnvelopedData has recipients before and an encrypted content: the [0] is found the same way. */
static enum format_answer take_signed(
	const struct format_input *in, struct slice body, const struct format_sink *sink)
{
	struct asn1 item;

	if (!asn1_expect(&body, ASN1_INTEGER, &item))
		return broken(sink, "the signed data has no version");
	while (body.size && asn1_next(&body, &item)) {
		if (item.tag == CONTEXT(0))
			return take_set(item.content, sink);
		if (item.tag == ASN1_SEQUENCE && take_content(in, item.content, sink) != ERR_OK)
			return FORMAT_MINE;
	}
	if (!body.size)
		return FORMAT_MINE;
	/* Cut off: what lies before the end is still there. */
	if (body.data[0] == CONTEXT(0))
		(void)take_set(enter(body, CONTEXT(0)), sink);
	return broken(sink, "the signed data is cut off");
}

static enum format_answer pkcs7_parse(const struct format_input *in, const struct format_sink *sink)
{
	struct slice info = enter(in->bytes, ASN1_SEQUENCE), content;
	struct asn1 oid;

	if (!pkcs7_sniff(in->bytes, (struct file_size_hint){ 0 }) ||
		!asn1_expect(&info, ASN1_OID, &oid))
		return FORMAT_NOT_MINE;
	content = enter(enter(info, CONTEXT(0)), ASN1_SEQUENCE);
	if (!content.size)
		return broken(sink, "the PKCS#7 content is missing");
	if (OID_IS(oid.content, OID_CERTIFICATE_SEQUENCE))
		return take_set(content, sink);
	return take_signed(in, content, sink);
}

extern const struct format format_pkcs7;
const struct format format_pkcs7 = {
	.name = "pkcs7",
	.help = "PKCS#7 and CMS signed data, with or without signatures",
	.sniff = pkcs7_sniff,
	.parse = pkcs7_parse,
};
