/* The strings of a JSON text with the way to each, for texts whose few wanted strings need no tree. */
#ifndef LEAFWATCH_SCANNERS_IMAGES_JSON_STRINGS_H
#define LEAFWATCH_SCANNERS_IMAGES_JSON_STRINGS_H

#include "agent/base/slice.h"

#include <stdbool.h>
#include <stdint.h>

/* Deeper than this no string is told. */
#define JSON_DEPTH_MAX 16

/* Where a string stands: the keys of the maps from the outermost on, and in lists which entry it is. Keys and
 * strings are as written: escapes stay in them. */
struct json_step {
	struct slice key; /* empty in a list */
	uint32_t index;   /* of the list's entry, or the map's */
	bool is_list;
};

struct json_place {
	struct json_step steps[JSON_DEPTH_MAX];
	unsigned depth; /* of the string: 1 = in the outermost list or map */
};

/* Anything but true ends it. */
typedef bool (*json_string_fn)(void *arg, const struct json_place *place, struct slice value);

/* Tells all strings that are values. False for what is cut off or not JSON: what came before was told. */
bool json_strings(struct slice text, json_string_fn tell, void *arg);
/* Is the step of that number (0 = the outermost) in a map under this key? */
bool json_is_key(const struct json_place *place, unsigned step, const char *key);
/* Equal to a text? */
bool json_is(struct slice value, const char *text);

#endif
