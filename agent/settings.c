/* The whole configuration as structs. */
#include "agent/settings.h"
#include "agent/settings_limits.h"

#include "agent/base/text.h"
#include "agent/base/wire.h"
#include "agent/certificate/certificate.h"
#include "scanners/revocation/revocation.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define JOBS_MAX 256
#define OUTLETS_MAX 64
#define PROCESSES_MAX 64
#define NAMES_MAX 32
#define SOURCES_BYTES_MAX (16 * 1024 * 1024)
#define JOB_NAME_BYTES 64
#define RENOTIFY_MIN_MS 60000
#define RENOTIFY_MAX_MS (366LL * 86400 * 1000)

static const char *const level_words[] = { "error", "warn", "info", "debug", NULL };

static const char *const severity_words[] = { "off", "info", "warning", "critical", NULL };

static enum err check_threshold(const char *value, struct why *why)
{
	struct threshold ignored;

	return threshold_parse(value, &ignored, why);
}

static enum err check_store_name(const char *value, struct why *why)
{
	if (strcmp(value, TRUST_SYSTEM) == 0)
		return why_fail(why, ERR_CONFIG, "\"%s\" is the name of the system's store", value);
	if (!*value || strchr(value, '/') || !text_is_clean(slice_text(value)))
		return why_fail(why, ERR_CONFIG, "a store's name has no / in it");
	return ERR_OK;
}

static const struct schema_field store_fields[] = {
	{ .key = "name",
		.type = SCHEMA_TEXT,
		.offset = offsetof(struct trust_store, name),
		.is_required = true,
		.check = check_store_name,
		.help = "what jobs and verdicts call it" },
	{ .key = "bundles",
		.type = SCHEMA_TEXTS,
		.offset = offsetof(struct trust_store, bundles),
		.is_required = true,
		.help = "PEM bundles, DER files or folders of its CAs" },
	{ 0 },
};

static const struct schema_field trust_fields[] = {
	{ .key = "system",
		.type = SCHEMA_BOOL,
		.offset = offsetof(struct trust_settings, system),
		.standard = "true",
		.help = "trust the CAs of the operating system" },
	{ .key = "bundles",
		.type = SCHEMA_TEXTS,
		.offset = offsetof(struct trust_settings, bundles),
		.help = "PEM bundles, DER files or folders of CAs trusted besides" },
	{ .key = "stores",
		.type = SCHEMA_SECTIONS,
		.offset = offsetof(struct trust_settings, stores),
		.fields = store_fields,
		.section_bytes = sizeof(struct trust_store),
		.help = "stores with names, trusted only by jobs that name them in their trust" },
	{ 0 },
};

static const struct schema_field alert_fields[] = {
	{ .key = "warning",
		.type = SCHEMA_THRESHOLD,
		.offset = offsetof(struct alert_settings, warning),
		.standard = "33%",
		.check = check_threshold,
		.help = "time left at which a certificate is a warning: a share of its lifetime, a span like 30d, or min(30d, 33%)" },
	{ .key = "critical",
		.type = SCHEMA_THRESHOLD,
		.offset = offsetof(struct alert_settings, critical),
		.standard = "10%",
		.check = check_threshold,
		.help = "time left at which it is critical" },
	{ .key = "renotify",
		.type = SCHEMA_DURATION,
		.offset = offsetof(struct alert_settings, renotify_ms),
		.standard = "24h",
		.minimum = RENOTIFY_MIN_MS,
		.maximum = RENOTIFY_MAX_MS,
		.help = "how often an alert that goes on is told again" },
	{ .key = "key_exposed",
		.type = SCHEMA_WORD,
		.offset = offsetof(struct alert_settings, key_exposed),
		.standard = "critical",
		.words = severity_words,
		.help = "how severe it is that every user can read a private key" },
	{ .key = "key_shared",
		.type = SCHEMA_WORD,
		.offset = offsetof(struct alert_settings, key_shared),
		.standard = "warning",
		.words = severity_words,
		.help = "how severe it is that certificates of different names have one private key" },
	{ 0 },
};

