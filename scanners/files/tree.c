/* Folders on the way down. */
#include "scanners/files/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define FOLDER_FLAGS (O_PATH | O_DIRECTORY | O_CLOEXEC)

struct dir *dir_new(struct root *root, struct dir *parent, struct slice name)
{
	struct dir *d = malloc(sizeof(*d) + name.size + 1);

	if (!d)
		return NULL;
	*d = (struct dir){ .root = root, .references = 1 };
	if (parent) {
		d->parent = dir_hold(parent);
		d->depth = (uint16_t)(parent->depth + 1);
		d->links = parent->links;
		d->label = parent->label;
	}
	d->name_size = (uint16_t)name.size;
	if (name.size)
		memcpy(d->name, name.data, name.size);
	d->name[name.size] = 0;
	return d;
}

struct dir *dir_hold(struct dir *d)
{
	atomic_fetch_add_explicit(&d->references, 1, memory_order_relaxed);
	return d;
}

void dir_drop(struct dir *d)
{
	while (d && atomic_fetch_sub(&d->references, 1) == 1) {
		struct dir *parent = d->parent;

		free(d->target);
		free(d);
		d = parent;
	}
}

void path_add(struct buffer *path, struct slice name)
{
	if (path->size == 0 || path->data[path->size - 1] != '/')
		buffer_byte(path, '/');
	buffer_slice(path, name);
}

/* The names from `top` (not its own) down to `d`, written from the end. */
static void add_names(const struct dir *d, const struct dir *top, struct buffer *out)
{
	bool has_slash = out->size && out->data[out->size - 1] == '/';
	size_t size = 0;
	uint8_t *to;

	for (const struct dir *at = d; at != top; at = at->parent)
		size += (size_t)at->name_size + 1;
	if (size && has_slash)
		size--;
	to = buffer_reserve(out, size);
	if (!to)
		return;
	out->size += size;
	to[size] = 0;
	for (const struct dir *at = d; at != top; at = at->parent) {
		size -= at->name_size;
		memcpy(to + size, at->name, at->name_size);
		if (size)
			to[--size] = '/';
	}
}

void dir_path(const struct dir *d, struct buffer *out)
{
	const struct dir *top = d;

	while (top->parent)
		top = top->parent;
	buffer_clear(out);
	buffer_text(out, d->root->path);
	add_names(d, top, out);
}

void dir_target(const struct dir *d, struct buffer *out)
{
	const struct dir *top = d;

	while (top->parent && !top->target)
		top = top->parent;
	buffer_clear(out);
	buffer_text(out, top->target ? top->target : d->root->target);
	add_names(d, top, out);
}

bool dir_is_above(const struct dir *d, uint64_t dev, uint64_t ino)
{
	for (; d; d = d->parent)
		if (d->dev == dev && d->ino == ino)
			return true;
	return false;
}

/* --- opening --------------------------------------------------------------------------------- */

/* Kernels before 5.6 have no openat2: component by component then. */
static int open_components(int at, char *path, int flags)
{
	int folder = at;

	for (;;) {
		char *end = path + strcspn(path, "/");
		char *next = end + strspn(end, "/");
		char was = *end;
		int fd;

		*end = 0;
		fd = openat(folder, path, (*next ? FOLDER_FLAGS : flags) | O_NOFOLLOW);
		*end = was;
		if (folder != at)
			(void)close(folder);
		if (fd < 0 || *next == 0)
			return fd;
		folder = fd;
		path = next;
	}
}

/* -1 when the kernel does not offer it, with errno ENOSYS. */
static int open_whole(int at, const char *path, int flags)
{
	struct open_how how = { .flags = (unsigned)flags, .resolve = RESOLVE_NO_SYMLINKS };
	int fd = (int)syscall(SYS_openat2, at, path, &how, sizeof(how));

	/* EPERM is how some containers' filters refuse a call that they do not know. */
	if (fd < 0 && errno == EPERM)
		errno = ENOSYS;
	return fd;
}

static int open_part(int at, char *path, int flags)
{
	int fd = open_whole(at, path, flags);

	return fd >= 0 || errno != ENOSYS ? fd : open_components(at, path, flags);
}

static int open_from_top(char *path, int flags)
{
	char *rest = path + strspn(path, "/");
	int top;
	int fd;

	if (*rest == 0)
		return openat(AT_FDCWD, "/", flags);
	top = openat(AT_FDCWD, "/", FOLDER_FLAGS);
	if (top < 0)
		return -1;
	fd = open_part(top, rest, flags);
	(void)close(top);
	return fd;
}

int open_without_links(char *path, int flags)
{
	size_t left = strlen(path);
	int at = AT_FDCWD;
	int fd;

	if (left < PATH_MAX) {
		fd = open_whole(AT_FDCWD, path, flags);
		return fd >= 0 || errno != ENOSYS ? fd : open_from_top(path, flags);
	}
	while (left >= PATH_MAX) {
		char *cut = memrchr(path, '/', PATH_MAX - 1);

		/* Never NULL: a name has at most 255 bytes. */
		if (!cut || cut == path)
			break;
		*cut = 0;
		fd = at == AT_FDCWD ? open_without_links(path, FOLDER_FLAGS)
				    : open_part(at, path, FOLDER_FLAGS);
		*cut = '/';
		if (at != AT_FDCWD)
			(void)close(at);
		if (fd < 0)
			return -1;
		at = fd;
		left -= (size_t)(cut + 1 - path);
		path = cut + 1;
	}
	fd = open_part(at, path, flags);
	if (at != AT_FDCWD)
		(void)close(at);
	return fd;
}

void descriptor_link(int fd, char out[DESCRIPTOR_LINK_BYTES])
{
	(void)snprintf(out, DESCRIPTOR_LINK_BYTES, "/proc/thread-self/fd/%d", fd);
}

char *descriptor_path(int fd)
{
	char name[DESCRIPTOR_LINK_BYTES];
	char target[PATH_MAX];
	ssize_t n;

	descriptor_link(fd, name);
	n = readlink(name, target, sizeof(target));
	if (n <= 0 || n >= (ssize_t)sizeof(target) || target[0] != '/')
		return NULL;
	return strndup(target, (size_t)n);
}

bool path_is_below(const char *path, const char *folder)
{
	size_t size = strlen(folder);

	if (size == 1)
		return path[0] == '/';
	return strncmp(path, folder, size) == 0 && (path[size] == 0 || path[size] == '/');
}
