/* A walk over BER and DER that copies nothing (X.690). It knows lengths, not meanings. */
#ifndef LEAFWATCH_SCANNERS_FORMATS_ASN1_H
#define LEAFWATCH_SCANNERS_FORMATS_ASN1_H

#include "agent/base/buffer.h"
#include "agent/base/slice.h"

#include <stdbool.h>
#include <stdint.h>

enum {
	ASN1_INTEGER = 0x02,
	ASN1_OCTETS = 0x04,
	ASN1_NULL = 0x05,
	ASN1_OID = 0x06,
	ASN1_UTC_TIME = 0x17,
	ASN1_GENERALIZED_TIME = 0x18,
	ASN1_BMP_STRING = 0x1e,
	ASN1_SEQUENCE = 0x30,
	ASN1_SET = 0x31,
	ASN1_CONTEXT_0 = 0x80,
	ASN1_CONSTRUCTED = 0x20,
};

struct asn1 {
	uint8_t tag; /* the identifier octet; tags over 30 are not for us: 0x1f stays in it */
	struct slice
		whole; /* borrowed: with header and, where the length was indefinite, its end */
	struct slice content; /* borrowed */
};

/* The element at the start of `*left`, which then starts after it. False (and nothing moved) where
 * none fits: the bytes end before it does, or they are no element. Linear in the element's size. */
bool asn1_next(struct slice *left, struct asn1 *out);
/* The next element if it has this tag. */
bool asn1_expect(struct slice *left, uint8_t tag, struct asn1 *out);
/* Header only: the content may be cut off. False for what is no header. `*size` is the content's
 * size, or SIZE_MAX where the length is indefinite. */
bool asn1_header(struct slice bytes, uint8_t *tag, size_t *header, size_t *size);
/* The octets of an OCTET STRING, or of an implicit [n] in its place, primitive or in BER pieces.
 * Borrowed where they lie in one piece, else gathered in `copy` (initialised by the caller). */
bool asn1_octets(const struct asn1 *item, struct buffer *copy, struct slice *out);
/* An INTEGER; what is negative or does not fit reads as UINT64_MAX. False where it is none. */
bool asn1_unsigned(const struct asn1 *item, uint64_t *out);
bool asn1_oid_is(struct slice oid, const void *der, size_t size);
/* Dotted text of an OID's content, as much as fits. */
void asn1_oid_text(struct slice oid, char *out, size_t size);

#define ASN1_OID_TEXT_BYTES 96

#endif
