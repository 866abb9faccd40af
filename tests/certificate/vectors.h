/* Where the third-party vectors are: LEAFWATCH_VECTORS_DIR, or LEAFWATCH_VECTORS unpacked by test_vectors. */
#ifndef LEAFWATCH_TESTS_CERTIFICATE_VECTORS_H
#define LEAFWATCH_TESTS_CERTIFICATE_VECTORS_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define VECTORS_PATH_MAX 4096

static inline bool vectors_unpack(const char *archive, const char *into, const char *folder)
{
	int status = -1;
	pid_t pid;

	(void)mkdir(into, 0755);
	pid = fork();
	if (pid == 0) {
		(void)execlp("tar", "tar", "-xJf", archive, "-C", into, "--wildcards", folder,
			(char *)NULL);
		_exit(127);
	}
	return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

/* The path of something in the vectors; false where they are absent. `folder`: what to unpack of them. */
static inline bool vectors_find(const char *folder, const char *name, char out[VECTORS_PATH_MAX])
{
	const char *given = getenv("LEAFWATCH_VECTORS_DIR");
	const char *archive = getenv("LEAFWATCH_VECTORS");
	const char *build = getenv("LEAFWATCH_BUILD");
	char into[VECTORS_PATH_MAX / 2];
	char pattern[VECTORS_PATH_MAX / 2];

	if (given) {
		(void)snprintf(out, VECTORS_PATH_MAX, "%s/%s/%s", given, folder, name);
		return access(out, R_OK) == 0;
	}
	if (!archive || access(archive, R_OK) != 0)
		return false;
	(void)snprintf(into, sizeof(into), "%s/vectors-%s", build ? build : "/tmp", folder);
	(void)snprintf(pattern, sizeof(pattern), "*%s/*", folder);
	for (int i = 0; i < 2; i++) {
		(void)snprintf(out, VECTORS_PATH_MAX, "%s/vectors/%s/%s", into, folder, name);
		if (access(out, R_OK) == 0)
			return true;
		(void)snprintf(out, VECTORS_PATH_MAX, "%s/%s/%s", into, folder, name);
		if (access(out, R_OK) == 0)
			return true;
		if (i == 0 && !vectors_unpack(archive, into, pattern))
			return false;
	}
	return false;
}

#endif
