/* Configurations as formats: a text in a server's or client's language gives references instead of
 * certificates. Only a text that is this language from its first line to its last gives any. */
#ifndef LEAFWATCH_SCANNERS_FORMATS_CONFIG_H
#define LEAFWATCH_SCANNERS_FORMATS_CONFIG_H

#include "scanners/formats/format.h"

#define CONFIG_WORD_BYTES_MAX 4096

/* One reading of a text. Every text is read twice: the first reading only finds out whether it is this
 * language at all, and what its base folders are. */
struct config {
	const struct format_input *in;
	const struct format_sink *sink;
	char *base; /* owned: folder of relative names, set by config_base; NULL = its own */
	char *own;  /* owned: the folder that the text lies in, as a path */
	struct slice
		password; /* what the text says of all its keys, see config_password; or empty */
	struct slice password_file;
	bool is_first;  /* nothing is told yet */
	bool is_cut;    /* the text goes on behind its end: what is open there need not be closed */
	bool is_active; /* its program reads it where it lies */
	bool is_limited; /* that a limit was reached was told */
	size_t count;    /* references of this reading */
	enum err status; /* of the sink */
};

/* What a line says, before its names are made absolute. */
struct draft {
	enum reference_role role;
	struct slice directive;
	uint32_t line;
	struct slice file; /* as written, unquoted; empty = none */
	struct slice base; /* folder of a relative name, or empty: the text's */
	struct slice password_file;
	/* Of a keystore, and of the key in it, as the program has them; the text's own where it writes them so. */
	struct slice passwords[2];
	bool is_folder;
	const struct strings *names; /* or NULL */
	const uint16_t *ports;
	size_t ports_count;
};

/* Lines of a block, told at its end, when its names are known. Starts as {0}. */
struct drafts {
	struct draft *items; /* owned */
	size_t count;
	size_t capacity;
};

/* `read` answers false as soon as the text is not its language. */
enum format_answer config_parse(const struct format_input *in, const struct format_sink *sink,
	bool (*read)(struct config *c));
/* Relative names are meant from here: `value` itself where it is absolute. */
void config_base(struct config *c, struct slice value);
/* Where a program looks for relative names when its configuration is spread over folders like conf.d:
 * the folder above them. */
void config_base_above(struct config *c, const char *const *folders, size_t count);
/* A setting whose password, or file of it, holds for each key and keystore of the text, wherever it stands. */
void config_password(struct config *c, struct slice password, struct slice file);
/* Adds a reference; a value that names no file (a variable, an engine, inline data) adds none. */
void config_add(struct config *c, const struct draft *d);

/* Keeps one for later; as many as references are kept. */
void config_keep(struct config *c, struct drafts *d, const struct draft *draft);
void drafts_fini(struct drafts *d);

/* Tells once that a limit was reached, and its key; NULL for one that has none. */
void config_limited(struct config *c, const char *what, const char *key);

/* "api.example.org", "*.example.org" into `names` in lower case, once; what is no DNS name is dropped, and where there
 * are too many that is told. */
void config_add_name(struct config *c, struct strings *names, struct slice name);
/* A port number at the end of "443", "[::]:443", "127.0.0.1:443", "*:443"; 0 = none. */
uint16_t config_port(struct slice text);
/* Adds it once to `ports`, which has room for REFERENCE_PORTS_MAX; where there are too many, that is told. */
void config_add_port(struct config *c, uint16_t *ports, size_t *count, uint16_t port);

/* --- reading lines and words ------------------------------------------------------------------- */

/* The next line without its end; false behind the last. Counts in `*line`. */
bool config_line(struct slice *left, struct slice *out, uint32_t *line);
struct slice config_trim(struct slice s);
/* The next blank-separated word of a line, "quoted ones" without their quotes; empty at the end. */
struct slice config_word(struct slice *line);
/* The next of a list, "a, b c": separated by commas, blanks, or both; empty at the end. */
struct slice config_listed(struct slice *line);
bool config_is(struct slice s, const char *word);
bool config_is_any_case(struct slice s, const char *word);

#endif
