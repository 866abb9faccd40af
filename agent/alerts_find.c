/* What is wrong now: the inventory's sightings gathered by certificate and by endpoint. */
#include "agent/alerts_internal.h"

#include "agent/base/log.h"
#include "agent/base/text.h"
#include "agent/certificate/certificate.h"
#include "scanners/formats/format.h"

#include <arpa/inet.h>
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define FILE_SCHEME "file://"
/* The name of the trust store whose anchors are public roots. */
#define IDENTITY_INPUT_BYTES_MAX (4 * RECORD_TEXT_BYTES_MAX)
#define FNV_OFFSET UINT64_C(14695981039346656037)
#define FNV_PRIME UINT64_C(1099511628211)
#define FIRST_SLOTS 64

/* Anchors of the system store that lie here were put there by this host's administrator: they are
 * internal CAs, not public roots. */
static const char *const local_anchor_folders[] = {
	FILE_SCHEME "/usr/local/share/ca-certificates/",
	FILE_SCHEME "/etc/pki/ca-trust/source/",
	FILE_SCHEME "/etc/ca-certificates/trust-source/",
};

/* Scanners whose places a user named: there an endpoint that never worked is in trouble too. Elsewhere
 * (listening sockets) most of what does not speak TLS was never meant to. */
static const char *const named_scanners[] = { "endpoints" };

static const uint32_t breaks_served = 0
#define PROBLEM(name, word, served, any, meaning) | ((served) || (any) ? PROBLEM_BIT(name) : 0)
#include "agent/certificate/words.def"
#undef PROBLEM
	;

static const uint32_t breaks_any = 0
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

struct search {
	const struct alerts_search *conf;
	struct candidates *out;
	/* The leaf served last, whose chain says which of the certificates sent with it matter. */
	char *leaf_uri; /* owned */
	struct fingerprints leaf_chain;
	/* All identities seen, hashed by their first bytes. One sweep of the inventory costs far more. */
	struct identity *identities; /* owned */
	size_t identities_count;
	size_t identities_slots;
};

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
}

void candidates_fini(struct candidates *c)
{
	for (size_t i = 0; i < c->count; i++)
		candidate_fini(&c->items[i]);
	free(c->items);
	free(c->slots);
	*c = (struct candidates){ 0 };
}

static uint64_t fnv(uint64_t h, const char *text)
{
	for (; *text; text++)
		h = (h ^ (uint8_t)*text) * FNV_PRIME;
	return h;
}

static size_t *slot_of(const struct candidates *c, const char *key)
{
	size_t at = fnv(FNV_OFFSET, key) & (c->slots_count - 1);

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

/* ERR_OK and whether it is new. */
static enum err candidate_get(struct candidates *c, enum alert_kind_id kind, const char *what,
	struct candidate **out, bool *is_new)
{
	char *key = NULL;
	enum err e;

	if (asprintf(&key, "%s:%s", alert_kinds[kind].word, what) < 0)
		return ERR_MEMORY;
	*out = candidates_find(c, key);
	*is_new = !*out;
	if (*out) {
		free(key);
		return ERR_OK;
	}
	e = candidate_add(c, key, kind, out);
	if (e == ERR_OK) {
		(*out)->alert.kind = strdup(alert_kinds[kind].word);
		e = (*out)->alert.kind ? ERR_OK : ERR_MEMORY;
	}
	return e;
}

static void note_limit(struct search *s)
{
	if (!s->out->is_full)
		log_warn("more than %d things are wrong: the rest is not alerted on", ALERTS_MAX);
	s->out->is_full = true;
}

static void note_next(struct search *s, int64_t at)
{
	if (at > s->conf->now && (s->out->next == TIME_UNKNOWN || at < s->out->next))
		s->out->next = at;
}

/* ---- places ----------------------------------------------------------------------------------- */

static char *place_text(const struct location *l)
{
	char *text = NULL;

	if (!l->index)
		return strdup(l->uri);
	return asprintf(&text, "%s#%u", l->uri, (unsigned)l->index) < 0 ? NULL : text;
}

static bool is_in_file(const char *uri)
{
	return strncmp(uri, FILE_SCHEME, strlen(FILE_SCHEME)) == 0;
}

/* Adds `p` without its texts, which are taken from the sighting. Beyond the ceiling it only counts. */
static enum err place_add(struct candidate *c, const struct alert_place *p,
	const struct sighting *s, const char *message)
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
	place.text = place_text(&s->record->location);
	place.job = strdup(s->job ? s->job : "");
	place.message = message ? strdup(message) : NULL;
	if (!place.text || !place.job || (message && !place.message)) {
		place_fini(&place);
		return ERR_MEMORY;
	}
	more[c->places_count++] = place;
	return ERR_OK;
}

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

	if (!is_in_file(uri) || !end || (!*c->subject && !c->names.count))
		return ERR_OK;
	for (size_t i = 0; i < c->names.count; i++)
		names += fnv(FNV_OFFSET, c->names.items[i]);
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

