/* The general finder: base64 of the DER of certificates and revocation lists, of PKCS#7, PKCS#12, Java's and
 * Bouncy Castle's keystores anywhere in a text, as in JSON Web Keys, property lists, Terraform's state, LDIF,
 * Kubernetes Secrets. The first digits of most are known, because the first bytes are; of what begins with a
 * serial number, those of the signature's algorithm. What then comes is decided by the formats of these
 * bytes. */
#include "scanners/formats/asn1.h"
#include "scanners/formats/base64.h"
#include "scanners/formats/base64_finder.h"
#include "scanners/formats/base64_text.h"

#define PEM_BEGIN "-----BEGIN "
#define PEM_END "-----END"
#define PEM_DASHES "-----"
#define ELEMENT "X509Certificate>"
#define CDATA "<![CDATA["
/* From a BEGIN line to the base64: its headers (RFC 1421). */
#define PEM_HEADER_BYTES_MAX 4096
/* From the base64 to the END line. */
#define PEM_BODY_BYTES_MAX (1024 * 1024)
/* Digits that show an element's tag and length, and how many bytes they are. */
#define HEADER_DIGITS 12
#define HEADER_BYTES 9
/* Decoded bytes below which it is a placeholder. */
#define CONTENT_BYTES_MIN 64

/* Any number of digits up to this: two headers, a serial number of 20 bytes, a header. */
#define LEAD_ANY 48
/* The bytes that they are, and those of the identifier's header. */
#define SIGNED_HEAD_BYTES 40

/* Part of the first digits, behind the length, which may be any. In brackets what they say. */
static const char *const markers[] = {
	"gAwIBAgI", /* SEQUENCE { SEQUENCE { [0] { INTEGER 2 } INTEGER, two bytes of length each */
	"ADAgECA",  /* the same with one byte of length in the inner */
	"oAMCAQIC", /* and in both */
	"IBAzCC",   /* SEQUENCE { INTEGER 3 SEQUENCE: PKCS#12 */
	"ACAQMwgAYJ",         /* the same in BER, lengths indefinite */
	"YJKoZIhvcNAQcC",     /* SEQUENCE { signedData: PKCS#7 */
	"MIAGCSqGSIb3DQEHAq", /* the same in BER */
	"u3+7QAAAAI",         /* Java keystore, version 2, behind a slash */
	"zs7OzgAAAA",         /* the same with the magic of JCEKS */
	"AAAAAQAAAB",         /* Bouncy Castle's keystore: version 1, a salt of 20 bytes */
	"AAAAAgAAAB",         /* version 2 */
	/* Object identifiers of RSA's and of ECDSA's signatures, as they may lie on groups of three bytes */
	"BgkqhkiG9w0BA",
	"YJKoZIhvcNAQ",
	"GCSqGSIb3DQEB",
	"BggqhkjOPQ",
	"YIKoZIzj0E",
	"GCCqGSM49B",
	NULL,
};
/* Digits before the marker. */
static const uint8_t leads[] = { 11, 10, 8, 6, 2, 6, 0, 1, 0, 0, 0, LEAD_ANY, LEAD_ANY, LEAD_ANY,
	LEAD_ANY, LEAD_ANY, LEAD_ANY };

/* --- what other formats take ------------------------------------------------------------------- */

static const uint8_t *last(struct slice s, const char *word)
{
	const uint8_t *found = NULL;

	while (s.size) {
		const uint8_t *at = memmem(s.data, s.size, word, strlen(word));

		if (!at)
			break;
		found = at;
		s = slice_after(s, (size_t)(at - s.data) + 1);
	}
	return found;
}

static size_t blanks(struct slice s)
{
	size_t n = 0;

	while (n < s.size && s.data[n] && strchr(" \t\r\n\\nrt", s.data[n]))
		n++;
	return n;
}

/* Between a BEGIN line and an END line, or right behind a BEGIN line, it is PEM. */
static bool is_pem(struct slice text, size_t at)
{
	size_t from = at > PEM_HEADER_BYTES_MAX ? at - PEM_HEADER_BYTES_MAX : 0;
	const uint8_t *begin = last(slice_of(text.data + from, at - from), PEM_BEGIN);
	struct slice between, after = slice_after(text, at);
	const uint8_t *dashes, *end;

	if (!begin)
		return false;
	between = slice_of(begin, (size_t)(text.data + at - begin));
	if (memmem(between.data, between.size, PEM_END, strlen(PEM_END)))
		return false;
	between = slice_after(between, strlen(PEM_BEGIN));
	dashes = between.size ? memmem(between.data, between.size, PEM_DASHES, strlen(PEM_DASHES))
			      : NULL;
	if (!dashes)
		return false;
	between = slice_after(between, (size_t)(dashes - between.data) + strlen(PEM_DASHES));
	if (blanks(between) == between.size)
		return true;
	if (after.size > PEM_BODY_BYTES_MAX)
		after.size = PEM_BODY_BYTES_MAX;
	if (!after.size)
		return false;
	end = memmem(after.data, after.size, PEM_DASHES, strlen(PEM_DASHES));
	return end && slice_starts(slice_after(after, (size_t)(end - after.data)), PEM_END,
			      strlen(PEM_END));
}

