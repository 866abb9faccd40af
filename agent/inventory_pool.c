/* The pool: certificates whose bytes are kept, because they may be the issuer that others miss, or may have a
 * better path themselves; and the verdicts on the latter with what the pool holds. */
#include "agent/inventory_internal.h"

#include "agent/base/log.h"

#include <stdlib.h>
#include <string.h>

/* Ceilings of what is kept, for each of the two kinds. Beyond them the rest is judged by its own place. */
#define POOL_COUNT_MAX 50000
#define POOL_BYTES_MAX (64LL * 1024 * 1024)

/* What a place says of a certificate, however its chain goes on. */
#define PROBLEMS_OF_PLACE                                                                     \
	(PROBLEM_BIT(PROBLEM_NAME_MISMATCH) | PROBLEM_BIT(PROBLEM_REVOKED) |                  \
		PROBLEM_BIT(PROBLEM_REVOCATION_UNKNOWN) | PROBLEM_BIT(PROBLEM_KEY_MISMATCH) | \
		PROBLEM_BIT(PROBLEM_SERVED_DIFFERS))
/* What a path through the pool does away with. */
#define PROBLEMS_OF_GAP                                                                  \
	(PROBLEM_BIT(PROBLEM_INCOMPLETE_CHAIN) | PROBLEM_BIT(PROBLEM_UNTRUSTED_ISSUER) | \
		PROBLEM_BIT(PROBLEM_BAD_SIGNATURE))

/* Of a path's certificates, whatever rests on them. */
#define PROBLEMS_OF_STRENGTH (PROBLEM_BIT(PROBLEM_WEAK_KEY) | PROBLEM_BIT(PROBLEM_WEAK_SIGNATURE))

/* ---- keeping ---------------------------------------------------------------------------------- */

static enum err count_kept(struct inventory *i, struct why *why)
{
	sqlite3_stmt *count;
	bool is_row = true;
	enum err e = inventory_statement(i, POOL_COUNT, &count, why);

	memset(i->pool, 0, sizeof(i->pool));
	while (e == ERR_OK) {
		struct pool_size *size;

		e = inventory_step(i, count, &is_row, why);
		if (e != ERR_OK || !is_row)
			break;
		size = &i->pool[sqlite3_column_int(count, 0) != 0];
		size->count = sqlite3_column_int64(count, 1);
		size->bytes = sqlite3_column_int64(count, 2);
	}
	i->is_pool_counted = e == ERR_OK;
	return e;
}

static bool has_room(struct inventory *i, bool is_ca, size_t size)
{
	const struct pool_size *kept = &i->pool[is_ca];

	if (kept->count < POOL_COUNT_MAX && kept->bytes + (int64_t)size <= POOL_BYTES_MAX)
		return true;
	if (!i->was_pool_full)
		log_warn(
			"more than %d certificates %s: chains of the rest are judged by their own places alone",
			POOL_COUNT_MAX, is_ca ? "of CAs" : "whose chains others may better");
	i->was_pool_full = true;
	return false;
}

void inventory_wanting_bind(sqlite3_stmt *statement, const struct wanting *w)
{
	const int64_t values[] = { w->certificate, (int64_t)w->purpose, (int64_t)w->judging };

	inventory_bind(statement, values, 3);
}

static struct wanting wanting_of(int64_t certificate, const struct record *r)
{
	bool is_first = r->certificate.is_served && r->location.index == 0;

	return (struct wanting){ .certificate = certificate,
		.purpose = is_first ? PURPOSE_SERVER : PURPOSE_ANY,
		.judging = r->certificate.verdict.judging };
}

/* What a server sends is all that its clients have, and the best path of it was taken. */
static enum lack lack_of(const struct certificate_record *r)
{
	if (verdict_lacks_issuer(&r->verdict))
		return LACKS_ISSUER;
	return !r->is_served && verdict_may_be_bettered(&r->verdict) ? LACKS_BETTER : LACKS_NOTHING;
}

/* Where no CA stands between it and its anchor, none can be revoked. */
static bool is_wanting(const struct certificate_record *r)
{
	return !r->verdict.is_anchor && !r->verdict.is_bundled &&
	       (lack_of(r) != LACKS_NOTHING || r->verdict.chain.count > 2);
}

