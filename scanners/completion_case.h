/* A certificate that may have a better path, with issuers that lie elsewhere, as they cross from main to the
 * parser. */
#ifndef LEAFWATCH_SCANNERS_COMPLETION_CASE_H
#define LEAFWATCH_SCANNERS_COMPLETION_CASE_H

#include "agent/base/buffer.h"
#include "agent/base/err.h"
#include "agent/certificate/judge.h"

#define COMPLETION_CANDIDATES_MAX 64

#define COMPLETION_CASE_BYTES_MAX ((COMPLETION_CANDIDATES_MAX + 2) * (RECORD_DER_BYTES_MAX + 8))

/* Borrowed slices of DER. */
struct completion_case {
	enum purpose purpose;
	struct slice leaf;
	struct slice candidates[COMPLETION_CANDIDATES_MAX];
	size_t count;
	size_t shunned; /* the last of them are revoked: only for where nothing else leads to an anchor */
};

void completion_case_encode(struct buffer *out, const struct completion_case *c);
/* Hostile bytes; `out` borrows from them. */
enum err completion_case_decode(struct slice bytes, struct completion_case *out) MUST_CHECK;

#endif
