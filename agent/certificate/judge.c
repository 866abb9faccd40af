/* The verdict: a path by issuer names, GnuTLS's word on it, what the store and the clock add. */
#include "agent/certificate/judge.h"

#include "agent/certificate/anchors.h"
#include "agent/certificate/judge_cache.h"
#include "agent/certificate/verify.h"

#include <gnutls/x509.h>
#include <stdlib.h>

/* The leaf and those of its neighbours that may stand above it. */
#define FAMILY_MAX 64
/* Anchors of one name that are tried. */
#define NAMESAKES_MAX 8

struct family {
	const struct parsed_certificate *members[FAMILY_MAX]; /* the leaf first */
	size_t count;
};

struct path {
	const struct parsed_certificate *members[PATH_MAX_CERTIFICATES];
	gnutls_x509_crt_t handles[PATH_MAX_CERTIFICATES]; /* those of `lent` */
	struct lent_handle lent[PATH_MAX_CERTIFICATES];
	size_t count;
};

static bool same(struct slice a, struct slice b)
{
	return a.size == b.size && (!a.size || memcmp(a.data, b.data, a.size) == 0);
}

/* --- the family: no cryptography, so that the cache can be asked first -------------------------- */

static bool is_member(const struct family *f, const struct parsed_certificate *p)
{
	for (size_t i = 0; i < f->count; i++)
		if (memcmp(f->members[i]->facts.fingerprint, p->facts.fingerprint,
			    FINGERPRINT_BYTES) == 0)
			return true;
	return false;
}

static void gather_family(const struct judge_question *q, struct family *f)
{
	f->members[0] = q->leaf;
	f->count = 1;
	for (size_t i = 0; i < f->count; i++) {
		struct slice issuer = f->members[i]->issuer;

		if (f->members[i]->facts.is_self_issued)
			continue;
		for (size_t j = 0; j < q->candidates_count && f->count < FAMILY_MAX; j++)
			if (same(q->candidates[j]->subject, issuer) &&
				!is_member(f, q->candidates[j]))
				f->members[f->count++] = q->candidates[j];
	}
}

static bool is_valid_at(const struct parsed_certificate *p, int64_t now)
{
	return p->facts.not_before <= now && now <= p->facts.not_after;
}

/* SHA-256 over all that decides: who, in which order, valid or not, asked for what, against which store. */
static void key_of(const struct trust *trust, const struct judge_question *q,
	const struct family *f, uint8_t key[FINGERPRINT_BYTES])
{
	uint8_t bytes[FAMILY_MAX * (FINGERPRINT_BYTES + 1) + FINGERPRINT_BYTES + 16];
	uint64_t generation = trust_generation(trust);
	size_t at = 0;

	memcpy(bytes, &generation, sizeof(generation));
	at += sizeof(generation);
	bytes[at++] = (uint8_t)q->purpose;
	bytes[at++] = q->server_name != NULL;
	if (q->server_name) {
		fingerprint_of(slice_text(q->server_name), bytes + at);
		at += FINGERPRINT_BYTES;
	}
	for (size_t i = 0; i < f->count; i++) {
		memcpy(bytes + at, f->members[i]->facts.fingerprint, FINGERPRINT_BYTES);
		at += FINGERPRINT_BYTES;
		bytes[at++] = is_valid_at(f->members[i], q->now);
	}
	fingerprint_of(slice_of(bytes, at), key);
}

/* --- the path ----------------------------------------------------------------------------------- */

enum likeness { OTHER_KEY, PERHAPS, SAME_KEY };

/* RFC 5280 4.2.1.1: which of an issuer's keys signed. */
static enum likeness likeness(struct slice authority_key_id, struct slice subject_key_id)
{
	if (!authority_key_id.size || !subject_key_id.size)
		return PERHAPS;
	return same(authority_key_id, subject_key_id) ? SAME_KEY : OTHER_KEY;
}

static enum err path_add(struct path *path, const struct parsed_certificate *p)
{
	enum err e = lent_handle_of(p, &path->lent[path->count]);

	if (e != ERR_OK)
		return e;
	path->handles[path->count] = path->lent[path->count].handle;
	path->members[path->count++] = p;
	return ERR_OK;
}

static void path_fini(struct path *path)
{
	for (size_t i = 0; i < path->count; i++)
		lent_handle_fini(&path->lent[i]);
}

static bool is_on_path(const struct path *path, const struct parsed_certificate *p)
{
	for (size_t i = 0; i < path->count; i++)
		if (path->members[i] == p)
			return true;
	return false;
}

/* The likeliest issuer of the path's last certificate: by key, then by date, then by order. */
static const struct parsed_certificate *next_issuer(
	const struct family *f, const struct path *path, int64_t now)
{
	const struct parsed_certificate *last = path->members[path->count - 1];
	const struct parsed_certificate *best = NULL;
	int best_score = -1;

	if (last->facts.is_self_issued || path->count == PATH_MAX_CERTIFICATES)
		return NULL;
	for (size_t i = 0; i < f->count; i++) {
		const struct parsed_certificate *p = f->members[i];
		int score = 2 * (int)likeness(last->authority_key_id, p->subject_key_id) +
			    is_valid_at(p, now);

		if (score <= best_score || !same(p->subject, last->issuer) || is_on_path(path, p))
			continue;
		best = p;
		best_score = score;
	}
	return best;
}

