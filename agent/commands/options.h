/* The options of the command line: one table for parsing, help, completion and the manual. */
#ifndef LEAFWATCH_AGENT_COMMANDS_OPTIONS_H
#define LEAFWATCH_AGENT_COMMANDS_OPTIONS_H

#include "agent/base/err.h"
#include "agent/base/strings.h"

#include <stdbool.h>
#include <stdio.h>

struct options {
	char *config;
	char *state;
	struct strings trust;
	bool no_system_trust;
	struct strings password_files;
	char *timeout;
	char *concurrency;
	char *rate;
	char *http_path;
	char *client_cert;
	char *client_key;
	char *client_password_file;
	bool certificates_only;
	char *per_address;
	char *per_address_rate;
	struct strings exclude;
	struct strings resolvers;
	char *proxy;
	char *at;
	char *output;
	char *color;
	char *fail_within;
	char *log_level;
	char *listen;
	struct strings untrusted;
	struct strings crls;
	char *name;
	char *purpose;
	char *max_depth;
	char *revocation;
	bool all;
	bool gone;
	bool no_progress;
	bool once;
	bool print;
	bool single;
	bool show;
	bool help;
	bool version;
	struct strings words; /* what is left: sources, names */
};

/* Which commands take an option. */
enum option_use {
	USE_SCAN = 1 << 0,
	USE_RUN = 1 << 1,
	USE_LIST = 1 << 2,
	USE_SHOW = 1 << 3,
	USE_CHECK_CONFIG = 1 << 4,
	USE_NOTIFY = 1 << 5,
	USE_VERIFY = 1 << 10,
	USE_ANY = ~0,
};

/* Reads what follows the command's name. ERR_USAGE with a sentence for what the command does not take. */
enum err options_parse(
	unsigned use, int argc, char **argv, struct options *out, struct why *why) MUST_CHECK;
void options_fini(struct options *o);
/* One line an option that the command takes. */
void options_help(unsigned use, FILE *to);

#endif
