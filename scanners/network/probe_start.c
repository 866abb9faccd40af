/* From work to attempts: names are resolved, each address becomes a place, and what the limits (at once,
 * in a second, to one address) forbid now waits. */
#include "scanners/network/places.h"
#include "scanners/network/probe_internal.h"
#include "scanners/network/tls_own.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STARTS_A_ROUND 32 /* so that answers are looked at between the starts */
#define LOOKUPS_MAX 2048
#define ASK_MAX 256 /* connections that main is asked for ahead */
#define SENTENCE_BYTES 512
#define PLACE_URI_BYTES_MAX (8 * 1024)

/* ---- lines ------------------------------------------------------------------------------------ */

void line_init(struct line *l)
{
	*l = (struct line){ .last = &l->first };
}

void line_put(struct line *l, struct waiter *w)
{
	w->next = NULL;
	*l->last = w;
	l->last = &w->next;
	l->count++;
}

static void line_put_first(struct line *l, struct waiter *w)
{
	w->next = l->first;
	if (!l->first)
		l->last = &w->next;
	l->first = w;
	l->count++;
}

struct entry *line_take(struct line *l)
{
	struct waiter *w = l->first;

	l->first = w->next;
	if (!l->first)
		l->last = &l->first;
	l->count--;
	return (struct entry *)w;
}

/* ---- entries ---------------------------------------------------------------------------------- */

static struct entry *entry_new(struct probe *p, struct unit *unit)
{
	struct entry *entry = calloc(1, sizeof(*entry));

	if (!entry)
		return NULL;
	entry->probe = p;
	entry->unit = unit;
	unit->left++;
	return entry;
}

void start_drop(struct waiter *w)
{
	struct entry *entry = (struct entry *)w;

	attempt_start_fini(&entry->what);
	if (--entry->unit->left == 0)
		free(entry->unit);
	free(entry);
}

/* The entry's place was dealt with; with the last one the work is done. */
static void entry_end(struct entry *entry)
{
	struct probe *p = entry->probe;
	bool is_last = entry->unit->left == 1;
	uint64_t id = entry->unit->id;

	start_drop(&entry->waiter);
	if (is_last && !p->is_over)
		probe_checked(p, probe_tell_number(p, MESSAGE_WORK_DONE, id));
}

/* One that cannot be tried for want of memory. */
void start_fail(struct entry *entry, enum err e)
{
	struct probe *p = entry->probe;

	probe_checked(
		p, probe_tell_problem(p, entry->what.place, REASON_LIMIT_REACHED, err_text(e)));
	entry_end(entry);
}

/* ---- work ------------------------------------------------------------------------------------- */

static enum err set_address(struct attempt_start *what, const union address *a)
{
	what->addresses = malloc(sizeof(*a));
	if (!what->addresses)
		return ERR_MEMORY;
	*what->addresses = *a;
	what->addresses_count = 1;
	return ERR_OK;
}

/* Is it a client certificate, or a target that is to be shown one, whose key in a token main is still opening? */
static bool is_for_key(const struct probe *p, const struct target *t)
{
	const struct tls_own *own;

	if (t->own)
		own = t->own <= tls_owns_count(p->tls) ? tls_own_at(p->tls, t->own - 1U) : NULL;
	else if (t->discovery || t->complaint)
		own = NULL;
	else
		own = tls_own_for(p->tls, t->name ? t->name : t->host, t->port);
	return own && own->is_opening;
}

static enum err enqueue(struct probe *p, struct entry *entry)
{
	const struct target *t = &entry->what.target;
	const struct proxy *proxy;
	union address numeric;
	enum err e = ERR_OK;