static enum err put_wanting(
	struct inventory *i, int64_t certificate, const struct record *r, struct why *why)
{
	const struct wanting w = wanting_of(certificate, r);
	const struct fingerprints *chain = &r->certificate.verdict.chain;
	sqlite3_stmt *put;
	enum err e = inventory_statement(i, WANTING_PUT, &put, why);

	if (e != ERR_OK)
		return e;
	inventory_wanting_bind(put, &w);
	(void)sqlite3_bind_int(put, 4, (int)lack_of(&r->certificate));
	inventory_bind_bytes(put, 5, slice_of(chain->items, chain->count * FINGERPRINT_BYTES));
	return inventory_run(i, put, NULL, why);
}

/* The row that a statement with its values bound gives, if any: its first column goes to `out`, or nowhere. */
static enum err take_row(struct inventory *i, sqlite3_stmt *find, struct buffer *out,
	bool *is_there, struct why *why)
{
	enum err e = inventory_step(i, find, is_there, why);

	if (e == ERR_OK && *is_there && out)
		buffer_slice(out, inventory_column_bytes(find, 0));
	(void)sqlite3_reset(find);
	return e == ERR_OK && out ? buffer_status(out) : e;
}

/* Of a certificate, as take_row. */
static enum err take_der(struct inventory *i, int64_t certificate, struct buffer *out,
	bool *is_there, struct why *why)
{
	sqlite3_stmt *find;
	enum err e = inventory_statement(i, POOL_DER, &find, why);

	if (e != ERR_OK)
		return e;
	inventory_bind(find, &certificate, 1);
	return take_row(i, find, out, is_there, why);
}

enum err inventory_pool_put(
	struct inventory *i, int64_t certificate, const struct record *r, struct why *why)
{
	const struct certificate_record *c = &r->certificate;
	const int64_t values[] = { certificate, c->facts.is_ca };
	uint64_t changed = 0;
	bool has_place, is_kept = true;
	sqlite3_stmt *put;
	enum err e = i->is_pool_counted ? ERR_OK : count_kept(i, why);

	if (e == ERR_OK)
		e = inventory_statement(i, POOL_PUT, &put, why);
	if (e != ERR_OK)
		return e;
	has_place = has_room(i, c->facts.is_ca, c->der_size);
	inventory_bind(put, values, 2);
	inventory_bind_bytes(put, 3, slice_of(c->der, c->der_size));
	(void)sqlite3_bind_int(put, 4, has_place);
	e = inventory_run(i, put, &changed, why);
	if (e == ERR_OK && !has_place && (c->facts.is_ca || verdict_lacks_issuer(&c->verdict)))
		e = take_der(i, certificate, NULL, &is_kept, why);
	if (e == ERR_OK && !is_kept)
		i->has_left_out = true;
	if (e == ERR_OK && changed) {
		i->pool[c->facts.is_ca].count++;
		i->pool[c->facts.is_ca].bytes += (int64_t)c->der_size;
	}
	if (e == ERR_OK && is_wanting(c))
		e = put_wanting(i, certificate, r, why);
	return e;
}

bool inventory_left_out(struct inventory *i)
{
	bool has_left_out = i->has_left_out;

	i->has_left_out = false;
	return has_left_out;
}

enum err inventory_pool_prune(struct inventory *i, struct why *why)
{
	static const enum statement steps[] = { POOL_PRUNE, WANTING_PRUNE, COMPLETION_PRUNE };
	enum err e = inventory_run_steps(i, steps, sizeof(steps) / sizeof(steps[0]), NULL, why);

	i->is_pool_counted = false;
	return e;
}

enum err inventory_pool_der(
	struct inventory *i, int64_t certificate, struct buffer *out, struct why *why)
{
	bool is_there;

	return take_der(i, certificate, out, &is_there, why);
}

enum err inventory_pool_named(struct inventory *i, const uint8_t fingerprint[FINGERPRINT_BYTES],
	struct buffer *out, struct why *why)
{
	sqlite3_stmt *find;
	bool is_there;
	enum err e = inventory_statement(i, POOL_NAMED, &find, why);

	if (e != ERR_OK)
		return e;
	inventory_bind_bytes(find, 1, slice_of(fingerprint, FINGERPRINT_BYTES));
	return take_row(i, find, out, &is_there, why);
}

/* ---- verdicts with what the pool holds ---------------------------------------------------------- */

