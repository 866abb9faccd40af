/* What a revocation list says of a certificate, and whether it may be believed (RFC 5280 6.3). */
#include "agent/certificate/crl.h"

#include "agent/certificate/dn.h"
#include "agent/certificate/extensions.h"
#include "agent/certificate/names.h"
#include "agent/certificate/revocation.h"
#include "agent/certificate/signature.h"

struct subject {
	struct der_certificate at;
	struct extensions extensions;
};

static bool read(struct slice der, struct subject *out)
{
	if (!der_certificate(der, &out->at) || !out->at.is_complete)
		return false;
	extensions_read(&out->at, &out->extensions);
	return true;
}

static void say(struct crl_answer *out, enum crl_word word, const char *why)
{
	out->word = word;
	out->why = why;
}

/* --- scope (6.3.3 b) ----------------------------------------------------------------------------- */

/* DistributionPoint ::= SEQUENCE { [0] DistributionPointName, [1] reasons, [2] cRLIssuer } */
static bool point_is_named(struct slice points, struct slice name)
{
	struct der_item point;
	struct der_item item;
	struct der_item full;
	struct der_item wanted;

	if (!der_take(&name, DER_CONTEXT_CONSTRUCTED, &full))
		return false;
	while (der_take(&full.content, full.content.size ? full.content.data[0] : 0, &wanted)) {
		struct slice left = points;

		while (der_take(&left, DER_SEQUENCE, &point)) {
			struct der_item names;
			struct der_item one;

			if (!der_take(&point.content, DER_CONTEXT_CONSTRUCTED, &item) ||
				!der_take(&item.content, DER_CONTEXT_CONSTRUCTED, &names))
				continue;
			while (der_next(&names.content, &one))
				if (one.whole.size == wanted.whole.size &&
					memcmp(one.whole.data, wanted.whole.data, one.whole.size) ==
						0)
					return true;
		}
	}
	return false;
}

static const char *kind_fault(const struct crl *list, bool is_ca)
{
	if (list->only_attributes)
		return "it speaks of attribute certificates only";
	if (list->only_users && is_ca)
		return "it does not speak of CAs";
	if (list->only_cas && !is_ca)
		return "it speaks of CAs only";
	return "";
}

/* False, with the answer given, where the list is not about this certificate. */
static bool is_in_scope(const struct crl *list, const struct subject *s, struct crl_answer *out)
{
	struct slice points = general_list(s->extensions.values[EXTENSION_CRL_POINTS]);
	struct slice point = list->point;

	say(out, CRL_SILENT, "");
	if (!dn_equal(list->issuer, s->at.issuer))
		return false;
	out->why = kind_fault(list, s->extensions.is_ca);
	if (*out->why)
		return false;
	if (!point.size)
		return true;
	if (point.data[0] == (DER_CONTEXT_CONSTRUCTED | 1)) {
		say(out, CRL_UNSUPPORTED, "its distribution point is named relative to its issuer");
		return false;
	}
	out->why = "it is of a distribution point that the certificate does not name";
	return point_is_named(points, point);
}

/* --- belief -------------------------------------------------------------------------------------- */

static const char *form_fault(const struct crl *list, bool is_strict)
{
	if (list->has_unknown_critical)
		return "a critical extension of it is not known";
	if (list->is_malformed)
		return "an extension of it is malformed";
	if (!is_strict)
		return NULL;
	if (!list->number.size)
		return "it has no number (RFC 5280 5.2.3)";
	if (list->is_number_critical)
		return "its number is critical (RFC 5280 5.2.3)";
	if (!list->authority_key_id.size)
		return "it has no authority key identifier (RFC 5280 5.2.1)";
	if (list->next_update == TIME_UNKNOWN)
		return "it has no nextUpdate (RFC 5280 5.1.2.5)";
	return NULL;
}

/* Hashing 30 MB once is enough. */
static bool is_signed_by(struct crl *list, struct slice spki)
{
	uint8_t key[FINGERPRINT_BYTES];

	fingerprint_of(spki, key);
	if (!list->has_checked_key || memcmp(list->checked_key, key, sizeof(key)) != 0) {
		memcpy(list->checked_key, key, sizeof(key));
		list->has_checked_key = true;
		list->is_signed = signature_check_bytes(spki, list->signature_algorithm, list->tbs,
					  list->signature) == SIGNATURE_GOOD;
	}
	return list->is_signed;
}

