/* What commands have in common. */
#include "agent/commands/start.h"

#include "agent/base/clock.h"
#include "agent/base/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define PIPE_WIDTH 0
#define TERMINAL_WIDTH 100
#define OUTPUT_BYTES ((size_t)64 * 1024)

enum err start_clock_and_log(const struct options *o, const struct settings *s, struct why *why)
{
	enum log_level level = s ? (enum log_level)s->log_level : LOG_LEVEL_INFO;
	int64_t at;

	if (o->log_level && log_level_parse(o->log_level, &level) != ERR_OK)
		return why_fail(why, ERR_USAGE, "--log-level takes error, warn, info or debug");
	log_setup(level, "main");
	if (!o->at)
		return ERR_OK;
	if (time_parse(o->at, &at) != ERR_OK)
		return why_fail(why, ERR_USAGE,
			"--at takes a time like 2026-01-31T00:00:00Z, 2026-01-31 or @1767225600");
	clock_pin(at);
	return ERR_OK;
}

enum err start_settings(const struct options *o, struct settings **out, struct why *why)
{
	struct settings *s = NULL;
	enum err e = settings_load(o->config, &s, why);

	if (e != ERR_OK)
		return e;
	if (o->no_system_trust)
		s->trust.system = false;
	e = strings_copy(&s->trust.bundles, &o->trust);
	if (e == ERR_OK)
		e = strings_copy(&s->passwords.files, &o->password_files);
	if (e == ERR_OK && o->state) {
		free(s->state);
		s->state = strdup(o->state);
		e = s->state ? ERR_OK : ERR_MEMORY;
	}
	if (e == ERR_OK)
		e = start_clock_and_log(o, s, why);
	if (e != ERR_OK) {
		settings_free(s);
		return e;
	}
	*out = s;
	return ERR_OK;
}

static unsigned terminal_width(void)
{
	struct winsize size;

	if (!isatty(STDOUT_FILENO))
		return PIPE_WIDTH;
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col)
		return size.ws_col;
	return TERMINAL_WIDTH;
}

static enum err choose_color(const struct options *o, bool *color, struct why *why)
{
	const char *no_color = getenv("NO_COLOR");
	const char *term = getenv("TERM");

	if (!o->color || strcmp(o->color, "auto") == 0) {
		*color = isatty(STDOUT_FILENO) && !(no_color && no_color[0]) &&
			 !(term && strcmp(term, "dumb") == 0);
		return ERR_OK;
	}
	*color = strcmp(o->color, "always") == 0;
	if (!*color && strcmp(o->color, "never") != 0)
		return why_fail(why, ERR_USAGE, "--color takes auto, always or never");
	return ERR_OK;
}

enum err start_output(const struct options *o, struct output *out, struct why *why)
{
	const char *name = o->output ? o->output : "table";

	out->report = report_find(name);
	if (!out->report)
		return why_fail(why, ERR_USAGE,
			"there is no output format \"%s\"; table, detail, json, jsonl and csv are",
			name);
	out->options = (struct report_options){ .width = terminal_width(), .all = o->all };
	return choose_color(o, &out->options.color, why);
}

enum err start_write(const struct output *out, const struct view *view,
	const struct report_summary *summary, struct why *why)
{
	enum err e;

	/* Fewer calls to the kernel than by stdio's own; a terminal shows lines as they come. */
	if (!isatty(STDOUT_FILENO))
		(void)setvbuf(stdout, NULL, _IOFBF, OUTPUT_BYTES);
	errno = 0;
	e = out->report->write(view, &out->options, summary, stdout);
	if (e == ERR_OK && fflush(stdout) != 0)
		e = ERR_IO;
	if (e == ERR_OK || (e == ERR_IO && errno == EPIPE))
		return ERR_OK;
	return why_fail(
		why, e, "cannot write the result: %s", e == ERR_IO ? strerror(errno) : err_text(e));
}

enum err start_reading(const struct settings *s, struct opened *out, struct why *why)
{
	char *folder = NULL;
	enum err e = settings_state_folder(s, &folder, why);

	*out = (struct opened){ 0 };
	if (e == ERR_OK)
		e = store_open_read(folder, &out->store, why);
	if (e == ERR_NOT_FOUND)
		e = why_fail(why, e,
			"there is no inventory in %s: run the agent, or scan with --state, first",
			folder);
	if (e == ERR_OK)
		e = inventory_new(out->store, &out->inventory, why);
	free(folder);
	if (e != ERR_OK)
		start_close(out);
	return e;
}

void start_close(struct opened *o)
{
	inventory_free(o->inventory);
	store_close(o->store);
	*o = (struct opened){ 0 };
}
