/* The certificates of an NSS database (its keys: nss_keys.c): cert9.db, a SQLite file whose table nssPublic has a column for each
 * attribute of PKCS #11 (softoken's sdb.c). Read in memory: no file is opened, nothing in its schema but that
 * table is touched. cert8.db, its Berkeley DB predecessor, is named only. */
#include "scanners/formats/nss.h"
#include "agent/base/clock.h"

#include <stdio.h>
#include <stdlib.h>

#define SQLITE_MAGIC "SQLite format 3"
#define HEADER_BYTES 100
/* File format versions for writing and reading: 2 = WAL, which a database in memory cannot have. What
 * lies in a log beside the file is not seen; NSS does not use one. */
#define HEADER_WRITE_AT 18
#define HEADER_READ_AT 19
#define FORMAT_WAL 2
#define FORMAT_ROLLBACK 1

/* Virtual machine steps between two looks at the clock. */
#define STEPS_BETWEEN_LOOKS 10000
#define LABEL_BYTES_MAX 65536
#define MESSAGE_BYTES 200
#define FLAGS_BYTES 32

/* Berkeley DB 1.85, hash: magic, version 2, byte order, all big endian. */
#define LEGACY_MAGIC "\x00\x06\x15\x61\x00\x00\x00\x02"
#define LEGACY_MAGIC_BYTES 8

/* CKT_NSS_*: vendor defined, NSS's number. */
#define TRUST_BASE UINT32_C(0xce534350)
enum {
	TRUST_TRUSTED = 1,
	TRUST_DELEGATOR = 2,
	TRUST_NOT_TRUSTED = 10,
	TRUST_VALID_DELEGATOR = 11,
};

/* CKA_CLASS, LABEL, VALUE, ISSUER, SERIAL_NUMBER. */
static const char certificates_text[] =
	"SELECT a11,a3,a81,a82 FROM nssPublic WHERE a0=x'00000001' ORDER BY rowid";
/* CKO_NSS_TRUST: CKA_TRUST_SERVER_AUTH, CLIENT_AUTH, EMAIL_PROTECTION, CODE_SIGNING. */
static const char trust_text[] =
	"SELECT ace536358,ace536359,ace53635b,ace53635a FROM nssPublic WHERE a81=?1 AND a82=?2"
	" AND a0=x'ce534353' LIMIT 1";
static const char table_text[] = "SELECT 1 FROM sqlite_schema WHERE name=?1 AND type='table'"
				 " AND rootpage>0";
#define TABLE_CERTIFICATES "nssPublic"
#define TABLE_KEYS "nssPrivate"

struct nss {
	const struct format_sink *sink;
	sqlite3 *db;
	sqlite3_stmt *trust; /* NULL: the table has no such columns */
	uint8_t *copy;       /* owned, or NULL */
	int64_t deadline_ms;
	enum err status;
};

static bool nss_sniff(struct slice head, struct file_size_hint size)
{
	(void)size;
	return head.size > HEADER_BYTES &&
	       memcmp(head.data, SQLITE_MAGIC, sizeof(SQLITE_MAGIC)) == 0 &&
	       (memmem(head.data, head.size, TABLE_CERTIFICATES, strlen(TABLE_CERTIFICATES)) ||
		       memmem(head.data, head.size, TABLE_KEYS, strlen(TABLE_KEYS)));
}

static int on_progress(void *arg)
{
	const struct nss *n = arg;

	return clock_monotonic_ms() > n->deadline_ms;
}

/* Only tables are read, and nothing else is done. */
static int on_authorize(
	void *arg, int action, const char *a, const char *b, const char *c, const char *d)
{
	(void)arg;
	(void)a;
	(void)b;
	(void)c;
	(void)d;
	return action == SQLITE_SELECT || action == SQLITE_READ ? SQLITE_OK : SQLITE_DENY;
}

