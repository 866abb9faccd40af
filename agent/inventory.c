/* The inventory's state: statements, open passes, jobs and what their scanners remember. */
#include "agent/inventory_internal.h"

#include <stdlib.h>
#include <string.h>

/* The rows of table `t` (sighting or endpoint) at place `p`. */
#define AT_PLACE(t) t ".id BETWEEN p.id<<24 AND (p.id<<24)|16777215"
#define PLACES_OF_RANGE "uri BETWEEN ?1 AND ?2 AND job=?3"
/* What pass ?2 of job ?1 neither saw nor kept is gone at ?3. */
#define GONE(t)                                                                           \
	"UPDATE " t " SET gone_at=?3 WHERE id IN (SELECT t.id FROM place p CROSS JOIN " t \
	" t ON " AT_PLACE(                                                                \
		"t") " WHERE p.job=?1 AND p.kept<>?2 AND t.pass<>?2 AND t.gone_at IS NULL)"
#define GONE_OF_JOB(t)                                                                    \
	"UPDATE " t " SET gone_at=?2 WHERE id IN (SELECT t.id FROM place p CROSS JOIN " t \
	" t ON " AT_PLACE("t") " WHERE p.job=?1 AND t.gone_at IS NULL)"

#define COMPLETION_OF " WHERE certificate=?1 AND purpose=?2 AND judging=?3"

