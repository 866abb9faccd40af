/* A bounded list of owned strings. */
#include "agent/base/strings.h"

#include <stdlib.h>
#include <string.h>

void strings_fini(struct strings *s)
{
	for (size_t i = 0; i < s->count; i++)
		free(s->items[i]);
	free(s->items);
	*s = (struct strings){ 0 };
}

enum err strings_take(struct strings *s, char *text)
{
	size_t capacity;
	char **items;

	if (!text)
		return ERR_MEMORY;
	if (s->count == s->capacity) {
		capacity = s->capacity ? s->capacity * 2 : 4;
		items = reallocarray(s->items, capacity, sizeof(*items));
		if (!items) {
			free(text);
			return ERR_MEMORY;
		}
		s->items = items;
		s->capacity = capacity;
	}
	s->items[s->count++] = text;
	return ERR_OK;
}

char *string_of(struct slice text)
{
	char *copy = malloc(text.size + 1);

	if (!copy)
		return NULL;
	if (text.size)
		memcpy(copy, text.data, text.size);
	copy[text.size] = 0;
	return copy;
}

enum err strings_add_slice(struct strings *s, struct slice text)
{
	return strings_take(s, string_of(text));
}

enum err strings_add(struct strings *s, const char *text)
{
	return strings_add_slice(s, slice_text(text));
}

enum err strings_copy(struct strings *to, const struct strings *from)
{
	enum err e = ERR_OK;

	for (size_t i = 0; e == ERR_OK && i < from->count; i++)
		e = strings_add(to, from->items[i]);
	return e;
}

bool strings_contain(const struct strings *s, const char *text)
{
	for (size_t i = 0; i < s->count; i++)
		if (strcmp(s->items[i], text) == 0)
			return true;
	return false;
}

bool strings_equal(const struct strings *a, const struct strings *b)
{
	if (a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++)
		if (strcmp(a->items[i], b->items[i]) != 0)
			return false;
	return true;
}
