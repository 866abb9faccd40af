/* What a text calls a place in it: the path of keys in JSON, YAML, a property list, LDIF, key = value lines,
 * <tags> of OpenVPN. Entries of lists go by their name where they have one ("users/admin"). No format is
 * checked: a text that is none of these, or broken, gives no names or fewer. */
#ifndef LEAFWATCH_SCANNERS_FORMATS_OUTLINE_H
#define LEAFWATCH_SCANNERS_FORMATS_OUTLINE_H

#include "agent/base/buffer.h"
#include "agent/base/slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Deeper than this nothing is named. */
#define OUTLINE_DEPTH_MAX 24
#define OUTLINE_KEY_BYTES_MAX 256
/* A path longer than this is not told. */
#define OUTLINE_PATH_BYTES_MAX 1024

/* A list, a mapping or, in lines, a key with all below it. All slices are borrowed from the text. */
struct outline_level {
	struct slice
		key; /* under which it stands in the level above; empty for an entry of a list */
	struct slice name; /* that an entry has */
	size_t indent;     /* in lines: of the key */
	size_t index;      /* of an entry */
	size_t count;      /* entries begun, where it is a list */
	bool is_list;
	bool is_entry;
	bool is_nameless; /* its name was looked for: it has none */
	bool is_block;    /* in lines: its text is YAML's block scalar */
};

enum outline_kind { OUTLINE_LINES, OUTLINE_JSON, OUTLINE_PLIST };

/* Starts by outline_init. */
struct outline {
	struct slice text; /* borrowed */
	enum outline_kind kind;
	size_t at;    /* up to here it was read ... */
	size_t from;  /* ... and any place from here on may be asked for */
	size_t until; /* where the string or text ends that `at` stands before, once it is known */
	struct outline_level levels[OUTLINE_DEPTH_MAX];
	size_t depth;
	size_t too_deep; /* levels beyond the array */
	/* While looking ahead: whose names are looked for (borrowed), and the least depth so far. */
	struct outline *behind;
	size_t low;
	struct slice key; /* the value that comes next, or is under way, stands under it */
	bool is_value;    /* in lines: the place belongs to the last key */
	struct slice tag;
	struct slice record; /* LDIF: the entry's name */
	struct outline_level document;
	bool has_documents; /* several, divided by "---" */
};

void outline_init(struct outline *o, struct slice text);
/* Appends the name of the place `at` in the text to `out`; nothing where it has none. Places are best asked
 * for in ascending order: going back starts anew. */
void outline_name(struct outline *o, size_t at, struct buffer *out);

#endif
