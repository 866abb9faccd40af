/* The verdict: the best path, what is wrong with it, what the store and the clock add. */
#include "agent/certificate/judge.h"

#include "agent/certificate/family.h"
#include "agent/certificate/hostname.h"
#include "agent/certificate/path_rules.h"
#include "agent/certificate/search.h"

#include <stdlib.h>

static const char *const purposes[PURPOSE_COUNT] = { [PURPOSE_ANY] = "any",
	[PURPOSE_SERVER] = "server",
	[PURPOSE_CLIENT] = "client",
	[PURPOSE_CA] = "ca",
	[PURPOSE_EMAIL] = "email",
	[PURPOSE_CODE] = "code",
	[PURPOSE_TIMESTAMP] = "timestamp" };

enum purpose purpose_parse(const char *word)
{
	for (int i = 0; i < PURPOSE_COUNT; i++)
		if (strcmp(purposes[i], word) == 0)
			return (enum purpose)i;
	return PURPOSE_COUNT;
}

const char *purpose_word(enum purpose p)
{
	return purposes[p];
}

static bool is_valid_at(const struct node *n, int64_t now)
{
	return n->not_before <= now && now <= n->not_after;
}

/* SHA-256 over all that decides: who, in which order, valid or not, asked for what, against which store. */
static void key_of(const struct trust *trust, const struct judge_question *q,
	const struct family *f, uint8_t key[FINGERPRINT_BYTES])
{
	uint8_t bytes[FAMILY_MAX * (FINGERPRINT_BYTES + 1) + 40];
	uint64_t generation = trust_generation(trust);
	uint64_t stores = q->stores ? *q->stores : TRUST_ALL_STORES;
	size_t at = 0;

	memcpy(bytes, &generation, sizeof(generation));
	at += sizeof(generation);
	memcpy(bytes + at, &stores, sizeof(stores));
	at += sizeof(stores);
	memcpy(bytes + at, &q->intermediates_limit, sizeof(q->intermediates_limit));
	at += sizeof(q->intermediates_limit);
	bytes[at++] = (uint8_t)q->purpose;
	bytes[at++] = q->is_strict;
	for (size_t i = 0; i < f->count; i++) {
		memcpy(bytes + at, f->members[i].fingerprint, FINGERPRINT_BYTES);
		at += FINGERPRINT_BYTES;
		bytes[at++] = is_valid_at(&f->members[i], q->now);
	}
	fingerprint_of(slice_of(bytes, at), key);
}

/* --- the verdict -------------------------------------------------------------------------------- */

static void span(struct verdict *v, const uint8_t fingerprint[FINGERPRINT_BYTES], int64_t not_after)
{
	if (not_after == TIME_UNKNOWN || (v->expires != TIME_UNKNOWN && v->expires <= not_after))
		return;
	v->expires = not_after;
	memcpy(v->expires_because, fingerprint, FINGERPRINT_BYTES);
}

static void bound(struct verdict *v, int64_t at, int64_t now)
{
	if (at > now && (v->boundary == TIME_UNKNOWN || at < v->boundary))
		v->boundary = at;
}

/* Both dates belong to the validity (RFC 5280 4.1.2.5), so it ends a second after notAfter. */
static void bound_dates(struct verdict *v, const struct node *n, int64_t now)
{
	if (n->not_before != TIME_UNKNOWN)
		bound(v, n->not_before, now);
	if (n->not_after != TIME_UNKNOWN)
		bound(v, n->not_after + 1, now);
}

static void add_link(struct verdict *v, const struct node *n)
{
	memcpy(v->chain.items[v->chain.count++], n->fingerprint, FINGERPRINT_BYTES);
	span(v, n->fingerprint, n->not_after);
	if (n->not_before != TIME_UNKNOWN &&
		(v->starts == TIME_UNKNOWN || v->starts < n->not_before))
		v->starts = n->not_before;
}

