/* RFC 5280 6.1 on a path, and what its certificates are by themselves. Private to this folder. */
#ifndef LEAFWATCH_CERTIFICATE_PATH_RULES_H
#define LEAFWATCH_CERTIFICATE_PATH_RULES_H

#include "agent/certificate/judge.h"
#include "agent/certificate/node.h"
#include "agent/certificate/rules.h"

/* Adds what `path` (leaf first) breaks for this question; signatures and dates are not looked at. */
void path_rules(const struct node *const *path, size_t count, const struct judge_question *q,
	struct rules *broken);

/* What the question's lists say of the path's certificates below the last: PROBLEM_REVOKED,
 * PROBLEM_REVOCATION_UNKNOWN or nothing; rules that this breaks are added. `all` may hold those who signed
 * the lists. */
struct family;
uint32_t path_revocation(const struct node *const *path, size_t count,
	const struct judge_question *q, const struct family *all, struct rules *broken);

/* Where a certificate stands. */
enum role_in_path { AS_LEAF, AS_ISSUER, AS_ANCHOR };
/* Adds all rules of levels STRICT and LINT that it breaks by itself. */
void certificate_rules(
	const struct node *n, enum role_in_path role, enum purpose purpose, struct rules *broken);

/* The problems of its purpose: PROBLEM_WRONG_USAGE's rules of the leaf alone. */
void purpose_rules(const struct node *leaf, enum purpose purpose, struct rules *broken);

/* PROBLEM_WEAK_KEY, PROBLEM_WEAK_SIGNATURE or nothing. A signature counts only where something rests on it. */
uint32_t node_weakness(const struct node *n, bool with_signature);

#endif
