/* A walk over BER and DER that copies nothing. */
#include "scanners/formats/asn1.h"

#include <inttypes.h>
#include <stdio.h>

/* Levels of BER pieces inside one OCTET STRING, and of indefinite lengths inside one element. */
#define OCTETS_DEPTH_MAX 8
#define INDEFINITE_DEPTH_MAX 64
#define TAG_LONG 0x1f
#define LENGTH_LONG 0x80

/* X.690 8.1.2.4: a tag number over 30 lies in further octets. */
static bool skip_tag(struct slice bytes, size_t *at)
{
	if (!bytes.size)
		return false;
	*at = 1;
	if ((bytes.data[0] & TAG_LONG) != TAG_LONG)
		return true;
	while (*at < bytes.size && *at < 6 && (bytes.data[*at] & 0x80))
		++*at;
	++*at;
	return *at <= 6 && *at < bytes.size;
}

bool asn1_header(struct slice bytes, uint8_t *tag, size_t *header, size_t *size)
{
	size_t at, octets, length = 0;

	if (!skip_tag(bytes, &at) || at >= bytes.size)
		return false;
	*tag = bytes.data[0];
	*size = bytes.data[at++];
	*header = at;
	if (*size < LENGTH_LONG)
		return true;
	octets = *size & 0x7f;
	if (!octets) {
		*size = SIZE_MAX;
		return *tag & ASN1_CONSTRUCTED;
	}
	if (octets > bytes.size - at || octets > 8)
		return false;
	for (size_t i = 0; i < octets; i++) {
		if (length >> (8 * sizeof(length) - 9))
			return false;
		length = length << 8 | bytes.data[at + i];
	}
	*header = at + octets;
	*size = length;
	return true;
}

/* Length of the content of an indefinite element: up to the end-of-contents octets that close it. */
static bool indefinite_size(struct slice bytes, size_t *out)
{
	struct slice left = bytes;
	unsigned depth = 1;

	while (left.size >= 2) {
		size_t header, size;
		uint8_t tag;

		if (left.data[0] == 0 && left.data[1] == 0) {
			if (--depth == 0) {
				*out = bytes.size - left.size;
				return true;
			}
			left = slice_after(left, 2);
			continue;
		}
		if (!asn1_header(left, &tag, &header, &size))
			return false;
		if (size == SIZE_MAX) {
			if (++depth > INDEFINITE_DEPTH_MAX)
				return false;
			size = 0;
		}
		if (size > left.size - header)
			return false;
		left = slice_after(left, header + size);
	}
	return false;
}

bool asn1_next(struct slice *left, struct asn1 *out)
{
	size_t header, size, end = 0;
	struct asn1 item;

	if (!asn1_header(*left, &item.tag, &header, &size))
		return false;
	item.content = slice_after(*left, header);
	if (size == SIZE_MAX) {
		if (!indefinite_size(item.content, &size))
			return false;
		end = 2;
	}
	if (size > left->size - header)
		return false;
	item.content = slice_of(left->data + header, size);
	item.whole = slice_of(left->data, header + size + end);
	*left = slice_after(*left, item.whole.size);
	*out = item;
	return true;
}

bool asn1_expect(struct slice *left, uint8_t tag, struct asn1 *out)
{
	struct slice rest = *left;

	if (!left->size || left->data[0] != tag || !asn1_next(&rest, out))
		return false;
	*left = rest;
	return true;
}

/* Pieces are walked with a stack, so that nothing hostile decides how deep we call. */
static bool gather(struct slice pieces, struct buffer *copy)
{
	struct slice stack[OCTETS_DEPTH_MAX] = { pieces };
	unsigned depth = 1;

	while (depth) {
		struct asn1 piece;

		if (!stack[depth - 1].size) {
			depth--;
			continue;
		}
		if (!asn1_next(&stack[depth - 1], &piece))
			return false;
		if (piece.tag == ASN1_OCTETS) {
			buffer_slice(copy, piece.content);
			continue;
		}
		if (piece.tag != (ASN1_OCTETS | ASN1_CONSTRUCTED) || depth == OCTETS_DEPTH_MAX)
			return false;
		stack[depth++] = piece.content;
	}
	return buffer_status(copy) == ERR_OK;
}

bool asn1_octets(const struct asn1 *item, struct buffer *copy, struct slice *out)
{
	*out = item->content;
	if (!(item->tag & ASN1_CONSTRUCTED))
		return true;
	if (!gather(item->content, copy))
		return false;
	*out = buffer_bytes(copy);
	return true;
}

bool asn1_unsigned(const struct asn1 *item, uint64_t *out)
{
	struct slice s = item->content;
	uint64_t value = 0;

	if (item->tag != ASN1_INTEGER || !s.size)
		return false;
	if (s.data[0] & 0x80) {
		*out = UINT64_MAX;
		return true;
	}
	for (size_t i = 0; i < s.size; i++) {
		if (value >> 56) {
			*out = UINT64_MAX;
			return true;
		}
		value = value << 8 | s.data[i];
	}
	*out = value;
	return true;
}

bool asn1_oid_is(struct slice oid, const void *der, size_t size)
{
	return oid.size == size && memcmp(oid.data, der, size) == 0;
}

void asn1_oid_text(struct slice oid, char *out, size_t size)
{
	uint64_t arc = 0;
	bool is_first = true;
	size_t used = 0;

	out[0] = 0;
	for (size_t i = 0; i < oid.size && used < size; i++) {
		int n;

		arc = arc << 7 | (oid.data[i] & 0x7f);
		if (oid.data[i] & 0x80)
			continue;
		if (is_first) {
			uint64_t top = arc >= 80 ? 2 : arc / 40;

			n = snprintf(out + used, size - used, "%" PRIu64 ".%" PRIu64, top,
				arc - 40 * top);
		} else {
			n = snprintf(out + used, size - used, ".%" PRIu64, arc);
		}
		used += n > 0 ? (size_t)n : 0;
		is_first = false;
		arc = 0;
	}
}
