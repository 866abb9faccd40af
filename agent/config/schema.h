/* Tables that say what a section of the configuration may hold; the same table checks a file, fills a
 * struct, frees it, and prints the manual's list of keys. */
#ifndef LEAFWATCH_CONFIG_SCHEMA_H
#define LEAFWATCH_CONFIG_SCHEMA_H

#include "agent/base/buffer.h"
#include "agent/base/err.h"
#include "agent/base/strings.h"
#include "agent/config/tree.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum schema_type {
	SCHEMA_TEXT = 1,  /* char *; owned */
	SCHEMA_TEXTS,     /* struct strings; a single scalar is a list of one */
	SCHEMA_BOOL,      /* bool; true/false/yes/no/on/off */
	SCHEMA_INTEGER,   /* int64_t; minimum to maximum */
	SCHEMA_DURATION,  /* int64_t milliseconds; minimum to maximum */
	SCHEMA_SIZE,      /* uint64_t bytes; minimum to maximum */
	SCHEMA_WORD,      /* int; index into words */
	SCHEMA_THRESHOLD, /* char *; text checked by `check` */
	SCHEMA_SECRET,    /* struct secret; key NAME and its twin NAME_file */
	SCHEMA_SECTION,   /* a struct embedded at offset, with fields of its own */
	SCHEMA_SECTIONS,  /* struct sections; a list of maps */
	SCHEMA_HEADERS, /* struct strings of "Name: value"; a map of scalars; shown like secrets */
};

/* A secret is given inline or by file; the file is read when it is used. */
struct secret {
	char *value; /* owned, or NULL */
	char *file;  /* owned, or NULL; "credential:NAME" means $CREDENTIALS_DIRECTORY/NAME */
};

/* A list of structs, each allocated. */
struct sections {
	void **items; /* owned */
	size_t count;
};

struct schema_field {
	const char *key; /* NULL ends a table */
	enum schema_type type;
	size_t offset;
	const char *standard; /* default as text in the file's notation, or NULL: zeroed */
	const char *help;     /* one sentence for manual and README */
	bool is_required;
	int64_t minimum; /* both 0 = unbounded; a maximum below the minimum = none */
	int64_t maximum;
	const char *const *words; /* SCHEMA_WORD, NULL-terminated */
	/* SCHEMA_TEXT, TEXTS, THRESHOLD, SECRET (which the sentence must not hold): refuses a value by returning an error and a sentence. */
	enum err (*check)(const char *value, struct why *why);
	const struct schema_field *fields; /* SCHEMA_SECTION(S) */
	size_t section_bytes;              /* SCHEMA_SECTIONS: sizeof of one item */
};

/* Fills `out` (zeroed by the caller) with defaults, then with what `map` says. Unknown keys, wrong types
 * and values out of range fail with FILE:LINE:COLUMN and, for a key or word near a known one, "did you
 * mean". What is absent or null takes its default; of what is required that fails, but `map` may be NULL:
 * defaults only, nothing is required. A default reads like the file's text after ":", so that of a list
 * may be "[a, b]"; it goes through the same checks. On failure `out` may be half filled: schema_fini frees it. */
enum err schema_apply(const struct schema_field *fields, const struct node *map, void *out,
	struct why *why) MUST_CHECK;
void schema_fini(const struct schema_field *fields, void *out);
/* The keys with types, defaults and help, one line each, indented by `depth`: manual and check-config. */
void schema_describe(const struct schema_field *fields, unsigned depth, struct buffer *out);
/* The struct as YAML with every secret shown as <secret>. */
void schema_show(
	const struct schema_field *fields, const void *conf, unsigned depth, struct buffer *out);

/* The secret's bytes, trailing line ends removed, at most `max`. `out` is initialised here and is the
 * caller's to wipe; after a failure it is empty. ERR_NOT_FOUND only when neither value nor file was given;
 * a file that is missing, unreadable, too large, no regular file or holds a NUL is another error. */
enum err secret_read(
	const struct secret *s, size_t max, struct buffer *out, struct why *why) MUST_CHECK;
bool secret_is_set(const struct secret *s);
/* Expands "credential:NAME" in a path; owned result. ERR_CONFIG when NAME is not a bare file name or
 * $CREDENTIALS_DIRECTORY is not set. */
enum err secret_path(const char *file, char **out, struct why *why) MUST_CHECK;

#endif
