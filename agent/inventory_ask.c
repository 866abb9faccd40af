/* Asking the inventory: what is where, by place; certificates by fingerprint; who replaced whom. */
#include "agent/inventory_internal.h"

#include "agent/base/text.h"

#include <stdlib.h>
#include <string.h>

/* Hex digits of a fingerprint. */
#define HEX_DIGITS (2 * FINGERPRINT_BYTES)

/* ---- one row to one sighting ------------------------------------------------------------------ */

struct place {
	int64_t id;    /* 0 = none */
	char *uri;     /* owned */
	char *job;     /* owned */
	char *scanner; /* owned */
	int64_t kept;
	bool is_stale;
	int64_t seen;
};

static void place_fini(struct place *p)
{
	free(p->uri);
	free(p->job);
	free(p->scanner);
	*p = (struct place){ 0 };
}

/* One inventory_each under way, with statements of its own: its callback may use the inventory. */
struct asking {
	struct inventory *i;
	const struct inventory_filter *filter;
	enum err (*fn)(void *, const struct sighting *);
	void *arg;
	sqlite3_stmt *kinds[RECORD_KIND_LAST + 1]; /* by enum record_kind */
	sqlite3_stmt *freshness;
	struct revocation_map *revocation; /* taken */
	struct uses_map *uses;             /* likewise; NULL where no certificates are asked for */
	int64_t now;
};

/* ?1 place, ?2 fingerprint or NULL, ?3 gone ones too. Columns: index, pass, first_seen, seen, gone_at,
 * detail, facts or history, certificate; and what is noted of its key. */
#define ENDPOINTS_SELECT(kind)                                                               \
	"SELECT id&16777215,pass,first_seen,seen,gone_at,detail,history FROM endpoint WHERE" \
	" id BETWEEN ?1<<24 AND (?1<<24)|16777215 AND ?2 IS NULL"                            \
	" AND kind=" kind " AND (?3 OR gone_at IS NULL) ORDER BY id"
static const char *const kind_texts[RECORD_KIND_LAST + 1] = {
	[RECORD_ENDPOINT] = ENDPOINTS_SELECT("2"),
	[RECORD_CRL] = ENDPOINTS_SELECT("5"),
	[RECORD_CERTIFICATE] =
		"SELECT s.id&16777215,s.pass,s.first_seen,s.seen,s.gone_at,s.detail,c.facts,c.id,"
		" k.fingerprint,n.detail FROM sighting s CROSS JOIN certificate c ON c.id=s.certificate"
		" LEFT JOIN key_note k ON k.sighting=s.id LEFT JOIN key_notes n ON n.id=k.notes WHERE"
		" s.id BETWEEN ?1<<24 AND (?1<<24)|16777215 AND (?2 IS NULL OR"
		" c.fingerprint=?2) AND (?3 OR s.gone_at IS NULL) ORDER BY s.id",
	[RECORD_PROBLEM] = "SELECT idx,pass,first_seen,seen,NULL,detail FROM problem WHERE place=?1"
			   " AND (?2 IS NULL OR fingerprint=?2) AND (?3 OR 1)"
			   " ORDER BY idx,reason,fingerprint",
	[RECORD_KEY] = "SELECT id&16777215,pass,first_seen,seen,gone_at,detail FROM private_key"
		       " WHERE id BETWEEN ?1<<24 AND (?1<<24)|16777215 AND ?2 IS NULL"
		       " AND (?3 OR gone_at IS NULL) ORDER BY id",
	/* ?4 file or NULL. */
	[RECORD_REFERENCE] = "SELECT id&16777215,pass,first_seen,seen,gone_at,detail FROM reference"
			     " WHERE id BETWEEN ?1<<24 AND (?1<<24)|16777215 AND ?2 IS NULL"
			     " AND (?3 OR gone_at IS NULL) AND (?4 IS NULL OR file=?4) ORDER BY id",
};
/* When was something that is there last seen at the place? NULL where nothing is. */
static const char freshness_text[] =
	"SELECT max(at) FROM (SELECT coalesce(seen,first_seen) AS at FROM sighting WHERE id BETWEEN ?1<<24"
	" AND (?1<<24)|16777215 AND gone_at IS NULL UNION ALL SELECT coalesce(seen,first_seen) FROM endpoint"
	" WHERE id BETWEEN ?1<<24 AND (?1<<24)|16777215 AND gone_at IS NULL UNION ALL"
	" SELECT coalesce(seen,first_seen) FROM private_key"
	" WHERE id BETWEEN ?1<<24 AND (?1<<24)|16777215 AND gone_at IS NULL UNION ALL"
	" SELECT coalesce(seen,first_seen) FROM reference"
	" WHERE id BETWEEN ?1<<24 AND (?1<<24)|16777215 AND gone_at IS NULL UNION ALL"
	" SELECT coalesce(seen,first_seen) FROM problem WHERE place=?1)";

