/* A subcommand: one file with one of these, one line in commands.def. */
#ifndef LEAFWATCH_AGENT_COMMANDS_COMMAND_H
#define LEAFWATCH_AGENT_COMMANDS_COMMAND_H

#include "agent/commands/options.h"

#include <stddef.h>

/* Exit codes of every command. */
enum exit_code { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_DUE = 4 };

struct command {
	const char *name;
	const char *arguments; /* as help shows them */
	const char *help;      /* one line */
	const char *details;   /* a paragraph for its own help, or NULL */
	unsigned use;          /* enum option_use */
	int (*run)(const struct options *o);
};

extern const struct command *const commands[];
extern const size_t commands_count;

/* The whole command line; returns the exit code. */
int command_line(int argc, char **argv);
/* "leafwatch: sentence" on stderr; returns the exit code that fits. */
int command_fail(enum err e, const struct why *why);

#endif
