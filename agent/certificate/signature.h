/* Did this certificate's key sign that one? Private to this folder. */
#ifndef LEAFWATCH_CERTIFICATE_SIGNATURE_H
#define LEAFWATCH_CERTIFICATE_SIGNATURE_H

#include "agent/certificate/node.h"

enum signature {
	SIGNATURE_GOOD,
	SIGNATURE_BAD,
	SIGNATURE_UNKNOWN /* an algorithm or a key that GnuTLS cannot work with, or that costs too much */
};

/* Keys that were imported before, and pairs that were checked. */
struct signature_cache;
struct signature_cache *signature_cache_new(size_t entries_max); /* NULL: out of memory */
void signature_cache_free(struct signature_cache *c);

/* Asks GnuTLS, or `cache` (may be NULL). `*costs` counts the times that GnuTLS was asked. */
enum signature signature_check(struct signature_cache *cache, const struct node *below,
	const struct node *above, unsigned *costs);
/* The same for any signed bytes, not remembered: `identifier` is an AlgorithmIdentifier's content. */
enum signature signature_check_bytes(
	struct slice spki, struct slice identifier, struct slice tbs, struct slice signature);

#endif
