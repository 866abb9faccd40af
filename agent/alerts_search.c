/* What is wrong now: one sweep over the inventory's sightings, each shown to every kind of alert. */
#include "agent/alerts_search.h"

#include "agent/base/index.h"
#include "agent/certificate/certificate.h"
#include "scanners/formats/format.h"
#include "scanners/revocation/revocation.h"

#include <stdlib.h>
#include <string.h>

#define IDENTITY_INPUT_BYTES_MAX (4 * RECORD_TEXT_BYTES_MAX)
#define FIRST_SLOTS 64

const uint32_t alerts_break_served = 0
#define PROBLEM(name, word, served, any, meaning) | ((served) || (any) ? PROBLEM_BIT(name) : 0)
#include "agent/certificate/words.def"
#undef PROBLEM
	;

const uint32_t alerts_break_any = 0
#define PROBLEM(name, word, served, any, meaning) | ((any) ? PROBLEM_BIT(name) : 0)
#include "agent/certificate/words.def"
#undef PROBLEM
	;

/* The newest certificate of one identity. */
struct identity {
	uint8_t id[PLACE_IDENTITY_BYTES];
	int64_t newest;
	bool is_used;
};

/* ---- identities ------------------------------------------------------------------------------ */

/* The folder (or the container), the subject, the names in whatever order; and of a CA its key, since
 * a CA with a new key does not replace the one that signed with the old. */
static enum err identify(const struct record *r, struct alert_place *p)
{
	const struct certificate *c = &r->certificate.facts;
	const char *uri = r->location.uri;
	const char *end = strrchr(uri, '/');
	uint8_t digest[FINGERPRINT_BYTES];
	uint64_t names = c->names.count;
	struct buffer input;
	enum err e;

	if (!place_is_in_file(uri) || !end || (!*c->subject && !c->names.count))
		return ERR_OK;
	for (size_t i = 0; i < c->names.count; i++)
		names += index_hash(c->names.items[i], strlen(c->names.items[i]));
	buffer_init(&input, IDENTITY_INPUT_BYTES_MAX);
	buffer_append(&input, uri, (size_t)(end - uri));
	buffer_byte(&input, 0);
	buffer_text(&input, c->subject);
	buffer_byte(&input, 0);
	buffer_append(&input, &names, sizeof(names));
	if (c->is_ca)
		buffer_append(&input, c->spki_sha256, sizeof(c->spki_sha256));
	e = buffer_status(&input);
	if (e == ERR_OK) {
		fingerprint_of(buffer_bytes(&input), digest);
		memcpy(p->identity, digest, sizeof(p->identity));
		p->has_identity = true;
	}
	buffer_fini(&input);
	return e;
}

/* Where it is, or would be. */
static struct identity *identity_at(struct identity *table, size_t slots, const uint8_t *id)
{
	uint64_t hash;
	size_t at;

	memcpy(&hash, id, sizeof(hash));
	at = hash & (slots - 1);
	while (table[at].is_used && memcmp(table[at].id, id, PLACE_IDENTITY_BYTES) != 0)
		at = (at + 1) & (slots - 1);
	return &table[at];
}

static enum err grow_identities(struct search *s)
{
	size_t slots = s->identities_slots ? s->identities_slots * 2 : FIRST_SLOTS;
	struct identity *table = calloc(slots, sizeof(*table));

	if (!table)
		return ERR_MEMORY;
	for (size_t i = 0; i < s->identities_slots; i++)
		if (s->identities[i].is_used)
			*identity_at(table, slots, s->identities[i].id) = s->identities[i];
	free(s->identities);
	s->identities = table;
	s->identities_slots = slots;
	return ERR_OK;
}

static enum err note_identity(struct search *s, const struct alert_place *p, int64_t not_after)
{
	struct identity *known;
	enum err e;

