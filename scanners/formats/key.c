/* A bare private key in DER: PKCS#8, also encrypted (RFC 5958), PKCS#1 (RFC 8017), SEC 1 (RFC 5915). */
#include "scanners/formats/asn1.h"
#include "scanners/formats/keys.h"

static bool key_sniff(struct slice head, struct file_size_hint size)
{
	return (!size.is_known || size.size <= PRIVATE_KEY_BYTES_MAX) &&
	       private_key_form(head) != PRIVATE_KEY_NONE;
}

static enum format_answer key_parse(const struct format_input *in, const struct format_sink *sink)
{
	struct keys keys = { .in = in, .sink = sink, .budget = pbe_budget_of(in) };
	struct slice rest = in->bytes, own = in->bytes;
	struct asn1 item;

	if (in->bytes.size > PRIVATE_KEY_BYTES_MAX)
		return FORMAT_NOT_MINE;
	if (asn1_next(&rest, &item) && item.whole.size)
		own = item.whole;
	if (keys_take(&keys, own, false) == ERR_NOT_FOUND)
		return FORMAT_NOT_MINE;
	/* Its certificates may stand behind it. */
	if (own.size < in->bytes.size && rest.size)
		(void)!sink->nested(sink->arg, NULL, rest);
	return FORMAT_MINE;
}

extern const struct format format_key;
const struct format format_key = {
	.name = "key",
	.help = "bare private key in DER: of it only the public half's hash is told",
	.password = "encrypted keys",
	.sniff = key_sniff,
	.parse = key_parse,
};