	if (is_for_key(p, t)) {
		line_put(&p->for_keys, &entry->waiter);
		return ERR_OK;
	}
	if (t->own) {
		e = probe_tell_own(p, entry->what.place, t->own);
		if (e == ERR_OK)
			entry_end(entry);
		else
			start_drop(&entry->waiter);
		return e;
	}
	if (t->discovery) {
		e = fetching_start(p, entry->unit->id, entry->what.place, t->discovery);
		start_drop(&entry->waiter);
		return e;
	}
	if (t->is_listed) {
		e = probe_tell_listed(p, t, PROBE_NOT_ASKED);
		entry_end(entry);
		return e;
	}
	if (t->complaint) {
		e = probe_tell_problem(
			p, entry->what.place, complaint_reason(t->complaint_kind), t->complaint);
		entry_end(entry);
		return e;
	}
	proxy = routes_for(p->routes, t);
	if (proxy && target_protocol(t)->is_datagram && p->options.is_proxy_meant) {
		e = probe_tell_problem(p, entry->what.place, REASON_UNSUPPORTED,
			"the proxy that is configured carries no UDP; no_proxy names what is reached without it");
		entry_end(entry);
		return e;
	}
	if (proxy && !target_protocol(t)->is_datagram)
		return start_through(p, proxy, entry);
	if (!address_parse(t->host, t->port, &numeric)) {
		line_put(&p->names, &entry->waiter);
		return ERR_OK;
	}
	e = set_address(&entry->what, &numeric);
	if (e == ERR_OK)
		line_put(&p->ready, &entry->waiter);
	else
		start_drop(&entry->waiter);
	return e;
}

enum err start_after_key(struct probe *p)
{
	size_t count = p->for_keys.count;
	enum err e = ERR_OK;

	/* Those that wait for another key come back. */
	while (e == ERR_OK && count--)
		e = enqueue(p, line_take(&p->for_keys));
	return e;
}

enum err start_take(struct probe *p, struct slice payload)
{
	struct unit *unit = calloc(1, sizeof(*unit));
	struct entry *entry = unit ? entry_new(p, unit) : NULL;
	struct work work;
	enum err e = entry ? ERR_OK : ERR_MEMORY;

	if (!entry) {
		free(unit);
		return e;
	}
	e = work_decode(payload, &work);
	if (e == ERR_OK)
		e = target_decode(work.item, &entry->what.target);
	if (e == ERR_OK) {
		unit->id = work.id;
		entry->what.place = string_of(work.place);
		e = entry->what.place ? ERR_OK : ERR_MEMORY;
	}
	if (e != ERR_OK) {
		start_drop(&entry->waiter);
		return e;
	}
	return enqueue(p, entry);
}

/* ---- names ------------------------------------------------------------------------------------ */

static void resolving_add(struct probe *p, struct entry *entry)
{
	entry->previous = NULL;
	entry->next = p->resolving;
	/* resolving_remove() took out what was freed, which clang's analyser does not follow. */
	if (entry->next)
		entry->next->previous = entry; /* NOLINT(clang-analyzer-unix.Malloc) */
	p->resolving = entry;
	p->resolving_count++;
}

static void resolving_remove(struct probe *p, struct entry *entry)
{
	if (entry->previous)
		entry->previous->next = entry->next;
	else
		p->resolving = entry->next;
	if (entry->next)
		entry->next->previous = entry->previous;
	p->resolving_count--;
}

/* The target at one address of several, and its place: "tls://name@192.0.2.1:443". */
static enum err at_address(
	const struct target *t, const union address *a, struct target *out, char **place)
{
	char address[INET6_ADDRSTRLEN];
	struct target target = *t;
	struct buffer uri;

	address_text(a, address);
	target.complaint = NULL;
	target.process = (struct process){ 0 };
	target.name = strdup(t->name ? t->name : t->host);
	target.host = strdup(address);
	if (!target.name || !target.host) {
		target_fini(&target);
		return ERR_MEMORY;
	}
	buffer_init(&uri, PLACE_URI_BYTES_MAX);
	target_uri(&uri, &target);
	*place = buffer_take_string(&uri);
	if (!*place) {
		target_fini(&target);
		return ERR_MEMORY;
	}
	*out = target;
	return ERR_OK;
}

static enum err add_place(struct entry *entry, const union address *a)
{
	struct probe *p = entry->probe;
	struct entry *one = entry_new(p, entry->unit);
	enum err e;

