/* YAML events to nodes, refusing what a configuration has no use for. */
#include "agent/base/text.h"
#include "agent/config/tree_internal.h"

#include <stdlib.h>
#include <string.h>
#include <yaml.h>

struct level {
	struct node *node; /* borrowed from its parent, or the root */
	char *key;         /* owned; read, its value not yet */
	unsigned key_line;
	unsigned key_column;
};

struct builder {
	struct tree *tree;
	const char *file; /* borrowed from the tree */
	struct slice text;
	struct node *root; /* owned; the map at the top, NULL for a document of nothing */
	struct level levels[CONFIG_DEPTH_MAX];
	size_t depth;
	unsigned documents;
	struct why *why;
};

static struct place mark_place(const struct builder *b, yaml_mark_t mark)
{
	return (struct place){ .file = b->file,
		.line = (unsigned)mark.line + 1,
		.column = (unsigned)mark.column + 1 };
}

static enum err fail_memory(struct builder *b)
{
	return why_fail(b->why, ERR_MEMORY, "out of memory");
}

static struct level *top(struct builder *b)
{
	return b->depth ? &b->levels[b->depth - 1] : NULL;
}

static bool wants_key(struct builder *b)
{
	const struct level *l = top(b);

	return l && l->node->kind == NODE_MAP && !l->key;
}

static enum err check_key(
	struct builder *b, const yaml_event_t *event, struct place at, const char *key)
{
	const struct node *map = top(b)->node;
	const struct node *same = node_child(map, key);
	bool is_plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;

	if (is_plain && strcmp(key, "<<") == 0)
		return place_fail(at, b->why, "merge keys (<<) are not supported");
	if (!*key)
		return place_fail(at, b->why, "a key is missing before \":\"");
	if (same)
		return place_fail(at, b->why, "\"%s\" is given already at %s:%u:%u", key,
			same->file, same->key_line, same->key_column);
	if (map->count >= CONFIG_KEYS_MAX)
		return place_fail(at, b->why, "more than %d keys in one map", CONFIG_KEYS_MAX);
	return ERR_OK;
}

static enum err add_key(struct builder *b, const yaml_event_t *event, struct place at)
{
	struct slice text = slice_of(event->data.scalar.value, event->data.scalar.length);
	struct level *l = top(b);
	char *key = string_of(text);
	enum err e;

	if (!key)
		return fail_memory(b);
	e = check_key(b, event, at, key);
	if (e != ERR_OK) {
		free(key);
		return e;
	}
	l->key = key;
	l->key_line = at.line;
	l->key_column = at.column;
	return ERR_OK;
}

/* Takes `n` and hangs it where the document stands. */
static enum err add_node(struct builder *b, struct node *n)
{
	struct level *l = top(b);

	if (!l) {
		b->root = n;
		return ERR_OK;
	}
	if (l->key) {
		n->key = l->key;
		n->key_line = l->key_line;
		n->key_column = l->key_column;
		l->key = NULL;
	}
	return node_append(l->node, n, b->why);
}

static enum err expand_value(struct builder *b, struct slice text, struct place at, struct node *n)
{
	size_t room = text.size + CONFIG_EXPANDED_BYTES_MAX - b->tree->expanded;
	struct why inner = { 0 };
	struct buffer out;
	enum err e;

	buffer_init(&out, room);
	e = expand_text(text, &out, &inner);
	if (e == ERR_OK) {
		if (out.size > text.size)
			b->tree->expanded += out.size - text.size;
		/* What came out of a variable is text, and text that happens to read null is not null. */
		n->is_quoted = n->is_quoted || out.size > 0;
		n->value = string_of(buffer_bytes(&out));
		if (!n->value)
			e = fail_memory(b);
	} else if (e == ERR_CONFIG) {
		e = place_fail(at, b->why, "%s", inner.text);
	} else {
		e = fail_memory(b);
	}
	buffer_wipe(&out);
	return e;
}

static enum err fill_value(
	struct builder *b, const yaml_event_t *event, struct place at, struct node *n)
{
	struct slice text = slice_of(event->data.scalar.value, event->data.scalar.length);

	n->is_quoted = event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
	if (text.size && memchr(text.data, '$', text.size))
		return expand_value(b, text, at, n);
	n->value = string_of(text);
	return n->value ? ERR_OK : fail_memory(b);
}

static enum err add_scalar(struct builder *b, const yaml_event_t *event, struct place at)
{
	struct node *n;
	enum err e;

	if (memchr(event->data.scalar.value, 0, event->data.scalar.length))
		return place_fail(at, b->why, "a text with a NUL character");
	if (wants_key(b))
		return add_key(b, event, at);
	e = node_new(b->tree, NODE_SCALAR, at, &n, b->why);
	if (e != ERR_OK)
		return e;
	e = fill_value(b, event, at, n);
	if (e == ERR_OK && !b->depth && !node_is_null(n))
		e = place_fail(at, b->why, "the file must be a map of keys, not a single value");
	if (e != ERR_OK || !b->depth) {
		node_free(n);
		return e;
	}
	return add_node(b, n);
}

static enum err open_level(struct builder *b, enum node_kind kind, struct place at)
{
	struct node *n;
	enum err e;

