/* The agent's database: one SQLite file, opened once, versioned, refused when it is not ours. */
#include "agent/store.h"

#include "agent/base/buffer.h"
#include "agent/base/slice.h"
#include "agent/base/text.h"
#include "agent/store_migrations.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOCK_FILE "inventory.lock"
#define FOLDER_MODE 0750
#define FILE_MODE 0640
#define BUSY_TIMEOUT_MS 5000
/* Pages kept in memory, as PRAGMA cache_size counts them: KiB when negative. */
#define CACHE_PRAGMA "PRAGMA cache_size=-16384"
/* The log is copied into the file from this many pages on, and cut back to this size. */
#define CHECKPOINT_PRAGMA "PRAGMA wal_autocheckpoint=2000"
#define JOURNAL_LIMIT_PRAGMA "PRAGMA journal_size_limit=67108864"
#define LOCK_TEXT_BYTES 32
/* What the lock file says while nobody has the database open and the last one closed it in order. */
#define LOCK_TEXT_CLOSED "closed\n"

/* SQLite's file header (www.sqlite.org/fileformat.html 1.3). */
#define HEADER_BYTES 100
#define HEADER_MAGIC "SQLite format 3"
#define HEADER_VERSION_AT 60
#define HEADER_APPLICATION_AT 68

/* "Leaf" */
#define APPLICATION_ID 0x4c656166

#define VERSION ((int)store_migrations_count)

/* ---- failures --------------------------------------------------------------------------------- */

static bool is_no_space(int system)
{
	return system == ENOSPC || system == EDQUOT || system == EFBIG;
}

/* A failed commit leaves the system's error number with the file that it met. */
static bool is_disk_full(struct store *s, int code)
{
	sqlite3_file *log = NULL;
	int of_file = 0;
	int of_log = 0;

	if ((code & 0xff) == SQLITE_FULL)
		return true;
	if ((code & 0xff) != SQLITE_IOERR)
		return false;
	(void)sqlite3_file_control(s->db, "main", SQLITE_FCNTL_LAST_ERRNO, &of_file);
	(void)sqlite3_file_control(s->db, "main", SQLITE_FCNTL_JOURNAL_POINTER, (void *)&log);
	if (log && log->pMethods)
		(void)log->pMethods->xFileControl(log, SQLITE_FCNTL_LAST_ERRNO, &of_log);
	return is_no_space(sqlite3_system_errno(s->db)) || is_no_space(of_file) ||
	       is_no_space(of_log);
}

enum err store_fail(struct store *s, struct why *why, const char *doing)
{
	int code = sqlite3_extended_errcode(s->db);
	const char *path = s->path ? s->path : "the inventory in memory";
	const char *message = sqlite3_errmsg(s->db);

	/* Some failures have rolled the transaction back already. */
	if (s->is_in_batch && sqlite3_get_autocommit(s->db))
		s->is_in_batch = false;
	if (is_disk_full(s, code))
		return why_fail(why, ERR_LIMIT, "cannot %s: no space left for %s", doing, path);
	switch (code & 0xff) {
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		s->is_suspect = true;
		return why_fail(why, ERR_STORE,
			"cannot %s: %s is damaged (%s); it is left as it is: move it away to start anew",
			doing, path, message);
	case SQLITE_NOMEM:
		return why_fail(why, ERR_MEMORY, "cannot %s: out of memory", doing);
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return why_fail(
			why, ERR_BUSY, "cannot %s: %s is in use (%s)", doing, path, message);
	case SQLITE_READONLY:
	case SQLITE_PERM:
	case SQLITE_AUTH:
		return why_fail(why, ERR_STORE, "cannot %s: %s cannot be written (%s)", doing, path,
			message);
	default:
		return why_fail(why, ERR_STORE, "cannot %s in %s: %s", doing, path, message);
	}
}

enum err store_prepare(struct store *s, const char *sql, sqlite3_stmt **out, struct why *why)
{
	if (sqlite3_prepare_v3(s->db, sql, -1, SQLITE_PREPARE_PERSISTENT, out, NULL) != SQLITE_OK)
		return store_fail(s, why, "prepare a question");
	return ERR_OK;
}

static enum err execute(struct store *s, const char *sql, const char *doing, struct why *why)
{
	if (sqlite3_exec(s->db, sql, NULL, NULL, NULL) != SQLITE_OK)
		return store_fail(s, why, doing);
	return ERR_OK;
}

