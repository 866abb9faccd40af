/* Certificate revocation lists: their form, and the walk over their entries. */
#include "agent/certificate/crl.h"

#include "agent/certificate/der.h"

#define OID(bytes)                                          \
	{                                                   \
		(const uint8_t *)(bytes), sizeof(bytes) - 1 \
	}

static bool same(struct slice a, struct slice b)
{
	return a.size == b.size && (!a.size || memcmp(a.data, b.data, a.size) == 0);
}

/* --- extensions (5.2); false: malformed ---------------------------------------------------------- */

static bool read_authority_key_id(struct slice value, struct crl *c)
{
	struct der_item list;
	struct der_item id;

	if (!der_take(&value, DER_SEQUENCE, &list))
		return false;
	if (der_take(&list.content, DER_CONTEXT, &id))
		c->authority_key_id = id.content;
	return true;
}

static bool read_number(struct slice value, struct crl *c)
{
	struct der_item number;

	if (!der_take(&value, DER_INTEGER, &number) || !number.content.size)
		return false;
	c->number = number.content;
	return true;
}

static bool read_delta(struct slice value, struct crl *c)
{
	struct der_item base;

	c->is_delta = true;
	return der_take(&value, DER_INTEGER, &base);
}

static bool flag_of(const struct der_item *item)
{
	return item->content.size == 1 && item->content.data[0];
}

/* The BIT STRING's flags, first bit highest. */
static uint16_t reasons_of(struct slice bits)
{
	unsigned high = bits.size > 1 ? bits.data[1] : 0;
	unsigned low = bits.size > 2 ? bits.data[2] : 0;

	return (uint16_t)((high << 8 | low) & CRL_REASONS_ALL);
}

static bool read_scope(struct slice value, struct crl *c)
{
	struct der_item list;
	struct der_item item;

	if (!der_take(&value, DER_SEQUENCE, &list) || value.size)
		return false;
	c->has_scope = true;
	while (der_next(&list.content, &item)) {
		switch (item.tag) {
		case DER_CONTEXT_CONSTRUCTED:
			c->point = item.content;
			break;
		case DER_CONTEXT | 1:
			c->only_users = flag_of(&item);
			break;
		case DER_CONTEXT | 2:
			c->only_cas = flag_of(&item);
			break;
		case DER_CONTEXT | 3:
			c->reasons = reasons_of(item.content);
			break;
		case DER_CONTEXT | 4:
			c->is_indirect = flag_of(&item);
			break;
		case DER_CONTEXT | 5:
			c->only_attributes = flag_of(&item);
			break;
		default:
			return false;
		}
	}
	return !list.content.size;
}

static bool ignore(struct slice value, struct crl *c)
{
	(void)value;
	(void)c;
	return true;
}

static const struct {
	struct slice oid;
	bool (*read)(struct slice value, struct crl *c);
} known[] = {
	{ OID("\x55\x1d\x23"), read_authority_key_id }, { OID("\x55\x1d\x14"), read_number },
	{ OID("\x55\x1d\x1b"), read_delta }, { OID("\x55\x1d\x1c"), read_scope },
	{ OID("\x55\x1d\x12"), ignore }, /* issuerAltName */
};

/* Extension ::= SEQUENCE { extnID, critical DEFAULT FALSE, extnValue } */
static bool read_extension(
	struct slice left, struct slice *oid, bool *is_critical, struct slice *value)
{
	struct der_item item;

	if (!der_take(&left, DER_OID, &item))
		return false;
	*oid = item.content;
	*is_critical = der_take(&left, DER_BOOLEAN, &item) && flag_of(&item);
	if (!der_take(&left, DER_OCTET_STRING, &item) || left.size)
		return false;
	*value = item.content;
	return true;
}

static void read_one(struct slice extension, struct crl *c)
{
	struct slice oid;
	struct slice value;
	bool is_critical;

	if (!read_extension(extension, &oid, &is_critical, &value)) {
		c->is_malformed = true;
		return;
	}
	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++) {
		if (!same(known[i].oid, oid))
			continue;
		if (!known[i].read(value, c))
			c->is_malformed = true;
		if (is_critical && known[i].read == read_number)
			c->is_number_critical = true;
		return;
	}
	c->has_unknown_critical = c->has_unknown_critical || is_critical;
}

/* --- the list ------------------------------------------------------------------------------------ */

