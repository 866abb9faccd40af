/* What was verified before: signatures cost some 60 us each. Private to this folder. */
#ifndef LEAFWATCH_CERTIFICATE_JUDGE_CACHE_H
#define LEAFWATCH_CERTIFICATE_JUDGE_CACHE_H

#include "agent/certificate/record.h"
#include "agent/certificate/signature.h"

/* Certificates of a path, the anchor included, and certificates it is chosen from. */
#define PATH_MAX_CERTIFICATES 13
#define FAMILY_MAX 128

/* The outcome of building and verifying, without anything that the clock changes. */
struct judged {
	uint32_t problems;
	struct rules broken; /* by the path */
	struct rules lint;   /* by the certificate itself */
	bool is_verified;    /* false: an algorithm of the path is not known to GnuTLS */
	bool has_anchor;     /* the last of the path is one */
	uint8_t path_count;
	uint8_t path[PATH_MAX_CERTIFICATES]; /* indices into the family that the key stands for */
};

struct judge_cache;
/* What was remembered under this key, or NULL; borrowed until the next call. */
const struct judged *judge_cache_find(
	const struct judge_cache *c, const uint8_t key[FINGERPRINT_BYTES]);
void judge_cache_put(
	struct judge_cache *c, const uint8_t key[FINGERPRINT_BYTES], const struct judged *what);
/* Takes NULL. */
struct signature_cache *judge_cache_signatures(const struct judge_cache *c);

#endif
