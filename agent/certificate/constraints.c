/* Name constraints (RFC 5280 4.2.1.10, 6.1.3 b and c). */
#include "agent/certificate/constraints.h"

#include "agent/certificate/dn.h"
#include "agent/certificate/names.h"

enum match { OUTSIDE, INSIDE, UNREADABLE };

/* A constraint may ask two things of a name that stands for many (a wildcard): may any of them lie within
 * (excluded), do all of them (permitted). */
enum ask { ASK_ANY, ASK_ALL };

struct check {
	const struct extensions *constraints;
	size_t *comparisons;
	struct rules *broken;
};

/* --- one kind after another ---------------------------------------------------------------------- */

static bool ends_with(struct slice text, struct slice end)
{
	return text.size >= end.size &&
	       text_same_nocase(slice_after(text, text.size - end.size), end);
}

static bool is_below(struct slice name, struct slice domain)
{
	return name.size > domain.size && ends_with(name, domain) &&
	       name.data[name.size - domain.size - 1] == '.';
}

static struct slice without_last_dot(struct slice name)
{
	if (name.size && name.data[name.size - 1] == '.')
		name.size--;
	return name;
}

static struct slice parent_of(struct slice name)
{
	const uint8_t *dot = name.size ? memchr(name.data, '.', name.size) : NULL;

	return dot ? slice_after(name, (size_t)(dot - name.data) + 1) : slice_of(NULL, 0);
}

/* "Any DNS name that can be constructed by simply adding zero or more labels". A leading dot, which the
 * RFC does not know but CAs write, wants at least one. */
static enum match match_dns(struct slice name, struct slice base, enum ask ask)
{
	bool is_wild = slice_starts(name, "*.", 2);
	bool is_dotted = base.size && base.data[0] == '.';
	struct slice domain = without_last_dot(is_dotted ? slice_after(base, 1) : base);

	name = without_last_dot(is_wild ? slice_after(name, 2) : name);
	if (!dns_name_is_well_formed(name, true) ||
		(domain.size && !dns_name_is_well_formed(domain, true)))
		return UNREADABLE;
	if (!domain.size || is_below(name, domain))
		return INSIDE;
	if (text_same_nocase(name, domain))
		return is_wild || !is_dotted ? INSIDE : OUTSIDE;
	/* Its star may stand for the very label that makes the constraint. */
	if (is_wild && ask == ASK_ANY && !is_dotted && text_same_nocase(name, parent_of(domain)))
		return INSIDE;
	return OUTSIDE;
}

/* A mailbox, all mailboxes of a host, or (with a leading dot) of all hosts of a domain. */
static enum match match_mailbox(struct slice name, struct slice base, enum ask ask)
{
	struct slice local;
	struct slice host;
	struct slice base_local;
	struct slice base_host;
	bool is_dotted = base.size && base.data[0] == '.';

	(void)ask;
	if (!mailbox_split(name, &local, &host))
		return UNREADABLE;
	if (base.size && memchr(base.data, '@', base.size)) {
		if (!mailbox_split(base, &base_local, &base_host))
			return UNREADABLE;
		return local.size == base_local.size &&
				       memcmp(local.data, base_local.data, local.size) == 0 &&
				       text_same_nocase(host, base_host)
			       ? INSIDE
			       : OUTSIDE;
	}
	if (is_dotted)
		return is_below(host, slice_after(base, 1)) ? INSIDE : OUTSIDE;
	return !base.size || text_same_nocase(host, base) ? INSIDE : OUTSIDE;
}

/* A host, or (with a leading dot) all hosts of a domain. */
static enum match match_uri(struct slice name, struct slice base, enum ask ask)
{
	struct slice host;

	(void)ask;
	if (!uri_host(name, &host) || text_is_address(host))
		return UNREADABLE;
	if (base.size && base.data[0] == '.')
		return is_below(host, slice_after(base, 1)) ? INSIDE : OUTSIDE;
	return !base.size || text_same_nocase(host, base) ? INSIDE : OUTSIDE;
}

/* CIDR: ones, then zeros (RFC 4632). */
static bool is_mask(struct slice mask)
{
	bool is_over = false;

	for (size_t i = 0; i < 8 * mask.size; i++) {
		bool bit = mask.data[i / 8] & 0x80 >> i % 8;

		if (bit && is_over)
			return false;
		is_over = is_over || !bit;
	}
	return true;
}

static enum match match_address(struct slice name, struct slice base, enum ask ask)
{
	size_t half = base.size / 2;
	struct slice mask = slice_after(base, half);

	(void)ask;
	if ((name.size != 4 && name.size != 16) || (base.size != 8 && base.size != 32) ||
		!is_mask(mask))
		return UNREADABLE;
	if (name.size != half)
		return OUTSIDE;
	for (size_t i = 0; i < half; i++)
		if ((name.data[i] ^ base.data[i]) & mask.data[i])
			return OUTSIDE;
	return INSIDE;
}

