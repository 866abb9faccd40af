/* Certificate revocation lists (RFC 5280 5), given, found or fetched. They are read where they lie: nothing
 * is copied, so that a list of 30 MB costs its own bytes and one walk a question. */
#ifndef LEAFWATCH_CERTIFICATE_CRL_H
#define LEAFWATCH_CERTIFICATE_CRL_H

#include "agent/base/clock.h"
#include "agent/base/err.h"
#include "agent/base/slice.h"

#include <stdbool.h>
#include <stdint.h>

/* ReasonFlags (4.2.1.13) without its unused first bit. */
#define CRL_REASONS_ALL 0x7f80u

/* All slices are borrowed from the bytes. */
struct crl {
	struct slice whole;  /* exactly the list */
	struct slice tbs;    /* with its header */
	struct slice issuer; /* Name with its header */
	struct slice signature_algorithm;
	struct slice signature;
	struct slice entries; /* for crl_next */
	struct slice authority_key_id;
	struct slice number; /* content of the INTEGER; empty: none */
	int64_t this_update; /* or TIME_UNKNOWN */
	int64_t next_update;
	bool has_unknown_critical;
	bool is_number_critical;
	bool is_delta;
	bool is_malformed; /* an extension is */
	/* Issuing distribution point (5.2.5). */
	bool has_scope;
	struct slice point; /* DistributionPointName's content; empty: none */
	bool only_users;
	bool only_cas;
	bool only_attributes;
	bool is_indirect;
	uint16_t reasons; /* those it speaks of */
	/* What questions came to: filled by the judge. */
	bool has_spoken; /* of one certificate at least */
	const char
		*fault; /* why it did not of the last other one; "" where it is another issuer's */
	/* The key its signature was checked with last, and the outcome: filled by crl_ask. */
	bool has_checked_key;
	bool is_signed;
	uint8_t checked_key[32];
};

struct crl_entry {
	struct slice serial; /* content of the INTEGER */
	int64_t revoked_at;
	unsigned reason; /* CRLReason; 0 where none is given */
	bool has_unknown_critical;
};

/* Reads the list at the start of `bytes`, DER. `*trailing` (may be NULL) counts bytes after it.
 * ERR_MALFORMED with the place in `why`. The entries are not looked at. */
enum err crl_parse(
	struct slice bytes, struct crl *out, size_t *trailing, struct why *why) MUST_CHECK;

/* Takes the next entry of `left`, which starts as crl.entries. False at the end, or where it is malformed:
 * then something is left. */
bool crl_next(struct slice *left, struct crl_entry *out);

enum crl_word {
	CRL_SILENT,     /* it is not about this certificate: another issuer, or out of its scope */
	CRL_GOOD,       /* not on it, as far as `reasons` goes */
	CRL_REVOKED,    /* on it */
	CRL_STALE,      /* its nextUpdate has passed, or its thisUpdate lies ahead */
	CRL_INVALID,    /* its signature, its signer's right, or its form is wrong */
	CRL_UNSUPPORTED /* delta, indirect, a point named relative to its issuer */
};

struct crl_question {
	struct slice certificate; /* DER of the one asked about */
	/* DER of a certificate that bears the list's issuer's name and may have signed it. That it is to be
	 * believed itself is the caller's to know. */
	struct slice signer;
	bool is_strict; /* demand what RFC 5280 demands of those who issue lists */
	int64_t now;
};

struct crl_answer {
	enum crl_word word;
	uint16_t reasons; /* what CRL_GOOD speaks of: CRL_REASONS_ALL, or fewer */
	unsigned reason;  /* of CRL_REVOKED */
	int64_t revoked_at;
	const char
		*why; /* a sentence for the last three words, and for one out of scope; else "" */
};

/* Checks the signature once for each signer. */
void crl_ask(struct crl *list, const struct crl_question *q, struct crl_answer *out);

/* For many certificates of one issuer at once, who is `q->signer`; `q->certificate` is not looked at.
 * Whether the list can be believed: CRL_GOOD, or what stands against it. Then its entries can be walked. */
void crl_believe(struct crl *list, const struct crl_question *q, struct crl_answer *out);
/* Does it cover the distribution point at this URI (6.3.3 b 2)? */
bool crl_covers_point(const struct crl *list, const char *uri);

#endif
