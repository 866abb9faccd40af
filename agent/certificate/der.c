/* A bounded reader of DER, and where the parts of a certificate lie. */
#include "agent/certificate/der.h"

#include <inttypes.h>
#include <stdio.h>

#define LENGTH_OCTETS_MAX 8
#define IDENTIFIER_OCTETS_MAX 6

struct header {
	size_t size; /* identifier and length octets */
	size_t length;
	bool is_indefinite;
};

/* Octets of the identifier; 0 when they do not end in time. */
static size_t identifier_size(struct slice s)
{
	if (!s.size)
		return 0;
	if ((s.data[0] & 0x1f) != 0x1f)
		return 1;
	for (size_t i = 1; i < s.size && i < IDENTIFIER_OCTETS_MAX; i++)
		if (!(s.data[i] & 0x80))
			return i + 1;
	return 0;
}

/* X.690 8.1.3. */
static bool read_header(struct slice s, struct header *out)
{
	size_t at = identifier_size(s);
	size_t octets;

	if (!at || at >= s.size)
		return false;
	*out = (struct header){ .size = at + 1, .length = s.data[at] };
	if (s.data[at] < 0x80)
		return true;
	octets = s.data[at] & 0x7f;
	out->length = 0;
	out->is_indefinite = octets == 0;
	/* Only what is constructed may go without a length (X.690 8.1.3.2). */
	if (out->is_indefinite)
		return s.data[0] & 0x20;
	if (octets > LENGTH_OCTETS_MAX || octets > s.size - at - 1)
		return false;
	for (size_t i = 1; i <= octets; i++) {
		/* Beyond any memory: it does not fit, whatever follows. */
		if (out->length > SIZE_MAX >> 16)
			return false;
		out->length = out->length << 8 | s.data[at + i];
	}
	out->size += octets;
	return true;
}

static bool is_end_of_contents(struct slice s, size_t at)
{
	return s.size - at >= 2 && !s.data[at] && !s.data[at + 1];
}

/* Where the contents that `s` starts with end: before the end-of-contents octets that close them, those
 * of nested ones aside. False where they are cut off or broken. */
static bool contents_size(struct slice s, size_t *size)
{
	size_t open = 1;
	size_t at = 0;

	while (at < s.size) {
		struct header h;

		if (is_end_of_contents(s, at)) {
			*size = at;
			if (--open == 0)
				return true;
			at += 2;
			continue;
		}
		if (!read_header(slice_of(s.data + at, s.size - at), &h))
			return false;
		open += h.is_indefinite;
		if (h.length > s.size - at - h.size)
			return false;
		at += h.size + h.length;
	}
	return false;
}

bool der_next_cut(struct slice *left, struct der_item *out)
{
	struct header h;
	struct slice rest;
	size_t closing = 0;

	if (!read_header(*left, &h))
		return false;
	rest = slice_of(left->data + h.size, left->size - h.size);
	out->is_cut = h.is_indefinite ? !contents_size(rest, &h.length) : h.length > rest.size;
	if (out->is_cut)
		h.length = rest.size;
	else if (h.is_indefinite)
		closing = 2;
	out->tag = left->data[0];
	out->content = slice_of(rest.data, h.length);
	out->whole = slice_of(left->data, h.size + h.length + closing);
	*left = slice_of(left->data + out->whole.size, left->size - out->whole.size);
	return true;
}

bool der_next(struct slice *left, struct der_item *out)
{
	struct slice rest = *left;

	if (!der_next_cut(&rest, out) || out->is_cut)
		return false;
	*left = rest;
	return true;
}

bool der_take(struct slice *left, uint8_t tag, struct der_item *out)
{
	return left->size && left->data[0] == tag && der_next(left, out);
}

/* One arc in base 128; false when it does not end or exceeds 64 bits. */
static bool next_arc(struct slice *left, uint64_t *arc)
{
	*arc = 0;
	while (left->size) {
		uint8_t octet = left->data[0];

		if (*arc >> 57)
			return false;
		*arc = *arc << 7 | (octet & 0x7f);
		*left = slice_of(left->data + 1, left->size - 1);
		if (!(octet & 0x80))
			return true;
	}
	return false;
}

