/* Distinguished names compared as RFC 5280 7.1 says. */
#include "agent/certificate/dn.h"

#include "agent/certificate/der.h"

/* Longer values are compared byte for byte, longer RDNs in their order. */
#define VALUE_BYTES_MAX 1024
#define RDN_PARTS_MAX 16

struct part {
	struct slice type;
	struct der_item value;
};

static bool same(struct slice a, struct slice b)
{
	return a.size == b.size && (!a.size || memcmp(a.data, b.data, a.size) == 0);
}

static bool is_string(uint8_t tag)
{
	switch (tag) {
	case DER_UTF8_STRING:
	case DER_NUMERIC_STRING:
	case DER_PRINTABLE_STRING:
	case DER_T61_STRING:
	case DER_IA5_STRING:
	case DER_VISIBLE_STRING:
	case DER_UNIVERSAL_STRING:
	case DER_BMP_STRING:
		return true;
	default:
		return false;
	}
}

static unsigned unit_size(uint8_t tag)
{
	return tag == DER_BMP_STRING ? 2 : tag == DER_UNIVERSAL_STRING ? 4 : 1;
}

/* --- a character string without case and needless spaces ----------------------------------------- */

struct folded {
	uint8_t bytes[VALUE_BYTES_MAX];
	size_t size;
	bool has_space; /* one is due before the next character */
};

static void put_unit(struct folded *f, uint32_t unit)
{
	if (unit == ' ' || unit == '\t' || unit == '\n' || unit == '\r') {
		f->has_space = f->size != 0;
		return;
	}
	if (f->has_space)
		f->bytes[f->size++] = ' ';
	f->has_space = false;
	if (unit >= 'A' && unit <= 'Z')
		unit += 'a' - 'A';
	if (unit < 0x80) {
		f->bytes[f->size++] = (uint8_t)unit;
	} else if (unit < 0x800) {
		f->bytes[f->size++] = (uint8_t)(0xc0 | unit >> 6);
		f->bytes[f->size++] = (uint8_t)(0x80 | (unit & 0x3f));
	} else if (unit < 0x10000) {
		f->bytes[f->size++] = (uint8_t)(0xe0 | unit >> 12);
		f->bytes[f->size++] = (uint8_t)(0x80 | (unit >> 6 & 0x3f));
		f->bytes[f->size++] = (uint8_t)(0x80 | (unit & 0x3f));
	} else {
		f->bytes[f->size++] = (uint8_t)(0xf0 | (unit >> 18 & 7));
		f->bytes[f->size++] = (uint8_t)(0x80 | (unit >> 12 & 0x3f));
		f->bytes[f->size++] = (uint8_t)(0x80 | (unit >> 6 & 0x3f));
		f->bytes[f->size++] = (uint8_t)(0x80 | (unit & 0x3f));
	}
}

/* False where the value is to be compared as it stands. */
static bool fold(const struct der_item *value, struct folded *out)
{
	unsigned step = unit_size(value->tag);
	struct slice s = value->content;

	/* At most four bytes come of a unit, and one of a space before it. */
	if (!is_string(value->tag) || s.size % step || s.size / step > VALUE_BYTES_MAX / 5)
		return false;
	out->size = 0;
	out->has_space = false;
	for (size_t i = 0; i < s.size; i += step) {
		uint32_t unit = 0;

		for (unsigned j = 0; j < step; j++)
			unit = unit << 8 | s.data[i + j];
		/* UTF-8 is that already; Latin-1 in T61String stays apart from it, as its meaning does. */
		if (step == 1 && unit >= 0x80) {
			if (out->has_space)
				out->bytes[out->size++] = ' ';
			out->has_space = false;
			out->bytes[out->size++] = (uint8_t)unit;
		} else {
			put_unit(out, unit);
		}
	}
	return true;
}

static bool same_value(const struct der_item *a, const struct der_item *b)
{
	struct folded left;
	struct folded right;

	if (a->tag == b->tag && same(a->content, b->content))
		return true;
	if (!fold(a, &left) || !fold(b, &right))
		return false;
	return left.size == right.size && memcmp(left.bytes, right.bytes, left.size) == 0;
}

