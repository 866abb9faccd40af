/* Asking the inventory what configurations name. */
#include "agent/inventory_internal.h"

#include <stdlib.h>
#include <string.h>

struct users {
	enum err (*fn)(void *, const struct sighting *);
	void *arg;
};

static enum err tell_folder(void *arg, const struct sighting *s)
{
	const struct users *u = arg;

	return s->record->reference.is_folder ? u->fn(u->arg, s) : ERR_OK;
}

enum err inventory_each_user(struct inventory *i, const char *uri,
	enum err (*fn)(void *, const struct sighting *), void *arg, struct why *why)
{
	struct users users = { .fn = fn, .arg = arg };
	struct inventory_filter filter = { .kind = RECORD_REFERENCE };
	const char *member = strstr(uri, "!/");
	char *file = member ? strndup(uri, (size_t)(member - uri)) : strdup(uri);
	char *slash;
	enum err e;

	if (!file)
		return ERR_MEMORY;
	filter.file = file;
	e = inventory_each(i, &filter, fn, arg, why);
	slash = strrchr(file, '/');
	if (e == ERR_OK && slash) {
		*slash = 0;
		e = inventory_each(i, &filter, tell_folder, &users, why);
	}
	free(file);
	return e;
}
