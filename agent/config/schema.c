/* Tables to structs: which keys a map may hold, defaults, sections, and freeing it all. */
#include "agent/config/schema.h"

#include "agent/base/text.h"
#include "agent/config/schema_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Keys of one table, twins included, that a suggestion looks at. */
#define CANDIDATES_MAX 128
#define KNOWN_BYTES_MAX 300

static enum err fail_memory(struct why *why)
{
	return why_fail(why, ERR_MEMORY, "out of memory");
}

static void *member(void *out, const struct schema_field *f)
{
	return (char *)out + f->offset;
}

static void twin_key(const struct schema_field *f, char out[SCHEMA_KEY_BYTES_MAX])
{
	(void)snprintf(out, SCHEMA_KEY_BYTES_MAX, "%s%s", f->key, SCHEMA_TWIN);
}

/* Unknown keys */

static bool is_known(const struct schema_field *fields, const char *key)
{
	char twin[SCHEMA_KEY_BYTES_MAX];

	for (const struct schema_field *f = fields; f->key; f++) {
		if (strcmp(f->key, key) == 0)
			return true;
		if (f->type != SCHEMA_SECRET)
			continue;
		twin_key(f, twin);
		if (strcmp(twin, key) == 0)
			return true;
	}
	return false;
}

static void list_keys(const struct schema_field *fields, struct strings *keys)
{
	char twin[SCHEMA_KEY_BYTES_MAX];
	enum err e = ERR_OK;

	for (const struct schema_field *f = fields; f->key && e == ERR_OK; f++) {
		if (keys->count >= CANDIDATES_MAX)
			return;
		e = strings_add(keys, f->key);
		if (e != ERR_OK || f->type != SCHEMA_SECRET)
			continue;
		twin_key(f, twin);
		e = strings_add(keys, twin);
	}
}

static enum err fail_unknown(
	const struct schema_field *fields, const struct node *n, struct why *why)
{
	struct strings keys = { 0 };
	struct buffer known;
	const char *near;

	/* Without memory the suggestion is shorter, the refusal is the same. */
	list_keys(fields, &keys);
	near = text_nearest(n->key, (const char *const *)keys.items, keys.count);
	buffer_init(&known, KNOWN_BYTES_MAX);
	for (size_t i = 0; i < keys.count; i++)
		buffer_format(&known, "%s%s", i ? ", " : "", keys.items[i]);
	if (near)
		(void)node_fail_key(
			n, why, "unknown key \"%s\"; did you mean \"%s\"?", n->key, near);
	else if (keys.count && buffer_status(&known) == ERR_OK)
		(void)node_fail_key(n, why, "unknown key \"%s\"; known here are %s", n->key,
			buffer_string(&known));
	else
		(void)node_fail_key(n, why, "unknown key \"%s\"", n->key);
	buffer_fini(&known);
	strings_fini(&keys);
	return ERR_CONFIG;
}

static enum err check_keys(
	const struct schema_field *fields, const struct node *map, struct why *why)
{
	for (size_t i = 0; i < map->count; i++)
		if (!is_known(fields, map->children[i]->key))
			return fail_unknown(fields, map->children[i], why);
	return ERR_OK;
}

/* One field */

/* A child that says something, or NULL. */
static const struct node *given(const struct node *map, const char *key)
{
	const struct node *n = node_child(map, key);

	return n && !node_is_null(n) ? n : NULL;
}

static enum err add_section(
	const struct schema_field *f, const struct node *n, struct sections *to, struct why *why)
{
	void *item = calloc(1, f->section_bytes);

	if (!item)
		return fail_memory(why);
	/* There is room: the array was made for the whole list. */
	to->items[to->count++] = item;
	return schema_apply(f->fields, n, item, why);
}

static enum err apply_sections(
	const struct schema_field *f, const struct node *n, struct sections *to, struct why *why)
{
	enum err e = schema_expect(f, n, NODE_LIST, why);

	if (e != ERR_OK || !n->count)
		return e;
	to->items = calloc(n->count, sizeof(void *));
	if (!to->items)
		return fail_memory(why);
	for (size_t i = 0; e == ERR_OK && i < n->count; i++) {
		const struct node *item = n->children[i];

		if (item->kind != NODE_MAP && !node_is_null(item))
			e = node_fail(
				item, why, "an entry of \"%s\" must be a map of keys", f->key);
		else
			e = add_section(f, item, to, why);
	}
	return e;
}

static enum err apply_node(
	const struct schema_field *f, const struct node *n, void *at, struct why *why)
{
	enum err e;

	if (f->type == SCHEMA_SECTIONS)
		return apply_sections(f, n, at, why);
	if (f->type != SCHEMA_SECTION)
		return schema_value(f, n, at, why);
	e = schema_expect(f, n, NODE_MAP, why);
	return e == ERR_OK ? schema_apply(f->fields, n, at, why) : e;
}

/* A default in brackets or braces is YAML; any other is the text of a scalar. */
static enum err apply_standard(const struct schema_field *f, void *at, struct why *why)
{
	struct tree *tree = NULL;
	struct buffer text;
	const struct node *n;
	enum err e;

