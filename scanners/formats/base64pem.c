/* Texts in base64 inside a text: PEM, as kubeconfigs and Kubernetes objects carry it; and what holds
 * certificates in base64 itself, as a kubeconfig, a set of JSON Web Keys or SAML metadata do that lie in a Secret. */
#include "scanners/formats/base64_text.h"
#include "scanners/formats/format.h"

/* Base64 of "-----BEGIN ", of base64 of that, of "X509Certificate>" and of what base64 of most certificates has at
 * its start, in the three ways in which each may lie on groups of three bytes: at the start of one, behind one
 * byte, behind two. */
static const char *const markers[] = { "LS0tLS1CRUdJTi", "0tLS0tQkVHSU4g", "tLS0tLUJFR0lO",
	"TFMwdExTMUNSVWRKVG", "xTMHRMUzFDUlVkSlRp", "MUzB0TFMxQ1JVZEpUa", "WDUwOUNlcnRpZmljYXRlP",
	"g1MDlDZXJ0aWZpY2F0ZT", "YNTA5Q2VydGlmaWNhdGU", "Z0F3SUJBZ0", "dBd0lCQWdJ", "nQXdJQkFnS",
	"QURBZ0VDQ", "FEQWdFQ0", "BREFnRUNB", NULL };

#define GROUP_DIGITS 4
#define WAYS 3
static const struct {
	unsigned phase; /* digits of the group before the marker */
	size_t skip;    /* digits of the marker before the first whole group ... */
	size_t lost;    /* ... and how many bytes of it they stand for */
} ways[WAYS] = { { 0, 0, 0 }, { 2, 2, 2 }, { 3, 1, 1 } };
/* What begins there, by threes of the markers. */
static const char *const plain_markers[] = { "--", "LS", "X5", "gA", "AD" };

/* From its start on, so that it goes by the names it has there: as far in as what marks it lies on its groups. Where
 * it cannot be read from there, from the marker on. Returns where it ends. */
static size_t decode(struct slice text, size_t at, size_t which, size_t least, struct buffer *plain)
{
	size_t skip = ways[which % WAYS].skip;
	unsigned phase;
	size_t start = base64_run_start(text, at, least, &phase);
	size_t end = 0;

	start += (phase + GROUP_DIGITS - ways[which % WAYS].phase) % GROUP_DIGITS;
	if (start <= at)
		end = start + base64_text_decode(slice_after(text, start), BASE64_ALL, plain);
	if (end > at)
		return end;
	buffer_clear(plain);
	buffer_append(plain, plain_markers[which / WAYS], ways[which % WAYS].lost);
	return at + skip + base64_text_decode(slice_after(text, at + skip), BASE64_ALL, plain);
}

static enum format_answer base64_parse(
	const struct format_input *in, const struct format_sink *sink)
{
	struct base64_search search = { .text = in->bytes, .markers = markers };
	enum err e = ERR_OK;
	struct buffer plain;
	bool found = false;
	size_t from = 0, at, which;

	buffer_init(&plain, format_bytes_max(in));
	while ((e == ERR_OK || e == ERR_NOT_FOUND) &&
		base64_search_next(&search, from, &at, &which)) {
		format_place(sink, in->bytes.data + at);
		buffer_clear(&plain);
		from = decode(in->bytes, at, which, from, &plain);
		e = buffer_status(&plain);
		if (e == ERR_OK)
			e = sink->nested(sink->arg, NULL, buffer_bytes(&plain));
		else if (e == ERR_LIMIT)
			e = format_limited(
				sink, "a text in base64 is larger than is decoded", "decoded_size");
		found = found || e == ERR_OK;
	}
	buffer_wipe(&plain);
	return found ? FORMAT_MINE : FORMAT_NOT_MINE;
}

extern const struct format format_base64_pem;
const struct format format_base64_pem = {
	.name = "base64-pem",
	.help = "base64 of PEM inside a text, and of texts with certificates in base64: kubeconfigs in Secrets",
	.password = "encrypted keys",
	.text_markers = markers,
	.parse = base64_parse,
};
