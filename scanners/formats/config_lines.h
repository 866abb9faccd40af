/* Languages of one setting a line, by a table each: "key = value", "key value", "key: value". */
#ifndef LEAFWATCH_SCANNERS_FORMATS_CONFIG_LINES_H
#define LEAFWATCH_SCANNERS_FORMATS_CONFIG_LINES_H

#include "scanners/formats/config.h"

enum config_separator { CONFIG_EQUALS, CONFIG_BLANK, CONFIG_EITHER };

struct config_key {
	const char *name;
	enum reference_role role;
	bool is_folder;
};

struct config_language {
	const struct config_key *keys; /* up to a NULL name */
	const char *comments;          /* bytes that begin one at a line's start */
	enum config_separator separator;
	bool has_sections;      /* "[name]" */
	bool has_blocks;        /* "name args {" and "}" */
	const char *name_block; /* the block whose arguments are names of the server, or NULL */
	bool has_continuations; /* a line that begins blank belongs to the one before */
	bool has_late_comments; /* " # ..." behind a value */
	bool folds_dashes;      /* "-" and "_" are the same in a key */
	bool is_any_case;       /* keys in any case */
	char lead;              /* what stands before a file's name, or 0 */
	/* The settings that say the password of all keys of the text, or the file that it is in, or NULL. */
	const char *password_key;
	const char *password_file_key;
	/* Of `keys` those whose value is a list of files, separated by commas and blanks, up to a NULL; or NULL. */
	const char *const *lists;
	const char *base_key; /* the setting that names the folder of relative names, or NULL */
	const char *const
		*witnesses; /* keys one of which must be there, or NULL: any of `keys` will do */
	/* What a key means in this section; false: nothing. NULL: the same everywhere. */
	bool (*mean)(struct slice section, enum reference_role *role);
};

/* For config_parse: false when a line is none of this language's. */
bool config_lines_read(struct config *c, const struct config_language *l);

#endif
