/* PEM (RFC 7468, RFC 1421): certificate blocks anywhere in any text. */
#include "agent/certificate/certificate.h"
#include "scanners/formats/asn1.h"
#include "scanners/formats/format.h"
#include "scanners/formats/keys.h"
#include "scanners/formats/pem_body.h"

#include <stdio.h>

#define DASHES "-----"
#define BEGIN "-----BEGIN "
#define END "-----END"
#define LABEL_BYTES_MAX 64
#define ALIAS_BYTES_MAX 65536
#define FLAGS_BYTES_MAX 4096
#define ASN1_UTF8 0x0c
#define PROC_TYPE "Proc-Type: 4,ENCRYPTED"
/* Decoded bytes below which a block is a sketch in a manual, not a certificate; and below which not even
 * a well-formed element counts. */
#define CERTIFICATE_BYTES_MIN 64
#define ELEMENT_BYTES_MIN 8

enum label { LABEL_OTHER, LABEL_CERTIFICATE, LABEL_TRUSTED, LABEL_CONTAINER, LABEL_CRL, LABEL_KEY };

static const struct {
	const char *text;
	enum label label;
} labels[] = {
	{ "CERTIFICATE", LABEL_CERTIFICATE },
	{ "X509 CERTIFICATE", LABEL_CERTIFICATE },
	{ "X.509 CERTIFICATE", LABEL_CERTIFICATE },
	{ "NEW CERTIFICATE", LABEL_CERTIFICATE },
	{ "TRUSTED CERTIFICATE", LABEL_TRUSTED },
	{ "CERTIFICATE CHAIN", LABEL_CONTAINER },
	{ "PKCS7", LABEL_CONTAINER },
	{ "PKCS #7", LABEL_CONTAINER },
	{ "PKCS #7 SIGNED DATA", LABEL_CONTAINER },
	{ "CMS", LABEL_CONTAINER },
	{ "PKCS12", LABEL_CONTAINER },
	{ "X509 CRL", LABEL_CRL },
	{ "X.509 CRL", LABEL_CRL },
	{ "CRL", LABEL_CRL },
	{ "PRIVATE KEY", LABEL_KEY },
	{ "ENCRYPTED PRIVATE KEY", LABEL_KEY },
	{ "RSA PRIVATE KEY", LABEL_KEY },
	{ "EC PRIVATE KEY", LABEL_KEY },
	{ "DSA PRIVATE KEY", LABEL_KEY },
	{ "OPENSSH PRIVATE KEY", LABEL_KEY },
};

struct block {
	enum label label;
	struct pem_body body;
	bool has_end;
	bool is_cut;        /* its end lies behind that of the content, of which that is told */
	struct slice whole; /* from the BEGIN line to the END line */
};

struct pem {
	const struct format_sink *sink;
	struct buffer der;
	struct keys keys;
	bool found;
	enum err status;
};

/* Where the content ends too early, and that is told, a block that goes on there is not damaged. */
static void block_of_cut(struct block *b, const struct format_input *in)
{
	const struct slice *text = &b->body.text;

	b->is_cut = in->is_cut && !b->has_end && text->data &&
		    text->data + text->size == in->bytes.data + in->bytes.size;
}

static enum label label_of(struct slice s)
{
	for (size_t i = 0; i < sizeof(labels) / sizeof(labels[0]); i++)
		if (strlen(labels[i].text) == s.size && memcmp(labels[i].text, s.data, s.size) == 0)
			return labels[i].label;
	return LABEL_OTHER;
}

/* From the next BEGIN or END line on; empty where there is none. */
static struct slice next_line(struct slice s)
{
	while (s.size) {
		const uint8_t *at = memchr(s.data, '-', s.size);

		if (!at)
			break;
		s = slice_after(s, (size_t)(at - s.data));
		if (slice_starts(s, BEGIN, strlen(BEGIN)) || slice_starts(s, END, strlen(END)))
			return s;
		s = slice_after(s, 1);
	}
	return slice_of(NULL, 0);
}

static struct slice line_before(struct slice text, const uint8_t *at)
{
	const uint8_t *from = at;

	while (from > text.data && from[-1] != '\n' && from[-1] != '\r')
		from--;
	return slice_of(from, (size_t)(at - from));
}

static size_t line_size(struct slice s)
{
	size_t size = 0;

	while (size < s.size && s.data[size] != '\n' && s.data[size] != '\r')
		size++;
	return size;
}

/* The next block of `*left`, which then starts behind it; `text` is the whole. */
static bool next_block(struct slice text, struct slice *left, struct block *out)
{
	struct slice line = *left, end;
	size_t label = 0;

	do {
		line = next_line(line);
		if (!line.size)
			return false;
		if (slice_starts(line, BEGIN, strlen(BEGIN)))
			break;
		line = slice_after(line, 1);
	} while (line.size);
	if (!line.size)
		return false;
	*out = (struct block){ .body.before = line_before(text, line.data), .whole = line };
	line = slice_after(line, strlen(BEGIN));
	while (label < line.size && label < LABEL_BYTES_MAX && line.data[label] != '-' &&
		line.data[label] != '\n')
		label++;
	*left = line;
	if (!slice_starts(slice_after(line, label), DASHES, strlen(DASHES)))
		return true;
	out->label = label_of(slice_of(line.data, label));
	line = slice_after(line, label + strlen(DASHES));
	end = next_line(line);
	out->body.text = slice_of(line.data, end.size ? (size_t)(end.data - line.data) : line.size);
	out->has_end = slice_starts(end, END, strlen(END));
	if (out->has_end)
		out->whole.size = (size_t)(end.data - out->whole.data) + line_size(end);
	*left = end;
	return true;
}

