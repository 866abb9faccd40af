/* Which certificates are judged again with issuers from elsewhere: by names alone, main parses nothing. */
#include "agent/completion.h"

#include "agent/base/array.h"
#include "agent/base/clock.h"
#include "agent/base/text.h"
#include "agent/base/wire.h"
#include "agent/certificate/certificate.h"
#include "agent/certificate/name_key.h"
#include "agent/inventory_internal.h"
#include "scanners/completion_case.h"

#include <stdlib.h>
#include <string.h>

#define PLACE_PREFIX "completion:"
/* CAs of one name that are tried: the ones known longest, so that newcomers cannot crowd them out. */
#define NAMESAKES_MAX 16

struct ca {
	int64_t certificate;
	uint8_t fingerprint[FINGERPRINT_BYTES];
	struct name_key subject;
	struct name_key issuer;
	bool has_issuer; /* that is another name */
	bool is_revoked;
};

/* All that may stand above an issuer's name: places in `cas`. */
struct closure {
	uint32_t items[COMPLETION_CANDIDATES_MAX];
	size_t count;
};

struct question {
	struct wanting of;
	uint8_t judging; /* its number now */
	uint8_t key[FINGERPRINT_BYTES];
	size_t closure;
	uint64_t given; /* a bit for each of the closure that it is judged with */
};
_Static_assert(COMPLETION_CANDIDATES_MAX <= 64, "a bit each");

struct completion {
	struct inventory *inventory;   /* borrowed */
	struct completion_terms terms; /* borrowed until all questions are found */
	struct ca *cas; /* owned; by subject, of one name those known longest first */
	size_t cas_count;
	bool has_revoked;                        /* one of them is */
	const struct revocation_map *revocation; /* borrowed until all questions are found */
	struct closure *closures;                /* owned; the last one is being worked on */
	size_t closures_count;
	struct question *questions; /* owned */
	size_t questions_count;
	size_t next;
};

void completion_free(struct completion *c)
{
	if (!c)
		return;
	free(c->cas);
	free(c->closures);
	free(c->questions);
	free(c);
}

/* ---- the CAs ---------------------------------------------------------------------------------- */

static int by_subject(const void *a, const void *b)
{
	const struct ca *x = a;
	const struct ca *y = b;
	int order = memcmp(x->subject.bytes, y->subject.bytes, NAME_KEY_BYTES);

	return order ? order
		     : (x->certificate > y->certificate) - (x->certificate < y->certificate);
}

static enum err name_key(sqlite3_stmt *row, int at, struct name_key *out)
{
	const char *text = (const char *)sqlite3_column_text(row, at);

	return text ? name_key_of(text, out) : ERR_NOT_FOUND;
}

static enum err add_ca(struct completion *c, sqlite3_stmt *row)
{
	struct slice fingerprint = inventory_column_bytes(row, 1);
	struct revocation revocation;
	struct ca *ca;
	enum err e;

	if (!array_grow((void **)&c->cas, c->cas_count, sizeof(*c->cas)))
		return ERR_MEMORY;
	ca = &c->cas[c->cas_count];
	*ca = (struct ca){ .certificate = sqlite3_column_int64(row, 0) };
	e = name_key(row, 2, &ca->subject);
	/* Nobody is issued by who has no name. */
	if (e == ERR_NOT_FOUND || fingerprint.size != FINGERPRINT_BYTES)
		return ERR_OK;
	memcpy(ca->fingerprint, fingerprint.data, FINGERPRINT_BYTES);
	if (e == ERR_OK)
		e = name_key(row, 3, &ca->issuer);
	ca->has_issuer = e == ERR_OK && memcmp(&ca->issuer, &ca->subject, sizeof(ca->subject)) != 0;
	ca->is_revoked =
		revocation_map_find(c->revocation, ca->fingerprint, c->terms.now, &revocation) &&
		revocation.status == REVOCATION_REVOKED;
	c->has_revoked = c->has_revoked || ca->is_revoked;
	c->cas_count++;
	return e == ERR_NOT_FOUND ? ERR_OK : e;
}

static enum err load_cas(struct completion *c, struct why *why)
{
	sqlite3_stmt *rows = NULL;
	bool is_row = true;
	enum err e = store_prepare(c->inventory->store,
		"SELECT p.certificate,c.fingerprint,c.subject,c.issuer FROM pool p CROSS JOIN"
		" certificate c ON c.id=p.certificate WHERE p.is_ca",
		&rows, why);

	while (e == ERR_OK) {
		e = inventory_step(c->inventory, rows, &is_row, why);
		if (e != ERR_OK || !is_row)
			break;
		e = add_ca(c, rows);
	}
	sqlite3_finalize(rows);
	if (e == ERR_OK && c->cas_count)
		qsort(c->cas, c->cas_count, sizeof(*c->cas), by_subject);
	return e;
}

