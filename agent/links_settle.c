/* Links: working out what belongs together. Certificates are grouped by issuer and endpoints by list, so
 * that what is matched are groups with lists, never each with each. */
#include "agent/links_internal.h"

#include "agent/base/log.h"

#include <stdlib.h>
#include <string.h>

/* Two positions that belong together. */
struct pair {
	uint32_t key;
	uint32_t value;
};

struct pairs {
	struct pair *items; /* owned */
	struct extent extent;
};

/* Marks of what was met in the present round: no clearing between rounds. */
struct marks {
	uint32_t *rounds; /* owned */
	uint32_t round;
};

static enum err marks_init(struct marks *m, uint32_t count)
{
	m->rounds = calloc((size_t)count + 1, sizeof(*m->rounds));
	return m->rounds ? ERR_OK : ERR_MEMORY;
}

static bool is_new(struct marks *m, uint32_t at)
{
	if (m->rounds[at] == m->round)
		return false;
	m->rounds[at] = m->round;
	return true;
}

static enum err add_pair(struct links *l, struct pairs *p, uint32_t key, uint32_t value)
{
	struct pair *more;

	if (p->extent.count >= LINKS_PAIRS_MAX) {
		if (!l->is_cut)
			log_warn("too many client certificates and servers to tie together: some "
				 "are left out");
		l->is_cut = true;
		return ERR_OK;
	}
	more = links_grown(p->items, &p->extent, sizeof(*more));
	if (!more)
		return ERR_MEMORY;
	p->items = more;
	more[p->extent.count++] = (struct pair){ key, value };
	return ERR_OK;
}

/* The values by key: `spans[key * stride]` says which part is a key's. Keeps the order of equal keys. */
static enum err spread(
	const struct pairs *p, struct span *spans, size_t stride, uint32_t keys, uint32_t **out)
{
	uint32_t *values = calloc((size_t)p->extent.count + 1, sizeof(*values));
	uint32_t from = 0;

	if (!values)
		return ERR_MEMORY;
#define SPAN(key) ((struct span *)(void *)((char *)spans + (key)*stride))
	/* Without spans there are no keys, and so no pairs. */
	for (uint32_t i = 0; spans && i < p->extent.count; i++)
		SPAN(p->items[i].key)->count++;
	for (uint32_t k = 0; spans && k < keys; k++) {
		SPAN(k)->from = from;
		from += SPAN(k)->count;
		SPAN(k)->count = 0;
	}
	for (uint32_t i = 0; i < p->extent.count; i++) {
		struct span *span = SPAN(p->items[i].key);

		values[span->from + span->count++] = p->items[i].value;
	}
#undef SPAN
	*out = values;
	return ERR_OK;
}

/* ---- CAs -------------------------------------------------------------------------------------- */

/* Of several certificates of one CA, old and renewed, the one that lasts longest decides. */
static void choose_cas(struct links *l)
{
	for (uint32_t i = 0; i < l->cas_extent.count; i++) {
		const struct link_ca *ca = &l->cas[i];
		struct link_name *name = &l->names[ca->subject];

		if (ca->is_on_disk &&
			(name->best_ca == NONE || l->cas[name->best_ca].not_after < ca->not_after))
			name->best_ca = i;
	}
}

/* ---- groups ----------------------------------------------------------------------------------- */

struct group_key {
	uint32_t issuer;
	uint32_t own;
};

static bool is_group(const void *items, uint32_t at, const void *key)
{
	const struct link_group *g = &((const struct link_group *)items)[at];
	const struct group_key *k = key;

	return g->issuer == k->issuer && g->own == k->own;
}

static enum err find_group(struct links *l, struct link_client *c)
{
	const struct group_key key = { c->issuer, c->own };
	uint64_t hash = index_hash(&key, sizeof(key));
	struct link_group *more;

