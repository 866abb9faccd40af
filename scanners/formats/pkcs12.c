/* The certificates of a PKCS#12 file (RFC 7292), with and without keys, passwords and integrity. */
#include "scanners/formats/asn1.h"
#include "scanners/formats/keys.h"
#include "scanners/formats/oid.h"
#include "scanners/formats/pbe.h"
#include "scanners/formats/unicode.h"

#include <stdio.h>

#define CONTEXT(n) (ASN1_CONTEXT_0 | ASN1_CONSTRUCTED | (n))
#define PKCS9 "\x2a\x86\x48\x86\xf7\x0d\x01\x09"
#define OID_FRIENDLY_NAME PKCS9 "\x14"
#define OID_X509_CERTIFICATE PKCS9 "\x16\x01"
#define PKCS12_BAG "\x2a\x86\x48\x86\xf7\x0d\x01\x0c\x0a\x01"
#define OID_KEY_BAG PKCS12_BAG "\x01"
#define OID_SHROUDED_KEY_BAG PKCS12_BAG "\x02"
#define OID_CERTIFICATE_BAG PKCS12_BAG "\x03"
#define OID_CRL_BAG PKCS12_BAG "\x04"
#define OID_X509_CRL PKCS9 "\x17\x01"
#define OID_SAFE_CONTENTS_BAG PKCS12_BAG "\x06"

#define ALIAS_BYTES_MAX 65536
/* SafeContents inside SafeContents. */
#define BAG_DEPTH_MAX 8
/* Passwords tried before the candidates: none, and the empty one. They differ (RFC 7292 B.1). */
#define FIXED_PASSWORDS 2
#define NO_PASSWORD SIZE_MAX

struct walk {
	const struct format_input *in;
	const struct format_sink *sink;
	const char *integrity;
	struct pbe_budget budget;
	struct keys keys;
	bool is_inside;   /* an encrypted part */
	size_t opened_by; /* password that verified the MAC or opened a part, or NO_PASSWORD */
	bool has_content; /* other than keys */
	bool is_malformed;
	bool is_locked;
	bool is_limited;
	bool is_too_deep;
	bool is_unsupported;
	char oid[ASN1_OID_TEXT_BYTES];
	enum err status;
};

static bool pkcs12_sniff(struct slice head, struct file_size_hint size)
{
	size_t header, length;
	struct asn1 version;
	uint8_t tag;

	(void)size;
	if (!asn1_header(head, &tag, &header, &length) || tag != ASN1_SEQUENCE)
		return false;
	head = slice_after(head, header);
	if (!asn1_expect(&head, ASN1_INTEGER, &version) || version.content.size != 1)
		return false;
	if (!asn1_header(head, &tag, &header, &length) || tag != ASN1_SEQUENCE)
		return false;
	head = slice_after(head, header);
	return head.size > 2 && head.data[0] == ASN1_OID &&
	       slice_starts(slice_after(head, 2), OID_PKCS7, sizeof(OID_PKCS7) - 1);
}

static size_t password_count(const struct walk *w)
{
	return FIXED_PASSWORDS + (w->in->passwords ? w->in->passwords->count : 0);
}

static const char *password_at(const struct walk *w, size_t i)
{
	if (i < FIXED_PASSWORDS)
		return i ? "" : NULL;
	return w->in->passwords->items[i - FIXED_PASSWORDS];
}

static void malformed(struct walk *w, struct slice bytes, const char *message)
{
	enum err e = w->sink->problem(w->sink->arg, REASON_MALFORMED, bytes, message);

	w->is_malformed = true;
	if (w->status == ERR_OK)
		w->status = e;
}

/* --- bags ------------------------------------------------------------------------------------- */

/* SET OF SEQUENCE { OID, SET { BMPString } } */
static void take_alias(struct slice attributes, struct buffer *out)
{
	struct asn1 attribute, oid, values, text;

	while (asn1_expect(&attributes, ASN1_SEQUENCE, &attribute)) {
		if (!asn1_expect(&attribute.content, ASN1_OID, &oid) ||
			!OID_IS(oid.content, OID_FRIENDLY_NAME) ||
			!asn1_expect(&attribute.content, ASN1_SET, &values) ||
			!asn1_expect(&values.content, ASN1_BMP_STRING, &text))
			continue;
		unicode_from_utf16be(text.content, out);
		return;
	}
}

