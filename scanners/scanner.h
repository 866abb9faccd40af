/* A scanner: something that finds certificates. One file with one of these, one line in scanners.def.
 * The description and the planning half (options, work) run in main and touch no input; the working
 * half is the role that it names. They meet in the encoded options and work items. */
#ifndef LEAFWATCH_SCANNERS_SCANNER_H
#define LEAFWATCH_SCANNERS_SCANNER_H

#include "agent/base/buffer.h"
#include "agent/base/err.h"
#include "agent/base/slice.h"
#include "agent/base/strings.h"
#include "agent/config/schema.h"
#include "agent/process/role.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct format_limits;

/* What every job of every scanner has. The first member of each scanner's own conf struct. */
struct scan_job {
	char *name;        /* "files", "files:2"; unique */
	int64_t every_ms;  /* 0 = once */
	int64_t jitter_ms; /* at most; a tenth of `every` where that is less */
	/* What it trusts instead of the default: "system", names of trust.stores, paths. Empty: the default. */
	struct strings trust;
	bool use_common_name;
	const struct format_limits
		*limits;              /* borrowed from the settings; NULL: the standard ones */
	struct sections target_trust; /* of struct target_trust; the first that fits a target */
};

/* What some of a job's targets trust instead. */
struct target_trust {
	struct strings targets; /* patterns of "host" or "host:port" */
	struct strings trust;
};
#define SCAN_TARGET_TRUST_MAX 64

#define SCAN_EVERY_MIN_MS 1000
#define SCAN_EVERY_MAX_MS (INT64_C(366) * 24 * 3600 * 1000)

/* The keys of struct scan_job, for the table of a scanner whose conf has it as its member `job`. */
#define SCAN_JOB_FIELDS(conf_type, interval)                                                       \
	{ .key = "name",                                                                           \
		.type = SCHEMA_TEXT,                                                               \
		.offset = offsetof(conf_type, job.name),                                           \
		.help = "What the job is called in logs and metrics." },                           \
		{ .key = "every",                                                                  \
			.type = SCHEMA_DURATION,                                                   \
			.offset = offsetof(conf_type, job.every_ms),                               \
			.standard = (interval),                                                    \
			.minimum = SCAN_EVERY_MIN_MS,                                              \
			.maximum = SCAN_EVERY_MAX_MS,                                              \
			.help = "How often it runs." },                                            \
	{                                                                                          \
		.key = "jitter", .type = SCHEMA_DURATION,                                          \
		.offset = offsetof(conf_type, job.jitter_ms), .standard = "10m",                   \
		.maximum = SCAN_EVERY_MAX_MS,                                                      \
		.help = "How far its start may shift from host to host; at most a tenth of every." \
	}

/* The key of what findings of a job are judged by, for scanners whose findings are. */
#define SCAN_TRUST_FIELD(conf_type)                                                              \
	{                                                                                        \
		.key = "trust", .type = SCHEMA_TEXTS, .offset = offsetof(conf_type, job.trust),  \
		.help = "What it trusts instead of the default: system, names of trust.stores, " \
			"files and folders of CAs."                                              \
	}
#define SCAN_COMMON_NAME_FIELD(conf_type)                                                          \
	{                                                                                          \
		.key = "common_name", .type = SCHEMA_BOOL,                                         \
		.offset = offsetof(conf_type, job.use_common_name), .standard = "false",           \
		.help = "The common name counts as the name of a host where a certificate has no " \
			"alternative names."                                                       \
	}

struct scan_item {
	char *place;        /* owned: uri for problems */
	struct buffer item; /* owned: what the role decodes; wiped, as it may hold secrets */
};

/* A TLS server of this host: where it listens, and the leaf that it shows who asks for no name. */
struct scan_served {
	const char *scheme; /* of its place: "tls", "smtp" */
	const char *address;
	uint16_t port;
	const uint8_t *leaf; /* its SHA-256 */
};

/* What main knows that a plan may build on; borrowed for the call. A function that is NULL knows nothing.
 * Each calls `fn` until it returns something other than ERR_OK and passes that on. */
