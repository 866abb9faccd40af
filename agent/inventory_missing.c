/* Files that configurations name, so that somebody can see whether they are there, and opens them. */
#include "agent/inventory_internal.h"

#include "agent/base/text.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define FILE_SCHEME "file://"
#define MESSAGE_BYTES_MAX 12288

/* Where a name is meant from this host's own root. */
static const char *const own_folders[] = { "/etc/", "/usr/local/etc/" };
/* What comes and goes with the programs that use it. */
static const char *const passing_folders[] = { "/run/", "/var/run/", "/proc/", "/sys/", "/dev/" };

static bool starts_with_one_of(const char *path, const char *const *starts, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (strncmp(path, starts[i], strlen(starts[i])) == 0)
			return true;
	return false;
}

/* Length of the folder of what the first `size` bytes of `path` name, with its slash. */
static size_t folder_of(const char *path, size_t size)
{
	while (size && path[size - 1] != '/')
		size--;
	return size;
}

/* A configuration elsewhere may be a container's, where the same name is another file. Names in its folder
 * and the one above are surely meant here: /opt/x/conf/x.conf and /opt/x/tls/x.pem. */
static bool is_meant_here(const char *configuration, const char *file)
{
	const size_t own = folder_of(configuration, strlen(configuration));
	const size_t above = own ? folder_of(configuration, own - 1) : 0;

	if (starts_with_one_of(
		    configuration, own_folders, sizeof(own_folders) / sizeof(own_folders[0])))
		return true;
	return own > 1 && strncmp(configuration, file, above > 1 ? above : own) == 0;
}

static bool must_be_there(const char *configuration, const struct reference_record *r)
{
	const char *file = r->file + strlen(FILE_SCHEME);

	if (!r->is_active || r->is_folder || r->role == REFERENCE_SERVER ||
		r->role == REFERENCE_CREDENTIAL || strncmp(r->file, FILE_SCHEME, 7) != 0 ||
		strncmp(configuration, FILE_SCHEME, 7) != 0)
		return false;
	configuration += strlen(FILE_SCHEME);
	/* A snippet is used where something includes it; Debian ships some for nobody. */
	if (strstr(configuration, "/snippets/") ||
		starts_with_one_of(file, passing_folders,
			sizeof(passing_folders) / sizeof(passing_folders[0])))
		return false;
	return is_meant_here(configuration, file);
}

/* One file under way; its rows come one after the other. */
struct named {
	enum err (*fn)(void *arg, const char *uri, const char *message);
	void *arg;
	struct buffer file;
	struct buffer message;
	uint64_t others; /* lines that name it besides the first */
};

static enum err tell_named(struct named *n)
{
	enum err e = ERR_OK;

	if (!n->file.size)
		return ERR_OK;
	if (n->others)
		buffer_format(&n->message, "; %" PRIu64 " more line%s name%s it", n->others,
			n->others == 1 ? "" : "s", n->others == 1 ? "s" : "");
	/* What is too long to say is not said. */
	if (buffer_status(&n->file) == ERR_OK && buffer_status(&n->message) == ERR_OK)
		e = n->fn(n->arg, buffer_string(&n->file), buffer_string(&n->message));
	buffer_clear(&n->file);
	buffer_clear(&n->message);
	n->others = 0;
	return e;
}

static void describe(struct buffer *out, const char *configuration, const struct record *r)
{
	const struct reference_record *f = &r->reference;
	struct buffer path;

	buffer_init(&path, MESSAGE_BYTES_MAX);
	buffer_format(out, "it is not there, but named as %s %s ", reference_role_use(f->role),
		r->location.format ? r->location.format : "a program");
	if (text_uri_decode(&path, slice_text(configuration + strlen(FILE_SCHEME))))
		text_escape(out, buffer_bytes(&path));
	buffer_format(out, ":%" PRIu32 " (%s)", f->line, f->directive ? f->directive : "");
	buffer_fini(&path);
}

static enum err take_row(
	struct named *n, const char *file, const char *configuration, struct slice detail)
{
	struct record r = { 0 };
	enum err e = ERR_OK;

	if (n->file.size && strcmp(buffer_string(&n->file), file) != 0)
		e = tell_named(n);
	if (e == ERR_OK)
		e = record_decode(detail, &r);
	/* A damaged row is told by those that show it. */
	if (e != ERR_OK)
		return e == ERR_MALFORMED ? ERR_OK : e;
	if (r.kind != RECORD_REFERENCE || !r.reference.file ||
		!must_be_there(configuration, &r.reference)) {
		record_fini(&r);
		return ERR_OK;
	}
	if (n->file.size) {
		n->others++;
	} else {
		buffer_text(&n->file, file);
		describe(&n->message, configuration, &r);
	}
	record_fini(&r);
	return ERR_OK;
}

/* ?1 = job, ?2 = its open pass: what an earlier one found may be gone by now. */
static const char named_text[] =
	"SELECT r.file,p.uri,r.detail FROM reference r CROSS JOIN place p ON p.id=r.id>>24"
	" WHERE r.file IS NOT NULL AND r.gone_at IS NULL AND p.job=?1 AND (r.pass=?2 OR p.kept=?2)"
	" ORDER BY r.file,p.uri,r.id";

static enum err open_rows(
	struct inventory *i, const char *job, const char *text, sqlite3_stmt **out, struct why *why)
{
	int64_t values[] = { 0, 0 };
	sqlite3_stmt *find;
	bool is_row = false;
	enum err e = inventory_job_id(i, job, &values[0], why);