/* Octets that could not be had: what is larger than is decoded is not damaged. */
static void not_had(struct walk *w, const struct buffer *copy, const char *message)
{
	if (buffer_status(copy) == ERR_LIMIT)
		w->is_limited = true;
	else
		malformed(w, slice_of(NULL, 0), message);
}

/* CertBag ::= SEQUENCE { certId OID, certValue [0] EXPLICIT OCTET STRING } */
static void take_certificate(struct walk *w, struct slice value, struct slice attributes)
{
	struct buffer copy, alias;
	struct asn1 bag, oid, outer, octets;
	struct slice der;

	if (!asn1_expect(&value, ASN1_SEQUENCE, &bag) ||
		!asn1_expect(&bag.content, ASN1_OID, &oid)) {
		malformed(w, slice_of(NULL, 0), "a certificate bag is damaged");
		return;
	}
	if (!OID_IS(oid.content, OID_X509_CERTIFICATE))
		return;
	w->has_content = true;
	buffer_init(&copy, format_bytes_max(w->in));
	buffer_init(&alias, ALIAS_BYTES_MAX);
	take_alias(attributes, &alias);
	if (asn1_expect(&bag.content, CONTEXT(0), &outer) && asn1_next(&outer.content, &octets) &&
		asn1_octets(&octets, &copy, &der))
		w->status = w->sink->certificate(
			w->sink->arg, der, alias.size ? buffer_string(&alias) : NULL, w->integrity);
	else
		not_had(w, &copy, "a certificate bag is damaged");
	buffer_fini(&alias);
	buffer_fini(&copy);
}

/* CRLBag ::= SEQUENCE { crlId OID, crlValue [0] EXPLICIT OCTET STRING } */
static void take_crl(struct walk *w, struct slice value)
{
	struct asn1 bag, oid, outer, octets;
	struct buffer copy;
	struct slice der;

	w->has_content = true;
	buffer_init(&copy, format_bytes_max(w->in));
	if (!asn1_expect(&value, ASN1_SEQUENCE, &bag) ||
		!asn1_expect(&bag.content, ASN1_OID, &oid) ||
		!asn1_expect(&bag.content, CONTEXT(0), &outer) ||
		!asn1_next(&outer.content, &octets) || !asn1_octets(&octets, &copy, &der))
		not_had(w, &copy, "a bag of a revocation list is damaged");
	else if (OID_IS(oid.content, OID_X509_CRL))
		w->status = format_crl_tell(w->sink, der);
	buffer_fini(&copy);
}

/* PrivateKeyInfo, or encrypted by itself; it shares the budget of the parts. */
static void take_key(struct walk *w, struct slice value, struct slice attributes)
{
	struct buffer alias;
	enum err e;

	buffer_init(&alias, ALIAS_BYTES_MAX);
	take_alias(attributes, &alias);
	w->keys.budget = w->budget;
	w->keys.alias = alias.size ? buffer_string(&alias) : NULL;
	w->keys.likely = w->opened_by == NO_PASSWORD || w->opened_by < FIXED_PASSWORDS
				 ? NULL
				 : password_at(w, w->opened_by);
	e = keys_take(&w->keys, value, w->is_inside && w->keys.likely);
	w->budget = w->keys.budget;
	if (e != ERR_NOT_FOUND)
		w->status = e;
	buffer_fini(&alias);
}