enum err inventory_completion_mark(struct inventory *i, const struct wanting *w,
	const uint8_t key[FINGERPRINT_BYTES], struct why *why)
{
	sqlite3_stmt *mark;
	enum err e = store_begin(i->store, why);

	if (e == ERR_OK)
		e = inventory_statement(i, COMPLETION_MARK, &mark, why);
	if (e != ERR_OK)
		return e;
	inventory_wanting_bind(mark, w);
	inventory_bind_bytes(mark, 4, slice_of(key, FINGERPRINT_BYTES));
	return inventory_run(i, mark, NULL, why);
}

enum err inventory_completion_put(struct inventory *i, const uint8_t key[FINGERPRINT_BYTES],
	const struct verdict *v, struct why *why)
{
	struct record bare = { .kind = RECORD_CERTIFICATE };
	sqlite3_stmt *put;
	enum err e = store_begin(i->store, why);

	buffer_clear(&i->detail);
	if (v) {
		bare.certificate.verdict = *v;
		record_encode(&i->detail, &bare);
	}
	if (e == ERR_OK)
		e = buffer_status(&i->detail);
	if (e == ERR_OK)
		e = inventory_statement(i, COMPLETION_PUT, &put, why);
	if (e != ERR_OK)
		return e;
	inventory_bind_bytes(put, 1, slice_of(key, FINGERPRINT_BYTES));
	inventory_bind_time(put, 2, v ? v->boundary : TIME_UNKNOWN);
	inventory_bind_bytes(put, 3, buffer_bytes(&i->detail));
	return inventory_run(i, put, NULL, why);
}

enum err inventory_completion_drop(struct inventory *i, const struct wanting *w, struct why *why)
{
	sqlite3_stmt *drop;
	enum err e = store_begin(i->store, why);

	if (e == ERR_OK)
		e = inventory_statement(i, COMPLETION_DROP, &drop, why);
	if (e != ERR_OK)
		return e;
	inventory_wanting_bind(drop, w);
	return inventory_run(i, drop, NULL, why);
}

static int64_t earlier(int64_t a, int64_t b)
{
	if (a == TIME_UNKNOWN || b == TIME_UNKNOWN)
		return a == TIME_UNKNOWN ? b : a;
	return a < b ? a : b;
}

static struct store_verdict *find_store(const struct store_verdicts *all, const char *name)
{
	for (size_t n = 0; n < all->count; n++)
		if (strcmp(all->items[n].store, name) == 0)
			return &all->items[n];
	return NULL;
}

/* What each store makes of it, by the same rule: what a server does not send, its clients miss. */
static void complete_stores(
	struct store_verdicts *known, const struct store_verdicts *found, bool is_served)
{
	for (size_t n = 0; n < known->count; n++) {
		struct store_verdict *k = &known->items[n];
		const struct store_verdict *f = find_store(found, k->store);

		if (!f)
			continue;
		k->problems =
			is_served ? k->problems | (f->problems & ~PROBLEMS_OF_GAP) : f->problems;
		k->expires = f->expires;
	}
}

static void replace(struct certificate_record *r, struct verdict *found)
{
	struct verdict *v = &r->verdict;
	struct store_verdicts stores;

	rules_merge(&found->lint, &v->lint);
	found->boundary = earlier(found->boundary, v->boundary);
	found->judging = v->judging;
	/* Where none had a chain, no store was asked. */
	stores = v->stores;
	if (stores.count) {
		v->stores = found->stores;
		found->stores = stores;
	}
	verdict_fini(v);
	*v = *found;
	*found = (struct verdict){ 0 };
}

/* Clients of a server have only what it sends: that an issuer lies here does not help them, but tells when
 * the chain ends that the server should have sent. */
static void complete(struct certificate_record *r, struct verdict *found)
{
	const struct verdict *v = &r->verdict;

	complete_stores(&r->verdict.stores, &found->stores, r->is_served);
	if (!found->trust && found->chain.count <= v->chain.count)
		return;
	if (r->is_served)
		found->problems = v->problems | (found->problems & ~PROBLEMS_OF_GAP);
	else
		found->problems |= v->problems & PROBLEMS_OF_PLACE;
	if (r->is_served)
		rules_merge(&found->violations, &v->violations);
	replace(r, found);
}

/* ---- better ones -------------------------------------------------------------------------------- */

