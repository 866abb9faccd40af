/* Links: taking in what was seen. */
#include "agent/links_internal.h"

#include "agent/base/log.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_ITEMS 64

#define USAGE_CLIENT "clientAuth"
#define USAGE_ANY "anyExtendedKeyUsage"

/* ---- life ------------------------------------------------------------------------------------- */

enum err links_new(struct links **out)
{
	*out = calloc(1, sizeof(**out));
	return *out ? ERR_OK : ERR_MEMORY;
}

void links_free(struct links *l)
{
	if (!l)
		return;
	for (uint32_t i = 0; i < l->texts_extent.count; i++)
		free(l->texts[i].text);
	for (uint32_t i = 0; i < l->clients_extent.count; i++)
		free(l->clients[i].name);
	for (uint32_t i = 0; i < l->endpoints_extent.count; i++)
		free(l->endpoints[i].uri);
	free(l->texts);
	free(l->names);
	free(l->cas);
	free(l->clients);
	free(l->groups);
	free(l->lists);
	free(l->endpoints);
	free(l->list_names);
	free(l->name_groups);
	free(l->list_groups);
	free(l->group_lists);
	free(l->by_group);
	free(l->by_list);
	free(l->scratch);
	free(l->proven);
	strings_fini(&l->named);
	index_fini(&l->named_index);
	index_fini(&l->texts_index);
	index_fini(&l->names_index);
	index_fini(&l->cas_index);
	index_fini(&l->clients_index);
	index_fini(&l->groups_index);
	index_fini(&l->lists_index);
	index_fini(&l->endpoints_index);
	free(l);
}

void *links_grown(void *items, struct extent *e, size_t size)
{
	uint32_t capacity = e->capacity ? e->capacity * 2 : FIRST_ITEMS;
	void *more;

	if (e->count < e->capacity)
		return items;
	more = reallocarray(items, capacity, size);
	if (more)
		e->capacity = capacity;
	return more;
}

/* Is there no room for one more? Said once. */
static bool is_full(struct links *l, size_t count, size_t max)
{
	if (count < max)
		return false;
	if (!l->is_cut)
		log_warn("too many certificates or endpoints to tie together: some are left out");
	l->is_cut = true;
	return true;
}

/* ---- names ------------------------------------------------------------------------------------ */

static bool is_text(const void *items, uint32_t at, const void *key)
{
	return strcmp(((const struct link_text *)items)[at].text, key) == 0;
}

static bool is_name(const void *items, uint32_t at, const void *key)
{
	return memcmp(&((const struct link_name *)items)[at].key, key, sizeof(struct name_key)) ==
	       0;
}

/* The name that the text says, new or known. */
static enum err find_name(struct links *l, const char *text, uint32_t *out)
{
	struct name_key key;
	struct link_name *more;
	uint64_t hash;
	enum err e = name_key_of(text, &key);

	if (e != ERR_OK)
		return e;
	memcpy(&hash, key.bytes, sizeof(hash));
	if (index_find(&l->names_index, hash, is_name, l->names, &key, out))
		return ERR_OK;
	more = links_grown(l->names, &l->names_extent, sizeof(*more));
	if (!more)
		return ERR_MEMORY;
	l->names = more;
	*out = l->names_extent.count;
	more[*out] = (struct link_name){
		.key = key, .text = l->texts_extent.count, .first_ca = NONE, .best_ca = NONE
	};
	e = index_add(&l->names_index, hash, *out);
	if (e == ERR_OK)
		l->names_extent.count++;
	return e;
}

/* The same, but a text seen before costs no folding. ERR_NOT_FOUND for the empty name, and for a new one
 * beyond the ceiling. */
static enum err name_of(struct links *l, const char *text, uint32_t *out)
{
	uint64_t hash = index_hash(text, strlen(text));
	struct link_text entry;
	struct link_text *more;
	uint32_t at;
	enum err e;

	if (index_find(&l->texts_index, hash, is_text, l->texts, text, &at)) {
		*out = l->texts[at].name;
		return ERR_OK;
	}
	if (is_full(l, l->texts_extent.count, LINKS_ITEMS_MAX))
		return ERR_NOT_FOUND;
	e = find_name(l, text, &entry.name);
	if (e != ERR_OK)
		return e;
	more = links_grown(l->texts, &l->texts_extent, sizeof(*more));
	if (!more)
		return ERR_MEMORY;
	l->texts = more;
	entry.text = strdup(text);
	if (!entry.text)
		return ERR_MEMORY;
	more[l->texts_extent.count++] = entry;
	*out = entry.name;
	return index_add(&l->texts_index, hash, l->texts_extent.count - 1);
}