static const char *const texts[STATEMENT_COUNT] = {
	[JOB_START] =
		"INSERT INTO job(name,scanner,last_start) VALUES(?1,?2,?3) ON CONFLICT(name) DO "
		"UPDATE SET scanner=?2, last_start=?3, is_retired=0 RETURNING id",
	[JOB_FIND] = "SELECT id FROM job WHERE name=?1",
	[JOB_END] = "UPDATE job SET last_complete=?2,"
		    " last_success=CASE WHEN ?2 THEN ?3 ELSE last_success END,"
		    " duration_s=CASE WHEN ?2 THEN ?4 ELSE duration_s END,"
		    " items=CASE WHEN ?2 THEN ?5 ELSE items END WHERE id=?1",
	[JOB_RETIRE] = "UPDATE job SET is_retired=1 WHERE id=?1",
	[PASS_INSERT] = "INSERT INTO pass(job,started) VALUES(?1,?2)",
	[PASS_FIND] = "SELECT job,started FROM pass WHERE id=?1 AND ended IS NULL",
	[PASS_OPEN_OF_JOB] = "SELECT id FROM pass WHERE job=?1 AND ended IS NULL LIMIT 1",
	[PASS_END] = "UPDATE pass SET ended=?2, is_complete=?3, items=?4, seconds=?5, vanished=?6,"
		     " appeared=?7 WHERE id=?1",
	[PASS_FORGET] = "DELETE FROM pass WHERE job=?1 AND ended IS NOT NULL AND id NOT IN"
			" (SELECT id FROM pass WHERE job=?1 ORDER BY id DESC LIMIT ?2)",
	[PLACE_FIND] = "SELECT id FROM place WHERE uri=?1 AND job=?2",
	[PLACE_INSERT] = "INSERT INTO place(uri,job) VALUES(?1,?2) ON CONFLICT(uri,job) DO NOTHING",
	/* A good look at a place outweighs a failure to look, in whichever order they come. */
	[PLACE_KEEP_FRESH] = "UPDATE place SET kept=?4, is_stale=0, seen=?5 WHERE " PLACES_OF_RANGE
			     " AND NOT (kept=?4 AND is_stale=0)",
	[PLACE_KEEP_STALE] =
		"UPDATE place SET kept=?4, is_stale=1 WHERE " PLACES_OF_RANGE " AND kept<>?4",
	[PLACE_KEEP_UNSEEN] = "UPDATE place SET kept=?2, is_stale=1 WHERE job=?1 AND kept<>?2",
	[PLACE_COUNT] = "SELECT (SELECT count(*) FROM place p CROSS JOIN sighting s ON " AT_PLACE(
		"s") " WHERE " PLACES_OF_RANGE
		     " AND s.gone_at IS NULL) + (SELECT count(*) FROM place p"
		     " CROSS JOIN endpoint e ON " AT_PLACE("e") " WHERE " PLACES_OF_RANGE
								" AND e.gone_at IS NULL)",
	[CERTIFICATE_FIND] = "SELECT id,facts FROM certificate WHERE fingerprint=?1",
	[CERTIFICATE_INSERT] = "INSERT INTO certificate(fingerprint,subject,issuer,not_before,"
			       "not_after,facts) VALUES(?1,?2,?3,?4,?5,?6)",
	[CERTIFICATE_UPDATE] = "UPDATE certificate SET subject=?2, issuer=?3, not_before=?4,"
			       " not_after=?5, facts=?6 WHERE fingerprint=?1",
	[SIGHTING_FIND] =
		"SELECT certificate,pass,gone_at,first_seen,detail FROM sighting WHERE id=?1",
	[SIGHTING_INSERT] =
		"INSERT INTO sighting(id,certificate,pass,seen,first_seen,boundary,detail)"
		" VALUES(?1,?2,?3,?4,?5,?6,?7)",
	/* Three updates, so that no index is written where its column stays what it was. */
	[SIGHTING_TOUCH] = "UPDATE sighting SET pass=?2, seen=?3 WHERE id=?1",
	[SIGHTING_REFRESH] =
		"UPDATE sighting SET pass=?2, seen=?3, boundary=?4, detail=?5 WHERE id=?1",
	[SIGHTING_REPLACE] = "UPDATE sighting SET certificate=?2, pass=?3, seen=?4, first_seen=?5,"
			     " boundary=?6, detail=?7, gone_at=NULL WHERE id=?1",
	[SIGHTING_AT_PLACE] = "SELECT 1 FROM sighting WHERE certificate=?1 AND id BETWEEN"
			      " (?2>>24)<<24 AND ?2|16777215 AND id<>?2 AND pass<>?3 LIMIT 1",
	[SIGHTING_GONE] = GONE("sighting"),
	[SIGHTING_GONE_OF_JOB] = GONE_OF_JOB("sighting"),
	[ENDPOINT_FIND] = "SELECT gone_at,pass,detail,history FROM endpoint WHERE id=?1",
	[ENDPOINT_INSERT] = "INSERT INTO endpoint(id,pass,seen,first_seen,detail,kind,history)"
			    " VALUES(?1,?2,?3,?4,?5,?6,?7)",
	/* An endpoint that could not be reached keeps the time when it last was. */
	[ENDPOINT_UPDATE] = "UPDATE endpoint SET pass=?2, seen=coalesce(?3,seen),"
			    " first_seen=CASE WHEN gone_at IS NULL THEN first_seen ELSE ?4 END,"
			    " detail=?5, kind=?6, history=?7, gone_at=NULL WHERE id=?1",
	[ENDPOINT_GONE] = GONE("endpoint"),
	[ENDPOINT_GONE_OF_JOB] = GONE_OF_JOB("endpoint"),
	[REFERENCE_PUT] =
		"INSERT INTO reference(id,pass,seen,first_seen,file,detail)"
		" VALUES(?1,?2,?3,?3,?4,?5) ON CONFLICT(id) DO UPDATE SET pass=?2, seen=?3,"
		" first_seen=CASE WHEN gone_at IS NULL AND file IS ?4 THEN first_seen ELSE ?3 END,"
		" file=?4, detail=?5, gone_at=NULL",
	[REFERENCE_GONE] = GONE("reference"),
	[REFERENCE_GONE_OF_JOB] = GONE_OF_JOB("reference"),
	[KEY_PUT] = "INSERT INTO private_key(id,pass,seen,first_seen,detail) VALUES(?1,?2,?3,?3,?4)"
		    " ON CONFLICT(id) DO UPDATE SET pass=?2, seen=?3,"
		    " first_seen=CASE WHEN gone_at IS NULL THEN first_seen ELSE ?3 END,"
		    " detail=?4, gone_at=NULL",
	[KEY_GONE] = GONE("private_key"),
	[KEY_GONE_OF_JOB] = GONE_OF_JOB("private_key"),
	[KEY_NOTE_CLEAR] = "DELETE FROM key_note",
	[KEY_NOTE_PUT] = "INSERT INTO key_note(sighting,notes,fingerprint) VALUES(?1,?2,?3)",
	[KEY_NOTES_CLEAR] = "DELETE FROM key_notes",
	[KEY_NOTES_ADD] = "INSERT INTO key_notes(detail) VALUES(?1)",
	[PROBLEM_PUT] =
		"INSERT INTO problem(place,idx,keeps_known,pass,seen,first_seen,reason,"
		"fingerprint,detail) VALUES(?1,?2,?3,?4,?5,?5,?6,?7,?8)"
		" ON CONFLICT(place,idx,reason,fingerprint) DO UPDATE SET pass=excluded.pass,"
		" seen=excluded.seen, detail=excluded.detail",
	/* Where a place could only be kept as last known, what its content was found to be still holds;
	 * that it could not be looked at must be said anew. */
	[PROBLEM_DROP] =
		"DELETE FROM problem WHERE pass<>?2 AND EXISTS (SELECT 1 FROM place p WHERE"
		" p.id=problem.place AND p.job=?1 AND (p.kept<>?2 OR (p.is_stale AND"
		" problem.keeps_known)))",
	[PROBLEM_DROP_OF_JOB] =
		"DELETE FROM problem WHERE place IN (SELECT id FROM place WHERE job=?1)",
	[SUCCESSION_PUT] = "INSERT INTO succession(old,sighting,new,pass,at) VALUES(?1,?2,?3,?4,?5)"
			   " ON CONFLICT(old,sighting) DO UPDATE SET new=?3, pass=?4, at=?5",
	/* Certificates that only moved within their place were not replaced. */
	[SUCCESSION_UNDO] =
		"DELETE FROM succession WHERE pass=?1 AND EXISTS (SELECT 1 FROM sighting s"
		" WHERE s.certificate=succession.old AND s.id BETWEEN"
		" (succession.sighting>>24)<<24 AND succession.sighting|16777215"
		" AND s.gone_at IS NULL)",
	[MEMORY_LOAD] = "SELECT context FROM memory WHERE job=?1",
	[MEMORY_SAVE] = "INSERT INTO memory(job,context,bytes) VALUES(?1,?2,?3)"
			" ON CONFLICT(job) DO UPDATE SET context=?2, bytes=?3",
	[MEMORY_DROP] = "DELETE FROM memory WHERE job=?1",
	[BOUNDARY] = "SELECT 1 FROM sighting s WHERE s.boundary<=?2 AND s.gone_at IS NULL AND"
		     " (SELECT job FROM place WHERE id=s.id>>24)=?1 LIMIT 1",
	[SERVED_CLEAR] = "DELETE FROM served",
	[SERVED_PUT] =
		"INSERT INTO served(sighting,served,detail) SELECT p.id<<24,?3,?4 FROM place p"
		" CROSS JOIN job j ON j.id=p.job WHERE p.uri=?1 AND j.name=?2",
	[SERVED_FIND] = "SELECT served,detail FROM served WHERE sighting=?1",
	[META_GET] = "SELECT value FROM meta WHERE key=?1",
	[META_SET] =
		"INSERT INTO meta(key,value) VALUES(?1,?2) ON CONFLICT(key) DO UPDATE SET value=?2",
	/* A failure keeps the dates of what was known: it may still hold. */
	[REVOCATION_SOURCE_PUT] =
		"INSERT INTO revocation_source(uri,etag,last_modified,checked,this_update,"
		"next_update,message) VALUES(?1,?2,?3,?4,?5,?6,?7) ON CONFLICT(uri) DO UPDATE SET"
		" etag=coalesce(?2,CASE WHEN ?7 IS NULL THEN NULL ELSE etag END),"
		" last_modified=coalesce(?3,CASE WHEN ?7 IS NULL THEN NULL ELSE last_modified END),"
		" checked=?4, this_update=coalesce(?5,this_update),"
		" next_update=coalesce(?6,CASE WHEN ?7 IS NULL THEN NULL ELSE next_update END),"
		" message=?7 RETURNING id",
	[REVOCATION_SOURCE_CHECKED] =
		"UPDATE revocation_source SET checked=?2, message=NULL WHERE uri=?1",
	[REVOCATION_CLEAR] = "DELETE FROM revocation WHERE source=?1",
	/* That it could not be learnt this time does not undo what was said before. */
	[REVOCATION_PUT] =
		"INSERT INTO revocation(fingerprint,source,status,reason,revoked_at)"
		" VALUES(?1,?2,?3,?4,?5) ON CONFLICT(fingerprint,source) DO UPDATE SET status=?3,"
		" reason=?4, revoked_at=?5 WHERE ?3<>0",
	[REVOCATION_PRUNE] =
		"DELETE FROM revocation WHERE NOT EXISTS (SELECT 1 FROM certificate c CROSS JOIN"
		" sighting s ON s.certificate=c.id WHERE c.fingerprint=revocation.fingerprint AND"
		" s.gone_at IS NULL)",
	[REVOCATION_SOURCE_PRUNE] =
		"DELETE FROM revocation_source WHERE NOT EXISTS"
		" (SELECT 1 FROM revocation r WHERE r.source=revocation_source.id) AND NOT EXISTS"
		" (SELECT 1 FROM place p WHERE p.uri=revocation_source.uri)",
	/* ?4 = there is room. */
	[POOL_PUT] = "INSERT INTO pool(certificate,is_ca,der) SELECT ?1,?2,?3 WHERE ?4"
		     " ON CONFLICT(certificate) DO NOTHING",
	/* Written only when something changes. Of several places the one is kept that lacks most: the shortest chain
	 * knows least of the issuers. */
	[WANTING_PUT] =
		"INSERT INTO wanting(certificate,purpose,judging,lack,known)"
		" SELECT ?1,?2,?3,?4,?5 WHERE EXISTS (SELECT 1 FROM pool WHERE certificate=?1)"
		" ON CONFLICT(certificate,purpose,judging) DO UPDATE SET lack=?4, known=?5"
		" WHERE (?4,length(?5))<(lack,length(known))",
	[POOL_COUNT] = "SELECT is_ca,count(*),total(length(der)) FROM pool GROUP BY is_ca",
	[POOL_DER] = "SELECT der FROM pool WHERE certificate=?1",
	[POOL_NAMED] = "SELECT p.der FROM certificate c CROSS JOIN pool p ON p.certificate=c.id"
		       " WHERE c.fingerprint=?1",
	[POOL_PRUNE] = "DELETE FROM pool WHERE NOT EXISTS (SELECT 1 FROM sighting s WHERE"
		       " s.certificate=pool.certificate AND s.gone_at IS NULL)",
	[WANTING_PRUNE] = "DELETE FROM wanting WHERE NOT EXISTS (SELECT 1 FROM pool p WHERE"
			  " p.certificate=wanting.certificate)",
	[POOL_BESIDE] = "SELECT 1 FROM sighting a CROSS JOIN sighting b ON b.id BETWEEN"
			" (a.id>>24)<<24 AND a.id|16777215 WHERE a.certificate=?1 AND"
			" b.certificate=?2 AND a.gone_at IS NULL AND b.gone_at IS NULL LIMIT 1",
	[POOL_AT_PLACE] = "SELECT 1 FROM certificate c CROSS JOIN sighting s ON s.certificate=c.id"
			  " WHERE c.fingerprint=?1 AND s.id BETWEEN ?2<<24 AND (?2<<24)|16777215"
			  " AND s.gone_at IS NULL LIMIT 1",
	[COMPLETION_KEY] = "SELECT key,boundary FROM completion" COMPLETION_OF,
	/* What was found before holds until the answer comes. */
	[COMPLETION_MARK] = "INSERT INTO completion(certificate,purpose,judging,key)"
			    " VALUES(?1,?2,?3,?4) ON CONFLICT(certificate,purpose,judging)"
			    " DO UPDATE SET key=?4, boundary=NULL",
	[COMPLETION_PUT] = "UPDATE completion SET boundary=?2, detail=?3 WHERE key=?1",
	[COMPLETION_DROP] = "DELETE FROM completion" COMPLETION_OF,
	[COMPLETION_FIND] = "SELECT detail FROM completion" COMPLETION_OF,
	[COMPLETION_PRUNE] = "DELETE FROM completion WHERE NOT EXISTS (SELECT 1 FROM wanting w"
			     " WHERE w.certificate=completion.certificate)",
};