/* The first column of the first row. */
static enum err ask_integer(struct store *s, const char *sql, int64_t *out, struct why *why)
{
	sqlite3_stmt *statement = NULL;
	enum err e = ERR_OK;

	if (sqlite3_prepare_v2(s->db, sql, -1, &statement, NULL) != SQLITE_OK)
		return store_fail(s, why, "read its version");
	if (sqlite3_step(statement) == SQLITE_ROW)
		*out = sqlite3_column_int64(statement, 0);
	else
		e = store_fail(s, why, "read its version");
	sqlite3_finalize(statement);
	return e;
}

/* ---- folder and lock -------------------------------------------------------------------------- */

static enum err make_folder(const char *dir, struct why *why)
{
	char path[PATH_MAX];
	size_t size = strlen(dir);

	if (!size || size >= sizeof(path))
		return why_fail(why, ERR_STORE, "the state folder's name is empty or too long");
	memcpy(path, dir, size + 1);
	for (size_t i = 1; i <= size; i++) {
		if (path[i] != '/' && path[i])
			continue;
		path[i] = 0;
		if (mkdir(path, FOLDER_MODE) != 0 && errno != EEXIST && errno != EISDIR &&
			errno != EROFS && errno != EACCES)
			return why_fail(why, ERR_STORE, "cannot create the state folder %s: %s",
				dir, strerror(errno));
		path[i] = i < size ? '/' : 0;
	}
	if (access(dir, W_OK | X_OK) != 0)
		return why_fail(why, errno == EACCES || errno == EROFS ? ERR_DENIED : ERR_STORE,
			"cannot write to the state folder %s: %s", dir, strerror(errno));
	return ERR_OK;
}

static enum err path_of(const char *dir, const char *file, char **out)
{
	if (asprintf(out, "%s/%s", dir, file) < 0) {
		*out = NULL;
		return ERR_MEMORY;
	}
	return ERR_OK;
}

static void read_lock_text(int fd, char text[LOCK_TEXT_BYTES])
{
	ssize_t size = pread(fd, text, LOCK_TEXT_BYTES - 1, 0);

	text[size > 0 ? size : 0] = 0;
}

static bool write_lock_text(int fd, const char *text)
{
	size_t size = strlen(text);

	return ftruncate(fd, 0) == 0 && pwrite(fd, text, size, 0) == (ssize_t)size;
}

static enum err refuse_second(int fd, const char *dir, struct why *why)
{
	char text[LOCK_TEXT_BYTES];

	read_lock_text(fd, text);
	text[strcspn(text, "\n")] = 0;
	return why_fail(why, ERR_BUSY, "another leafwatch (process %s) is writing to %s",
		*text ? text : "unknown", dir);
}

/* Takes the lock; `*was_closed` tells whether the last one to hold it closed the database in order. */
static enum err take_lock(struct store *s, const char *dir, bool *was_closed, struct why *why)
{
	char text[LOCK_TEXT_BYTES];
	char *path = NULL;
	enum err e = path_of(dir, LOCK_FILE, &path);

	if (e != ERR_OK)
		return e;
	s->lock_fd = open(
		path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK, FILE_MODE);
	if (s->lock_fd < 0) {
		e = why_fail(why, errno == EACCES || errno == EROFS ? ERR_DENIED : ERR_STORE,
			"cannot open %s: %s", path, strerror(errno));
		goto out;
	}
	if (flock(s->lock_fd, LOCK_EX | LOCK_NB) != 0) {
		e = errno == EWOULDBLOCK
			    ? refuse_second(s->lock_fd, dir, why)
			    : why_fail(why, ERR_STORE, "cannot lock %s: %s", path, strerror(errno));
		(void)close(s->lock_fd);
		s->lock_fd = -1;
		goto out;
	}
	read_lock_text(s->lock_fd, text);
	*was_closed = strcmp(text, LOCK_TEXT_CLOSED) == 0;
	(void)snprintf(text, sizeof(text), "%ld\n", (long)getpid());
	if (!write_lock_text(s->lock_fd, text))
		e = why_fail(why, ERR_LIMIT, "cannot write %s: %s", path, strerror(errno));
out:
	free(path);
	return e;
}

/* ---- whose file is it? ------------------------------------------------------------------------ */

static uint32_t big_endian(const uint8_t *at)
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static enum err refuse_newer(const char *path, int64_t version, struct why *why)
{
	return why_fail(why, ERR_STORE,
		"%s was written by a newer leafwatch (version %lld of its layout, this one knows %d)",
		path, (long long)version, VERSION);
}