/* Right behind a start tag it is XML's. */
static bool is_xml(struct slice text, size_t at)
{
	size_t tag = strlen(ELEMENT);

	for (;;) {
		if (at && strchr(" \t\r\n", text.data[at - 1]) && text.data[at - 1])
			at--;
		else if (at >= strlen(CDATA) &&
			 memcmp(text.data + at - strlen(CDATA), CDATA, strlen(CDATA)) == 0)
			at -= strlen(CDATA);
		else
			break;
	}
	return at > tag && memcmp(text.data + at - tag, ELEMENT, tag) == 0;
}

static bool is_taken(struct slice text, size_t at)
{
	return is_pem(text, at) || is_xml(text, at) || smime_has_body(text, at);
}

/* --- taking ------------------------------------------------------------------------------------ */

/* How many digits the element has of which `s` is the base64; BASE64_ALL where only its end tells. 0 = none. */
static size_t digits_of(struct slice s)
{
	size_t header, size;
	struct buffer head;
	size_t digits = 0;
	uint8_t tag;

	buffer_init(&head, HEADER_BYTES);
	(void)base64_text_decode(s, HEADER_DIGITS, &head);
	if (head.size && head.data[0] != ASN1_SEQUENCE)
		digits = BASE64_ALL;
	else if (asn1_header(buffer_bytes(&head), &tag, &header, &size) && size)
		digits = size == SIZE_MAX              ? BASE64_ALL
			 : size > FORMAT_BYTES_CEILING ? 0
						       : ((header + size) * 8 + 5) / 6;
	buffer_fini(&head);
	return digits;
}

/* SEQUENCE { SEQUENCE { INTEGER?, SEQUENCE { OBJECT IDENTIFIER: a revocation list, or a certificate without a
 * version (RFC 5280 4.1, 5.1). A public key has one SEQUENCE less, a certificate of version 3 begins with [0]. */
static bool is_signed_head(struct slice s)
{
	static const uint8_t tags[] = { ASN1_SEQUENCE, ASN1_SEQUENCE, ASN1_INTEGER, ASN1_SEQUENCE,
		ASN1_OID };
	struct buffer bytes;
	struct slice head;
	bool is_it = true;

	buffer_init(&bytes, SIGNED_HEAD_BYTES + 8);
	(void)base64_text_decode(s, LEAD_ANY + 4, &bytes);
	head = buffer_bytes(&bytes);
	for (size_t i = 0; is_it && i < sizeof(tags); i++) {
		bool is_serial = tags[i] == ASN1_INTEGER;
		size_t header, size;
		uint8_t tag;

		is_it = asn1_header(head, &tag, &header, &size) &&
			(tag == tags[i] || (is_serial && tag == ASN1_SEQUENCE));
		if (is_it && tag == tags[i])
			head = slice_after(head, header + (is_serial ? size : 0));
	}
	buffer_fini(&bytes);
	return is_it;
}

/* Where the run begins that has this marker; false where it is not what the marker stands for. */
static bool find_start(struct slice text, size_t at, size_t which, size_t *start)
{
	size_t lead = leads[which];

	if (lead == LEAD_ANY) {
		size_t from = at;

		while (at - from < LEAD_ANY && !base64_is_start(text, from))
			from -= base64_digit_before(text, from);
		*start = from;
		return base64_is_start(text, from) && is_signed_head(slice_after(text, from));
	}
	for (*start = at; lead; lead--) {
		size_t size = base64_digit_before(text, *start);

		if (!size)
			return false;
		*start -= size;
	}
	return base64_is_start(text, *start);
}

static size_t take(struct base64_finder *f, struct slice text, size_t start, size_t which)
{
	size_t digits = is_taken(text, start) ? 0 : digits_of(slice_after(text, start));
	size_t end;

	(void)which;
	if (!digits)
		return start;
	buffer_clear(&f->bytes);
	end = start + base64_text_decode(slice_after(text, start), digits, &f->bytes);
	if (buffer_status(&f->bytes) != ERR_OK) {
		base64_failed(f, buffer_status(&f->bytes), text, start);
		return end;
	}
	if (f->bytes.size < CONTENT_BYTES_MIN ||
		(digits != BASE64_ALL && f->bytes.size < digits * 6 / 8 &&
			base64_is_sketch(slice_after(text, end))))
		return end;
	base64_tell(f, text, start);
	return end;
}

static enum format_answer base64_parse(
	const struct format_input *in, const struct format_sink *sink)
{
	struct base64_finder f = { .in = in,
		.sink = sink,
		.markers = markers,
		.find = find_start,
		.take = take,
		.too_many = "base64 begins in too many places: not all were looked at" };

	return base64_find(&f);
}

extern const struct format format_base64;
const struct format format_base64 = {
	.name = "base64",
	.help = "base64 of DER certificates, CRLs, PKCS#7, PKCS#12, JKS, JCEKS and BKS inside a text: x5c, plists, LDIF",
	.password = "keystores, to open",
	.text_markers = markers,
	.parse = base64_parse,
};
