/* Links: facts of one certificate or one endpoint. */
#include "agent/links_internal.h"

#include <stdlib.h>
#include <string.h>

static bool has_client(const void *items, uint32_t at, const void *key)
{
	return memcmp(((const struct link_client *)items)[at].fingerprint, key,
		       FINGERPRINT_BYTES) == 0;
}

static bool has_ca(const void *items, uint32_t at, const void *key)
{
	return memcmp(((const struct link_ca *)items)[at].fingerprint, key, FINGERPRINT_BYTES) == 0;
}

static uint64_t hash_of_fingerprint(const uint8_t *fingerprint)
{
	uint64_t hash;

	memcpy(&hash, fingerprint, sizeof(hash));
	return hash;
}

/* Adds the endpoints of a list, as far as there is room. */
static enum err add_endpoints(
	const struct links *l, const struct link_list *list, struct strings *to, uint64_t *count)
{
	enum err e = ERR_OK;

	*count += list->endpoints.count;
	for (uint32_t i = 0;
		e == ERR_OK && i < list->endpoints.count && to->count < LINKS_SHOWN_MAX; i++)
		e = strings_add(to, l->endpoints[l->by_list[list->endpoints.from + i]].uri);
	return e;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void sort(struct strings *s)
{
	if (s->count)
		qsort(s->items, s->count, sizeof(*s->items), by_text);
}

/* ---- client certificates ---------------------------------------------------------------------- */

/* Does this list name a CA of these clients? */
static bool is_list_of(const struct links *l, const struct link_group *g, uint32_t list)
{
	for (uint32_t i = 0; i < g->lists.count; i++)
		if (l->group_lists[g->lists.from + i] == list)
			return true;
	return false;
}

/* Endpoints that took it when it was presented to them, whatever CAs they name. */
static enum err add_proven(
	const struct links *l, const struct link_client *c, struct certificate_links *out)
{
	enum err e = ERR_OK;

	for (uint32_t i = 0; e == ERR_OK && i < l->proven_extent.count; i++) {
		const struct link_endpoint *end = &l->endpoints[l->proven[i]];

		if (memcmp(end->accepted, c->fingerprint, FINGERPRINT_BYTES) != 0 ||
			(end->list != NONE && is_list_of(l, &l->groups[c->group], end->list)))
			continue;
		out->accepted_by_count++;
		if (out->accepted_by.count < LINKS_SHOWN_MAX)
			e = strings_add(&out->accepted_by, end->uri);
	}
	return e;
}

static enum err client_facts(const struct links *l, uint32_t at, struct certificate_links *out)
{
	const struct link_client *c = &l->clients[at];
	const struct span *lists = &l->groups[c->group].lists;
	uint32_t other = NONE;
	enum err e = ERR_OK;

	out->is_client = true;
	out->is_named = c->is_named;
	out->open_count = l->open_count;
	for (uint32_t i = 0; e == ERR_OK && i < lists->count; i++) {
		const struct link_list *list = &l->lists[l->group_lists[lists->from + i]];
		uint32_t best = list->best != at ? list->best : list->second;

		/* One that ends no later is no help. */
		if (best != NONE && l->clients[best].not_after > c->not_after) {
			out->stand_ins_count += list->endpoints.count;
			if (other == NONE ||
				l->clients[other].not_after < l->clients[best].not_after)
				other = best;
		}
		e = add_endpoints(l, list, &out->accepted_by, &out->accepted_by_count);
	}
	if (e == ERR_OK && c->is_presented)
		e = add_proven(l, c, out);
	if (e == ERR_OK && other != NONE) {
		out->stand_in = strdup(l->clients[other].name);
		e = out->stand_in ? ERR_OK : ERR_MEMORY;
	}
	sort(&out->accepted_by);
	return e;
}

/* ---- CAs -------------------------------------------------------------------------------------- */

static bool names(const struct links *l, const struct link_list *list, uint32_t name)
{
	uint32_t low = list->names.from;
	uint32_t high = list->names.from + list->names.count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (l->list_names[middle] == name)
			return true;
		if (l->list_names[middle] < name)
			low = middle + 1;
		else
			high = middle;
	}
	return false;
}

static enum err ca_facts(const struct links *l, uint32_t at, struct certificate_links *out)
{
	const struct link_ca *ca = &l->cas[at];
	const struct link_name *name = &l->names[ca->subject];
	enum err e = ERR_OK;

