/* The store: what it refuses, whom it keeps out, what it holds after a kill. */
#include "agent/inventory.h"
#include "agent/store.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
/* cmocka wants the four above first. */
#include <cmocka.h>

#define NOW 1767225600LL
#define PATH_BYTES 256
#define KILL_ROUNDS 12
#define KILL_EARLY 4 /* of them, that wait for no batch */
#define BATCHES_MAX 100000
#define BATCH_RECORDS 20

/* ---- a folder of its own for each test --------------------------------------------------------- */

struct folder {
	char dir[PATH_BYTES];
	char file[PATH_BYTES + 32];
};

static int make_folder(void **state)
{
	struct folder *f = calloc(1, sizeof(*f));
	const char *base = getenv("TMPDIR");

	assert_non_null(f);
	(void)snprintf(f->dir, sizeof(f->dir), "%s/leafwatch-store-XXXXXX", base ? base : "/tmp");
	assert_non_null(mkdtemp(f->dir));
	(void)snprintf(f->file, sizeof(f->file), "%s/%s", f->dir, STORE_FILE);
	*state = f;
	return 0;
}

static int drop_folder(void **state)
{
	static const char *const names[] = { "inventory.db", "inventory.db-wal", "inventory.db-shm",
		"inventory.db-journal", "inventory.lock", "state/inventory.db",
		"state/inventory.lock", "state" };
	struct folder *f = *state;
	char path[PATH_BYTES + 64];

	(void)chmod(f->dir, 0700);
	for (size_t n = 0; n < sizeof(names) / sizeof(names[0]); n++) {
		(void)snprintf(path, sizeof(path), "%s/%s", f->dir, names[n]);
		(void)remove(path);
	}
	assert_int_equal(rmdir(f->dir), 0);
	free(f);
	return 0;
}

static struct store *opened(const char *dir)
{
	struct store *s = NULL;
	struct why why = { 0 };
	enum err e = store_open(dir, &s, &why);

	if (e != ERR_OK)
		print_error("%s\n", why_text(&why, e));
	assert_int_equal(e, ERR_OK);
	return s;
}

static void run_sql(sqlite3 *db, const char *sql)
{
	char *message = NULL;

	if (sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_OK)
		fail_msg("%s: %s", sql, message);
}

static int64_t ask(sqlite3 *db, const char *sql)
{
	sqlite3_stmt *statement = NULL;
	int64_t value;

	assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
	value = sqlite3_column_int64(statement, 0);
	sqlite3_finalize(statement);
	return value;
}

static struct buffer contents(const char *path)
{
	struct buffer b;
	uint8_t piece[65536];
	ssize_t size;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	buffer_init(&b, 64 << 20);
	while ((size = read(fd, piece, sizeof(piece))) > 0)
		buffer_append(&b, piece, (size_t)size);
	(void)close(fd);
	assert_int_equal(buffer_status(&b), ERR_OK);
	return b;
}

static void write_at(const char *path, off_t at, const void *bytes, size_t size)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, bytes, size, at), size);
	(void)close(fd);
}

/* Opening fails with a sentence that holds `words`, and leaves every byte as it was. */
static void is_refused(const struct folder *f, enum err expected, const char *words)
{
	struct buffer before = contents(f->file);
	struct buffer after;
	struct store *s = NULL;
	struct why why = { 0 };
	enum err e = store_open(f->dir, &s, &why);

	if (e != expected || !strstr(why.text, words))
		print_error("%d: %s\n", (int)e, why_text(&why, e));
	assert_int_equal(e, expected);
	assert_non_null(strstr(why.text, words));
	assert_null(s);
	after = contents(f->file);
	assert_int_equal(after.size, before.size);
	assert_memory_equal(after.data ? after.data : (uint8_t *)"",
		before.data ? before.data : (uint8_t *)"", before.size);
	buffer_fini(&before);
	buffer_fini(&after);
	/* Nor does the reader take it. */
	assert_int_not_equal(store_open_read(f->dir, &s, &why), ERR_OK);
}

/* Some hundred pages of inventory. */
static void fill(const struct folder *f)
{
	struct store *s = opened(f->dir);

	assert_int_equal(store_begin(s, NULL), ERR_OK);
	run_sql(s->db,
		"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<2000)"
		" INSERT INTO certificate(fingerprint,facts) SELECT randomblob(32),randomblob(300) FROM n");
	assert_int_equal(store_commit(s, true, NULL), ERR_OK);
	store_close(s);
}