static const enum record_kind kind_order[] = { RECORD_ENDPOINT, RECORD_CERTIFICATE, RECORD_CRL,
	RECORD_KEY, RECORD_PROBLEM, RECORD_REFERENCE };
_Static_assert(RECORD_ENDPOINT == 2 && RECORD_CRL == 5, "the numbers in kind_texts");

enum err inventory_damaged(struct inventory *i, struct why *why)
{
	i->store->is_suspect = true;
	return why_fail(why, ERR_STORE, "%s is damaged: a record in it cannot be read",
		i->store->path ? i->store->path : "the inventory in memory");
}

static enum err fill_location(struct location *l, const struct place *p, uint32_t index)
{
	char *uri = strdup(p->uri);

	if (!uri)
		return ERR_MEMORY;
	free(l->uri);
	l->uri = uri;
	l->index = index;
	return ERR_OK;
}

enum err inventory_fill_facts(struct slice bytes, struct record *r)
{
	struct record facts;
	enum err e = record_decode(bytes, &facts);

	if (e != ERR_OK)
		return e;
	if (facts.kind == RECORD_CERTIFICATE) {
		certificate_fini(&r->certificate.facts);
		r->certificate.facts = facts.certificate.facts;
		facts.certificate.facts = (struct certificate){ 0 };
	} else {
		e = ERR_MALFORMED;
	}
	record_fini(&facts);
	return e;
}

