/* A bounded list of owned strings. */
#ifndef LEAFWATCH_BASE_STRINGS_H
#define LEAFWATCH_BASE_STRINGS_H

#include "agent/base/err.h"
#include "agent/base/slice.h"

#include <stdbool.h>
#include <stddef.h>

/* Starts as {0}. */
struct strings {
	char **items; /* owned, each owned */
	size_t count;
	size_t capacity;
};

void strings_fini(struct strings *s);
/* Adds a copy. strings_add_slice takes bytes without a NUL. */
enum err strings_add(struct strings *s, const char *text) MUST_CHECK;
enum err strings_add_slice(struct strings *s, struct slice text) MUST_CHECK;
/* Adds `text` itself, which is freed on failure too. */
enum err strings_take(struct strings *s, char *text) MUST_CHECK;
enum err strings_copy(struct strings *to, const struct strings *from) MUST_CHECK;
bool strings_contain(const struct strings *s, const char *text);
bool strings_equal(const struct strings *a, const struct strings *b);

/* A copy of bytes as a C string; NULL when out of memory. */
char *string_of(struct slice text);

#endif
