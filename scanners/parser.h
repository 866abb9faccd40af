/* The parser role: container formats, X.509, chains and verdicts, with nothing but memory. */
#ifndef LEAFWATCH_SCANNERS_PARSER_H
#define LEAFWATCH_SCANNERS_PARSER_H

#include "agent/base/buffer.h"
#include "agent/base/err.h"
#include "agent/base/strings.h"
#include "agent/process/role.h"
#include "scanners/formats/format.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PARSER_PASSWORDS_MAX 100000
#define PARSER_PASSWORD_BYTES_MAX 1024
#define PARSER_PASSWORD_GROUPS_MAX 64
#define PARSER_PASSWORD_PATHS_MAX 1000
#define PARSER_STORES_MAX 64
#define PARSER_JUDGINGS_MAX 256
/* Trust anchors of all stores together. */
#define PARSER_TRUST_BYTES_MAX (64 * 1024 * 1024)
/* One finding, and all findings that are on their way at once. */
#define PARSER_FINDING_BYTES_MAX (64 * 1024 * 1024)
#define PARSER_FINDINGS_BYTES_MAX (80 * 1024 * 1024)
#define PARSER_FINDINGS_MAX 64

struct wire;

extern const struct role parser_role;

/* What a configuration says of the judging of a job's findings. */
struct judging {
	uint64_t stores;      /* that count, a bit each in their order */
	bool use_common_name; /* as a host's name, where there are no alternative ones */
	/* Stands for the names of these stores, whatever their order in this configuration; 0: the default's. */
	uint64_t id;
};
/* Every store counts, and nothing else is meant. */
extern const struct judging judging_plain;

/* A trust store as it lies on disk; the parser alone reads what is in it. */
struct parser_store {
	char *name; /* owned; what a verdict calls it */
	bool is_system;
	bool is_distrusted;  /* what it holds is not to be trusted by the store of its name */
	uint64_t size;       /* of its bytes */
	struct buffer bytes; /* owned; empty in the parser until they have come */
};

/* Passwords for some paths only; both owned. */
struct parser_passwords {
	struct strings paths; /* patterns, see glob.h */
	struct strings passwords;
};

/* What a parser has to know before the first finding. Starts as {0}. */
struct parser_options {
	struct strings passwords;        /* candidates; wiped by parser_options_fini */
	struct parser_passwords *groups; /* owned; wiped too */
	size_t groups_count;
	struct format_limits limits; /* all 0 = the standard ones */
	struct parser_store *stores; /* owned */
	size_t stores_count;
	struct judging *judgings; /* owned: how findings of that number are judged */
	size_t judgings_count;
};

void parser_options_fini(struct parser_options *o);
/* Adds a store with a copy of its bytes. ERR_LIMIT beyond the ceilings above. */
enum err parser_options_add_store(
	struct parser_options *o, const char *name, bool is_system, struct slice bytes) MUST_CHECK;

/* Adds what the store of that name is not to trust; after all stores. */
enum err parser_options_add_distrusted(
	struct parser_options *o, const char *name, struct slice bytes) MUST_CHECK;
/* The number of such a judging, which is added where there is none yet. */
enum err parser_options_add_judging(
	struct parser_options *o, const struct judging *judging, uint8_t *number) MUST_CHECK;

/* Adds passwords for paths. Both are taken, whatever the outcome. */
enum err parser_passwords_add(
	struct parser_options *o, struct strings *paths, struct strings *passwords) MUST_CHECK;
/* The candidates for a place: those for its path first, then those for all. The texts are the options' own:
 * only `items` is to be freed. */
enum err parser_passwords_for(
	const struct parser_options *o, const char *uri, struct strings *out) MUST_CHECK;
/* Wipes and frees. */
void passwords_fini(struct strings *passwords);
void parser_passwords_fini(struct parser_options *o);
void parser_passwords_encode(struct buffer *out, const struct parser_options *o);
enum err parser_passwords_decode(struct wire *w, struct parser_options *o) MUST_CHECK;

/* The options without the stores' bytes, as they stand in the SETUP frame; and back. */
void parser_options_encode(struct buffer *out, const struct parser_options *o);
enum err parser_options_decode(struct slice bytes, struct parser_options *out) MUST_CHECK;

/* main's half: all frames a fresh parser needs, SETUP and then the stores' bytes in MEMORY frames, through
 * `send` (borrowed payloads). Stops at the first failure of `send`. */
typedef enum err (*parser_send_fn)(void *arg, uint16_t type, struct slice payload);
struct parser_handover {
	const struct parser_options *options;
	int64_t pinned_now; /* TIME_UNKNOWN = the clock runs */
	uint8_t log_level;
};
enum err parser_handover(
	const struct parser_handover *h, parser_send_fn send, void *arg) MUST_CHECK;

#endif