static enum err refuse_foreign(const char *path, struct why *why)
{
	return why_fail(why, ERR_STORE,
		"%s is not a leafwatch inventory; it is left as it is: move it away or choose another "
		"state folder",
		path);
}

/* Is a creation that was cut short still to be rolled back? */
static bool has_journal(const char *path)
{
	char *journal = NULL;
	struct stat st;
	bool is_there;

	if (asprintf(&journal, "%s-journal", path) < 0)
		return false;
	is_there = stat(journal, &st) == 0 && st.st_size > 0;
	free(journal);
	return is_there;
}

static enum err judge_header(const char *path, const uint8_t *header, size_t size, struct why *why)
{
	uint32_t application;

	if (size < HEADER_BYTES || memcmp(header, HEADER_MAGIC, sizeof(HEADER_MAGIC)) != 0)
		return why_fail(why, ERR_STORE,
			"%s is no SQLite database (damaged, or another program's file); it is left as it "
			"is: move it away to start anew",
			path);
	application = big_endian(header + HEADER_APPLICATION_AT);
	if (application != APPLICATION_ID)
		return refuse_foreign(path, why);
	if (big_endian(header + HEADER_VERSION_AT) > (uint32_t)VERSION)
		return refuse_newer(path, big_endian(header + HEADER_VERSION_AT), why);
	return ERR_OK;
}

/* Looks at the header before SQLite may touch the file: even opening a foreign database could roll back
 * or check-point what its owner left. An empty file is taken as none. */
static enum err look_at_file(const char *path, bool is_created, struct why *why)
{
	int create = is_created ? O_CREAT : 0;
	int access_mode = is_created ? O_RDWR : O_RDONLY;
	uint8_t header[HEADER_BYTES];
	struct stat st;
	ssize_t size;
	enum err e = ERR_OK;
	int fd = open(path, access_mode | create | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK,
		FILE_MODE);

	if (fd < 0 && errno == ENOENT)
		return why_fail(why, ERR_NOT_FOUND, "there is no inventory at %s yet", path);
	if (fd < 0)
		return why_fail(why, errno == EACCES || errno == EROFS ? ERR_DENIED : ERR_STORE,
			"cannot open %s: %s", path, strerror(errno));
	size = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) ? pread(fd, header, sizeof(header), 0)
							  : -1;
	if (size < 0)
		e = why_fail(why, ERR_STORE, "%s is not a readable file", path);
	else if (size == 0 && !is_created)
		e = why_fail(why, ERR_NOT_FOUND, "there is no inventory at %s yet", path);
	else if (size > 0 && !has_journal(path))
		e = judge_header(path, header, (size_t)size, why);
	(void)close(fd);
	return e;
}

/* The same questions to SQLite, which also sees what is still in the log. */
static enum err check_identity(struct store *s, int64_t *version, struct why *why)
{
	int64_t application = 0;
	int64_t objects = 0;
	enum err e = ask_integer(s, "PRAGMA application_id", &application, why);

	if (e == ERR_OK)
		e = ask_integer(s, "PRAGMA user_version", version, why);
	if (e == ERR_OK)
		e = ask_integer(s, "SELECT count(*) FROM sqlite_schema", &objects, why);
	if (e != ERR_OK)
		return e;
	if (application != APPLICATION_ID && (application || *version || objects))
		return refuse_foreign(s->path, why);
	if (application == APPLICATION_ID && (*version < 1 || !objects))
		return why_fail(why, ERR_STORE, "%s is damaged: it holds no inventory", s->path);
	if (*version > VERSION)
		return refuse_newer(s->path, *version, why);
	return ERR_OK;
}

static enum err check_pages(struct store *s, struct why *why)
{
	sqlite3_stmt *statement = NULL;
	const char *found = NULL;
	enum err e = ERR_OK;

	if (sqlite3_prepare_v2(s->db, "PRAGMA quick_check(1)", -1, &statement, NULL) != SQLITE_OK)
		return store_fail(s, why, "check it");
	if (sqlite3_step(statement) == SQLITE_ROW)
		found = (const char *)sqlite3_column_text(statement, 0);
	if (!found)
		e = store_fail(s, why, "check it");
	else if (strcmp(found, "ok") != 0) {
		s->is_suspect = true;
		e = why_fail(why, ERR_STORE,
			"%s is damaged (%.120s); it is left as it is: move it away to start anew",
			s->path, found);
	}
	sqlite3_finalize(statement);
	return e;
}

