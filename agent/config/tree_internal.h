/* What the files that build a tree share. */
#ifndef LEAFWATCH_CONFIG_TREE_INTERNAL_H
#define LEAFWATCH_CONFIG_TREE_INTERNAL_H

#include "agent/base/buffer.h"
#include "agent/base/strings.h"
#include "agent/config/tree.h"

#include <stdarg.h>

/* Bytes that expanded variables may add to one tree. */
#define CONFIG_EXPANDED_BYTES_MAX CONFIG_BYTES_MAX

struct tree {
	struct node *root;    /* owned */
	struct strings files; /* names that nodes borrow */
	size_t nodes;         /* made so far */
	size_t expanded;      /* bytes that came from variables so far */
};

/* A place in a file: where an event began, or where a byte stands. */
struct place {
	const char *file; /* borrowed */
	unsigned line;
	unsigned column;
};

/* A node counted against the tree's ceiling. */
enum err node_new(struct tree *t, enum node_kind kind, struct place at, struct node **out,
	struct why *why) MUST_CHECK;
/* Wipes and frees a node and all below it; NULL is allowed. */
void node_free(struct node *n);
/* Frees text after overwriting it: any value may be a secret. */
void text_wipe(char *text);
/* `parent` takes the child, on failure too. */
enum err node_append(struct node *parent, struct node *child, struct why *why) MUST_CHECK;
struct place node_place(const struct node *n);
/* Where the key stands, or the value where there is no key. */
struct place node_key_place(const struct node *n);

enum err place_fail(struct place at, struct why *why, const char *format, ...) PRINTF_LIKE(3, 4);
enum err place_fail_list(struct place at, struct why *why, const char *format, va_list args)
	__attribute__((format(printf, 3, 0)));

/* Refuses text that is not UTF-8 or holds characters that no configuration needs (RFC 3629; NUL,
 * control characters, foreign line breaks). */
enum err yaml_check_text(const char *file, struct slice text, struct why *why) MUST_CHECK;
/* The bytes from a place on; empty past the end. */
struct slice yaml_text_at(struct slice text, struct place at);

/* Moves everything of `from` into the map `to`; what is left in `from` is freed by the caller. */
enum err tree_merge(struct node *to, struct node *from, struct why *why) MUST_CHECK;

/* Appends `text` with its variables replaced. `why` carries the sentence without a place. */
enum err expand_text(struct slice text, struct buffer *out, struct why *why) MUST_CHECK;

#endif