/* ---- statements ------------------------------------------------------------------------------- */

enum err inventory_statement(
	struct inventory *i, enum statement which, sqlite3_stmt **out, struct why *why)
{
	if (!i->statements[which]) {
		enum err e = store_prepare(i->store, texts[which], &i->statements[which], why);

		if (e != ERR_OK)
			return e;
	}
	*out = i->statements[which];
	(void)sqlite3_reset(*out);
	return ERR_OK;
}

enum err inventory_step(struct inventory *i, sqlite3_stmt *statement, bool *is_row, struct why *why)
{
	int code = sqlite3_step(statement);
	enum err e;

	*is_row = code == SQLITE_ROW;
	if (*is_row)
		return ERR_OK;
	e = code == SQLITE_DONE ? ERR_OK : store_fail(i->store, why, "use the inventory");
	(void)sqlite3_reset(statement);
	return e;
}

enum err inventory_run(
	struct inventory *i, sqlite3_stmt *statement, uint64_t *changed, struct why *why)
{
	bool is_row = true;
	enum err e = ERR_OK;

	while (e == ERR_OK && is_row)
		e = inventory_step(i, statement, &is_row, why);
	if (e == ERR_OK && changed)
		*changed = (uint64_t)sqlite3_changes64(i->store->db);
	return e;
}