	out->is_ca = true;
	out->is_outlasted = name->best_ca != NONE && name->best_ca != at &&
			    l->cas[name->best_ca].not_after > ca->not_after;
	if (!name->is_listed)
		return ERR_OK;
	for (uint32_t i = 0; e == ERR_OK && i < l->lists_extent.count; i++)
		if (names(l, &l->lists[i], ca->subject))
			e = add_endpoints(
				l, &l->lists[i], &out->trusted_by, &out->trusted_by_count);
	sort(&out->trusted_by);
	return e;
}

/* Names from here up, as in the chain of a certificate of that issuer. */
struct above {
	uint32_t names[LINKS_CHAIN_NAMES_MAX];
	uint32_t count;
};

static void reach(struct above *a, uint32_t name)
{
	for (uint32_t i = 0; i < a->count; i++)
		if (a->names[i] == name)
			return;
	if (name != NONE && a->count < LINKS_CHAIN_NAMES_MAX)
		a->names[a->count++] = name;
}

static bool has_name(const void *items, uint32_t at, const void *key)
{
	return memcmp(&((const struct link_name *)items)[at].key, key, sizeof(struct name_key)) ==
	       0;
}

enum err links_issuer(const struct links *l, const char *issuer, struct certificate_links *out)
{
	struct certificate_links facts = { .is_client = true };
	struct above above = { .count = 0 };
	struct name_key key;
	uint64_t hash;
	uint32_t name;
	enum err e = name_key_of(issuer, &key);

	*out = (struct certificate_links){ 0 };
	if (e != ERR_OK)
		return e == ERR_NOT_FOUND ? ERR_OK : e;
	memcpy(&hash, key.bytes, sizeof(hash));
	if (!index_find(&l->names_index, hash, has_name, l->names, &key, &name))
		return ERR_OK;
	reach(&above, name);
	for (uint32_t i = 0; i < above.count; i++)
		for (uint32_t ca = l->names[above.names[i]].first_ca; ca != NONE;
			ca = l->cas[ca].next_of_name)
			reach(&above, l->cas[ca].issuer);
	for (uint32_t i = 0; e == ERR_OK && i < l->lists_extent.count; i++)
		for (uint32_t k = 0; e == ERR_OK && k < above.count; k++) {
			if (!names(l, &l->lists[i], above.names[k]))
				continue;
			e = add_endpoints(
				l, &l->lists[i], &facts.accepted_by, &facts.accepted_by_count);
			break;
		}
	if (e == ERR_OK)
		*out = facts;
	else
		certificate_links_fini(&facts);
	return e;
}

enum err links_certificate(const struct links *l, const uint8_t fingerprint[FINGERPRINT_BYTES],
	struct certificate_links *out)
{
	uint64_t hash = hash_of_fingerprint(fingerprint);
	struct certificate_links facts = { 0 };
	uint32_t at;
	enum err e = ERR_OK;

	if (index_find(&l->clients_index, hash, has_client, l->clients, fingerprint, &at))
		e = client_facts(l, at, &facts);
	if (e == ERR_OK && index_find(&l->cas_index, hash, has_ca, l->cas, fingerprint, &at))
		e = ca_facts(l, at, &facts);
	if (e != ERR_OK) {
		certificate_links_fini(&facts);
		return e;
	}
	*out = facts;
	return ERR_OK;
}

/* ---- endpoints -------------------------------------------------------------------------------- */

static enum err add_client(const struct links *l, uint32_t client, struct endpoint_links *out)
{
	uint8_t(*more)[FINGERPRINT_BYTES] =
		reallocarray(out->accepts.items, out->accepts.count + 1, sizeof(*more));

	if (!more)
		return ERR_MEMORY;
	out->accepts.items = more;
	memcpy(more[out->accepts.count], l->clients[client].fingerprint, FINGERPRINT_BYTES);
	out->accepts.count++;
	return strings_add(&out->accepts_names, l->clients[client].name);
}

/* The valid ones of all groups, then the others. */
static enum err add_clients(const struct links *l, const struct link_list *list, bool is_valid,
	struct endpoint_links *out)
{
	enum err e = ERR_OK;

