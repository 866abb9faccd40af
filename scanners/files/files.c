/* The scanner of files: what a user may say about it, and which roots a pass walks. */
#include "scanners/files/options.h"
#include "scanners/files/plan.h"
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

static enum err open_plan(const void *arg, const struct scan_hints *hints, void **out,
	uint64_t *expected, struct why *why)
{
	const struct files_conf *conf = arg;
	struct strings roots = { 0 };
	struct files_plan *plan = NULL;
	enum err e = roots_of(conf, &roots, why);

	(void)hints;
	if (e == ERR_OK)
		e = files_plan_new(
			conf->job.name, conf->paths.count == 0, conf->job.limits, &roots, &plan);
	strings_fini(&roots);
	if (e != ERR_OK)
		return e;
	*expected = 0;
	*out = plan;
	return ERR_OK;
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
	.next = files_plan_next,
	.follow = files_plan_follow,
	.close = files_plan_close,
};