static enum err verify_with_anchor(const struct path *path, const struct anchor *anchor,
	enum purpose purpose, uint32_t *problems)
{
	const gnutls_datum_t der = { (unsigned char *)(uintptr_t)anchor->der.data,
		(unsigned)anchor->der.size };
	gnutls_x509_crt_t handle = NULL;
	enum err e = ERR_UNSUPPORTED;

	if (gnutls_x509_crt_init(&handle) != 0)
		return ERR_MEMORY;
	if (gnutls_x509_crt_import(handle, &der, GNUTLS_X509_FMT_DER) == 0)
		e = verify_path(path->handles, path->count, handle, purpose, problems);
	gnutls_x509_crt_deinit(handle);
	return e;
}

#define NOT_ISSUED (PROBLEM_BIT(PROBLEM_BAD_SIGNATURE) | PROBLEM_BIT(PROBLEM_UNTRUSTED_ISSUER))

/* Tries the anchors that bear the name of the last certificate's issuer. Of several the one with the
 * fewest complaints wins; `out` says so by has_anchor. One that did not sign is no anchor of this path. */
static enum err try_anchors(const struct trust *trust, const struct path *path,
	enum purpose purpose, struct judged *out)
{
	const struct parsed_certificate *last = path->members[path->count - 1];
	const struct anchor *anchor;

	for (size_t i = 0; i < NAMESAKES_MAX; i++) {
		uint32_t problems = 0;
		enum err e;

		anchor = trust_named(trust, last->issuer, i);
		if (!anchor)
			break;
		if (likeness(last->authority_key_id, anchor->subject_key_id) == OTHER_KEY)
			continue;
		e = verify_with_anchor(path, anchor, purpose, &problems);
		if (e == ERR_MEMORY)
			return e;
		if (e != ERR_OK)
			continue;
		if (problems & NOT_ISSUED) {
			/* Kept in case no other path is found. A root beside its namesake claims nothing. */
			if (!out->has_anchor && !last->facts.is_self_issued)
				out->problems |= problems & NOT_ISSUED;
			continue;
		}
		if (out->has_anchor && out->problems <= problems)
			continue;
		out->has_anchor = true;
		out->problems = problems;
		memcpy(out->anchor, anchor->fingerprint, FINGERPRINT_BYTES);
		if (!problems)
			break;
	}
	return ERR_OK;
}

/* No store holds its end: what can be said all the same. */
static enum err judge_unanchored(const struct path *path, enum purpose purpose, struct judged *out)
{
	const struct parsed_certificate *last = path->members[path->count - 1];
	gnutls_x509_crt_t handle = path->handles[path->count - 1];
	bool is_root = last->facts.is_self_issued &&
		       likeness(last->authority_key_id, last->subject_key_id) != OTHER_KEY;
	/* A CA of the issuer's name is in the store, but it did not sign. */
	bool is_disowned = out->problems & NOT_ISSUED;
	uint32_t problems = 0;
	enum err e = ERR_OK;

	if (path->count > 1)
		e = verify_path(path->handles, path->count - 1, handle, purpose, &problems);
	if (e == ERR_MEMORY)
		return e;
	out->problems |= problems & ~PROBLEM_BIT(PROBLEM_UNTRUSTED_ISSUER);
	if (!is_root) {
		out->problems |= PROBLEM_BIT(
			is_disowned ? PROBLEM_UNTRUSTED_ISSUER : PROBLEM_INCOMPLETE_CHAIN);
		return ERR_OK;
	}
	if (!verify_is_possible(handle)) {
		out->is_verified = false;
	} else if (!verify_is_self_signed(last, handle)) {
		out->problems |=
			PROBLEM_BIT(PROBLEM_BAD_SIGNATURE) | PROBLEM_BIT(PROBLEM_UNTRUSTED_ISSUER);
		return ERR_OK;
	}
	out->problems |=
		PROBLEM_BIT(path->count > 1 ? PROBLEM_UNTRUSTED_ISSUER : PROBLEM_SELF_SIGNED);
	return ERR_OK;
}

static void keep_path(const struct family *f, const struct path *path, struct judged *out)
{
	out->path_count = (uint8_t)path->count;
	for (size_t i = 0; i < path->count; i++)
		for (size_t j = 0; j < f->count; j++)
			if (f->members[j] == path->members[i])
				out->path[i] = (uint8_t)j;
}