	for (uint32_t i = 0; i < list->groups.count; i++) {
		const struct span *clients =
			&l->groups[l->list_groups[list->groups.from + i]].clients;

		for (uint32_t k = 0;
			e == ERR_OK && k < clients->count && out->accepts.count < LINKS_SHOWN_MAX;
			k++) {
			uint32_t client = l->by_group[clients->from + k];

			if (l->clients[client].is_valid == is_valid)
				e = add_client(l, client, out);
		}
	}
	return e;
}

static int by_end(const void *a, const void *b)
{
	const struct client_ca *x = a;
	const struct client_ca *y = b;

	if (x->not_after != y->not_after)
		return x->not_after < y->not_after ? -1 : 1;
	return memcmp(x->fingerprint, y->fingerprint, FINGERPRINT_BYTES);
}

static enum err add_cas(
	const struct links *l, const struct link_list *list, struct endpoint_links *out)
{
	size_t kept;

	out->cas = calloc((size_t)list->names.count + 1, sizeof(*out->cas));
	if (!out->cas)
		return ERR_MEMORY;
	for (uint32_t i = 0; i < list->names.count; i++) {
		const struct link_name *name = &l->names[l->list_names[list->names.from + i]];
		const struct link_ca *ca = name->best_ca != NONE ? &l->cas[name->best_ca] : NULL;
		struct client_ca *to = &out->cas[out->cas_count];

		if (!ca || ca->not_after == TIME_UNKNOWN)
			continue;
		to->not_after = ca->not_after;
		memcpy(to->fingerprint, ca->fingerprint, FINGERPRINT_BYTES);
		to->subject = strdup(l->texts[name->text].text);
		if (!to->subject)
			return ERR_MEMORY;
		out->cas_count++;
	}
	qsort(out->cas, out->cas_count, sizeof(*out->cas), by_end);
	out->cas_found = out->cas_count;
	out->cas_named = list->names.count;
	for (kept = out->cas_count; kept > LINKS_SHOWN_MAX; kept--)
		free(out->cas[kept - 1].subject);
	out->cas_count = kept;
	return ERR_OK;
}

static bool has_endpoint(const void *items, uint32_t at, const void *key)
{
	const struct link_endpoint *e = &((const struct link_endpoint *)items)[at];
	const struct location *location = key;

	return e->index == location->index && strcmp(e->uri, location->uri) == 0;
}

/* The one that it took, where its list does not say so anyway. That it was taken counts for valid: the
 * server knows best. */
static enum err accepted_facts(
	const struct links *l, const struct link_endpoint *end, struct endpoint_links *out)
{
	uint32_t at;

	if (!end->has_accepted)
		return ERR_OK;
	if (!index_find(&l->clients_index, hash_of_fingerprint(end->accepted), has_client,
		    l->clients, end->accepted, &at)) {
		/* Too many certificates to know them all; but there is one. */
		out->accepts_count++;
		out->valid_count++;
		return ERR_OK;
	}
	if (end->list != NONE && is_list_of(l, &l->groups[l->clients[at].group], end->list)) {
		/* Counted with its group, as valid if its dates are. */
		out->valid_count += !l->clients[at].is_valid;
		return ERR_OK;
	}
	out->accepts_count++;
	out->valid_count++;
	return add_client(l, at, out);
}

enum err links_endpoint(
	const struct links *l, const struct location *at, struct endpoint_links *out)
{
	struct endpoint_links facts = { .asks = true };
	const struct link_list *list;
	uint32_t found;
	enum err e;

	if (!index_find(&l->endpoints_index, index_hash(at->uri, strlen(at->uri)), has_endpoint,
		    l->endpoints, at, &found))
		return ERR_OK;
	e = accepted_facts(l, &l->endpoints[found], &facts);
	facts.is_open = l->endpoints[found].list == NONE && !l->endpoints[found].has_accepted;
	list = l->endpoints[found].list == NONE ? NULL : &l->lists[l->endpoints[found].list];
	if (list) {
		facts.accepts_count += list->clients_count;
		facts.valid_count += list->valid_count;
	}
	if (e == ERR_OK && list)
		e = add_clients(l, list, true, &facts);
	if (e == ERR_OK && list)
		e = add_clients(l, list, false, &facts);
	if (e == ERR_OK && list)
		e = add_cas(l, list, &facts);
	if (e != ERR_OK) {
		endpoint_links_fini(&facts);
		return e;
	}
	*out = facts;
	return ERR_OK;
}
