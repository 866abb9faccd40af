/* A bounded reader of DER, and where the parts of a certificate lie. Private to this folder. */
#ifndef LEAFWATCH_CERTIFICATE_DER_H
#define LEAFWATCH_CERTIFICATE_DER_H

#include "agent/base/buffer.h"
#include "agent/base/slice.h"

#include <stdbool.h>
#include <stdint.h>

enum der_tag {
	DER_BOOLEAN = 0x01,
	DER_INTEGER = 0x02,
	DER_BIT_STRING = 0x03,
	DER_OCTET_STRING = 0x04,
	DER_OID = 0x06,
	DER_UTF8_STRING = 0x0c,
	DER_NUMERIC_STRING = 0x12,
	DER_PRINTABLE_STRING = 0x13,
	DER_T61_STRING = 0x14,
	DER_IA5_STRING = 0x16,
	DER_UTC_TIME = 0x17,
	DER_GENERALIZED_TIME = 0x18,
	DER_VISIBLE_STRING = 0x1a,
	DER_GENERAL_STRING = 0x1b,
	DER_UNIVERSAL_STRING = 0x1c,
	DER_BMP_STRING = 0x1e,
	DER_CONSTRUCTED = 0x20,
	DER_SEQUENCE = 0x30,
	DER_SET = 0x31,
	/* Context tags, primitive and constructed. */
	DER_CONTEXT = 0x80,
	DER_CONTEXT_CONSTRUCTED = 0xa0,
};

/* One TLV. All slices are borrowed from what was read. */
struct der_item {
	uint8_t tag; /* first identifier octet; a high tag number keeps only this one */
	bool is_cut; /* its length says more than there was */
	struct slice content;
	struct slice whole;
};

/* Takes the TLV at the start of `left`. False, with `left` as it was, when there is none or it does not
 * fit. BER is read too, as OpenSSL does: lengths need not be minimal, nor be there at all (indefinite). */
bool der_next(struct slice *left, struct der_item *out);
/* The same, but a TLV that does not fit is given as far as it goes. */
bool der_next_cut(struct slice *left, struct der_item *out);
/* der_next, but only if its tag is `tag`. */
bool der_take(struct slice *left, uint8_t tag, struct der_item *out);

/* Room for the dotted form of any object identifier shown. */
#define DER_OID_TEXT_BYTES 256
/* The dotted form of an OBJECT IDENTIFIER's content; false (and "") when it is malformed, an arc
 * exceeds 64 bits or the text its room. */
bool der_oid_text(struct slice content, char out[DER_OID_TEXT_BYTES]);

/* Appends a character string's content as UTF-8; bytes that are none pass through unchanged, so the
 * result is to be escaped. False for tags that are no strings and for broken BMP or Universal. */
bool der_string_utf8(uint8_t tag, struct slice content, struct buffer *out);

/* Unix seconds of a UTCTime or GeneralizedTime, also without seconds, with an offset or a fraction
 * (which RFC 5280 4.1.2.5 forbids, but certificates hold). TIME_UNKNOWN when it cannot be read. */
int64_t der_time(const struct der_item *item);

/* Where things lie in a certificate. Parts that were not reached are empty. */
struct der_certificate {
	struct slice whole; /* the outer SEQUENCE, as far as there were bytes */
	struct slice tbs;   /* with its header */
	struct slice serial;
	struct slice signature_algorithm; /* the content of its SEQUENCE */
	struct slice issuer;              /* with its header */
	struct der_item not_before;
	struct der_item not_after;
	struct slice subject;    /* with its header */
	struct slice spki;       /* with its header */
	struct slice extensions; /* the content of SEQUENCE OF Extension */
	struct slice signature;  /* the bits, whole octets */
	bool is_complete;        /* all of it was there and nothing else */
};
/* Walks SEQUENCE { SEQUENCE { [0]? INTEGER SEQUENCE SEQUENCE SEQUENCE { time time } ... } ... }.
 * False where the bytes do not have this form up to the first time. */
bool der_certificate(struct slice bytes, struct der_certificate *out);

/* Finds the extension whose identifier has these bytes; gives the content of its OCTET STRING. */
bool der_extension(struct slice extensions, struct slice oid, struct slice *value);

#endif