/* ---- opening ---------------------------------------------------------------------------------- */

static enum err migrate(struct store *s, int64_t version, struct why *why)
{
	char pragma[96];
	enum err e;

	if (version == VERSION)
		return ERR_OK;
	e = execute(s, "BEGIN IMMEDIATE", "bring it up to date", why);
	for (int64_t i = version; e == ERR_OK && i < VERSION; i++)
		e = execute(s, store_migrations[i], "bring it up to date", why);
	(void)snprintf(pragma, sizeof(pragma), "PRAGMA application_id=%d;PRAGMA user_version=%d",
		APPLICATION_ID, VERSION);
	if (e == ERR_OK)
		e = execute(s, pragma, "bring it up to date", why);
	if (e == ERR_OK)
		e = execute(s, "COMMIT", "bring it up to date", why);
	if (e != ERR_OK)
		(void)sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
	return e;
}

/* A file from elsewhere must not run code of its own (www.sqlite.org/security.html). */
static enum err harden(struct store *s, struct why *why)
{
	(void)sqlite3_extended_result_codes(s->db, 1);
	(void)sqlite3_busy_timeout(s->db, BUSY_TIMEOUT_MS);
	(void)sqlite3_db_config(s->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	(void)sqlite3_db_config(s->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	(void)sqlite3_db_config(s->db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
	(void)sqlite3_db_config(s->db, SQLITE_DBCONFIG_ENABLE_VIEW, 0, NULL);
	return execute(
		s, "PRAGMA cell_size_check=ON; PRAGMA mmap_size=0;" CACHE_PRAGMA, "set it up", why);
}

/* Only after the file is known to be ours: this writes. The schema is committed before the change to
 * WAL, so that the header of the file itself names its owner from the first moment. */
static enum err set_up(struct store *s, bool was_closed, struct why *why)
{
	int64_t version = 0;
	enum err e = check_identity(s, &version, why);

	if (e == ERR_OK && version && !was_closed)
		e = check_pages(s, why);
	if (e == ERR_OK)
		e = migrate(s, version, why);
	if (e != ERR_OK)
		return e;
	if (!s->path)
		return execute(
			s, "PRAGMA journal_mode=MEMORY; PRAGMA synchronous=OFF", "set it up", why);
	return execute(s,
		"PRAGMA temp_store=MEMORY; PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;" CHECKPOINT_PRAGMA
		";" JOURNAL_LIMIT_PRAGMA,
		"set it up", why);
}

static enum err open_database(struct store *s, const char *name, int flags, struct why *why)
{
	int code = sqlite3_open_v2(
		name, &s->db, flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, NULL);

	if (!s->db)
		return ERR_MEMORY;
	if (code != SQLITE_OK)
		return store_fail(s, why, "open it");
	return harden(s, why);
}

/* SQLite's names for a database that ends with its connection: "" may spill into an unnamed file of the
 * folder for temporary files, ":memory:" never does, for hosts where there is no such folder. */
static const char *transient_name(void)
{
	static const char *const folders[] = { "/var/tmp", "/usr/tmp", "/tmp" };
	const char *chosen = getenv("SQLITE_TMPDIR");

	if (!chosen)
		chosen = getenv("TMPDIR");
	if (chosen && access(chosen, W_OK | X_OK) == 0)
		return "";
	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++)
		if (access(folders[i], W_OK | X_OK) == 0)
			return "";
	return ":memory:";
}

static enum err new_store(const char *dir, struct store **out)
{
	struct store *s = calloc(1, sizeof(*s));

	if (!s)
		return ERR_MEMORY;
	s->lock_fd = -1;
	if (dir && path_of(dir, STORE_FILE, &s->path) != ERR_OK) {
		free(s);
		return ERR_MEMORY;
	}
	*out = s;
	return ERR_OK;
}

enum err store_open(const char *dir, struct store **out, struct why *why)
{
	struct store *s = NULL;
	bool was_closed = false;
	enum err e = new_store(dir, &s);

	if (e != ERR_OK)
		return e;
	if (dir) {
		e = make_folder(dir, why);
		if (e == ERR_OK)
			e = take_lock(s, dir, &was_closed, why);
		if (e == ERR_OK) {
			/* Until it is set up, a failure leaves the next one as wary as this one. */
			s->is_suspect = !was_closed;
			e = look_at_file(s->path, true, why);
		}
	}
	if (e == ERR_OK)
		e = open_database(s, dir ? s->path : transient_name(),
			SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, why);
	if (e == ERR_OK)
		e = set_up(s, was_closed, why);
	if (e == ERR_OK) {
		s->is_suspect = false;
		*out = s;
		s = NULL;
	}
	store_close(s);
	return e;
}

static bool has_log(const char *path)
{
	char *log = NULL;
	struct stat st;
	bool is_there;

	if (asprintf(&log, "%s-wal", path) < 0)
		return true;
	is_there = stat(log, &st) == 0;
	free(log);
	return is_there;
}

/* In a folder that this user may not write to, and with no log that a writer left, SQLite must be told
 * that it needs no shared memory file. The path is percent-encoded for SQLite's URI. */
static enum err open_settled(struct store *s, struct why *why)
{
	struct buffer uri;
	enum err e;

	buffer_init(&uri, 3 * PATH_MAX + 64);
	buffer_text(&uri, "file:");
	text_uri_encode(&uri, slice_text(s->path));
	buffer_text(&uri, "?immutable=1");
	e = buffer_status(&uri);
	if (e == ERR_OK)
		e = open_database(
			s, buffer_string(&uri), SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, why);
	buffer_fini(&uri);
	return e;
}

enum err store_open_read(const char *dir, struct store **out, struct why *why)
{
	struct store *s = NULL;
	int64_t version = 0;
	enum err e;

	if (!dir)
		return why_fail(why, ERR_NOT_FOUND, "an inventory in memory has no other readers");
	e = new_store(dir, &s);
	if (e != ERR_OK)
		return e;
	e = look_at_file(s->path, false, why);
	if (e == ERR_OK)
		e = access(dir, W_OK) != 0 && !has_log(s->path)
			    ? open_settled(s, why)
			    : open_database(s, s->path, SQLITE_OPEN_READONLY, why);
	if (e == ERR_OK)
		e = check_identity(s, &version, why);
	if (e == ERR_OK && version < VERSION)
		e = why_fail(why, ERR_STORE,
			"%s was written by an older leafwatch; run the agent once to bring it up to date",
			s->path);
	if (e == ERR_OK) {
		*out = s;
		s = NULL;
	}
	store_close(s);
	return e;
}

void store_close(struct store *s)
{
	if (!s)
		return;
	store_rollback(s);
	(void)sqlite3_close_v2(s->db);
	if (s->lock_fd >= 0) {
		if (!s->is_suspect)
			(void)write_lock_text(s->lock_fd, LOCK_TEXT_CLOSED);
		(void)close(s->lock_fd);
	}
	free(s->path);
	free(s);
}

/* ---- batches ---------------------------------------------------------------------------------- */

enum err store_begin(struct store *s, struct why *why)
{
	enum err e;

	if (s->is_in_batch)
		return ERR_OK;
	e = execute(s, "BEGIN IMMEDIATE", "begin a batch", why);
	s->is_in_batch = e == ERR_OK;
	return e;
}

/* In WAL with synchronous NORMAL a commit is in the log but not yet on the disk: syncing the log makes
 * this one and all before it last, without a second transaction. */
static enum err sync_log(struct store *s, struct why *why)
{
	sqlite3_file *log = NULL;
	int code = sqlite3_file_control(s->db, "main", SQLITE_FCNTL_JOURNAL_POINTER, (void *)&log);

	if (code == SQLITE_OK && log && log->pMethods)
		code = log->pMethods->xSync(log, SQLITE_SYNC_NORMAL);
	if (code != SQLITE_OK)
		return why_fail(why, ERR_STORE, "cannot bring %s to the disk: %s", s->path,
			sqlite3_errstr(code));
	return ERR_OK;
}

enum err store_commit(struct store *s, bool durable, struct why *why)
{
	enum err e = ERR_OK;

	if (s->is_in_batch) {
		e = execute(s, "COMMIT", "store a batch", why);
		if (e != ERR_OK) {
			store_rollback(s);
			return e;
		}
		s->is_in_batch = false;
	}
	if (durable && s->path)
		e = sync_log(s, why);
	return e;
}

void store_rollback(struct store *s)
{
	if (s->is_in_batch && s->db && !sqlite3_get_autocommit(s->db))
		(void)sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
	s->is_in_batch = false;
}
