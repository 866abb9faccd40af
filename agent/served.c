/* What this host serves, beside what lies on disk. */
#include "agent/served.h"

#include "agent/base/log.h"
#include "agent/own_addresses.h"
#include "agent/served_internal.h"
#include "scanners/formats/format.h"

#include <stdlib.h>
#include <string.h>

struct comparing {
	struct inventory *inventory;
	const char *proc;
	struct own_addresses own;
	size_t max;  /* servers that are compared */
	size_t left; /* ... and that were left out */
	int64_t now;
	struct served *items; /* owned */
	size_t count;
	size_t room;
	struct why *why;
};

static void lying_fini(struct lying *l)
{
	free(l->uri);
	free(l->named_by);
}

static void served_fini(struct served *s)
{
	free(s->uri);
	free(s->job);
	free(s->address);
	process_fini(&s->process);
	record_fini(&s->leaf);
	for (size_t i = 0; i < s->lying_count; i++)
		lying_fini(&s->lying[i]);
	free(s->lying);
	strings_fini(&s->holders);
}

/* ---- what is served ------------------------------------------------------------------------------ */

static enum err on_endpoint(void *arg, const struct sighting *sight)
{
	struct comparing *c = arg;
	const struct record *r = sight->record;
	struct served *s;

	bool is_listener = record_is_listener(r);

	if (!r->endpoint.chain.count || sight->is_stale)
		return ERR_OK;
	if (!is_listener && !own_addresses_have(&c->own, r->endpoint.address))
		return ERR_OK;
	if (c->count >= c->max) {
		c->left++;
		return ERR_OK;
	}
	if (c->count == c->room) {
		size_t room = c->room ? 2 * c->room : 16;
		struct served *items = reallocarray(c->items, room, sizeof(*items));

		if (!items)
			return ERR_MEMORY;
		c->items = items;
		c->room = room;
	}
	s = &c->items[c->count++];
	*s = (struct served){ .port = r->endpoint.port, .is_listener = is_listener };
	s->uri = strdup(r->location.uri);
	s->job = strdup(sight->job);
	s->address = r->endpoint.address ? strdup(r->endpoint.address) : NULL;
	if (!s->uri || !s->job || (r->endpoint.address && !s->address))
		return ERR_MEMORY;
	return process_copy(&s->process, &r->endpoint.process);
}

/* A copy by way of its bytes, as records travel. */
static enum err copy_record(const struct record *from, struct record *out)
{
	struct buffer bytes;
	enum err e;

	buffer_init(&bytes, RECORD_BYTES_MAX);
	record_encode(&bytes, from);
	e = buffer_status(&bytes);
	if (e == ERR_OK)
		e = record_decode(buffer_bytes(&bytes), out);
	buffer_fini(&bytes);
	return e;
}

static enum err on_leaf(void *arg, const struct sighting *sight)
{
	struct served *s = arg;

	if (sight->record->location.index || !sight->record->certificate.is_served || s->leaf.kind)
		return ERR_OK;
	return copy_record(sight->record, &s->leaf);
}

/* How well a listener's place fits an endpoint's: its very address, or the loopback that one bound to any stands for. */
static unsigned fit_of(const struct served *listener, const struct served *s)
{
	if (!listener->is_listener || !listener->process.pid || listener->port != s->port ||
		!listener->address || !s->address)
		return 0;
	if (strcmp(listener->address, s->address) == 0)
		return 2;
	return strcmp(listener->address, "127.0.0.1") == 0 || strcmp(listener->address, "::1") == 0;
}

/* A named endpoint is served by the process that listens there. */
static enum err find_processes(struct comparing *c)
{
	enum err e = ERR_OK;

	for (size_t i = 0; e == ERR_OK && i < c->count; i++) {
		struct served *s = &c->items[i];
		const struct served *best = NULL;

		for (size_t n = 0; !s->is_listener && n < c->count; n++)
			if (fit_of(&c->items[n], s) > (best ? fit_of(best, s) : 0))
				best = &c->items[n];
		if (!best)
			continue;
		process_fini(&s->process);
		e = process_copy(&s->process, &best->process);
	}
	return e;
}

static enum err gather(struct comparing *c)
{
	const struct inventory_filter endpoints = { .kind = RECORD_ENDPOINT };
	enum err e = inventory_each(c->inventory, &endpoints, on_endpoint, c, c->why);

	if (e == ERR_OK)
		e = find_processes(c);
	for (size_t i = 0; e == ERR_OK && i < c->count; i++) {
		const struct inventory_filter leaf = { .kind = RECORD_CERTIFICATE,
			.uri = c->items[i].uri };

		e = inventory_each(c->inventory, &leaf, on_leaf, &c->items[i], c->why);
		if (e == ERR_OK && c->items[i].leaf.kind)
			c->items[i].like = likeness_of(&c->items[i].leaf.certificate);
	}
	return e;
}

/* ---- what lies on disk --------------------------------------------------------------------------- */

static enum err add_lying(struct served *s, const struct sighting *sight,
	const struct likeness *like, unsigned relation)
{
	struct lying *items;
	struct lying l = { .index = sight->record->location.index,
		.not_before = like->not_before,
		.not_after = like->not_after,
		.first_seen = sight->first_seen,
		.relation = relation };

	if (s->lying_count == SERVED_PLACES_MAX)
		return ERR_OK;
	items = reallocarray(s->lying, s->lying_count + 1, sizeof(*items));
	if (!items)
		return ERR_MEMORY;
	s->lying = items;
	l.uri = strdup(sight->record->location.uri);
	if (!l.uri)
		return ERR_MEMORY;
	memcpy(l.fingerprint, like->fingerprint, FINGERPRINT_BYTES);
	items[s->lying_count++] = l;
	return ERR_OK;
}