static const struct schema_field path_password_fields[] = {
	{ .key = "paths",
		.type = SCHEMA_TEXTS,
		.offset = offsetof(struct path_passwords, paths),
		.is_required = true,
		.help = "patterns of the keystores: for the whole path when they hold a slash, else for the last name; * is anything but a slash, ** anything" },
	{ .key = "files",
		.type = SCHEMA_TEXTS,
		.offset = offsetof(struct path_passwords, files),
		.is_required = true,
		.help = "files of passwords, one a line, that are tried there before those for all" },
	{ 0 },
};

static const struct schema_field password_fields[] = {
	{ .key = "files",
		.type = SCHEMA_TEXTS,
		.offset = offsetof(struct password_settings, files),
		.help = "files of passwords, one a line, that are tried on keystores; credential:NAME is allowed" },
	{ .key = "by_path",
		.type = SCHEMA_SECTIONS,
		.offset = offsetof(struct password_settings, by_path),
		.fields = path_password_fields,
		.section_bytes = sizeof(struct path_passwords),
		.help = "passwords for some keystores only" },
	{ 0 },
};

static const struct schema_field top_fields[] = {
	{ .key = "state",
		.type = SCHEMA_TEXT,
		.offset = offsetof(struct settings, state),
		.help = "folder of the inventory" },
	{ .key = "log_level",
		.type = SCHEMA_WORD,
		.offset = offsetof(struct settings, log_level),
		.standard = "info",
		.words = level_words,
		.help = "what goes to the log" },
	{ .key = "processes",
		.type = SCHEMA_INTEGER,
		.offset = offsetof(struct settings, processes),
		.standard = "0",
		.minimum = 0,
		.maximum = PROCESSES_MAX,
		.help = "parser processes, and probe processes; 0 is one a core" },
	{ .key = "trust",
		.type = SCHEMA_SECTION,
		.offset = offsetof(struct settings, trust),
		.fields = trust_fields,
		.help = "which CAs are trusted" },
	{ .key = "passwords",
		.type = SCHEMA_SECTION,
		.offset = offsetof(struct settings, passwords),
		.fields = password_fields,
		.help = "passwords of keystores" },
	{ .key = "limits",
		.type = SCHEMA_SECTION,
		.offset = offsetof(struct settings, limits),
		.fields = settings_limit_fields,
		.help = "how much of one file is looked at" },
	{ .key = "alerts",
		.type = SCHEMA_SECTION,
		.offset = offsetof(struct settings, alerts),
		.fields = alert_fields,
		.help = "when to alert" },
	{ 0 },
};

/* What stands beside the schema at the top: filled from the tables of scanners and exporters. */
static const char scanners_key[] = "scanners";
static const char exporters_key[] = "exporters";

bool job_is_off(const struct job *job)
{
	return job->scanner->is_off && job->scanner->is_off(job->conf);
}

static void drop_jobs(struct settings *s, bool also_sections)
{
	size_t kept = 0;

	for (size_t i = 0; i < s->jobs_count; i++) {
		struct job job = s->jobs[i];

		if (job.scanner->is_section && !also_sections) {
			s->jobs[kept++] = job;
			continue;
		}
		schema_fini(job.scanner->fields, job.conf);
		free(job.conf);
	}
	s->jobs_count = kept;
}

void settings_without_jobs(struct settings *s)
{
	drop_jobs(s, false);
}

void settings_free(struct settings *s)
{
	if (!s)
		return;
	drop_jobs(s, true);
	for (size_t i = 0; i < s->outlets_count; i++) {
		schema_fini(s->outlets[i].exporter->fields, s->outlets[i].conf);
		free(s->outlets[i].conf);
	}
	free(s->jobs);
	free(s->outlets);
	schema_fini(top_fields, s);
	free(s);
}

/* ---- jobs and outlets ------------------------------------------------------------------------- */

static enum err name_job(struct scan_job *job, const struct scanner *scanner, size_t number)
{
	char name[JOB_NAME_BYTES];

	if (job->name)
		return ERR_OK;
	if (number == 1)
		(void)snprintf(name, sizeof(name), "%s", scanner->name);
	else
		(void)snprintf(name, sizeof(name), "%s:%zu", scanner->name, number);
	job->name = strdup(name);
	return job->name ? ERR_OK : ERR_MEMORY;
}

const struct trust_store *trust_store_find(const struct trust_settings *t, const char *name)
{
	for (size_t i = 0; i < t->stores.count; i++) {
		const struct trust_store *s = t->stores.items[i];

		if (strcmp(s->name, name) == 0)
			return s;
	}
	return NULL;
}

