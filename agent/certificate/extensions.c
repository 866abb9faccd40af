/* The extensions of a certificate, read once for the path's rules. */
#include "agent/certificate/extensions.h"

#define OID(bytes)                                          \
	{                                                   \
		(const uint8_t *)(bytes), sizeof(bytes) - 1 \
	}

static const struct {
	struct slice oid;
	enum extension which;
} known[] = {
	{ OID("\x55\x1d\x0e"), EXTENSION_SUBJECT_KEY_ID },
	{ OID("\x55\x1d\x0f"), EXTENSION_KEY_USAGE },
	{ OID("\x55\x1d\x11"), EXTENSION_SUBJECT_NAMES },
	{ OID("\x55\x1d\x12"), EXTENSION_ISSUER_NAMES },
	{ OID("\x55\x1d\x13"), EXTENSION_BASIC_CONSTRAINTS },
	{ OID("\x55\x1d\x1e"), EXTENSION_NAME_CONSTRAINTS },
	{ OID("\x55\x1d\x1f"), EXTENSION_CRL_POINTS },
	{ OID("\x55\x1d\x20"), EXTENSION_POLICIES },
	{ OID("\x55\x1d\x21"), EXTENSION_POLICY_MAPPINGS },
	{ OID("\x55\x1d\x23"), EXTENSION_AUTHORITY_KEY_ID },
	{ OID("\x55\x1d\x24"), EXTENSION_POLICY_CONSTRAINTS },
	{ OID("\x55\x1d\x25"), EXTENSION_PURPOSES },
	{ OID("\x55\x1d\x2e"), EXTENSION_FRESHEST_CRL },
	{ OID("\x55\x1d\x36"), EXTENSION_INHIBIT_ANY },
	{ OID("\x55\x1d\x09"), EXTENSION_DIRECTORY_ATTRIBUTES },
	{ OID("\x2b\x06\x01\x05\x05\x07\x01\x01"), EXTENSION_AUTHORITY_ACCESS },
	{ OID("\x2b\x06\x01\x05\x05\x07\x01\x0b"), EXTENSION_SUBJECT_ACCESS },
	/* TLS feature (RFC 7633), private key usage period (RFC 3280), Netscape's certificate type. */
	{ OID("\x2b\x06\x01\x05\x05\x07\x01\x18"), EXTENSION_TOLERATED },
	{ OID("\x55\x1d\x10"), EXTENSION_TOLERATED },
	{ OID("\x60\x86\x48\x01\x86\xf8\x42\x01\x01"), EXTENSION_TOLERATED },
};

static bool same(struct slice a, struct slice b)
{
	return a.size == b.size && (!a.size || memcmp(a.data, b.data, a.size) == 0);
}

/* A non-negative INTEGER; false for what is none. */
static bool number_of(const struct der_item *item, int *out)
{
	int value = 0;

	if (!item->content.size || item->content.data[0] & 0x80)
		return false;
	for (size_t i = 0; i < item->content.size; i++) {
		value = value << 8 | item->content.data[i];
		if (value > NUMBER_MAX)
			value = NUMBER_MAX;
	}
	*out = value;
	return true;
}

/* --- one reader an extension; false: malformed --------------------------------------------------- */

static bool read_basic_constraints(struct slice value, struct extensions *x)
{
	struct der_item list;
	struct der_item item;

	if (!der_take(&value, DER_SEQUENCE, &list) || value.size)
		return false;
	if (der_take(&list.content, DER_BOOLEAN, &item)) {
		if (item.content.size != 1)
			return false;
		x->is_ca = item.content.data[0] != 0;
		x->has_explicit_false = !x->is_ca;
	}
	if (der_take(&list.content, DER_INTEGER, &item) && !number_of(&item, &x->path_length))
		return false;
	return !list.content.size;
}

static bool read_key_usage(struct slice value, struct extensions *x)
{
	struct der_item bits;

	if (!der_take(&value, DER_BIT_STRING, &bits) || value.size || bits.content.size < 1)
		return false;
	for (size_t i = 0; i < 16 && 1 + i / 8 < bits.content.size; i++)
		if (bits.content.data[1 + i / 8] & 0x80 >> i % 8)
			x->key_usage |= (uint16_t)(1u << i);
	return true;
}

