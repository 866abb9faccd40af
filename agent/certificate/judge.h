/* The verdict on a certificate: a path to an anchor, and all that is wrong. */
#ifndef LEAFWATCH_CERTIFICATE_JUDGE_H
#define LEAFWATCH_CERTIFICATE_JUDGE_H

#include "agent/certificate/certificate.h"
#include "agent/certificate/trust.h"

enum purpose { PURPOSE_ANY, PURPOSE_SERVER, PURPOSE_CLIENT };

struct judge_question {
	const struct parsed_certificate *leaf;
	/* Neighbours that may be its issuers (same file, same handshake); may include the leaf. */
	const struct parsed_certificate *const *candidates;
	size_t candidates_count;
	const char *server_name; /* DNS name or numeric address it was asked for, or NULL */
	enum purpose purpose;
	int64_t now;
};

/* Writes the verdict (to be freed with verdict_fini). Remembers what it judged in `cache` when given. */
struct judge_cache;
enum err judge_cache_new(size_t entries_max, struct judge_cache **out) MUST_CHECK;
void judge_cache_free(struct judge_cache *c);
enum err judge(const struct trust *trust, struct judge_cache *cache, const struct judge_question *q,
	struct verdict *out) MUST_CHECK;

#endif