/* --- RDNs ---------------------------------------------------------------------------------------- */

static bool next_part(struct slice *left, struct part *out)
{
	struct der_item pair;
	struct der_item type;

	if (!der_take(left, DER_SEQUENCE, &pair) || !der_take(&pair.content, DER_OID, &type) ||
		!der_next(&pair.content, &out->value))
		return false;
	out->type = type.content;
	return true;
}

static size_t parts_of(struct slice rdn, struct part parts[RDN_PARTS_MAX])
{
	size_t count = 0;

	while (count < RDN_PARTS_MAX && rdn.size && next_part(&rdn, &parts[count]))
		count++;
	return rdn.size ? 0 : count;
}

/* Sets: folding may have changed the order that DER gave them. */
static bool same_rdn(struct slice a, struct slice b)
{
	struct part left[RDN_PARTS_MAX];
	struct part right[RDN_PARTS_MAX];
	unsigned taken = 0;
	size_t count;

	if (same(a, b))
		return true;
	count = parts_of(a, left);
	if (!count || count != parts_of(b, right))
		return false;
	for (size_t i = 0; i < count; i++) {
		size_t j = 0;

		while (j < count && (taken & 1u << j || !same(left[i].type, right[j].type) ||
					    !same_value(&left[i].value, &right[j].value)))
			j++;
		if (j == count)
			return false;
		taken |= 1u << j;
	}
	return true;
}

/* Both names run along as far as `base` goes; what is left of `name` then. */
static bool runs_along(struct slice *name, struct slice base)
{
	struct der_item left;
	struct der_item right;

	while (base.size)
		if (!der_take(&base, DER_SET, &right) || !der_take(name, DER_SET, &left) ||
			!same_rdn(left.content, right.content))
			return false;
	return true;
}

static bool content_of(struct slice name, struct slice *out)
{
	struct der_item list;

	if (!der_next(&name, &list) || (list.tag | DER_CONSTRUCTED) != DER_SEQUENCE)
		return false;
	*out = list.content;
	return true;
}

bool dn_equal(struct slice a, struct slice b)
{
	struct slice left;
	struct slice right;

	if (same(a, b))
		return true;
	return content_of(a, &left) && content_of(b, &right) && runs_along(&left, right) &&
	       !left.size;
}

bool dn_is_within(struct slice name, struct slice base)
{
	struct slice left;
	struct slice right;

	return content_of(name, &left) && content_of(base, &right) && runs_along(&left, right);
}

bool dn_is_empty(struct slice name)
{
	struct slice content;

	return content_of(name, &content) && !content.size;
}

size_t dn_size(struct slice name)
{
	struct der_item rdn;
	struct slice content;
	size_t count = 0;

	if (!content_of(name, &content))
		return 0;
	while (der_next(&content, &rdn))
		count++;
	return count;
}

/* --- the hash ------------------------------------------------------------------------------------ */

/* FNV-1a. A collision costs a comparison, and those are counted. */
static uint64_t mix(uint64_t hash, struct slice s)
{
	for (size_t i = 0; i < s.size; i++)
		hash = (hash ^ s.data[i]) * 0x100000001b3;
	return hash;
}

uint64_t dn_hash(struct slice name)
{
	const uint64_t start = 0xcbf29ce484222325;
	struct slice content;
	struct der_item rdn;
	uint64_t hash = start;

	if (!content_of(name, &content))
		return mix(start, name);
	while (der_take(&content, DER_SET, &rdn)) {
		struct part parts[RDN_PARTS_MAX];
		size_t count = parts_of(rdn.content, parts);
		uint64_t sum = count ? 0 : mix(start, rdn.content);

		/* A sum does not ask for the order. */
		for (size_t i = 0; i < count; i++) {
			struct folded f;
			uint64_t part = mix(start, parts[i].type);

			sum += fold(&parts[i].value, &f) ? mix(part, slice_of(f.bytes, f.size))
							 : mix(part, parts[i].value.content);
		}
		hash = mix(hash, slice_of(&sum, sizeof(sum)));
	}
	return hash;
}