/* What a job trusts must be known; paths are read when the parsers are set up. */
static enum err check_trust(const struct settings *s, const struct strings *trust,
	const struct node *at, struct why *why)
{
	for (size_t i = 0; i < trust->count; i++) {
		const char *name = trust->items[i];

		if (strcmp(name, TRUST_SYSTEM) == 0 || strchr(name, '/') ||
			trust_store_find(&s->trust, name))
			continue;
		if (at)
			return node_fail(at, why,
				"the job trusts \"%s\", which is neither %s, nor a store of trust.stores, nor a path",
				name, TRUST_SYSTEM);
		return why_fail(why, ERR_CONFIG, "there is no trust store \"%s\"", name);
	}
	return ERR_OK;
}

static enum err check_job_trust(const struct settings *s, const struct scan_job *job,
	const struct node *at, struct why *why)
{
	enum err e = check_trust(s, &job->trust, at, why);

	if (e == ERR_OK && at && job->target_trust.count > SCAN_TARGET_TRUST_MAX)
		return node_fail(
			at, why, "more than %d entries of target_trust", SCAN_TARGET_TRUST_MAX);
	for (size_t i = 0; e == ERR_OK && i < job->target_trust.count; i++)
		e = check_trust(s,
			&((const struct target_trust *)job->target_trust.items[i])->trust, at, why);
	return e;
}

static enum err check_job_name(const struct settings *s, const struct scan_job *job,
	const struct node *at, struct why *why)
{
	for (size_t i = 0; i < s->jobs_count; i++) {
		const struct scan_job *other = s->jobs[i].conf;

		if (strcmp(other->name, job->name) != 0)
			continue;
		if (at)
			return node_fail(at, why, "there are two jobs named \"%s\"", job->name);
		return why_fail(why, ERR_CONFIG, "there are two jobs named \"%s\"", job->name);
	}
	return ERR_OK;
}

static size_t jobs_of(const struct settings *s, const struct scanner *scanner)
{
	size_t count = 0;

	for (size_t i = 0; i < s->jobs_count; i++)
		count += s->jobs[i].scanner == scanner;
	return count;
}

static enum err check_job(
	const struct scanner *scanner, const void *conf, const struct node *map, struct why *why)
{
	struct why inner = { 0 };
	enum err e = scanner->check ? scanner->check(conf, &inner) : ERR_OK;

	return e == ERR_OK ? e : node_fail(map, why, "%s", why_text(&inner, e));
}

/* Adds a job whose conf holds defaults and what `map` (or NULL) says. */
static enum err add_job(struct settings *s, const struct scanner *scanner, const struct node *map,
	void **out, struct why *why)
{
	struct job *jobs;
	void *conf;
	enum err e;

	if (s->jobs_count == JOBS_MAX)
		return why_fail(why, ERR_LIMIT, "more than %d jobs", JOBS_MAX);
	jobs = reallocarray(s->jobs, s->jobs_count + 1, sizeof(*jobs));
	if (!jobs)
		return ERR_MEMORY;
	s->jobs = jobs;
	conf = calloc(1, scanner->conf_bytes);
	if (!conf)
		return ERR_MEMORY;
	((struct scan_job *)conf)->limits = &s->limits;
	e = schema_apply(scanner->fields, map, conf, why);
	if (e == ERR_OK && map)
		e = check_job(scanner, conf, map, why);
	if (e == ERR_OK)
		e = name_job(conf, scanner, jobs_of(s, scanner) + 1);
	if (e == ERR_OK)
		e = check_job_name(s, conf, map, why);
	if (e == ERR_OK)
		e = check_job_trust(s, conf, map, why);
	if (e != ERR_OK) {
		schema_fini(scanner->fields, conf);
		free(conf);
		return e;
	}
	s->jobs[s->jobs_count++] = (struct job){ .scanner = scanner, .conf = conf };
	if (out)
		*out = conf;
	return ERR_OK;
}

static enum err check_receiver_name(const struct settings *s, const struct exporter *exporter,
	const void *conf, const struct node *at, struct why *why)
{
	const struct receiver_conf *receiver = conf;

	for (size_t i = 0; exporter->is_receiver && i < s->outlets_count; i++) {
		const struct receiver_conf *other = s->outlets[i].conf;

		if (s->outlets[i].exporter->is_receiver && strcmp(other->name, receiver->name) == 0)
			return node_fail(
				at, why, "there are two receivers named \"%s\"", receiver->name);
	}
	return ERR_OK;
}

