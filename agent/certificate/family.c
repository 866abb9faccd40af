/* The certificates a path may be built from: no cryptography, so that the cache can be asked first. */
#include "agent/certificate/family.h"

#include "agent/certificate/dn.h"

#include <stdlib.h>

#define FAMILY_STEP 8
/* Certificates of one name that are taken from a store. */
#define NAMESAKES_MAX 32

static bool is_member(const struct family *f, const uint8_t fingerprint[FINGERPRINT_BYTES])
{
	for (size_t i = 0; i < f->count; i++)
		if (memcmp(f->members[i].fingerprint, fingerprint, FINGERPRINT_BYTES) == 0)
			return true;
	return false;
}

/* The place of the next member, NULL when out of memory or (is_cut) out of places. */
static struct node *next_place(struct family *f)
{
	struct node *members;

	if (f->count == FAMILY_MAX) {
		f->is_cut = true;
		return NULL;
	}
	if (f->count < f->capacity)
		return &f->members[f->count];
	members = reallocarray(f->members, f->capacity + FAMILY_STEP, sizeof(*members));
	if (!members)
		return NULL;
	f->members = members;
	f->capacity += FAMILY_STEP;
	return &f->members[f->count];
}

/* NULL where none of the stores that count holds it. */
static const struct anchor *trusted(const struct anchor *a, const struct judge_question *q)
{
	uint64_t stores = q->stores ? *q->stores : TRUST_ALL_STORES;

	return a && a->stores & stores && !(a->distrusted & stores) ? a : NULL;
}

/* What the stores that count say of it. */
static void node_limit(struct node *n, const struct anchor *a, const struct trust *trust,
	const struct judge_question *q)
{
	uint64_t stores = q->stores ? *q->stores : TRUST_ALL_STORES;

	n->anchor = trusted(a, q);
	n->is_distrusted = a && a->distrusted & stores;
	if (trust_blocked(trust, n->at.issuer, n->issuer_hash, n->at.serial) & stores) {
		n->anchor = NULL;
		n->is_distrusted = true;
	}
	for (size_t i = 0; n->anchor && i < n->anchor->attached_count; i++)
		(void)extension_attach(n->anchor->attached[i], &n->extensions);
}

/* `held` may lie in the pool, which says nothing of trusting it. */
static enum err add_anchor(const struct trust *trust, const struct judge_question *q,
	struct family *f, const struct anchor *held)
{
	struct node *n;

	if (is_member(f, held->fingerprint))
		return ERR_OK;
	n = next_place(f);
	if (!n)
		return f->is_cut ? ERR_OK : ERR_MEMORY;
	if (node_of_anchor(held, n)) {
		node_limit(n, trust_find(trust, held->fingerprint), trust, q);
		f->count++;
	}
	return ERR_OK;
}

static enum err add_certificate(const struct trust *trust, const struct judge_question *q,
	struct family *f, const struct parsed_certificate *p)
{
	struct node *n;

	if (is_member(f, p->facts.fingerprint))
		return ERR_OK;
	n = next_place(f);
	if (!n)
		return f->is_cut ? ERR_OK : ERR_MEMORY;
	if (node_of_certificate(p, n)) {
		node_limit(n, trust_find(trust, p->facts.fingerprint), trust, q);
		f->count++;
	}
	return ERR_OK;
}

/* From the trust, or from the pool. */
static enum err add_store(const struct trust *trust, const struct judge_question *q,
	struct family *f, size_t below, const struct trust *from)
{
	const struct anchor *a;
	enum err e = ERR_OK;

	for (size_t i = 0; e == ERR_OK && i < NAMESAKES_MAX; i++) {
		const struct node *n = &f->members[below];

		a = trust_named(from, n->at.issuer, n->issuer_hash, i);
		if (!a)
			break;
		e = add_anchor(trust, q, f, a);
	}
	return e;
}

/* Those whose name the issuer of member `below` is. What is trusted comes first, so that no flood of
 * neighbours keeps it out. */
static enum err add_issuers(
	const struct trust *trust, const struct judge_question *q, struct family *f, size_t below)
{
	enum err e = add_store(trust, q, f, below, trust);

	for (size_t i = 0; e == ERR_OK && i < q->candidates_count; i++) {
		const struct parsed_certificate *p = q->candidates[i];
		const struct node *n = &f->members[below];

		if (p->subject_hash == n->issuer_hash && p->der.size &&
			dn_equal(p->subject, n->at.issuer))
			e = add_certificate(trust, q, f, p);
	}
	if (e == ERR_OK && q->pool)
		e = add_store(trust, q, f, below, q->pool);
	return e;
}

enum err family_gather(
	const struct trust *trust, const struct judge_question *q, struct family *out)
{
	struct family f = { 0 };
	enum err e = add_certificate(trust, q, &f, q->leaf);

	if (e == ERR_OK && !f.count)
		e = ERR_MALFORMED;
	for (size_t i = 0; e == ERR_OK && i < f.count; i++)
		if (i == 0 || !f.members[i].anchor)
			e = add_issuers(trust, q, &f, i);
	if (e != ERR_OK) {
		family_fini(&f);
		return e;
	}
	*out = f;
	return ERR_OK;
}

void family_fini(struct family *f)
{
	free(f->members);
	*f = (struct family){ 0 };
}