void inventory_bind(sqlite3_stmt *statement, const int64_t *values, int count)
{
	int wanted = sqlite3_bind_parameter_count(statement);

	for (int n = 0; n < count && n < wanted; n++)
		(void)sqlite3_bind_int64(statement, n + 1, values[n]);
}

enum err inventory_run_steps(struct inventory *i, const enum statement *steps, size_t count,
	const int64_t values[STEP_VALUES], struct why *why)
{
	enum err e = ERR_OK;

	for (size_t n = 0; e == ERR_OK && n < count; n++) {
		sqlite3_stmt *statement;

		e = inventory_statement(i, steps[n], &statement, why);
		if (e != ERR_OK)
			break;
		if (values)
			inventory_bind(statement, values, STEP_VALUES);
		e = inventory_run(i, statement, NULL, why);
	}
	return e;
}

void inventory_bind_time(sqlite3_stmt *statement, int at, int64_t time)
{
	if (time == TIME_UNKNOWN)
		(void)sqlite3_bind_null(statement, at);
	else
		(void)sqlite3_bind_int64(statement, at, time);
}

int64_t inventory_column_time(sqlite3_stmt *statement, int at)
{
	if (sqlite3_column_type(statement, at) == SQLITE_NULL)
		return TIME_UNKNOWN;
	return sqlite3_column_int64(statement, at);
}

