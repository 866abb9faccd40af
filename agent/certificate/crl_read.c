/* A revocation list to the facts of its record. */
#include "agent/certificate/crl_read.h"

#include "agent/base/text.h"
#include "agent/certificate/certificate.h"
#include "agent/certificate/crl.h"
#include "agent/certificate/der.h"
#include "agent/certificate/key.h"
#include "agent/certificate/name.h"

#include <stdlib.h>

/* RFC 5280 5.2.3: no number is longer than 20 octets; a longer one is shown so far. */
#define NUMBER_BYTES_MAX 20

static bool is_time(const struct slice *left)
{
	return left->size &&
	       (left->data[0] == DER_UTC_TIME || left->data[0] == DER_GENERALIZED_TIME);
}

/* Version, signature, issuer, thisUpdate: nothing else begins so. A certificate has its serial number
 * where a version stands here, and its version in a tag. */
static bool is_head(struct slice tbs)
{
	struct der_item item;

	if (der_take(&tbs, DER_INTEGER, &item) && item.content.size != 1)
		return false;
	return der_take(&tbs, DER_SEQUENCE, &item) && item.content.size &&
	       item.content.data[0] == DER_OID && der_take(&tbs, DER_SEQUENCE, &item) &&
	       is_time(&tbs) && der_next(&tbs, &item);
}

bool crl_is_evident(struct slice bytes)
{
	struct der_item outer;
	struct der_item tbs;

	return bytes.size && bytes.data[0] == DER_SEQUENCE && der_next_cut(&bytes, &outer) &&
	       outer.content.size && outer.content.data[0] == DER_SEQUENCE &&
	       der_next_cut(&outer.content, &tbs) && is_head(tbs.content);
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

static enum err read_number(struct slice number, struct crl_record *out)
{
	char hex[2 * NUMBER_BYTES_MAX + 1];

	if (!number.size)
		return ERR_OK;
	while (number.size > 1 && !number.data[0])
		number = slice_after(number, 1);
	if (number.size > NUMBER_BYTES_MAX)
		number.size = NUMBER_BYTES_MAX;
	text_hex(hex, number.data, number.size);
	out->number = strdup(hex);
	return out->number ? ERR_OK : ERR_MEMORY;
}

static enum err fill(const struct crl *list, struct crl_record *out)
{
	char signature[KEY_NAME_BYTES];
	struct name_text name;
	enum err e = name_read(list->issuer, &name);

	if (e != ERR_OK)
		return e;
	out->issuer = name.text;
	out->issuer_cn = name.cn;
	key_signature(list->signature_algorithm, signature);
	out->signature_algorithm = strdup(signature);
	out->this_update = list->this_update;
	out->next_update = list->next_update;
	out->is_delta = list->is_delta;
	return out->signature_algorithm ? read_number(list->number, out) : ERR_MEMORY;
}

enum err crl_read(struct slice bytes, struct crl_record *out, size_t *trailing, struct why *why)
{
	struct crl_record crl = { 0 };
	struct crl list;
	enum err e;

	if (!crl_is_evident(bytes))
		return why_fail(
			why, ERR_MALFORMED, "it does not have the form of a revocation list");
	e = crl_parse(bytes, &list, trailing, why);
	if (e != ERR_OK)
		return e;
	if (!count_revoked(list.entries, &crl.revoked_count))
		return why_fail(why, ERR_MALFORMED, "an entry of the revocation list is damaged");
	fingerprint_of(list.whole, crl.fingerprint);
	e = fill(&list, &crl);
	if (e != ERR_OK) {
		crl_fini(&crl);
		return why_fail(why, e, "the revocation list's issuer cannot be read");
	}
	*out = crl;
	return ERR_OK;
}