static void forget_orderly_close(const struct folder *f)
{
	char path[PATH_BYTES + 32];

	(void)snprintf(path, sizeof(path), "%s/inventory.lock", f->dir);
	assert_int_equal(truncate(path, 0), 0);
}

/* ---- opening ---------------------------------------------------------------------------------- */

static void opens_and_opens_again(void **state)
{
	struct folder *f = *state;
	struct store *s = opened(f->dir);
	struct stat st;

	assert_int_equal(stat(f->file, &st), 0);
	assert_int_equal(st.st_mode & 07, 0);
	assert_int_equal(ask(s->db, "PRAGMA user_version") > 0, 1);
	assert_int_equal(ask(s->db, "PRAGMA synchronous"), 1);
	run_sql(s->db, "INSERT INTO receiver(name) VALUES('ops')");
	store_close(s);
	s = opened(f->dir);
	assert_int_equal(ask(s->db, "SELECT count(*) FROM receiver"), 1);
	store_close(s);
}

static void makes_its_folder(void **state)
{
	struct folder *f = *state;
	char dir[PATH_BYTES + 32];
	struct stat st;

	(void)snprintf(dir, sizeof(dir), "%s/state", f->dir);
	store_close(opened(dir));
	assert_int_equal(stat(dir, &st), 0);
	assert_int_equal(st.st_mode & 0777 & ~0750U, 0);
}

static void batches_are_all_or_nothing(void **state)
{
	struct folder *f = *state;
	struct store *s = opened(f->dir);

	assert_int_equal(store_begin(s, NULL), ERR_OK);
	assert_int_equal(store_begin(s, NULL), ERR_OK);
	run_sql(s->db, "INSERT INTO receiver(name) VALUES('a')");
	store_rollback(s);
	assert_false(s->is_in_batch);
	assert_int_equal(ask(s->db, "SELECT count(*) FROM receiver"), 0);
	assert_int_equal(store_begin(s, NULL), ERR_OK);
	run_sql(s->db, "INSERT INTO receiver(name) VALUES('b')");
	assert_int_equal(store_commit(s, true, NULL), ERR_OK);
	assert_int_equal(store_commit(s, true, NULL), ERR_OK);
	store_rollback(s);
	assert_int_equal(ask(s->db, "SELECT count(*) FROM receiver"), 1);
	/* A batch that nobody ended is not stored. */
	assert_int_equal(store_begin(s, NULL), ERR_OK);
	run_sql(s->db, "INSERT INTO receiver(name) VALUES('c')");
	store_close(s);
	s = opened(f->dir);
	assert_int_equal(ask(s->db, "SELECT count(*) FROM receiver"), 1);
	store_close(s);
}

/* ---- what is not ours ------------------------------------------------------------------------- */

static void refuses_random_bytes(void **state)
{
	struct folder *f = *state;
	uint8_t bytes[10000];

	for (size_t n = 0; n < sizeof(bytes); n++)
		bytes[n] = (uint8_t)(n * 2654435761U >> 13);
	write_at(f->file, 0, bytes, sizeof(bytes));
	is_refused(f, ERR_STORE, "no SQLite database");
	assert_int_equal(truncate(f->file, 1), 0);
	is_refused(f, ERR_STORE, "no SQLite database");
}

static void refuses_another_programs_database(void **state)
{
	struct folder *f = *state;
	sqlite3 *db = NULL;

	assert_int_equal(sqlite3_open(f->file, &db), SQLITE_OK);
	run_sql(db, "PRAGMA journal_mode=WAL; CREATE TABLE cookies(a)");
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
	is_refused(f, ERR_STORE, "not a leafwatch inventory");
	assert_int_equal(sqlite3_open(f->file, &db), SQLITE_OK);
	run_sql(db, "PRAGMA application_id=1234; PRAGMA user_version=1");
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
	is_refused(f, ERR_STORE, "not a leafwatch inventory");
}