void inventory_bind_bytes(sqlite3_stmt *statement, int at, struct slice bytes)
{
	/* A NULL pointer would bind NULL, not an empty blob. */
	(void)sqlite3_bind_blob64(statement, at, bytes.size ? (const void *)bytes.data : "",
		bytes.size, SQLITE_STATIC);
}

void inventory_bind_text(sqlite3_stmt *statement, int at, const char *text)
{
	(void)sqlite3_bind_text(statement, at, text, -1, SQLITE_STATIC);
}

struct slice inventory_column_bytes(sqlite3_stmt *statement, int at)
{
	const void *bytes = sqlite3_column_blob(statement, at);

	return slice_of(bytes, (size_t)sqlite3_column_bytes(statement, at));
}

char *inventory_column_copy(sqlite3_stmt *statement, int at)
{
	const char *text = (const char *)sqlite3_column_text(statement, at);

	return text ? strdup(text) : NULL;
}

/* ---- life ------------------------------------------------------------------------------------- */

void inventory_forget_ids(struct inventory *i)
{
	for (size_t n = 0; n < PLACE_CACHE_ENTRIES; n++) {
		free(i->places[n].uri);
		i->places[n] = (struct place_entry){ 0 };
	}
	memset(i->certificates, 0, sizeof(i->certificates));
}

