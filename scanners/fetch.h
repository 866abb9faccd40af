/* What main asks the fetcher for, and what the fetcher hands to the parser. */
#ifndef LEAFWATCH_SCANNERS_FETCH_H
#define LEAFWATCH_SCANNERS_FETCH_H

#include "agent/base/buffer.h"
#include "agent/base/err.h"
#include "agent/base/slice.h"
#include "agent/certificate/record.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Ceilings of one answer: real CRLs reach 30 MB, an OCSP answer 4 KB. */
#define FETCH_CRL_BYTES_MAX (60 * 1024 * 1024)
#define FETCH_SMALL_BYTES_MAX (64 * 1024)
/* Certificates that one question may be about; their results fit into one frame. */
#define FETCH_SUBJECTS_MAX 4000
#define FETCH_HEADER_BYTES_MAX 256 /* of an ETag or a date that is given back */

/* A list, an answer about one certificate, the certificates that may have issued some (RFC 5280 4.2.2.1). */
enum fetch_kind { FETCH_CRL = 1, FETCH_OCSP, FETCH_ISSUERS, FETCH_KIND_COUNT };

/* A certificate that the question is about. */
struct fetch_subject {
	uint8_t fingerprint[FINGERPRINT_BYTES];
	char *serial; /* owned; as in struct certificate */
	bool is_ca;
};

struct fetch {
	enum fetch_kind kind;
	bool is_kept; /* what its place holds still holds: nothing is asked, only that is told */
	char *url;    /* owned; http or https */
	uint8_t issuer[FINGERPRINT_BYTES]; /* the certificate that issued all subjects */
	uint8_t *issuer_der; /* owned; its bytes, or NULL for an anchor, which parsers have */
	size_t issuer_der_size;
	char *etag;                     /* owned, or NULL; of what is known already, as is: */
	char *last_modified;            /* owned, or NULL */
	struct issuer_id issuer_id;     /* of FETCH_OCSP */
	struct fetch_subject *subjects; /* owned */
	size_t subjects_count;
};

void fetch_fini(struct fetch *f);
void fetch_encode(struct buffer *out, const struct fetch *f);
/* ERR_MALFORMED beyond the ceilings. */
enum err fetch_decode(struct slice bytes, struct fetch *out) MUST_CHECK;

enum fetch_outcome { FETCH_GOT = 1, FETCH_UNMODIFIED, FETCH_FAILED, FETCH_OUTCOME_COUNT };

/* What follows the body of an answer. */
struct fetch_trailer {
	enum fetch_outcome outcome;
	enum reason reason;  /* of FETCH_FAILED */
	char *message;       /* owned; of FETCH_FAILED, else NULL */
	char *etag;          /* owned, or NULL */
	char *last_modified; /* owned, or NULL */
	struct slice nonce;  /* borrowed; what was sent, or empty */
};

void fetch_trailer_fini(struct fetch_trailer *t);
/* A finding is the question, the body, the trailer: so a body may be sent on before its end is known. */
void fetched_begin(struct buffer *out, const struct fetch *f);
void fetched_end(struct buffer *out, const struct fetch_trailer *t);
/* `body` and the trailer's nonce are borrowed from `bytes`. */
enum err fetched_decode(struct slice bytes, struct fetch *f, struct slice *body,
	struct fetch_trailer *t) MUST_CHECK;

#endif
