/* Name constraints (RFC 5280 4.2.1.10, 6.1.3 b and c). */
#include "agent/certificate/constraints.h"

#include "agent/certificate/dn.h"
#include "agent/certificate/names.h"

/* A constraint may ask two things of a name that stands for many (a wildcard): may any of them lie within
 * (excluded), do all of them (permitted). */
enum ask { ASK_ANY, ASK_ALL };

/* A name, taken apart once for all constraints that it is held against. */
struct asked {
	enum general_name kind;
	struct slice value;
	struct slice host;  /* or the domain */
	struct slice local; /* of a mailbox */
	bool is_wild;
	bool is_readable;
};

struct check {
	const struct extensions *constraints;
	size_t *comparisons;
	struct rules *broken;
	bool is_over; /* no more comparisons are left */
};

/* --- one kind after another ---------------------------------------------------------------------- */

static bool ends_with(struct slice text, struct slice end)
{
	return text.size >= end.size &&
	       text_same_nocase(slice_after(text, text.size - end.size), end);
}

static bool is_below(struct slice name, struct slice domain)
{
	return name.size > domain.size && name.data[name.size - domain.size - 1] == '.' &&
	       ends_with(name, domain);
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

static bool is_dotted(struct slice base)
{
	return base.size && base.data[0] == '.';
}

static struct slice domain_of(struct slice base)
{
	return without_last_dot(is_dotted(base) ? slice_after(base, 1) : base);
}

static bool read_dns(struct asked *a)
{
	a->is_wild = slice_starts(a->value, "*.", 2);
	a->host = without_last_dot(a->is_wild ? slice_after(a->value, 2) : a->value);
	return dns_name_is_well_formed(a->host, true);
}

static bool is_dns_base(struct slice base)
{
	struct slice domain = domain_of(base);

	return !domain.size || dns_name_is_well_formed(domain, true);
}

/* "Any DNS name that can be constructed by simply adding zero or more labels". A leading dot, which the
 * RFC does not know but CAs write, wants at least one. */
static bool is_within_dns(const struct asked *a, struct slice base, enum ask ask)
{
	struct slice domain = domain_of(base);

	if (!domain.size || is_below(a->host, domain))
		return true;
	if (text_same_nocase(a->host, domain))
		return a->is_wild || !is_dotted(base);
	/* Its star may stand for the very label that makes the constraint. */
	return a->is_wild && ask == ASK_ANY && !is_dotted(base) &&
	       text_same_nocase(a->host, parent_of(domain));
}

static bool read_mailbox(struct asked *a)
{
	return mailbox_split(a->value, &a->local, &a->host);
}

static bool is_mailbox_base(struct slice base)
{
	struct slice local;
	struct slice host;

	return !base.size || !memchr(base.data, '@', base.size) ||
	       mailbox_split(base, &local, &host);
}

/* A mailbox, all mailboxes of a host, or (with a leading dot) of all hosts of a domain. */
static bool is_within_mailbox(const struct asked *a, struct slice base, enum ask ask)
{
	struct slice local;
	struct slice host;

	(void)ask;
	if (mailbox_split(base, &local, &host))
		return a->local.size == local.size &&
		       memcmp(a->local.data, local.data, local.size) == 0 &&
		       text_same_nocase(a->host, host);
	if (is_dotted(base))
		return is_below(a->host, slice_after(base, 1));
	return !base.size || text_same_nocase(a->host, base);
}

static bool read_uri(struct asked *a)
{
	return uri_host(a->value, &a->host) && !text_is_address(a->host);
}

/* A host, or (with a leading dot) all hosts of a domain. */
static bool is_within_uri(const struct asked *a, struct slice base, enum ask ask)
{
	(void)ask;
	if (is_dotted(base))
		return is_below(a->host, slice_after(base, 1));
	return !base.size || text_same_nocase(a->host, base);
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

static bool read_address(struct asked *a)
{
	return a->value.size == 4 || a->value.size == 16;
}

static bool is_address_base(struct slice base)
{
	return (base.size == 8 || base.size == 32) && is_mask(slice_after(base, base.size / 2));
}

static bool is_within_address(const struct asked *a, struct slice base, enum ask ask)
{
	size_t half = base.size / 2;

	(void)ask;
	if (a->value.size != half || !a->value.data || !base.data)
		return false;
	for (size_t i = 0; i < half; i++)
		if ((a->value.data[i] ^ base.data[i]) & base.data[half + i])
			return false;
	return true;
}

static bool is_within_directory(const struct asked *a, struct slice base, enum ask ask)
{
	(void)ask;
	return dn_is_within(a->value, base);
}

static const struct kind {
	bool (*read)(struct asked *a);      /* takes the name apart; NULL: nothing to take */
	bool (*is_base)(struct slice base); /* NULL: any will do */
	bool (*is_within)(
		const struct asked *a, struct slice base, enum ask ask); /* NULL: unknown */
	unsigned bytes; /* that are compared in the time of looking at one more constraint */
} kinds[GENERAL_NAME_COUNT] = {
	[RFC822_NAME] = { read_mailbox, is_mailbox_base, is_within_mailbox, 128 },
	[DNS_NAME] = { read_dns, is_dns_base, is_within_dns, 128 },
	[DIRECTORY_NAME] = { NULL, NULL, is_within_directory, 8 },
	[URI_NAME] = { read_uri, NULL, is_within_uri, 128 },
	[IP_ADDRESS] = { read_address, is_address_base, is_within_address, 128 },
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

/* What a list holds of each kind, whatever the name: read once. */
struct subtrees {
	struct slice list;
	uint32_t kinds; /* a bit for each that it constrains */
	uint32_t unsupported;
	uint32_t malformed; /* a constraint of that kind is; or, for all, the list */
};

static struct subtrees read_subtrees(struct slice list)
{
	struct subtrees out = { .list = list };
	struct general base;
	bool is_plain;

	while (list.size && next_subtree(&list, &base, &is_plain)) {
		const struct kind *k = &kinds[base.kind];

		out.kinds |= UINT32_C(1) << base.kind;
		if (!k->is_within || !is_plain)
			out.unsupported |= UINT32_C(1) << base.kind;
		else if (k->is_base && !k->is_base(base.value))
			out.malformed |= UINT32_C(1) << base.kind;
	}
	if (list.size)
		out.malformed = UINT32_MAX;
	return out;
}

/* False when it costs too much. */
static bool spend(struct check *c, size_t cost)
{
	if (*c->comparisons < cost) {
		c->is_over = true;
		rules_add(c->broken, RULE_TOO_MANY_NAMES);
		return false;
	}
	*c->comparisons -= cost;
	return true;
}

static bool is_inside(
	struct check *c, const struct subtrees *s, const struct asked *a, enum ask ask)
{
	const struct kind *k = &kinds[a->kind];
	struct slice left = s->list;
	struct general base;
	bool is_plain;

	if (!(s->kinds >> a->kind & 1) || !k->is_within)
		return false;
	while (left.size && next_subtree(&left, &base, &is_plain)) {
		size_t bytes = base.kind == a->kind ? a->value.size + base.value.size : 0;

		if (!spend(c, 1 + bytes / k->bytes))
			return false;
		if (base.kind == a->kind && is_plain && k->is_within(a, base.value, ask))
			return true;
	}
	return false;
}

struct lists {
	struct subtrees permitted;
	struct subtrees excluded;
};

static void check_name(struct check *c, const struct lists *l, const struct general *name)
{
	const uint32_t bit = UINT32_C(1) << name->kind;
	const struct kind *k = &kinds[name->kind];
	struct asked a = { .kind = name->kind, .value = name->value };

	if (!((l->permitted.kinds | l->excluded.kinds | l->permitted.malformed |
		      l->excluded.malformed) &
		    bit))
		return;
	a.is_readable = !k->read || k->read(&a);
	if ((l->permitted.unsupported | l->excluded.unsupported) & bit)
		rules_add(c->broken, RULE_CONSTRAINT_UNSUPPORTED);
	else if (!a.is_readable || (l->permitted.malformed | l->excluded.malformed) & bit)
		rules_add(c->broken, RULE_CONSTRAINT_MALFORMED);
	else if (l->permitted.kinds & bit && !is_inside(c, &l->permitted, &a, ASK_ALL) &&
		 !c->is_over)
		rules_add(c->broken, RULE_NOT_PERMITTED);
	if (a.is_readable && is_inside(c, &l->excluded, &a, ASK_ANY))
		rules_add(c->broken, RULE_EXCLUDED);
}

/* --- names --------------------------------------------------------------------------------------- */

static void check_subject(struct check *c, const struct lists *l, struct slice subject)
{
	static const uint8_t email[] = "\x2a\x86\x48\x86\xf7\x0d\x01\x09\x01";
	struct general name = { .kind = DIRECTORY_NAME, .value = subject };
	struct attribute_walk walk = attribute_walk_of(subject);
	struct der_item value;

	if (dn_is_empty(subject))
		return;
	check_name(c, l, &name);
	/* The legacy place of a mailbox is constrained too. */
	while (attribute_next(&walk, slice_of(email, sizeof(email) - 1), &value)) {
		name = (struct general){ .kind = RFC822_NAME, .value = value.content };
		check_name(c, l, &name);
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
	struct check c = {
		.constraints = &ca->extensions, .comparisons = comparisons, .broken = broken
	};
	struct slice names = general_list(below->extensions.values[EXTENSION_SUBJECT_NAMES]);
	struct general name;
	struct lists lists;

	if (!ca->extensions.permitted.size && !ca->extensions.excluded.size)
		return;
	if (are_too_many(&c, below, names)) {
		rules_add(broken, RULE_TOO_MANY_NAMES);
		return;
	}
	lists = (struct lists){ .permitted = read_subtrees(ca->extensions.permitted),
		.excluded = read_subtrees(ca->extensions.excluded) };
	check_subject(&c, &lists, below->at.subject);
	while (!c.is_over && general_next(&names, &name))
		check_name(&c, &lists, &name);
	if (!c.is_over && names.size)
		rules_add(broken, RULE_CONSTRAINT_MALFORMED);
}
