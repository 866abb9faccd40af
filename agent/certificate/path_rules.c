/* RFC 5280 6.1 on a path. Anchors are held to what they say of themselves (RFC 5937), as TLS stacks do. */
#include "agent/certificate/path_rules.h"

#include "agent/certificate/constraints.h"
#include "agent/certificate/policy.h"

static const uint32_t deciding = 1u << EXTENSION_KEY_USAGE | 1u << EXTENSION_BASIC_CONSTRAINTS |
				 1u << EXTENSION_NAME_CONSTRAINTS | 1u << EXTENSION_POLICIES |
				 1u << EXTENSION_POLICY_MAPPINGS |
				 1u << EXTENSION_POLICY_CONSTRAINTS | 1u << EXTENSION_PURPOSES |
				 1u << EXTENSION_INHIBIT_ANY;

static uint16_t eku_of(enum purpose p)
{
	static const uint16_t bits[PURPOSE_COUNT] = {
		[PURPOSE_SERVER] = EKU_SERVER,
		[PURPOSE_CLIENT] = EKU_CLIENT,
		[PURPOSE_EMAIL] = EKU_EMAIL,
		[PURPOSE_CODE] = EKU_CODE,
		[PURPOSE_TIMESTAMP] = EKU_TIMESTAMP,
	};

	return bits[p];
}

static void check_extensions(const struct node *n, struct rules *broken)
{
	const struct extensions *x = &n->extensions;

	if (x->has_unknown_critical)
		rules_add(broken, RULE_UNKNOWN_CRITICAL);
	if (x->is_broken || x->malformed & (deciding | x->critical))
		rules_add(broken, RULE_EXTENSION_MALFORMED);
	if (x->repeated)
		rules_add(broken, RULE_EXTENSION_REPEATED);
}

static bool allows_purpose(const struct extensions *x, enum purpose purpose)
{
	uint16_t wanted = eku_of(purpose);

	return !wanted || !extension_is_present(x, EXTENSION_PURPOSES) ||
	       x->purposes & (wanted | EKU_ANY);
}

/* 6.1.4 (k), (m), (n). A root of version 1 has nothing to say so with: that it is a CA is known otherwise. */
static void check_issuer(
	const struct node *n, size_t below, enum purpose purpose, struct rules *broken)
{
	const struct extensions *x = &n->extensions;
	bool is_old_root = n->anchor && n->is_self_issued && x->version < 3;

	if (!x->is_ca && !is_old_root)
		rules_add(broken, RULE_NOT_A_CA);
	if (extension_is_present(x, EXTENSION_KEY_USAGE) && !(x->key_usage & USAGE_KEY_CERT_SIGN))
		rules_add(broken, RULE_NOT_A_SIGNER);
	if (x->path_length != NO_NUMBER && below > (size_t)x->path_length)
		rules_add(broken, RULE_PATH_LENGTH);
	/* RFC 5280 says nothing on it; browsers and OpenSSL let a CA's purposes bound those below it. */
	if (!allows_purpose(x, purpose))
		rules_add(broken, RULE_ISSUER_PURPOSE);
	if (extension_is_present(x, EXTENSION_NAME_CONSTRAINTS) &&
		x->malformed & 1u << EXTENSION_NAME_CONSTRAINTS)
		rules_add(broken, RULE_CONSTRAINT_MALFORMED);
}

static void check_key_id(const struct node *below, const struct node *above, struct rules *broken)
{
	struct slice id = below->extensions.authority_key_id;
	struct slice key = above->extensions.subject_key_id;

	if (id.size && key.size && (id.size != key.size || memcmp(id.data, key.data, id.size) != 0))
		rules_add(broken, RULE_KEY_ID_DIFFERS);
}

static void check_names(const struct node *const *path, size_t count, struct rules *broken)
{
	size_t comparisons = CONSTRAINT_COMPARISONS_MAX;

	for (size_t i = count; i-- > 1;)
		for (size_t j = i; j-- > 0;)
			/* Self-issued ones are exempt, but for the last (6.1.3 b). */
			if (!path[j]->is_self_issued || j == 0)
				constraints_check(path[i], path[j], &comparisons, broken);
}

/* What the store that holds the anchor says of its use. */
static void check_anchor(const struct node *leaf, const struct node *last, enum purpose purpose,
	struct rules *broken)
{
	const struct trust_limits *l = &last->anchor->limits;
	uint16_t wanted = eku_of(purpose);

	if (wanted & l->rejected || (wanted && l->purposes && !(l->purposes & (wanted | EKU_ANY))))
		rules_add(broken, RULE_ANCHOR_PURPOSE);
	if (purpose == PURPOSE_SERVER && l->server_until != TIME_UNKNOWN &&
		leaf->not_before > l->server_until)
		rules_add(broken, RULE_DISTRUSTED_SINCE);
}

void path_rules(const struct node *const *path, size_t count, const struct judge_question *q,
	struct rules *broken)
{
	size_t below = 0; /* CAs between the leaf and the one at hand that count (4.2.1.9) */

	check_extensions(path[0], broken);
	for (size_t i = 0; i < count; i++)
		if (path[i]->is_distrusted)
			rules_add(broken, RULE_DISTRUSTED);
	if (path[count - 1]->anchor)
		check_anchor(path[0], path[count - 1], q->purpose, broken);
	for (size_t i = 1; i < count; i++) {
		check_extensions(path[i], broken);
		check_issuer(path[i], below, q->purpose, broken);
		check_key_id(path[i - 1], path[i], broken);
		if (!path[i]->is_self_issued)
			below++;
	}
	/* The last is the end of the path, not in its midst. */
	if (count > 1 && !path[count - 1]->is_self_issued)
		below--;
	if (q->intermediates_limit && below > q->intermediates_limit - 1)
		rules_add(broken, RULE_TOO_DEEP);
	check_names(path, count, broken);
	if (!policies_are_valid(path, count))
		rules_add(broken, RULE_POLICY);
}

/* What a key must be allowed to do for a purpose (RFC 5280 4.2.1.12). */
static bool allows_usage(const struct extensions *x, enum purpose purpose)
{
	enum { SIGN = 1, COMMIT = 2, ENCIPHER = 4, AGREE = 16 };
	static const uint16_t needed[PURPOSE_COUNT] = {
		[PURPOSE_SERVER] = SIGN | ENCIPHER | AGREE,
		[PURPOSE_CLIENT] = SIGN | AGREE,
		[PURPOSE_CA] = USAGE_KEY_CERT_SIGN,
		[PURPOSE_EMAIL] = SIGN | COMMIT | ENCIPHER | AGREE,
		[PURPOSE_CODE] = SIGN,
		[PURPOSE_TIMESTAMP] = SIGN | COMMIT,
	};

	return !needed[purpose] || !extension_is_present(x, EXTENSION_KEY_USAGE) ||
	       x->key_usage & needed[purpose];
}

void purpose_rules(const struct node *leaf, enum purpose purpose, struct rules *broken)
{
	const struct extensions *x = &leaf->extensions;

	if (!allows_purpose(x, purpose))
		rules_add(broken, RULE_PURPOSE);
	if (!allows_usage(x, purpose) || (purpose == PURPOSE_CA && !x->is_ca))
		rules_add(broken, RULE_USAGE);
	/* RFC 3161 2.3: the one purpose, and critical. */
	if (purpose == PURPOSE_TIMESTAMP &&
		(x->purposes != EKU_TIMESTAMP || !extension_is_critical(x, EXTENSION_PURPOSES)))
		rules_add(broken, RULE_PURPOSE);
}
