/* Asking the inventory what configurations name. */
#include "agent/inventory_internal.h"

#include "agent/base/clock.h"
#include "agent/base/log.h"

#include <stdlib.h>
#include <string.h>

struct users {
	enum err (*fn)(void *, const struct sighting *);
	void *arg;
};

static enum err tell_folder(void *arg, const struct sighting *s)
{
	const struct users *u = arg;

	return s->record->reference.is_folder ? u->fn(u->arg, s) : ERR_OK;
}

enum err inventory_each_user(struct inventory *i, const char *uri,
	enum err (*fn)(void *, const struct sighting *), void *arg, struct why *why)
{
	struct users users = { .fn = fn, .arg = arg };
	struct inventory_filter filter = { .kind = RECORD_REFERENCE };
	const char *member = strstr(uri, "!/");
	char *file = member ? strndup(uri, (size_t)(member - uri)) : strdup(uri);
	char *slash;
	enum err e;

	if (!file)
		return ERR_MEMORY;
	filter.file = file;
	e = inventory_each(i, &filter, fn, arg, why);
	slash = strrchr(file, '/');
	if (e == ERR_OK && slash) {
		*slash = 0;
		e = inventory_each(i, &filter, tell_folder, &users, why);
	}
	free(file);
	return e;
}

/* ---- names ------------------------------------------------------------------------------------ */

/* Who let a certificate expire this long ago does not serve it any more. */
#define EXPIRED_LONG_AGO_S (90 * 86400LL)
#define CERTIFICATES_MAX 20000

struct names {
	enum err (*fn)(void *arg, const char *name, uint16_t port);
	void *arg;
};

static enum err tell_configured(void *arg, const struct sighting *s)
{
	const struct names *n = arg;
	const struct reference_record *r = &s->record->reference;
	enum err e = ERR_OK;

	if (!r->is_active ||
		(r->role != REFERENCE_SERVER && r->role != REFERENCE_SERVER_CERTIFICATE))
		return ERR_OK;
	for (size_t p = 0; e == ERR_OK && p < r->ports_count; p++)
		for (size_t i = 0; e == ERR_OK && i < r->names.count; i++)
			e = n->fn(n->arg, r->names.items[i], r->ports[p]);
	/* Dovecot's local_name holds on whatever it listens on. */
	for (size_t i = 0; e == ERR_OK && !r->ports_count && i < r->names.count; i++)
		e = n->fn(n->arg, r->names.items[i], 0);
	return e;
}

static bool is_for_servers(const struct certificate *c)
{
	if (c->is_ca)
		return false;
	return !c->extended_key_usage.count ||
	       strings_contain(&c->extended_key_usage, "serverAuth");
}

static enum err tell_certificate(const struct names *n, struct slice bytes)
{
	const struct strings *names;
	struct record r;
	enum err e = record_decode(bytes, &r);

	/* A damaged row is told by those that show it. */
	if (e != ERR_OK)
		return e == ERR_MEMORY ? e : ERR_OK;
	names = &r.certificate.facts.names;
	if (r.kind == RECORD_CERTIFICATE && is_for_servers(&r.certificate.facts))
		for (size_t i = 0; e == ERR_OK && i < names->count; i++)
			if (strncmp(names->items[i], "dns:", 4) == 0)
				e = n->fn(n->arg, names->items[i] + 4, 0);
	record_fini(&r);
	return e;
}

/* Certificates that lie in files now. */
static const char suggesting_text[] =
	"SELECT facts FROM certificate c WHERE (not_after IS NULL OR not_after>?1) AND EXISTS"
	" (SELECT 1 FROM sighting s CROSS JOIN place p ON p.id=s.id>>24 WHERE s.certificate=c.id"
	" AND s.gone_at IS NULL AND p.uri BETWEEN 'file:' AND 'file;') ORDER BY id DESC LIMIT ?2";

enum err inventory_each_name(void *inventory,
	enum err (*fn)(void *arg, const char *name, uint16_t port), void *arg, struct why *why)
{
	struct inventory *i = inventory;
	const struct inventory_filter filter = { .kind = RECORD_REFERENCE };
	struct names names = { .fn = fn, .arg = arg };
	const int64_t values[] = { clock_now_s() - EXPIRED_LONG_AGO_S, CERTIFICATES_MAX };
	sqlite3_stmt *rows = NULL;
	bool is_row = true;
	size_t count = 0;
	enum err e = inventory_each(i, &filter, tell_configured, &names, why);

	if (e == ERR_OK)
		e = store_prepare(i->store, suggesting_text, &rows, why);
	if (e == ERR_OK)
		inventory_bind(rows, values, 2);
	while (e == ERR_OK) {
		e = inventory_step(i, rows, &is_row, why);
		if (e != ERR_OK || !is_row)
			break;
		e = tell_certificate(&names, inventory_column_bytes(rows, 0));
		count++;
	}
	if (count == CERTIFICATES_MAX)
		log_warn("names are taken from the last %d certificates; there may be more",
			CERTIFICATES_MAX);
	sqlite3_finalize(rows);
	return e;
}

/* ---- who serves ------------------------------------------------------------------------------- */

struct served {
	enum err (*fn)(void *arg, const struct scan_served *served);
	void *arg;
};

static enum err tell_served(void *arg, const struct sighting *s)
{
	const struct served *v = arg;
	const struct location *l = &s->record->location;
	const struct endpoint_record *e = &s->record->endpoint;
	const char *colon = strstr(l->uri, "://");
	char *scheme;
	struct scan_served served = { .address = e->address,
		.port = e->port,
		.leaf = e->chain.count ? e->chain.items[0] : NULL };
	enum err result;

	if (s->gone_at != TIME_UNKNOWN || strcmp(l->scanner, SCANNER_LISTENERS) != 0 || !colon ||
		strchr(l->uri, '@') || !served.address || !served.leaf)
		return ERR_OK;
	scheme = strndup(l->uri, (size_t)(colon - l->uri));
	if (!scheme)
		return ERR_MEMORY;
	served.scheme = scheme;
	result = v->fn(v->arg, &served);
	free(scheme);
	return result;
}

enum err inventory_each_served(void *inventory,
	enum err (*fn)(void *arg, const struct scan_served *served), void *arg, struct why *why)
{
	const struct inventory_filter filter = { .kind = RECORD_ENDPOINT };
	struct served served = { .fn = fn, .arg = arg };

	return inventory_each(inventory, &filter, tell_served, &served, why);
}
