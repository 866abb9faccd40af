/* A bare private key in DER: PKCS#8, also encrypted (RFC 5958), PKCS#1 (RFC 8017), SEC 1 (RFC 5915). */
#include "scanners/formats/keys.h"

static bool key_sniff(struct slice head, struct file_size_hint size)
{
	return (!size.is_known || size.size <= PRIVATE_KEY_BYTES_MAX) &&
	       private_key_form(head) != PRIVATE_KEY_NONE;
}

static enum format_answer key_parse(const struct format_input *in, const struct format_sink *sink)
{
	struct keys keys = { .in = in, .sink = sink, .budget = pbe_budget_of(in) };

	if (in->bytes.size > PRIVATE_KEY_BYTES_MAX)
		return FORMAT_NOT_MINE;
	return keys_take(&keys, in->bytes, false) == ERR_NOT_FOUND ? FORMAT_NOT_MINE : FORMAT_MINE;
}

extern const struct format format_key;
const struct format format_key = {
	.name = "key",
	.help = "bare private key in DER: of it only the public half's hash is told",
	.password = "encrypted keys",
	.sniff = key_sniff,
	.parse = key_parse,
};
