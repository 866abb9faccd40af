/* Landlock by its system calls. */
#include "agent/process/landlock.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Rights that make sense for what is no folder; others are refused there. */
#define PLAIN_RIGHTS                                                  \
	(LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE | \
		LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_TRUNCATE)

int landlock_version(void)
{
	return (int)syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
}

__u64 landlock_rights(int version)
{
	__u64 rights = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1;

	if (version >= 2)
		rights |= LANDLOCK_REFER;
	if (version >= 3)
		rights |= LANDLOCK_TRUNCATE;
	return rights;
}

bool landlock_allow(int ruleset, const char *path, __u64 rights)
{
	struct landlock_path_beneath_attr rule = { .allowed_access = rights };
	struct stat about;
	bool is_added;

	rule.parent_fd = open(path, O_PATH | O_CLOEXEC);
	if (rule.parent_fd < 0)
		return false;
	if (fstat(rule.parent_fd, &about) == 0 && !S_ISDIR(about.st_mode))
		rule.allowed_access &= PLAIN_RIGHTS;
	is_added =
		syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) == 0;
	(void)close(rule.parent_fd);
	return is_added;
}