/* NONE for a name that is none. */
static enum err name_or_none(struct links *l, const char *text, uint32_t *out)
{
	enum err e = name_of(l, text ? text : "", out);

	if (e != ERR_NOT_FOUND)
		return e;
	*out = NONE;
	return ERR_OK;
}

/* ---- what configurations name ----------------------------------------------------------------- */

static bool is_named_text(const void *items, uint32_t at, const void *key)
{
	const struct slice *text = key;
	const char *item = ((char *const *)items)[at];

	return strlen(item) == text->size && memcmp(item, text->data, text->size) == 0;
}

static bool is_named_file(const struct links *l, struct slice uri)
{
	uint32_t at;

	return index_find(&l->named_index, index_hash(uri.data, uri.size), is_named_text,
		l->named.items, &uri, &at);
}

/* A folder is kept with its last slash. */
static enum err add_reference(struct links *l, const struct reference_record *r)
{
	struct slice uri;
	char *text = NULL;
	enum err e;

	if (r->role != REFERENCE_CLIENT_CERTIFICATE || !r->file ||
		is_full(l, l->named.count, LINKS_ITEMS_MAX))
		return ERR_OK;
	if (asprintf(&text, "%s%s", r->file, r->is_folder ? "/" : "") < 0)
		return ERR_MEMORY;
	uri = slice_text(text);
	if (is_named_file(l, uri)) {
		free(text);
		return ERR_OK;
	}
	e = index_add(&l->named_index, index_hash(uri.data, uri.size), (uint32_t)l->named.count);
	if (e == ERR_OK)
		return strings_take(&l->named, text);
	free(text);
	return e;
}

bool links_names(const struct links *l, const char *uri)
{
	const char *member;
	size_t size;
	size_t folder;

	if (!l->named.count)
		return false;
	member = strstr(uri, "!/");
	size = member ? (size_t)(member - uri) : strlen(uri);
	if (is_named_file(l, slice_of(uri, size)))
		return true;
	for (folder = size; folder && uri[folder - 1] != '/'; folder--)
		;
	return folder && is_named_file(l, slice_of(uri, folder));
}

/* ---- certificates ----------------------------------------------------------------------------- */

static bool is_ca_of(const void *items, uint32_t at, const void *key)
{
	return memcmp(((const struct link_ca *)items)[at].fingerprint, key, FINGERPRINT_BYTES) == 0;
}

static bool is_client_of(const void *items, uint32_t at, const void *key)
{
	return memcmp(((const struct link_client *)items)[at].fingerprint, key,
		       FINGERPRINT_BYTES) == 0;
}

static uint64_t hash_of_fingerprint(const uint8_t *fingerprint)
{
	uint64_t hash;

	memcpy(&hash, fingerprint, sizeof(hash));
	return hash;
}

static enum err add_ca(struct links *l, const struct certificate_record *r)
{
	const struct certificate *c = &r->facts;
	uint64_t hash = hash_of_fingerprint(c->fingerprint);
	struct link_ca ca = {
		.next_of_name = NONE, .not_after = c->not_after, .is_on_disk = !r->is_served
	};
	struct link_ca *more;
	uint32_t at;
	enum err e;

	if (index_find(&l->cas_index, hash, is_ca_of, l->cas, c->fingerprint, &at)) {
		l->cas[at].is_on_disk |= !r->is_served;
		return ERR_OK;
	}
	if (is_full(l, l->cas_extent.count, LINKS_ITEMS_MAX))
		return ERR_OK;
	e = name_or_none(l, c->subject, &ca.subject);
	if (e == ERR_OK)
		e = name_or_none(l, c->issuer, &ca.issuer);
	/* Without a name nobody can name it. */
	if (e != ERR_OK || ca.subject == NONE)
		return e;
	more = links_grown(l->cas, &l->cas_extent, sizeof(*more));
	if (!more)
		return ERR_MEMORY;
	l->cas = more;
	memcpy(ca.fingerprint, c->fingerprint, FINGERPRINT_BYTES);
	at = l->cas_extent.count++;
	ca.next_of_name = l->names[ca.subject].first_ca;
	l->names[ca.subject].first_ca = at;
	more[at] = ca;
	return index_add(&l->cas_index, hash, at);
}

/* No extended key usage forbids nothing (RFC 5280 4.2.1.12). */
static bool may_be_client(const struct certificate *c)
{
	return !c->extended_key_usage.count ||
	       strings_contain(&c->extended_key_usage, USAGE_CLIENT) ||
	       strings_contain(&c->extended_key_usage, USAGE_ANY);
}

static const uint32_t breaks_any = 0
#define PROBLEM(name, word, served, any, meaning) | ((any) ? PROBLEM_BIT(name) : 0)
#include "agent/certificate/words.def"
#undef PROBLEM
	;

