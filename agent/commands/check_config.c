/* leafwatch check-config: is this configuration good? */
#include "agent/commands/start.h"

#include "agent/base/log.h"
#include "agent/certificate/trust.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SHOWN_BYTES_MAX (1024 * 1024)
#define OPTIONS_BYTES_MAX (32 * 1024 * 1024)

static enum err check_bundles(const struct strings *paths, struct why *why)
{
	enum err e = ERR_OK;

	for (size_t i = 0; e == ERR_OK && i < paths->count; i++) {
		struct buffer bytes;

		/* Else it is a store's name. */
		if (!strchr(paths->items[i], '/'))
			continue;
		buffer_init(&bytes, TRUST_BYTES_MAX);
		e = trust_read(paths->items[i], &bytes, why);
		buffer_fini(&bytes);
	}
	return e;
}

static enum err check_trust(const struct settings *s, struct why *why)
{
	enum err e = check_bundles(&s->trust.bundles, why);

	for (size_t i = 0; e == ERR_OK && i < s->trust.stores.count; i++)
		e = check_bundles(
			&((const struct trust_store *)s->trust.stores.items[i])->bundles, why);
	for (size_t i = 0; e == ERR_OK && i < s->jobs_count; i++)
		e = check_bundles(&((const struct scan_job *)s->jobs[i].conf)->trust, why);
	return e;
}

static enum err check_password_files(const struct strings *files, struct why *why)
{
	enum err e = ERR_OK;

	for (size_t i = 0; e == ERR_OK && i < files->count; i++) {
		char *path = NULL;

		e = secret_path(files->items[i], &path, why);
		if (e == ERR_OK && access(path, R_OK) != 0)
			e = why_fail(why, ERR_CONFIG, "password file %s cannot be read: %m", path);
		free(path);
	}
	return e;
}

/* What only shows when it is used: files that the configuration names. */
static enum err check_files(const struct settings *s, struct why *why)
{
	enum err e = check_trust(s, why);

	if (e == ERR_OK)
		e = check_password_files(&s->passwords.files, why);
	for (size_t i = 0; e == ERR_OK && i < s->passwords.by_path.count; i++)
		e = check_password_files(
			&((const struct path_passwords *)s->passwords.by_path.items[i])->files,
			why);
	return e;
}

/* Files that jobs name are read when their options are: client certificates and keys, passwords, proxies. */
static enum err check_jobs(const struct settings *s, struct why *why)
{
	enum err e = ERR_OK;

	for (size_t i = 0; e == ERR_OK && i < s->jobs_count; i++) {
		const struct job *job = &s->jobs[i];
		struct buffer options;
		struct why inner = { 0 };

		buffer_init(&options, OPTIONS_BYTES_MAX);
		e = job->scanner->encode_options(job->conf, &options, &inner);
		buffer_wipe(&options);
		if (e == ERR_OK && job->scanner->check_files)
			e = job->scanner->check_files(job->conf, &inner);
		if (e != ERR_OK)
			e = why_fail(why, e, "job %s: %s",
				((const struct scan_job *)job->conf)->name, why_text(&inner, e));
	}
	return e;
}

/* As the agent would run: what the file does not name has its default. */
static enum err add_defaults(struct settings *s, struct why *why)
{
	enum err e = s->has_scanners ? ERR_OK : settings_add_default_jobs(s, why);

	return e == ERR_OK && !s->has_exporters ? settings_add_default_outlets(s, why) : e;
}

static void say(const char *path, const struct settings *s)
{
	if (path || access(SETTINGS_FILE, F_OK) == 0)
		(void)printf("%s: good", path ? path : SETTINGS_FILE);
	else
		(void)printf("%s: not there, so defaults hold", SETTINGS_FILE);
	(void)printf("; jobs: %zu, exporters: %zu\n", s->jobs_count, s->outlets_count);
}

static int run(const struct options *o)
{
	const char *path = o->words.count ? o->words.items[0] : NULL;
	struct settings *s = NULL;
	struct why why = { 0 };
	struct buffer shown;
	enum err e = ERR_OK;

	if (o->words.count > 1)
		e = why_fail(&why, ERR_USAGE, "check-config takes one file");
	if (e == ERR_OK)
		e = settings_load(path, &s, &why);
	if (e == ERR_OK)
		e = add_defaults(s, &why);
	if (e == ERR_OK)
		e = check_files(s, &why);
	if (e == ERR_OK)
		e = check_jobs(s, &why);
	if (e == ERR_OK && o->show) {
		buffer_init(&shown, SHOWN_BYTES_MAX);
		settings_show(s, &shown);
		(void)fputs(buffer_string(&shown), stdout);
		buffer_fini(&shown);
	} else if (e == ERR_OK) {
		say(path, s);
	}
	settings_free(s);
	return e == ERR_OK ? EXIT_DONE : command_fail(e == ERR_USAGE ? e : ERR_CONFIG, &why);
}

const struct command check_config_command = {
	.name = "check-config",
	.arguments = "[FILE]",
	.help = "check a configuration file and the files it names",
	.details = "Exits 0 when it is good, 2 when it is not; an error says FILE:LINE:COLUMN.\n",
	.use = USE_CHECK_CONFIG,
	.run = run,
};