/* The content of a SafeContents, with those that lie inside. */
static void take_bags(struct walk *w, struct slice bags)
{
	struct slice stack[BAG_DEPTH_MAX] = { bags };
	unsigned depth = 1;

	while (depth && w->status == ERR_OK) {
		struct slice *level = &stack[depth - 1];
		struct asn1 bag, oid, value, attributes = { 0 };

		if (!level->size) {
			depth--;
			continue;
		}
		if (!asn1_expect(level, ASN1_SEQUENCE, &bag) ||
			!asn1_expect(&bag.content, ASN1_OID, &oid) ||
			!asn1_expect(&bag.content, CONTEXT(0), &value)) {
			malformed(w, slice_of(NULL, 0), "the bags end too early");
			return;
		}
		(void)asn1_expect(&bag.content, ASN1_SET, &attributes);
		if (OID_IS(oid.content, OID_CERTIFICATE_BAG))
			take_certificate(w, value.content, attributes.content);
		if (OID_IS(oid.content, OID_CRL_BAG))
			take_crl(w, value.content);
		if (OID_IS(oid.content, OID_KEY_BAG) || OID_IS(oid.content, OID_SHROUDED_KEY_BAG))
			take_key(w, value.content, attributes.content);
		if (!OID_IS(oid.content, OID_SAFE_CONTENTS_BAG) ||
			!asn1_expect(&value.content, ASN1_SEQUENCE, &bag))
			continue;
		if (depth == BAG_DEPTH_MAX) {
			w->is_too_deep = true;
			continue;
		}
		stack[depth++] = bag.content;
	}
}

/* SafeContents ::= SEQUENCE OF SafeBag. Random bytes hardly pass. */
static bool is_safe_contents(struct slice bytes, struct slice *bags)
{
	struct asn1 outer, bag, oid;
	struct slice first;

	if (!asn1_expect(&bytes, ASN1_SEQUENCE, &outer))
		return false;
	*bags = first = outer.content;
	return !first.size || (asn1_expect(&first, ASN1_SEQUENCE, &bag) &&
				      asn1_expect(&bag.content, ASN1_OID, &oid));
}

static void take_safe_contents(struct walk *w, struct slice bytes)
{
	struct slice bags;

	if (is_safe_contents(bytes, &bags))
		take_bags(w, bags);
	else
		malformed(w, slice_of(NULL, 0), "a part of the PKCS#12 file is damaged");
}

/* --- encrypted parts -------------------------------------------------------------------------- */

static void note(struct walk *w, enum err e)
{
	if (e == ERR_LIMIT)
		w->is_limited = true;
	else if (e == ERR_UNSUPPORTED)
		w->is_unsupported = true;
	else if (e == ERR_PASSWORD)
		w->is_locked = true;
	else if (e == ERR_MALFORMED)
		malformed(w, slice_of(NULL, 0), "an encrypted part is damaged");
	else if (e != ERR_OK)
		w->status = e;
}

/* One password on one part. */
static enum err try_password(struct walk *w, const struct pbe *p, struct slice secret, size_t i)
{
	struct buffer plain;
	struct slice bags;
	enum err e;

	buffer_init(&plain, format_bytes_max(w->in));
	e = pbe_decrypt(p, password_at(w, i), &w->budget, secret, &plain);
	if (e == ERR_OK && !is_safe_contents(buffer_bytes(&plain), &bags))
		e = ERR_PASSWORD;
	if (e == ERR_OK) {
		w->opened_by = i;
		w->is_inside = true;
		take_bags(w, bags);
		w->is_inside = false;
	}
	buffer_wipe(&plain);
	return e;
}

static void open_part(struct walk *w, const struct pbe *p, struct slice secret)
{
	size_t likely = w->opened_by;
	enum err e = ERR_PASSWORD;

	if (likely != NO_PASSWORD)
		e = try_password(w, p, secret, likely);
	for (size_t i = 0; e == ERR_PASSWORD && i < password_count(w); i++)
		/* PBKDF2 takes the empty password and none for the same. */
		if (i != likely && !(i == 1 && p->kind == PBE_PBES2))
			e = try_password(w, p, secret, i);
	note(w, e);
}

/* EncryptedData ::= SEQUENCE { version, EncryptedContentInfo { type, algorithm, [0] IMPLICIT OCTETS } } */
static void take_encrypted(struct walk *w, struct slice content)
{
	struct asn1 data, item, info, algorithm;
	struct buffer copy;
	struct slice secret;
	struct pbe p;
	enum err e;

	if (!asn1_expect(&content, ASN1_SEQUENCE, &data) ||
		!asn1_expect(&data.content, ASN1_INTEGER, &item) ||
		!asn1_expect(&data.content, ASN1_SEQUENCE, &info) ||
		!asn1_expect(&info.content, ASN1_OID, &item) ||
		!asn1_expect(&info.content, ASN1_SEQUENCE, &algorithm) ||
		!asn1_next(&info.content, &item)) {
		malformed(w, slice_of(NULL, 0), "an encrypted part is damaged");
		return;
	}
	e = pbe_read(algorithm.content, &p, w->oid);
	buffer_init(&copy, format_bytes_max(w->in));
	if (e == ERR_OK && !asn1_octets(&item, &copy, &secret))
		e = buffer_status(&copy) == ERR_OK ? ERR_MALFORMED : buffer_status(&copy);
	if (e == ERR_OK)
		open_part(w, &p, secret);
	else
		note(w, e);
	buffer_fini(&copy);
}