static void say(struct pem *p, enum err e)
{
	p->found = true;
	if (p->status == ERR_OK)
		p->status = e;
}

static void problem(struct pem *p, struct slice bytes, const char *message)
{
	say(p, p->sink->problem(p->sink->arg, REASON_MALFORMED, bytes, message));
}

/* What the block lacks, NULL where it is whole. */
static const char *fault(const struct block *b, bool is_clean)
{
	if (!is_clean)
		return "what stands in the PEM block is not all base64";
	return b->has_end ? NULL : "the PEM block has no END line";
}

/* A BEGIN line is also written in manuals and programs, with a placeholder behind it. Is this one? */
static bool is_sketch(const struct block *b, struct slice der, bool is_whole)
{
	struct evident_certificate evident;

	/* One element of BER and nothing else is no accident. */
	if (is_whole && b->has_end)
		return der.size < ELEMENT_BYTES_MIN;
	if (der.size < CERTIFICATE_BYTES_MIN)
		return true;
	return !b->has_end && !is_whole && !certificate_is_evident(der, &evident);
}

/* Purposes of a list of OIDs, as " word,word". */
static void put_purposes(struct buffer *out, const char *what, struct slice list)
{
	static const char *const words[] = { "serverAuth", "clientAuth", "codeSigning",
		"emailProtection" };
	static const char prefix[] = "\x2b\x06\x01\x05\x05\x07\x03";
	const size_t size = sizeof(prefix) - 1;
	char text[ASN1_OID_TEXT_BYTES];
	const char *before = what;
	struct asn1 oid;

	while (asn1_expect(&list, ASN1_OID, &oid)) {
		bool is_known = oid.content.size == size + 1 &&
				memcmp(oid.content.data, prefix, size) == 0 &&
				oid.content.data[size] >= 1 && oid.content.data[size] <= 4;

		asn1_oid_text(oid.content, text, sizeof(text));
		buffer_format(out, "%s%s%s", out->size && before == what ? " " : "", before,
			is_known ? words[oid.content.data[size] - 1] : text);
		before = ",";
	}
}

/* X509_CERT_AUX of OpenSSL: SEQUENCE { trust SEQUENCE OF OID, reject [0], alias UTF8String, ... }, all
 * optional. Tells the settings and returns the alias, which lies in `buffer`, or NULL. */
static const char *trusted_alias(
	const struct format_sink *sink, struct slice aux, struct buffer *buffer)
{
	struct asn1 all, item;
	struct buffer flags;

	if (!asn1_expect(&aux, ASN1_SEQUENCE, &all))
		return NULL;
	buffer_init(&flags, FLAGS_BYTES_MAX);
	if (asn1_expect(&all.content, ASN1_SEQUENCE, &item))
		put_purposes(&flags, "trust ", item.content);
	if (asn1_expect(&all.content, ASN1_CONTEXT_0 | ASN1_CONSTRUCTED, &item))
		put_purposes(&flags, "reject ", item.content);
	if (flags.size && sink->trust)
		sink->trust(sink->arg, buffer_string(&flags));
	buffer_fini(&flags);
	if (!asn1_expect(&all.content, ASN1_UTF8, &item))
		return NULL;
	buffer_slice(buffer, item.content);
	return buffer->size ? buffer_string(buffer) : NULL;
}

static void certificate(struct pem *p, const struct block *b, bool is_clean)
{
	struct slice der = buffer_bytes(&p->der), left = der;
	const char *wrong = fault(b, is_clean);
	struct asn1 item = { 0 };
	bool is_whole = asn1_next(&left, &item) && item.whole.size;
	const char *aux = NULL;
	struct buffer alias;

	if (!der.size || (wrong && der.data[0] != ASN1_SEQUENCE))
		return;
	if (is_sketch(b, der, is_whole && !wrong && !left.size))
		return;
	if (!is_whole || item.tag != ASN1_SEQUENCE) {
		if (b->is_cut)
			return;
		problem(p, der,
			is_whole ? "the PEM block holds no certificate"
				 : "the certificate is cut off");
		return;
	}
	buffer_init(&alias, ALIAS_BYTES_MAX);
	/* A trusted certificate is followed by OpenSSL's own data; a block without end by anything. */
	if (b->label == LABEL_TRUSTED || wrong)
		der = item.whole;
	if (b->label == LABEL_TRUSTED)
		aux = trusted_alias(p->sink, left, &alias);
	say(p, p->sink->certificate(p->sink->arg, der, aux, NULL));
	buffer_fini(&alias);
	if (wrong && !b->is_cut)
		problem(p, slice_of(NULL, 0), wrong);
}

