/* The certificates a path may be built from. Private to this folder. */
#ifndef LEAFWATCH_CERTIFICATE_FAMILY_H
#define LEAFWATCH_CERTIFICATE_FAMILY_H

#include "agent/certificate/judge.h"
#include "agent/certificate/judge_cache.h"

struct family {
	struct node *members; /* owned; the leaf first */
	size_t count;
	size_t capacity;
	bool is_cut; /* there were more than fit */
};

/* The leaf, all that bear its issuer's name, all that bear theirs, and so on: neighbours, anchors, the pool. */
enum err family_gather(
	const struct trust *trust, const struct judge_question *q, struct family *out) MUST_CHECK;
void family_fini(struct family *f);

#endif
