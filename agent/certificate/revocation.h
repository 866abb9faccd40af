/* What an issuer says of a certificate after it was issued: the words, and where to ask. */
#ifndef LEAFWATCH_CERTIFICATE_REVOCATION_H
#define LEAFWATCH_CERTIFICATE_REVOCATION_H

#include "agent/base/err.h"
#include "agent/base/slice.h"
#include "agent/certificate/judge.h"
#include "agent/certificate/record.h"
#include "agent/certificate/trust.h"

#include <stdbool.h>
#include <stdint.h>

/* What OCSP hashes of an issuer; borrowed from its certificate. False where it is none. */
struct issuer_parts {
	struct slice name; /* the Name, with its header */
	struct slice key;  /* the key's bits, without the octet that counts unused ones */
};
bool issuer_parts_of(struct slice issuer_der, struct issuer_parts *out);
bool issuer_id_of(struct slice issuer_der, struct issuer_id *out);

/* The certificate that stands above the leaf in a verdict's chain, among the question's candidates or the
 * anchors; empty where the chain has none. Borrowed from them. */
struct slice revocation_issuer(
	const struct trust *trust, const struct judge_question *q, const struct verdict *v);
/* Notes in the verdict who issued the leaf. */
void revocation_note_issuer(
	const struct trust *trust, const struct judge_question *q, struct verdict *v);

/* The content of the INTEGER that a record shows as hex with a sign, in its shortest form. False for what
 * is no such text, or longer. */
#define REVOCATION_SERIAL_BYTES 64
bool revocation_serial(const char *text, uint8_t out[REVOCATION_SERIAL_BYTES], size_t *size);

/* Clocks of responders and CRL issuers may be this far from ours. */
#define REVOCATION_SKEW_S 300
/* An answer without nextUpdate counts for so long after its thisUpdate. */
#define REVOCATION_OPEN_S (7 * INT64_C(86400))

/* Does what was said from `this_update` to `next_update` (or TIME_UNKNOWN) still hold? */
bool revocation_is_current(int64_t this_update, int64_t next_update, int64_t now);

/* Why a source that could be believed left the status of a certificate unknown: the `reason` of such a result. */
enum revocation_gap {
	REVOCATION_NO_ANSWER,
	REVOCATION_OUT_OF_SCOPE, /* the list speaks of other kinds of certificates */
	REVOCATION_SOME_REASONS, /* it is not on a list of some reasons only */
	REVOCATION_GAP_COUNT
};

/* The name of a CRLReason (RFC 5280 5.3.1), "unspecified" for unknown ones. */
const char *revocation_reason_word(unsigned reason);

#endif
