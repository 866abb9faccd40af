/* Certificate policies along a path. Whoever accepts any policy need not know where in the tree of RFC 5280
 * 6.1 a policy stands, only which are at its lowest level: so that is all that is kept, and no certificate
 * can make the tree grow exponentially (RFC 9618). */
#include "agent/certificate/policy.h"

#include "agent/certificate/names.h"

/* Policies at one level; a path with more has none that counts. */
#define POLICIES_MAX 256

/* A node of the tree; one with several expected policies stands here several times. */
struct policy {
	struct slice valid;
	struct slice expected;
};

struct level {
	struct policy items[POLICIES_MAX];
	size_t count;
	bool is_null;
};

struct state {
	struct level now;
	struct level next;
	size_t explicit_policy;
	size_t policy_mapping;
	size_t inhibit_any;
};

/* 2.5.29.32.0 */
static const uint8_t any_oid[] = { 0x55, 0x1d, 0x20, 0x00 };

static struct slice any(void)
{
	return slice_of(any_oid, sizeof(any_oid));
}

static bool same(struct slice a, struct slice b)
{
	return a.size == b.size && (!a.size || memcmp(a.data, b.data, a.size) == 0);
}

static bool holds(const struct level *l, struct slice valid)
{
	for (size_t i = 0; i < l->count; i++)
		if (same(l->items[i].valid, valid))
			return true;
	return false;
}

static void add(struct level *l, struct slice valid, struct slice expected)
{
	for (size_t i = 0; i < l->count; i++)
		if (same(l->items[i].valid, valid) && same(l->items[i].expected, expected))
			return;
	if (l->count == POLICIES_MAX) {
		l->is_null = true;
		return;
	}
	l->items[l->count++] = (struct policy){ valid, expected };
}

/* PolicyInformation ::= SEQUENCE { policyIdentifier, policyQualifiers OPTIONAL } */
static bool next_policy(struct slice *left, struct slice *oid)
{
	struct der_item item;
	struct der_item id;

	if (!der_take(left, DER_SEQUENCE, &item) || !der_take(&item.content, DER_OID, &id))
		return false;
	*oid = id.content;
	return true;
}

/* 6.1.3 (d) (1): a policy that the level above expects, or that its anyPolicy lets in. */
static void take_policy(struct state *s, struct slice oid)
{
	bool is_expected = false;

	for (size_t i = 0; !is_expected && i < s->now.count; i++)
		is_expected = same(s->now.items[i].expected, oid);
	if (is_expected || holds(&s->now, any()))
		add(&s->next, oid, oid);
}

/* 6.1.3 (d), (e). */
static void take_certificate(struct state *s, const struct node *n, bool is_last)
{
	const struct extensions *x = &n->extensions;
	struct slice policies = general_list(x->values[EXTENSION_POLICIES]);
	bool has_any = false;
	struct slice oid;

	s->next.count = 0;
	s->next.is_null = s->now.is_null || !extension_is_present(x, EXTENSION_POLICIES);
	while (!s->next.is_null && next_policy(&policies, &oid)) {
		if (same(oid, any()))
			has_any = true;
		else
			take_policy(s, oid);
	}
	if (has_any && (s->inhibit_any || (!is_last && n->is_self_issued)))
		for (size_t i = 0; !s->next.is_null && i < s->now.count; i++) {
			struct slice expected = s->now.items[i].expected;

			if (!holds(&s->next, expected))
				add(&s->next, expected, expected);
		}
	s->now = s->next;
	s->now.is_null = s->now.is_null || !s->now.count;
}

/* PolicyMappings ::= SEQUENCE OF SEQUENCE { issuerDomainPolicy, subjectDomainPolicy } */
static bool next_mapping(struct slice *left, struct slice *issuer, struct slice *subject)
{
	struct der_item item;
	struct der_item id;

	if (!der_take(left, DER_SEQUENCE, &item) || !der_take(&item.content, DER_OID, &id))
		return false;
	*issuer = id.content;
	if (!der_take(&item.content, DER_OID, &id))
		return false;
	*subject = id.content;
	return true;
}

static bool is_mapped(struct slice mappings, struct slice oid)
{
	struct slice issuer;
	struct slice subject;

	while (next_mapping(&mappings, &issuer, &subject))
		if (same(issuer, oid))
			return true;
	return false;
}

/* 6.1.4 (a), (b). False: anyPolicy must not be mapped. */
static bool map_policies(struct state *s, const struct node *n)
{
	struct slice mappings = general_list(n->extensions.values[EXTENSION_POLICY_MAPPINGS]);
	struct slice left = mappings;
	bool has_any = holds(&s->now, any());
	struct slice issuer;
	struct slice subject;

	s->next.count = 0;
	s->next.is_null = s->now.is_null;
	for (size_t i = 0; i < s->now.count; i++)
		if (!is_mapped(mappings, s->now.items[i].valid))
			add(&s->next, s->now.items[i].valid, s->now.items[i].expected);
	while (next_mapping(&left, &issuer, &subject)) {
		if (same(issuer, any()) || same(subject, any()))
			return false;
		if (s->policy_mapping && (has_any || holds(&s->now, issuer)))
			add(&s->next, issuer, subject);
	}
	s->now = s->next;
	s->now.is_null = s->now.is_null || !s->now.count;
	return true;
}

static void lower(size_t *counter, int to)
{
	if (to != NO_NUMBER && (size_t)to < *counter)
		*counter = (size_t)to;
}

/* 6.1.4 (h), (i), (j). */
static void prepare(struct state *s, const struct node *n)
{
	const struct extensions *x = &n->extensions;

	if (!n->is_self_issued) {
		s->explicit_policy -= s->explicit_policy > 0;
		s->policy_mapping -= s->policy_mapping > 0;
		s->inhibit_any -= s->inhibit_any > 0;
	}
	lower(&s->explicit_policy, x->require_explicit);
	lower(&s->policy_mapping, x->inhibit_mapping);
	lower(&s->inhibit_any, x->inhibit_any);
}

/* Most paths require nothing: then there is nothing to work out. */
static bool is_needed(const struct node *const *path, size_t count)
{
	for (size_t i = 0; i + 1 < count; i++)
		if (path[i]->extensions.require_explicit != NO_NUMBER ||
			extension_is_present(&path[i]->extensions, EXTENSION_POLICY_MAPPINGS))
			return true;
	return false;
}

bool policies_are_valid(const struct node *const *path, size_t count)
{
	struct state s;

	if (!is_needed(path, count))
		return true;
	s.now.items[0] = (struct policy){ any(), any() };
	s.now.count = 1;
	s.now.is_null = false;
	s.next.count = 0;
	s.next.is_null = false;
	s.explicit_policy = s.policy_mapping = s.inhibit_any = count;
	for (size_t i = count - 1; i-- > 0;) {
		take_certificate(&s, path[i], i == 0);
		/* 6.1.3 (f) */
		if (!s.explicit_policy && s.now.is_null)
			return false;
		if (i == 0)
			break;
		if (!map_policies(&s, path[i]))
			return false;
		prepare(&s, path[i]);
	}
	/* 6.1.5 (a), (b). */
	s.explicit_policy -= s.explicit_policy > 0;
	if (path[0]->extensions.require_explicit == 0)
		s.explicit_policy = 0;
	return s.explicit_policy || !s.now.is_null;
}