	if (!one)
		return ERR_MEMORY;
	e = at_address(&entry->what.target, a, &one->what.target, &one->what.place);
	if (e == ERR_OK)
		e = set_address(&one->what, a);
	if (e != ERR_OK) {
		start_drop(&one->waiter);
		return e;
	}
	line_put(&p->ready, &one->waiter);
	return ERR_OK;
}

static enum err keep_unrouted(struct entry *entry, const union address *a)
{
	struct target target = { 0 };
	char *place = NULL;
	enum err e = at_address(&entry->what.target, a, &target, &place);

	if (e == ERR_OK)
		e = probe_tell_kept(entry->probe, place);
	target_fini(&target);
	free(place);
	return e;
}

/* What is to be said of the answer itself. */
static enum err tell_of_answer(struct entry *entry, const struct dns_answer *answer)
{
	const char *host = entry->what.target.host;
	char text[SENTENCE_BYTES];
	enum err e = ERR_OK;

	if (answer->failure) {
		(void)snprintf(text, sizeof(text),
			"%s: only some of its addresses are known, for one family could not be asked for: %s",
			host, answer->failure);
		e = probe_tell_problem(entry->probe, entry->what.place, REASON_UNRESOLVED, text);
	}
	if (e == ERR_OK && answer->is_cut) {
		(void)snprintf(text, sizeof(text),
			"%s: it has more than %d addresses; the others were not looked at", host,
			DNS_ADDRESSES_MAX);
		e = probe_tell_problem(entry->probe, entry->what.place, REASON_LIMIT_REACHED, text);
	}
	return e;
}

/* One place with all that is probed of the answer. */
static enum err take_addresses(
	struct attempt_start *what, const struct dns_answer *answer, const struct places *places)
{
	what->addresses = calloc(places->probed, sizeof(*what->addresses));
	if (!what->addresses)
		return ERR_MEMORY;
	for (size_t i = 0; i < answer->count; i++)
		if (places->uses[i] == ADDRESS_PROBED)
			what->addresses[what->addresses_count++] = answer->addresses[i];
	return ERR_OK;
}

static void spread(struct entry *entry, const struct dns_answer *answer)
{
	struct probe *p = entry->probe;
	struct places places;
	enum err e = tell_of_answer(entry, answer);

	places_plan(answer, p->exclusions, &places);
	for (size_t i = 0; e == ERR_OK && i < answer->count; i++)
		if (places.uses[i] == ADDRESS_UNROUTED)
			e = keep_unrouted(entry, &answer->addresses[i]);
	if (e == ERR_OK && (places.probed == 1 || (places.probed && places.is_local))) {
		e = take_addresses(&entry->what, answer, &places);
		if (e == ERR_OK) {
			line_put(&p->ready, &entry->waiter);
			return;
		}
	}
	for (size_t i = 0; e == ERR_OK && i < answer->count; i++)
		if (places.uses[i] == ADDRESS_PROBED)
			e = add_place(entry, &answer->addresses[i]);
	if (e == ERR_MEMORY)
		start_fail(entry, e);
	else
		entry_end(entry);
	if (e != ERR_MEMORY)
		probe_checked(p, e);
}

static void start_entry(struct probe *p, struct entry *entry)
{
	free(p->at);
	p->at = strdup(entry->what.place);
	p->under_way++;
	probe_checked(p, attempt_start(&p->attempts, entry, &entry->what));
}

static void on_resolved(void *arg, const struct dns_answer *answer)
{
	struct entry *entry = arg;
	struct probe *p = entry->probe;
	char text[SENTENCE_BYTES];

	entry->lookup = NULL;
	resolving_remove(p, entry);
	if (answer->count) {
		spread(entry, answer);
	} else {
		(void)snprintf(
			text, sizeof(text), "%s: %s", entry->what.target.host, answer->failure);
		entry->what.failure = strdup(text);
		start_entry(p, entry);
	}
	probe_pump(p);
}

static void resolve_some(struct probe *p)
{
	while (p->names.count && !p->is_over && dns_pending(p->dns) < LOOKUPS_MAX) {
		struct entry *entry = line_take(&p->names);
		const struct target *t = &entry->what.target;
		struct dns_lookup *lookup = NULL;
		enum err e;

		resolving_add(p, entry);
		e = dns_resolve(p->dns, t->host, t->port, on_resolved, entry, &lookup);
		/* Without a lookup it was answered at once, and the entry may be gone already. */
		if (lookup)
			entry->lookup = lookup;
		if (e != ERR_OK) {
			resolving_remove(p, entry);
			start_fail(entry, e);
		}
	}
}

