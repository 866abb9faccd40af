/* Sockets to processes: every /proc/PID/fd, then what the chosen ones are. */
#include "scanners/network/owners.h"

#include "agent/base/text.h"
#include "scanners/network/cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_BYTES_MAX 16384
#define PATH_BYTES 320
#define LINK_BYTES 64
#define EXE_BYTES 4096
#define HOLDERS_FIRST 64
#define COMM_BYTES 15 /* the kernel cuts names there */
#define INIT_PID 1

/* One process that has one of the sockets open. */
struct holder {
	size_t at; /* position of the inode */
	uint32_t pid;
	uint64_t ticks; /* when it was started, since boot */
};

struct search {
	const char *proc;       /* borrowed */
	const uint64_t *inodes; /* borrowed, sorted */
	size_t count;
	struct holder *holders; /* owned */
	size_t holders_count;
	size_t holders_room;
	uint64_t links;
	int64_t booted; /* Unix time, or TIME_UNKNOWN */
	struct owners *out;
};

/* ---- small files of /proc ---------------------------------------------------------------------- */

/* The start of proc/[pid/]name, as far as it fits; the size, or 0. A NUL follows. */
static size_t read_file(const struct search *s, uint32_t pid, const char *name, char *out)
{
	char path[PATH_BYTES];
	size_t size = 0;
	ssize_t more;
	int fd;

	if (pid)
		(void)snprintf(path, sizeof(path), "%s/%u/%s", s->proc, pid, name);
	else
		(void)snprintf(path, sizeof(path), "%s/%s", s->proc, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	while (size < FILE_BYTES_MAX - 1 &&
		(more = read(fd, out + size, FILE_BYTES_MAX - 1 - size)) > 0)
		size += (size_t)more;
	(void)close(fd);
	out[size] = '\0';
	return size;
}

struct stat_line {
	char name[COMM_BYTES + 1];
	uint64_t ticks;
};

/* proc(5): "pid (name) state ppid ..."; the name may hold anything, the 22nd field is the start time. */
static bool read_stat(const struct search *s, uint32_t pid, struct stat_line *out)
{
	char text[FILE_BYTES_MAX];
	const char *open_bracket;
	char *rest;
	size_t size;

	if (!read_file(s, pid, "stat", text))
		return false;
	open_bracket = strchr(text, '(');
	rest = strrchr(text, ')');
	if (!open_bracket || !rest || rest < open_bracket)
		return false;
	size = (size_t)(rest - open_bracket) - 1;
	if (size > COMM_BYTES)
		size = COMM_BYTES;
	memcpy(out->name, open_bracket + 1, size);
	out->name[size] = '\0';
	for (unsigned field = 2; field < 22; field++) {
		rest = strchr(rest + 1, ' ');
		if (!rest)
			return false;
	}
	out->ticks = strtoull(rest + 1, NULL, 10);
	return true;
}

static int64_t read_boot_time(const struct search *s)
{
	char text[FILE_BYTES_MAX];
	const char *line;
	int64_t at;

	/* "btime" comes after the counters of interrupts, whose line may be long. */
	char path[PATH_BYTES];
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s/stat", s->proc);
	f = fopen(path, "re");
	if (!f)
		return TIME_UNKNOWN;
	at = TIME_UNKNOWN;
	while ((line = fgets(text, sizeof(text), f)))
		if (strncmp(line, "btime ", 6) == 0)
			at = strtoll(line + 6, NULL, 10);
	(void)fclose(f);
	return at > 0 ? at : TIME_UNKNOWN;
}

static int64_t started_at(const struct search *s, uint64_t ticks)
{
	long hertz = sysconf(_SC_CLK_TCK);

	if (s->booted == TIME_UNKNOWN || hertz <= 0 || ticks > (uint64_t)INT32_MAX * 1000)
		return TIME_UNKNOWN;
	return s->booted + (int64_t)(ticks / (uint64_t)hertz);
}

/* ---- who holds what ----------------------------------------------------------------------------- */

static int compare_inodes(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a;
	uint64_t y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static enum err add_holder(struct search *s, size_t at, uint32_t pid, uint64_t ticks)
{
	if (s->holders_count == OWNERS_HOLDERS_MAX) {
		s->out->is_cut = true;
		return ERR_OK;
	}
	/* A process may hold one socket by several descriptors. */
	for (size_t i = s->holders_count; i && s->holders[i - 1].pid == pid; i--)
		if (s->holders[i - 1].at == at)
			return ERR_OK;
	if (s->holders_count == s->holders_room) {
		size_t room = s->holders_room ? 2 * s->holders_room : HOLDERS_FIRST;
		struct holder *holders = reallocarray(s->holders, room, sizeof(*holders));

		if (!holders)
			return ERR_MEMORY;
		s->holders = holders;
		s->holders_room = room;
	}
	s->holders[s->holders_count++] = (struct holder){ .at = at, .pid = pid, .ticks = ticks };
	return ERR_OK;
}

/* "socket:[4711]" */
static bool is_wanted(const struct search *s, const char *link, size_t *at)
{
	static const char head[] = "socket:[";
	const uint64_t *found;
	uint64_t inode;

	if (strncmp(link, head, sizeof(head) - 1) != 0)
		return false;
	inode = strtoull(link + sizeof(head) - 1, NULL, 10);
	found = bsearch(&inode, s->inodes, s->count, sizeof(inode), compare_inodes);
	if (!found)
		return false;
	*at = (size_t)(found - s->inodes);
	return true;
}

static enum err look_at_links(struct search *s, uint32_t pid, DIR *links)
{
	struct stat_line stat_line = { .ticks = UINT64_MAX };
	const struct dirent *entry;
	enum err e = ERR_OK;

	while (e == ERR_OK && (entry = readdir(links))) {
		char link[LINK_BYTES];
		ssize_t size;
		size_t at;

		if (entry->d_name[0] == '.')
			continue;
		if (++s->links > OWNERS_LINKS_MAX) {
			s->out->is_cut = true;
			break;
		}
		size = readlinkat(dirfd(links), entry->d_name, link, sizeof(link) - 1);
		if (size <= 0)
			continue;
		link[size] = '\0';
		if (!is_wanted(s, link, &at))
			continue;
		if (stat_line.ticks == UINT64_MAX && !read_stat(s, pid, &stat_line))
			break;
		e = add_holder(s, at, pid, stat_line.ticks);
	}
	return e;
}

static enum err look_at_process(struct search *s, uint32_t pid)
{
	char path[PATH_BYTES];
	DIR *links;
	enum err e;

	(void)snprintf(path, sizeof(path), "%s/%u/fd", s->proc, pid);
	links = opendir(path);
	if (!links) {
		s->out->denied += errno == EACCES || errno == EPERM;
		return ERR_OK;
	}
	e = look_at_links(s, pid, links);
	(void)closedir(links);
	return e;
}

static uint32_t pid_of(const char *name)
{
	char *end;
	unsigned long pid;

	if (*name < '1' || *name > '9')
		return 0;
	pid = strtoul(name, &end, 10);
	return *end || pid > UINT32_MAX ? 0 : (uint32_t)pid;
}

static enum err look_at_all(struct search *s, struct why *why)
{
	DIR *all = opendir(s->proc);
	const struct dirent *entry;
	enum err e = ERR_OK;

	if (!all)
		return why_fail(why, ERR_IO, "%s: %s", s->proc, strerror(errno));
	while (e == ERR_OK && !s->out->is_cut && (entry = readdir(all))) {
		uint32_t pid = pid_of(entry->d_name);

		if (pid)
			e = look_at_process(s, pid);
	}
	(void)closedir(all);
	return e;
}

/* ---- what they are ------------------------------------------------------------------------------ */

/* The name of the program where the kernel has cut it. */
static void lengthen(const struct search *s, uint32_t pid, struct process *p, const char *name)
{
	char path[PATH_BYTES];
	char exe[EXE_BYTES];
	const char *last;
	ssize_t size;

	if (strlen(name) < COMM_BYTES)
		return;
	(void)snprintf(path, sizeof(path), "%s/%u/exe", s->proc, pid);
	size = readlink(path, exe, sizeof(exe) - 1);
	if (size <= 0)
		return;
	exe[size] = '\0';
	last = strrchr(exe, '/');
	if (!last || strncmp(last + 1, name, COMM_BYTES) != 0)
		return;
	free(p->name);
	p->name = text_escaped(slice_text(last + 1));
}

static enum err describe_group(const struct search *s, struct process *p)
{
	char text[FILE_BYTES_MAX];
	struct cgroup group;
	size_t size = read_file(s, p->pid, "cgroup", text);

	cgroup_read(slice_of(text, size), &group);
	if (*group.unit)
		p->unit = text_escaped(slice_text(group.unit));
	if (*group.container)
		p->container = text_escaped(slice_text(group.container));
	return (!*group.unit || p->unit) && (!*group.container || p->container) ? ERR_OK
										: ERR_MEMORY;
}

static enum err describe(const struct search *s, const struct holder *h, struct process *out)
{
	struct stat_line line;
	enum err e;

	/* It may have ended since, and its number may be another's by now. */
	if (!read_stat(s, h->pid, &line) || line.ticks != h->ticks)
		return ERR_OK;
	*out = (struct process){
		.pid = h->pid, .started = started_at(s, h->ticks), .worker_started = TIME_UNKNOWN
	};
	out->name = text_escaped(slice_text(line.name));
	lengthen(s, h->pid, out, line.name);
	e = out->name ? describe_group(s, out) : ERR_MEMORY;
	if (e != ERR_OK)
		process_fini(out);
	return e;
}

static int compare_holders(const void *a, const void *b)
{
	const struct holder *x = a;
	const struct holder *y = b;

	if (x->at != y->at)
		return x->at < y->at ? -1 : 1;
	if ((x->pid == INIT_PID) != (y->pid == INIT_PID))
		return x->pid == INIT_PID ? 1 : -1;
	if (x->ticks != y->ticks)
		return x->ticks < y->ticks ? -1 : 1;
	return (x->pid > y->pid) - (x->pid < y->pid);
}

/* The first of a socket's holders is the one; the last besides init is the youngest. */
static enum err describe_all(struct search *s)
{
	enum err e = ERR_OK;
	size_t next;

	if (!s->holders_count)
		return ERR_OK;
	qsort(s->holders, s->holders_count, sizeof(*s->holders), compare_holders);
	for (size_t i = 0; e == ERR_OK && i < s->holders_count; i = next) {
		const struct holder *first = &s->holders[i];
		struct process *p = &s->out->items[first->at];

		for (next = i + 1; next < s->holders_count && s->holders[next].at == first->at;)
			next++;
		e = describe(s, first, p);
		for (size_t n = i + 1; e == ERR_OK && p->pid && n < next; n++)
			if (s->holders[n].pid != INIT_PID)
				p->worker_started = started_at(s, s->holders[n].ticks);
	}
	return e;
}

enum err owners_find(
	const char *proc, const uint64_t *inodes, size_t count, struct owners *out, struct why *why)
{
	struct search s = { .proc = proc, .inodes = inodes, .count = count, .out = out };
	enum err e;

	out->items = calloc(count + 1, sizeof(*out->items));
	if (!out->items)
		return ERR_MEMORY;
	out->count = count;
	s.booted = read_boot_time(&s);
	e = look_at_all(&s, why);
	if (e == ERR_OK)
		e = describe_all(&s);
	free(s.holders);
	if (e != ERR_OK)
		owners_fini(out);
	return e;
}

void owners_fini(struct owners *o)
{
	for (size_t i = 0; i < o->count; i++)
		process_fini(&o->items[i]);
	free(o->items);
	*o = (struct owners){ 0 };
}