/* A transaction was undone, by whomever: ids given out in it are void. */
static void on_rollback(void *arg)
{
	struct inventory *i = arg;

	inventory_forget_ids(i);
	i->is_pool_counted = false;
	revocation_map_forget(i);
	uses_map_forget(i);
	memset(i->passes, 0, sizeof(i->passes));
}

enum err inventory_new(struct store *store, struct inventory **out, struct why *why)
{
	struct inventory *i = calloc(1, sizeof(*i));

	if (!i)
		return why_fail(why, ERR_MEMORY, "out of memory");
	i->store = store;
	buffer_init(&i->facts, RECORD_BYTES_MAX);
	buffer_init(&i->history, RECORD_BYTES_MAX);
	buffer_init(&i->detail, RECORD_BYTES_MAX);
	(void)sqlite3_rollback_hook(store->db, on_rollback, i);
	*out = i;
	return ERR_OK;
}

void inventory_free(struct inventory *i)
{
	if (!i)
		return;
	(void)sqlite3_rollback_hook(i->store->db, NULL, NULL);
	for (size_t n = 0; n < STATEMENT_COUNT; n++)
		(void)sqlite3_finalize(i->statements[n]);
	inventory_forget_ids(i);
	revocation_map_forget(i);
	uses_map_forget(i);
	buffer_fini(&i->facts);
	buffer_fini(&i->history);
	buffer_fini(&i->detail);
	free(i);
}

enum err inventory_commit(struct inventory *i, struct why *why)
{
	return store_commit(i->store, false, why);
}

enum err inventory_enter(struct inventory *i, bool *is_own, struct why *why)
{
	*is_own = !i->store->is_in_batch;
	return store_begin(i->store, why);
}

enum err inventory_leave(struct inventory *i, bool is_own, enum err e, struct why *why)
{
	if (!is_own)
		return e;
	if (e == ERR_OK)
		return store_commit(i->store, false, why);
	store_rollback(i->store);
	return e;
}

/* ---- passes and jobs -------------------------------------------------------------------------- */

static struct open_pass *pass_entry(struct inventory *i, int64_t pass)
{
	for (size_t n = 0; n < OPEN_PASSES_MAX; n++)
		if (i->passes[n].id == pass)
			return &i->passes[n];
	return NULL;
}

enum err inventory_open_pass(
	struct inventory *i, int64_t pass, struct open_pass **out, struct why *why)
{
	struct open_pass *entry = pass > 0 ? pass_entry(i, pass) : NULL;
	sqlite3_stmt *find;
	bool is_row = false;
	enum err e;

	if (entry) {
		*out = entry;
		return ERR_OK;
	}
	entry = pass_entry(i, 0);
	if (!entry)
		return why_fail(why, ERR_LIMIT, "more than %d passes at once", OPEN_PASSES_MAX);
	e = inventory_statement(i, PASS_FIND, &find, why);
	if (e != ERR_OK)
		return e;
	inventory_bind(find, &pass, 1);
	e = inventory_step(i, find, &is_row, why);
	if (e != ERR_OK)
		return e;
	if (!is_row)
		return why_fail(why, ERR_NOT_FOUND, "pass %lld is not open", (long long)pass);
	*entry = (struct open_pass){ .id = pass,
		.job = sqlite3_column_int64(find, 0),
		.latest = sqlite3_column_int64(find, 1) };
	(void)sqlite3_reset(find);
	*out = entry;
	return ERR_OK;
}

void inventory_forget_pass(struct inventory *i, int64_t pass)
{
	struct open_pass *entry = pass_entry(i, pass);

	if (entry)
		*entry = (struct open_pass){ 0 };
}

