/* The scanner of files: what a user may say about it, and which roots a pass walks. */
#include "agent/base/text.h"
#include "scanners/files/options.h"
#include "scanners/files/reader.h"
#include "scanners/files/seen.h"
#include "scanners/formats/format.h"
#include "scanners/scanner.h"

#include <errno.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ITEM_BYTES_MAX \
	((1 + ROOT_SOURCES_MAX) * (READER_PATH_BYTES_MAX + 8) + NAMED_MESSAGE_BYTES_MAX + 64)
#define PLACE_MAX (64 * 1024)
#define FILE_SCHEME "file://"
#define TEXT_BYTES 256
/* Of all sources of one file, so that they go in one frame. */
#define SOURCES_BYTES_MAX (64 * 1024)
/* What `nss:` names in its folder. */
#define NSS_DATABASE "cert9.db"

enum filesystems { FILESYSTEMS_LOCAL, FILESYSTEMS_ALL };

struct files_conf {
	struct scan_job job;
	struct strings paths; /* empty: the defaults */
	struct strings exclude;
	bool follow_links;
	bool deep;
	int filesystems;
	int64_t threads;
	uint64_t file_bytes_max;
	uint64_t text_bytes_max;
	bool archives;
	uint64_t archive_bytes_max;
};

/* Where certificates lie that somebody installed here; those of packages are the packages' matter.
 * What is missing on a host is no problem. */
static const char *const default_paths[] = { "/etc", "/opt", "/srv", "/usr/local", "/var/lib",
	"/home", "/root", "/sys/firmware/efi/efivars" };

static const char *const filesystem_words[] = { "local", "all", NULL };

static enum err check_path(const char *value, struct why *why)
{
	if (value[0] != '/')
		return why_fail(why, ERR_CONFIG, "\"%s\" is not an absolute path", value);
	if (strlen(value) >= READER_PATH_BYTES_MAX / 3)
		return why_fail(why, ERR_CONFIG, "a path is longer than %d bytes",
			READER_PATH_BYTES_MAX / 3);
	return ERR_OK;
}

static const struct schema_field fields[] = {
	{ .key = "paths",
		.type = SCHEMA_TEXTS,
		.offset = offsetof(struct files_conf, paths),
		.check = check_path,
		.help = "Files and folders that are read, with all below them; without any: /etc, /opt, /srv, "
			"/usr/local, /var/lib, /home, /root and /sys/firmware/efi/efivars." },
	SCAN_JOB_FIELDS(struct files_conf, "1h"),
	SCAN_TRUST_FIELD(struct files_conf),
	{ .key = "exclude",
		.type = SCHEMA_TEXTS,
		.offset = offsetof(struct files_conf, exclude),
		.help = "Patterns of what is left out: for the whole path when they hold a slash, else for the "
			"last name; * is anything but a slash, ** anything." },
	{ .key = "follow_links",
		.type = SCHEMA_BOOL,
		.offset = offsetof(struct files_conf, follow_links),
		.standard = "no",
		.help = "Follow symbolic links out of the paths and to folders; else only those to files below "
			"one of the paths." },
	{ .key = "filesystems",
		.type = SCHEMA_WORD,
		.offset = offsetof(struct files_conf, filesystems),
		.standard = "local",
		.words = filesystem_words,
		.help = "\"all\" also enters network and pseudo file systems mounted below the paths." },
	{ .key = "deep",
		.type = SCHEMA_BOOL,
		.offset = offsetof(struct files_conf, deep),
		.standard = "no",
		.help = "Search binary files to their end for PEM; else only those that are text." },
	{ .key = "max_file_size",
		.type = SCHEMA_SIZE,
		.offset = offsetof(struct files_conf, file_bytes_max),
		.standard = "8MiB",
		.minimum = 4096,
		.maximum = 64 * 1024 * 1024,
		.help = "Larger keystores are reported, not read; of a larger text, what stands around "
			"certificates is taken out, up to this size." },
	{ .key = "max_text_size",
		.type = SCHEMA_SIZE,
		.offset = offsetof(struct files_conf, text_bytes_max),
		.standard = "64MiB",
		.minimum = 4096,
		.maximum = INT64_MAX,
		.help = "A text is searched for certificates up to here; a longer one is reported." },
	{ .key = "archives",
		.type = SCHEMA_BOOL,
		.offset = offsetof(struct files_conf, archives),
		.standard = "yes",
		.help = "Look into archives and compressed files; how far is said by `limits`." },
	{ .key = "max_archive_size",
		.type = SCHEMA_SIZE,
		.offset = offsetof(struct files_conf, archive_bytes_max),
		.standard = "16GiB",
		.minimum = 4096,
		.maximum = INT64_MAX,
		.help = "Larger archives are reported, not read." },
	{ .key = "threads",
		.type = SCHEMA_INTEGER,
		.offset = offsetof(struct files_conf, threads),
		.standard = "16",
		.minimum = 1,
		.maximum = READER_THREADS_MAX,
		.help = "Reads under way at once." },
	{ .key = NULL },
};

