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

	if (memmem(rest.data, rest.size, PEM_MARKER, strlen(PEM_MARKER))) {
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
	struct evident_certificate evident;
	struct asn1 item;
	enum err e = ERR_OK;

	if (!certificate_is_evident(left, &evident))
		return FORMAT_NOT_MINE;
	while (e == ERR_OK && left.size && certificate_is_evident(left, &evident)) {
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