static enum err weigh(struct comparing *c, struct served *s, const struct sighting *sight,
	const struct likeness *like)
{
	unsigned relation;

	if (!s->leaf.kind)
		return ERR_OK;
	if (memcmp(like->fingerprint, s->like.fingerprint, FINGERPRINT_BYTES) == 0)
		return s->holders.count < SERVED_PLACES_MAX
			       ? strings_add(&s->holders, sight->record->location.uri)
			       : ERR_OK;
	if (!likeness_is_newer(like, &s->like, c->now))
		return ERR_OK;
	relation = relation_of(&s->like, like);
	return relation ? add_lying(s, sight, like, relation) : ERR_OK;
}

static enum err on_certificate(void *arg, const struct sighting *sight)
{
	struct comparing *c = arg;
	const struct certificate_record *r = &sight->record->certificate;
	struct likeness like;
	enum err e = ERR_OK;

	if (r->is_served || strncmp(sight->record->location.uri, "file:", 5) != 0)
		return ERR_OK;
	like = likeness_of(r);
	for (size_t i = 0; e == ERR_OK && i < c->count; i++)
		e = weigh(c, &c->items[i], sight, &like);
	return e;
}

/* ---- evidence ------------------------------------------------------------------------------------ */

static enum err on_succession(void *arg, const char *uri, uint32_t index)
{
	struct served *s = arg;

	for (size_t i = 0; i < s->lying_count; i++)
		if (s->lying[i].index == index && strcmp(s->lying[i].uri, uri) == 0)
			s->lying[i].held_it = true;
	return ERR_OK;
}

/* Is it this listener's server that the line configures? By port, or else by the program's name. */
static bool is_about(const struct record *r, const struct served *s)
{
	const struct reference_record *ref = &r->reference;
	const char *language = r->location.format;
	const char *name = s->process.name;

	if (ref->role != REFERENCE_SERVER_CERTIFICATE && ref->role != REFERENCE_SERVER_KEY &&
		ref->role != REFERENCE_KEYSTORE)
		return false;
	for (size_t i = 0; i < ref->ports_count; i++)
		if (ref->ports[i] == s->port)
			return true;
	if (ref->ports_count || !language || !name || !*name)
		return false;
	return strstr(name, language) || strstr(language, name);
}

struct asking_users {
	const struct served *served;
	char *by; /* owned */
};

static enum err on_user(void *arg, const struct sighting *sight)
{
	struct asking_users *a = arg;

	if (a->by || sight->gone_at != TIME_UNKNOWN || !is_about(sight->record, a->served))
		return ERR_OK;
	a->by = strdup(sight->record->location.uri);
	return a->by ? ERR_OK : ERR_MEMORY;
}

static enum err named_by(
	const struct comparing *c, const struct served *s, const char *uri, char **out)
{
	struct asking_users a = { .served = s };
	enum err e = inventory_each_user(c->inventory, uri, on_user, &a, c->why);

	*out = a.by;
	return e;
}

static enum err find_evidence(const struct comparing *c, struct served *s)
{
	enum err e = inventory_each_succession(
		c->inventory, s->like.fingerprint, on_succession, s, c->why);

	for (size_t i = 0; e == ERR_OK && i < s->lying_count; i++) {
		e = named_by(c, s, s->lying[i].uri, &s->lying[i].named_by);
		served_look_at_process(c->proc, s->process.pid, &s->lying[i]);
	}
	for (size_t i = 0; e == ERR_OK && !s->is_configured && i < s->holders.count; i++) {
		char *by = NULL;

		e = named_by(c, s, s->holders.items[i], &by);
		s->is_configured = by != NULL;
		free(by);
	}
	return e;
}

/* ---- the result ---------------------------------------------------------------------------------- */

static enum err conclude(const struct comparing *c, struct served *s)
{
	const struct lying *l;
	struct served_differs differs = { 0 };
	enum err e = ERR_OK;

	if (!s->leaf.kind || !s->lying_count)
		return ERR_OK;
	e = find_evidence(c, s);
	l = e == ERR_OK ? served_choose(s) : NULL;
	if (!l)
		return e;
	e = served_explain(s, l, served_changed_at(l->uri), &differs);
	if (e == ERR_OK) {
		const struct served_row row = { .job = s->job,
			.uri = s->uri,
			.fingerprint = s->like.fingerprint,
			.differs = &differs };

		e = inventory_served_put(c->inventory, &row, c->why);
	}
	served_differs_fini(&differs);
	return e;
}

enum err served_update(struct inventory *i, const char *proc, const struct format_limits *limits,
	int64_t now, struct why *why)
{
	struct comparing c = { .inventory = i, .proc = proc, .now = now, .why = why };
	const struct inventory_filter certificates = { .kind = RECORD_CERTIFICATE };
	enum err e = own_addresses_read(&c.own, why);

	c.max = (size_t)(limits ? limits : &format_limits_standard)->compared_servers;
	if (e == ERR_OK)
		e = gather(&c);
	/* Without anything served the rest of the inventory need not be gone through. */
	if (e == ERR_OK && c.count)
		e = inventory_each(i, &certificates, on_certificate, &c, why);
	if (e == ERR_OK)
		e = inventory_served_clear(i, why);
	for (size_t n = 0; e == ERR_OK && n < c.count; n++)
		e = conclude(&c, &c.items[n]);
	if (e == ERR_OK)
		e = inventory_commit(i, why);
	if (c.left)
		log_warn(
			"%zu TLS servers of this host were not compared with what lies on disk (limits.compared_servers)",
			c.left);
	for (size_t n = 0; n < c.count; n++)
		served_fini(&c.items[n]);
	free(c.items);
	own_addresses_fini(&c.own);
	return e;
}
