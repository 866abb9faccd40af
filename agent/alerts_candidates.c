/* Candidates: what is wrong now, each once, with its places. */
#include "agent/alerts_search.h"

#include "agent/base/index.h"
#include "agent/base/log.h"
#include "agent/base/text.h"

#include <arpa/inet.h>
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_SLOTS 64

/* ---- candidates ------------------------------------------------------------------------------- */

static void place_fini(struct alert_place *p)
{
	free(p->text);
	free(p->job);
	free(p->message);
}

static void candidate_fini(struct candidate *c)
{
	alert_fini(&c->alert);
	for (size_t i = 0; i < c->places_count; i++)
		place_fini(&c->places[i]);
	free(c->places);
	free(c->note);
}

void candidates_fini(struct candidates *c)
{
	for (size_t i = 0; i < c->count; i++)
		candidate_fini(&c->items[i]);
	free(c->items);
	free(c->slots);
	*c = (struct candidates){ 0 };
}

static size_t *slot_of(const struct candidates *c, const char *key)
{
	size_t at = index_hash(key, strlen(key)) & (c->slots_count - 1);

	while (c->slots[at] && strcmp(c->items[c->slots[at] - 1].alert.key, key) != 0)
		at = (at + 1) & (c->slots_count - 1);
	return &c->slots[at];
}

struct candidate *candidates_find(const struct candidates *c, const char *key)
{
	size_t *slot = c->slots_count ? slot_of(c, key) : NULL;

	return slot && *slot ? &c->items[*slot - 1] : NULL;
}

static enum err grow_slots(struct candidates *c)
{
	size_t count = c->slots_count ? c->slots_count * 2 : FIRST_SLOTS;
	size_t *slots = calloc(count, sizeof(*slots));

	if (!slots)
		return ERR_MEMORY;
	free(c->slots);
	c->slots = slots;
	c->slots_count = count;
	assert(c->items || !c->count);
	for (size_t i = 0; i < c->count; i++)
		*slot_of(c, c->items[i].alert.key) = i + 1;
	return ERR_OK;
}

static enum err grow_items(struct candidates *c)
{
	size_t capacity = c->capacity ? c->capacity * 2 : FIRST_SLOTS / 2;
	struct candidate *items = reallocarray(c->items, capacity, sizeof(*items));

	if (!items)
		return ERR_MEMORY;
	c->items = items;
	c->capacity = capacity;
	return ERR_OK;
}

/* A new candidate for `key`, which it takes. ERR_LIMIT when there are too many. */
static enum err candidate_add(
	struct candidates *c, char *key, enum alert_kind_id kind, struct candidate **out)
{
	struct candidate *item;
	enum err e = ERR_OK;

	if (c->count >= ALERTS_MAX)
		e = ERR_LIMIT;
	if (e == ERR_OK && 2 * (c->count + 1) > c->slots_count)
		e = grow_slots(c);
	if (e == ERR_OK && c->count == c->capacity)
		e = grow_items(c);
	if (e != ERR_OK) {
		free(key);
		return e;
	}
	assert(c->items);
	item = &c->items[c->count];
	*item = (struct candidate){
		.kind = kind, .superseded = TIME_UNKNOWN, .breaks = TIME_UNKNOWN
	};
	item->alert.key = key;
	item->alert.not_before = TIME_UNKNOWN;
	item->alert.not_after = TIME_UNKNOWN;
	item->alert.renewed_not_after = TIME_UNKNOWN;
	*slot_of(c, key) = ++c->count;
	*out = item;
	return ERR_OK;
}

enum err candidate_get(struct candidates *c, enum alert_kind_id kind, const char *what,
	struct candidate **out, bool *is_new)
{
	char *key = NULL;
	enum err e;

	if (asprintf(&key, "%s:%s", alert_kinds[kind]->word, what) < 0)
		return ERR_MEMORY;
	*out = candidates_find(c, key);
	*is_new = !*out;
	if (*out) {
		free(key);
		return ERR_OK;
	}
	e = candidate_add(c, key, kind, out);
	if (e == ERR_OK) {
		(*out)->alert.kind = strdup(alert_kinds[kind]->word);
		e = (*out)->alert.kind ? ERR_OK : ERR_MEMORY;
	}
	return e;
}

void search_note_limit(struct search *s)
{
	if (!s->out->is_full)
		log_warn("more than %d things are wrong: the rest is not alerted on", ALERTS_MAX);
	s->out->is_full = true;
}

void search_note_next(struct search *s, int64_t at)
{
	if (at > s->conf->now && (s->out->next == TIME_UNKNOWN || at < s->out->next))
		s->out->next = at;
}

/* ---- places ----------------------------------------------------------------------------------- */

char *place_name(const struct location *l)
{
	char *text = NULL;

	if (!l->index)
		return strdup(l->uri);
	return asprintf(&text, "%s#%u", l->uri, (unsigned)l->index) < 0 ? NULL : text;
}

bool place_is_literal(const char *uri)
{
	const char *host = strstr(uri, "://") + strlen("://");
	size_t size = strcspn(host, ":/#");
	char text[INET_ADDRSTRLEN];
	struct in_addr address;

	if (*host == '[')
		return true;
	if (size >= sizeof(text))
		return false;
	memcpy(text, host, size);
	text[size] = '\0';
	return inet_pton(AF_INET, text, &address) == 1;
}

/* Scanners whose places a user named: there an endpoint that never worked is in trouble too. Elsewhere
 * (listening sockets) most of what does not speak TLS was never meant to. */