	if (index_find(&l->groups_index, hash, is_group, l->groups, &key, &c->group))
		return ERR_OK;
	more = links_grown(l->groups, &l->groups_extent, sizeof(*more));
	if (!more)
		return ERR_MEMORY;
	l->groups = more;
	c->group = l->groups_extent.count++;
	more[c->group] = (struct link_group){ .issuer = c->issuer, .own = c->own };
	return index_add(&l->groups_index, hash, c->group);
}

/* Valid ones first, then by time left, then always the same. */
static int by_use(const void *a, const void *b, void *arg)
{
	const struct links *l = arg;
	const struct link_client *x = &l->clients[((const struct pair *)a)->value];
	const struct link_client *y = &l->clients[((const struct pair *)b)->value];

	if (x->is_valid != y->is_valid)
		return x->is_valid ? -1 : 1;
	if (x->not_after != y->not_after)
		return x->not_after > y->not_after ? -1 : 1;
	return memcmp(x->fingerprint, y->fingerprint, FINGERPRINT_BYTES);
}

static enum err group_clients(struct links *l, int64_t now)
{
	struct pairs pairs = { 0 };
	enum err e = ERR_OK;

	for (uint32_t i = 0; e == ERR_OK && i < l->clients_extent.count; i++) {
		struct link_client *c = &l->clients[i];

		c->is_valid = !c->is_broken && c->not_after != TIME_UNKNOWN &&
			      c->not_before <= now && now <= c->not_after;
		e = find_group(l, c);
		if (e == ERR_OK)
			e = add_pair(l, &pairs, c->group, i);
	}
	if (e == ERR_OK && pairs.extent.count)
		qsort_r(pairs.items, pairs.extent.count, sizeof(*pairs.items), by_use, l);
	if (e == ERR_OK)
		e = spread(&pairs, l->groups ? &l->groups[0].clients : NULL, sizeof(*l->groups),
			l->groups_extent.count, &l->by_group);
	free(pairs.items);
	return e;
}

/* ---- names of chains -------------------------------------------------------------------------- */

struct climb {
	uint32_t names[LINKS_CHAIN_NAMES_MAX];
	uint32_t count;
};

static void reach(struct climb *c, struct marks *m, uint32_t name)
{
	if (name != NONE && c->count < LINKS_CHAIN_NAMES_MAX && is_new(m, name))
		c->names[c->count++] = name;
}

/* Every name in the chains of a group: its issuer, the issuers of that CA's certificates, and on. */
static void climb(
	const struct links *l, const struct link_group *g, struct marks *m, struct climb *out)
{
	out->count = 0;
	m->round++;
	reach(out, m, g->own);
	reach(out, m, g->issuer);
	for (uint32_t i = 0; i < out->count; i++)
		for (uint32_t ca = l->names[out->names[i]].first_ca; ca != NONE;
			ca = l->cas[ca].next_of_name)
			reach(out, m, l->cas[ca].issuer);
}

static enum err name_groups(struct links *l)
{
	struct pairs pairs = { 0 };
	struct marks marks = { 0 };
	struct climb chain;
	enum err e = marks_init(&marks, l->names_extent.count);

	for (uint32_t g = 0; e == ERR_OK && g < l->groups_extent.count; g++) {
		climb(l, &l->groups[g], &marks, &chain);
		for (uint32_t i = 0; e == ERR_OK && i < chain.count; i++)
			if (l->names[chain.names[i]].is_listed)
				e = add_pair(l, &pairs, chain.names[i], g);
	}
	if (e == ERR_OK)
		e = spread(&pairs, l->names ? &l->names[0].groups : NULL, sizeof(*l->names),
			l->names_extent.count, &l->name_groups);
	free(marks.rounds);
	free(pairs.items);
	return e;
}

/* ---- lists ------------------------------------------------------------------------------------ */