enum err inventory_job_id(struct inventory *i, const char *job, int64_t *out, struct why *why)
{
	sqlite3_stmt *find;
	bool is_row = false;
	enum err e = inventory_statement(i, JOB_FIND, &find, why);

	if (e != ERR_OK)
		return e;
	inventory_bind_text(find, 1, job);
	e = inventory_step(i, find, &is_row, why);
	if (e != ERR_OK)
		return e;
	if (!is_row)
		return why_fail(why, ERR_NOT_FOUND, "no job \"%s\" has ever run", job);
	*out = sqlite3_column_int64(find, 0);
	(void)sqlite3_reset(find);
	return ERR_OK;
}

enum err inventory_meta_get(
	struct inventory *i, const char *key, int64_t *value, bool *is_known, struct why *why)
{
	sqlite3_stmt *get;
	enum err e = inventory_statement(i, META_GET, &get, why);

	*is_known = false;
	if (e != ERR_OK)
		return e;
	inventory_bind_text(get, 1, key);
	e = inventory_step(i, get, is_known, why);
	if (e == ERR_OK && *is_known)
		*value = sqlite3_column_int64(get, 0);
	(void)sqlite3_reset(get);
	return e;
}

enum err inventory_meta_set(struct inventory *i, const char *key, int64_t value, struct why *why)
{
	sqlite3_stmt *set;
	enum err e = inventory_statement(i, META_SET, &set, why);

	if (e != ERR_OK)
		return e;
	inventory_bind_text(set, 1, key);
	(void)sqlite3_bind_int64(set, 2, value);
	return inventory_run(i, set, NULL, why);
}

static enum err retire(struct inventory *i, int64_t job, int64_t now, struct why *why)
{
	static const enum statement steps[] = { SIGHTING_GONE_OF_JOB, ENDPOINT_GONE_OF_JOB,
		KEY_GONE_OF_JOB, REFERENCE_GONE_OF_JOB, PROBLEM_DROP_OF_JOB, MEMORY_DROP,
		JOB_RETIRE };
	const int64_t values[STEP_VALUES] = { job, now };
	enum err e = inventory_keys_unsettle(i, why);

	return e == ERR_OK ? inventory_run_steps(
				     i, steps, sizeof(steps) / sizeof(steps[0]), values, why)
			   : e;
}

enum err inventory_retain_jobs(
	struct inventory *i, const struct strings *jobs, int64_t now, struct why *why)
{
	sqlite3_stmt *all = NULL;
	bool is_own = false;
	bool is_row = true;
	enum err e = inventory_enter(i, &is_own, why);

	uses_map_forget(i);
	if (e == ERR_OK)
		e = store_prepare(
			i->store, "SELECT id,name FROM job WHERE is_retired=0", &all, why);
	while (e == ERR_OK) {
		e = inventory_step(i, all, &is_row, why);
		if (e != ERR_OK || !is_row)
			break;
		if (!strings_contain(jobs, (const char *)sqlite3_column_text(all, 1)))
			e = retire(i, sqlite3_column_int64(all, 0), now, why);
	}
	sqlite3_finalize(all);
	return inventory_leave(i, is_own, e, why);
}

enum err inventory_each_job(struct inventory *i, enum err (*fn)(void *, const struct job_state *),
	void *arg, struct why *why)
{
	sqlite3_stmt *all = NULL;
	bool is_row = true;
	enum err e = store_prepare(i->store,
		"SELECT scanner,name,last_start,last_success,last_complete,duration_s,items"
		" FROM job WHERE is_retired=0 ORDER BY name",
		&all, why);

	while (e == ERR_OK) {
		struct job_state state;

		e = inventory_step(i, all, &is_row, why);
		if (e != ERR_OK || !is_row)
			break;
		state = (struct job_state){
			.scanner = (const char *)sqlite3_column_text(all, 0),
			.job = (const char *)sqlite3_column_text(all, 1),
			.last_start = inventory_column_time(all, 2),
			.last_success = inventory_column_time(all, 3),
			.last_complete = sqlite3_column_int(all, 4) != 0,
			.duration_s = sqlite3_column_double(all, 5),
			.items = (uint64_t)sqlite3_column_int64(all, 6),
		};
		e = state.scanner && state.job ? fn(arg, &state) : ERR_MEMORY;
	}
	sqlite3_finalize(all);
	return e;
}