static void set_limits(struct nss *n, size_t bytes_max)
{
	const struct {
		int which;
		int value;
	} limits[] = {
		{ SQLITE_LIMIT_LENGTH, (int)bytes_max },
		{ SQLITE_LIMIT_SQL_LENGTH, 65536 },
		{ SQLITE_LIMIT_COLUMN, 500 },
		{ SQLITE_LIMIT_EXPR_DEPTH, 20 },
		{ SQLITE_LIMIT_COMPOUND_SELECT, 2 },
		{ SQLITE_LIMIT_VDBE_OP, 10000 },
		{ SQLITE_LIMIT_FUNCTION_ARG, 4 },
		{ SQLITE_LIMIT_ATTACHED, 0 },
		{ SQLITE_LIMIT_VARIABLE_NUMBER, 4 },
		{ SQLITE_LIMIT_TRIGGER_DEPTH, 1 },
		{ SQLITE_LIMIT_WORKER_THREADS, 0 },
	};

	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++)
		(void)sqlite3_limit(n->db, limits[i].which, limits[i].value);
	(void)sqlite3_db_config(n->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	(void)sqlite3_db_config(n->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	(void)sqlite3_db_config(n->db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
	(void)sqlite3_db_config(n->db, SQLITE_DBCONFIG_ENABLE_VIEW, 0, NULL);
	(void)sqlite3_db_config(n->db, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0, NULL);
	/* Nothing spills into a file: there is no file system here. */
	(void)sqlite3_exec(
		n->db, "PRAGMA temp_store=MEMORY; PRAGMA cell_size_check=ON", NULL, NULL, NULL);
	(void)sqlite3_set_authorizer(n->db, on_authorize, n);
	sqlite3_progress_handler(n->db, STEPS_BETWEEN_LOOKS, on_progress, n);
}

/* The database over the bytes themselves, or over a copy where its header must say another thing. */
static enum err open_bytes(struct nss *n, const struct format_input *in)
{
	struct slice bytes = in->bytes;
	uint8_t *data = (uint8_t *)(uintptr_t)bytes.data;

	if (sqlite3_open_v2(":memory:", &n->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_MEMORY, NULL) !=
		SQLITE_OK)
		return ERR_MEMORY;
	if (data[HEADER_WRITE_AT] >= FORMAT_WAL || data[HEADER_READ_AT] >= FORMAT_WAL) {
		n->copy = malloc(bytes.size);
		if (!n->copy)
			return ERR_MEMORY;
		memcpy(n->copy, bytes.data, bytes.size);
		n->copy[HEADER_WRITE_AT] = n->copy[HEADER_READ_AT] = FORMAT_ROLLBACK;
		data = n->copy;
	}
	if (sqlite3_deserialize(n->db, "main", data, (sqlite3_int64)bytes.size,
		    (sqlite3_int64)bytes.size, SQLITE_DESERIALIZE_READONLY) != SQLITE_OK)
		return ERR_MALFORMED;
	set_limits(n, format_bytes_max(in));
	return ERR_OK;
}

static enum err tell_failure(struct nss *n)
{
	char message[MESSAGE_BYTES];
	int code = sqlite3_errcode(n->db) & 0xff;

	if (code == SQLITE_NOMEM)
		return ERR_MEMORY;
	if (code == SQLITE_INTERRUPT)
		return format_limited(n->sink,
			"reading the NSS database took too long; what was found is told",
			"file_time");
	if (code == SQLITE_TOOBIG)
		return format_limited(n->sink,
			"a row of the NSS database is larger than is decoded; what was found is told",
			"decoded_size");
	(void)snprintf(
		message, sizeof(message), "the NSS database is damaged: %s", sqlite3_errmsg(n->db));
	return n->sink->problem(n->sink->arg, REASON_MALFORMED, slice_of(NULL, 0), message);
}

/* No value that counts is as short as what stands for none. */
#define EMPTY "\xa5\x00\x5a"

struct slice nss_column(sqlite3_stmt *row, int at)
{
	const void *data = sqlite3_column_blob(row, at);
	int size = sqlite3_column_bytes(row, at);

	if (!data || size <= 0 ||
		(size == sizeof(EMPTY) - 1 && memcmp(data, EMPTY, sizeof(EMPTY) - 1) == 0))
		return slice_of(NULL, 0);
	return slice_of(data, (size_t)size);
}

/* Numbers are four bytes, big endian, whatever the host. */
static uint32_t trust_of(sqlite3_stmt *row, int at)
{
	struct slice s = nss_column(row, at);
	uint32_t value = 0;

	if (s.size != sizeof(value))
		return 0;
	for (size_t i = 0; i < s.size; i++)
		value = value << 8 | s.data[i];
	return value > TRUST_BASE ? value - TRUST_BASE : 0;
}

/* The letters of certutil. `client`: what is trusted for TLS clients, 0 where that is no question. */
static void put_flags(struct buffer *out, uint32_t trust, uint32_t client)
{
	bool is_client_ca = client == TRUST_DELEGATOR;

	if (trust == TRUST_VALID_DELEGATOR && !is_client_ca)
		buffer_byte(out, 'c');
	if (trust == TRUST_NOT_TRUSTED)
		buffer_byte(out, 'p');
	if (trust == TRUST_DELEGATOR)
		buffer_byte(out, 'C');
	if (is_client_ca)
		buffer_byte(out, 'T');
	if (trust == TRUST_TRUSTED)
		buffer_byte(out, 'P');
}

/* TLS, e-mail, code: "CT,C,C". Nothing is said of a certificate without a trust object. */
static void tell_trust(struct nss *n, struct slice issuer, struct slice serial)
{
	struct buffer flags;

	if (!n->trust || !n->sink->trust || !issuer.size || !serial.size)
		return;
	(void)sqlite3_bind_blob64(n->trust, 1, issuer.data, issuer.size, SQLITE_TRANSIENT);
	(void)sqlite3_bind_blob64(n->trust, 2, serial.data, serial.size, SQLITE_TRANSIENT);
	if (sqlite3_step(n->trust) == SQLITE_ROW) {
		buffer_init(&flags, FLAGS_BYTES);
		put_flags(&flags, trust_of(n->trust, 0), trust_of(n->trust, 1));
		buffer_byte(&flags, ',');
		put_flags(&flags, trust_of(n->trust, 2), 0);
		buffer_byte(&flags, ',');
		put_flags(&flags, trust_of(n->trust, 3), 0);
		n->sink->trust(n->sink->arg, buffer_string(&flags));
		buffer_fini(&flags);
	}
	(void)sqlite3_reset(n->trust);
}

static enum err tell_row(struct nss *n, sqlite3_stmt *row)
{
	struct slice der = nss_column(row, 0), label = nss_column(row, 1);
	struct buffer alias;
	enum err e;

	/* An attribute that is empty is written as three odd bytes: no certificate is so short. */
	if (der.size <= 3)
		return ERR_OK;
	tell_trust(n, nss_column(row, 2), nss_column(row, 3));
	buffer_init(&alias, LABEL_BYTES_MAX);
	buffer_append(&alias, label.data,
		label.size < LABEL_BYTES_MAX / 2 ? label.size : LABEL_BYTES_MAX / 2);
	e = n->sink->certificate(
		n->sink->arg, der, alias.size ? buffer_string(&alias) : NULL, NULL);
	buffer_fini(&alias);
	return e;
}

/* Is it a table, not a view or a virtual one of the same name? */
static enum err has_table(struct nss *n, const char *name, bool *out)
{
	sqlite3_stmt *find = NULL;
	int code = sqlite3_prepare_v2(n->db, table_text, -1, &find, NULL);

	if (code == SQLITE_OK)
		code = sqlite3_bind_text(find, 1, name, -1, SQLITE_STATIC);
	if (code == SQLITE_OK)
		code = sqlite3_step(find);
	*out = code == SQLITE_ROW;
	(void)sqlite3_finalize(find);
	return code == SQLITE_ROW || code == SQLITE_DONE ? ERR_OK : ERR_MALFORMED;
}

static enum err read_rows(struct nss *n)
{
	sqlite3_stmt *rows = NULL;
	int code = sqlite3_prepare_v2(n->db, certificates_text, -1, &rows, NULL);
	enum err e = ERR_OK;

	if (code == SQLITE_OK &&
		sqlite3_prepare_v2(n->db, trust_text, -1, &n->trust, NULL) != SQLITE_OK)
		n->trust = NULL;
	while (code == SQLITE_OK && e == ERR_OK) {
		int step = sqlite3_step(rows);

		if (step == SQLITE_ROW)
			e = tell_row(n, rows);
		else
			code = step;
	}
	if (e == ERR_OK && code != SQLITE_DONE)
		e = tell_failure(n);
	(void)sqlite3_finalize(rows);
	(void)sqlite3_finalize(n->trust);
	return e;
}

static enum err read_keys(struct nss *n, const struct format_input *in)
{
	int code = SQLITE_DONE;
	enum err e = nss_read_keys(n->db, in, n->sink, &code);

	return e == ERR_OK && code != SQLITE_DONE ? tell_failure(n) : e;
}

/* A database has one of both tables. */
static enum err read_tables(struct nss *n, const struct format_input *in, bool *is_there)
{
	bool has_keys = false;
	enum err e = has_table(n, TABLE_CERTIFICATES, is_there);

	if (e == ERR_OK && *is_there)
		e = read_rows(n);
	if (e == ERR_OK)
		e = has_table(n, TABLE_KEYS, &has_keys);
	if (e == ERR_OK && has_keys)
		e = read_keys(n, in);
	*is_there = *is_there || has_keys;
	return e;
}

static enum format_answer nss_parse(const struct format_input *in, const struct format_sink *sink)
{
	struct nss n = { .sink = sink,
		.deadline_ms = (in->budget ? in->budget->start_ms : clock_monotonic_ms()) +
			       format_limits_of(in)->time_ms };
	enum format_answer answer = FORMAT_MINE;
	bool is_there = false;
	enum err e;

	if (!nss_sniff(in->bytes, (struct file_size_hint){ 0 }))
		return FORMAT_NOT_MINE;
	e = open_bytes(&n, in);
	if (e == ERR_OK)
		e = read_tables(&n, in, &is_there);
	if (e == ERR_MALFORMED)
		e = tell_failure(&n);
	if (e == ERR_OK && !is_there)
		answer = FORMAT_NOT_MINE;
	(void)sqlite3_close(n.db);
	free(n.copy);
	return e == ERR_OK ? answer : FORMAT_BROKEN;
}

/* --- the predecessor -------------------------------------------------------------------------- */

static bool legacy_sniff(struct slice head, struct file_size_hint size)
{
	(void)size;
	return slice_starts(head, LEGACY_MAGIC, LEGACY_MAGIC_BYTES);
}

static bool holds(struct slice s, const char *text, size_t size)
{
	return memmem(s.data, s.size, text, size) != NULL;
}

/* Keys (key3.db) and modules (secmod.db) have the same container; certificates are DER in it. */
static enum format_answer legacy_parse(
	const struct format_input *in, const struct format_sink *sink)
{
	if (!legacy_sniff(in->bytes, (struct file_size_hint){ 0 }) ||
		!holds(in->bytes, "\0Version", 8) || holds(in->bytes, "global-salt", 11) ||
		!holds(in->bytes, "\x06\x03\x55\x04", 4))
		return FORMAT_NOT_MINE;
	(void)sink->problem(sink->arg, REASON_UNSUPPORTED, slice_of(NULL, 0),
		"an NSS database of the old kind (cert8.db): migrate it with"
		" certutil -d sql:FOLDER --upgrade-merge --source-dir dbm:FOLDER --upgrade-id 1");
	return FORMAT_MINE;
}

extern const struct format format_nss, format_nss_legacy;
const struct format format_nss = {
	.name = "nss",
	.help = "NSS databases cert9.db and key4.db (Firefox, Thunderbird, Chromium, 389-ds, dogtag)",
	.sniff = nss_sniff,
	.parse = nss_parse,
};
const struct format format_nss_legacy = {
	.name = "nss-legacy",
	.help = "NSS database cert8.db",
	.is_named_only = true,
	.sniff = legacy_sniff,
	.parse = legacy_parse,
};
