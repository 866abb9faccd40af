/* Which file systems a walk does not enter by itself. */
#ifndef LEAFWATCH_SCANNERS_FILES_MOUNTS_H
#define LEAFWATCH_SCANNERS_FILES_MOUNTS_H

#include "agent/base/err.h"
#include "agent/base/slice.h"
#include "agent/base/strings.h"

#include <stdbool.h>

/* Mount points of pseudo and network file systems, sorted. */
struct mounts {
	struct strings skipped; /* owned */
	bool is_known;          /* the table could be read */
};

/* Reads the kernel's table (proc(5), mountinfo). Without /proc it stays empty. */
enum err mounts_load(struct mounts *m) MUST_CHECK;
/* The same from text. */
enum err mounts_parse(struct mounts *m, struct slice text) MUST_CHECK;
void mounts_fini(struct mounts *m);
/* Is a skipped file system mounted at this path (absolute, free of links)? Asks nobody: a dead server
 * cannot hold the answer up, and nothing is mounted by looking. */
bool mounts_skip(const struct mounts *m, const char *path);
/* The same by statfs of an open directory, for what came after the table or is not in it. */
bool mounts_skip_fd(const struct mounts *m, int fd);
/* Is an open file or folder on a file system of disks or memory, where a read that gives less than was
 * asked for has met the end? Those made up by the kernel or a program may give any piece. */
bool mounts_is_plain_fd(int fd);

#endif