/* ---- what may stand above a name --------------------------------------------------------------- */

/* The first CA of that name, or where it would be. */
static size_t first_of(const struct completion *c, const struct name_key *name)
{
	size_t low = 0;
	size_t high = c->cas_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (memcmp(c->cas[middle].subject.bytes, name->bytes, NAME_KEY_BYTES) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool holds(const struct closure *closure, size_t ca)
{
	for (size_t n = 0; n < closure->count; n++)
		if (closure->items[n] == ca)
			return true;
	return false;
}

static void add_named(
	const struct completion *c, const struct name_key *name, struct closure *closure)
{
	size_t first = first_of(c, name);

	for (size_t n = first; n < c->cas_count && n - first < NAMESAKES_MAX; n++) {
		if (memcmp(c->cas[n].subject.bytes, name->bytes, NAME_KEY_BYTES) != 0)
			return;
		if (closure->count < COMPLETION_CANDIDATES_MAX && !holds(closure, n))
			closure->items[closure->count++] = (uint32_t)n;
	}
}

static void close_over(
	const struct completion *c, const struct name_key *name, struct closure *closure)
{
	closure->count = 0;
	add_named(c, name, closure);
	for (size_t n = 0; n < closure->count; n++) {
		const struct ca *ca = &c->cas[closure->items[n]];

		if (ca->has_issuer)
			add_named(c, &ca->issuer, closure);
	}
}

/* ---- who is to be judged ------------------------------------------------------------------------ */

/* A certificate that may have a better path than some place knew. */
struct miss {
	struct wanting of;
	enum lack lack;
	struct slice known; /* the chain that its place knew */
	struct slice fingerprint;
};

static bool is_known(const struct miss *m, const uint8_t fingerprint[FINGERPRINT_BYTES])
{
	for (size_t at = 0; at + FINGERPRINT_BYTES <= m->known.size; at += FINGERPRINT_BYTES)
		if (memcmp(m->known.data + at, fingerprint, FINGERPRINT_BYTES) == 0)
			return true;
	return false;
}

static bool is_fallen(const struct completion *c, const struct miss *m)
{
	const struct fingerprints chain = { .items = (uint8_t(*)[FINGERPRINT_BYTES])(
						    uintptr_t)m->known.data,
		.count = m->known.size / FINGERPRINT_BYTES };
	struct revocation unused;

	return revocation_map_find_above(c->revocation, &chain, c->terms.now, &unused);
}

static bool is_given(const struct question *q, size_t n)
{
	return q->given >> n & 1;
}

/* Clients of a server have only what it sends with the certificate; where that leads nowhere, they are told
 * of what it should send. */
static enum err give(
	struct completion *c, const struct miss *m, struct question *q, struct why *why)
{
	const struct closure *closure = &c->closures[q->closure];
	bool is_sent_only = m->of.purpose == PURPOSE_SERVER && m->lack != LACKS_ISSUER;
	enum err e = ERR_OK;

	for (size_t n = 0; e == ERR_OK && n < closure->count; n++) {
		int64_t ca = c->cas[closure->items[n]].certificate;
		bool is_it = ca != m->of.certificate;

		if (is_it && is_sent_only)
			e = inventory_pool_beside(c->inventory, m->of.certificate, ca, &is_it, why);
		if (e == ERR_OK && is_it)
			q->given |= UINT64_C(1) << n;
	}
	return e;
}

/* Is there any that its place did not know? */
static bool has_news(const struct completion *c, const struct miss *m, const struct question *q)
{
	const struct closure *closure = &c->closures[q->closure];

	for (size_t n = 0; n < closure->count; n++) {
		const struct ca *ca = &c->cas[closure->items[n]];

		if (is_given(q, n) && !is_known(m, ca->fingerprint) &&
			!(ca->is_revoked && m->lack != LACKS_ISSUER))
			return true;
	}
	return false;
}

static enum err key_of(const struct completion *c, const struct miss *m, struct question *q)
{
	const struct closure *closure = &c->closures[q->closure];
	struct buffer bytes;
	enum err e;

	buffer_init(&bytes, (COMPLETION_CANDIDATES_MAX + 3) * (FINGERPRINT_BYTES + 1));
	buffer_append(&bytes, c->terms.context, FINGERPRINT_BYTES);
	buffer_slice(&bytes, m->fingerprint);
	buffer_byte(&bytes, (uint8_t)m->of.purpose);
	wire_put_u64(&bytes, m->of.judging);
	for (size_t n = 0; n < closure->count; n++) {
		const struct ca *ca = &c->cas[closure->items[n]];

		if (!is_given(q, n))
			continue;
		buffer_append(&bytes, ca->fingerprint, FINGERPRINT_BYTES);
		buffer_byte(&bytes, ca->is_revoked);
	}
	e = buffer_status(&bytes);
	if (e == ERR_OK)
		fingerprint_of(buffer_bytes(&bytes), q->key);
	buffer_fini(&bytes);
	return e;
}

/* Was it judged with these already, and does that still hold? */
static enum err is_settled(
	const struct completion *c, const struct question *q, bool *out, struct why *why)
{
	sqlite3_stmt *find;
	bool is_row = false;
	enum err e = inventory_statement(c->inventory, COMPLETION_KEY, &find, why);

	if (e != ERR_OK)
		return e;
	inventory_wanting_bind(find, &q->of);
	e = inventory_step(c->inventory, find, &is_row, why);
	if (e == ERR_OK && is_row) {
		struct slice key = inventory_column_bytes(find, 0);
		int64_t boundary = inventory_column_time(find, 1);

		*out = key.size == FINGERPRINT_BYTES &&
		       memcmp(key.data, q->key, FINGERPRINT_BYTES) == 0 &&
		       (boundary == TIME_UNKNOWN || boundary > c->terms.now);
	}
	(void)sqlite3_reset(find);
	return e;
}

/* The number of the judging now; false where no job is judged so any more. */
static bool find_judging(const struct completion *c, uint64_t id, uint8_t *number)
{
	const struct parser_options *o = c->terms.options;

	*number = 0;
	for (size_t n = 0; id && n < o->judgings_count; n++)
		if (o->judgings[n].id == id) {
			*number = (uint8_t)n;
			return true;
		}
	return !id;
}

static enum err ask(struct completion *c, const struct miss *m, struct why *why)
{
	struct question q = { .of = m->of, .closure = c->closures_count - 1 };
	bool is_done = false;
	enum err e;

	if (m->lack == LACKS_NOTHING && !is_fallen(c, m))
		return ERR_OK;
	/* What was found before stands as the verdict does, until the place is looked at again. */
	if (!find_judging(c, m->of.judging, &q.judging))
		return ERR_OK;
	e = give(c, m, &q, why);
	if (e != ERR_OK)
		return e;
	if (!has_news(c, m, &q))
		return inventory_completion_drop(c->inventory, &m->of, why);
	e = key_of(c, m, &q);
	if (e == ERR_OK)
		e = is_settled(c, &q, &is_done, why);
	if (e != ERR_OK || is_done)
		return e;
	if (!array_grow((void **)&c->questions, c->questions_count, sizeof(*c->questions)))
		return ERR_MEMORY;
	c->questions[c->questions_count++] = q;
	return ERR_OK;
}

/* Certificates of one issuer come in a row and share what may stand above them. */
static enum err take_issuer(struct completion *c, sqlite3_stmt *row, struct name_key *last)
{
	struct name_key name;
	enum err e = name_key(row, 5, &name);

	if (e == ERR_NOT_FOUND) {
		memset(&name, 0, sizeof(name));
		e = ERR_OK;
	}
	if (e != ERR_OK ||
		(c->closures_count && memcmp(name.bytes, last->bytes, NAME_KEY_BYTES) == 0))
		return e;
	if (!array_grow((void **)&c->closures, c->closures_count, sizeof(*c->closures)))
		return ERR_MEMORY;
	close_over(c, &name, &c->closures[c->closures_count++]);
	*last = name;
	return ERR_OK;
}

static enum err take_wanting(
	struct completion *c, sqlite3_stmt *row, struct name_key *last, struct why *why)
{
	const struct miss m = { .of = { .certificate = sqlite3_column_int64(row, 0),
					.purpose = (enum purpose)sqlite3_column_int(row, 1),
					.judging = (uint64_t)sqlite3_column_int64(row, 2) },
		.lack = (enum lack)sqlite3_column_int(row, 6),
		.known = inventory_column_bytes(row, 3),
		.fingerprint = inventory_column_bytes(row, 4) };
	enum err e = take_issuer(c, row, last);

	return e == ERR_OK ? ask(c, &m, why) : e;
}

static enum err find_questions(struct completion *c, struct why *why)
{
	sqlite3_stmt *rows = NULL;
	struct name_key last = { { 0 } };
	bool is_row = true;
	enum err e = store_prepare(c->inventory->store,
		"SELECT w.certificate,w.purpose,w.judging,w.known,c.fingerprint,c.issuer,w.lack"
		" FROM wanting w CROSS JOIN certificate c ON c.id=w.certificate WHERE w.lack<=?1"
		" ORDER BY c.issuer",
		&rows, why);

	if (e == ERR_OK)
		(void)sqlite3_bind_int(rows, 1, c->has_revoked ? LACKS_NOTHING : LACKS_BETTER);
	while (e == ERR_OK) {
		e = inventory_step(c->inventory, rows, &is_row, why);
		if (e != ERR_OK || !is_row)
			break;
		e = take_wanting(c, rows, &last, why);
	}
	sqlite3_finalize(rows);
	return e;
}

enum err completion_new(struct inventory *i, const struct completion_terms *terms,
	struct completion **out, struct why *why)
{
	struct completion *c = calloc(1, sizeof(*c));
	struct revocation_map *revocation = NULL;
	bool is_own = false;
	enum err e;

	if (!c)
		return ERR_MEMORY;
	c->inventory = i;
	c->terms = *terms;
	e = inventory_enter(i, &is_own, why);
	if (e == ERR_OK)
		e = inventory_pool_prune(i, why);
	if (e == ERR_OK)
		e = revocation_map_take(i, &revocation, why);
	c->revocation = revocation;
	if (e == ERR_OK)
		e = load_cas(c, why);
	if (e == ERR_OK)
		e = find_questions(c, why);
	revocation_map_release(revocation);
	c->revocation = NULL;
	e = inventory_leave(i, is_own, e, why);
	if (e != ERR_OK) {
		completion_free(c);
		return e;
	}
	c->terms = (struct completion_terms){ 0 };
	*out = c;
	return ERR_OK;
}

/* ---- questions and answers ---------------------------------------------------------------------- */

/* Those of a case one after the other, and where each ends. */
struct ders {
	struct buffer bytes;
	size_t ends[COMPLETION_CANDIDATES_MAX + 1];
	size_t count;
};

static enum err add_der(
	const struct completion *c, int64_t certificate, struct ders *d, struct why *why)
{
	enum err e = inventory_pool_der(c->inventory, certificate, &d->bytes, why);

	if (e == ERR_OK)
		d->ends[d->count++] = d->bytes.size;
	return e;
}

/* Of the question's issuers only those that are revoked, or only the others. */
static enum err add_issuers(const struct completion *c, const struct question *q, bool is_revoked,
	struct ders *d, struct why *why)
{
	const struct closure *closure = &c->closures[q->closure];
	enum err e = ERR_OK;

	for (size_t n = 0; e == ERR_OK && n < closure->count; n++) {
		const struct ca *ca = &c->cas[closure->items[n]];

		if (is_given(q, n) && ca->is_revoked == is_revoked)
			e = add_der(c, ca->certificate, d, why);
	}
	return e;
}

static enum err write_case(
	const struct completion *c, const struct question *q, struct buffer *out, struct why *why)
{
	struct completion_case given = { .purpose = q->of.purpose };
	struct ders d = { .count = 0 };
	size_t preferred;
	enum err e;

	buffer_init(&d.bytes, COMPLETION_CASE_BYTES_MAX);
	e = add_der(c, q->of.certificate, &d, why);
	if (e == ERR_OK)
		e = add_issuers(c, q, false, &d, why);
	preferred = d.count;
	if (e == ERR_OK)
		e = add_issuers(c, q, true, &d, why);
	given.leaf = slice_of(d.bytes.data, d.ends[0]);
	for (size_t n = 1; e == ERR_OK && n < d.count; n++)
		given.candidates[given.count++] =
			slice_of(d.bytes.data + d.ends[n - 1], d.ends[n] - d.ends[n - 1]);
	given.shunned = d.count - preferred;
	if (e == ERR_OK) {
		completion_case_encode(out, &given);
		e = buffer_status(out);
	}
	buffer_fini(&d.bytes);
	return e;
}

enum err completion_next(struct completion *c, char place[COMPLETION_PLACE_BYTES], uint8_t *judging,
	struct buffer *out, struct why *why)
{
	const struct question *q;
	enum err e;

	if (c->next == c->questions_count)
		return ERR_END;
	q = &c->questions[c->next++];
	memcpy(place, PLACE_PREFIX, sizeof(PLACE_PREFIX));
	text_hex(place + sizeof(PLACE_PREFIX) - 1, q->key, FINGERPRINT_BYTES);
	buffer_clear(out);
	e = write_case(c, q, out, why);
	*judging = q->judging;
	if (e == ERR_OK)
		e = inventory_completion_mark(c->inventory, &q->of, q->key, why);
	return e;
}

enum err completion_answer(struct inventory *i, const struct record *r, struct why *why)
{
	uint8_t key[FINGERPRINT_BYTES];
	const char *uri = r->location.uri;

	if (strncmp(uri, PLACE_PREFIX, sizeof(PLACE_PREFIX) - 1) != 0 ||
		strlen(uri) != COMPLETION_PLACE_BYTES - 1 ||
		!text_unhex(key, FINGERPRINT_BYTES, uri + sizeof(PLACE_PREFIX) - 1))
		return why_fail(why, ERR_MALFORMED, "a verdict on nothing that was asked about");
	return inventory_completion_put(
		i, key, r->kind == RECORD_CERTIFICATE ? &r->certificate.verdict : NULL, why);
}
