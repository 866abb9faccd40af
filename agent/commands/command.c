/* From the command line to a subcommand. */
#include "agent/commands/command.h"

#include "agent/base/text.h"
#include "agent/version.h"

#include <cjson/cJSON.h>
#include <curl/curl.h>
#include <gnutls/gnutls.h>
#include <microhttpd.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#define COMMANDS_MAX 32

#define COMMAND(name) extern const struct command name;
#include "agent/commands/commands.def"
#undef COMMAND

const struct command *const commands[] = {
#define COMMAND(name) &name,
#include "agent/commands/commands.def"
#undef COMMAND
};
const size_t commands_count = sizeof(commands) / sizeof(commands[0]);

int command_fail(enum err e, const struct why *why)
{
	char *clean = text_escaped(slice_text(why_text(why, e)));

	(void)fprintf(stderr, "leafwatch: %s\n", clean ? clean : err_text(e));
	free(clean);
	return e == ERR_USAGE || e == ERR_CONFIG ? EXIT_USAGE : EXIT_FAILED;
}

static int show_version(void)
{
	(void)printf(
		"leafwatch %s (%s)\nGnuTLS %s, libcurl %s, SQLite %s, libmicrohttpd %s, libuv %s, cJSON %s\n",
		version_text(), version_revision(), gnutls_check_version(NULL),
		curl_version_info(CURLVERSION_NOW)->version, sqlite3_libversion(),
		MHD_get_version(), uv_version_string(), cJSON_Version());
	return EXIT_DONE;
}

static int show_help(FILE *to)
{
	(void)fputs(
		"leafwatch finds the certificates that a host holds, serves or depends on, says what is\n"
		"wrong with them, and warns before they break something.\n\n"
		"usage: leafwatch COMMAND [OPTION...] [ARGUMENT...]\n\n",
		to);
	for (size_t i = 0; i < commands_count; i++)
		(void)fprintf(to, "  %-14s %s\n", commands[i]->name, commands[i]->help);
	(void)fputs("\n  --version      version and libraries\n"
		    "  --help         this text; `leafwatch COMMAND --help` tells more\n\n"
		    "Try: leafwatch scan\n",
		to);
	return EXIT_DONE;
}

static int show_command_help(const struct command *c)
{
	(void)printf("usage: leafwatch %s [OPTION...]%s%s\n\n%s.\n", c->name,
		c->arguments[0] ? " " : "", c->arguments, c->help);
	if (c->details)
		(void)printf("\n%s", c->details);
	(void)puts("\noptions:");
	options_help(c->use, stdout);
	return EXIT_DONE;
}

static int unknown_command(const char *name)
{
	const char *names[COMMANDS_MAX];
	const char *near;
	struct why why;
	size_t count = 0;

	for (size_t i = 0; i < commands_count && count < COMMANDS_MAX; i++)
		names[count++] = commands[i]->name;
	near = text_nearest(name, names, count);
	if (near)
		return command_fail(
			why_fail(&why, ERR_USAGE,
				"there is no command \"%s\"; did you mean \"%s\"?", name, near),
			&why);
	return command_fail(
		why_fail(&why, ERR_USAGE, "there is no command \"%s\"; leafwatch --help lists them",
			name),
		&why);
}

static int run_command_line(const struct command *c, int argc, char **argv)
{
	struct options o = { 0 };
	struct why why = { 0 };
	enum err e = options_parse(c->use, argc, argv, &o, &why);
	int code;

	if (e != ERR_OK)
		code = command_fail(e, &why);
	else if (o.help)
		code = show_command_help(c);
	else if (o.version)
		code = show_version();
	else
		code = c->run(&o);
	options_fini(&o);
	return code;
}

static const struct command *find_command(const char *name)
{
	for (size_t i = 0; i < commands_count; i++)
		if (strcmp(name, commands[i]->name) == 0)
			return commands[i];
	return NULL;
}

/* What stands before or instead of a command. */
static bool is_help(const char *word)
{
	return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 || strcmp(word, "help") == 0;
}

int command_line(int argc, char **argv)
{
	const struct command *c;

	/* Who reads from us may leave: a write then fails. */
	(void)signal(SIGPIPE, SIG_IGN);
	if (argc < 2) {
		(void)show_help(stderr);
		return EXIT_USAGE;
	}
	if (is_help(argv[1]) && argc == 2)
		return show_help(stdout);
	if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "version") == 0)
		return show_version();
	c = find_command(is_help(argv[1]) ? argv[2] : argv[1]);
	if (!c)
		return unknown_command(is_help(argv[1]) ? argv[2] : argv[1]);
	return is_help(argv[1]) ? show_command_help(c) : run_command_line(c, argc - 2, argv + 2);
}