static void note_best(const struct links *l, struct link_list *list, uint32_t client)
{
	int64_t not_after = l->clients[client].not_after;

	if (list->best == NONE || l->clients[list->best].not_after < not_after) {
		list->second = list->best;
		list->best = client;
	} else if (list->second == NONE || l->clients[list->second].not_after < not_after) {
		list->second = client;
	}
}

static void count_group(const struct links *l, struct link_list *list, const struct link_group *g)
{
	list->clients_count += g->clients.count;
	for (uint32_t i = 0; i < g->clients.count; i++) {
		uint32_t client = l->by_group[g->clients.from + i];

		if (!l->clients[client].is_valid)
			break;
		list->valid_count++;
		/* They come in order: the third is none of the best two. */
		if (i < 2)
			note_best(l, list, client);
	}
}

static enum err match_list(struct links *l, uint32_t at, struct marks *m, struct pairs *pairs)
{
	struct link_list *list = &l->lists[at];
	enum err e = ERR_OK;

	m->round++;
	for (uint32_t i = 0; i < list->names.count; i++) {
		const struct span *groups = &l->names[l->list_names[list->names.from + i]].groups;

		for (uint32_t k = 0; e == ERR_OK && k < groups->count; k++) {
			uint32_t g = l->name_groups[groups->from + k];

			if (!is_new(m, g))
				continue;
			count_group(l, list, &l->groups[g]);
			e = add_pair(l, pairs, at, g);
		}
	}
	return e;
}

static enum err match_lists(struct links *l)
{
	struct pairs pairs = { 0 };
	struct marks marks = { 0 };
	enum err e = marks_init(&marks, l->groups_extent.count);

	for (uint32_t i = 0; e == ERR_OK && i < l->lists_extent.count; i++)
		e = match_list(l, i, &marks, &pairs);
	if (e == ERR_OK)
		e = spread(&pairs, l->lists ? &l->lists[0].groups : NULL, sizeof(*l->lists),
			l->lists_extent.count, &l->list_groups);
	for (uint32_t i = 0; i < pairs.extent.count; i++)
		pairs.items[i] = (struct pair){ pairs.items[i].value, pairs.items[i].key };
	if (e == ERR_OK)
		e = spread(&pairs, l->groups ? &l->groups[0].lists : NULL, sizeof(*l->groups),
			l->groups_extent.count, &l->group_lists);
	free(marks.rounds);
	free(pairs.items);
	return e;
}

static enum err place_endpoints(struct links *l)
{
	struct pairs pairs = { 0 };
	enum err e = ERR_OK;

	for (uint32_t i = 0; e == ERR_OK && i < l->endpoints_extent.count; i++)
		if (l->endpoints[i].list != NONE)
			e = add_pair(l, &pairs, l->endpoints[i].list, i);
	if (e == ERR_OK)
		e = spread(&pairs, l->lists ? &l->lists[0].endpoints : NULL, sizeof(*l->lists),
			l->lists_extent.count, &l->by_list);
	free(pairs.items);
	return e;
}

static bool is_client_of(const void *items, uint32_t at, const void *key)
{
	return memcmp(((const struct link_client *)items)[at].fingerprint, key,
		       FINGERPRINT_BYTES) == 0;
}

static void mark_presented(struct links *l)
{
	for (uint32_t i = 0; i < l->proven_extent.count; i++) {
		const uint8_t *fingerprint = l->endpoints[l->proven[i]].accepted;
		uint64_t hash;
		uint32_t at;

		memcpy(&hash, fingerprint, sizeof(hash));
		if (index_find(&l->clients_index, hash, is_client_of, l->clients, fingerprint, &at))
			l->clients[at].is_presented = true;
	}
}

enum err links_settle(struct links *l, int64_t now)
{
	enum err e;

	choose_cas(l);
	mark_presented(l);
	e = group_clients(l, now);
	if (e == ERR_OK)
		e = name_groups(l);
	if (e == ERR_OK)
		e = match_lists(l);
	return e == ERR_OK ? place_endpoints(l) : e;
}