static void refuses_a_newer_one(void **state)
{
	struct folder *f = *state;
	struct store *s = opened(f->dir);

	run_sql(s->db, "PRAGMA user_version=999");
	store_close(s);
	is_refused(f, ERR_STORE, "newer leafwatch (version 999");
}

/* The version may still be in the log alone when the agent that wrote it was killed. */
static void refuses_a_newer_one_in_the_log(void **state)
{
	struct folder *f = *state;
	struct store *s = NULL;
	struct why why = { 0 };
	int status;
	pid_t pid;

	store_close(opened(f->dir));
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		s = opened(f->dir);
		run_sql(s->db, "PRAGMA user_version=999");
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(store_open(f->dir, &s, &why), ERR_STORE);
	assert_non_null(strstr(why.text, "newer leafwatch (version 999"));
	assert_null(s);
}

static void refuses_a_truncated_one(void **state)
{
	struct folder *f = *state;
	struct stat st;

	fill(f);
	assert_int_equal(stat(f->file, &st), 0);
	assert_int_equal(truncate(f->file, st.st_size / 2), 0);
	is_refused(f, ERR_STORE, "damaged");
	assert_int_equal(truncate(f->file, 60), 0);
	is_refused(f, ERR_STORE, "damaged");
}

static void refuses_damaged_pages_after_a_crash(void **state)
{
	struct folder *f = *state;
	uint8_t rubbish[4096];

	fill(f);
	memset(rubbish, 0xa5, sizeof(rubbish));
	write_at(f->file, 4096L * 40, rubbish, sizeof(rubbish));
	forget_orderly_close(f);
	{
		struct buffer before = contents(f->file);
		struct buffer after;
		struct store *s = NULL;
		struct why why = { 0 };

		/* Twice: the first refusal must not pass for an orderly end. */
		for (int n = 0; n < 2; n++) {
			assert_int_equal(store_open(f->dir, &s, &why), ERR_STORE);
			assert_non_null(strstr(why.text, "damaged"));
		}
		after = contents(f->file);
		assert_int_equal(after.size, before.size);
		assert_memory_equal(after.data, before.data, before.size);
		buffer_fini(&before);
		buffer_fini(&after);
	}
}

static void takes_an_empty_file_for_none(void **state)
{
	struct folder *f = *state;

	write_at(f->file, 0, "", 0);
	store_close(opened(f->dir));
}

static void refuses_a_link_and_a_folder(void **state)
{
	struct folder *f = *state;
	struct store *s = NULL;
	struct why why = { 0 };

	assert_int_equal(symlink("/dev/null", f->file), 0);
	assert_int_equal(store_open(f->dir, &s, &why), ERR_STORE);
	assert_int_equal(unlink(f->file), 0);
	assert_int_equal(mkdir(f->file, 0700), 0);
	assert_int_not_equal(store_open(f->dir, &s, &why), ERR_OK);
	assert_int_equal(rmdir(f->file), 0);
	assert_int_equal(mkfifo(f->file, 0600), 0);
	assert_int_not_equal(store_open(f->dir, &s, &why), ERR_OK);
}

