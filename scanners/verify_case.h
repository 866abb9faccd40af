/* One certificate to be verified as `leafwatch verify` asks, as it crosses from main to the parser. */
#ifndef LEAFWATCH_SCANNERS_VERIFY_CASE_H
#define LEAFWATCH_SCANNERS_VERIFY_CASE_H

#include "agent/base/buffer.h"
#include "agent/base/err.h"
#include "agent/certificate/judge.h"

/* Files given beside the certificate's own, of each kind; more are refused as wrong usage. Without a key: `verify` reads
 * no configuration, so that its answer is the same everywhere. */
#define VERIFY_FILES_MAX 256
#define VERIFY_NAME_BYTES_MAX 1024

/* Borrowed slices: the content of files, in any format that holds certificates. */
struct verify_case {
	struct slice certificate; /* the first in it is verified, the others may be issuers */
	struct slice untrusted[VERIFY_FILES_MAX];
	size_t untrusted_count;
	struct slice crls[VERIFY_FILES_MAX];
	size_t crls_count;
	char *name; /* owned, or NULL */
	enum name_kind name_kind;
	bool use_common_name;
	enum purpose purpose;
	unsigned intermediates_limit; /* as in struct judge_question */
	enum revocation_mode revocation;
};

void verify_case_fini(struct verify_case *c);
void verify_case_encode(struct buffer *out, const struct verify_case *c);
/* Hostile bytes; `out` borrows from them. */
enum err verify_case_decode(struct slice bytes, struct verify_case *out) MUST_CHECK;

#endif