bool der_oid_text(struct slice content, char out[DER_OID_TEXT_BYTES])
{
	uint64_t arc;
	uint64_t first;
	int used;

	out[0] = 0;
	if (!next_arc(&content, &arc))
		return false;
	/* The first two arcs share one number (X.690 8.19.4). */
	first = arc < 80 ? arc / 40 : 2;
	used = snprintf(out, DER_OID_TEXT_BYTES, "%" PRIu64 ".%" PRIu64, first, arc - first * 40);
	while (content.size) {
		int added;

		if (!next_arc(&content, &arc))
			break;
		added = snprintf(out + used, DER_OID_TEXT_BYTES - (size_t)used, ".%" PRIu64, arc);
		if (added >= DER_OID_TEXT_BYTES - used)
			break;
		used += added;
		if (!content.size)
			return true;
	}
	out[0] = 0;
	return false;
}

static bool is_time(uint8_t tag)
{
	return (tag & ~DER_CONSTRUCTED) == DER_UTC_TIME ||
	       (tag & ~DER_CONSTRUCTED) == DER_GENERALIZED_TIME;
}

/* Version to validity: what makes the bytes evidently a certificate. */
static bool walk_head(struct slice *tbs, struct der_certificate *c)
{
	struct der_item item;
	struct der_item validity;

	(void)der_take(tbs, DER_CONTEXT_CONSTRUCTED, &item);
	if (!der_take(tbs, DER_INTEGER, &item))
		return false;
	c->serial = item.content;
	if (!der_take(tbs, DER_SEQUENCE, &item) || !item.content.size ||
		item.content.data[0] != DER_OID)
		return false;
	c->signature_algorithm = item.content;
	/* OpenSSL takes a Name or a time for one whether it says "constructed" or not. */
	if (!der_next(tbs, &item) || (item.tag | DER_CONSTRUCTED) != DER_SEQUENCE)
		return false;
	c->issuer = item.whole;
	if (!tbs->size || tbs->data[0] != DER_SEQUENCE || !der_next_cut(tbs, &validity))
		return false;
	if (!der_next_cut(&validity.content, &c->not_before) || !is_time(c->not_before.tag))
		return false;
	(void)der_next_cut(&validity.content, &c->not_after);
	return true;
}

/* Subject to extensions; false where something is missing or odd. */
static bool walk_tail(struct slice tbs, struct der_certificate *c)
{
	struct der_item item;
	struct der_item list;

	if (!der_take(&tbs, DER_SEQUENCE, &item))
		return false;
	c->subject = item.whole;
	if (!der_take(&tbs, DER_SEQUENCE, &item))
		return false;
	c->spki = item.whole;
	while (tbs.size) {
		if (!der_next(&tbs, &item))
			return false;
		if (item.tag != (DER_CONTEXT_CONSTRUCTED | 3))
			continue;
		if (!der_take(&item.content, DER_SEQUENCE, &list))
			return false;
		c->extensions = list.content;
	}
	return true;
}

static bool walk_signature(struct slice left, struct der_certificate *c)
{
	struct der_item item;

	if (!der_take(&left, DER_SEQUENCE, &item) || !der_take(&left, DER_BIT_STRING, &item))
		return false;
	/* The first octet counts unused bits (X.690 8.6.2.2). */
	c->signature = slice_after(item.content, 1);
	return left.size == 0;
}

bool der_certificate(struct slice bytes, struct der_certificate *out)
{
	struct der_certificate c = { 0 };
	struct der_item outer;
	struct der_item tbs;

	if (!bytes.size || bytes.data[0] != DER_SEQUENCE || !der_next_cut(&bytes, &outer))
		return false;
	c.whole = outer.whole;
	if (!outer.content.size || outer.content.data[0] != DER_SEQUENCE ||
		!der_next_cut(&outer.content, &tbs))
		return false;
	c.tbs = tbs.whole;
	if (!walk_head(&tbs.content, &c))
		return false;
	c.is_complete = walk_tail(tbs.content, &c);
	c.is_complete = walk_signature(outer.content, &c) && c.is_complete && !outer.is_cut;
	*out = c;
	return true;
}

bool der_extension(struct slice extensions, struct slice oid, struct slice *value)
{
	struct der_item extension;
	struct der_item item;

	while (der_take(&extensions, DER_SEQUENCE, &extension)) {
		struct slice left = extension.content;

		if (!der_take(&left, DER_OID, &item) || item.content.size != oid.size ||
			memcmp(item.content.data, oid.data, oid.size) != 0)
			continue;
		(void)der_take(&left, DER_BOOLEAN, &item);
		if (!der_take(&left, DER_OCTET_STRING, &item))
			return false;
		*value = item.content;
		return true;
	}
	return false;
}
