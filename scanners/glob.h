/* Patterns of paths: what is left out, what passwords are for. */
#ifndef LEAFWATCH_SCANNERS_GLOB_H
#define LEAFWATCH_SCANNERS_GLOB_H

#include "agent/base/strings.h"

#include <stdbool.h>

/* `?` is one byte but '/', `*` any number of bytes but '/', `**` any number of any bytes, a backslash
 * takes the next byte literally. Time grows with the product of the lengths at most. */
bool glob_matches(const char *pattern, const char *text);
/* A pattern with a '/' is for the whole path, one without for the last component alone. */
bool glob_selects(const struct strings *patterns, const char *path, const char *name);

#endif
