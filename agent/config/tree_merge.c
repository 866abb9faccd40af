/* One tree out of several files. */
#include "agent/config/tree_internal.h"

#include <string.h>

static enum err merge_value(struct node **to, struct node *from, struct why *why);

static struct node **find_child(struct node *map, const char *key)
{
	for (size_t i = 0; i < map->count; i++)
		if (strcmp(map->children[i]->key, key) == 0)
			return &map->children[i];
	return NULL;
}

static struct node *take_child(struct node *parent, size_t index)
{
	struct node *child = parent->children[index];

	parent->children[index] = NULL;
	return child;
}

static enum err merge_lists(struct node *to, struct node *from, struct why *why)
{
	enum err e = ERR_OK;

	for (size_t i = 0; e == ERR_OK && i < from->count; i++)
		e = node_append(to, take_child(from, i), why);
	return e;
}

static enum err merge_maps(struct node *to, struct node *from, struct why *why)
{
	enum err e = ERR_OK;

	for (size_t i = 0; e == ERR_OK && i < from->count; i++) {
		struct node **same = find_child(to, from->children[i]->key);

		if (same)
			e = merge_value(same, take_child(from, i), why);
		else if (to->count >= CONFIG_KEYS_MAX)
			e = node_fail_key(from->children[i], why, "more than %d keys in one map",
				CONFIG_KEYS_MAX);
		else
			e = node_append(to, take_child(from, i), why);
	}
	return e;
}

static enum err fail_twice(const struct node *old, const struct node *from, struct why *why)
{
	static const char *const kinds[] = {
		[NODE_SCALAR] = "a single value", [NODE_LIST] = "a list", [NODE_MAP] = "a map"
	};
	struct place first = node_key_place(old);

	if (old->kind != from->kind)
		return node_fail_key(from, why, "\"%s\" is %s here, but %s at %s:%u:%u", from->key,
			kinds[from->kind], kinds[old->kind], first.file, first.line, first.column);
	return node_fail_key(from, why, "\"%s\" is given already at %s:%u:%u", from->key,
		first.file, first.line, first.column);
}

/* Takes `from`. */
static enum err merge_value(struct node **to, struct node *from, struct why *why)
{
	struct node *old = *to;
	enum err e = ERR_OK;

	if (node_is_null(old)) {
		*to = from;
		node_free(old);
		return ERR_OK;
	}
	if (!node_is_null(from)) {
		if (old->kind != from->kind || old->kind == NODE_SCALAR)
			e = fail_twice(old, from, why);
		else if (old->kind == NODE_LIST)
			e = merge_lists(old, from, why);
		else
			e = merge_maps(old, from, why);
	}
	node_free(from);
	return e;
}

enum err tree_merge(struct node *to, struct node *from, struct why *why)
{
	return merge_maps(to, from, why);
}
