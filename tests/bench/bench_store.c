/* How much the inventory costs over bare SQLite: the same rows inserted into tables without indexes.
 * Usage: bench_store [SIGHTINGS [CERTIFICATES [ROUNDS]]] */
#include "agent/inventory.h"
#include "agent/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define NOW 1767225600LL
#define SIGHTINGS 100000
#define CERTIFICATES 100000
#define ROUNDS 9
#define ROUNDS_MAX 99
#define KEPT_PLACES 2000
#define PER_FOLDER 20

enum figure { FLOOR, FIRST, SECOND, KEEP, EACH, FIGURES };
static const char *const figure_names[FIGURES] = { "bare SQLite, insert", "first pass",
	"second pass, same records", "keep 2,000 places", "each, all records" };

struct bench {
	char dir[64];
	unsigned sightings;
	unsigned certificates;
	double times[FIGURES][ROUNDS_MAX];
};

static void die(const char *what, enum err e, const struct why *why)
{
	(void)fprintf(stderr, "bench_store: %s: %s\n", what, why_text(why, e));
	exit(1);
}

static void check(const char *what, enum err e, const struct why *why)
{
	if (e != ERR_OK)
		die(what, e, why);
}

static double seconds(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a;
	double y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *values, unsigned count)
{
	qsort(values, count, sizeof(*values), compare);
	return values[count / 2];
}

/* ---- records ---------------------------------------------------------------------------------- */

struct maker {
	struct record record;
	char uri[128];
	char subject[96];
	char serial[48];
	char name[2][64];
	char *names[2];
	char *usage[2];
	char *extended[2];
	uint8_t chain[3][FINGERPRINT_BYTES];
};

static void random_bytes(uint64_t seed, uint8_t *out, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
		out[i] = (uint8_t)(seed >> 56);
	}
}

/* The n-th sighting: a common web certificate in a file of its own. */
static const struct record *make(const struct bench *b, struct maker *m, unsigned n)
{
	unsigned k = n % b->certificates;
	struct certificate *c = &m->record.certificate.facts;
	struct verdict *v = &m->record.certificate.verdict;

	memset(m, 0, sizeof(*m));
	(void)snprintf(m->uri, sizeof(m->uri), "file:///srv/tls/site-%05u/certificate-%06u.pem",
		n / PER_FOLDER, n);
	(void)snprintf(m->subject, sizeof(m->subject),
		"CN=host-%06u.internal.example.org,O=Example,C=DE", k);
	(void)snprintf(m->serial, sizeof(m->serial), "03%032x", k);
	for (unsigned i = 0; i < 2; i++) {
		(void)snprintf(m->name[i], sizeof(m->name[i]),
			"dns:host-%06u-%u.internal.example.org", k, i);
		m->names[i] = m->name[i];
	}
	m->usage[0] = (char *)"digitalSignature";
	m->usage[1] = (char *)"keyEncipherment";
	m->extended[0] = (char *)"serverAuth";
	m->extended[1] = (char *)"clientAuth";
	m->record.kind = RECORD_CERTIFICATE;
	m->record.location = (struct location){
		.scanner = (char *)"files", .uri = m->uri, .format = (char *)"pem"
	};
	random_bytes(k + 1, c->fingerprint, FINGERPRINT_BYTES);
	random_bytes(k + 1000001, c->spki_sha256, FINGERPRINT_BYTES);
	c->subject = m->subject;
	c->issuer = (char *)"CN=Internal Issuing CA 1,O=Example,C=DE";
	c->subject_cn = m->subject + 3;
	c->issuer_cn = (char *)"Internal Issuing CA 1";
	c->serial = m->serial;
	c->not_before = NOW - 86400LL * (k % 60);
	c->not_after = NOW + 86400LL * (k % 90);
	c->names = (struct strings){ m->names, 2, 2 };
	c->key_algorithm = (char *)"RSA";
	c->key_bits = 2048;
	c->signature_algorithm = (char *)"RSA-SHA256";
	c->key_usage = (struct strings){ m->usage, 2, 2 };
	c->extended_key_usage = (struct strings){ m->extended, 2, 2 };
	v->is_checked = true;
	v->trust = (char *)"/etc/leafwatch/internal-ca.pem";
	memcpy(m->chain[0], c->fingerprint, FINGERPRINT_BYTES);
	random_bytes(7, m->chain[1], FINGERPRINT_BYTES);
	random_bytes(8, m->chain[2], FINGERPRINT_BYTES);
	v->chain = (struct fingerprints){ m->chain, 3 };
	v->expires = c->not_after;
	v->boundary = c->not_after;
	return &m->record;
}

/* ---- the floor -------------------------------------------------------------------------------- */

static void sql(sqlite3 *db, const char *text)
{
	if (sqlite3_exec(db, text, NULL, NULL, NULL) != SQLITE_OK) {
		(void)fprintf(stderr, "bench_store: %s: %s\n", text, sqlite3_errmsg(db));
		exit(1);
	}
}

