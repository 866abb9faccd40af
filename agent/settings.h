/* The whole configuration as structs: jobs of scanners, entries of exporters, trust, alerts. */
#ifndef LEAFWATCH_AGENT_SETTINGS_H
#define LEAFWATCH_AGENT_SETTINGS_H

#include "agent/base/err.h"
#include "agent/certificate/record.h"
#include "agent/config/schema.h"
#include "exporters/exporter.h"
#include "scanners/formats/format.h"
#include "scanners/scanner.h"

#include <stdbool.h>
#include <stdint.h>

#define SETTINGS_FILE "/etc/leafwatch/leafwatch.yml"
#define SETTINGS_FOLDER "conf.d" /* beside the file */

/* A trust store by a name of its own; trusted only by jobs that name it. */
struct trust_store {
	char *name;
	struct strings bundles;
};

struct trust_settings {
	bool system;
	struct strings bundles;
	struct sections stores; /* of struct trust_store */
};
/* The store of that name, or NULL. */
const struct trust_store *trust_store_find(const struct trust_settings *t, const char *name);

struct alert_settings {
	char *warning;
	char *critical;
	int64_t renotify_ms;
	int key_exposed; /* a place in the words off, info, warning, critical */
	int key_shared;
};

/* Candidates for some paths only. */
struct path_passwords {
	struct strings paths; /* patterns, see scanners/glob.h */
	struct strings files;
};

struct password_settings {
	struct strings files; /* candidates, one a line */
	struct sections by_path;
};

/* One job: a scanner and its conf, which starts with struct scan_job. */
struct job {
	const struct scanner *scanner;
	void *conf; /* owned */
};

/* One exporter entry. */
struct outlet {
	const struct exporter *exporter;
	void *conf; /* owned */
};

struct settings {
	char *state; /* owned: folder of the inventory, or NULL for the default */
	int log_level;
	int64_t processes; /* parsers, and probes; 0 = one a core */
	struct trust_settings trust;
	struct alert_settings alerts;
	struct password_settings passwords;
	struct format_limits limits;
	struct thresholds thresholds; /* from alerts */
	struct job *jobs;             /* owned */
	size_t jobs_count;
	struct outlet *outlets; /* owned */
	size_t outlets_count;
	bool has_scanners; /* the file named some */
	bool has_exporters;
};

/* Reads FILE and conf.d beside it. `path` NULL = the standard file, which may be missing: then defaults.
 * Errors read FILE:LINE:COLUMN: sentence. */
enum err settings_load(const char *path, struct settings **out, struct why *why) MUST_CHECK;
/* Defaults only, no file read, no jobs and no outlets. */
enum err settings_new(struct settings **out, struct why *why) MUST_CHECK;
void settings_free(struct settings *s);

/* A job with nothing to do, by its conf. */
bool job_is_off(const struct job *job);

/* Forgets the jobs that the file named. */
void settings_without_jobs(struct settings *s);
/* Adds this host's default job of every scanner that has one. */
enum err settings_add_default_jobs(struct settings *s, struct why *why) MUST_CHECK;
/* Adds a SOURCE of the command line to the job `cli` of the scanner that accepts it. */
enum err settings_add_source(struct settings *s, const char *source, struct why *why) MUST_CHECK;
/* Adds the standard Prometheus endpoint. */
enum err settings_add_default_outlets(struct settings *s, struct why *why) MUST_CHECK;

/* Sets KEY of every job whose scanner has it, as the file would: for options of the command line.
 * ERR_USAGE with a sentence naming `option` when the value is wrong. */
enum err settings_override(struct settings *s, const char *option, const char *key,
	const char *value, struct why *why) MUST_CHECK;
/* The same for a key that is a list, of one scanner's jobs (NULL: all); no values change nothing. */
enum err settings_override_list(struct settings *s, const char *scanner, const char *option,
	const char *key, const struct strings *values, struct why *why) MUST_CHECK;
/* Names every job after the sources, so that scans of the same sources share what they remember. */
enum err settings_name_jobs(struct settings *s, const struct strings *sources) MUST_CHECK;

/* The settings as YAML with secrets masked. */
void settings_show(const struct settings *s, struct buffer *out);

/* Replaces the addresses that every Prometheus endpoint listens on. */
enum err settings_listen(struct settings *s, const char *address, struct why *why) MUST_CHECK;

/* Default state folder: /var/lib/leafwatch for root, else below $XDG_STATE_HOME or ~/.local/state. */
enum err settings_state_folder(const struct settings *s, char **out, struct why *why) MUST_CHECK;

#endif