	if (*f->standard != '[' && *f->standard != '{') {
		struct node scalar = { .kind = NODE_SCALAR,
			.file = "default",
			.line = 1,
			.column = 1,
			.value = (char *)(uintptr_t)f->standard,
			.is_quoted = true };

		return apply_node(f, &scalar, at, why);
	}
	buffer_init(&text, CONFIG_BYTES_MAX);
	buffer_format(&text, "%s: %s", f->key, f->standard);
	e = buffer_status(&text);
	if (e == ERR_OK)
		e = tree_new(&tree);
	if (e == ERR_OK)
		e = tree_parse(tree, "default", buffer_bytes(&text), why);
	n = e == ERR_OK ? given(tree_root(tree), f->key) : NULL;
	if (n)
		e = apply_node(f, n, at, why);
	tree_free(tree);
	buffer_fini(&text);
	return e;
}

static enum err fail_required(const struct schema_field *f, const struct node *map, struct why *why)
{
	if (f->type == SCHEMA_SECRET)
		return node_fail(map, why, "the key \"%s\" (or \"%s%s\") is required", f->key,
			f->key, SCHEMA_TWIN);
	return node_fail(map, why, "the key \"%s\" is required", f->key);
}

static enum err apply_absent(
	const struct schema_field *f, const struct node *map, void *at, struct why *why)
{
	if (f->is_required && map)
		return fail_required(f, map, why);
	if (f->standard)
		return apply_standard(f, at, why);
	if (f->type == SCHEMA_SECTION)
		return schema_apply(f->fields, NULL, at, why);
	return ERR_OK;
}

static enum err apply_secret(
	const struct schema_field *f, const struct node *map, void *at, struct why *why)
{
	char twin[SCHEMA_KEY_BYTES_MAX];
	const struct node *value = given(map, f->key);
	const struct node *file;

	twin_key(f, twin);
	file = given(map, twin);
	if (value && file)
		return node_fail_key(file, why,
			"\"%s\" and \"%s\" (%s:%u:%u) are both given; keep one of them", twin,
			f->key, value->file, value->key_line, value->key_column);
	if (file)
		return schema_secret_file(twin, file, at, why);
	if (value)
		return schema_value(f, value, at, why);
	return apply_absent(f, map, at, why);
}

static enum err apply_field(
	const struct schema_field *f, const struct node *map, void *out, struct why *why)
{
	const struct node *n;

	if (f->type == SCHEMA_SECRET)
		return apply_secret(f, map, member(out, f), why);
	n = given(map, f->key);
	if (n)
		return apply_node(f, n, member(out, f), why);
	return apply_absent(f, map, member(out, f), why);
}

enum err schema_apply(
	const struct schema_field *fields, const struct node *map, void *out, struct why *why)
{
	enum err e = ERR_OK;

	if (map && map->kind != NODE_MAP && !node_is_null(map))
		return node_fail(map, why, "a map of keys is wanted here");
	if (map)
		e = check_keys(fields, map, why);
	for (const struct schema_field *f = fields; e == ERR_OK && f->key; f++)
		e = apply_field(f, map, out, why);
	return e;
}

/* Freeing */

static void wipe_text(char **text)
{
	if (*text)
		explicit_bzero(*text, strlen(*text));
	free(*text);
	*text = NULL;
}

static void fini_secret(struct secret *s)
{
	wipe_text(&s->value);
	free(s->file);
	s->file = NULL;
}

static void fini_strings(struct strings *s, bool is_secret)
{
	for (size_t i = 0; is_secret && i < s->count; i++)
		explicit_bzero(s->items[i], strlen(s->items[i]));
	strings_fini(s);
}

static void fini_sections(const struct schema_field *f, struct sections *s)
{
	for (size_t i = 0; i < s->count; i++) {
		schema_fini(f->fields, s->items[i]);
		free(s->items[i]);
	}
	free(s->items);
	*s = (struct sections){ 0 };
}

static void fini_field(const struct schema_field *f, void *at)
{
	switch (f->type) {
	case SCHEMA_TEXT:
	case SCHEMA_THRESHOLD:
		wipe_text(at);
		break;
	case SCHEMA_TEXTS:
	case SCHEMA_HEADERS:
		fini_strings(at, f->type == SCHEMA_HEADERS);
		break;
	case SCHEMA_SECRET:
		fini_secret(at);
		break;
	case SCHEMA_SECTION:
		schema_fini(f->fields, at);
		break;
	case SCHEMA_SECTIONS:
		fini_sections(f, at);
		break;
	case SCHEMA_BOOL:
	case SCHEMA_INTEGER:
	case SCHEMA_DURATION:
	case SCHEMA_SIZE:
	case SCHEMA_WORD:
		break;
	}
}

void schema_fini(const struct schema_field *fields, void *out)
{
	for (const struct schema_field *f = fields; f->key; f++)
		fini_field(f, member(out, f));
}