/* "nss:/folder", as NSS itself also writes "sql:/folder". */
static const char *nss_folder(const char *source)
{
	static const char *const schemes[] = { "nss:", "sql:" };

	for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++)
		if (strncmp(source, schemes[i], strlen(schemes[i])) == 0)
			return source + strlen(schemes[i]);
	return NULL;
}

static bool accepts(const char *source)
{
	return nss_folder(source) || source[0] == '/' || strcmp(source, ".") == 0 ||
	       strcmp(source, "..") == 0 || strncmp(source, "./", 2) == 0 ||
	       strncmp(source, "../", 3) == 0;
}

/* The path in its normal form. */
static enum err normal(const char *source, char **out, struct why *why)
{
	char folder[PATH_MAX] = "/";
	char *path;

	if (source[0] != '/' && !getcwd(folder, sizeof(folder)))
		return why_fail(
			why, ERR_IO, "the current folder cannot be told: %s", strerror(errno));
	path = path_normal(folder, source);
	if (!path)
		return why_fail(why, ERR_MEMORY, "out of memory, or too long a path");
	*out = path;
	return check_path(path, why);
}

static enum err add_source(void *arg, const char *source, struct why *why)
{
	struct files_conf *conf = arg;
	const char *folder = nss_folder(source);
	char *database = NULL;
	char *path = NULL;
	enum err e;

	if (folder && asprintf(&database, "%s/" NSS_DATABASE, folder) < 0)
		return why_fail(why, ERR_MEMORY, "out of memory");
	e = normal(database ? database : source, &path, why);
	free(database);

	if (e == ERR_OK && conf->paths.count >= READER_ROOTS_MAX)
		e = why_fail(why, ERR_LIMIT, "more than %d paths", READER_ROOTS_MAX);
	if (e == ERR_OK)
		e = strings_add(&conf->paths, path);
	free(path);
	return e;
}

static enum err add_default(void *arg, struct why *why)
{
	/* No paths are the default paths. */
	(void)arg;
	(void)why;
	return ERR_OK;
}

/* Every root once, in normal form. */
static enum err roots_of(const struct files_conf *conf, struct strings *out, struct why *why)
{
	size_t count = conf->paths.count;
	enum err e = ERR_OK;

	if (count == 0)
		for (size_t i = 0;
			e == ERR_OK && i < sizeof(default_paths) / sizeof(default_paths[0]); i++)
			e = strings_add(out, default_paths[i]);
	for (size_t i = 0; e == ERR_OK && i < count; i++) {
		char *path = NULL;

		e = normal(conf->paths.items[i], &path, why);
		if (e == ERR_OK && !strings_contain(out, path))
			e = strings_add(out, path);
		free(path);
	}
	return e;
}

static enum err encode_options(const void *arg, struct buffer *out, struct why *why)
{
	const struct files_conf *conf = arg;
	const struct format_limits *limits =
		conf->job.limits ? conf->job.limits : &format_limits_standard;
	struct files_options options = { .threads = (uint32_t)conf->threads,
		.follow_links = conf->follow_links,
		.deep = conf->deep,
		.all_filesystems = conf->filesystems == FILESYSTEMS_ALL,
		.file_bytes_max = conf->file_bytes_max,
		.text_bytes_max = conf->text_bytes_max,
		.archive_bytes_max = conf->archives ? conf->archive_bytes_max : 0,
		.config_bytes_max = limits->config_bytes,
		.images = { .stores = (uint64_t)limits->image_stores,
			.list_bytes = limits->image_list_bytes,
			.layers = (uint64_t)limits->image_layers,
			.layers_per_image = (uint64_t)limits->layers_per_image,
			.nesting = (uint64_t)limits->nesting } };
	enum err e = roots_of(conf, &options.roots, why);

	if (e == ERR_OK)
		e = strings_copy(&options.exclude, &conf->exclude);
	if (e == ERR_OK) {
		files_options_encode(out, &options);
		e = buffer_status(out);
	}
	files_options_fini(&options);
	return e;
}

/* --- the work of a pass ------------------------------------------------------------------------ */

/* A file whose password is in one of these; paths. */
struct locked {
	char *path; /* owned */
	struct strings sources;
	bool are_configurations[ROOT_SOURCES_MAX];
	size_t bytes; /* of the sources */
};

