/* Folders on the way down: who they are, and how they are opened again without following a link. */
#ifndef LEAFWATCH_SCANNERS_FILES_TREE_H
#define LEAFWATCH_SCANNERS_FILES_TREE_H

#include "agent/base/buffer.h"
#include "agent/base/err.h"
#include "agent/base/slice.h"
#include "agent/base/strings.h"
#include "scanners/formats/format.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define TREE_DEPTH_MAX 16384

struct root {
	char *path;    /* owned; as it was named: the places below start with it */
	char *target;  /* owned; where that is, free of links. NULL until resolved */
	char *message; /* owned; not NULL: a file that a configuration names, see struct root_item */
	struct strings sources; /* owned; where a file's password may be, see struct root_item */
	bool are_configurations[FORMAT_PASSWORD_SOURCES_CEILING];
	int error; /* errno of resolving, or 0 */
	bool is_resolved;
	bool is_file;
	bool is_optional;
	bool is_limit;  /* what the message says is that */
	bool is_wanted; /* it came as work */
	uint64_t work;
	uint64_t units; /* of its tree that are pending or under way */
};

/* No descriptor is kept: depth and breadth cost none. */
struct dir {
	struct dir *parent; /* counted; NULL at the root */
	struct root *root;  /* borrowed */
	const char *
		label; /* of the image's layer that it lies in (borrowed from the stores), or NULL */
	char *target;  /* owned; where a followed link leads, free of links; else NULL */
	uint64_t dev;  /* once it was opened, as are the following */
	uint64_t ino;
	bool is_plain; /* on it a short read is the end of the file */
	atomic_uint references;
	uint16_t depth;
	uint16_t links; /* followed on the way */
	uint16_t name_size;
	char name[];
};

/* A folder below `parent`, whose count it raises. NULL when out of memory. */
struct dir *dir_new(struct root *root, struct dir *parent, struct slice name);
struct dir *dir_hold(struct dir *d);
/* Lowers the count, and frees what nobody needs any more. */
void dir_drop(struct dir *d);

/* The path by which it was reached: the root's, and the names. A buffer that fails has reached its
 * ceiling. */
void dir_path(const struct dir *d, struct buffer *out);
/* The same free of links. */
void dir_target(const struct dir *d, struct buffer *out);
/* Is this folder, by device and inode, one of its own ancestors, or itself? */
bool dir_is_above(const struct dir *d, uint64_t dev, uint64_t ino);
/* Appends a name to a path of dir_path. */
void path_add(struct buffer *path, struct slice name);

/* Opens an absolute path of any length without following any link in it; -1 and errno (ELOOP for a
 * link). The path is changed while it is at work. */
int open_without_links(char *path, int flags);
#define DESCRIPTOR_LINK_BYTES 64
/* The name in /proc that opens a descriptor of the calling thread anew. */
void descriptor_link(int fd, char out[DESCRIPTOR_LINK_BYTES]);
/* Where an open descriptor is, by /proc; owned, NULL when it cannot be told. */
char *descriptor_path(int fd);
/* Is `path` this folder or below it? */
bool path_is_below(const char *path, const char *folder);

#endif
