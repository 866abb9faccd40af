/* Passwords that are for some paths only: which are tried where. */
#include "agent/base/text.h"
#include "agent/base/wire.h"
#include "scanners/glob.h"
#include "scanners/parser.h"

#include <stdlib.h>
#include <string.h>

#define PATH_BYTES_MAX (64 * 1024)
#define FILE_SCHEME "file://"

void passwords_fini(struct strings *passwords)
{
	for (size_t i = 0; i < passwords->count; i++)
		explicit_bzero(passwords->items[i], strlen(passwords->items[i]));
	strings_fini(passwords);
}

void parser_passwords_fini(struct parser_options *o)
{
	for (size_t i = 0; i < o->groups_count; i++) {
		strings_fini(&o->groups[i].paths);
		passwords_fini(&o->groups[i].passwords);
	}
	free(o->groups);
	o->groups = NULL;
	o->groups_count = 0;
}

enum err parser_passwords_add(
	struct parser_options *o, struct strings *paths, struct strings *passwords)
{
	struct parser_passwords *groups = NULL;
	enum err e = o->groups_count == PARSER_PASSWORD_GROUPS_MAX ? ERR_LIMIT : ERR_OK;

	if (e == ERR_OK) {
		groups = reallocarray(o->groups, o->groups_count + 1, sizeof(*groups));
		e = groups ? ERR_OK : ERR_MEMORY;
	}
	if (e == ERR_OK) {
		o->groups = groups;
		groups[o->groups_count++] =
			(struct parser_passwords){ .paths = *paths, .passwords = *passwords };
		*paths = *passwords = (struct strings){ 0 };
	}
	strings_fini(paths);
	passwords_fini(passwords);
	return e;
}

void parser_passwords_encode(struct buffer *out, const struct parser_options *o)
{
	wire_put_u32(out, (uint32_t)o->groups_count);
	for (size_t i = 0; i < o->groups_count; i++) {
		wire_put_strings(out, &o->groups[i].paths);
		wire_put_strings(out, &o->groups[i].passwords);
	}
}

enum err parser_passwords_decode(struct wire *w, struct parser_options *o)
{
	uint32_t count = wire_get_u32(w);
	enum err e = ERR_OK;

	for (uint32_t i = 0; e == ERR_OK && !w->bad && i < count; i++) {
		struct strings paths = { 0 }, passwords = { 0 };

		wire_get_strings(w, &paths, PARSER_PASSWORD_PATHS_MAX, PATH_BYTES_MAX);
		wire_get_strings(w, &passwords, PARSER_PASSWORDS_MAX, PARSER_PASSWORD_BYTES_MAX);
		e = parser_passwords_add(o, &paths, &passwords);
	}
	return e;
}

/* The path of a file's place. False: it is none. */
static bool path_of(const char *uri, struct buffer *out)
{
	if (strncmp(uri, FILE_SCHEME, strlen(FILE_SCHEME)) != 0)
		return false;
	return text_uri_decode(out, slice_text(uri + strlen(FILE_SCHEME))) && out->size &&
	       buffer_status(out) == ERR_OK && !memchr(out->data, 0, out->size);
}

static enum err lend(struct strings *to, const struct strings *from)
{
	char **items;

	if (!from->count)
		return ERR_OK;
	items = reallocarray(to->items, to->count + from->count, sizeof(*items));
	if (!items)
		return ERR_MEMORY;
	memcpy(items + to->count, from->items, from->count * sizeof(*items));
	to->items = items;
	to->count = to->capacity = to->count + from->count;
	return ERR_OK;
}

enum err parser_passwords_for(const struct parser_options *o, const char *uri, struct strings *out)
{
	struct strings lent = { 0 };
	struct buffer path;
	enum err e = ERR_OK;

	buffer_init(&path, PATH_BYTES_MAX);
	if (o->groups_count && path_of(uri, &path)) {
		const char *text = buffer_string(&path);
		const char *name = strrchr(text, '/');

		for (size_t i = 0; e == ERR_OK && i < o->groups_count; i++)
			if (glob_selects(&o->groups[i].paths, text, name ? name + 1 : text))
				e = lend(&lent, &o->groups[i].passwords);
	}
	if (e == ERR_OK)
		e = lend(&lent, &o->passwords);
	buffer_fini(&path);
	if (e != ERR_OK)
		free(lent.items);
	else
		*out = lent;
	return e;
}