/* Where a limit was reached, at the first file that was left out. */
struct left_out {
	char *path; /* owned; or NULL */
	size_t count;
	bool is_told;
};

enum { LEFT_NAMED, LEFT_LOCKED, LEFT_SOURCES, LEFT_COUNT };

struct plan {
	const char *job; /* borrowed from the conf */
	struct strings roots;
	size_t next;
	bool is_optional;
	/* Files that configurations name, as paths, and what to say of each that is not there. */
	struct strings named;
	struct strings messages;
	size_t next_named;
	struct locked *locked; /* owned */
	size_t locked_count;
	size_t next_locked;
	struct left_out left[LEFT_COUNT];
	size_t named_max; /* files that are looked for, and as many with passwords */
	size_t sources_max;
};

static void close_plan(void *arg)
{
	struct plan *plan = arg;

	if (!plan)
		return;
	strings_fini(&plan->roots);
	strings_fini(&plan->named);
	strings_fini(&plan->messages);
	for (size_t i = 0; i < plan->locked_count; i++) {
		free(plan->locked[i].path);
		strings_fini(&plan->locked[i].sources);
	}
	free(plan->locked);
	for (size_t i = 0; i < LEFT_COUNT; i++)
		free(plan->left[i].path);
	free(plan);
}

static enum err open_plan(const void *arg, const struct scan_hints *hints, void **out,
	uint64_t *expected, struct why *why)
{
	const struct files_conf *conf = arg;
	const struct format_limits *limits =
		conf->job.limits ? conf->job.limits : &format_limits_standard;
	struct plan *plan = calloc(1, sizeof(*plan));
	enum err e = plan ? roots_of(conf, &plan->roots, why) : ERR_MEMORY;

	(void)hints;
	if (e != ERR_OK) {
		close_plan(plan);
		return e;
	}
	plan->job = conf->job.name;
	plan->is_optional = conf->paths.count == 0;
	plan->named_max = (size_t)limits->named_files;
	plan->sources_max = (size_t)limits->password_sources;
	*expected = 0;
	*out = plan;
	return ERR_OK;
}

/* The next limit that was reached; false where there is none left. */
static bool next_left(struct plan *plan, char text[TEXT_BYTES], struct root_item *root)
{
	static const struct {
		const char *sentence;
		const char *key;
	} limits[LEFT_COUNT] = {
		[LEFT_NAMED] = { "configurations name more files than are looked for",
			"named_files" },
		[LEFT_LOCKED] = { "configurations say the passwords of more files than are tried",
			"named_files" },
		[LEFT_SOURCES] = { "its passwords are said in more files than are read",
			"password_sources" },
	};

	for (size_t which = 0; which < LEFT_COUNT; which++) {
		struct left_out *l = &plan->left[which];

		if (!l->path || l->is_told)
			continue;
		l->is_told = true;
		(void)snprintf(text, TEXT_BYTES, "%s: %zu left out, this the first (limits.%s)",
			limits[which].sentence, l->count, limits[which].key);
		root->path = slice_text(l->path);
		root->message = slice_text(text);
		root->is_limit = true;
		return true;
	}
	return false;
}

/* False behind the last. */
static bool next_root(struct plan *plan, char text[TEXT_BYTES], struct root_item *out)
{
	struct root_item root = { .is_optional = plan->is_optional };

	if (plan->next < plan->roots.count) {
		root.path = slice_text(plan->roots.items[plan->next++]);
	} else if (plan->next_named < plan->named.count) {
		root.path = slice_text(plan->named.items[plan->next_named]);
		root.message = slice_text(plan->messages.items[plan->next_named++]);
	} else if (plan->next_locked < plan->locked_count) {
		const struct locked *l = &plan->locked[plan->next_locked++];

		root.path = slice_text(l->path);
		for (size_t i = 0; i < l->sources.count; i++)
			root.sources[root.sources_count++] =
				(struct root_source){ l->are_configurations[i],
					slice_text(l->sources.items[i]) };
	} else if (!next_left(plan, text, &root)) {
		return false;
	}
	*out = root;
	return true;
}

static enum err next_item(void *arg, struct scan_item *out, struct why *why)
{
	char text[TEXT_BYTES];
	struct root_item root;
	struct scan_item item = { 0 };
	struct buffer place;

	(void)why;
	if (!next_root(arg, text, &root))
		return ERR_END;
	buffer_init(&place, PLACE_MAX);
	path_uri(&place, root.path);
	buffer_init(&item.item, ITEM_BYTES_MAX);
	root_item_encode(&item.item, &root);
	item.place = buffer_take_string(&place);
	if (!item.place || buffer_status(&item.item) != ERR_OK) {
		free(item.place);
		buffer_fini(&item.item);
		return ERR_MEMORY;
	}
	*out = item;
	return ERR_OK;
}

