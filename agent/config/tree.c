/* Nodes and trees: making, finding, freeing, and saying where something is wrong. */
#include "agent/config/tree.h"

#include "agent/base/text.h"
#include "agent/config/tree_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHILDREN_FIRST 4
/* Longest character of UTF-8: so much beyond the room tells that a sentence has to be cut. */
#define CHARACTER_BYTES_MAX 4

void text_wipe(char *text)
{
	if (text)
		explicit_bzero(text, strlen(text));
	free(text);
}

enum err node_new(
	struct tree *t, enum node_kind kind, struct place at, struct node **out, struct why *why)
{
	struct node *n;

	if (t->nodes >= CONFIG_NODES_MAX)
		return place_fail(at, why, "more than %d values", CONFIG_NODES_MAX);
	n = calloc(1, sizeof(*n));
	if (!n)
		return why_fail(why, ERR_MEMORY, "out of memory");
	t->nodes++;
	n->kind = kind;
	n->file = at.file;
	n->line = at.line;
	n->column = at.column;
	*out = n;
	return ERR_OK;
}

void node_free(struct node *n)
{
	if (!n)
		return;
	for (size_t i = 0; i < n->count; i++)
		node_free(n->children[i]);
	free(n->children);
	free(n->key);
	text_wipe(n->value);
	free(n);
}

enum err node_append(struct node *parent, struct node *child, struct why *why)
{
	size_t count = parent->count;
	bool is_full = count == 0 || (count >= CHILDREN_FIRST && (count & (count - 1)) == 0);
	struct node **children;

	if (is_full) {
		children = reallocarray(parent->children, count ? count * 2 : CHILDREN_FIRST,
			sizeof(struct node *));
		if (!children) {
			node_free(child);
			return why_fail(why, ERR_MEMORY, "out of memory");
		}
		parent->children = children;
	}
	parent->children[parent->count++] = child;
	return ERR_OK;
}

struct place node_place(const struct node *n)
{
	return (struct place){ .file = n->file, .line = n->line, .column = n->column };
}

struct place node_key_place(const struct node *n)
{
	if (!n->key)
		return node_place(n);
	return (struct place){ .file = n->file, .line = n->key_line, .column = n->key_column };
}

enum err tree_new(struct tree **out)
{
	static const struct place nowhere = { .file = "configuration", .line = 1, .column = 1 };
	struct tree *t = calloc(1, sizeof(*t));

	if (!t)
		return ERR_MEMORY;
	if (node_new(t, NODE_MAP, nowhere, &t->root, NULL) != ERR_OK) {
		free(t);
		return ERR_MEMORY;
	}
	*out = t;
	return ERR_OK;
}

void tree_free(struct tree *t)
{
	if (!t)
		return;
	node_free(t->root);
	strings_fini(&t->files);
	free(t);
}

const struct node *tree_root(const struct tree *t)
{
	return t->root;
}

const struct node *node_child(const struct node *map, const char *key)
{
	if (!map || map->kind != NODE_MAP)
		return NULL;
	for (size_t i = 0; i < map->count; i++)
		if (strcmp(map->children[i]->key, key) == 0)
			return map->children[i];
	return NULL;
}

bool node_is_null(const struct node *n)
{
	static const char *const nulls[] = { "", "~", "null", "Null", "NULL" };

	if (n->kind != NODE_SCALAR || n->is_quoted)
		return false;
	for (size_t i = 0; i < sizeof(nulls) / sizeof(nulls[0]); i++)
		if (strcmp(n->value, nulls[i]) == 0)
			return true;
	return false;
}

/* Without memory for the escaped text: the same length, with nothing that could move a cursor. */
static void blank_controls(char *text)
{
	for (char *c = text; *c; c++)
		if ((unsigned char)*c < 0x20 || (unsigned char)*c >= 0x7f)
			*c = '?';
}

enum err place_fail_list(struct place at, struct why *why, const char *format, va_list args)
{
	char raw[WHY_TEXT_BYTES + CHARACTER_BYTES_MAX];
	char *clean;
	int head;

	if (!why)
		return ERR_CONFIG;
	head = snprintf(raw, sizeof(raw), "%s:%u:%u: ", at.file, at.line, at.column);
	if (head >= 0 && (size_t)head < sizeof(raw))
		(void)vsnprintf(raw + head, sizeof(raw) - (size_t)head, format, args);
	raw[text_cut(raw, WHY_TEXT_BYTES - 1)] = 0;
	clean = text_escaped(slice_text(raw));
	if (clean)
		clean[text_cut(clean, WHY_TEXT_BYTES - 1)] = 0;
	else
		blank_controls(raw);
	(void)why_fail(why, ERR_CONFIG, "%s", clean ? clean : raw);
	free(clean);
	return ERR_CONFIG;
}

enum err place_fail(struct place at, struct why *why, const char *format, ...)
{
	va_list args;
	enum err e;

	va_start(args, format);
	e = place_fail_list(at, why, format, args);
	va_end(args);
	return e;
}

enum err node_fail(const struct node *n, struct why *why, const char *format, ...)
{
	va_list args;
	enum err e;

	va_start(args, format);
	e = place_fail_list(node_place(n), why, format, args);
	va_end(args);
	return e;
}

enum err node_fail_key(const struct node *n, struct why *why, const char *format, ...)
{
	va_list args;
	enum err e;

	va_start(args, format);
	e = place_fail_list(node_key_place(n), why, format, args);
	va_end(args);
	return e;
}