static void needs_a_folder_it_may_write_to(void **state)
{
	struct folder *f = *state;
	struct store *s = NULL;
	struct why why = { 0 };
	int status = 0;
	pid_t pid;

	fill(f);
	/* Root may write anywhere: the question is put by somebody else. */
	assert_int_equal(chmod(f->file, 0644), 0);
	assert_int_equal(chmod(f->dir, 0555), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		if (geteuid() == 0 && setuid(65534) != 0)
			_exit(9);
		if (store_open(f->dir, &s, &why) != ERR_DENIED || !strstr(why.text, "cannot write"))
			_exit(1);
		/* Reading works. */
		if (store_open_read(f->dir, &s, &why) != ERR_OK)
			_exit(2);
		if (ask(s->db, "SELECT count(*) FROM certificate") != 2000)
			_exit(3);
		store_close(s);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(WEXITSTATUS(status), 0);
	assert_true(WIFEXITED(status));
}

/* ---- full disk -------------------------------------------------------------------------------- */

static void says_when_the_disk_is_full(void **state)
{
	struct folder *f = *state;
	struct store *s = NULL;
	int status = 0;
	pid_t pid;

	fill(f);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		struct rlimit limit = { .rlim_cur = 2 << 20, .rlim_max = 2 << 20 };
		struct why why = { 0 };
		enum err e = ERR_OK;

		(void)signal(SIGXFSZ, SIG_IGN);
		s = opened(f->dir);
		if (setrlimit(RLIMIT_FSIZE, &limit) != 0)
			_exit(1);
		for (int n = 0; e == ERR_OK && n < 2000; n++) {
			e = store_begin(s, &why);
			if (e == ERR_OK &&
				sqlite3_exec(s->db,
					"INSERT INTO certificate(fingerprint,facts) VALUES"
					"(randomblob(32),randomblob(60000))",
					NULL, NULL, NULL) != SQLITE_OK)
				e = store_fail(s, &why, "store a record");
			if (e == ERR_OK)
				e = store_commit(s, false, &why);
		}
		if (e != ERR_LIMIT || !strstr(why.text, "no space left"))
			_exit(2);
		store_rollback(s);
		/* What was stored before is still to be had. */
		_exit(ask(s->db, "SELECT count(*) FROM certificate") > 2000 ? 0 : 3);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	s = opened(f->dir);
	assert_true(ask(s->db, "SELECT count(*) FROM certificate") > 2000);
	store_close(s);
}

/* ---- company ---------------------------------------------------------------------------------- */

static void keeps_a_second_writer_out(void **state)
{
	struct folder *f = *state;
	struct store *s = opened(f->dir);
	struct store *second = NULL;
	struct why why = { 0 };
	char pid[32];

	assert_int_equal(store_open(f->dir, &second, &why), ERR_BUSY);
	(void)snprintf(pid, sizeof(pid), "process %ld)", (long)getpid());
	assert_non_null(strstr(why.text, pid));
	assert_null(second);
	run_sql(s->db, "INSERT INTO receiver(name) VALUES('a')");
	store_close(s);
	s = opened(f->dir);
	assert_int_equal(ask(s->db, "SELECT count(*) FROM receiver"), 1);
	store_close(s);
}

static void lets_a_reader_in(void **state)
{
	struct folder *f = *state;
	struct store *reader = NULL;
	struct why why = { 0 };
	struct store *s;

	assert_int_equal(store_open_read(f->dir, &reader, &why), ERR_NOT_FOUND);
	s = opened(f->dir);
	assert_int_equal(store_open_read(f->dir, &reader, &why), ERR_OK);
	assert_int_equal(store_begin(s, NULL), ERR_OK);
	run_sql(s->db, "INSERT INTO receiver(name) VALUES('a')");
	assert_int_equal(ask(reader->db, "SELECT count(*) FROM receiver"), 0);
	assert_int_equal(store_commit(s, false, NULL), ERR_OK);
	assert_int_equal(ask(reader->db, "SELECT count(*) FROM receiver"), 1);
	assert_int_equal(sqlite3_exec(reader->db, "DELETE FROM receiver", NULL, NULL, NULL),
		SQLITE_READONLY);
	store_close(reader);
	store_close(s);
	/* And alone. */
	assert_int_equal(store_open_read(f->dir, &reader, &why), ERR_OK);
	assert_int_equal(ask(reader->db, "SELECT count(*) FROM receiver"), 1);
	store_close(reader);
}

/* ---- kill ------------------------------------------------------------------------------------- */

static void put_one(struct inventory *i, int64_t pass, unsigned batch, unsigned n)
{
	struct record r = { .kind = RECORD_CERTIFICATE };
	char uri[64];

	(void)snprintf(uri, sizeof(uri), "file:///%u/%u.pem", batch, n);
	r.location = (struct location){ .scanner = (char *)"files", .uri = uri };
	memcpy(r.certificate.facts.fingerprint, &batch, sizeof(batch));
	memcpy(r.certificate.facts.fingerprint + sizeof(batch), &n, sizeof(n));
	if (inventory_put(i, pass, &r, NOW, NULL) != ERR_OK)
		_exit(2);
}

/* Stores batch after batch and says the number of each when it was said to be stored. */
static void store_for_ever(const char *dir, int report)
{
	struct inventory *i = NULL;
	struct store *s = NULL;
	int64_t pass = 0;

	if (store_open(dir, &s, NULL) != ERR_OK || inventory_new(s, &i, NULL) != ERR_OK ||
		inventory_pass_begin(i, "files", "files", NOW, &pass, NULL) != ERR_OK)
		_exit(1);
	for (unsigned batch = 1; batch < BATCHES_MAX; batch++) {
		for (unsigned n = 0; n < BATCH_RECORDS; n++)
			put_one(i, pass, batch, n);
		if (inventory_commit(i, NULL) != ERR_OK ||
			write(report, &batch, sizeof(batch)) != (ssize_t)sizeof(batch))
			_exit(3);
	}
	_exit(4);
}

/* Kills it so long after it has said that so many batches are stored; returns how many it said at last. */
static unsigned kill_one(const char *dir, unsigned batches, unsigned after_us)
{
	struct timespec wait = { .tv_nsec = (long)after_us * 1000 };
	unsigned stored = 0;
	unsigned batch;
	int ends[2];
	int status;
	pid_t pid;

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		(void)close(ends[0]);
		store_for_ever(dir, ends[1]);
	}
	(void)close(ends[1]);
	while (stored < batches && read(ends[0], &batch, sizeof(batch)) == (ssize_t)sizeof(batch))
		stored = batch;
	(void)nanosleep(&wait, NULL);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (!WIFSIGNALED(status))
		fail_msg("the child ended with %d", WEXITSTATUS(status));
	while (read(ends[0], &batch, sizeof(batch)) == (ssize_t)sizeof(batch))
		stored = batch;
	(void)close(ends[0]);
	return stored;
}