	if (wants_key(b))
		return place_fail(at, b->why, "a key must be a text, not a list or a map");
	if (!b->depth && kind != NODE_MAP)
		return place_fail(at, b->why, "the file must be a map of keys, not a list");
	if (b->depth == CONFIG_DEPTH_MAX)
		return place_fail(at, b->why, "nested deeper than %d levels", CONFIG_DEPTH_MAX);
	e = node_new(b->tree, kind, at, &n, b->why);
	if (e == ERR_OK)
		e = add_node(b, n);
	if (e != ERR_OK)
		return e;
	b->levels[b->depth++] = (struct level){ .node = n };
	return ERR_OK;
}

static enum err open_document(struct builder *b, const yaml_event_t *event, struct place at)
{
	if (b->documents++)
		return place_fail(at, b->why, "a second document begins; a file holds one");
	if (event->data.document_start.tag_directives.start !=
		event->data.document_start.tag_directives.end)
		return place_fail(at, b->why, "tags are not supported");
	return ERR_OK;
}

static enum err check_decoration(
	struct builder *b, const yaml_char_t *anchor, const yaml_char_t *tag, struct place at)
{
	if (anchor)
		return place_fail(
			at, b->why, "anchors (&%s) are not supported", (const char *)anchor);
	if (tag)
		return place_fail(at, b->why, "tags (%s) are not supported", (const char *)tag);
	return ERR_OK;
}

static enum err check_event(struct builder *b, const yaml_event_t *event, struct place at)
{
	if (event->type == YAML_ALIAS_EVENT)
		return place_fail(at, b->why, "aliases (*%s) are not supported",
			(const char *)event->data.alias.anchor);
	if (event->type == YAML_SCALAR_EVENT)
		return check_decoration(b, event->data.scalar.anchor, event->data.scalar.tag, at);
	if (event->type == YAML_SEQUENCE_START_EVENT)
		return check_decoration(
			b, event->data.sequence_start.anchor, event->data.sequence_start.tag, at);
	if (event->type == YAML_MAPPING_START_EVENT)
		return check_decoration(
			b, event->data.mapping_start.anchor, event->data.mapping_start.tag, at);
	return ERR_OK;
}

static enum err take_event(struct builder *b, const yaml_event_t *event)
{
	struct place at = mark_place(b, event->start_mark);
	enum err e = check_event(b, event, at);

	if (e != ERR_OK)
		return e;
	switch (event->type) {
	case YAML_DOCUMENT_START_EVENT:
		return open_document(b, event, at);
	case YAML_SCALAR_EVENT:
		return add_scalar(b, event, at);
	case YAML_SEQUENCE_START_EVENT:
		return open_level(b, NODE_LIST, at);
	case YAML_MAPPING_START_EVENT:
		return open_level(b, NODE_MAP, at);
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		b->depth--;
		return ERR_OK;
	default:
		return ERR_OK;
	}
}

static enum err fail_syntax(struct builder *b, const yaml_parser_t *parser)
{
	const char *problem = parser->problem ? parser->problem : "not YAML";
	struct place at = mark_place(b, parser->problem_mark);
	struct slice here = yaml_text_at(b->text, at);

	if (parser->error == YAML_MEMORY_ERROR)
		return fail_memory(b);
	if (parser->error == YAML_SCANNER_ERROR && slice_starts(here, "\t", 1))
		return place_fail(at, b->why, "a tab cannot indent; use spaces");
	if (parser->context)
		return place_fail(at, b->why, "%s, %s that begins at line %u", problem,
			parser->context, (unsigned)parser->context_mark.line + 1);
	return place_fail(at, b->why, "%s", problem);
}

static enum err read_events(struct builder *b, yaml_parser_t *parser)
{
	bool is_end = false;
	enum err e = ERR_OK;

	while (e == ERR_OK && !is_end) {
		yaml_event_t event;

		if (!yaml_parser_parse(parser, &event))
			return fail_syntax(b, parser);
		e = take_event(b, &event);
		is_end = event.type == YAML_STREAM_END_EVENT;
		yaml_event_delete(&event);
	}
	return e;
}

static enum err build(struct builder *b)
{
	yaml_parser_t parser;
	enum err e;

	if (!yaml_parser_initialize(&parser))
		return fail_memory(b);
	yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&parser, b->text.data, b->text.size);
	e = read_events(b, &parser);
	yaml_parser_delete(&parser);
	if (e == ERR_OK && b->root)
		e = tree_merge(b->tree->root, b->root, b->why);
	for (size_t i = 0; i < b->depth; i++)
		free(b->levels[i].key);
	node_free(b->root);
	return e;
}

enum err tree_parse(struct tree *t, const char *file, struct slice text, struct why *why)
{
	struct builder b = { .tree = t, .why = why };
	enum err e;

	e = strings_add(&t->files, file);
	if (e != ERR_OK)
		return why_fail(why, e, "out of memory");
	b.file = t->files.items[t->files.count - 1];
	if (text.size > CONFIG_BYTES_MAX)
		return place_fail((struct place){ b.file, 1, 1 }, why,
			"the file is over %d bytes long", CONFIG_BYTES_MAX);
	/* A byte order mark is no column of the first line. */
	b.text = slice_starts(text, "\xef\xbb\xbf", 3) ? slice_after(text, 3) : text;
	if (!b.text.size)
		return ERR_OK;
	e = yaml_check_text(b.file, b.text, why);
	if (e != ERR_OK)
		return e;
	return build(&b);
}
