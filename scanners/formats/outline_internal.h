/* What the ways of reading an outline share. */
#ifndef LEAFWATCH_SCANNERS_FORMATS_OUTLINE_INTERNAL_H
#define LEAFWATCH_SCANNERS_FORMATS_OUTLINE_INTERNAL_H

#include "scanners/formats/outline.h"

/* Each reads on to `to`, at most a little beyond, so that the levels are those of that place. */
void outline_read_json(struct outline *o, size_t to);
void outline_read_plist(struct outline *o, size_t to);
void outline_read_lines(struct outline *o, size_t to);

/* A list or a mapping begins under `key`, or as the next entry of the list on top. NULL where it is too deep. */
struct outline_level *outline_push(struct outline *o, struct slice key);
void outline_pop(struct outline *o);
struct outline_level *outline_top(struct outline *o);
/* A scalar in the mapping on top: does it name an entry? */
void outline_scalar(struct outline *o, struct slice key, struct slice value);

#endif