static enum role_in_path role_of(const struct node *leaf, const struct judge_question *q)
{
	if (leaf->anchor)
		return AS_ANCHOR;
	return leaf->extensions.is_ca && (q->purpose == PURPOSE_ANY || q->purpose == PURPOSE_CA)
		       ? AS_ISSUER
		       : AS_LEAF;
}

/* What is wrong with the leaf whatever its path is. */
static void judge_leaf(const struct node *leaf, const struct judge_question *q, struct verdict *v)
{
	struct rules all = { { 0 } };
	struct rules own = { { 0 } };
	struct rules strict;
	struct rules lint;

	purpose_rules(leaf, q->purpose, &own);
	v->problems |= rules_problems(&own);
	rules_merge(&v->violations, &own);
	certificate_rules(leaf, role_of(leaf, q), q->purpose, &all);
	strict = rules_of_level(&all, RULE_STRICT);
	lint = rules_of_level(&all, RULE_LINT);
	if (q->is_strict)
		v->problems |= rules_problems(&strict);
	rules_merge(q->is_strict ? &v->violations : &v->lint, &strict);
	rules_merge(&v->lint, &lint);
	if (q->server_name &&
		!hostname_matches(q->leaf, q->name_kind, q->server_name, q->use_common_name))
		v->problems |= PROBLEM_BIT(PROBLEM_NAME_MISMATCH);
}

static const char *store_of(
	const struct trust *trust, const struct judge_question *q, const struct anchor *a)
{
	return anchor_store(trust, a, q->stores ? *q->stores : TRUST_ALL_STORES);
}

static enum err judge_anchor(const struct trust *trust, const struct node *leaf,
	const struct judge_question *q, struct verdict *v)
{
	v->is_checked = true;
	v->is_anchor = true;
	v->trust = strdup(store_of(trust, q, leaf->anchor));
	/* Nothing rests on an anchor's signature. */
	v->problems |= node_weakness(leaf, false);
	add_link(v, leaf);
	bound_dates(v, leaf, q->now);
	return v->trust ? ERR_OK : ERR_MEMORY;
}

/* From the cache, or by a search. */
static enum err find_path(const struct trust *trust, struct judge_cache *cache,
	const struct judge_question *q, const struct family *f, struct judged *out)
{
	uint8_t key[FINGERPRINT_BYTES];
	const struct judged *known = NULL;
	enum err e;

	/* What lists say depends on more than the key holds. */
	if (q->revocation != REVOCATION_OFF)
		return search_path(q, f, judge_cache_signatures(cache), out);
	if (cache) {
		key_of(trust, q, f, key);
		known = judge_cache_find(cache, key);
	}
	if (known) {
		*out = *known;
		return ERR_OK;
	}
	e = search_path(q, f, judge_cache_signatures(cache), out);
	if (e == ERR_OK && cache)
		judge_cache_put(cache, key, out);
	return e;
}

/* An expired CA beside a path that does without is no alarm, but worth a word. */
static void note_unused(
	const struct family *f, const struct judged *judged, int64_t now, struct verdict *v)
{
	for (size_t i = 1; i < f->count; i++) {
		bool is_used = false;

		for (size_t j = 0; j < judged->path_count; j++)
			is_used = is_used || judged->path[j] == i;
		if (!is_used && !f->members[i].anchor && f->members[i].parsed &&
			now > f->members[i].not_after)
			rules_add(&v->lint, RULE_UNUSED_EXPIRED);
	}
}

/* Does a CA between the certificate and its anchor say where to ask about it? */
static bool is_revocable(const struct family *f, const struct judged *judged)
{
	for (size_t i = 1; i < judged->path_count; i++) {
		const struct node *n = &f->members[judged->path[i]];

		if (!n->anchor && n->parsed &&
			(n->parsed->facts.crl_urls.count || n->parsed->facts.ocsp_urls.count))
			return true;
	}
	return false;
}