static enum err add_outlet(struct settings *s, const struct exporter *exporter,
	const struct node *map, struct why *why)
{
	struct outlet *outlets;
	void *conf;
	enum err e;

	if (s->outlets_count == OUTLETS_MAX)
		return why_fail(why, ERR_LIMIT, "more than %d exporters", OUTLETS_MAX);
	outlets = reallocarray(s->outlets, s->outlets_count + 1, sizeof(*outlets));
	if (!outlets)
		return ERR_MEMORY;
	s->outlets = outlets;
	conf = calloc(1, exporter->conf_bytes);
	if (!conf)
		return ERR_MEMORY;
	e = schema_apply(exporter->fields, map, conf, why);
	if (e == ERR_OK)
		e = check_receiver_name(s, exporter, conf, map, why);
	if (e != ERR_OK) {
		schema_fini(exporter->fields, conf);
		free(conf);
		return e;
	}
	s->outlets[s->outlets_count++] = (struct outlet){ .exporter = exporter, .conf = conf };
	return ERR_OK;
}

/* ---- the sections whose keys are the tables ---------------------------------------------------- */

static enum err unknown_key(const struct node *at, const char *const *names, size_t count,
	const char *what, struct why *why)
{
	const char *near = text_nearest(at->key, names, count);

	if (near)
		return why_fail(why, ERR_CONFIG,
			"%s:%u:%u: there is no %s \"%s\"; did you mean \"%s\"?", at->file,
			at->key_line, at->key_column, what, at->key, near);
	return why_fail(why, ERR_CONFIG, "%s:%u:%u: there is no %s \"%s\"", at->file, at->key_line,
		at->key_column, what, at->key);
}

static enum err read_jobs(struct settings *s, const struct node *list, struct why *why)
{
	const struct scanner *scanner = scanner_find(list->key);
	const char *names[NAMES_MAX];
	enum err e = ERR_OK;

	if (!scanner) {
		for (size_t i = 0; i < scanners_count && i < NAMES_MAX; i++)
			names[i] = scanners[i]->name;
		return unknown_key(list, names, scanners_count, "scanner", why);
	}
	if (scanner->is_section)
		return node_fail(
			list, why, "\"%s\" stands at the top: \"%s: {...}\"", list->key, list->key);
	if (node_is_null(list))
		return ERR_OK;
	if (list->kind != NODE_LIST)
		return node_fail(list, why, "\"%s\" takes a list of jobs", list->key);
	for (size_t i = 0; e == ERR_OK && i < list->count; i++) {
		if (list->children[i]->kind != NODE_MAP)
			return node_fail(list->children[i], why, "a job is a map of keys");
		e = add_job(s, scanner, list->children[i], NULL, why);
	}
	return e;
}

static enum err read_outlets(struct settings *s, const struct node *list, struct why *why)
{
	const struct exporter *exporter = exporter_find(list->key);
	const char *names[NAMES_MAX];
	enum err e = ERR_OK;

	if (!exporter) {
		for (size_t i = 0; i < exporters_count && i < NAMES_MAX; i++)
			names[i] = exporters[i]->name;
		return unknown_key(list, names, exporters_count, "exporter", why);
	}
	if (node_is_null(list))
		return ERR_OK;
	if (list->kind != NODE_LIST)
		return node_fail(list, why, "\"%s\" takes a list of entries", list->key);
	for (size_t i = 0; e == ERR_OK && i < list->count; i++) {
		if (list->children[i]->kind != NODE_MAP)
			return node_fail(list->children[i], why, "an entry is a map of keys");
		e = add_outlet(s, exporter, list->children[i], why);
	}
	return e;
}

static enum err read_section(struct settings *s, const struct node *map, bool *is_there,
	enum err (*read)(struct settings *, const struct node *, struct why *), struct why *why)
{
	enum err e = ERR_OK;

	if (!map)
		return ERR_OK;
	*is_there = true;
	if (node_is_null(map))
		return ERR_OK;
	if (map->kind != NODE_MAP)
		return node_fail(map, why, "\"%s\" takes a map", map->key);
	for (size_t i = 0; e == ERR_OK && i < map->count; i++)
		e = read(s, map->children[i], why);
	return e;
}

