/* Private keys beside the certificates of the inventory. */
#include "agent/private_keys.h"

#include "agent/base/index.h"
#include "agent/base/log.h"
#include "agent/private_keys_internal.h"
#include "agent/version.h"
#include "scanners/formats/format.h"

#include <stdlib.h>
#include <string.h>

/* Names compared of one certificate: only to find what is called alike, which its first names tell. */
#define NAMES_HELD_MAX 200

struct gathering {
	struct holdings h;
	const struct format_limits *limits;
	size_t keys_left; /* that were left out, and so on */
	size_t certificates_left;
	size_t references_left;
	int64_t now;
	int64_t until; /* the first of the certificates expires */
	size_t keys_room;
	size_t certificates_room;
	size_t references_room;
};

/* Room for one more, zeroed; NULL when out of memory. */
static void *more(void *items, size_t *count, size_t *room, size_t size)
{
	char *grown = *(char **)items;

	if (*count == *room) {
		size_t wanted = *room ? 2 * *room : 64;

		grown = reallocarray(grown, wanted, size);
		if (!grown)
			return NULL;
		*(char **)items = grown;
		*room = wanted;
	}
	grown += size * (*count)++;
	memset(grown, 0, size);
	return grown;
}

static bool copy(char **to, const char *from)
{
	*to = from ? strdup(from) : NULL;
	return !from || *to;
}

static enum err on_key(void *arg, const struct sighting *sight)
{
	struct gathering *g = arg;
	const struct record *r = sight->record;
	struct held_key *k;

	if (g->h.keys_count >= (size_t)g->limits->compared_keys) {
		g->keys_left++;
		return ERR_OK;
	}
	k = more((void *)&g->h.keys, &g->h.keys_count, &g->keys_room, sizeof(*k));
	if (!k)
		return ERR_MEMORY;
	k->facts = r->key;
	k->facts.algorithm = NULL;
	return copy(&k->uri, r->location.uri) && copy(&k->alias, r->location.alias) &&
			       copy(&k->facts.algorithm, r->key.algorithm)
		       ? ERR_OK
		       : ERR_MEMORY;
}

/* What signed something once, and what others publish, has no key here. Certificates of OpenSSH say which key
 * they are for by a hash of their own. */
static bool is_of_interest(const struct record *r, int64_t now)
{
	const struct format *format = format_find(r->location.format);

	return !(format && (format->is_signature || format->has_other_key_hash)) &&
	       !verdict_is_public_root(&r->certificate.verdict) &&
	       (r->certificate.facts.not_after == TIME_UNKNOWN ||
		       r->certificate.facts.not_after >= now);
}

static enum err copy_names(struct strings *to, const struct strings *from)
{
	enum err e = ERR_OK;

	for (size_t i = 0; e == ERR_OK && i < from->count && i < NAMES_HELD_MAX; i++)
		e = strings_add(to, from->items[i]);
	return e;
}

static enum err on_certificate(void *arg, const struct sighting *sight)
{
	struct gathering *g = arg;
	const struct record *r = sight->record;
	const struct certificate *f = &r->certificate.facts;
	struct held_certificate *c;

	if (!is_of_interest(r, g->now))
		return ERR_OK;
	if (g->h.certificates_count >= (size_t)g->limits->compared_certificates) {
		g->certificates_left++;
		return ERR_OK;
	}
	c = more((void *)&g->h.certificates, &g->h.certificates_count, &g->certificates_room,
		sizeof(*c));
	if (!c)
		return ERR_MEMORY;
	c->row = sight->row;
	c->index = r->location.index;
	c->is_ca = f->is_ca;
	c->is_served = r->certificate.is_served;
	c->is_sample = private_keys_is_sample(r->location.uri);
	if (f->not_after != TIME_UNKNOWN && f->not_after < g->until)
		g->until = f->not_after;
	memcpy(c->fingerprint, f->fingerprint, FINGERPRINT_BYTES);
	memcpy(c->spki, f->spki_sha256, FINGERPRINT_BYTES);
	if (!copy(&c->uri, r->location.uri) || !copy(&c->alias, r->location.alias) ||
		!copy(&c->subject, f->subject) || !copy(&c->algorithm, f->key_algorithm))
		return ERR_MEMORY;
	return copy_names(&c->names, &f->names);
}