/* ---- identities ------------------------------------------------------------------------------ */

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

static bool is_public_root(const struct record *r)
{
	const struct verdict *v = &r->certificate.verdict;

	if (v->is_bundled)
		return true;
	if (!v->is_anchor || (v->trust && strcmp(v->trust, TRUST_SYSTEM) != 0))
		return false;
	for (size_t i = 0; i < sizeof(local_anchor_folders) / sizeof(local_anchor_folders[0]); i++)
		if (strncmp(r->location.uri, local_anchor_folders[i],
			    strlen(local_anchor_folders[i])) == 0)
			return false;
	return true;
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

static enum err add_certificate(struct search *s, const struct sighting *sight,
	enum alert_kind_id kind, struct alert_place *place)
{
	const struct certificate_record *r = &sight->record->certificate;
	char fingerprint[FINGERPRINT_TEXT_BYTES];
	struct candidate *c = NULL;
	bool is_new = false;
	enum err e;

	text_hex(fingerprint, r->facts.fingerprint, FINGERPRINT_BYTES);
	e = candidate_get(s->out, kind, fingerprint, &c, &is_new);
	if (e == ERR_LIMIT) {
		note_limit(s);
		return ERR_OK;
	}
	if (e == ERR_OK && is_new)
		e = fill_certificate(c, &r->facts, fingerprint);
	return e == ERR_OK ? place_add(c, place, sight, NULL) : e;
}

/* The time at which `breaks` comes within the threshold. */
static int64_t reached_at(const struct threshold *t, const struct certificate *c, int64_t breaks)
{
	int64_t at;

	if (__builtin_sub_overflow(breaks, threshold_span(t, c->not_before, c->not_after), &at))
		return INT64_MIN + 1;
	return at;
}

static enum err consider_expiry(
	struct search *s, const struct sighting *sight, struct alert_place place)
{
	const struct certificate_record *r = &sight->record->certificate;
	const struct thresholds *t = s->conf->thresholds;
	int64_t now = s->conf->now;
	int64_t breaks = record_breaks(r);
	int64_t warning;
	int64_t critical;

	if (breaks == TIME_UNKNOWN)
		return ERR_OK;
	warning = reached_at(&t->warning, &r->facts, breaks);
	critical = reached_at(&t->critical, &r->facts, breaks);
	note_next(s, warning);
	note_next(s, critical);
	if (now < warning && now < critical && now <= breaks)
		return ERR_OK;
	place.breaks = breaks;
	place.severity = now >= critical || now > breaks ? SEVERITY_CRITICAL : SEVERITY_WARNING;
	place.problems = record_problems_at(r, now);
	return add_certificate(s, sight, KIND_EXPIRY, &place);
}

static enum err consider_problems(
	struct search *s, const struct sighting *sight, struct alert_place place)
{
	const struct certificate_record *r = &sight->record->certificate;

	if (r->facts.not_before != TIME_UNKNOWN)
		note_next(s, r->facts.not_before);
	/* What is sent with a leaf is judged with the leaf. */
	if (r->verdict.is_anchor || r->verdict.is_bundled ||
		(r->is_served && sight->record->location.index))
		return ERR_OK;
	place.breaks = TIME_UNKNOWN;
	place.severity = SEVERITY_WARNING;
	place.problems = record_problems_at(r, s->conf->now);
	place.problems &= r->is_served ? breaks_served : breaks_any;
	return place.problems ? add_certificate(s, sight, KIND_PROBLEM, &place) : ERR_OK;
}

static enum err on_certificate(void *arg, const struct sighting *sight)
{
	struct search *s = arg;
	const struct record *r = sight->record;
	struct alert_place place = { .is_network = r->certificate.is_served };
	enum err e = ERR_OK;

	if (r->certificate.is_served && !r->location.index)
		e = note_leaf(s, r);
	if (e != ERR_OK || is_public_root(r) || is_signature(r))
		return e;
	if (r->certificate.is_served && is_bystander(s, r))
		return ERR_OK;
	if (!r->certificate.is_served)
		e = identify(r, &place);
	if (e == ERR_OK)
		e = note_identity(s, &place, r->certificate.facts.not_after);
	if (e == ERR_OK)
		e = consider_expiry(s, sight, place);
	return e == ERR_OK ? consider_problems(s, sight, place) : e;
}

/* ---- endpoints -------------------------------------------------------------------------------- */

/* Is the host of the uri an address, not a name? */
static bool is_literal(const char *uri)
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

/* Did a user mean this very endpoint to be there? A sweep over a network meets many addresses where
 * nobody listens and nobody ever did. */
static bool is_named(const struct record *r)
{
	enum reason reason = r->problem.reason;
	bool is_nobody = reason == REASON_REFUSED || reason == REASON_UNREACHABLE ||
			 reason == REASON_TIMEOUT;

	if (is_nobody && is_literal(r->location.uri))
		return false;
	for (size_t i = 0; i < sizeof(named_scanners) / sizeof(named_scanners[0]); i++)
		if (strcmp(named_scanners[i], r->location.scanner) == 0)
			return true;
	return false;
}

static enum err fill_endpoint(struct candidate *c, const struct record *r)
{
	c->alert.subject = strdup(r->location.uri);
	c->alert.subject_cn = strdup(r->location.uri);
	if (!c->alert.subject || !c->alert.subject_cn)
		return ERR_MEMORY;
	return strings_add(&c->alert.problems, reason_word(r->problem.reason));
}

/* A certificate that the library refuses still expires. Without subject and names it is nobody's
 * relative. */
static enum err consider_evident(struct search *s, const struct sighting *sight)
{
	const struct problem_record *p = &sight->record->problem;
	char name[] = "a certificate that cannot be parsed";
	char empty[] = "";
	struct record r = { .kind = RECORD_CERTIFICATE, .location = sight->record->location };
	struct sighting seen = *sight;

	r.certificate.facts.subject = empty;
	r.certificate.facts.subject_cn = name;
	r.certificate.facts.not_before = p->not_before;
	r.certificate.facts.not_after = p->not_after;
	r.certificate.verdict.expires = TIME_UNKNOWN;
	memcpy(r.certificate.facts.fingerprint, p->fingerprint, FINGERPRINT_BYTES);
	seen.record = &r;
	return consider_expiry(s, &seen, (struct alert_place){ 0 });
}

static enum err on_problem(void *arg, const struct sighting *sight)
{
	struct search *s = arg;
	const struct record *r = sight->record;
	struct alert_place place = {
		.is_network = true, .severity = SEVERITY_WARNING, .breaks = TIME_UNKNOWN
	};
	struct candidate *c = NULL;
	bool is_new = false;
	enum err e;

	if (is_in_file(r->location.uri))
		return r->problem.has_fingerprint ? consider_evident(s, sight) : ERR_OK;
	if (!strstr(r->location.uri, "://"))
		return ERR_OK;
	e = candidate_get(s->out, KIND_ENDPOINT, r->location.uri, &c, &is_new);
	if (e == ERR_LIMIT) {
		note_limit(s);
		return ERR_OK;
	}
	if (e == ERR_OK && is_new)
		e = fill_endpoint(c, r);
	if (e != ERR_OK)
		return e;
	c->is_live |= is_named(r);
	return place_add(c, &place, sight, r->problem.message);
}

struct endpoint_look {
	bool has_worked; /* a certificate is known from there */
	int64_t good;    /* the last look that brought one, or TIME_UNKNOWN */
};

static enum err on_endpoint(void *arg, const struct sighting *sight)
{
	struct endpoint_look *look = arg;
	const struct record *r = sight->record;
	bool is_good = r->kind == RECORD_ENDPOINT && r->endpoint.chain.count;

	look->has_worked |= r->kind == RECORD_CERTIFICATE || is_good;
	if (is_good && !sight->is_stale && sight->last_seen > look->good)
		look->good = sight->last_seen;
	return ERR_OK;
}

/* A peer that ended the handshake but showed its certificate in the same look (it wants a client
 * certificate, say) is not in trouble; one that nobody named must have worked before to be. */
static enum err judge_endpoint(const struct search *s, struct candidate *c, struct why *why)
{
	struct inventory_filter filter = { .uri = c->alert.subject };
	struct endpoint_look look = { .good = TIME_UNKNOWN };
	int64_t seen = TIME_UNKNOWN;
	enum err e = inventory_each(s->conf->inventory, &filter, on_endpoint, &look, why);

	if (e != ERR_OK)
		return e;
	for (size_t i = 0; i < c->places_count; i++)
		if (c->places[i].seen > seen)
			seen = c->places[i].seen;
	c->is_live |= look.has_worked;
	if (look.good != TIME_UNKNOWN && look.good >= seen)
		c->is_live = false;
	return ERR_OK;
}

/* ---- revocation lists ------------------------------------------------------------------------- */

static enum err fill_crl(struct candidate *c, const struct record *r)
{
	const struct crl_record *crl = &r->crl;

	c->alert.subject = strdup(r->location.uri);
	c->alert.subject_cn = strdup(crl->issuer_cn ? crl->issuer_cn : crl->issuer);
	c->alert.issuer = strdup(crl->issuer);
	c->alert.not_before = crl->this_update;
	c->alert.not_after = crl->next_update;
	return c->alert.subject && c->alert.subject_cn && c->alert.issuer ? ERR_OK : ERR_MEMORY;
}

/* A list is made anew shortly before the old one ends: only the last tenth is a warning. Behind its end
 * what checks against it refuses everything, or checks nothing. */
static enum err on_crl(void *arg, const struct sighting *sight)
{
	struct search *s = arg;
	const struct crl_record *r = &sight->record->crl;
	struct alert_place place = { .breaks = r->next_update };
	struct candidate *c = NULL;
	bool is_new = false;
	int64_t span =
		threshold_span(&s->conf->thresholds->critical, r->this_update, r->next_update);
	int64_t due;
	char *what;
	enum err e;

	if (r->next_update == TIME_UNKNOWN || __builtin_sub_overflow(r->next_update, span, &due))
		return ERR_OK;
	note_next(s, due);
	note_next(s, r->next_update + 1);
	if (s->conf->now < due)
		return ERR_OK;
	place.is_network = !is_in_file(sight->record->location.uri);
	place.severity = s->conf->now > r->next_update ? SEVERITY_CRITICAL : SEVERITY_WARNING;
	what = place_text(&sight->record->location);
	e = what ? candidate_get(s->out, KIND_CRL, what, &c, &is_new) : ERR_MEMORY;
	free(what);
	if (e == ERR_LIMIT) {
		note_limit(s);
		return ERR_OK;
	}
	if (e == ERR_OK && is_new)
		e = fill_crl(c, sight->record);
	return e == ERR_OK ? place_add(c, &place, sight, NULL) : e;
}

/* ---- the whole -------------------------------------------------------------------------------- */

/* Takes one live place into the whole. */
static enum err merge_place(struct candidate *c, const struct alert_place *p)
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

static enum err add_words(struct candidate *c, uint32_t problems)
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

static enum err merge_certificate(const struct search *s, struct candidate *c)
{
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
		e = merge_place(c, p);
		if (e == ERR_OK)
			e = add_words(c, p->problems);
		if (e != ERR_OK)
			return e;
	}
	c->is_live = c->first != NULL;
	c->alert.locations_more = c->places_more;
	return ERR_OK;
}

