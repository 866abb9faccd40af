/* What the judge asks of a trust store. Private to this folder. */
#ifndef LEAFWATCH_CERTIFICATE_ANCHORS_H
#define LEAFWATCH_CERTIFICATE_ANCHORS_H

#include "agent/certificate/trust.h"
#include "agent/certificate/trust_objects.h"

/* Extensions that stores attach to one anchor. */
#define ATTACHED_MAX 4

struct anchor {
	uint8_t fingerprint[FINGERPRINT_BYTES];
	uint64_t stores;            /* that hold it, a bit each in the order of trust_add */
	uint64_t distrusted;        /* those of them that distrust it */
	struct trust_limits limits; /* of all of them */
	struct slice attached[ATTACHED_MAX]; /* borrowed from the trust; the content of each */
	size_t attached_count;
	struct slice der;     /* borrowed from the trust, as are the next */
	struct slice subject; /* with its header */
	struct slice subject_key_id;
	uint64_t subject_hash;
	uint64_t issuer_hash;
	int64_t not_before; /* or TIME_UNKNOWN */
	int64_t not_after;
};

/* The anchor with this fingerprint, or NULL. */
const struct anchor *trust_find(
	const struct trust *t, const uint8_t fingerprint[FINGERPRINT_BYTES]);
/* The `nth` anchor (0 first) whose subject is this Name (with its dn_hash); NULL when there are fewer. */
const struct anchor *trust_named(
	const struct trust *t, struct slice name, uint64_t hash, size_t nth);
/* The name of the first of these stores that holds it; borrowed from the trust. */
const char *anchor_store(const struct trust *t, const struct anchor *a, uint64_t stores);
/* The stores that distrust the certificate of that issuer (with its dn_hash) and serial number, wherever it is. */
uint64_t trust_blocked(
	const struct trust *t, struct slice issuer, uint64_t issuer_hash, struct slice serial);
/* A number that differs between stores, and in one store after each trust_add. */
uint64_t trust_generation(const struct trust *t);

#endif
