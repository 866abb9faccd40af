/* The search for the best path: depth first over names, each link checked before it is taken. */
#include "agent/certificate/search.h"

#include "agent/certificate/dn.h"
#include "agent/certificate/path_rules.h"

#include <time.h>

/* Bounds against input made to cost much: signatures computed, issuers tried, whole paths judged, and the
 * processor time after which nothing further is begun. */
#define SIGNATURES_MAX 160
#define TRIES_MAX 4000
#define PATHS_MAX 200
#define CPU_MS_MAX 150

struct path {
	const struct node *nodes[PATH_MAX_CERTIFICATES];
	uint8_t indices[PATH_MAX_CERTIFICATES];
	size_t count;
	bool is_unknown; /* a link could not be computed */
};

/* What makes one path better than another, most important first. */
struct merit {
	bool is_anchored;
	bool is_verified;
	bool is_lawful; /* breaks no rule */
	bool is_strong; /* no weak key or signature */
	bool is_current;
	bool is_whole; /* ends at a root */
	int64_t expires;
	size_t count; /* of its certificates */
};

struct search {
	const struct judge_question *q;
	const struct family *family;
	struct signature_cache *signatures;
	struct path path;
	struct judged best;
	struct merit merit; /* of `best` */
	bool has_best;
	bool is_over;     /* nothing better can come, or a bound was reached */
	bool is_stopped;  /* by a bound */
	bool is_disowned; /* a CA of the right name and perhaps the right key did not sign */
	unsigned signatures_made;
	unsigned tries;
	unsigned paths;
	int64_t deadline_ns;
};

