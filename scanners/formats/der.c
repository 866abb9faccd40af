/* A bare DER certificate, alone or one after another. */
#include "agent/certificate/certificate.h"
#include "scanners/formats/asn1.h"
#include "scanners/formats/format.h"

#include <stdio.h>

#define PEM_MARKER "-----BEGIN "

/* SEQUENCE { SEQUENCE { [0] or INTEGER: a certificate's first bytes, and little else's. */
static bool der_sniff(struct slice head, struct file_size_hint size)
{
	size_t header, length;
	uint8_t tag;

	(void)size;
	for (int level = 0; level < 2; level++) {
		if (!asn1_header(head, &tag, &header, &length) || tag != ASN1_SEQUENCE ||
			length < 8)
			return false;
		head = slice_after(head, header);
	}
	return head.size && (head.data[0] == (ASN1_CONTEXT_0 | ASN1_CONSTRUCTED) ||
				    head.data[0] == ASN1_INTEGER);
}

/* The next element if it is of this universal type, whichever way it is encoded. */
static bool take(struct slice *left, unsigned type, struct asn1 *out)
{
	struct slice rest = *left;

	if (!asn1_next(&rest, out) || (out->tag & ~(unsigned)ASN1_CONSTRUCTED) != type)
		return false;
	*left = rest;
	return true;
}

static bool is_time(struct slice *left)
{
	struct asn1 item;

	return take(left, ASN1_UTC_TIME, &item) || take(left, ASN1_GENERALIZED_TIME, &item);
}

/* Down to the two times, whatever their form: certificates that hardly anyone reads are reported too.
 * TBSCertificate: version [0], serialNumber, signature, issuer, validity (RFC 5280 4.1). */
static bool is_certificate(struct slice bytes)
{
	const unsigned sequence = ASN1_SEQUENCE & ~(unsigned)ASN1_CONSTRUCTED;
	struct slice left = bytes;
	struct asn1 item;

	if (!asn1_expect(&left, ASN1_SEQUENCE, &item))
		return false;
	left = item.content;
	if (!asn1_expect(&left, ASN1_SEQUENCE, &item))
		return false;
	left = item.content;
	(void)asn1_expect(&left, ASN1_CONTEXT_0 | ASN1_CONSTRUCTED, &item);
	if (!take(&left, ASN1_INTEGER, &item) || !take(&left, sequence, &item) ||
		!take(&left, sequence, &item) || !take(&left, sequence, &item))
		return false;
	left = item.content;
	return is_time(&left) && is_time(&left);
}

static bool is_evident(struct slice bytes)
{
	struct evident_certificate evident;

	return is_certificate(bytes) || certificate_is_evident(bytes, &evident);
}

/* Files are padded with zero bytes by disks and with line ends by people. */
static bool is_padding(struct slice s)
{
	for (size_t i = 0; i < s.size; i++)
		if (s.data[i] != 0 && s.data[i] != '\n' && s.data[i] != '\r' && s.data[i] != 0xff)
			return false;
	return true;
}

static enum err trailing(const struct format_sink *sink, struct slice rest)
{
	char message[96];

	if (rest.data[0] == ASN1_SEQUENCE ||
		memmem(rest.data, rest.size, PEM_MARKER, strlen(PEM_MARKER))) {
		enum err e = sink->nested(sink->arg, NULL, rest);

		if (e != ERR_NOT_FOUND)
			return e;
	}
	(void)snprintf(
		message, sizeof(message), "%zu bytes that are no certificate follow", rest.size);
	return sink->problem(sink->arg, REASON_MALFORMED, slice_of(NULL, 0), message);
}

static enum format_answer der_parse(const struct format_input *in, const struct format_sink *sink)
{
	struct slice left = in->bytes;
	struct asn1 item;
	enum err e = ERR_OK;

	if (!is_evident(left))
		return FORMAT_NOT_MINE;
	while (e == ERR_OK && left.size && is_evident(left)) {
		if (!asn1_expect(&left, ASN1_SEQUENCE, &item)) {
			(void)sink->problem(
				sink->arg, REASON_MALFORMED, left, "the certificate is cut off");
			return FORMAT_BROKEN;
		}
		e = sink->certificate(sink->arg, item.whole, NULL, NULL);
	}
	if (e == ERR_OK && !is_padding(left))
		(void)trailing(sink, left);
	return FORMAT_MINE;
}

extern const struct format format_der;
const struct format format_der = {
	.name = "der",
	.help = "bare DER certificate",
	.sniff = der_sniff,
	.parse = der_parse,
};