/* ---- what a scanner remembers ----------------------------------------------------------------- */

/* Straight into the buffer: there are megabytes of them. */
static enum err read_memory(struct inventory *i, int64_t job, struct buffer *out, struct why *why)
{
	sqlite3 *db = i->store->db;
	sqlite3_blob *blob = NULL;
	enum err e = ERR_OK;
	uint8_t *to;
	int size;

	if (sqlite3_blob_open(db, "main", "memory", "bytes", job, 0, &blob) != SQLITE_OK)
		return store_fail(i->store, why, "read what a job remembers");
	size = sqlite3_blob_bytes(blob);
	to = buffer_reserve(out, (size_t)size);
	if (!to)
		e = buffer_status(out);
	else if (sqlite3_blob_read(blob, to, size, 0) != SQLITE_OK)
		e = store_fail(i->store, why, "read what a job remembers");
	else
		out->size += (size_t)size;
	(void)sqlite3_blob_close(blob);
	return e;
}

enum err inventory_memory_load(struct inventory *i, const char *job, struct buffer *out,
	uint8_t context[FINGERPRINT_BYTES], struct why *why)
{
	sqlite3_stmt *load;
	struct slice stored;
	bool is_row = false;
	int64_t id = 0;
	enum err e = inventory_job_id(i, job, &id, why);

	if (e == ERR_OK)
		e = inventory_statement(i, MEMORY_LOAD, &load, why);
	if (e != ERR_OK)
		return e;
	inventory_bind(load, &id, 1);
	e = inventory_step(i, load, &is_row, why);
	if (e != ERR_OK)
		return e;
	if (!is_row)
		return why_fail(why, ERR_NOT_FOUND, "job \"%s\" remembers nothing", job);
	stored = inventory_column_bytes(load, 0);
	if (stored.size == FINGERPRINT_BYTES)
		memcpy(context, stored.data, FINGERPRINT_BYTES);
	else
		e = why_fail(why, ERR_STORE, "what job \"%s\" remembers is damaged", job);
	(void)sqlite3_reset(load);
	return e == ERR_OK ? read_memory(i, id, out, why) : e;
}

enum err inventory_memory_save(struct inventory *i, const char *job, struct slice bytes,
	const uint8_t context[FINGERPRINT_BYTES], struct why *why)
{
	sqlite3_stmt *save;
	bool is_own = false;
	int64_t id = 0;
	enum err e = inventory_job_id(i, job, &id, why);

	if (e == ERR_OK)
		e = inventory_enter(i, &is_own, why);
	if (e != ERR_OK)
		return e;
	e = inventory_statement(i, MEMORY_SAVE, &save, why);
	if (e == ERR_OK) {
		inventory_bind(save, &id, 1);
		inventory_bind_bytes(save, 2, slice_of(context, FINGERPRINT_BYTES));
		inventory_bind_bytes(save, 3, bytes);
		e = inventory_run(i, save, NULL, why);
		(void)sqlite3_clear_bindings(save);
	}
	return inventory_leave(i, is_own, e, why);
}

enum err inventory_has_boundary(
	struct inventory *i, const char *job, int64_t until, bool *out, struct why *why)
{
	sqlite3_stmt *find;
	int64_t numbers[] = { 0, until };
	enum err e = inventory_job_id(i, job, &numbers[0], NULL);

	*out = false;
	if (e == ERR_NOT_FOUND)
		return ERR_OK;
	if (e == ERR_OK)
		e = inventory_statement(i, BOUNDARY, &find, why);
	if (e != ERR_OK)
		return e;
	inventory_bind(find, numbers, 2);
	e = inventory_step(i, find, out, why);
	(void)sqlite3_reset(find);
	return e;
}
