/* A /proc made up in a folder. */
#ifndef LEAFWATCH_TESTS_SCANNERS_NETWORK_PROC_H
#define LEAFWATCH_TESTS_SCANNERS_NETWORK_PROC_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PROC_BOOTED 1700000000

struct proc {
	char root[64];
};

static inline void proc_write(const struct proc *p, const char *name, const char *text)
{
	char path[640];
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s/%s", p->root, name);
	f = fopen(path, "we");
	if (f) {
		(void)fputs(text, f);
		(void)fclose(f);
	}
}

static inline void proc_new(struct proc *p)
{
	char text[64];

	(void)snprintf(p->root, sizeof(p->root), "/tmp/leafwatch-proc-XXXXXX");
	if (!mkdtemp(p->root))
		abort();
	(void)snprintf(text, sizeof(text), "cpu 1 2 3\nbtime %d\nprocesses 4\n", PROC_BOOTED);
	proc_write(p, "stat", text);
}

/* A process started `seconds` after the boot; its descriptors are added by proc_link. */
static inline void proc_add(
	const struct proc *p, unsigned pid, const char *name, unsigned seconds, const char *cgroup)
{
	char path[512];
	char text[1024];

	(void)snprintf(path, sizeof(path), "%s/%u", p->root, pid);
	(void)mkdir(path, 0755);
	(void)snprintf(path, sizeof(path), "%s/%u/fd", p->root, pid);
	(void)mkdir(path, 0755);
	(void)snprintf(text, sizeof(text),
		"%u (%s) S 1 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 %lu 12345 67\n", pid, name,
		(unsigned long)seconds * (unsigned long)sysconf(_SC_CLK_TCK));
	(void)snprintf(path, sizeof(path), "%u/stat", pid);
	proc_write(p, path, text);
	if (!cgroup)
		return;
	(void)snprintf(path, sizeof(path), "%u/cgroup", pid);
	proc_write(p, path, cgroup);
}

static inline void proc_link(const struct proc *p, unsigned pid, const char *name, const char *to)
{
	char path[512];

	(void)snprintf(path, sizeof(path), "%s/%u/%s", p->root, pid, name);
	if (symlink(to, path) != 0)
		abort();
}

static inline void proc_free(struct proc *p)
{
	char command[128];
	FILE *f;

	(void)snprintf(command, sizeof(command), "rm -rf %s", p->root);
	f = popen(command, "r");
	if (f)
		(void)pclose(f);
}

#endif