static void take_part(struct walk *w, struct slice info)
{
	struct asn1 oid, outer, octets;
	struct buffer copy;
	struct slice content;

	if (!asn1_expect(&info, ASN1_OID, &oid) || !asn1_expect(&info, CONTEXT(0), &outer)) {
		malformed(w, slice_of(NULL, 0), "a part of the PKCS#12 file is damaged");
		return;
	}
	if (OID_IS(oid.content, OID_ENCRYPTED_DATA)) {
		take_encrypted(w, outer.content);
		return;
	}
	if (!OID_IS(oid.content, OID_DATA)) {
		/* Encrypted for a key that we do not have. */
		asn1_oid_text(oid.content, w->oid, sizeof(w->oid));
		w->is_unsupported = true;
		return;
	}
	buffer_init(&copy, format_bytes_max(w->in));
	if (asn1_next(&outer.content, &octets) && asn1_octets(&octets, &copy, &content))
		take_safe_contents(w, content);
	else
		not_had(w, &copy, "a part of the PKCS#12 file is damaged");
	buffer_wipe(&copy);
}

/* --- the whole -------------------------------------------------------------------------------- */

/* "unverified" when no password verifies the MAC, "not-checked" when we cannot compute it. Nothing is
 * said of a file that claims no integrity. */
static void check_mac(struct walk *w, struct slice mac_data, struct slice content)
{
	char oid[ASN1_OID_TEXT_BYTES];
	struct pbe_mac mac;
	enum err e = pbe_mac_read(mac_data, &mac, oid);

	w->integrity = "not-checked";
	if (e != ERR_OK)
		return;
	e = ERR_PASSWORD;
	for (size_t i = 0; e == ERR_PASSWORD && i < password_count(w); i++) {
		e = pbe_mac_verify(&mac, password_at(w, i), &w->budget, content);
		if (e == ERR_OK)
			w->opened_by = i;
	}
	if (e == ERR_LIMIT)
		w->is_limited = true;
	if (e == ERR_OK)
		w->integrity = NULL;
	else if (e == ERR_PASSWORD)
		w->integrity = "unverified";
}

/* A locked key is no problem where its certificate was read. A store of which nothing could be read is one. */
static void report_key_alone(struct walk *w)
{
	const char *oid = w->keys.unsupported;

	if (!w->keys.has_locked || w->has_content || w->is_locked || w->is_malformed)
		return;
	if (*oid) {
		(void)snprintf(w->oid, sizeof(w->oid), "%s", oid);
		w->is_unsupported = true;
	} else if (!w->keys.is_limited) {
		w->is_locked = true;
	}
}

static void report(struct walk *w)
{
	bool has_candidates = w->in->passwords && w->in->passwords->count;
	char message[160];
	enum reason reason = has_candidates ? REASON_WRONG_PASSWORD : REASON_NEEDS_PASSWORD;

	if (w->is_unsupported && w->status == ERR_OK) {
		(void)snprintf(message, sizeof(message),
			"a part is encrypted with %s, which is not supported", w->oid);
		w->status = w->sink->problem(
			w->sink->arg, REASON_UNSUPPORTED, slice_of(NULL, 0), message);
	}
	if (w->is_too_deep && w->status == ERR_OK)
		w->status = w->sink->problem(w->sink->arg, REASON_LIMIT_REACHED, slice_of(NULL, 0),
			"its bags are nested too deeply");
	if (w->is_limited && w->status == ERR_OK)
		(void)format_locked(w->in, w->sink, ERR_LIMIT, NULL);
	else if (w->is_locked && w->in->passwords_left_out && w->status == ERR_OK)
		(void)format_locked(w->in, w->sink, ERR_PASSWORD, NULL);
	else if (w->is_locked && w->status == ERR_OK)
		w->status = w->sink->problem(w->sink->arg, reason, slice_of(NULL, 0),
			has_candidates       ? "no password given opens it"
			: w->keys.has_locked ? "its private key is encrypted"
					     : "its certificates are encrypted");
}