static const char *const named_scanners[] = { "endpoints" };

bool place_is_of_named_scanner(const struct location *l)
{
	for (size_t i = 0; i < sizeof(named_scanners) / sizeof(named_scanners[0]); i++)
		if (strcmp(named_scanners[i], l->scanner) == 0)
			return true;
	return false;
}

bool place_is_in_file(const char *uri)
{
	return strncmp(uri, FILE_SCHEME, strlen(FILE_SCHEME)) == 0;
}

enum err candidate_place(struct candidate *c, const struct alert_place *p, const struct sighting *s,
	const char *message)
{
	struct alert_place *more;
	struct alert_place place = *p;

	if (c->places_count >= ALERT_LOCATIONS_MAX) {
		c->places_more++;
		return ERR_OK;
	}
	more = reallocarray(c->places, c->places_count + 1, sizeof(*more));
	if (!more)
		return ERR_MEMORY;
	c->places = more;
	place.seen = s->last_seen;
	place.text = place_name(&s->record->location);
	place.job = strdup(s->job ? s->job : "");
	place.message = message ? strdup(message) : NULL;
	if (!place.text || !place.job || (message && !place.message)) {
		place_fini(&place);
		return ERR_MEMORY;
	}
	more[c->places_count++] = place;
	return ERR_OK;
}

/* ---- of what --------------------------------------------------------------------------------- */

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

static enum err fill_certificate(
	struct candidate *c, const struct certificate *facts, const char *fingerprint)
{
	struct alert *a = &c->alert;

	a->subject = strdup(facts->subject);
	a->subject_cn = strdup(short_name(facts));
	a->issuer = facts->issuer ? strdup(facts->issuer) : NULL;
	a->fingerprint = strdup(fingerprint);
	a->not_before = facts->not_before;
	a->not_after = facts->not_after;
	c->is_ca = facts->is_ca;
	return a->subject && a->subject_cn && a->fingerprint ? ERR_OK : ERR_MEMORY;
}

enum err candidate_certificate(struct search *s, enum alert_kind_id kind,
	const struct sighting *sight, const struct alert_place *place, const char *message)
{
	const struct certificate_record *r = &sight->record->certificate;
	char fingerprint[FINGERPRINT_TEXT_BYTES];
	struct candidate *c = NULL;
	bool is_new = false;
	enum err e;

	text_hex(fingerprint, r->facts.fingerprint, FINGERPRINT_BYTES);
	e = candidate_get(s->out, kind, fingerprint, &c, &is_new);
	if (e == ERR_LIMIT) {
		search_note_limit(s);
		return ERR_OK;
	}
	if (e == ERR_OK && is_new)
		e = fill_certificate(c, &r->facts, fingerprint);
	return e == ERR_OK ? candidate_place(c, place, sight, message) : e;
}

bool candidate_fingerprint(const struct candidate *c, uint8_t out[FINGERPRINT_BYTES])
{
	return c->alert.fingerprint && text_unhex(out, FINGERPRINT_BYTES, c->alert.fingerprint);
}

enum err candidate_name_endpoint(struct candidate *c, const char *uri)
{
	c->alert.subject = strdup(uri);
	c->alert.subject_cn = strdup(uri);
	return c->alert.subject && c->alert.subject_cn ? ERR_OK : ERR_MEMORY;
}

enum err candidate_endpoint(struct search *s, enum alert_kind_id kind, const struct sighting *sight,
	const struct alert_place *p, const char *message)
{
	struct candidate *c = NULL;
	bool is_new = false;
	enum err e = candidate_get(s->out, kind, sight->record->location.uri, &c, &is_new);

	if (e == ERR_LIMIT) {
		search_note_limit(s);
		return ERR_OK;
	}
	if (e == ERR_OK && is_new)
		e = candidate_name_endpoint(c, sight->record->location.uri);
	return e == ERR_OK ? candidate_place(c, p, sight, message) : e;
}

/* ---- merging ----------------------------------------------------------------------------------- */

enum err candidate_merge(struct candidate *c, const struct alert_place *p)
{
	if (!c->first) {
		c->first = p;
		c->alert.severity = p->severity;
		c->breaks = p->breaks;
		c->seen = p->seen;
	}
	if (p->severity > c->alert.severity)
		c->alert.severity = p->severity;
	if (p->breaks < c->breaks)
		c->breaks = p->breaks;
	if (p->seen > c->seen)
		c->seen = p->seen;
	/* The network's places flap, so the job that looks there decides when it is over. */
	if (p->is_network && !c->is_network)
		c->first = p;
	c->is_network |= p->is_network;
	if (strings_contain(&c->alert.locations, p->text))
		return ERR_OK;
	return strings_add(&c->alert.locations, p->text);
}

enum err candidate_words(struct candidate *c, uint32_t problems)
{
	for (unsigned p = 0; p < PROBLEM_COUNT; p++) {
		const char *word = problem_word((enum problem)p);
		enum err e;

		if (!(problems & PROBLEM_BIT(p)) || strings_contain(&c->alert.problems, word))
			continue;
		e = strings_add(&c->alert.problems, word);
		if (e != ERR_OK)
			return e;
	}
	return ERR_OK;
}

enum err candidate_merge_all(struct candidate *c)
{
	enum err e = ERR_OK;

	for (size_t i = 0; e == ERR_OK && i < c->places_count; i++)
		e = candidate_merge(c, &c->places[i]);
	c->is_live = c->first != NULL;
	c->alert.locations_more = c->places_more;
	return e;
}
