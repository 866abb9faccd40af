/* The exporters that run. */
#include "agent/outlets.h"

#include "agent/base/clock.h"
#include "agent/base/log.h"

#include "agent/config/schema.h"

#include <stdlib.h>
#include <string.h>

#define SHOWN_BYTES_MAX (256 * 1024)

struct running {
	struct outlet *outlet; /* borrowed; NULL = does not run */
	void *state;
};

/* One notification handed to a receiver and not answered yet. */
struct flight {
	struct flight *next;
	struct outlets *outlets;
	struct outbox *outbox;
	char *id;
	char *receiver;
};

struct outlets {
	struct running *items;
	size_t count;
	struct flight *flights;
};

static void flight_free(struct flight *f)
{
	free(f->id);
	free(f->receiver);
	free(f);
}

void outlets_stop(struct outlets *o)
{
	if (!o)
		return;
	for (size_t i = 0; o->items && i < o->count; i++)
		if (o->items[i].outlet)
			o->items[i].outlet->exporter->stop(o->items[i].state);
	while (o->flights) {
		struct flight *f = o->flights;

		o->flights = f->next;
		flight_free(f);
	}
	free(o->items);
	free(o);
}

/* Entries are compared by what the configuration shows of them, which hides secrets: receivers, which
 * have some, are always started anew. */
static bool is_same(const struct outlet *a, const struct outlet *b)
{
	struct buffer texts[2];
	bool is_equal;

	if (a->exporter != b->exporter || a->exporter->is_receiver)
		return false;
	buffer_init(&texts[0], SHOWN_BYTES_MAX);
	buffer_init(&texts[1], SHOWN_BYTES_MAX);
	schema_show(a->exporter->fields, a->conf, 0, &texts[0]);
	schema_show(b->exporter->fields, b->conf, 0, &texts[1]);
	is_equal = buffer_status(&texts[0]) == ERR_OK && buffer_status(&texts[1]) == ERR_OK &&
		   strcmp(buffer_string(&texts[0]), buffer_string(&texts[1])) == 0;
	buffer_fini(&texts[0]);
	buffer_fini(&texts[1]);
	return is_equal;
}

/* Takes over an exporter that runs with the very same settings, so that a reload leaves no gap. It holds
 * on to its conf: the two change places. */
static bool adopt(struct running *to, struct outlet *outlet, struct outlets *old)
{
	for (size_t i = 0; old && i < old->count; i++) {
		struct running *r = &old->items[i];
		void *conf;

		if (!r->outlet || !is_same(r->outlet, outlet))
			continue;
		conf = outlet->conf;
		outlet->conf = r->outlet->conf;
		r->outlet->conf = conf;
		*to = (struct running){ .outlet = outlet, .state = r->state };
		r->outlet = NULL;
		return true;
	}
	return false;
}

enum err outlets_start(struct settings *s, const struct exporter_host *host, struct outlets *old,
	struct outlets **out, struct why *why)
{
	struct outlets *o = calloc(1, sizeof(*o));
	enum err e = ERR_OK;

	if (o)
		o->items = calloc(s->outlets_count + 1, sizeof(*o->items));
	if (!o || !o->items) {
		outlets_stop(old);
		outlets_stop(o);
		return ERR_MEMORY;
	}
	o->count = s->outlets_count;
	for (size_t i = 0; i < o->count; i++)
		(void)adopt(&o->items[i], &s->outlets[i], old);
	/* Addresses have to be free before others listen there. */
	outlets_stop(old);
	for (size_t i = 0; e == ERR_OK && i < o->count; i++) {
		struct running *r = &o->items[i];

		if (r->outlet)
			continue;
		e = s->outlets[i].exporter->start(s->outlets[i].conf, host, &r->state, why);
		if (e == ERR_OK)
			r->outlet = &s->outlets[i];
	}
	if (e != ERR_OK) {
		outlets_stop(o);
		return e;
	}
	*out = o;
	return ERR_OK;
}

void outlets_update(struct outlets *o, const struct view *view)
{
	for (size_t i = 0; i < o->count; i++) {
		const struct exporter *exporter = o->items[i].outlet->exporter;
		enum err e = exporter->update ? exporter->update(o->items[i].state, view) : ERR_OK;

		if (e != ERR_OK)
			log_error("the %s exporter could not show the inventory: %s",
				exporter->name, err_text(e));
	}
}