static int64_t later(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

static bool find_revocation(
	const struct asking *a, const struct certificate_record *r, struct revocation *out)
{
	struct revocation of_issuer;
	bool is_asked = revocation_map_find(a->revocation, r->facts.fingerprint, a->now, out);

	if ((is_asked && out->status == REVOCATION_REVOKED) ||
		!revocation_map_find_above(a->revocation, &r->verdict.chain, a->now, &of_issuer))
		return is_asked;
	of_issuer.message = "a CA of its chain is revoked";
	*out = of_issuer;
	return true;
}

/* What the issuer said since is a problem of the certificate like any other. */
static void add_revocation(const struct asking *a, struct record *r, struct revocation *said,
	struct sighting *sighting)
{
	if (!find_revocation(a, &r->certificate, said))
		return;
	sighting->revocation = said;
	if (said->status == REVOCATION_REVOKED)
		r->certificate.verdict.problems |= PROBLEM_BIT(PROBLEM_REVOKED);
	if (said->status == REVOCATION_UNKNOWN)
		r->certificate.verdict.problems |= PROBLEM_BIT(PROBLEM_REVOCATION_UNKNOWN);
}

static enum err complete(struct asking *a, const struct place *p, sqlite3_stmt *row,
	struct record *r, struct why *why)
{
	const struct completing at = { .certificate = sqlite3_column_int64(row, 7),
		.place = p->id,
		.revocation = a->revocation,
		.now = a->now };

	return inventory_completion_fill(a->i, &at, r, why);
}

static enum err tell_row(
	struct asking *a, const struct place *p, enum record_kind kind, struct why *why)
{
	sqlite3_stmt *row = a->kinds[kind];
	struct mtls_state history = mtls_state_none();
	struct record record = { 0 };
	struct revocation revocation;
	struct sighting sighting = { .record = &record,
		.job = p->job,
		.first_seen = sqlite3_column_int64(row, 2),
		.last_seen = later(inventory_column_time(row, 3), p->seen),
		.gone_at = inventory_column_time(row, 4),
		.is_stale = p->is_stale && sqlite3_column_int64(row, 1) < p->kept,
		.row = p->id << INDEX_BITS | sqlite3_column_int64(row, 0) };
	enum err e = record_decode(inventory_column_bytes(row, 5), &record);

	if (e != ERR_OK || record.kind != kind) {
		e = inventory_damaged(a->i, why);
		goto out;
	}
	if (kind == RECORD_CERTIFICATE &&
		inventory_fill_facts(inventory_column_bytes(row, 6), &record) != ERR_OK) {
		e = inventory_damaged(a->i, why);
		goto out;
	}
	/* A history that cannot be read is none. */
	if (kind == RECORD_ENDPOINT &&
		mtls_state_decode(inventory_column_bytes(row, 6), &history) == ERR_OK)
		sighting.mtls = &history;
	if (kind == RECORD_CERTIFICATE && record.certificate.is_served) {
		e = inventory_served_fill(a->i, sighting.row, &record.certificate, why);
		if (e != ERR_OK)
			goto out;
	}
	e = fill_location(&record.location, p, (uint32_t)sqlite3_column_int64(row, 0));
	if (e == ERR_OK && kind == RECORD_CERTIFICATE)
		e = complete(a, p, row, &record, why);
	/* After the verdict is the one that is told. */
	if (e == ERR_OK && kind == RECORD_CERTIFICATE && sqlite3_column_type(row, 8) != SQLITE_NULL)
		e = inventory_key_notes_fill(inventory_column_bytes(row, 8),
			inventory_column_bytes(row, 9), &record.certificate);
	if (kind == RECORD_CERTIFICATE)
		add_revocation(a, &record, &revocation, &sighting);
	if (kind == RECORD_CERTIFICATE && e == ERR_OK)
		uses_map_judge(a->uses, &record);
	if (e == ERR_OK)
		e = a->fn(a->arg, &sighting);
out:
	mtls_state_fini(&history);
	record_fini(&record);
	return e;
}

static enum err tell_kind(
	struct asking *a, const struct place *p, enum record_kind kind, struct why *why)
{
	sqlite3_stmt *rows = a->kinds[kind];
	bool is_row = true;
	enum err e = ERR_OK;

	(void)sqlite3_bind_int64(rows, 1, p->id);
	while (e == ERR_OK) {
		e = inventory_step(a->i, rows, &is_row, why);
		if (e != ERR_OK || !is_row)
			break;
		e = tell_row(a, p, kind, why);
	}
	(void)sqlite3_reset(rows);
	return e;
}

static enum err tell_place(struct asking *a, const struct place *p, struct why *why)
{
	enum err e = ERR_OK;

	for (size_t n = 0; e == ERR_OK && p->id && n < sizeof(kind_order) / sizeof(kind_order[0]);
		n++)
		if (a->kinds[kind_order[n]])
			e = tell_kind(a, p, kind_order[n], why);
	return e;
}

/* ---- places in order -------------------------------------------------------------------------- */

#define PLACES_SELECT                                                                               \
	"SELECT p.id,p.uri,p.kept,p.is_stale,p.seen,j.name,j.scanner FROM place p CROSS JOIN job j" \
	" ON j.id=p.job WHERE "
/* ?1 = job name or NULL, ?2 = uri (or NULL beside another), ?3 = fingerprint, ?4 = file. */
#define PLACES_WHERE(condition) \
	PLACES_SELECT condition " AND (?1 IS NULL OR j.name=?1) ORDER BY p.uri,p.job"
/* Of these there are few beside all. Another job may speak for such a place, and tell nothing. */
#define PLACES_OF(ids)                                                   \
	PLACES_WHERE("p.uri IN (SELECT uri FROM place WHERE id IN (" ids \
		     ")) AND (?2 IS NULL OR p.uri=?2)")
static const char places_all[] = PLACES_WHERE("TRUE");
static const char *const places_texts[RECORD_KIND_LAST + 1] = {
	[RECORD_ENDPOINT] = PLACES_OF("SELECT id>>24 FROM endpoint WHERE kind=2"),
	[RECORD_CRL] = PLACES_OF("SELECT id>>24 FROM endpoint WHERE kind=5"),
	[RECORD_PROBLEM] = PLACES_OF("SELECT place FROM problem"),
	[RECORD_KEY] = PLACES_OF("SELECT id>>24 FROM private_key"),
	[RECORD_REFERENCE] = PLACES_OF("SELECT id>>24 FROM reference"),
};
static const char places_uri[] = PLACES_WHERE("p.uri=?2");
static const char places_fingerprint[] =
	PLACES_OF("SELECT s.id>>24 FROM certificate c CROSS JOIN sighting s ON s.certificate=c.id"
		  " WHERE c.fingerprint=?3 UNION"
		  " SELECT place FROM problem WHERE fingerprint=?3");
static const char places_file[] = PLACES_OF("SELECT id>>24 FROM reference WHERE file=?4");

static const char *places_text(const struct inventory_filter *f)
{
	return f->fingerprint          ? places_fingerprint
	       : f->file               ? places_file
	       : f->uri                ? places_uri
	       : places_texts[f->kind] ? places_texts[f->kind]
				       : places_all;
}

static enum err prepare_places(struct asking *a, sqlite3_stmt **out, struct why *why)
{
	const struct inventory_filter *f = a->filter;
	enum err e = store_prepare(a->i->store, places_text(f), out, why);

	if (e != ERR_OK)
		return e;
	if (f->job)
		inventory_bind_text(*out, 1, f->job);
	if (f->uri)
		inventory_bind_text(*out, 2, f->uri);
	if (f->file)
		inventory_bind_text(*out, 4, f->file);
	if (f->fingerprint)
		inventory_bind_bytes(*out, 3, slice_of(f->fingerprint, FINGERPRINT_BYTES));
	return ERR_OK;
}

static enum err prepare_kinds(struct asking *a, struct why *why)
{
	const struct inventory_filter *f = a->filter;
	enum err e = store_prepare(a->i->store, freshness_text, &a->freshness, why);

	for (int kind = RECORD_CERTIFICATE; e == ERR_OK && kind <= RECORD_KIND_LAST; kind++) {
		if (f->kind && f->kind != kind)
			continue;
		e = store_prepare(a->i->store, kind_texts[kind], &a->kinds[kind], why);
		if (e != ERR_OK)
			break;
		if (f->fingerprint)
			inventory_bind_bytes(
				a->kinds[kind], 2, slice_of(f->fingerprint, FINGERPRINT_BYTES));
		(void)sqlite3_bind_int(a->kinds[kind], 3, f->include_gone);
		if (f->file && kind == RECORD_REFERENCE)
			inventory_bind_text(a->kinds[kind], 4, f->file);
	}
	return e;
}

static enum err read_place(sqlite3_stmt *row, struct place *out)
{
	struct place p = { .id = sqlite3_column_int64(row, 0),
		.uri = inventory_column_copy(row, 1),
		.kept = sqlite3_column_int64(row, 2),
		.is_stale = sqlite3_column_int(row, 3) != 0,
		.seen = inventory_column_time(row, 4),
		.job = inventory_column_copy(row, 5),
		.scanner = inventory_column_copy(row, 6) };

	if (!p.uri || !p.job || !p.scanner) {
		place_fini(&p);
		return ERR_MEMORY;
	}
	*out = p;
	return ERR_OK;
}

static enum err freshness(struct asking *a, const struct place *p, int64_t *out, struct why *why)
{
	bool is_row = false;
	enum err e;

	(void)sqlite3_bind_int64(a->freshness, 1, p->id);
	e = inventory_step(a->i, a->freshness, &is_row, why);
	if (e != ERR_OK)
		return e;
	*out = inventory_column_time(a->freshness, 0);
	if (*out != TIME_UNKNOWN && !p->is_stale)
		*out = later(*out, p->seen);
	(void)sqlite3_reset(a->freshness);
	return ERR_OK;
}

/* Two jobs looked at one place: the one that saw it last speaks for it. Takes `next`. */
static enum err choose(struct asking *a, struct place *held, struct place *next, struct why *why)
{
	struct place loser;
	int64_t of_held;
	int64_t of_next;
	enum err e = freshness(a, held, &of_held, why);

	if (e == ERR_OK)
		e = freshness(a, next, &of_next, why);
	if (e == ERR_OK && of_next > of_held) {
		loser = *held;
		*held = *next;
		*next = loser;
	}
	place_fini(next);
	return e;
}

/* Tells each place when the next one is known not to be the same. */
static enum err tell_places(struct asking *a, sqlite3_stmt *places, struct why *why)
{
	struct place held = { 0 };
	bool is_row = true;
	enum err e = ERR_OK;

	while (e == ERR_OK) {
		struct place next;

		e = inventory_step(a->i, places, &is_row, why);
		if (e != ERR_OK || !is_row)
			break;
		e = read_place(places, &next);
		if (e != ERR_OK)
			break;
		if (held.id && strcmp(held.uri, next.uri) == 0) {
			e = choose(a, &held, &next, why);
			continue;
		}
		e = tell_place(a, &held, why);
		place_fini(&held);
		held = next;
	}
	if (e == ERR_OK)
		e = tell_place(a, &held, why);
	place_fini(&held);
	return e;
}

enum err inventory_each(struct inventory *i, const struct inventory_filter *filter,
	enum err (*fn)(void *, const struct sighting *), void *arg, struct why *why)
{
	struct asking a = { .i = i, .filter = filter, .fn = fn, .arg = arg, .now = clock_now_s() };
	sqlite3_stmt *places = NULL;
	enum err e = prepare_kinds(&a, why);

	if (e == ERR_OK)
		e = revocation_map_take(i, &a.revocation, why);
	if (e == ERR_OK && a.kinds[RECORD_CERTIFICATE])
		e = uses_map_take(i, &a.uses, why);
	if (e == ERR_OK)
		e = prepare_places(&a, &places, why);
	if (e == ERR_OK)
		e = tell_places(&a, places, why);
	revocation_map_release(a.revocation);
	uses_map_release(a.uses);
	sqlite3_finalize(places);
	sqlite3_finalize(a.freshness);
	for (size_t n = 0; n < sizeof(a.kinds) / sizeof(a.kinds[0]); n++)
		sqlite3_finalize(a.kinds[n]);
	return e;
}

static enum err on_any(void *arg, const struct sighting *sighting)
{
	bool *has_any = arg;

	(void)sighting;
	*has_any = true;
	return ERR_END;
}

enum err inventory_has(
	struct inventory *i, const struct inventory_filter *filter, bool *out, struct why *why)
{
	enum err e;

	*out = false;
	e = inventory_each(i, filter, on_any, out, why);
	return e == ERR_END ? ERR_OK : e;
}

/* ---- by fingerprint --------------------------------------------------------------------------- */

/* The least and the greatest fingerprint that start with the digits. */
static bool prefix_range(
	const char *hex, uint8_t low[FINGERPRINT_BYTES], uint8_t high[FINGERPRINT_BYTES])
{
	char digits[HEX_DIGITS + 1];
	size_t size = strlen(hex);

	if (!size || size > HEX_DIGITS)
		return false;
	memset(digits, '0', HEX_DIGITS);
	memcpy(digits, hex, size);
	digits[HEX_DIGITS] = 0;
	if (!text_unhex(low, FINGERPRINT_BYTES, digits))
		return false;
	memset(digits + size, 'f', HEX_DIGITS - size);
	return text_unhex(high, FINGERPRINT_BYTES, digits);
}

enum err inventory_find(struct inventory *i, const char *hex_prefix, uint64_t *count,
	uint8_t out[FINGERPRINT_BYTES], struct why *why)
{
	uint8_t low[FINGERPRINT_BYTES];
	uint8_t high[FINGERPRINT_BYTES];
	sqlite3_stmt *find = NULL;
	bool is_row = false;
	enum err e;

	if (!prefix_range(hex_prefix, low, high))
		return why_fail(why, ERR_USAGE, "a fingerprint is 1 to %d hex digits", HEX_DIGITS);
	e = store_prepare(i->store,
		"SELECT count(*),min(f) FROM (SELECT fingerprint AS f FROM certificate c WHERE fingerprint"
		" BETWEEN ?1 AND ?2 AND EXISTS (SELECT 1 FROM sighting WHERE certificate=c.id)"
		" UNION SELECT fingerprint FROM problem WHERE fingerprint BETWEEN ?1 AND ?2)",
		&find, why);
	if (e != ERR_OK)
		return e;
	inventory_bind_bytes(find, 1, slice_of(low, sizeof(low)));
	inventory_bind_bytes(find, 2, slice_of(high, sizeof(high)));
	e = inventory_step(i, find, &is_row, why);
	if (e == ERR_OK && is_row) {
		struct slice first = inventory_column_bytes(find, 1);

		*count = (uint64_t)sqlite3_column_int64(find, 0);
		if (*count == 1 && first.size == FINGERPRINT_BYTES)
			memcpy(out, first.data, FINGERPRINT_BYTES);
	}
	sqlite3_finalize(find);
	return e;
}

/* ---- successors ------------------------------------------------------------------------------- */

struct successor {
	int64_t certificate; /* whose it is */
	struct record facts; /* of that one; owned */
	bool found;
	int64_t not_after;
	uint8_t fingerprint[FINGERPRINT_BYTES];
};

static enum err read_predecessor(
	struct inventory *i, const uint8_t *fingerprint, struct successor *s, struct why *why)
{
	sqlite3_stmt *find;
	bool is_row = false;
	enum err e = inventory_statement(i, CERTIFICATE_FIND, &find, why);

	if (e != ERR_OK)
		return e;
	inventory_bind_bytes(find, 1, slice_of(fingerprint, FINGERPRINT_BYTES));
	e = inventory_step(i, find, &is_row, why);
	if (e != ERR_OK || !is_row)
		return e;
	s->certificate = sqlite3_column_int64(find, 0);
	if (record_decode(inventory_column_bytes(find, 1), &s->facts) != ERR_OK)
		e = inventory_damaged(i, why);
	(void)sqlite3_reset(find);
	return e;
}

static void take_successor(struct successor *s, int64_t not_after, struct slice fingerprint)
{
	if (fingerprint.size != FINGERPRINT_BYTES)
		return;
	s->found = true;
	s->not_after = not_after;
	memcpy(s->fingerprint, fingerprint.data, FINGERPRINT_BYTES);
}

/* What lies now where it was replaced: the same subject before another, then the one that lasts longest. */
static const char replaced_text[] =
	"SELECT c.not_after,c.fingerprint FROM succession x CROSS JOIN sighting s ON s.id=x.sighting"
	" CROSS JOIN certificate c ON c.id=s.certificate WHERE x.old=?1 AND s.certificate<>?1 AND"
	" s.gone_at IS NULL ORDER BY c.subject IS ?2 DESC, c.not_after DESC LIMIT 1";

static enum err find_replaced(struct inventory *i, struct successor *s, struct why *why)
{
	sqlite3_stmt *find = NULL;
	bool is_row = false;
	enum err e = store_prepare(i->store, replaced_text, &find, why);

	if (e != ERR_OK)
		return e;
	(void)sqlite3_bind_int64(find, 1, s->certificate);
	inventory_bind_text(find, 2, s->facts.certificate.facts.subject);
	e = inventory_step(i, find, &is_row, why);
	if (e == ERR_OK && is_row)
		take_successor(s, inventory_column_time(find, 0), inventory_column_bytes(find, 1));
	sqlite3_finalize(find);
	return e;
}

/* Places that hold it or held it until it went or was replaced there. */
static const char places_of_text[] =
	"SELECT DISTINCT p.uri FROM place p WHERE p.id IN (SELECT id>>24 FROM sighting WHERE certificate=?1"
	" UNION SELECT sighting>>24 FROM succession WHERE old=?1)";
/* Later ones of the same subject in a folder: ?1 to ?2 is its range, ?3 its length with the last '/'. */
static const char beside_text[] =
	"SELECT c.not_after,c.fingerprint,c.facts FROM place p CROSS JOIN sighting s ON s.id BETWEEN p.id<<24"
	" AND (p.id<<24)|16777215 CROSS JOIN certificate c ON c.id=s.certificate WHERE p.uri BETWEEN ?1 AND ?2"
	" AND instr(substr(p.uri,?3+1),'/')=0 AND s.gone_at IS NULL AND c.subject IS ?4 AND c.not_after>?5"
	" ORDER BY c.not_after DESC";

/* Do both certify the same names? Their order is the issuer's whim. */
static bool has_same_names(const struct certificate *a, const struct certificate *b)
{
	if (a->names.count != b->names.count)
		return false;
	if (strings_equal(&a->names, &b->names))
		return true;
	/* A sorted comparison for long lists would save time that nobody spends. */
	if (a->names.count > 256)
		return false;
	for (size_t n = 0; n < a->names.count; n++)
		if (!strings_contain(&b->names, a->names.items[n]))
			return false;
	return true;
}

static bool is_superseded_by(const struct successor *s, struct slice facts)
{
	struct record other;
	bool is_so;

	if (record_decode(facts, &other) != ERR_OK)
		return false;
	is_so = other.kind == RECORD_CERTIFICATE &&
		has_same_names(&s->facts.certificate.facts, &other.certificate.facts);
	record_fini(&other);
	return is_so;
}

static enum err search_folder(struct inventory *i, sqlite3_stmt *beside, struct slice folder,
	struct successor *s, struct why *why)
{
	struct buffer high;
	bool is_row = true;
	enum err e;

	buffer_init(&high, folder.size + 2);
	buffer_slice(&high, folder);
	buffer_byte(&high, 0xff);
	e = buffer_status(&high);
	if (e == ERR_OK) {
		(void)sqlite3_bind_text(
			beside, 1, (const char *)folder.data, (int)folder.size, SQLITE_STATIC);
		inventory_bind_text(beside, 2, buffer_string(&high));
		(void)sqlite3_bind_int64(beside, 3, (int64_t)folder.size);
	}
	while (e == ERR_OK) {
		e = inventory_step(i, beside, &is_row, why);
		if (e != ERR_OK || !is_row)
			break;
		if (!is_superseded_by(s, inventory_column_bytes(beside, 2)))
			continue;
		if (!s->found || inventory_column_time(beside, 0) > s->not_after)
			take_successor(s, inventory_column_time(beside, 0),
				inventory_column_bytes(beside, 1));
		break;
	}
	(void)sqlite3_reset(beside);
	buffer_fini(&high);
	return e;
}

static enum err find_superseding(struct inventory *i, struct successor *s, struct why *why)
{
	const struct certificate *c = &s->facts.certificate.facts;
	sqlite3_stmt *places = NULL;
	sqlite3_stmt *beside = NULL;
	bool is_row = true;
	enum err e = store_prepare(i->store, places_of_text, &places, why);

	if (e == ERR_OK)
		e = store_prepare(i->store, beside_text, &beside, why);
	if (e == ERR_OK) {
		(void)sqlite3_bind_int64(places, 1, s->certificate);
		inventory_bind_text(beside, 4, c->subject);
		(void)sqlite3_bind_int64(beside, 5, c->not_after);
	}
	while (e == ERR_OK) {
		const char *uri;
		const char *last;

		e = inventory_step(i, places, &is_row, why);
		if (e != ERR_OK || !is_row)
			break;
		uri = (const char *)sqlite3_column_text(places, 0);
		last = uri ? strrchr(uri, '/') : NULL;
		/* Folders are a thing of files; two hosts on one network are no folder. */
		if (last && strncmp(uri, "file:", 5) == 0)
			e = search_folder(
				i, beside, slice_of(uri, (size_t)(last - uri) + 1), s, why);
	}
	sqlite3_finalize(places);
	sqlite3_finalize(beside);
	return e;
}

enum err inventory_successor(struct inventory *i, const uint8_t fingerprint[FINGERPRINT_BYTES],
	bool *found, int64_t *not_after, uint8_t successor[FINGERPRINT_BYTES], struct why *why)
{
	struct successor s = { .not_after = TIME_UNKNOWN };
	enum err e = read_predecessor(i, fingerprint, &s, why);

	if (e == ERR_OK && s.certificate)
		e = find_replaced(i, &s, why);
	if (e == ERR_OK && s.certificate && !s.found)
		e = find_superseding(i, &s, why);
	if (e == ERR_OK) {
		*found = s.found;
		*not_after = s.not_after;
		memcpy(successor, s.fingerprint, FINGERPRINT_BYTES);
	}
	record_fini(&s.facts);
	return e;
}