static enum match match_directory(struct slice name, struct slice base, enum ask ask)
{
	(void)ask;
	return dn_is_within(name, base) ? INSIDE : OUTSIDE;
}

static enum match (*const matchers[GENERAL_NAME_COUNT])(
	struct slice name, struct slice base, enum ask ask) = {
	[RFC822_NAME] = match_mailbox,
	[DNS_NAME] = match_dns,
	[DIRECTORY_NAME] = match_directory,
	[URI_NAME] = match_uri,
	[IP_ADDRESS] = match_address,
};

/* --- subtrees ------------------------------------------------------------------------------------ */

/* GeneralSubtree { base, minimum DEFAULT 0, maximum OPTIONAL }: only base may be used (4.2.1.10). */
static bool next_subtree(struct slice *left, struct general *base, bool *is_plain)
{
	struct der_item subtree;

	if (!der_take(left, DER_SEQUENCE, &subtree) || !general_next(&subtree.content, base))
		return false;
	*is_plain = !subtree.content.size;
	return true;
}

struct outcome {
	bool has_kind; /* there are constraints of the name's kind */
	bool is_inside;
	bool is_unreadable;
	bool is_unsupported;
};

static struct outcome look(
	const struct check *c, struct slice subtrees, const struct general *name, enum ask ask)
{
	struct outcome out = { 0 };
	struct general base;
	bool is_plain = true;

	while (subtrees.size && next_subtree(&subtrees, &base, &is_plain)) {
		enum match m;

		if (!*c->comparisons) {
			rules_add(c->broken, RULE_TOO_MANY_NAMES);
			return out;
		}
		--*c->comparisons;
		if (base.kind != name->kind)
			continue;
		out.has_kind = true;
		if (!matchers[base.kind] || !is_plain) {
			out.is_unsupported = true;
			continue;
		}
		m = matchers[base.kind](name->value, base.value, ask);
		out.is_unreadable = out.is_unreadable || m == UNREADABLE;
		out.is_inside = out.is_inside || m == INSIDE;
	}
	out.is_unreadable = out.is_unreadable || subtrees.size;
	return out;
}

static void check_name(const struct check *c, const struct general *name)
{
	struct outcome permitted = look(c, c->constraints->permitted, name, ASK_ALL);
	struct outcome excluded = look(c, c->constraints->excluded, name, ASK_ANY);

	if (permitted.is_unsupported || excluded.is_unsupported)
		rules_add(c->broken, RULE_CONSTRAINT_UNSUPPORTED);
	else if (permitted.is_unreadable || excluded.is_unreadable)
		rules_add(c->broken, RULE_CONSTRAINT_MALFORMED);
	else if (permitted.has_kind && !permitted.is_inside)
		rules_add(c->broken, RULE_NOT_PERMITTED);
	if (excluded.is_inside)
		rules_add(c->broken, RULE_EXCLUDED);
}

/* --- names --------------------------------------------------------------------------------------- */

static void check_subject(const struct check *c, struct slice subject)
{
	static const uint8_t email[] = "\x2a\x86\x48\x86\xf7\x0d\x01\x09\x01";
	struct general name = { .kind = DIRECTORY_NAME, .value = subject };
	struct attribute_walk walk = attribute_walk_of(subject);
	struct der_item value;

	if (dn_is_empty(subject))
		return;
	check_name(c, &name);
	/* The legacy place of a mailbox is constrained too. */
	while (attribute_next(&walk, slice_of(email, sizeof(email) - 1), &value)) {
		name = (struct general){ .kind = RFC822_NAME, .value = value.content };
		check_name(c, &name);
	}
}

/* All comparisons that lie ahead, so that a quadratic one is not even begun. */
static bool are_too_many(const struct check *c, const struct node *below, struct slice names)
{
	size_t names_count = dn_size(below->at.subject) + 1;
	size_t subtrees = 0;
	struct der_item item;
	struct slice lists[] = { c->constraints->permitted, c->constraints->excluded };

	while (der_next(&names, &item))
		names_count++;
	for (size_t i = 0; i < 2; i++)
		while (der_next(&lists[i], &item))
			subtrees++;
	return subtrees && names_count > *c->comparisons / subtrees;
}

void constraints_check(
	const struct node *ca, const struct node *below, size_t *comparisons, struct rules *broken)
{
	const struct check c = {
		.constraints = &ca->extensions, .comparisons = comparisons, .broken = broken
	};
	struct slice names = general_list(below->extensions.values[EXTENSION_SUBJECT_NAMES]);
	struct general name;

	if (!ca->extensions.permitted.size && !ca->extensions.excluded.size)
		return;
	if (are_too_many(&c, below, names)) {
		rules_add(broken, RULE_TOO_MANY_NAMES);
		return;
	}
	check_subject(&c, below->at.subject);
	while (general_next(&names, &name))
		check_name(&c, &name);
	if (names.size)
		rules_add(broken, RULE_CONSTRAINT_MALFORMED);
}