void outlets_each_address(const struct outlets *o,
	void (*fn)(void *arg, const char *exporter, const char *address), void *arg)
{
	for (size_t i = 0; i < o->count; i++) {
		const struct exporter *exporter = o->items[i].outlet->exporter;
		const char *address =
			exporter->address ? exporter->address(o->items[i].state) : NULL;

		if (address)
			fn(arg, exporter->name, address);
	}
}

/* ---- deliveries ------------------------------------------------------------------------------- */

static void tell_outbox(struct outbox *outbox, const char *id, const struct delivery_result *result)
{
	struct delivery_result rounded = *result;
	struct why why = { 0 };

	/* The clock shows whole seconds: without this the next attempt could come up to one too early. */
	if (rounded.retry_after_s > 0)
		rounded.retry_after_s++;
	if (outbox_result(outbox, id, &rounded, clock_now_s(), &why) != ERR_OK)
		log_error("cannot store how a delivery ended: %s", why.text);
}

static void on_delivered(void *arg, const struct delivery_result *result)
{
	struct flight *f = arg;

	for (struct flight **at = &f->outlets->flights; *at; at = &(*at)->next) {
		if (*at == f) {
			*at = f->next;
			break;
		}
	}
	if (result->outcome == DELIVERY_OK)
		log_info("told %s", f->receiver);
	tell_outbox(f->outbox, f->id, result);
	flight_free(f);
}

static const struct running *find_receiver(const struct outlets *o, const char *name)
{
	for (size_t i = 0; i < o->count; i++) {
		const struct receiver_conf *conf = o->items[i].outlet->conf;

		if (o->items[i].outlet->exporter->is_receiver && strcmp(conf->name, name) == 0)
			return &o->items[i];
	}
	return NULL;
}

static struct flight *take_off(
	struct outlets *o, struct outbox *outbox, const struct notification *n)
{
	struct flight *f = calloc(1, sizeof(*f));

	if (!f)
		return NULL;
	f->outlets = o;
	f->outbox = outbox;
	f->id = strdup(n->id);
	f->receiver = strdup(n->receiver);
	if (!f->id || !f->receiver) {
		flight_free(f);
		return NULL;
	}
	f->next = o->flights;
	o->flights = f;
	return f;
}

static void deliver_one(struct outlets *o, struct outbox *outbox, const struct notification *n)
{
	static const struct delivery_result try_later = { .outcome = DELIVERY_RETRY,
		.reason = "other" };
	const struct running *r = find_receiver(o, n->receiver);
	struct flight *f = r ? take_off(o, outbox, n) : NULL;
	struct why why = { 0 };
	struct delivery_result result = try_later;

	if (!f) {
		tell_outbox(outbox, n->id, &try_later);
		return;
	}
	if (r->outlet->exporter->deliver(r->state, n, on_delivered, f, &why) == ERR_OK)
		return;
	result.message = why.text;
	on_delivered(f, &result);
}

void outlets_deliver(struct outlets *o, struct outbox *outbox, int64_t now)
{
	for (;;) {
		struct notification n;
		struct why why = { 0 };
		enum err e = outbox_due(outbox, now, &n, &why);

		if (e == ERR_END)
			return;
		if (e != ERR_OK) {
			log_error("cannot read the outbox: %s", why_text(&why, e));
			return;
		}
		deliver_one(o, outbox, &n);
		notification_fini(&n);
	}
}

unsigned outlets_flights(const struct outlets *o)
{
	unsigned count = 0;

	for (const struct flight *f = o->flights; f; f = f->next)
		count++;
	return count;
}

enum err outlets_receivers(const struct settings *s, struct strings *names,
	const struct receiver_conf ***confs, size_t *count)
{
	const struct receiver_conf **list =
		calloc(s->outlets_count + 1, sizeof(const struct receiver_conf *));
	enum err e = list ? ERR_OK : ERR_MEMORY;
	size_t n = 0;

	for (size_t i = 0; e == ERR_OK && i < s->outlets_count; i++) {
		if (!s->outlets[i].exporter->is_receiver)
			continue;
		list[n] = s->outlets[i].conf;
		e = strings_add(names, list[n]->name);
		n++;
	}
	if (e != ERR_OK) {
		free(list);
		return e;
	}
	*confs = list;
	*count = n;
	return ERR_OK;
}