/* Extends the path until an anchor signed its end, or nothing is left to extend it with. */
static enum err find_path(const struct trust *trust, const struct judge_question *q,
	const struct family *f, struct path *path, struct judged *out)
{
	const struct parsed_certificate *issuer = q->leaf;
	enum err e = ERR_OK;

	while (issuer) {
		/* The namesake in the store was another CA. */
		out->problems = 0;
		e = path_add(path, issuer);
		if (e == ERR_OK)
			e = try_anchors(trust, path, q->purpose, out);
		if (e != ERR_OK)
			return e;
		issuer = out->has_anchor ? NULL : next_issuer(f, path, q->now);
	}
	return out->has_anchor ? ERR_OK : judge_unanchored(path, q->purpose, out);
}

static void judge_strength(const struct path *path, struct judged *out)
{
	for (size_t i = 0; i < path->count; i++) {
		bool is_end = i + 1 == path->count && !out->has_anchor;

		out->problems |= verify_weakness(path->members[i], i == 0);
		if (!is_end && !verify_is_possible(path->handles[i]))
			out->is_verified = false;
	}
	/* GnuTLS calls a signature it cannot compute a wrong one. */
	if (!out->is_verified)
		out->problems &= ~PROBLEM_BIT(PROBLEM_BAD_SIGNATURE);
}

static enum err build(const struct trust *trust, const struct judge_question *q,
	const struct family *f, struct judged *out)
{
	struct path path = { 0 };
	enum err e;

	out->is_verified = true;
	e = find_path(trust, q, f, &path, out);
	if (e == ERR_OK) {
		judge_strength(&path, out);
		keep_path(f, &path, out);
	}
	path_fini(&path);
	return e;
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
static void add_link(struct verdict *v, const uint8_t fingerprint[FINGERPRINT_BYTES],
	const int64_t dates[2], int64_t now)
{
	memcpy(v->chain.items[v->chain.count++], fingerprint, FINGERPRINT_BYTES);
	span(v, fingerprint, dates[1]);
	if (dates[0] != TIME_UNKNOWN)
		bound(v, dates[0], now);
	if (dates[1] != TIME_UNKNOWN)
		bound(v, dates[1] + 1, now);
}

static void add_member(struct verdict *v, const struct parsed_certificate *p, int64_t now)
{
	const int64_t dates[2] = { p->facts.not_before, p->facts.not_after };

	add_link(v, p->facts.fingerprint, dates, now);
}

static enum err judge_anchor(
	const struct anchor *anchor, const struct judge_question *q, struct verdict *v)
{
	v->is_checked = true;
	v->is_anchor = true;
	v->trust = strdup(anchor->store);
	/* Nothing rests on an anchor's signature. */
	v->problems |= verify_weakness(q->leaf, false) & PROBLEM_BIT(PROBLEM_WEAK_KEY);
	add_member(v, q->leaf, q->now);
	return v->trust ? ERR_OK : ERR_MEMORY;
}

static enum err judge_path(const struct trust *trust, struct judge_cache *cache,
	const struct judge_question *q, struct verdict *v)
{
	uint8_t key[FINGERPRINT_BYTES];
	struct family family;
	struct judged judged = { 0 };
	const struct judged *known = NULL;
	const struct anchor *anchor = NULL;
	enum err e;

	gather_family(q, &family);
	if (cache) {
		key_of(trust, q, &family, key);
		known = judge_cache_find(cache, key);
	}
	if (known) {
		judged = *known;
	} else {
		e = build(trust, q, &family, &judged);
		if (e != ERR_OK)
			return e;
		if (cache)
			judge_cache_put(cache, key, &judged);
	}
	v->is_checked = judged.is_verified;
	v->problems |= judged.problems;
	for (size_t i = 0; i < judged.path_count; i++)
		add_member(v, family.members[judged.path[i]], q->now);
	if (judged.has_anchor)
		anchor = trust_find(trust, judged.anchor);
	if (!anchor)
		return ERR_OK;
	add_link(v, anchor->fingerprint,
		(const int64_t[2]){ anchor->not_before, anchor->not_after }, q->now);
	if (!v->is_checked || judged.problems & PROBLEM_BIT(PROBLEM_CONSTRAINT_VIOLATION))
		return ERR_OK;
	v->trust = strdup(anchor->store);
	return v->trust ? ERR_OK : ERR_MEMORY;
}

enum err judge(const struct trust *trust, struct judge_cache *cache, const struct judge_question *q,
	struct verdict *out)
{
	struct verdict v = { .expires = TIME_UNKNOWN, .boundary = TIME_UNKNOWN };
	const struct anchor *anchor;
	enum err e;

	if (!trust || !q->leaf->der.size) {
		*out = v;
		return ERR_OK;
	}
	v.chain.items = calloc(PATH_MAX_CERTIFICATES + 1, FINGERPRINT_BYTES);
	if (!v.chain.items)
		return ERR_MEMORY;
	e = verify_name(q->leaf, q->server_name, &v.problems);
	v.problems |= verify_usage(q->leaf, q->purpose);
	anchor = trust_find(trust, q->leaf->facts.fingerprint);
	if (e == ERR_OK)
		e = anchor ? judge_anchor(anchor, q, &v) : judge_path(trust, cache, q, &v);
	if (e != ERR_OK) {
		verdict_fini(&v);
		return e;
	}
	*out = v;
	return ERR_OK;
}