/* Of two paths to anchors, as the search ranks them (certificate/search.c). */
static bool is_better(
	const struct completing *at, const struct verdict *found, const struct verdict *v)
{
	struct revocation unused;
	const bool left[] = { found->trust != NULL,
		!revocation_map_find_above(at->revocation, &found->chain, at->now, &unused),
		!(found->problems & PROBLEMS_OF_STRENGTH), found->starts <= at->now,
		found->expires >= at->now };
	const bool right[] = { v->trust != NULL,
		!revocation_map_find_above(at->revocation, &v->chain, at->now, &unused),
		!(v->problems & PROBLEMS_OF_STRENGTH), v->starts <= at->now,
		v->expires >= at->now };

	for (size_t n = 0; n < sizeof(left) / sizeof(left[0]); n++)
		if (left[n] != right[n])
			return left[n];
	return found->expires > v->expires;
}

static enum err is_at_place(struct inventory *i, const uint8_t fingerprint[FINGERPRINT_BYTES],
	int64_t place, bool *out, struct why *why)
{
	sqlite3_stmt *find;
	enum err e = inventory_statement(i, POOL_AT_PLACE, &find, why);

	if (e != ERR_OK)
		return e;
	inventory_bind_bytes(find, 1, slice_of(fingerprint, FINGERPRINT_BYTES));
	(void)sqlite3_bind_int64(find, 2, place);
	e = inventory_step(i, find, out, why);
	(void)sqlite3_reset(find);
	return e;
}

/* Has a client all of the path that it was sent with? Anchors it has itself. */
static enum err was_sent(struct inventory *i, const struct completing *at,
	const struct verdict *found, bool *out, struct why *why)
{
	enum err e = ERR_OK;

	*out = true;
	for (size_t n = 1; e == ERR_OK && *out && n + 1 < found->chain.count; n++)
		e = is_at_place(i, found->chain.items[n], at->place, out, why);
	return e;
}

static enum err better(struct inventory *i, const struct completing *at,
	struct certificate_record *r, struct verdict *found, struct why *why)
{
	bool has_all = true;
	enum err e = ERR_OK;

	if (!found->trust || !is_better(at, found, &r->verdict))
		return ERR_OK;
	if (r->is_served)
		e = was_sent(i, at, found, &has_all, why);
	if (e != ERR_OK || !has_all)
		return e;
	complete_stores(&r->verdict.stores, &found->stores, false);
	found->problems |= r->verdict.problems & PROBLEMS_OF_PLACE;
	replace(r, found);
	return ERR_OK;
}

/* What cannot be read is judged anew when something about it changes. */
static enum err apply(struct inventory *i, const struct completing *at, struct slice detail,
	struct certificate_record *r, struct why *why)
{
	struct record found;
	enum err e = ERR_OK;

	if (!detail.size || record_decode(detail, &found) != ERR_OK)
		return ERR_OK;
	if (found.kind == RECORD_CERTIFICATE && verdict_lacks_issuer(&r->verdict))
		complete(r, &found.certificate.verdict);
	else if (found.kind == RECORD_CERTIFICATE)
		e = better(i, at, r, &found.certificate.verdict, why);
	record_fini(&found);
	return e;
}

enum err inventory_pool_beside(
	struct inventory *i, int64_t certificate, int64_t ca, bool *out, struct why *why)
{
	const int64_t values[] = { certificate, ca };
	sqlite3_stmt *find;
	enum err e = inventory_statement(i, POOL_BESIDE, &find, why);

	if (e != ERR_OK)
		return e;
	inventory_bind(find, values, 2);
	e = inventory_step(i, find, out, why);
	(void)sqlite3_reset(find);
	return e;
}

static bool is_fallen(const struct completing *at, const struct verdict *v)
{
	struct revocation unused;

	return revocation_map_find_above(at->revocation, &v->chain, at->now, &unused);
}

enum err inventory_completion_fill(
	struct inventory *i, const struct completing *at, struct record *r, struct why *why)
{
	const struct wanting w = wanting_of(at->certificate, r);
	sqlite3_stmt *find;
	bool is_row = false;
	enum err e;

	if (!is_wanting(&r->certificate) || (lack_of(&r->certificate) == LACKS_NOTHING &&
						    !is_fallen(at, &r->certificate.verdict)))
		return ERR_OK;
	e = inventory_statement(i, COMPLETION_FIND, &find, why);
	if (e != ERR_OK)
		return e;
	inventory_wanting_bind(find, &w);
	e = inventory_step(i, find, &is_row, why);
	if (e == ERR_OK && is_row)
		e = apply(i, at, inventory_column_bytes(find, 0), &r->certificate, why);
	(void)sqlite3_reset(find);
	return e;
}