static void remove_files(const struct bench *b, const char *name)
{
	static const char *const ends[] = { "", "-wal", "-shm" };
	char path[128];

	for (unsigned n = 0; n < 3; n++) {
		(void)snprintf(path, sizeof(path), "%s/%s%s", b->dir, name, ends[n]);
		(void)unlink(path);
	}
}

/* One statement of the floor: ready-made rows copied in. The columns of one table lie one after the
 * other in `rows`, read out of a real inventory beforehand. */
struct table {
	const char *name;
	const char *create;
	const char *insert;
	int columns;
	sqlite3_value **values; /* owned, owned each */
	size_t count;
};

static struct table tables[] = {
	{ "place",
		"CREATE TABLE place(id INTEGER PRIMARY KEY, uri TEXT, job INTEGER, kept INTEGER, is_stale INTEGER, seen INTEGER)",
		"INSERT INTO place VALUES(?,?,?,?,?,?)", 6, NULL, 0 },
	{ "certificate",
		"CREATE TABLE certificate(id INTEGER PRIMARY KEY, fingerprint BLOB, subject TEXT, issuer TEXT, not_before INTEGER, not_after INTEGER, facts BLOB)",
		"INSERT INTO certificate VALUES(?,?,?,?,?,?,?)", 7, NULL, 0 },
	{ "sighting",
		"CREATE TABLE sighting(id INTEGER PRIMARY KEY, certificate INTEGER, pass INTEGER, first_seen INTEGER, seen INTEGER, gone_at INTEGER, boundary INTEGER, detail BLOB)",
		"INSERT INTO sighting VALUES(?,?,?,?,?,?,?,?)", 8, NULL, 0 },
};
#define TABLES (sizeof(tables) / sizeof(tables[0]))

static void load_table(sqlite3 *db, struct table *t)
{
	char text[64];
	sqlite3_stmt *rows = NULL;
	size_t capacity = 0;

	(void)snprintf(text, sizeof(text), "SELECT * FROM %s ORDER BY id", t->name);
	if (sqlite3_prepare_v2(db, text, -1, &rows, NULL) != SQLITE_OK)
		exit(1);
	while (sqlite3_step(rows) == SQLITE_ROW) {
		if (t->count == capacity) {
			capacity = capacity ? 2 * capacity : 1024;
			t->values = reallocarray(
				t->values, capacity * (size_t)t->columns, sizeof(*t->values));
			if (!t->values)
				exit(1);
		}
		for (int n = 0; n < t->columns; n++)
			t->values[t->count * (size_t)t->columns + (size_t)n] =
				sqlite3_value_dup(sqlite3_column_value(rows, n));
		t->count++;
	}
	sqlite3_finalize(rows);
}

static void free_tables(void)
{
	for (size_t n = 0; n < TABLES; n++) {
		for (size_t k = 0; k < tables[n].count * (size_t)tables[n].columns; k++)
			sqlite3_value_free(tables[n].values[k]);
		free(tables[n].values);
	}
}

static void insert_row(const struct table *t, size_t row, sqlite3_stmt *insert)
{
	for (int n = 0; n < t->columns; n++)
		(void)sqlite3_bind_value(
			insert, n + 1, t->values[row * (size_t)t->columns + (size_t)n]);
	if (sqlite3_step(insert) != SQLITE_DONE)
		exit(1);
	(void)sqlite3_reset(insert);
}

/* A row of each table in turn, as they come in a pass, in one transaction, with the store's settings. */
static double run_floor(const struct bench *b)
{
	sqlite3_stmt *inserts[TABLES] = { NULL };
	char path[128];
	sqlite3 *db = NULL;
	double start;

	remove_files(b, "floor.db");
	(void)snprintf(path, sizeof(path), "%s/floor.db", b->dir);
	if (sqlite3_open(path, &db) != SQLITE_OK)
		exit(1);
	for (size_t n = 0; n < TABLES; n++)
		sql(db, tables[n].create);
	sql(db, "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA cache_size=-8192;"
		"PRAGMA wal_autocheckpoint=2000; PRAGMA temp_store=MEMORY");
	start = seconds();
	sql(db, "BEGIN");
	for (size_t n = 0; n < TABLES; n++)
		if (sqlite3_prepare_v2(db, tables[n].insert, -1, &inserts[n], NULL) != SQLITE_OK)
			exit(1);
	for (size_t row = 0; row < b->sightings; row++)
		for (size_t n = 0; n < TABLES; n++)
			if (row < tables[n].count)
				insert_row(&tables[n], row, inserts[n]);
	sql(db, "COMMIT");
	start = seconds() - start;
	for (size_t n = 0; n < TABLES; n++)
		sqlite3_finalize(inserts[n]);
	sqlite3_close(db);
	return start;
}