static enum err merge_endpoint(const struct search *s, struct candidate *c, struct why *why)
{
	enum err e = judge_endpoint(s, c, why);

	for (size_t i = 0; e == ERR_OK && i < c->places_count; i++)
		e = merge_place(c, &c->places[i]);
	return e;
}

static enum err merge_crl(struct candidate *c)
{
	enum err e = ERR_OK;

	for (size_t i = 0; e == ERR_OK && i < c->places_count; i++)
		e = merge_place(c, &c->places[i]);
	c->is_live = c->first != NULL;
	return e;
}

static enum err look(struct search *s, enum record_kind kind,
	enum err (*fn)(void *, const struct sighting *), struct why *why)
{
	struct inventory_filter filter = { .kind = (int)kind };

	return inventory_each(s->conf->inventory, &filter, fn, s, why);
}

enum err candidates_search(
	const struct alerts_search *conf, struct candidates *out, struct why *why)
{
	struct search s = { .conf = conf, .out = out };
	enum err e;

	out->next = TIME_UNKNOWN;
	e = look(&s, RECORD_CERTIFICATE, on_certificate, why);
	if (e == ERR_OK)
		e = look(&s, RECORD_CRL, on_crl, why);
	if (e == ERR_OK)
		e = look(&s, RECORD_PROBLEM, on_problem, why);
	for (size_t i = 0; e == ERR_OK && i < out->count; i++) {
		struct candidate *c = &out->items[i];

		e = c->kind == KIND_ENDPOINT ? merge_endpoint(&s, c, why)
		    : c->kind == KIND_CRL    ? merge_crl(c)
					     : merge_certificate(&s, c);
	}
	free(s.leaf_uri);
	free(s.leaf_chain.items);
	free(s.identities);
	return e;
}