static bool is_section(const char *key)
{
	const struct scanner *scanner = scanner_find(key);

	return scanner && scanner->is_section;
}

/* Jobs that are always there, each configured by a section of its own. */
static enum err read_sections(struct settings *s, const struct node *root, struct why *why)
{
	enum err e = ERR_OK;

	for (size_t i = 0; e == ERR_OK && i < scanners_count; i++) {
		const struct node *map = NULL;

		if (!scanners[i]->is_section)
			continue;
		if (root)
			map = node_child(root, scanners[i]->name);
		if (map && node_is_null(map))
			map = NULL;
		if (map && map->kind != NODE_MAP)
			return node_fail(map, why, "\"%s\" takes a map", map->key);
		e = add_job(s, scanners[i], map, NULL, why);
	}
	return e;
}

/* What no issuer could be asked about is broken, or is not. */
static void note_revocation(struct settings *s)
{
	for (size_t i = 0; i < s->jobs_count; i++) {
		const struct revocation_conf *conf = s->jobs[i].conf;

		if (s->jobs[i].scanner == &revocation_scanner)
			s->thresholds.is_unknown_broken = conf->mode == REVOCATION_ASK_HARD;
	}
}

/* The top level without the sections that the schema does not know. */
static enum err apply_top(struct settings *s, const struct node *root, struct why *why)
{
	struct node *children[sizeof(top_fields) / sizeof(top_fields[0]) + 64];
	struct node rest = { .kind = NODE_MAP, .children = children };

	if (!root)
		return schema_apply(top_fields, NULL, s, why);
	rest.file = root->file;
	rest.line = root->line;
	rest.column = root->column;
	for (size_t i = 0; i < root->count; i++) {
		struct node *child = root->children[i];

		if (strcmp(child->key, scanners_key) == 0 ||
			strcmp(child->key, exporters_key) == 0 || is_section(child->key))
			continue;
		if (rest.count == sizeof(children) / sizeof(children[0]))
			return node_fail(child, why, "too many keys");
		children[rest.count++] = child;
	}
	return schema_apply(top_fields, &rest, s, why);
}

static enum err fill(struct settings *s, const struct node *root, struct why *why)
{
	enum err e = apply_top(s, root, why);

	if (e == ERR_OK)
		e = threshold_parse(s->alerts.warning, &s->thresholds.warning, why);
	if (e == ERR_OK)
		e = threshold_parse(s->alerts.critical, &s->thresholds.critical, why);
	if (e == ERR_OK)
		e = read_sections(s, root, why);
	note_revocation(s);
	if (e == ERR_OK && root)
		e = read_section(
			s, node_child(root, scanners_key), &s->has_scanners, read_jobs, why);
	if (e == ERR_OK && root)
		e = read_section(
			s, node_child(root, exporters_key), &s->has_exporters, read_outlets, why);
	return e;
}

static enum err build(const struct node *root, struct settings **out, struct why *why)
{
	struct settings *s = calloc(1, sizeof(*s));
	enum err e;

	if (!s)
		return ERR_MEMORY;
	e = fill(s, root, why);
	if (e != ERR_OK) {
		settings_free(s);
		return e;
	}
	*out = s;
	return ERR_OK;
}

enum err settings_new(struct settings **out, struct why *why)
{
	return build(NULL, out, why);
}

static enum err load_folder_beside(struct tree *t, const char *path, struct why *why)
{
	const char *slash = strrchr(path, '/');
	char *folder = NULL;
	enum err e;

	if (asprintf(&folder, "%.*s" SETTINGS_FOLDER, slash ? (int)(slash - path + 1) : 0, path) <
		0)
		return ERR_MEMORY;
	e = tree_load_folder(t, folder, why);
	free(folder);
	return e;
}

enum err settings_load(const char *path, struct settings **out, struct why *why)
{
	struct tree *t = NULL;
	enum err e = tree_new(&t);

	if (e == ERR_OK && (path || access(SETTINGS_FILE, F_OK) == 0))
		e = tree_load(t, path ? path : SETTINGS_FILE, why);
	if (e == ERR_OK)
		e = load_folder_beside(t, path ? path : SETTINGS_FILE, why);
	if (e == ERR_OK)
		e = build(tree_root(t), out, why);
	tree_free(t);
	return e;
}

