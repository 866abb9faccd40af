/* What was verified before: signatures cost some 60 us each. Private to this folder. */
#ifndef LEAFWATCH_CERTIFICATE_JUDGE_CACHE_H
#define LEAFWATCH_CERTIFICATE_JUDGE_CACHE_H

#include "agent/certificate/record.h"

/* Certificates of a path below its anchor: GnuTLS verifies no longer ones. */
#define PATH_MAX_CERTIFICATES 15

/* The outcome of building and verifying, without anything that the clock changes. */
struct judged {
	uint32_t problems;
	bool is_verified; /* false: an algorithm of the path is not known to GnuTLS */
	bool has_anchor;
	uint8_t anchor[FINGERPRINT_BYTES];
	uint8_t path_count;
	uint8_t path[PATH_MAX_CERTIFICATES]; /* indices into the family that the key stands for */
};

struct judge_cache;
/* What was remembered under this key, or NULL; borrowed until the next call. */
const struct judged *judge_cache_find(
	const struct judge_cache *c, const uint8_t key[FINGERPRINT_BYTES]);
void judge_cache_put(
	struct judge_cache *c, const uint8_t key[FINGERPRINT_BYTES], const struct judged *what);

#endif