static int64_t cpu_ns(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static bool is_spent(struct search *s)
{
	if (s->signatures_made <= SIGNATURES_MAX && s->tries <= TRIES_MAX && s->paths < PATHS_MAX &&
		cpu_ns() < s->deadline_ns)
		return false;
	s->is_stopped = true;
	s->is_over = true;
	return true;
}

static bool is_valid_at(const struct node *n, int64_t now)
{
	return n->not_before <= now && now <= n->not_after;
}

/* --- one whole path ------------------------------------------------------------------------------ */

static bool same(struct slice a, struct slice b)
{
	return a.size == b.size && (!a.size || memcmp(a.data, b.data, a.size) == 0);
}

/* RFC 5280 4.2.1.1: which of an issuer's keys signed. */
enum likeness { OTHER_KEY, PERHAPS, SAME_KEY };

static enum likeness likeness(const struct node *below, const struct node *above)
{
	struct slice authority = below->extensions.authority_key_id;
	struct slice subject = above->extensions.subject_key_id;

	if (!authority.size || !subject.size)
		return PERHAPS;
	return same(authority, subject) ? SAME_KEY : OTHER_KEY;
}

static uint32_t weaknesses(const struct path *path)
{
	uint32_t problems = 0;

	/* Nothing rests on the signature of the last, unless it stands alone. */
	for (size_t i = 0; i < path->count; i++)
		problems |= node_weakness(
			path->nodes[i], i == 0 || (i + 1 < path->count && !path->nodes[i]->anchor));
	return problems;
}

/* What is wrong with an end that nobody trusts. */
static uint32_t end_problems(struct search *s, bool *is_unknown)
{
	const struct node *last = s->path.nodes[s->path.count - 1];
	bool is_root = last->is_self_issued && likeness(last, last) != OTHER_KEY;
	enum signature own;

	if (!is_root)
		return PROBLEM_BIT(PROBLEM_INCOMPLETE_CHAIN);
	own = signature_check(s->signatures, last, last, &s->signatures_made);
	if (own == SIGNATURE_BAD)
		return PROBLEM_BIT(PROBLEM_BAD_SIGNATURE) | PROBLEM_BIT(PROBLEM_UNTRUSTED_ISSUER);
	*is_unknown = *is_unknown || own == SIGNATURE_UNKNOWN;
	return PROBLEM_BIT(s->path.count > 1 ? PROBLEM_UNTRUSTED_ISSUER : PROBLEM_SELF_SIGNED);
}

static bool is_better(const struct merit *a, const struct merit *b)
{
	const bool left[] = { a->is_anchored, a->is_verified, a->is_lawful, a->is_strong,
		a->is_current, a->is_whole };
	const bool right[] = { b->is_anchored, b->is_verified, b->is_lawful, b->is_strong,
		b->is_current, b->is_whole };

	for (size_t i = 0; i < sizeof(left) / sizeof(*left); i++)
		if (left[i] != right[i])
			return left[i];
	/* Of those that lead nowhere the longest tells most. */
	if (!a->is_whole && !a->is_anchored && a->count != b->count)
		return a->count > b->count;
	if (a->expires != b->expires)
		return a->expires > b->expires;
	return a->count < b->count;
}

/* Strictness looks at every certificate of the path, and takes what others only mention for a fault. */
static void judge_strictly(const struct search *s, struct judged *j)
{
	struct rules all = { { 0 } };
	struct rules strict;

	for (size_t i = 0; i < s->path.count; i++) {
		bool is_end = j->has_anchor && i + 1 == s->path.count;

		certificate_rules(s->path.nodes[i],
			i == 0   ? AS_LEAF
			: is_end ? AS_ANCHOR
				 : AS_ISSUER,
			s->q->purpose, &all);
	}
	strict = rules_of_level(&all, RULE_STRICT);
	rules_merge(&j->broken, &strict);
	j->lint = rules_of_level(&all, RULE_LINT);
}

/* What only strictness minds is told beside the verdict. */
static void leave_to_lint(struct judged *j)
{
	j->lint = rules_of_level(&j->broken, RULE_STRICT);
	j->broken = rules_of_level(&j->broken, RULE_BREAKS);
}

static void judge_path(struct search *s)
{
	const struct path *path = &s->path;
	const struct node *last = path->nodes[path->count - 1];
	struct judged j = { .has_anchor = last->anchor && path->count > 1 };
	bool is_unknown = path->is_unknown;
	struct merit m = { .is_current = true, .expires = INT64_MAX, .count = path->count };

	s->paths++;
	if (!j.has_anchor)
		j.problems = end_problems(s, &is_unknown);
	path_rules(path->nodes, path->count, s->q, &j.broken);
	j.problems |= path_revocation(path->nodes, path->count, s->q, s->family, &j.broken);
	if (s->q->is_strict)
		judge_strictly(s, &j);
	else
		leave_to_lint(&j);
	j.problems |= rules_problems(&j.broken) | weaknesses(path);
	j.is_verified = !is_unknown;
	for (size_t i = 0; i < path->count; i++) {
		j.path[i] = path->indices[i];
		m.is_current = m.is_current && is_valid_at(path->nodes[i], s->q->now);
		if (path->nodes[i]->not_after < m.expires)
			m.expires = path->nodes[i]->not_after;
	}
	j.path_count = (uint8_t)path->count;
	m.is_anchored = j.has_anchor;
	m.is_verified = j.is_verified;
	m.is_lawful = rules_are_empty(&j.broken) && !(j.problems & PROBLEM_BIT(PROBLEM_REVOKED));
	m.is_strong = !(
		j.problems & (PROBLEM_BIT(PROBLEM_WEAK_KEY) | PROBLEM_BIT(PROBLEM_WEAK_SIGNATURE)));
	m.is_whole = j.has_anchor || !(j.problems & PROBLEM_BIT(PROBLEM_INCOMPLETE_CHAIN));
	if (s->has_best && !is_better(&m, &s->merit))
		return;
	s->has_best = true;
	s->best = j;
	s->merit = m;
	/* Nothing outlives its own leaf. */
	s->is_over = s->is_over || (m.is_anchored && m.is_verified && m.is_lawful && m.is_strong &&
					   m.is_current && m.expires == path->nodes[0]->not_after);
}

/* --- the search ---------------------------------------------------------------------------------- */

struct choice {
	uint8_t index;
	int rank;
	int64_t expires;
};

static bool is_on_path(const struct path *path, const struct node *n)
{
	for (size_t i = 0; i < path->count; i++)
		if (path->nodes[i] == n || (i && node_is_twin(path->nodes[i], n)))
			return true;
	return false;
}

static bool is_before(const struct choice *a, const struct choice *b)
{
	if (a->rank != b->rank)
		return a->rank > b->rank;
	return a->expires > b->expires;
}

/* Those that bear the issuer's name: the likeliest key first, then the valid, the trusted, the longest. */
static size_t choose(const struct search *s, struct choice choices[FAMILY_MAX])
{
	const struct node *last = s->path.nodes[s->path.count - 1];
	size_t count = 0;

	for (size_t i = 0; i < s->family->count; i++) {
		const struct node *n = &s->family->members[i];
		struct choice c = { .index = (uint8_t)i, .expires = n->not_after };
		size_t at = count;

		if (n->subject_hash != last->issuer_hash || is_on_path(&s->path, n) ||
			!dn_equal(n->at.subject, last->at.issuer))
			continue;
		c.rank = 4 * (int)likeness(last, n) + 2 * is_valid_at(n, s->q->now) +
			 (n->anchor != NULL);
		for (; at && is_before(&c, &choices[at - 1]); at--)
			choices[at] = choices[at - 1];
		choices[at] = c;
		count++;
	}
	return count;
}

static void push(struct search *s, uint8_t index)
{
	s->path.indices[s->path.count] = index;
	s->path.nodes[s->path.count++] = &s->family->members[index];
}

static void extend(struct search *s);

static bool try_issuer(struct search *s, uint8_t index)
{
	const struct node *last = s->path.nodes[s->path.count - 1];
	const struct node *n = &s->family->members[index];
	bool was_unknown = s->path.is_unknown;
	enum signature link;

	s->tries++;
	/* What lives no longer than the best path so far cannot make a better one. */
	if (is_spent(s) || (s->has_best && s->merit.is_anchored && s->merit.is_verified &&
				   s->merit.is_lawful && s->merit.is_strong &&
				   s->merit.is_current && n->not_after <= s->merit.expires))
		return true;
	link = signature_check(s->signatures, last, n, &s->signatures_made);
	if (link == SIGNATURE_BAD) {
		/* A root beside its namesake claims nothing. */
		if (likeness(last, n) != OTHER_KEY && !last->is_self_issued)
			s->is_disowned = true;
		return false;
	}
	s->path.is_unknown = was_unknown || link == SIGNATURE_UNKNOWN;
	push(s, index);
	if (n->anchor)
		judge_path(s);
	else
		extend(s);
	s->path.count--;
	s->path.is_unknown = was_unknown;
	return true;
}

/* NOLINTNEXTLINE(misc-no-recursion): as deep as PATH_MAX_CERTIFICATES */
static void extend(struct search *s)
{
	struct choice choices[FAMILY_MAX];
	size_t count = s->path.count < PATH_MAX_CERTIFICATES ? choose(s, choices) : 0;
	bool has_issuer = false;

	for (size_t i = 0; i < count && !s->is_over; i++)
		has_issuer = try_issuer(s, choices[i].index) || has_issuer;
	if (!has_issuer && !(s->has_best && s->merit.is_anchored))
		judge_path(s);
}

enum err search_path(const struct judge_question *q, const struct family *f,
	struct signature_cache *signatures, struct judged *out)
{
	struct search s = { .q = q,
		.family = f,
		.signatures = signatures,
		.deadline_ns = cpu_ns() + CPU_MS_MAX * INT64_C(1000000) };

	push(&s, 0);
	extend(&s);
	if (!s.has_best) {
		/* Every bound was reached before the first path was whole. */
		s.path.count = 1;
		judge_path(&s);
	}
	if (s.is_disowned && s.best.problems & PROBLEM_BIT(PROBLEM_INCOMPLETE_CHAIN)) {
		s.best.problems &= ~PROBLEM_BIT(PROBLEM_INCOMPLETE_CHAIN);
		s.best.problems |=
			PROBLEM_BIT(PROBLEM_BAD_SIGNATURE) | PROBLEM_BIT(PROBLEM_UNTRUSTED_ISSUER);
	}
	if (s.is_stopped || f->is_cut)
		rules_add(&s.best.lint, RULE_SEARCH_STOPPED);
	*out = s.best;
	return ERR_OK;
}
