/* Certificate requests (PKCS#10, RFC 2986): known, so that nobody takes one for a damaged certificate. They
 * have no dates, and nothing is told of them. */
#include "scanners/formats/asn1.h"
#include "scanners/formats/format.h"

/* SEQUENCE { SEQUENCE { INTEGER 0, Name, SEQUENCE { AlgorithmIdentifier, BIT STRING }, [0] Attributes */
static bool csr_sniff(struct slice head, struct file_size_hint size)
{
	size_t header, length;
	struct asn1 item;
	uint8_t tag;

	(void)size;
	for (unsigned level = 0; level < 2; level++) {
		if (!asn1_header(head, &tag, &header, &length) || tag != ASN1_SEQUENCE)
			return false;
		head = slice_after(head, header);
	}
	if (!asn1_expect(&head, ASN1_INTEGER, &item) || item.content.size != 1 ||
		item.content.data[0] != 0 || !asn1_expect(&head, ASN1_SEQUENCE, &item))
		return false;
	return asn1_header(head, &tag, &header, &length) && tag == ASN1_SEQUENCE &&
	       (head = slice_after(head, header),
		       asn1_header(head, &tag, &header, &length) && tag == ASN1_SEQUENCE) &&
	       (head = slice_after(head, header), head.size && head.data[0] == ASN1_OID);
}

static enum format_answer csr_parse(const struct format_input *in, const struct format_sink *sink)
{
	(void)sink;
	return csr_sniff(in->bytes, (struct file_size_hint){ 0 }) ? FORMAT_MINE : FORMAT_NOT_MINE;
}

extern const struct format format_csr;
const struct format format_csr = {
	.name = "csr",
	.help = "certificate requests (PKCS#10), DER or PEM: no dates, nothing is told of them",
	.is_named_only = true,
	.sniff = csr_sniff,
	.parse = csr_parse,
};
