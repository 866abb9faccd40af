/* Landlock by its system calls: no C library has them. */
#ifndef LEAFWATCH_PROCESS_LANDLOCK_H
#define LEAFWATCH_PROCESS_LANDLOCK_H

#include <linux/landlock.h>
#include <stdbool.h>

/* Newer than the headers of the oldest kernel we build on. */
#define LANDLOCK_REFER (1ULL << 13)
#define LANDLOCK_TRUNCATE (1ULL << 14)

/* What a store of plain files does to itself: open for writing, lock files made and removed. */
#define LANDLOCK_STORE_RIGHTS                                          \
	(LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_MAKE_REG | \
		LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_TRUNCATE)

/* Of the running kernel; below 1 = it has none. */
int landlock_version(void);
/* Every right that this version can take away from files. */
__u64 landlock_rights(int version);
/* Allows `rights` at and below a path. False where it is not there, or not allowed to be named. */
bool landlock_allow(int ruleset, const char *path, __u64 rights);

#endif