	if (!p->has_identity)
		return ERR_OK;
	if (2 * (s->identities_count + 1) > s->identities_slots) {
		e = grow_identities(s);
		if (e != ERR_OK)
			return e;
	}
	known = identity_at(s->identities, s->identities_slots, p->identity);
	if (!known->is_used) {
		memcpy(known->id, p->identity, sizeof(known->id));
		known->newest = not_after;
		known->is_used = true;
		s->identities_count++;
	}
	if (not_after > known->newest)
		known->newest = not_after;
	return ERR_OK;
}

static int64_t newest_of(const struct search *s, const struct alert_place *p)
{
	const struct identity *known =
		p->has_identity && s->identities_slots
			? identity_at(s->identities, s->identities_slots, p->identity)
			: NULL;

	return known && known->is_used ? known->newest : TIME_UNKNOWN;
}

/* ---- certificates ----------------------------------------------------------------------------- */

/* Anchors of the system store that lie here were put there by this host's administrator: they are
 * internal CAs, not public roots. */
static const char *const local_anchor_folders[] = {
	FILE_SCHEME "/usr/local/share/ca-certificates/",
	FILE_SCHEME "/etc/pki/ca-trust/source/",
	FILE_SCHEME "/etc/ca-certificates/trust-source/",
};

bool place_is_local_anchor(const char *uri)
{
	for (size_t i = 0; i < sizeof(local_anchor_folders) / sizeof(local_anchor_folders[0]); i++)
		if (strncmp(uri, local_anchor_folders[i], strlen(local_anchor_folders[i])) == 0)
			return true;
	return false;
}

static bool is_public_root(const struct record *r)
{
	const struct verdict *v = &r->certificate.verdict;

	if (v->is_bundled)
		return true;
	if (!v->is_anchor || (v->trust && strcmp(v->trust, TRUST_SYSTEM) != 0))
		return false;
	return !place_is_local_anchor(r->location.uri);
}

/* A signature holds on when its certificate has expired. */
static bool is_signature(const struct record *r)
{
	const struct format *format = format_find(r->location.format);

	return format && format->is_signature;
}

static enum err note_leaf(struct search *s, const struct record *r)
{
	const struct fingerprints *chain = &r->certificate.verdict.chain;
	size_t bytes = chain->count * FINGERPRINT_BYTES;

	free(s->leaf_uri);
	free(s->leaf_chain.items);
	s->leaf_chain = (struct fingerprints){ 0 };
	s->leaf_uri = strdup(r->location.uri);
	if (!s->leaf_uri)
		return ERR_MEMORY;
	if (!bytes)
		return ERR_OK;
	s->leaf_chain.items = malloc(bytes);
	if (!s->leaf_chain.items)
		return ERR_MEMORY;
	memcpy(s->leaf_chain.items, chain->items, bytes);
	s->leaf_chain.count = chain->count;
	return ERR_OK;
}

/* Was it sent beside a leaf whose best path does without it, like an old cross-signed root? */
static bool is_bystander(const struct search *s, const struct record *r)
{
	if (!r->location.index || !s->leaf_uri || !s->leaf_chain.count ||
		strcmp(s->leaf_uri, r->location.uri) != 0)
		return false;
	for (size_t i = 0; i < s->leaf_chain.count; i++)
		if (memcmp(s->leaf_chain.items[i], r->certificate.facts.fingerprint,
			    FINGERPRINT_BYTES) == 0)
			return false;
	return true;
}

static enum err on_certificate(void *arg, const struct sighting *sight)
{
	struct search *s = arg;
	const struct record *r = sight->record;
	struct alert_place place = { .is_network = r->certificate.is_served };
	enum err e = links_add(s->links, sight);

	if (e == ERR_OK && r->certificate.is_served && !r->location.index)
		e = note_leaf(s, r);
	if (e != ERR_OK || is_public_root(r) || is_signature(r))
		return e;
	/* Issuers that were fetched are others' to renew; chains over them tell when they end. */
	if (strcmp(r->location.scanner, REVOCATION_SCANNER) == 0)
		return ERR_OK;
	if (r->certificate.is_served && is_bystander(s, r))
		return ERR_OK;
	if (!r->certificate.is_served)
		e = identify(r, &place);
	if (e == ERR_OK)
		e = note_identity(s, &place, r->certificate.facts.not_after);
	for (size_t k = 0; e == ERR_OK && k < KIND_COUNT; k++)
		if (alert_kinds[k]->certificate)
			e = alert_kinds[k]->certificate(s, sight, &place);
	return e;
}

