/* A bare DER revocation list (RFC 5280 5). */
#include "agent/certificate/crl_read.h"
#include "scanners/formats/asn1.h"
#include "scanners/formats/format.h"

#include <stdio.h>

/* SEQUENCE { SEQUENCE { version?, AlgorithmIdentifier, Name, time: the whole of it fits any head. */
static bool crl_sniff(struct slice head, struct file_size_hint size)
{
	(void)size;
	return crl_is_evident(head);
}

static enum err trailing(const struct format_sink *sink, size_t size)
{
	char message[96];

	if (!size)
		return ERR_OK;
	(void)snprintf(message, sizeof(message), "%zu bytes follow the revocation list", size);
	return sink->problem(sink->arg, REASON_MALFORMED, slice_of(NULL, 0), message);
}

enum err format_crl_tell(const struct format_sink *sink, struct slice der)
{
	struct record r = { .kind = RECORD_CRL };
	struct why why = { 0 };
	size_t rest = 0;
	enum err e = crl_read(der, &r.crl, &rest, &why);

	if (e == ERR_MEMORY)
		return e;
	if (e != ERR_OK)
		return sink->problem(
			sink->arg, REASON_MALFORMED, slice_of(NULL, 0), why_text(&why, e));
	e = sink->record ? sink->record(sink->arg, &r) : ERR_OK;
	record_fini(&r);
	return e == ERR_OK ? trailing(sink, rest) : e;
}

static enum format_answer crl_parse(const struct format_input *in, const struct format_sink *sink)
{
	if (!crl_is_evident(in->bytes))
		return FORMAT_NOT_MINE;
	return format_crl_tell(sink, in->bytes) == ERR_OK ? FORMAT_MINE : FORMAT_BROKEN;
}

extern const struct format format_crl;
const struct format format_crl = {
	.name = "crl",
	.help = "certificate revocation lists, DER or PEM",
	.bytes_max = FORMAT_CRL_BYTES_MAX,
	.sniff = crl_sniff,
	.parse = crl_parse,
};