/* ---- the inventory ---------------------------------------------------------------------------- */

static double run_pass(const struct bench *b, struct inventory *i)
{
	struct pass_result result = { .is_complete = true };
	struct why why = { 0 };
	int64_t pass = 0;
	double spent = 0;
	double start;

	start = seconds();
	check("begin", inventory_pass_begin(i, "files", "files", NOW, &pass, &why), &why);
	spent += seconds() - start;
	for (unsigned n = 0; n < b->sightings; n++) {
		struct maker m;
		const struct record *r = make(b, &m, n);

		start = seconds();
		check("put", inventory_put(i, pass, r, NOW, &why), &why);
		spent += seconds() - start;
	}
	start = seconds();
	check("end", inventory_pass_end(i, pass, &result, NOW, &why), &why);
	return spent + seconds() - start;
}

static double run_keep(const struct bench *b, struct inventory *i)
{
	struct pass_result result = { .is_complete = false };
	struct why why = { 0 };
	struct maker m;
	int64_t pass = 0;
	double spent = 0;

	check("begin", inventory_pass_begin(i, "files", "files", NOW, &pass, &why), &why);
	check("commit", inventory_commit(i, &why), &why);
	for (unsigned n = 0; n < KEPT_PLACES; n++) {
		const struct record *r = make(b, &m, n * 37 % b->sightings);
		struct keep keep = { .uri = r->location.uri };
		double start = seconds();

		check("keep", inventory_keep(i, pass, &keep, NULL, &why), &why);
		spent += seconds() - start;
	}
	spent -= seconds();
	check("commit", inventory_commit(i, &why), &why);
	spent += seconds();
	check("end", inventory_pass_end(i, pass, &result, NOW, &why), &why);
	return spent;
}

static enum err count(void *arg, const struct sighting *s)
{
	(void)s;
	++*(unsigned *)arg;
	return ERR_OK;
}

static double run_each(const struct bench *b, struct inventory *i)
{
	const struct inventory_filter all = { 0 };
	struct why why = { 0 };
	unsigned told = 0;
	double start = seconds();

	check("each", inventory_each(i, &all, count, &told, &why), &why);
	if (told != b->sightings)
		die("records were lost", ERR_STORE, &why);
	return seconds() - start;
}

static void run_inventory(struct bench *b, unsigned round)
{
	struct inventory *i = NULL;
	struct store *s = NULL;
	struct why why = { 0 };

	remove_files(b, STORE_FILE);
	check("open", store_open(b->dir, &s, &why), &why);
	check("inventory", inventory_new(s, &i, &why), &why);
	b->times[FIRST][round] = run_pass(b, i);
	b->times[SECOND][round] = run_pass(b, i);
	b->times[KEEP][round] = run_keep(b, i);
	b->times[EACH][round] = run_each(b, i);
	if (!tables[0].count)
		for (size_t n = 0; n < TABLES; n++)
			load_table(s->db, &tables[n]);
	inventory_free(i);
	store_close(s);
}

static unsigned argument(char **argv, int argc, int at, unsigned standard, unsigned max)
{
	unsigned long value = argc > at ? strtoul(argv[at], NULL, 10) : standard;

	if (value < 1 || value > max) {
		(void)fprintf(stderr, "usage: bench_store [SIGHTINGS [CERTIFICATES [ROUNDS]]]\n");
		exit(2);
	}
	return (unsigned)value;
}

int main(int argc, char **argv)
{
	struct bench b = { .dir = "/tmp/leafwatch-bench-XXXXXX" };
	unsigned rounds = argument(argv, argc, 3, ROUNDS, ROUNDS_MAX);
	double medians[FIGURES];

	b.sightings = argument(argv, argc, 1, SIGHTINGS, 10000000);
	b.certificates = argument(argv, argc, 2, CERTIFICATES, 10000000);
	if (!mkdtemp(b.dir))
		return 1;
	/* The first makes the rows of the floor and warms up; its times are overwritten. */
	run_inventory(&b, 0);
	for (unsigned round = 0; round < rounds; round++) {
		b.times[FLOOR][round] = run_floor(&b);
		run_inventory(&b, round);
	}
	(void)printf("%u sightings of %u certificates, median of %u interleaved rounds\n",
		b.sightings, b.certificates < b.sightings ? b.certificates : b.sightings, rounds);
	for (unsigned n = 0; n < FIGURES; n++) {
		medians[n] = median(b.times[n], rounds);
		(void)printf("%-28s %8.1f ms  %5.2f x floor\n", figure_names[n], medians[n] * 1e3,
			medians[n] / medians[FLOOR]);
	}
	free_tables();
	remove_files(&b, "floor.db");
	remove_files(&b, STORE_FILE);
	remove_files(&b, "inventory.lock");
	(void)rmdir(b.dir);
	return medians[FIRST] <= 2 * medians[FLOOR] ? 0 : 3;
}
