/* What revocation lists say of a path. */
#include "agent/certificate/crl.h"
#include "agent/certificate/dn.h"
#include "agent/certificate/family.h"
#include "agent/certificate/path_rules.h"
#include "agent/certificate/signature.h"

struct asking {
	const struct node *const *path;
	size_t count;
	const struct judge_question *q;
	const struct family *all;
};

/* What all lists together say of one certificate. */
struct said {
	bool is_revoked;
	bool has_unusable;
	uint16_t reasons; /* not revoked for these */
};

/* May `n`, of the issuer's name, sign lists in its place (another key of the same CA)? It must stand on the
 * path from the issuer on, or have been signed by one that does. */
static bool is_vouched(const struct asking *a, size_t issuer, const struct node *n)
{
	unsigned costs = 0;

	if (n->anchor)
		return true;
	for (size_t i = issuer; i < a->count; i++)
		if (a->path[i] == n)
			return true;
	for (size_t i = issuer; i < a->count; i++)
		if (dn_equal(a->path[i]->at.subject, n->at.issuer) &&
			signature_check(NULL, n, a->path[i], &costs) == SIGNATURE_GOOD)
			return true;
	return false;
}

static bool ask_one(const struct asking *a, struct crl *list, size_t i, const struct node *signer,
	struct said *said)
{
	const struct crl_question q = { .certificate = a->path[i]->at.whole,
		.signer = signer->at.whole,
		.is_strict = a->q->is_strict,
		.now = a->q->now };
	struct crl_answer answer;

	crl_ask(list, &q, &answer);
	if (answer.word == CRL_GOOD)
		said->reasons |= answer.reasons;
	if (answer.word == CRL_REVOKED)
		said->is_revoked = true;
	if (answer.word == CRL_GOOD && answer.reasons != CRL_REASONS_ALL)
		list->fault = "it speaks of some reasons for revocation only";
	else if (answer.word == CRL_GOOD || answer.word == CRL_REVOKED)
		list->has_spoken = true;
	else if (!list->fault || *answer.why)
		list->fault = answer.why;
	return answer.word == CRL_GOOD || answer.word == CRL_REVOKED || answer.word == CRL_SILENT;
}

static void ask(const struct asking *a, struct crl *list, size_t i, struct said *said)
{
	if (ask_one(a, list, i, a->path[i + 1], said))
		return;
	for (size_t j = 0; j < a->all->count; j++) {
		const struct node *n = &a->all->members[j];

		if (n != a->path[i + 1] && n != a->path[i] &&
			n->subject_hash == a->path[i]->issuer_hash &&
			dn_equal(n->at.subject, list->issuer) && is_vouched(a, i + 1, n) &&
			ask_one(a, list, i, n, said))
			return;
	}
	said->has_unusable = true;
}

uint32_t path_revocation(const struct node *const *path, size_t count,
	const struct judge_question *q, const struct family *all, struct rules *broken)
{
	const struct asking a = { .path = path, .count = count, .q = q, .all = all };
	uint32_t problems = 0;

	if (q->revocation == REVOCATION_OFF)
		return 0;
	for (size_t i = 0; i + 1 < count; i++) {
		struct said said = { 0 };

		for (size_t j = 0; j < q->crls_count; j++)
			ask(&a, &q->crls[j], i, &said);
		if (said.is_revoked) {
			problems |= PROBLEM_BIT(PROBLEM_REVOKED);
			continue;
		}
		if (said.reasons == CRL_REASONS_ALL)
			continue;
		problems |= PROBLEM_BIT(PROBLEM_REVOCATION_UNKNOWN);
		if (said.has_unusable && q->revocation != REVOCATION_SOFT)
			rules_add(broken, RULE_CRL_UNUSABLE);
		else if (q->revocation == REVOCATION_HARD)
			rules_add(broken, RULE_CRL_MISSING);
	}
	return problems;
}