static const char *short_name(const struct certificate *c)
{
	const char *colon;

	if (c->subject_cn && *c->subject_cn)
		return c->subject_cn;
	if (!c->names.count)
		return *c->subject ? c->subject : "(empty subject)";
	colon = strchr(c->names.items[0], ':');
	return colon ? colon + 1 : c->names.items[0];
}

static enum err add_client(struct links *l, const struct certificate_record *r, bool is_named)
{
	const struct certificate *c = &r->facts;
	uint64_t hash = hash_of_fingerprint(c->fingerprint);
	struct link_client client = { .own = NONE,
		.not_before = c->not_before,
		.not_after = c->not_after,
		.is_broken = (r->verdict.problems & breaks_any) != 0,
		.is_named = is_named,
		.group = NONE };
	struct link_client *more;
	uint32_t at;
	enum err e;

	if (index_find(&l->clients_index, hash, is_client_of, l->clients, c->fingerprint, &at)) {
		l->clients[at].is_named |= is_named;
		return ERR_OK;
	}
	if (is_full(l, l->clients_extent.count, LINKS_ITEMS_MAX))
		return ERR_OK;
	e = name_or_none(l, c->issuer, &client.issuer);
	if (e == ERR_OK && c->is_self_issued)
		e = name_or_none(l, c->subject, &client.own);
	if (e != ERR_OK)
		return e;
	more = links_grown(l->clients, &l->clients_extent, sizeof(*more));
	if (!more)
		return ERR_MEMORY;
	l->clients = more;
	memcpy(client.fingerprint, c->fingerprint, FINGERPRINT_BYTES);
	client.name = strdup(short_name(c));
	if (!client.name)
		return ERR_MEMORY;
	at = l->clients_extent.count++;
	more[at] = client;
	return index_add(&l->clients_index, hash, at);
}

static enum err add_certificate(struct links *l, const struct record *r)
{
	bool is_named;

	if (r->certificate.facts.is_ca)
		return add_ca(l, &r->certificate);
	/* What others serve is not this host's to present. */
	if (r->certificate.is_served)
		return ERR_OK;
	/* A job that presents it tells of it as its own: what a configuration names may be a client's. */
	is_named = links_names(l, r->location.uri) ||
		   (r->location.scanner && strcmp(r->location.scanner, "endpoints") == 0);
	if (!is_named && !may_be_client(&r->certificate.facts))
		return ERR_OK;
	return add_client(l, &r->certificate, is_named);
}

/* ---- endpoints -------------------------------------------------------------------------------- */

