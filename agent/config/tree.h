/* A YAML file as a tree that remembers where everything stood. */
#ifndef LEAFWATCH_CONFIG_TREE_H
#define LEAFWATCH_CONFIG_TREE_H

#include "agent/base/err.h"
#include "agent/base/slice.h"

#include <stdbool.h>
#include <stddef.h>

#define CONFIG_BYTES_MAX (1024 * 1024)
#define CONFIG_DEPTH_MAX 32
#define CONFIG_NODES_MAX 100000 /* of all files of a tree */
#define CONFIG_KEYS_MAX 1000    /* of one map */
#define CONFIG_FILES_MAX 1000   /* of one folder */

enum node_kind { NODE_SCALAR, NODE_LIST, NODE_MAP };

struct node {
	enum node_kind kind;
	const char *file; /* borrowed from the tree */
	unsigned line;    /* from 1 */
	unsigned column;  /* from 1 */
	char *key;        /* owned; in a map, else NULL */
	unsigned key_line;
	unsigned key_column;
	char *value;            /* owned; a scalar's text after ${VAR} expansion */
	int is_quoted;          /* a quoted scalar is text, never null */
	struct node **children; /* owned; in file order */
	size_t count;
};

struct tree; /* owns nodes and file names */

/* An empty tree, whose root is an empty map. */
enum err tree_new(struct tree **out) MUST_CHECK;
void tree_free(struct tree *t);
const struct node *tree_root(const struct tree *t);

/* Parses one YAML 1.1 document whose top is a map (or nothing) and merges it into the tree: maps
 * merge, lists append, a scalar given twice is an error naming both places. Refused with file:line:column:
 * syntax errors, duplicate keys, aliases, merge keys, tags, several documents, what passes the ceilings
 * above. ${NAME} and ${NAME:-default} expand in scalar values, $$ is a dollar sign; an unset NAME without
 * default is an error. A scalar that is null (see node_is_null) is as good as absent: it yields to what
 * the other file says. `why` reads "FILE:LINE:COLUMN: what is wrong". After a failure the tree may hold
 * part of the file and is only good for tree_free. */
enum err tree_parse(
	struct tree *t, const char *file, struct slice text, struct why *why) MUST_CHECK;
/* tree_parse of a file's content (regular file, at most CONFIG_BYTES_MAX). ERR_NOT_FOUND, ERR_DENIED
 * and ERR_IO when it cannot be read; `why` then reads "FILE: what is wrong". */
enum err tree_load(struct tree *t, const char *path, struct why *why) MUST_CHECK;
/* Every *.yml and *.yaml of a folder in C-locale order, but for hidden files; a missing folder is nothing. */
enum err tree_load_folder(struct tree *t, const char *path, struct why *why) MUST_CHECK;

/* The child under that key, or NULL; `map` may be NULL or no map. */
const struct node *node_child(const struct node *map, const char *key);
/* An unquoted scalar that says nothing: empty, ~ or null, also where variables expanded to nothing. */
bool node_is_null(const struct node *n);
/* "FILE:LINE:COLUMN: ..." into why; returns ERR_CONFIG. */
enum err node_fail(const struct node *n, struct why *why, const char *format, ...)
	PRINTF_LIKE(3, 4);
/* The same with the place of the node's key. */
enum err node_fail_key(const struct node *n, struct why *why, const char *format, ...)
	PRINTF_LIKE(3, 4);

#endif