static bool is_believable(struct crl *list, const struct crl_question *q,
	const struct subject *signer, struct crl_answer *out)
{
	const char *fault = form_fault(list, q->is_strict);

	if (list->is_delta)
		say(out, CRL_UNSUPPORTED, "it is a delta, of use only with its base");
	else if (list->is_indirect)
		say(out, CRL_UNSUPPORTED, "it is indirect: it speaks for several issuers");
	else if (fault)
		say(out, CRL_INVALID, fault);
	else if (!dn_equal(signer->at.subject, list->issuer))
		say(out, CRL_INVALID, "its issuer is another");
	/* 6.3.3 (f) */
	else if (extension_is_present(&signer->extensions, EXTENSION_KEY_USAGE) &&
		 !(signer->extensions.key_usage & USAGE_CRL_SIGN))
		say(out, CRL_INVALID, "its issuer's key usage does not allow it to sign CRLs");
	else if (!is_signed_by(list, signer->at.spki))
		say(out, CRL_INVALID, "its signature does not verify");
	else if (!revocation_is_current(list->this_update, list->next_update, q->now))
		say(out, CRL_STALE, "its nextUpdate has passed, or its thisUpdate lies ahead");
	else
		return true;
	return false;
}

/* --- the entries --------------------------------------------------------------------------------- */

static struct slice significant(struct slice number)
{
	while (number.size > 1 && !number.data[0])
		number = slice_after(number, 1);
	return number;
}

static void look_up(const struct crl *list, struct slice serial, struct crl_answer *out)
{
	struct slice left = list->entries;
	struct slice wanted = significant(serial);
	struct crl_entry entry;

	say(out, CRL_GOOD, "");
	out->reasons = list->reasons;
	while (crl_next(&left, &entry)) {
		struct slice at_hand = significant(entry.serial);

		/* 5.3: then it tells nothing of any certificate. */
		if (entry.has_unknown_critical) {
			say(out, CRL_INVALID, "a critical extension of an entry is not known");
			return;
		}
		if (at_hand.size == wanted.size &&
			memcmp(at_hand.data, wanted.data, wanted.size) == 0) {
			say(out, CRL_REVOKED, "");
			out->reason = entry.reason;
			out->revoked_at = entry.revoked_at;
		}
	}
	if (left.size && out->word == CRL_GOOD)
		say(out, CRL_INVALID, "an entry of it is malformed");
}

void crl_ask(struct crl *list, const struct crl_question *q, struct crl_answer *out)
{
	struct subject subject;
	struct subject signer;

	*out = (struct crl_answer){ .word = CRL_SILENT, .why = "", .revoked_at = TIME_UNKNOWN };
	if (!read(q->certificate, &subject) || !is_in_scope(list, &subject, out))
		return;
	if (!read(q->signer, &signer)) {
		say(out, CRL_INVALID, "its issuer's certificate cannot be read");
		return;
	}
	if (is_believable(list, q, &signer, out))
		look_up(list, subject.at.serial, out);
}

void crl_believe(struct crl *list, const struct crl_question *q, struct crl_answer *out)
{
	struct subject signer;

	*out = (struct crl_answer){ .word = CRL_GOOD, .why = "", .revoked_at = TIME_UNKNOWN };
	if (!read(q->signer, &signer))
		say(out, CRL_INVALID, "its issuer's certificate cannot be read");
	else if (list->only_attributes)
		say(out, CRL_INVALID, "it speaks of attribute certificates only");
	else if (is_believable(list, q, &signer, out))
		out->reasons = list->reasons;
}

bool crl_covers_point(const struct crl *list, const char *uri)
{
	struct slice point = list->point;
	struct der_item names;
	struct der_item one;

	if (!point.size)
		return true;
	if (!der_take(&point, DER_CONTEXT_CONSTRUCTED, &names))
		return false;
	while (der_next(&names.content, &one))
		if (one.tag == (DER_CONTEXT | 6) && one.content.size == strlen(uri) &&
			memcmp(one.content.data, uri, one.content.size) == 0)
			return true;
	return false;
}