static bool is_pair_role(enum reference_role role, bool *is_key, bool *is_client)
{
	*is_key = role == REFERENCE_SERVER_KEY || role == REFERENCE_CLIENT_KEY;
	*is_client = role == REFERENCE_CLIENT_CERTIFICATE || role == REFERENCE_CLIENT_KEY;
	return *is_key || *is_client || role == REFERENCE_SERVER_CERTIFICATE;
}

static uint64_t server_of(const struct reference_record *r)
{
	uint64_t hash = index_hash(r->ports, r->ports_count * sizeof(*r->ports));

	for (size_t i = 0; i < r->names.count; i++)
		hash = hash * 31 + index_hash(r->names.items[i], strlen(r->names.items[i]));
	return hash;
}

static enum err on_reference(void *arg, const struct sighting *sight)
{
	struct gathering *g = arg;
	const struct record *r = sight->record;
	struct held_reference *h;
	bool is_key;
	bool is_client;

	if (!is_pair_role(r->reference.role, &is_key, &is_client) || !r->reference.file ||
		!r->reference.is_active || r->reference.is_folder)
		return ERR_OK;
	if (g->h.references_count >= (size_t)g->limits->compared_references) {
		g->references_left++;
		return ERR_OK;
	}
	h = more((void *)&g->h.references, &g->h.references_count, &g->references_room, sizeof(*h));
	if (!h)
		return ERR_MEMORY;
	h->line = r->reference.line;
	h->server = server_of(&r->reference);
	h->is_key = is_key;
	h->is_client = is_client;
	return copy(&h->config, r->location.uri) && copy(&h->file, r->reference.file) &&
			       copy(&h->directive, r->reference.directive)
		       ? ERR_OK
		       : ERR_MEMORY;
}

/* ---- looking up ---------------------------------------------------------------------------------- */

/* The position of the first of `count` items of `size` bytes whose first member, a uri by which all are sorted,
 * is not before this one. The inventory tells them in that order. */