uint16_t extension_purpose(struct slice oid)
{
	static const struct {
		struct slice oid;
		uint16_t bit;
	} purposes[] = {
		{ OID("\x2b\x06\x01\x05\x05\x07\x03\x01"), EKU_SERVER },
		{ OID("\x2b\x06\x01\x05\x05\x07\x03\x02"), EKU_CLIENT },
		{ OID("\x2b\x06\x01\x05\x05\x07\x03\x03"), EKU_CODE },
		{ OID("\x2b\x06\x01\x05\x05\x07\x03\x04"), EKU_EMAIL },
		{ OID("\x2b\x06\x01\x05\x05\x07\x03\x08"), EKU_TIMESTAMP },
		{ OID("\x2b\x06\x01\x05\x05\x07\x03\x09"), EKU_OCSP },
		{ OID("\x55\x1d\x25\x00"), EKU_ANY },
	};

	for (size_t i = 0; i < sizeof(purposes) / sizeof(*purposes); i++)
		if (same(purposes[i].oid, oid))
			return purposes[i].bit;
	return EKU_OTHER;
}

static bool read_purposes(struct slice value, struct extensions *x)
{
	struct der_item list;
	struct der_item oid;

	if (!der_take(&value, DER_SEQUENCE, &list) || value.size)
		return false;
	while (der_take(&list.content, DER_OID, &oid))
		x->purposes |= extension_purpose(oid.content);
	return !list.content.size;
}

static bool read_subject_key_id(struct slice value, struct extensions *x)
{
	struct der_item id;

	if (!der_take(&value, DER_OCTET_STRING, &id) || value.size)
		return false;
	x->subject_key_id = id.content;
	return true;
}

static bool read_authority_key_id(struct slice value, struct extensions *x)
{
	struct der_item list;
	struct der_item item;

	if (!der_take(&value, DER_SEQUENCE, &list) || value.size)
		return false;
	if (der_take(&list.content, DER_CONTEXT, &item))
		x->authority_key_id = item.content;
	x->authority_has_issuer = der_take(&list.content, DER_CONTEXT_CONSTRUCTED | 1, &item);
	x->authority_has_serial = der_take(&list.content, DER_CONTEXT | 2, &item);
	return !list.content.size;
}

static bool read_name_constraints(struct slice value, struct extensions *x)
{
	struct der_item list;
	struct der_item item;

	if (!der_take(&value, DER_SEQUENCE, &list) || value.size)
		return false;
	if (der_take(&list.content, DER_CONTEXT_CONSTRUCTED, &item))
		x->permitted = item.content;
	if (der_take(&list.content, DER_CONTEXT_CONSTRUCTED | 1, &item))
		x->excluded = item.content;
	return !list.content.size;
}

static bool read_policy_constraints(struct slice value, struct extensions *x)
{
	struct der_item list;
	struct der_item item;

	if (!der_take(&value, DER_SEQUENCE, &list) || value.size)
		return false;
	if (der_take(&list.content, DER_CONTEXT, &item) && !number_of(&item, &x->require_explicit))
		return false;
	if (der_take(&list.content, DER_CONTEXT | 1, &item) &&
		!number_of(&item, &x->inhibit_mapping))
		return false;
	return !list.content.size;
}

static bool read_inhibit_any(struct slice value, struct extensions *x)
{
	struct der_item item;

	return der_take(&value, DER_INTEGER, &item) && !value.size &&
	       number_of(&item, &x->inhibit_any);
}

/* Lists whose members others look at: here they need only be lists. */
static bool read_list(struct slice value, struct extensions *x)
{
	struct der_item list;

	(void)x;
	return der_take(&value, DER_SEQUENCE, &list) && !value.size;
}

