/* A revocation list to the facts of its record. */
#include "agent/certificate/crl_read.h"

#include "agent/base/text.h"
#include "agent/certificate/certificate.h"
#include "agent/certificate/der.h"
#include "agent/certificate/key.h"
#include "agent/certificate/name.h"

#include <stdlib.h>

/* RFC 5280 5.2.3: no number is longer than 20 octets; a longer one is shown so far. */
#define NUMBER_BYTES_MAX 20

#define OID(bytes) slice_of(bytes, sizeof(bytes) - 1)

/* Where the parts of TBSCertList lie. */
struct parts {
	struct slice signature;
	struct slice issuer;
	struct der_item this_update;
	struct der_item next_update; /* content.data NULL: there is none */
	struct slice revoked;
	struct slice extensions;
};

static bool is_time(const struct slice *left)
{
	return left->size &&
	       (left->data[0] == DER_UTC_TIME || left->data[0] == DER_GENERALIZED_TIME);
}

/* Version, signature, issuer, thisUpdate: nothing else begins so. A certificate has its serial number
 * where a version stands here, and its version in a tag. */
static bool read_head(struct slice *tbs, struct parts *out)
{
	struct der_item item;

	if (der_take(tbs, DER_INTEGER, &item) && item.content.size != 1)
		return false;
	if (!der_take(tbs, DER_SEQUENCE, &item) || !item.content.size ||
		item.content.data[0] != DER_OID)
		return false;
	out->signature = item.content;
	if (!der_take(tbs, DER_SEQUENCE, &item))
		return false;
	out->issuer = item.whole;
	return is_time(tbs) && der_next(tbs, &out->this_update);
}

static bool read_tail(struct slice tbs, struct parts *out)
{
	struct der_item item;
	struct der_item list;

	if (is_time(&tbs) && !der_next(&tbs, &out->next_update))
		return false;
	if (der_take(&tbs, DER_SEQUENCE, &item))
		out->revoked = item.content;
	if (der_take(&tbs, DER_CONTEXT_CONSTRUCTED, &item) &&
		der_take(&item.content, DER_SEQUENCE, &list))
		out->extensions = list.content;
	return tbs.size == 0;
}

bool crl_is_evident(struct slice bytes)
{
	struct parts parts = { 0 };
	struct der_item outer;
	struct der_item tbs;

	return bytes.size && bytes.data[0] == DER_SEQUENCE && der_next_cut(&bytes, &outer) &&
	       outer.content.size && outer.content.data[0] == DER_SEQUENCE &&
	       der_next_cut(&outer.content, &tbs) && read_head(&tbs.content, &parts);
}

/* RevokedCertificate ::= SEQUENCE { serial, date, extensions }: counted, not read. */
static bool count_revoked(struct slice left, uint64_t *out)
{
	struct der_item item;

	*out = 0;
	while (left.size) {
		if (!der_take(&left, DER_SEQUENCE, &item))
			return false;
		++*out;
	}
	return true;
}

static enum err read_number(struct slice extensions, struct crl_record *out)
{
	char hex[2 * NUMBER_BYTES_MAX + 1];
	struct der_item number;
	struct slice value;

	if (!der_extension(extensions, OID("\x55\x1d\x14"), &value) ||
		!der_take(&value, DER_INTEGER, &number) || !number.content.size)
		return ERR_OK;
	while (number.content.size > 1 && !number.content.data[0])
		number.content = slice_after(number.content, 1);
	if (number.content.size > NUMBER_BYTES_MAX)
		number.content.size = NUMBER_BYTES_MAX;
	text_hex(hex, number.content.data, number.content.size);
	out->number = strdup(hex);
	return out->number ? ERR_OK : ERR_MEMORY;
}

static enum err fill(const struct parts *parts, struct crl_record *out)
{
	char signature[KEY_NAME_BYTES];
	struct name_text name;
	struct slice value;
	enum err e = name_read(parts->issuer, &name);

	if (e != ERR_OK)
		return e;
	out->issuer = name.text;
	out->issuer_cn = name.cn;
	key_signature(parts->signature, signature);
	out->signature_algorithm = strdup(signature);
	out->this_update = der_time(&parts->this_update);
	out->next_update =
		parts->next_update.content.data ? der_time(&parts->next_update) : TIME_UNKNOWN;
	out->is_delta = der_extension(parts->extensions, OID("\x55\x1d\x1b"), &value);
	return out->signature_algorithm ? read_number(parts->extensions, out) : ERR_MEMORY;
}

enum err crl_read(struct slice bytes, struct crl_record *out, size_t *trailing, struct why *why)
{
	struct crl_record crl = { 0 };
	struct parts parts = { 0 };
	struct der_item outer;
	struct der_item tbs;
	struct der_item item;
	struct slice left = bytes;
	enum err e;

	if (!crl_is_evident(bytes))
		return why_fail(
			why, ERR_MALFORMED, "it does not have the form of a revocation list");
	if (!der_take(&left, DER_SEQUENCE, &outer) ||
		!der_take(&outer.content, DER_SEQUENCE, &tbs) || !read_head(&tbs.content, &parts))
		return why_fail(why, ERR_MALFORMED, "the revocation list is cut off");
	if (!read_tail(tbs.content, &parts) || !count_revoked(parts.revoked, &crl.revoked_count) ||
		!der_take(&outer.content, DER_SEQUENCE, &item) ||
		!der_take(&outer.content, DER_BIT_STRING, &item) || outer.content.size)
		return why_fail(why, ERR_MALFORMED,
			"it has the form of a revocation list, but parts of it are missing or damaged");
	fingerprint_of(outer.whole, crl.fingerprint);
	e = fill(&parts, &crl);
	if (e != ERR_OK) {
		crl_fini(&crl);
		return why_fail(why, e, "the revocation list's issuer cannot be read");
	}
	if (trailing)
		*trailing = left.size;
	*out = crl;
	return ERR_OK;
}
