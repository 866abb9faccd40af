/* What configurations use the files for in which certificates lie: whoever presents one to servers needs one for
 * clients, whoever serves one needs one for servers. */
#include "agent/inventory_internal.h"

#include "agent/base/index.h"
#include "agent/base/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A host with more has the rest unjudged, which is logged. */
#define FILES_MAX 100000

/* A job that presents a certificate tells of it as its own. */
#define SCANNER_PRESENTS "endpoints"

#define USAGE_ANY "anyExtendedKeyUsage"

enum { USE_CLIENT = 1, USE_SERVER = 2 };

struct uses_map {
	struct shared shared;
	struct strings files; /* uris; a folder's with its last slash */
	struct index index;
	uint8_t *uses; /* owned; of each file, as bits */
	size_t room;
	bool is_full; /* there are more than FILES_MAX */
};

static void fini(struct shared *s)
{
	struct uses_map *m = (struct uses_map *)s;

	strings_fini(&m->files);
	index_fini(&m->index);
	free(m->uses);
}

/* ---- loading ------------------------------------------------------------------------------------ */

static bool is_text(const void *items, uint32_t at, const void *key)
{
	const struct slice *text = key;
	const char *item = ((char *const *)items)[at];

	return strlen(item) == text->size && memcmp(item, text->data, text->size) == 0;
}

static bool find(const struct uses_map *m, struct slice uri, uint32_t *at)
{
	return index_find(
		&m->index, index_hash(uri.data, uri.size), is_text, m->files.items, &uri, at);
}

/* Takes `uri`. */
static enum err add(struct uses_map *m, char *uri, uint8_t use)
{
	struct slice text = slice_text(uri);
	uint32_t at;
	enum err e;

	if (find(m, text, &at)) {
		m->uses[at] |= use;
		free(uri);
		return ERR_OK;
	}
	if (m->files.count == m->room) {
		size_t room = m->room ? 2 * m->room : 64;
		uint8_t *uses = realloc(m->uses, room);

		if (!uses) {
			free(uri);
			return ERR_MEMORY;
		}
		m->uses = uses;
		m->room = room;
	}
	at = (uint32_t)m->files.count;
	e = strings_take(&m->files, uri);
	if (e != ERR_OK)
		return e;
	m->uses[at] = use;
	return index_add(&m->index, index_hash(text.data, text.size), at);
}

static uint8_t use_of(const struct reference_record *r)
{
	if (!r->is_active || !r->file)
		return 0;
	return r->role == REFERENCE_CLIENT_CERTIFICATE   ? USE_CLIENT
	       : r->role == REFERENCE_SERVER_CERTIFICATE ? USE_SERVER
							 : 0;
}

static enum err add_row(struct inventory *i, struct uses_map *m, sqlite3_stmt *row, struct why *why)
{
	struct record r;
	char *uri = NULL;
	uint8_t use;
	enum err e = record_decode(inventory_column_bytes(row, 0), &r);

	if (e != ERR_OK)
		return e == ERR_MEMORY ? e : inventory_damaged(i, why);
	use = r.kind == RECORD_REFERENCE ? use_of(&r.reference) : 0;
	m->is_full = m->is_full || (use && m->files.count == FILES_MAX);
	if (use && m->files.count < FILES_MAX) {
		e = asprintf(&uri, "%s%s", r.reference.file, r.reference.is_folder ? "/" : "") < 0
			    ? ERR_MEMORY
			    : add(m, uri, use);
	}
	record_fini(&r);
	return e;
}

static enum err load(struct inventory *i, struct shared *s, struct why *why)
{
	struct uses_map *m = (struct uses_map *)s;
	sqlite3_stmt *rows = NULL;
	bool is_row = true;
	enum err e = store_prepare(i->store,
		"SELECT detail FROM reference WHERE file IS NOT NULL AND gone_at IS NULL", &rows,
		why);

	while (e == ERR_OK) {
		e = inventory_step(i, rows, &is_row, why);
		if (e != ERR_OK || !is_row)
			break;
		e = add_row(i, m, rows, why);
	}
	sqlite3_finalize(rows);
	if (m->is_full)
		log_warn(
			"configurations use more than %d files as certificates: some are judged as if none did",
			FILES_MAX);
	return e;
}

static const struct shared_kind kind = {
	.slot = SHARED_USES,
	.bytes = sizeof(struct uses_map),
	.load = load,
	.fini = fini,
};

enum err uses_map_take(struct inventory *i, struct uses_map **out, struct why *why)
{
	struct shared *s = NULL;
	enum err e = shared_take(i, &kind, &s, why);

	if (e == ERR_OK)
		*out = (struct uses_map *)s;
	return e;
}

void uses_map_release(struct uses_map *m)
{
	shared_release((struct shared *)m);
}

void uses_map_forget(struct inventory *i)
{
	shared_forget(i, SHARED_USES);
}

/* ---- judging by it ------------------------------------------------------------------------------ */

static uint8_t uses_at(const struct uses_map *m, const char *uri)
{
	const char *member = strstr(uri, "!/");
	size_t size = member ? (size_t)(member - uri) : strlen(uri);
	uint8_t uses = 0;
	uint32_t at;

	if (find(m, slice_of(uri, size), &at))
		uses |= m->uses[at];
	while (size && uri[size - 1] != '/')
		size--;
	if (size && find(m, slice_of(uri, size), &at))
		uses |= m->uses[at];
	return uses;
}

/* No extended key usage forbids nothing (RFC 5280 4.2.1.12). */
static bool allows(const struct certificate *c, const char *usage)
{
	return !c->extended_key_usage.count || strings_contain(&c->extended_key_usage, usage) ||
	       strings_contain(&c->extended_key_usage, USAGE_ANY);
}

void uses_map_judge(const struct uses_map *m, struct record *r)
{
	const struct certificate *c = &r->certificate.facts;
	struct verdict *v = &r->certificate.verdict;
	uint8_t uses;

	/* What is served was judged as such; and a CA beside a leaf is there for the chain. */
	if (r->certificate.is_served || c->is_ca)
		return;
	uses = uses_at(m, r->location.uri);
	if (r->location.scanner && strcmp(r->location.scanner, SCANNER_PRESENTS) == 0)
		uses |= USE_CLIENT;
	if ((!(uses & USE_CLIENT) || allows(c, "clientAuth")) &&
		(!(uses & USE_SERVER) || allows(c, "serverAuth")))
		return;
	v->problems |= PROBLEM_BIT(PROBLEM_WRONG_USAGE);
	rules_add(&v->violations, RULE_PURPOSE);
}
