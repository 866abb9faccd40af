/* A certificate as the path search sees it. */
#include "agent/certificate/node.h"

#include "agent/certificate/dn.h"

static bool read(struct slice der, struct node *n)
{
	if (!der_certificate(der, &n->at) || !n->at.is_complete)
		return false;
	extensions_read(&n->at, &n->extensions);
	n->is_self_issued =
		n->subject_hash == n->issuer_hash && dn_equal(n->at.subject, n->at.issuer);
	return true;
}

bool node_of_certificate(const struct parsed_certificate *p, struct node *out)
{
	struct node n = { .parsed = p,
		.not_before = p->facts.not_before,
		.not_after = p->facts.not_after,
		.subject_hash = p->subject_hash,
		.issuer_hash = p->issuer_hash };

	if (!read(p->der, &n))
		return false;
	memcpy(n.fingerprint, p->facts.fingerprint, FINGERPRINT_BYTES);
	*out = n;
	return true;
}

bool node_of_anchor(const struct anchor *a, struct node *out)
{
	struct node n = { .anchor = a,
		.not_before = a->not_before,
		.not_after = a->not_after,
		.subject_hash = a->subject_hash,
		.issuer_hash = a->issuer_hash };

	if (!read(a->der, &n))
		return false;
	memcpy(n.fingerprint, a->fingerprint, FINGERPRINT_BYTES);
	*out = n;
	return true;
}

bool node_is_twin(const struct node *a, const struct node *b)
{
	return a->subject_hash == b->subject_hash && a->at.spki.size == b->at.spki.size &&
	       memcmp(a->at.spki.data, b->at.spki.data, a->at.spki.size) == 0 &&
	       dn_equal(a->at.subject, b->at.subject);
}