static void loses_nothing_to_a_kill(void **state)
{
	struct folder *f = *state;
	unsigned rounds_that_stored = 0;

	/* Moments from before it is open to some hundred batches, whatever a batch takes here. */
	for (unsigned round = 0; round < KILL_ROUNDS; round++) {
		unsigned batches = round < KILL_EARLY
					   ? 0
					   : 1 + 2 * (round - KILL_EARLY) * (round - KILL_EARLY);
		unsigned stored = kill_one(f->dir, batches, 1000 + round * 2337);
		struct store *s;
		char sql[160];

		if (access(f->file, F_OK) != 0)
			continue;
		s = opened(f->dir);
		assert_int_equal(
			ask(s->db,
				"SELECT count(*) FROM pragma_quick_check WHERE quick_check<>'ok'"),
			0);
		(void)snprintf(sql, sizeof(sql),
			"SELECT count(*) FROM sighting JOIN place ON place.id=sighting.id>>24"
			" WHERE CAST(substr(uri,9) AS INTEGER)<=%u",
			stored);
		assert_int_equal(ask(s->db, sql), (int64_t)stored * BATCH_RECORDS);
		/* Nor half a batch. */
		assert_int_equal(ask(s->db, "SELECT count(*) FROM sighting") % BATCH_RECORDS, 0);
		rounds_that_stored += stored > 0;
		run_sql(s->db, "DELETE FROM sighting; DELETE FROM place; DELETE FROM certificate");
		store_close(s);
	}
	assert_true(rounds_that_stored >= KILL_ROUNDS - KILL_EARLY);
}

/* Killed at any moment of making the file, the next start makes it or finds it whole. */
static void loses_nothing_at_the_first_start(void **state)
{
	struct folder *f = *state;

	for (unsigned round = 0; round < KILL_ROUNDS; round++) {
		(void)kill_one(f->dir, 0, round * 700);
		store_close(opened(f->dir));
		(void)unlink(f->file);
	}
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, make_folder, drop_folder)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(opens_and_opens_again),
		TEST(makes_its_folder),
		TEST(batches_are_all_or_nothing),
		TEST(refuses_random_bytes),
		TEST(refuses_another_programs_database),
		TEST(refuses_a_newer_one),
		TEST(refuses_a_newer_one_in_the_log),
		TEST(refuses_a_truncated_one),
		TEST(refuses_damaged_pages_after_a_crash),
		TEST(takes_an_empty_file_for_none),
		TEST(refuses_a_link_and_a_folder),
		TEST(needs_a_folder_it_may_write_to),
		TEST(says_when_the_disk_is_full),
		TEST(keeps_a_second_writer_out),
		TEST(lets_a_reader_in),
		TEST(loses_nothing_to_a_kill),
		TEST(loses_nothing_at_the_first_start),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