/* The path of a file: uri, owned; NULL for none, and `*e` says whether memory was the cause. */
static char *path_of(const char *uri, enum err *e)
{
	struct buffer path;
	char *out = NULL;

	buffer_init(&path, READER_PATH_BYTES_MAX);
	if (strncmp(uri, FILE_SCHEME, strlen(FILE_SCHEME)) == 0 &&
		text_uri_decode(&path, slice_text(uri + strlen(FILE_SCHEME))) && path.size &&
		path.data[0] == '/' && !memchr(path.data, 0, path.size) &&
		buffer_status(&path) == ERR_OK) {
		out = buffer_take_string(&path);
		*e = out ? ERR_OK : ERR_MEMORY;
	}
	buffer_fini(&path);
	return out;
}

/* Takes the path of the first. */
static void leave_out(struct plan *plan, size_t which, char *path)
{
	struct left_out *l = &plan->left[which];

	l->count++;
	if (l->path)
		free(path);
	else
		l->path = path;
}

static enum err add_named(void *arg, const char *uri, const char *message)
{
	struct plan *plan = arg;
	enum err e = ERR_OK;
	char *path;

	/* What is too long to say is not said; inventory_missing.c makes none. */
	if (strlen(message) > NAMED_MESSAGE_BYTES_MAX)
		return ERR_OK;
	path = path_of(uri, &e);
	if (!path)
		return e;
	if (plan->named.count >= plan->named_max) {
		leave_out(plan, LEFT_NAMED, path);
		return ERR_OK;
	}
	e = strings_add(&plan->messages, message);
	if (e != ERR_OK) {
		free(path);
		return e;
	}
	return strings_take(&plan->named, path);
}

/* The entry of this path, which is taken; they come by file. NULL: there is no room for it, or, says `*e`, no
 * memory. */
static struct locked *locked_of(struct plan *plan, char *path, enum err *e)
{
	size_t count = plan->locked_count;
	struct locked *all;

	if (count && strcmp(plan->locked[count - 1].path, path) == 0) {
		free(path);
		return &plan->locked[count - 1];
	}
	if (count >= plan->named_max) {
		leave_out(plan, LEFT_LOCKED, path);
		return NULL;
	}
	all = reallocarray(plan->locked, count + 1, sizeof(*all));
	if (!all) {
		*e = ERR_MEMORY;
		free(path);
		return NULL;
	}
	plan->locked = all;
	all[plan->locked_count++] = (struct locked){ .path = path };
	return &all[count];
}

static enum err add_password(void *arg, const char *uri, const char *source, bool is_configuration)
{
	struct plan *plan = arg;
	enum err e = ERR_OK;
	char *path = path_of(uri, &e);
	char *from = path ? path_of(source, &e) : NULL;
	struct locked *l;

	if (!from) {
		free(path);
		return e;
	}
	l = locked_of(plan, path, &e);
	if (!l || strings_contain(&l->sources, from)) {
		free(from);
		return e;
	}
	if (l->sources.count >= plan->sources_max || l->bytes + strlen(from) > SOURCES_BYTES_MAX) {
		free(from);
		path = strdup(l->path);
		if (path)
			leave_out(plan, LEFT_SOURCES, path);
		return path ? ERR_OK : ERR_MEMORY;
	}
	l->bytes += strlen(from);
	l->are_configurations[l->sources.count] = is_configuration;
	return strings_take(&l->sources, from);
}

/* The configurations that this pass found are known now: are the files there that they name, and does
 * what they say of passwords open them? */
static enum err follow(void *arg, const struct scan_hints *hints, struct why *why)
{
	struct plan *plan = arg;

	enum err e = ERR_OK;

	if (hints->each_named_file)
		e = hints->each_named_file(hints->ctx, plan->job, add_named, plan, why);
	if (e == ERR_OK && hints->each_password)
		e = hints->each_password(hints->ctx, plan->job, add_password, plan, why);
	return e;
}

const struct scanner files_scanner = {
	.name = "files",
	.help = "certificates in files, found by their content",
	.role = &reader_role,
	.feeds_hints = true,
	.keeps_memory = true,
	.forget_holders = seen_drop_holders,
	.window = READER_ROOTS_MAX,
	.fields = fields,
	.conf_bytes = sizeof(struct files_conf),
	.accepts = accepts,
	.add_source = add_source,
	.add_default = add_default,
	.encode_options = encode_options,
	.open = open_plan,
	.next = next_item,
	.follow = follow,
	.close = close_plan,
};
