/* Which certificate on disk could be the successor of one that is served. */
#include "agent/served_internal.h"

#include <string.h>

/* Longer lists are equal when their order is, too. */
#define NAMES_COMPARED_MAX 256

static bool is_for_servers(const struct certificate *c)
{
	const struct strings *uses = &c->extended_key_usage;

	return !uses->count || strings_contain(uses, "serverAuth") ||
	       strings_contain(uses, "anyExtendedKeyUsage");
}

struct likeness likeness_of(const struct certificate_record *r)
{
	const struct certificate *c = &r->facts;
	struct likeness l = { .subject = c->subject,
		.issuer = c->issuer,
		.trust = r->verdict.trust,
		.key_algorithm = c->key_algorithm,
		.names = &c->names,
		.not_before = c->not_before,
		.not_after = c->not_after,
		.is_ca = c->is_ca,
		.is_self_issued = c->is_self_issued,
		.is_for_servers = is_for_servers(c) };

	memcpy(l.fingerprint, c->fingerprint, FINGERPRINT_BYTES);
	memcpy(l.spki, c->spki_sha256, FINGERPRINT_BYTES);
	return l;
}

/* ---- issuers ------------------------------------------------------------------------------------ */

/* The O of an RFC 4514 name, escapes and all; empty where it has none. */
static struct slice organization(const char *name)
{
	bool is_start = true;

	for (const char *at = name; *at; at++) {
		if (is_start && strncmp(at, "O=", 2) == 0) {
			size_t size = 2;

			while (at[size] && at[size] != ',')
				size += at[size] == '\\' && at[size + 1] ? 2 : 1;
			return slice_of(at + 2, size - 2);
		}
		is_start = *at == ',' || *at == '+';
		if (*at == '\\' && at[1])
			at++;
	}
	return slice_of(NULL, 0);
}

/* A CA signs with one of several intermediates, whichever comes: then the organization counts, and that
 * the same store trusts both, which no staging CA achieves. */
static bool is_same_issuer(const struct likeness *a, const struct likeness *b)
{
	struct slice x;
	struct slice y;

	if (strcmp(a->issuer, b->issuer) == 0)
		return true;
	if (!a->trust || !b->trust || strcmp(a->trust, b->trust) != 0)
		return false;
	x = organization(a->issuer);
	y = organization(b->issuer);
	return x.size && x.size == y.size && memcmp(x.data, y.data, x.size) == 0;
}

/* ---- names -------------------------------------------------------------------------------------- */

static bool has_same_names(const struct strings *a, const struct strings *b)
{
	if (a->count != b->count)
		return false;
	if (strings_equal(a, b))
		return true;
	if (a->count > NAMES_COMPARED_MAX)
		return false;
	for (size_t i = 0; i < a->count; i++)
		if (!strings_contain(b, a->items[i]))
			return false;
	return true;
}

static bool has_common_name(const struct strings *a, const struct strings *b)
{
	for (size_t i = 0; i < a->count && i < NAMES_COMPARED_MAX; i++)
		if (strings_contain(b, a->items[i]))
			return true;
	return false;
}

bool likeness_is_generic(const struct likeness *l)
{
	static const char *const generic[] = { "dns:localhost", "dns:localhost.localdomain",
		"ip:127.0.0.1", "ip:::1" };

	for (size_t i = 0; i < l->names->count; i++) {
		bool is_one = false;

		for (size_t n = 0; n < sizeof(generic) / sizeof(generic[0]); n++)
			is_one |= strcmp(l->names->items[i], generic[n]) == 0;
		if (!is_one)
			return false;
	}
	return l->names->count || !*l->subject || strcmp(l->subject, "CN=localhost") == 0;
}

/* ---- both --------------------------------------------------------------------------------------- */

unsigned relation_of(const struct likeness *served, const struct likeness *other)
{
	bool is_same_subject = *served->subject && strcmp(served->subject, other->subject) == 0;
	unsigned relation = 0;

	if (!other->is_for_servers || other->is_ca != served->is_ca)
		return 0;
	if (memcmp(served->spki, other->spki, FINGERPRINT_BYTES) == 0)
		relation |= RELATION_KEY;
	if (strcmp(served->subject, other->subject) == 0 &&
		has_same_names(served->names, other->names))
		relation |= RELATION_NAMES;
	if (is_same_subject || has_common_name(served->names, other->names))
		relation |= RELATION_SHARES;
	if (relation && is_same_issuer(served, other))
		relation |= RELATION_ISSUER;
	if (relation && strcmp(served->key_algorithm, other->key_algorithm) == 0)
		relation |= RELATION_KIND;
	return relation;
}

bool likeness_is_newer(const struct likeness *other, const struct likeness *served, int64_t now)
{
	if (other->not_before == TIME_UNKNOWN || other->not_after == TIME_UNKNOWN ||
		other->not_before > now || other->not_after <= now)
		return false;
	return other->not_before > served->not_before ||
	       (other->not_before == served->not_before && other->not_after > served->not_after);
}