static enum err on_reference(void *arg, const struct sighting *sight)
{
	return links_add(((struct search *)arg)->links, sight);
}

static enum err on_endpoint(void *arg, const struct sighting *sight)
{
	struct search *s = arg;
	enum err e = links_add(s->links, sight);

	for (size_t k = 0; e == ERR_OK && k < KIND_COUNT; k++)
		if (alert_kinds[k]->endpoint)
			e = alert_kinds[k]->endpoint(s, sight);
	return e;
}

static enum err on_problem(void *arg, const struct sighting *sight)
{
	enum err e = ERR_OK;

	for (size_t k = 0; e == ERR_OK && k < KIND_COUNT; k++)
		if (alert_kinds[k]->problem)
			e = alert_kinds[k]->problem(arg, sight);
	return e;
}

/* ---- the whole -------------------------------------------------------------------------------- */

enum err candidate_merge_certificate(const struct search *s, struct candidate *c, struct why *why)
{
	(void)why;
	for (size_t i = 0; i < c->places_count; i++) {
		struct alert_place *p = &c->places[i];
		int64_t newest = newest_of(s, p);
		enum err e;

		if (newest > c->alert.not_after) {
			if (newest > c->superseded)
				c->superseded = newest;
			p->problems = 0;
			continue;
		}
		e = candidate_merge(c, p);
		if (e == ERR_OK)
			e = candidate_words(c, p->problems);
		if (e != ERR_OK)
			return e;
	}
	c->is_live = c->first != NULL;
	c->alert.locations_more = c->places_more;
	return ERR_OK;
}

static enum err look(struct search *s, enum record_kind kind,
	enum err (*fn)(void *, const struct sighting *), struct why *why)
{
	struct inventory_filter filter = { .kind = (int)kind };

	return inventory_each(s->conf->inventory, &filter, fn, s, why);
}

static enum err on_crl(void *arg, const struct sighting *sight)
{
	enum err e = ERR_OK;

	for (size_t k = 0; e == ERR_OK && k < KIND_COUNT; k++)
		if (alert_kinds[k]->crl)
			e = alert_kinds[k]->crl(arg, sight);
	return e;
}

static enum err search_all(struct search *s, struct why *why)
{
	enum err e = look(s, RECORD_REFERENCE, on_reference, why);

	if (e == ERR_OK)
		e = look(s, RECORD_CERTIFICATE, on_certificate, why);
	if (e == ERR_OK)
		e = look(s, RECORD_ENDPOINT, on_endpoint, why);
	if (e == ERR_OK)
		e = look(s, RECORD_PROBLEM, on_problem, why);
	if (e == ERR_OK)
		e = look(s, RECORD_CRL, on_crl, why);
	if (e == ERR_OK)
		e = links_settle(s->links, s->conf->now);
	for (size_t k = 0; e == ERR_OK && k < KIND_COUNT; k++)
		if (alert_kinds[k]->settle)
			e = alert_kinds[k]->settle(s, why);
	for (size_t i = 0; e == ERR_OK && i < s->out->count; i++)
		e = alert_kinds[s->out->items[i].kind]->merge(s, &s->out->items[i], why);
	return e;
}

enum err candidates_search(const struct alerts_search *conf, struct candidates *out,
	struct links **links, struct why *why)
{
	struct search s = { .conf = conf, .out = out };
	enum err e = links_new(&s.links);

	out->next = TIME_UNKNOWN;
	if (e == ERR_OK)
		e = search_all(&s, why);
	free(s.leaf_uri);
	free(s.leaf_chain.items);
	free(s.identities);
	if (e == ERR_OK)
		*links = s.links;
	else
		links_free(s.links);
	return e;
}