static bool (*const readers[EXTENSION_COUNT])(struct slice value, struct extensions *x) = {
	[EXTENSION_SUBJECT_KEY_ID] = read_subject_key_id,
	[EXTENSION_KEY_USAGE] = read_key_usage,
	[EXTENSION_SUBJECT_NAMES] = read_list,
	[EXTENSION_ISSUER_NAMES] = read_list,
	[EXTENSION_BASIC_CONSTRAINTS] = read_basic_constraints,
	[EXTENSION_NAME_CONSTRAINTS] = read_name_constraints,
	[EXTENSION_CRL_POINTS] = read_list,
	[EXTENSION_POLICIES] = read_list,
	[EXTENSION_POLICY_MAPPINGS] = read_list,
	[EXTENSION_AUTHORITY_KEY_ID] = read_authority_key_id,
	[EXTENSION_POLICY_CONSTRAINTS] = read_policy_constraints,
	[EXTENSION_PURPOSES] = read_purposes,
	[EXTENSION_FRESHEST_CRL] = read_list,
	[EXTENSION_INHIBIT_ANY] = read_inhibit_any,
	[EXTENSION_AUTHORITY_ACCESS] = read_list,
	[EXTENSION_SUBJECT_ACCESS] = read_list,
};

/* --- the list ------------------------------------------------------------------------------------ */

static enum extension which_of(struct slice oid)
{
	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (same(known[i].oid, oid))
			return known[i].which;
	return EXTENSION_COUNT;
}

static bool read_one(struct slice left, struct extensions *x)
{
	struct der_item oid;
	struct der_item item;
	bool is_critical = false;
	enum extension which;

	if (!der_take(&left, DER_OID, &oid))
		return false;
	if (der_take(&left, DER_BOOLEAN, &item))
		is_critical = item.content.size == 1 && item.content.data[0];
	if (!der_take(&left, DER_OCTET_STRING, &item) || left.size)
		return false;
	which = which_of(oid.content);
	if (which == EXTENSION_COUNT) {
		x->has_unknown_critical = x->has_unknown_critical || is_critical;
		return true;
	}
	if (which != EXTENSION_TOLERATED && x->present & 1u << which)
		x->repeated |= 1u << which;
	x->present |= 1u << which;
	if (is_critical)
		x->critical |= 1u << which;
	x->values[which] = item.content;
	if (readers[which] && !readers[which](item.content, x))
		x->malformed |= 1u << which;
	return true;
}

static void read_version(const struct der_certificate *c, struct extensions *x)
{
	struct slice left = c->tbs;
	struct der_item tbs;
	struct der_item item;
	struct der_item number;
	int version = 0;

	if (!der_take(&left, DER_SEQUENCE, &tbs))
		return;
	if (der_take(&tbs.content, DER_CONTEXT_CONSTRUCTED, &item) &&
		der_take(&item.content, DER_INTEGER, &number) && number_of(&number, &version))
		x->version = version + 1;
	while (der_next(&tbs.content, &item))
		if ((item.tag & ~DER_CONSTRUCTED) == (DER_CONTEXT | 1) ||
			(item.tag & ~DER_CONSTRUCTED) == (DER_CONTEXT | 2))
			x->has_unique_ids = true;
}

void extensions_read(const struct der_certificate *c, struct extensions *out)
{
	struct slice left = c->extensions;
	struct der_item item;

	*out = (struct extensions){ .version = 1,
		.path_length = NO_NUMBER,
		.require_explicit = NO_NUMBER,
		.inhibit_mapping = NO_NUMBER,
		.inhibit_any = NO_NUMBER };
	read_version(c, out);
	while (der_take(&left, DER_SEQUENCE, &item))
		if (!read_one(item.content, out))
			out->is_broken = true;
	out->is_broken = out->is_broken || left.size;
}

bool extension_attach(struct slice extension, struct extensions *x)
{
	struct extensions alone = { .path_length = NO_NUMBER };
	const uint32_t kinds = 1u << EXTENSION_PURPOSES | 1u << EXTENSION_NAME_CONSTRAINTS;

	if (!read_one(extension, &alone) || alone.malformed || !(alone.present & kinds))
		return false;
	x->present |= alone.present;
	x->malformed &= ~alone.present;
	if (alone.present & 1u << EXTENSION_PURPOSES) {
		x->values[EXTENSION_PURPOSES] = alone.values[EXTENSION_PURPOSES];
		x->purposes = alone.purposes;
		return true;
	}
	x->values[EXTENSION_NAME_CONSTRAINTS] = alone.values[EXTENSION_NAME_CONSTRAINTS];
	x->permitted = alone.permitted;
	x->excluded = alone.excluded;
	return true;
}