/* AuthenticatedSafe ::= SEQUENCE OF ContentInfo */
static void take_safe(struct walk *w, struct slice content)
{
	struct asn1 safe, info;

	if (!asn1_expect(&content, ASN1_SEQUENCE, &safe)) {
		malformed(w, slice_of(NULL, 0), "the PKCS#12 content is damaged");
		return;
	}
	while (w->status == ERR_OK && safe.content.size) {
		if (!asn1_expect(&safe.content, ASN1_SEQUENCE, &info)) {
			malformed(w, slice_of(NULL, 0), "the PKCS#12 content ends too early");
			return;
		}
		take_part(w, info.content);
	}
}

/* The OCTET STRING of the authSafe: data, or data that a key has signed (RFC 7292 4). */
static bool safe_octets(struct slice info, struct asn1 *octets, bool *is_signed)
{
	struct asn1 oid, item;

	if (!asn1_expect(&info, ASN1_OID, &oid) || !asn1_expect(&info, CONTEXT(0), &item))
		return false;
	*is_signed = OID_IS(oid.content, OID_SIGNED_DATA);
	if (!*is_signed)
		return asn1_next(&item.content, octets);
	/* SignedData: version, digestAlgorithms, SEQUENCE { data OID, [0] OCTET STRING } */
	return asn1_expect(&item.content, ASN1_SEQUENCE, &item) &&
	       asn1_expect(&item.content, ASN1_INTEGER, octets) &&
	       asn1_expect(&item.content, ASN1_SET, octets) &&
	       asn1_expect(&item.content, ASN1_SEQUENCE, &item) &&
	       asn1_expect(&item.content, ASN1_OID, &oid) &&
	       asn1_expect(&item.content, CONTEXT(0), &item) && asn1_next(&item.content, octets);
}

static enum format_answer pkcs12_parse(
	const struct format_input *in, const struct format_sink *sink)
{
	struct walk w = { .in = in,
		.sink = sink,
		.opened_by = NO_PASSWORD,
		.keys = { .in = in, .sink = sink, .budget = pbe_budget_of(in) },
		.budget = pbe_budget_of(in) };
	struct slice left = in->bytes, content;
	struct asn1 pfx, version, info, octets, mac;
	bool is_signed = false;
	struct buffer copy;

	if (!pkcs12_sniff(in->bytes, (struct file_size_hint){ 0 }))
		return FORMAT_NOT_MINE;
	buffer_init(&copy, format_bytes_max(in));
	if (!asn1_expect(&left, ASN1_SEQUENCE, &pfx) ||
		!asn1_expect(&pfx.content, ASN1_INTEGER, &version) ||
		!asn1_expect(&pfx.content, ASN1_SEQUENCE, &info) ||
		!safe_octets(info.content, &octets, &is_signed) ||
		!asn1_octets(&octets, &copy, &content)) {
		not_had(&w, &copy, "the PKCS#12 file is damaged or cut off");
		report(&w);
		buffer_wipe(&copy);
		return FORMAT_BROKEN;
	}
	if (is_signed)
		w.integrity = "not-checked";
	if (asn1_expect(&pfx.content, ASN1_SEQUENCE, &mac))
		check_mac(&w, mac.content, content);
	take_safe(&w, content);
	report_key_alone(&w);
	report(&w);
	buffer_wipe(&copy);
	return w.is_malformed ? FORMAT_BROKEN : FORMAT_MINE;
}

extern const struct format format_pkcs12;
const struct format format_pkcs12 = {
	.name = "pkcs12",
	.help = "PKCS#12 (.p12, .pfx), key stores and trust stores",
	.password = "to open",
	.sniff = pkcs12_sniff,
	.parse = pkcs12_parse,
};