/* ---- without a file --------------------------------------------------------------------------- */

enum err settings_add_default_jobs(struct settings *s, struct why *why)
{
	enum err e = ERR_OK;

	for (size_t i = 0; e == ERR_OK && i < scanners_count; i++) {
		void *conf;

		if (!scanners[i]->add_default)
			continue;
		e = add_job(s, scanners[i], NULL, &conf, why);
		if (e == ERR_OK)
			e = scanners[i]->add_default(conf, why);
	}
	return e;
}

static void *job_conf(const struct settings *s, const struct scanner *scanner)
{
	for (size_t i = 0; i < s->jobs_count; i++)
		if (s->jobs[i].scanner == scanner)
			return s->jobs[i].conf;
	return NULL;
}

enum err settings_add_source(struct settings *s, const char *source, struct why *why)
{
	for (size_t i = 0; i < scanners_count; i++) {
		void *conf;
		enum err e = ERR_OK;

		if (!scanners[i]->accepts(source))
			continue;
		conf = job_conf(s, scanners[i]);
		if (!conf)
			e = add_job(s, scanners[i], NULL, &conf, why);
		return e == ERR_OK ? scanners[i]->add_source(conf, source, why) : e;
	}
	if (access(source, F_OK) == 0)
		return why_fail(why, ERR_USAGE,
			"\"%s\" could be a name: write ./%s for the file or folder", source,
			source);
	return why_fail(why, ERR_USAGE,
		"\"%s\" is not a source; write /path or ./path, host:port, 10.0.0.0/24:443, pkcs11:token=NAME, or listeners:",
		source);
}

/* A secret goes by its own key, or by that of the file that holds it. */
static bool has_key(const struct schema_field *field, const char *key)
{
	size_t size = strlen(field->key);

	if (strcmp(field->key, key) == 0)
		return true;
	return field->type == SCHEMA_SECRET && strncmp(field->key, key, size) == 0 &&
	       strcmp(key + size, "_file") == 0;
}

#define OVERRIDE_VALUES_MAX 1000

/* Applies KEY: VALUE, or KEY: [VALUE, ...], to a struct that is filled already. */
static enum err override_key(const struct schema_field *field, void *conf, const char *key,
	const struct strings *values, struct why *why)
{
	struct schema_field one[2] = { { 0 }, { 0 } };
	struct node items[OVERRIDE_VALUES_MAX];
	struct node *pointers[OVERRIDE_VALUES_MAX];
	struct node child = { .kind = NODE_SCALAR,
		.file = "command line",
		.key = (char *)(uintptr_t)key,
		.value = values->items[0],
		.line = 1,
		.column = 1 };
	struct node *children[] = { &child };
	const struct node map = {
		.kind = NODE_MAP, .file = child.file, .children = children, .count = 1
	};

	if (values->count > OVERRIDE_VALUES_MAX)
		return why_fail(why, ERR_USAGE, ": given more than %d times", OVERRIDE_VALUES_MAX);
	for (size_t i = 0; i < values->count; i++) {
		items[i] = child;
		items[i].key = NULL;
		items[i].value = values->items[i];
		pointers[i] = &items[i];
	}
	if (values->count > 1) {
		child.kind = NODE_LIST;
		child.value = NULL;
		child.children = pointers;
		child.count = values->count;
	}

	while (field->key && !has_key(field, key))
		field++;
	if (!field->key)
		return ERR_NOT_FOUND;
	one[0] = *field;
	schema_fini(one, conf);
	return schema_apply(one, &map, conf, why);
}

enum err settings_override(
	struct settings *s, const char *option, const char *key, const char *value, struct why *why)
{
	char *items[] = { (char *)(uintptr_t)value };
	const struct strings values = { .items = items, .count = 1 };

	return settings_override_list(s, NULL, option, key, &values, why);
}

enum err settings_override_list(struct settings *s, const char *scanner, const char *option,
	const char *key, const struct strings *values, struct why *why)
{
	for (size_t i = 0; values->count && i < s->jobs_count; i++) {
		struct why inner = { 0 };
		const char *sentence;
		enum err e;

		if (scanner && strcmp(s->jobs[i].scanner->name, scanner) != 0)
			continue;
		e = override_key(s->jobs[i].scanner->fields, s->jobs[i].conf, key, values, &inner);
		sentence = strstr(inner.text, ": ");
		if (e != ERR_OK && e != ERR_NOT_FOUND)
			return why_fail(why, ERR_USAGE, "--%s: %s", option,
				sentence ? sentence + 2 : why_text(&inner, e));
	}
	return ERR_OK;
}