static bool is_time(uint8_t tag)
{
	return tag == DER_UTC_TIME || tag == DER_GENERALIZED_TIME;
}

static bool take_time(struct slice *left, int64_t *out)
{
	struct der_item item;

	if (!left->size || !is_time(left->data[0]) || !der_next(left, &item))
		return false;
	*out = der_time(&item);
	return true;
}

/* TBSCertList (5.1.2). */
static bool read_tbs(struct slice tbs, struct crl *c)
{
	struct der_item item;
	struct der_item list;

	(void)der_take(&tbs, DER_INTEGER, &item);
	if (!der_take(&tbs, DER_SEQUENCE, &item))
		return false;
	c->signature_algorithm = item.content;
	if (!der_take(&tbs, DER_SEQUENCE, &item))
		return false;
	c->issuer = item.whole;
	if (!take_time(&tbs, &c->this_update))
		return false;
	(void)take_time(&tbs, &c->next_update);
	if (der_take(&tbs, DER_SEQUENCE, &item))
		c->entries = item.content;
	if (der_take(&tbs, DER_CONTEXT_CONSTRUCTED, &item)) {
		if (!der_take(&item.content, DER_SEQUENCE, &list))
			return false;
		while (der_take(&list.content, DER_SEQUENCE, &item))
			read_one(item.content, c);
		c->is_malformed = c->is_malformed || list.content.size;
	}
	return !tbs.size;
}

enum err crl_parse(struct slice bytes, struct crl *out, size_t *trailing, struct why *why)
{
	struct crl c = {
		.this_update = TIME_UNKNOWN, .next_update = TIME_UNKNOWN, .reasons = CRL_REASONS_ALL
	};
	struct slice left = bytes;
	struct der_item outer;
	struct der_item tbs;
	struct der_item algorithm;
	struct der_item signature;

	if (!der_take(&left, DER_SEQUENCE, &outer) ||
		!der_take(&outer.content, DER_SEQUENCE, &tbs) ||
		!der_take(&outer.content, DER_SEQUENCE, &algorithm) ||
		!der_take(&outer.content, DER_BIT_STRING, &signature) || outer.content.size ||
		!signature.content.size || signature.content.data[0])
		return why_fail(why, ERR_MALFORMED, "it does not have the form of a CRL");
	c.whole = outer.whole;
	c.tbs = tbs.whole;
	c.signature = slice_after(signature.content, 1);
	if (!read_tbs(tbs.content, &c))
		return why_fail(why, ERR_MALFORMED,
			"it has the form of a CRL, but parts of it are missing or damaged");
	/* 5.1.1.2: what is signed must say how. */
	if (!same(c.signature_algorithm, algorithm.content))
		return why_fail(why, ERR_MALFORMED, "it names two signature algorithms");
	if (trailing)
		*trailing = left.size;
	*out = c;
	return ERR_OK;
}

/* CRL entry extensions (5.3). */
static bool read_entry_extensions(struct slice list, struct crl_entry *entry)
{
	struct der_item item;
	struct der_item reason;
	struct slice oid;
	struct slice value;
	bool is_critical;

	while (der_take(&list, DER_SEQUENCE, &item)) {
		if (!read_extension(item.content, &oid, &is_critical, &value))
			return false;
		if (same(oid, slice_of("\x55\x1d\x15", 3))) {
			/* ENUMERATED */
			if (!der_take(&value, 0x0a, &reason) || reason.content.size != 1)
				return false;
			entry->reason = reason.content.data[0];
		} else if (is_critical) {
			entry->has_unknown_critical = true;
		}
	}
	return !list.size;
}

bool crl_next(struct slice *left, struct crl_entry *out)
{
	struct slice rest = *left;
	struct der_item entry;
	struct der_item serial;
	struct der_item list;

	*out = (struct crl_entry){ .revoked_at = TIME_UNKNOWN };
	if (!rest.size || !der_take(&rest, DER_SEQUENCE, &entry) ||
		!der_take(&entry.content, DER_INTEGER, &serial) ||
		!take_time(&entry.content, &out->revoked_at))
		return false;
	out->serial = serial.content;
	if (entry.content.size && (!der_take(&entry.content, DER_SEQUENCE, &list) ||
					  !read_entry_extensions(list.content, out)))
		return false;
	*left = rest;
	return true;
}
