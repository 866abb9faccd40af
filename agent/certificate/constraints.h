/* Name constraints (RFC 5280 4.2.1.10, 6.1.3 b and c). Private to this folder. */
#ifndef LEAFWATCH_CERTIFICATE_CONSTRAINTS_H
#define LEAFWATCH_CERTIFICATE_CONSTRAINTS_H

#include "agent/certificate/node.h"
#include "agent/certificate/rules.h"

/* Names times constraints that one verdict compares at most, as OpenSSL's limit is. */
#define CONSTRAINT_COMPARISONS_MAX (1u << 20)

/* Adds the rules that the names of `below` break by the constraints of `ca`. `comparisons` counts down
 * what may still be compared. */
void constraints_check(
	const struct node *ca, const struct node *below, size_t *comparisons, struct rules *broken);

#endif
