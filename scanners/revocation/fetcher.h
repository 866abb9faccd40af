/* The fetcher role: CRLs, OCSP answers and issuers' certificates over HTTP, unread, for the parser. */
#ifndef LEAFWATCH_SCANNERS_REVOCATION_FETCHER_H
#define LEAFWATCH_SCANNERS_REVOCATION_FETCHER_H

#include "agent/base/buffer.h"
#include "agent/base/err.h"
#include "agent/process/role.h"

#include <stdint.h>

#define FETCHER_TIMEOUT_MS_MIN 100
#define FETCHER_TIMEOUT_MS_MAX (10 * 60 * 1000)

/* Options are a struct fetcher_options, work items a struct fetch each. Each item gets one finding
 * (FINDING_FETCHED) and then WORK_DONE. */
extern const struct role fetcher_role;

struct fetcher_options {
	int64_t timeout_ms; /* of one transfer, over everything */
	char *proxy;        /* owned; URL, "" for none, NULL for the environment's */
};
void fetcher_options_encode(struct buffer *out, const struct fetcher_options *o);
enum err fetcher_options_decode(struct slice bytes, struct fetcher_options *out) MUST_CHECK;

#endif