static int by_number(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a;
	uint32_t y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

/* The list's names into the scratch, sorted, each once. */
static enum err read_list(struct links *l, const struct strings *names)
{
	uint32_t kept = 0;

	l->scratch_extent.count = 0;
	for (size_t i = 0; i < names->count; i++) {
		uint32_t *more = links_grown(l->scratch, &l->scratch_extent, sizeof(*l->scratch));
		uint32_t name;
		enum err e;

		if (!more)
			return ERR_MEMORY;
		l->scratch = more;
		e = name_or_none(l, names->items[i], &name);
		if (e != ERR_OK)
			return e;
		if (name != NONE)
			more[l->scratch_extent.count++] = name;
	}
	if (!l->scratch_extent.count)
		return ERR_OK;
	qsort(l->scratch, l->scratch_extent.count, sizeof(*l->scratch), by_number);
	for (uint32_t i = 0; i < l->scratch_extent.count; i++)
		if (!kept || l->scratch[kept - 1] != l->scratch[i])
			l->scratch[kept++] = l->scratch[i];
	l->scratch_extent.count = kept;
	return ERR_OK;
}

static bool is_list(const void *items, uint32_t at, const void *key)
{
	const struct links *l = key;
	const struct link_list *list = &((const struct link_list *)items)[at];

	return list->names.count == l->scratch_extent.count &&
	       memcmp(&l->list_names[list->names.from], l->scratch,
		       list->names.count * sizeof(*l->scratch)) == 0;
}

static enum err keep_names(struct links *l)
{
	for (uint32_t i = 0; i < l->scratch_extent.count; i++) {
		uint32_t *more = links_grown(l->list_names, &l->list_names_extent, sizeof(*more));

		if (!more)
			return ERR_MEMORY;
		l->list_names = more;
		more[l->list_names_extent.count++] = l->scratch[i];
		l->names[l->scratch[i]].is_listed = true;
	}
	return ERR_OK;
}

/* The list in the scratch, new or known; NONE for one too many. */
static enum err find_list(struct links *l, uint32_t *out)
{
	uint64_t hash = index_hash(l->scratch, l->scratch_extent.count * sizeof(*l->scratch));
	struct link_list list = { .names = { l->list_names_extent.count, l->scratch_extent.count },
		.best = NONE,
		.second = NONE };
	struct link_list *more;
	enum err e;

	if (index_find(&l->lists_index, hash, is_list, l->lists, l, out))
		return ERR_OK;
	*out = NONE;
	if (is_full(l, l->list_names_extent.count, LINKS_PAIRS_MAX))
		return ERR_OK;
	more = links_grown(l->lists, &l->lists_extent, sizeof(*more));
	if (!more)
		return ERR_MEMORY;
	l->lists = more;
	e = keep_names(l);
	if (e != ERR_OK)
		return e;
	*out = l->lists_extent.count++;
	more[*out] = list;
	return index_add(&l->lists_index, hash, *out);
}

static bool is_endpoint(const void *items, uint32_t at, const void *key)
{
	const struct link_endpoint *e = &((const struct link_endpoint *)items)[at];
	const struct location *location = key;

	return e->index == location->index && strcmp(e->uri, location->uri) == 0;
}

static enum err add_endpoint(struct links *l, const struct sighting *s)
{
	const struct endpoint_record *r = &s->record->endpoint;
	const struct location *at = &s->record->location;
	enum client_certificate mode = mtls_mode(s->mtls, r);
	const struct strings *names = mtls_list(s->mtls, r);
	struct link_endpoint endpoint = { .index = at->index,
		.list = NONE,
		.has_accepted =
			r->presented.is_given && r->presented.accepted == ACCEPTANCE_ACCEPTED };
	uint64_t hash = index_hash(at->uri, strlen(at->uri));
	struct link_endpoint *more;
	uint32_t known;
	enum err e;

	if (mode == CLIENT_CERTIFICATE_NONE ||
		(mode == CLIENT_CERTIFICATE_UNKNOWN && !names->count) ||
		index_find(&l->endpoints_index, hash, is_endpoint, l->endpoints, at, &known) ||
		is_full(l, l->endpoints_extent.count, LINKS_ITEMS_MAX))
		return ERR_OK;
	e = read_list(l, names);
	if (e == ERR_OK && l->scratch_extent.count)
		e = find_list(l, &endpoint.list);
	if (e != ERR_OK)
		return e;
	more = links_grown(l->endpoints, &l->endpoints_extent, sizeof(*more));
	if (!more)
		return ERR_MEMORY;
	l->endpoints = more;
	endpoint.uri = strdup(at->uri);
	if (!endpoint.uri)
		return ERR_MEMORY;
	memcpy(endpoint.accepted, r->presented.fingerprint, FINGERPRINT_BYTES);
	l->open_count += endpoint.list == NONE && !endpoint.has_accepted;
	more[l->endpoints_extent.count++] = endpoint;
	if (endpoint.has_accepted) {
		uint32_t *proven = links_grown(l->proven, &l->proven_extent, sizeof(*proven));

		if (!proven)
			return ERR_MEMORY;
		l->proven = proven;
		proven[l->proven_extent.count++] = l->endpoints_extent.count - 1;
	}
	return index_add(&l->endpoints_index, hash, l->endpoints_extent.count - 1);
}

enum err links_add(struct links *l, const struct sighting *s)
{
	if (s->gone_at != TIME_UNKNOWN)
		return ERR_OK;
	if (s->record->kind == RECORD_REFERENCE)
		return add_reference(l, &s->record->reference);
	if (s->record->kind == RECORD_CERTIFICATE)
		return add_certificate(l, s->record);
	return s->record->kind == RECORD_ENDPOINT ? add_endpoint(l, s) : ERR_OK;
}

/* ---- over an inventory ------------------------------------------------------------------------ */

static enum err on_sighting(void *arg, const struct sighting *s)
{
	return links_add(arg, s);
}

enum err links_of_inventory(struct inventory *i, int64_t now, struct links **out, struct why *why)
{
	static const enum record_kind kinds[] = { RECORD_REFERENCE, RECORD_CERTIFICATE,
		RECORD_ENDPOINT };
	struct links *l = NULL;
	enum err e = links_new(&l);

	for (size_t k = 0; e == ERR_OK && k < sizeof(kinds) / sizeof(kinds[0]); k++) {
		const struct inventory_filter filter = { .kind = (int)kinds[k] };

		e = inventory_each(i, &filter, on_sighting, l, why);
	}
	if (e == ERR_OK)
		e = links_settle(l, now);
	if (e != ERR_OK) {
		links_free(l);
		return e;
	}
	*out = l;
	return ERR_OK;
}