static size_t first_from(const void *items, size_t size, size_t count, const char *uri)
{
	const char *base = items;
	size_t low = 0;
	size_t high = count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (strcmp(*(char *const *)(base + middle * size), uri) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void *first_at(void *items, size_t size, size_t count, const char *uri, size_t *found)
{
	char *base = items;
	size_t low = first_from(items, size, count, uri);

	for (*found = 0; low + *found < count; ++*found)
		if (strcmp(*(char **)(base + (low + *found) * size), uri) != 0)
			break;
	return *found ? base + low * size : NULL;
}

struct held_key *held_keys_at(const struct holdings *h, const char *uri, size_t *count)
{
	return first_at(h->keys, sizeof(*h->keys), h->keys_count, uri, count);
}

struct held_certificate *held_certificates_at(
	const struct holdings *h, const char *uri, size_t *count)
{
	return first_at(
		h->certificates, sizeof(*h->certificates), h->certificates_count, uri, count);
}

size_t held_certificates_from(const struct holdings *h, const char *uri)
{
	return first_from(h->certificates, sizeof(*h->certificates), h->certificates_count, uri);
}

static int by_spki(const void *a, const void *b)
{
	return memcmp(a, b, FINGERPRINT_BYTES);
}

/* What is between the members is 0: notes are compared as bytes. */
enum err held_note(struct held_certificate *c, enum problem problem, char *uri, char *sentence)
{
	struct key_note *items =
		reallocarray(c->notes.items, c->notes.count + 1, sizeof(*c->notes.items));
	struct key_note *note;

	if (!items)
		return ERR_MEMORY;
	c->notes.items = items;
	note = items + c->notes.count++;
	memset(note, 0, sizeof(*note));
	note->problem = problem;
	note->uri = uri;
	note->message = sentence;
	return ERR_OK;
}

enum err held_note_copy(struct holdings *h, struct held_certificate *c, enum problem problem,
	char *uri, const char *sentence)
{
	size_t count = h->sentences.count;
	enum err e = ERR_OK;

	/* Copies of a certificate follow one another. */
	if (!count || strcmp(h->sentences.items[count - 1], sentence) != 0)
		e = strings_add(&h->sentences, sentence);
	return e == ERR_OK ? held_note(c, problem, uri, h->sentences.items[h->sentences.count - 1])
			   : e;
}

/* Marks the certificates of which a key is known. */
static enum err mark_owners(struct holdings *h)
{
	uint8_t(*known)[FINGERPRINT_BYTES] = calloc(h->keys_count + 1, FINGERPRINT_BYTES);
	size_t count = 0;

	if (!known)
		return ERR_MEMORY;
	for (size_t i = 0; i < h->keys_count; i++)
		if (h->keys[i].facts.is_known)
			memcpy(known[count++], h->keys[i].facts.spki_sha256, FINGERPRINT_BYTES);
	qsort(known, count, FINGERPRINT_BYTES, by_spki);
	for (size_t i = 0; count && i < h->certificates_count; i++) {
		struct held_certificate *c = &h->certificates[i];

		c->has_key = bsearch(c->spki, known, count, FINGERPRINT_BYTES, by_spki) != NULL;
	}
	free(known);
	return ERR_OK;
}

/* ---- the whole ----------------------------------------------------------------------------------- */

static void holdings_fini(struct holdings *h)
{
	for (size_t i = 0; i < h->keys_count; i++) {
		free(h->keys[i].uri);
		free(h->keys[i].alias);
		free(h->keys[i].sentence);
		free(h->keys[i].facts.algorithm);
	}
	for (size_t i = 0; i < h->certificates_count; i++) {
		struct held_certificate *c = &h->certificates[i];

		free(c->uri);
		free(c->alias);
		free(c->subject);
		free(c->algorithm);
		strings_fini(&c->names);
		free(c->notes.items);
	}
	for (size_t i = 0; i < h->references_count; i++) {
		free(h->references[i].config);
		free(h->references[i].file);
		free(h->references[i].directive);
	}
	free(h->keys);
	free(h->certificates);
	free(h->references);
	strings_fini(&h->sentences);
}

static enum err gather(struct inventory *i, struct gathering *g, struct why *why)
{
	const struct inventory_filter certificates = { .kind = RECORD_CERTIFICATE };
	const struct inventory_filter references = { .kind = RECORD_REFERENCE };
	enum err e = inventory_each(i, &certificates, on_certificate, g, why);
	/* Without a key there is nothing to pair. */
	if (e == ERR_OK && g->h.keys_count)
		e = inventory_each(i, &references, on_reference, g, why);
	return e == ERR_OK ? mark_owners(&g->h) : e;
}

static enum err compare(struct holdings *h)
{
	enum err e = private_keys_same_place(h);

	if (e == ERR_OK)
		e = private_keys_configured(h);
	if (e == ERR_OK)
		e = private_keys_named_alike(h);
	if (e == ERR_OK)
		e = private_keys_readers(h);
	return e == ERR_OK ? private_keys_sharers(h) : e;
}

/* Never 0, which is no basis. */
static int64_t basis_of(const struct gathering *g)
{
	const struct holdings *h = &g->h;
	const int64_t limits[] = { g->limits->compared_certificates, g->limits->compared_references,
		g->limits->compared_sharers };
	uint64_t basis = index_hash(version_revision(), strlen(version_revision()));

	basis = basis * 31 + index_hash(limits, sizeof(limits));
	for (size_t i = 0; i < h->keys_count; i++)
		basis = (basis * 31 + index_hash(h->keys[i].uri, strlen(h->keys[i].uri))) * 31 +
			(uint64_t)h->keys[i].reader;
	return (int64_t)(basis | 1);
}

static uint64_t hash_of(const struct key_notes *notes)
{
	return index_hash(notes->items, notes->count * sizeof(*notes->items));
}

/* The same texts are at the same address: what is not seen to be the same is only kept twice. */
static bool has_notes(const void *items, uint32_t at, const void *key)
{
	const struct key_notes *notes = &((const struct held_certificate *)items)[at].notes;
	const struct key_notes *wanted = key;

	return notes->count == wanted->count &&
	       memcmp(notes->items, wanted->items, notes->count * sizeof(*notes->items)) == 0;
}

/* The number of the certificate's notes in the inventory, to which they are added if no certificate before it had
 * them. */
static enum err number_notes(
	struct inventory *i, struct holdings *h, struct index *known, size_t n, struct why *why)
{
	struct held_certificate *c = &h->certificates[n];
	uint64_t hash = hash_of(&c->notes);
	uint32_t at;
	enum err e;

	if (index_find(known, hash, has_notes, h->certificates, &c->notes, &at)) {
		c->notes_id = h->certificates[at].notes_id;
		return ERR_OK;
	}
	e = inventory_key_notes_add(i, &c->notes, &c->notes_id, why);
	return e == ERR_OK ? index_add(known, hash, (uint32_t)n) : e;
}

static enum err write_notes(struct inventory *i, struct gathering *g, struct why *why)
{
	struct holdings *h = &g->h;
	struct index known = { 0 };
	enum err e = inventory_key_notes_clear(i, why);

	for (size_t n = 0; e == ERR_OK && n < h->certificates_count; n++) {
		const struct held_certificate *c = &h->certificates[n];

		if (!c->notes.count)
			continue;
		e = number_notes(i, h, &known, n, why);
		if (e == ERR_OK)
			e = inventory_key_notes_put(i, c->notes_id, c->row, c->fingerprint, why);
	}
	index_fini(&known);
	/* Expired is after not_after. */
	if (e == ERR_OK)
		e = inventory_keys_settle(
			i, basis_of(g), g->until == INT64_MAX ? g->until : g->until + 1, why);
	return e == ERR_OK ? inventory_commit(i, why) : e;
}

/* The keys, and who can read them: a folder above one may have another mode by now. */
static enum err gather_keys(struct inventory *i, struct gathering *g, struct why *why)
{
	const struct inventory_filter keys = { .kind = RECORD_KEY };
	enum err e = inventory_each(i, &keys, on_key, g, why);

	private_keys_find_readers(&g->h);
	return e;
}

static void tell_left(size_t count, const char *what, const char *key)
{
	if (count)
		log_warn("%zu %s were not compared (limits.%s)", count, what, key);
}

static void tell_all_left(const struct gathering *g)
{
	if (g->keys_left)
		log_warn(
			"%zu private keys of this host were not compared with its certificates (limits.compared_keys)",
			g->keys_left);
	tell_left(g->certificates_left, "certificates of this host", "compared_certificates");
	tell_left(g->h.sharers_left, "certificates that share a key, of this host,",
		"compared_sharers");
	tell_left(
		g->references_left, "lines of configurations of this host", "compared_references");
}

enum err private_keys_update(
	struct inventory *i, const struct format_limits *limits, int64_t now, struct why *why)
{
	struct gathering g = { .now = now, .until = INT64_MAX };
	bool is_settled = false;
	enum err e;

	g.limits = limits ? limits : &format_limits_standard;
	g.h.sharers_max = (size_t)g.limits->compared_sharers;
	e = gather_keys(i, &g, why);
	if (e == ERR_OK)
		e = inventory_keys_are_settled(i, basis_of(&g), now, &is_settled, why);
	if (e == ERR_OK && !is_settled)
		e = gather(i, &g, why);
	if (e == ERR_OK && !is_settled)
		e = compare(&g.h);
	if (e == ERR_OK && !is_settled)
		e = write_notes(i, &g, why);
	if (e == ERR_OK && !is_settled)
		tell_all_left(&g);
	holdings_fini(&g.h);
	return e;
}