enum err settings_name_jobs(struct settings *s, const struct strings *sources)
{
	struct buffer all;
	uint8_t digest[FINGERPRINT_BYTES];
	char hex[FINGERPRINT_TEXT_BYTES];

	buffer_init(&all, SOURCES_BYTES_MAX);
	wire_put_strings(&all, sources);
	fingerprint_of(buffer_bytes(&all), digest);
	buffer_fini(&all);
	text_hex(hex, digest, sizeof(digest));
	for (size_t i = 0; i < s->jobs_count; i++) {
		struct scan_job *head = s->jobs[i].conf;
		char *name = NULL;

		if (asprintf(&name, "scan:%s:%.12s", s->jobs[i].scanner->name, hex) < 0)
			return ERR_MEMORY;
		free(head->name);
		head->name = name;
	}
	return ERR_OK;
}

enum err settings_add_default_outlets(struct settings *s, struct why *why)
{
	return add_outlet(s, exporter_find("prometheus"), NULL, why);
}

enum err settings_listen(struct settings *s, const char *address, struct why *why)
{
	char *items[] = { (char *)(uintptr_t)address };
	const struct strings values = { .items = items, .count = 1 };
	enum err e = ERR_OK;

	for (size_t i = 0; e == ERR_OK && i < s->outlets_count; i++)
		if (strcmp(s->outlets[i].exporter->name, "prometheus") == 0)
			e = override_key(s->outlets[i].exporter->fields, s->outlets[i].conf,
				"listen", &values, why);
	return e;
}

enum err settings_state_folder(const struct settings *s, char **out, struct why *why)
{
	const char *base = getenv("XDG_STATE_HOME");
	const char *home = getenv("HOME");
	char *folder = NULL;
	int n;

	if (s && s->state)
		n = asprintf(&folder, "%s", s->state);
	else if (getenv("STATE_DIRECTORY"))
		n = asprintf(&folder, "%s", getenv("STATE_DIRECTORY"));
	else if (geteuid() == 0)
		n = asprintf(&folder, "/var/lib/leafwatch");
	else if (base && base[0] == '/')
		n = asprintf(&folder, "%s/leafwatch", base);
	else if (home && home[0] == '/')
		n = asprintf(&folder, "%s/.local/state/leafwatch", home);
	else
		return why_fail(
			why, ERR_CONFIG, "no folder for the inventory: give --state, or set HOME");
	if (n < 0)
		return ERR_MEMORY;
	*out = folder;
	return ERR_OK;
}

/* ---- telling ---------------------------------------------------------------------------------- */

static void show_entry(const struct schema_field *fields, const void *conf, struct buffer *out)
{
	buffer_text(out, "    -\n");
	schema_show(fields, conf, 3, out);
}

void settings_show(const struct settings *s, struct buffer *out)
{
	schema_show(top_fields, s, 0, out);
	for (size_t i = 0; i < s->jobs_count; i++) {
		if (!s->jobs[i].scanner->is_section)
			continue;
		buffer_format(out, "%s:\n", s->jobs[i].scanner->name);
		schema_show(s->jobs[i].scanner->fields, s->jobs[i].conf, 1, out);
	}
	buffer_text(out, "scanners:\n");
	for (size_t i = 0; i < scanners_count; i++) {
		if (!jobs_of(s, scanners[i]) || scanners[i]->is_section)
			continue;
		buffer_format(out, "  %s:\n", scanners[i]->name);
		for (size_t j = 0; j < s->jobs_count; j++)
			if (s->jobs[j].scanner == scanners[i])
				show_entry(scanners[i]->fields, s->jobs[j].conf, out);
	}
	buffer_text(out, "exporters:\n");
	for (size_t i = 0; i < exporters_count; i++) {
		bool is_named = false;

		for (size_t j = 0; j < s->outlets_count; j++) {
			if (s->outlets[j].exporter != exporters[i])
				continue;
			if (!is_named)
				buffer_format(out, "  %s:\n", exporters[i]->name);
			is_named = true;
			show_entry(exporters[i]->fields, s->outlets[j].conf, out);
		}
	}
}