	if (e == ERR_OK)
		e = inventory_statement(i, PASS_OPEN_OF_JOB, &find, why);
	if (e != ERR_OK)
		return e;
	inventory_bind(find, values, 1);
	e = inventory_step(i, find, &is_row, why);
	if (e == ERR_OK && is_row)
		values[1] = sqlite3_column_int64(find, 0);
	(void)sqlite3_reset(find);
	if (e == ERR_OK)
		e = store_prepare(i->store, text, out, why);
	if (e == ERR_OK)
		inventory_bind(*out, values, 2);
	return e;
}

static enum err take_rows(struct inventory *i, sqlite3_stmt *rows, struct named *n, struct why *why)
{
	bool is_row = true;
	enum err e = ERR_OK;

	while (e == ERR_OK) {
		char *file;
		char *configuration;

		e = inventory_step(i, rows, &is_row, why);
		if (e != ERR_OK || !is_row)
			break;
		file = inventory_column_copy(rows, 0);
		configuration = inventory_column_copy(rows, 1);
		e = file && configuration
			    ? take_row(n, file, configuration, inventory_column_bytes(rows, 2))
			    : ERR_MEMORY;
		free(file);
		free(configuration);
	}
	return e == ERR_OK ? tell_named(n) : e;
}

enum err inventory_each_named_file(void *inventory, const char *job,
	enum err (*fn)(void *arg, const char *uri, const char *message), void *arg, struct why *why)
{
	struct named n = { .fn = fn, .arg = arg };
	sqlite3_stmt *rows = NULL;
	enum err e = open_rows(inventory, job, named_text, &rows, why);

	buffer_init(&n.file, RECORD_TEXT_BYTES_MAX);
	buffer_init(&n.message, MESSAGE_BYTES_MAX);
	if (e == ERR_OK)
		e = take_rows(inventory, rows, &n, why);
	sqlite3_finalize(rows);
	buffer_fini(&n.file);
	buffer_fini(&n.message);
	return e;
}

/* ---- passwords -------------------------------------------------------------------------------- */

/* ?1 and ?2 as above. Nothing new: the configuration was kept, and so was the file, which had opened. */
static const char password_text[] =
	"SELECT r.file,p.uri,r.detail FROM reference r CROSS JOIN place p ON p.id=r.id>>24"
	" CROSS JOIN place k ON k.uri=r.file AND k.job=?1"
	" WHERE r.gone_at IS NULL AND p.job=?1 AND (r.pass=?2 OR p.kept=?2) AND (r.pass=?2 OR"
	" k.kept<>?2 OR EXISTS(SELECT 1 FROM problem x WHERE x.place=k.id AND x.reason IN"
	" ('needs-password','wrong-password'))) ORDER BY r.file,p.uri,r.id";

struct passwords {
	enum err (*fn)(void *arg, const char *uri, const char *source, bool is_configuration);
	void *arg;
};

static bool holds_key(const struct reference_record *r)
{
	return r->role == REFERENCE_KEYSTORE || r->role == REFERENCE_TRUSTSTORE ||
	       r->role == REFERENCE_SERVER_KEY || r->role == REFERENCE_CLIENT_KEY;
}

static enum err tell_password(
	const struct passwords *p, const char *file, const char *configuration, struct slice detail)
{
	struct record r = { 0 };
	enum err e = record_decode(detail, &r);

	/* A damaged row is told by those that show it. */
	if (e != ERR_OK)
		return e == ERR_MALFORMED ? ERR_OK : e;
	if (r.kind == RECORD_REFERENCE && r.reference.file && r.reference.password_file &&
		holds_key(&r.reference) && must_be_there(configuration, &r.reference))
		e = p->fn(p->arg, file, r.reference.password_file,
			strcmp(r.reference.password_file, configuration) == 0);
	record_fini(&r);
	return e;
}

enum err inventory_each_password(void *inventory, const char *job,
	enum err (*fn)(void *arg, const char *uri, const char *source, bool is_configuration),
	void *arg, struct why *why)
{
	const struct passwords p = { .fn = fn, .arg = arg };
	sqlite3_stmt *rows = NULL;
	bool is_row = true;
	enum err e = open_rows(inventory, job, password_text, &rows, why);

	while (e == ERR_OK) {
		char *file, *configuration;

		e = inventory_step(inventory, rows, &is_row, why);
		if (e != ERR_OK || !is_row)
			break;
		file = inventory_column_copy(rows, 0);
		configuration = inventory_column_copy(rows, 1);
		e = file && configuration ? tell_password(&p, file, configuration,
						    inventory_column_bytes(rows, 2))
					  : ERR_MEMORY;
		free(file);
		free(configuration);
	}
	sqlite3_finalize(rows);
	return e;
}

enum err inventory_forget_locked(
	struct inventory *i, int64_t pass, const char *uri, struct why *why)
{
	static const char text[] =
		"DELETE FROM problem WHERE reason IN ('needs-password','wrong-password') AND place IN"
		" (SELECT id FROM place WHERE uri=?1 AND job=?2)";
	sqlite3_stmt *drop = NULL;
	struct open_pass *p;
	enum err e = store_begin(i->store, why);

	if (e == ERR_OK)
		e = inventory_open_pass(i, pass, &p, why);
	if (e == ERR_OK)
		e = store_prepare(i->store, text, &drop, why);
	if (e == ERR_OK) {
		inventory_bind_text(drop, 1, uri);
		(void)sqlite3_bind_int64(drop, 2, p->job);
		e = inventory_run(i, drop, NULL, why);
	}
	sqlite3_finalize(drop);
	return e;
}