/* ---- limits ----------------------------------------------------------------------------------- */

/* Connections of this process to one address; 0: any number. All processes together keep to the limit. */
static unsigned limit_for(const struct probe *p, const union address *a)
{
	unsigned limit = p->options.per_address;

	/* What waits for its turn in a second is not to hold the places of others. */
	if (!limit && !p->options.per_address_rate && address_is_loopback(a))
		return 0;
	limit = (limit ? limit : PROBE_PER_ADDRESS) / p->processes;
	return limit ? limit : 1;
}

static void ask_main(struct probe *p)
{
	uint64_t wanted = p->ready.count < ASK_MAX ? p->ready.count : ASK_MAX;
	uint64_t coming = p->permits + p->asked;

	if (!p->options.is_paced || coming >= wanted || p->is_over)
		return;
	p->asked += wanted - coming;
	probe_checked(p, probe_tell_number(p, MESSAGE_WANT, wanted - coming));
}

size_t start_queued(const struct probe *p)
{
	return p->for_keys.count + p->names.count + p->resolving_count + p->ready.count +
	       p->waiting_for_proxy + peers_waiting(p->peers);
}

bool start_has_room(const struct probe *p)
{
	return p->ready.count && p->under_way < p->options.concurrency && !p->is_over &&
	       (!p->options.is_paced || p->permits);
}

void start_go_on(struct probe *p)
{
	resolve_some(p);
	ask_main(p);
}

void start_some(struct probe *p)
{
	for (unsigned i = 0; i < STARTS_A_ROUND && start_has_room(p); i++) {
		struct entry *entry = line_take(&p->ready);
		const union address *to = entry->what.addresses;

		/* A proxy's limits are its own. */
		if (to && !entry->what.proxy &&
			!peers_enter(p->peers, to, limit_for(p, to), &entry->waiter, &entry->peer))
			continue;
		p->permits -= p->options.is_paced;
		start_entry(p, entry);
	}
}

void start_on_done(void *arg, void *ctx, const struct attempt_start *what,
	const struct session *seen, enum err failure)
{
	struct probe *p = arg;
	struct entry *entry = ctx;
	struct waiter *next = peers_leave(p->peers, entry->peer);
	enum err e = ERR_OK;

	if (next)
		line_put_first(&p->ready, next);
	p->under_way--;
	p->tried++;
	if (!p->is_over) {
		if (failure != ERR_OK)
			e = probe_tell_problem(
				p, what->place, REASON_LIMIT_REACHED, err_text(failure));
		else if (!probe_tell_is_idle(&what->target, seen))
			e = probe_tell_session(p, what->place, seen);
		else
			e = probe_tell_idle(p, what, seen);
		probe_checked(p, e);
	}
	entry_end(entry);
	if (!p->is_over)
		probe_pump(p);
}

void start_on_dropped(void *ctx)
{
	struct entry *entry = ctx;

	start_drop(&entry->waiter);
}

/* ---- life ------------------------------------------------------------------------------------- */

void start_init(struct probe *p)
{
	line_init(&p->for_keys);
	line_init(&p->names);
	line_init(&p->ready);
}

void start_fini(struct probe *p)
{
	while (p->for_keys.first)
		start_drop(&line_take(&p->for_keys)->waiter);
	while (p->names.first)
		start_drop(&line_take(&p->names)->waiter);
	while (p->ready.first)
		start_drop(&line_take(&p->ready)->waiter);
	while (p->resolving) {
		struct entry *entry = p->resolving;

		resolving_remove(p, entry); /* NOLINT(clang-analyzer-unix.Malloc) */
		dns_cancel(entry->lookup);
		start_drop(&entry->waiter);
	}
	start_proxies_fini(p);
	peers_free(p->peers, start_drop);
	p->peers = NULL;
}
