/* A certificate as the path search sees it: slices and numbers, no handle. Private to this folder. */
#ifndef LEAFWATCH_CERTIFICATE_NODE_H
#define LEAFWATCH_CERTIFICATE_NODE_H

#include "agent/certificate/anchors.h"
#include "agent/certificate/certificate.h"
#include "agent/certificate/extensions.h"

struct node {
	uint8_t fingerprint[FINGERPRINT_BYTES];
	struct der_certificate at; /* borrows the DER, as does `extensions` */
	struct extensions extensions;
	int64_t not_before; /* or TIME_UNKNOWN */
	int64_t not_after;
	uint64_t subject_hash;
	uint64_t issuer_hash;
	bool is_self_issued;
	bool is_distrusted;                      /* by a store that counts */
	const struct anchor *anchor;             /* borrowed; NULL: it is not trusted by itself */
	const struct parsed_certificate *parsed; /* borrowed; NULL: of a store */
};

/* False for bytes that are no whole certificate. */
bool node_of_certificate(const struct parsed_certificate *p, struct node *out);
bool node_of_anchor(const struct anchor *a, struct node *out);

/* The same name with the same key: the same CA, however many certificates it has. */
bool node_is_twin(const struct node *a, const struct node *b);

#endif