static void container(struct pem *p, const struct block *b, bool is_clean)
{
	struct slice der = buffer_bytes(&p->der);
	enum err e;

	if (der.size < CERTIFICATE_BYTES_MIN || b->is_cut)
		return;
	e = p->sink->nested(p->sink->arg, NULL, der);
	if (e == ERR_NOT_FOUND || (e == ERR_OK && !is_clean))
		problem(p, slice_of(NULL, 0),
			b->has_end ? "the PEM block does not hold what its label says"
				   : "the PEM block has no END line");
	else
		say(p, e);
}

static void crl(struct pem *p, const struct block *b, bool is_clean)
{
	struct slice der = buffer_bytes(&p->der);
	const char *wrong = fault(b, is_clean);

	if (der.size < CERTIFICATE_BYTES_MIN || b->is_cut)
		return;
	say(p, format_crl_tell(p->sink, der));
	if (wrong)
		problem(p, slice_of(NULL, 0), wrong);
}

/* RFC 1421 4.6: headers stand before the base64, and an empty line ends them. */
static bool is_sealed(const struct block *b)
{
	return memmem(b->body.text.data, b->body.text.size, PROC_TYPE, strlen(PROC_TYPE));
}

/* What is damaged or only a sketch of a key is no news; nothing of a key is left behind. */
static void key(struct pem *p, const struct block *b)
{
	struct buffer der;
	enum err e = ERR_NOT_FOUND;

	if (!b->has_end || b->body.text.size > 4 * (size_t)PRIVATE_KEY_BYTES_MAX)
		return;
	buffer_init(&der, PRIVATE_KEY_BYTES_MAX);
	if (is_sealed(b))
		e = keys_take_openssl(&p->keys, b->whole);
	/* At once, so that growing leaves no copies. */
	else if (buffer_reserve(&der, PRIVATE_KEY_BYTES_MAX) && pem_body_decode(&b->body, &der) &&
		 buffer_status(&der) == ERR_OK)
		e = keys_take(&p->keys, buffer_bytes(&der), false);
	if (e == ERR_NOT_FOUND)
		e = keys_take_openssh(&p->keys, buffer_bytes(&der));
	if (e != ERR_NOT_FOUND)
		say(p, e);
	buffer_wipe(&der);
}

/* Windows' certutil and certificate services write any content as a CERTIFICATE: a PKCS#7 or PKCS#12 begins with an
 * identifier or a version, where a certificate has what is signed (RFC 5280 4.1). */
static bool is_other_content(struct slice der)
{
	struct asn1 item;

	return asn1_expect(&der, ASN1_SEQUENCE, &item) && item.content.size &&
	       (item.content.data[0] == ASN1_OID || item.content.data[0] == ASN1_INTEGER);
}

static bool take_other_content(struct pem *p, bool is_clean)
{
	struct slice der = buffer_bytes(&p->der);
	enum err e;

	if (!is_clean || !is_other_content(der))
		return false;
	e = p->sink->nested(p->sink->arg, NULL, der);
	if (e == ERR_NOT_FOUND)
		return false;
	say(p, e);
	return true;
}

static void take_block(struct pem *p, const struct block *b)
{
	bool is_clean;

	if (b->label == LABEL_KEY)
		key(p, b);
	/* All else is not even decoded. */
	if (b->label == LABEL_OTHER || b->label == LABEL_KEY)
		return;
	buffer_clear(&p->der);
	format_place(p->sink, b->body.text.data);
	is_clean = pem_body_decode(&b->body, &p->der);
	if (buffer_status(&p->der) != ERR_OK) {
		say(p, format_limited(
			       p->sink, "a PEM block is larger than is decoded", "decoded_size"));
		return;
	}
	if (b->label == LABEL_CRL)
		crl(p, b, is_clean);
	else if (b->label == LABEL_CONTAINER)
		container(p, b, is_clean);
	else if (!take_other_content(p, is_clean))
		certificate(p, b, is_clean);
}

static enum format_answer pem_parse(const struct format_input *in, const struct format_sink *sink)
{
	struct pem p = { .sink = sink,
		.keys = { .in = in, .sink = sink, .budget = pbe_budget_of(in) } };
	struct slice left = in->bytes;
	struct block block;

	buffer_init(&p.der, format_bytes_max(in));
	while (p.status == ERR_OK && next_block(in->bytes, &left, &block)) {
		block_of_cut(&block, in);
		take_block(&p, &block);
	}
	buffer_wipe(&p.der);
	return p.found ? FORMAT_MINE : FORMAT_NOT_MINE;
}

extern const struct format format_pem;
const struct format format_pem = {
	.name = "pem",
	.help = "PEM blocks of certificates, keys, revocation lists and PKCS#7 anywhere in a text",
	.password = "encrypted keys",
	.text_markers = (const char *const[]){ "-----BEGIN ", NULL },
	.parse = pem_parse,
};