static enum err judge_path(const struct trust *trust, struct judge_cache *cache,
	const struct judge_question *q, const struct family *f, struct verdict *v)
{
	struct judged judged = { 0 };
	const struct anchor *anchor;
	enum err e = find_path(trust, cache, q, f, &judged);

	if (e != ERR_OK)
		return e;
	v->is_checked = judged.is_verified;
	v->problems |= judged.problems;
	rules_merge(&v->violations, &judged.broken);
	rules_merge(&v->lint, &judged.lint);
	for (size_t i = 0; i < judged.path_count; i++)
		add_link(v, &f->members[judged.path[i]]);
	v->is_revocable = is_revocable(f, &judged);
	/* Any of them may make or end a path that is better. */
	for (size_t i = 0; i < f->count; i++)
		bound_dates(v, &f->members[i], q->now);
	if (!judged.has_anchor)
		return ERR_OK;
	note_unused(f, &judged, q->now, v);
	anchor = f->members[judged.path[judged.path_count - 1]].anchor;
	if (!v->is_checked || !rules_are_empty(&judged.broken))
		return ERR_OK;
	v->trust = strdup(store_of(trust, q, anchor));
	return v->trust ? ERR_OK : ERR_MEMORY;
}

enum err judge(const struct trust *trust, struct judge_cache *cache, const struct judge_question *q,
	struct verdict *out)
{
	struct verdict v = {
		.expires = TIME_UNKNOWN, .boundary = TIME_UNKNOWN, .starts = TIME_UNKNOWN
	};
	struct family family = { 0 };
	enum err e;

	if (!trust || !q->leaf->der.size) {
		*out = v;
		return ERR_OK;
	}
	v.chain.items = calloc(PATH_MAX_CERTIFICATES, FINGERPRINT_BYTES);
	e = v.chain.items ? family_gather(trust, q, &family) : ERR_MEMORY;
	if (e == ERR_OK) {
		judge_leaf(&family.members[0], q, &v);
		e = family.members[0].anchor ? judge_anchor(trust, &family.members[0], q, &v)
					     : judge_path(trust, cache, q, &family, &v);
	}
	family_fini(&family);
	if (e != ERR_OK) {
		verdict_fini(&v);
		return e;
	}
	*out = v;
	return ERR_OK;
}

/* ---- each store alone ---------------------------------------------------------------------------- */

/* What is wrong with the certificate whoever trusts it says nothing of a store. */
#define NOT_OF_STORES                                                         \
	(PROBLEM_BIT(PROBLEM_NAME_MISMATCH) | PROBLEM_BIT(PROBLEM_WEAK_KEY) | \
		PROBLEM_BIT(PROBLEM_WEAK_SIGNATURE) | PROBLEM_BIT(PROBLEM_KEY_MISMATCH))

static enum err judge_alone(const struct trust *trust, struct judge_cache *cache,
	const struct judge_question *q, size_t store, struct store_verdict *out)
{
	const uint64_t only = UINT64_C(1) << store;
	struct judge_question question = *q;
	struct verdict v;
	enum err e;

	question.stores = &only;
	e = judge(trust, cache, &question, &v);
	if (e != ERR_OK)
		return e;
	out->problems = v.problems & ~NOT_OF_STORES;
	out->expires = v.expires;
	verdict_fini(&v);
	return ERR_OK;
}

enum err judge_stores(const struct trust *trust, struct judge_cache *cache,
	const struct judge_question *q, struct verdict *v)
{
	size_t count = trust ? trust_stores(trust) : 0;
	enum err e = ERR_OK;

	if (count < 2 || !v->chain.count)
		return ERR_OK;
	v->stores.items = calloc(count, sizeof(*v->stores.items));
	if (!v->stores.items)
		return ERR_MEMORY;
	for (size_t i = 0; e == ERR_OK && i < count; i++) {
		struct store_verdict *s = &v->stores.items[v->stores.count++];

		s->store = strdup(trust_store_name(trust, i));
		if (!s->store)
			return ERR_MEMORY;
		/* The best path of all is the best of the store that it leads to. */
		if (v->trust && strcmp(v->trust, s->store) == 0) {
			s->problems = v->problems & ~NOT_OF_STORES;
			s->expires = v->expires;
		} else {
			e = judge_alone(trust, cache, q, i, s);
		}
	}
	return e;
}
