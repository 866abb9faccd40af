/* OCSP answers (RFC 6960), stapled or fetched, and the question. */
#ifndef LEAFWATCH_CERTIFICATE_OCSP_H
#define LEAFWATCH_CERTIFICATE_OCSP_H

#include "agent/base/buffer.h"
#include "agent/certificate/revocation.h"

/* Ceiling of an answer; real ones have 500 bytes to 4 KiB. */
#define OCSP_BYTES_MAX (64 * 1024)
#define OCSP_NONCE_BYTES 32 /* RFC 8954 2.1 */

struct ocsp_question {
	struct slice issuer_der; /* the certificate that issued the one asked about */
	const char *serial;      /* as in struct certificate */
	struct slice nonce;      /* what was sent, or empty */
	int64_t now;
};

enum ocsp_word { OCSP_GOOD, OCSP_REVOKED, OCSP_UNKNOWN, OCSP_STALE, OCSP_INVALID };

struct ocsp_answer {
	enum ocsp_word word;
	unsigned reason;    /* CRLReason of OCSP_REVOKED */
	int64_t revoked_at; /* these three may be TIME_UNKNOWN */
	int64_t this_update;
	int64_t next_update;
	char why[96]; /* a clean sentence for all but GOOD and REVOKED; "" for those */
};

/* Judges an answer: form, signature, the signer's right to sign (RFC 6960 4.2.2.2), that it speaks of the
 * certificate, the nonce where both sides have one, and its window. What is wrong with it is a word of
 * `out`; the error is ERR_MEMORY alone. */
enum err ocsp_read(
	struct slice response, const struct ocsp_question *q, struct ocsp_answer *out) MUST_CHECK;

/* Appends the DER of a request for one certificate. `nonce` may be empty. False for a serial that is no
 * hex number. */
bool ocsp_request(
	struct buffer *out, const struct issuer_id *issuer, const char *serial, struct slice nonce);

#endif