struct scan_hints {
	void *ctx;
	/* Questions to issuers that are due, each as a place and the encoded item of its work. */
	enum err (*each_question)(void *ctx,
		enum err (*fn)(void *arg, const char *place, struct slice item), void *arg,
		struct why *why);
	/* Names that servers of this host answer to: of an active configuration with the port that it says, of
	 * server certificates in files, and where a configuration says none, with port 0. Some come more than once. */
	enum err (*each_name)(void *ctx, enum err (*fn)(void *arg, const char *name, uint16_t port),
		void *arg, struct why *why);
	/* Files (as file: uris) that configurations name which this job's pass has found so far, each once,
	 * with the sentence to say where one is not there. */
	enum err (*each_named_file)(void *ctx, const char *job,
		enum err (*fn)(void *arg, const char *uri, const char *message), void *arg,
		struct why *why);
	/* Files that this job's pass has found and whose password a configuration says: by itself, or by the name
	 * of another file. One that opened, and since which nothing changed, is left out. By file. */
	enum err (*each_password)(void *ctx, const char *job,
		enum err (*fn)(
			void *arg, const char *uri, const char *source, bool is_configuration),
		void *arg, struct why *why);
	/* What a plan of this job remembered last: ERR_NOT_FOUND for nothing. Both are NULL where the inventory
	 * ends with the process. Not for scanners that keep MEMORY, whose place it takes. */
	enum err (*recall)(void *ctx, const char *job, struct buffer *out, struct why *why);
	enum err (*remember)(void *ctx, const char *job, struct slice bytes, struct why *why);
	/* Does the inventory hold certificates of this job, which a pass that misses them would take for gone? */
	bool (*holds)(void *ctx, const char *job);
	/* This host's TLS servers that were not asked for a name, as far as they have answered. */
	enum err (*each_served)(void *ctx,
		enum err (*fn)(void *arg, const struct scan_served *served), void *arg,
		struct why *why);
};

struct token_order;

struct scanner {
	const char *name; /* config key under `scanners:`, label in metrics */
	const char *help;
	const struct role *role;
	/* Its `follow` builds on what `hear` was told alone, and waits for no other pass. */
	bool follows_itself;
	bool is_parallel; /* one process a core, work spread over them; else one */
	bool feeds_hints; /* a plan's `follow` waits for passes of this one */
	/* Configured by a section of its name at the top, not below `scanners:`; there is one job of it. */
	bool is_section;
	/* Builds on what jobs of lower stages found: it comes after them, and again when they found more. */
	unsigned stage;
	bool keeps_memory; /* the role returns MEMORY to be given back at the next pass */
	unsigned window;   /* work items handed out ahead to one process */
	/* The same by a job's conf, for all processes together; NULL: `window` holds. */
	unsigned (*window_of)(const void *conf);
	/* Work begun in a second by all processes together, which ask before they begin (MESSAGE_WANT);
	 * 0: no limit, and nobody asks. NULL: the same. */
	double (*rate_of)(const void *conf);
	/* Processes that a job may be spread over; NULL: any number. */
	unsigned (*processes_of)(const void *conf);
	/* The memory without what it says of places that held something, so that they are looked at again
	 * (trust, passwords or the clock's boundary changed). NULL unless keeps_memory. */
	enum err (*forget_holders)(struct slice memory, struct buffer *out);

	/* Configuration of one job: a struct that starts with struct scan_job. */
	const struct schema_field *fields;
	size_t conf_bytes;

	/* What the table cannot say of a conf from a file. NULL: it says all. */
	enum err (*check)(const void *conf, struct why *why);
	/* Is there nothing to do by this conf, ever? NULL: never so. */
	bool (*is_off)(const void *conf);
	/* For check-config: can what the conf names be used (files that are only read when a pass begins)? NULL:
	 * encode_options says it. */
	enum err (*check_files)(const void *conf, struct why *why);
	/* Does a SOURCE of the command line belong here? First yes in the table's order wins. */
	bool (*accepts)(const char *source);
	/* Adds a SOURCE to a job's conf. */
	enum err (*add_source)(void *conf, const char *source, struct why *why);
	/* With no SOURCE at all: puts the default of this host into conf. NULL = none. */
	enum err (*add_default)(void *conf, struct why *why);

	/* Which entry of target_trust the endpoint at this place is judged by; their count: none. NULL: there are
	 * none. */
	size_t (*trust_of)(const void *conf, struct slice place);

	/* The client key in a token that the role may have sign, by its number among the conf's identities, from
	 * 1 on; to be freed whatever happens. ERR_NOT_FOUND: there is no such one. NULL: there are none. */
	enum err (*key_order)(
		const void *conf, uint16_t number, struct token_order *out, struct why *why);

	/* Options for the role, appended to `out`. */
	enum err (*encode_options)(const void *conf, struct buffer *out, struct why *why);
	/* The work of one pass, lazily: open, next until ERR_END, close (NULL allowed).
	 * `expected` (0 = not known) is for the progress bar. */
	enum err (*open)(const void *conf, const struct scan_hints *hints, void **plan,
		uint64_t *expected, struct why *why);
	enum err (*next)(void *plan, struct scan_item *out, struct why *why);
	/* Called once when all that `next` gave is done and what came of it is known, and what feeds the
	 * hints has looked too (one that feeds them itself waits for no other): the plan may then go on.
	 * NULL: it never does. */
	enum err (*follow)(void *plan, const struct scan_hints *hints, struct why *why);
	/* What the role tells the plan (MESSAGE_PLAN), before the work that it came of is done. The bytes are
	 * hostile; an error ends the process that sent them. NULL: nothing is told. */
	enum err (*hear)(void *plan, struct slice told);
	void (*close)(void *plan);
};

extern const struct scanner *const scanners[];
extern const size_t scanners_count;
const struct scanner *scanner_find(const char *name);

#endif
