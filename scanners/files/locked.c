/* A file once more, with what configurations say of its password: read together, for the parser to sort out. */
#include "scanners/files/walk.h"
#include "scanners/locked_finding.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define FILE_FLAGS (O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW)
#define STEP_BYTES (64 * 1024)

/* Opens what the path leads to; -1 unless that is a file below a root of the job. */
static int open_below_roots(struct worker *w, const char *path, struct stat *st)
{
	int fd = open(path, O_PATH | O_CLOEXEC);
	char *target = fd >= 0 ? descriptor_path(fd) : NULL;
	int file = -1;

	if (fd >= 0)
		(void)close(fd);
	if (target && walk_is_below_root(w->walk, target))
		file = open_without_links(target, FILE_FLAGS);
	free(target);
	if (file >= 0 && (fstat(file, st) != 0 || !S_ISREG(st->st_mode))) {
		(void)close(file);
		return -1;
	}
	return file;
}

/* Appends the whole file, for which there must be room: growing would leave copies behind. False where it
 * changed its size. */
static bool read_all(struct worker *w, int fd, const struct stat *st, struct buffer *out)
{
	size_t left = (size_t)st->st_size;

	while (left) {
		uint8_t *to = buffer_reserve(out, left);
		ssize_t n = to ? read(fd, to, left < STEP_BYTES ? left : STEP_BYTES) : 0;

		atomic_fetch_add_explicit(&w->steps, 1, memory_order_relaxed);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		out->size += (size_t)n;
		left -= (size_t)n;
	}
	return buffer_status(out) == ERR_OK;
}

static bool has_size_up_to(const struct stat *st, uint64_t max)
{
	return st->st_size >= 0 && (uint64_t)st->st_size <= max;
}

static bool read_source(struct worker *w, const char *path, size_t max, struct buffer *out)
{
	struct stat st;
	int fd = open_below_roots(w, path, &st);
	bool is_read = fd >= 0 && has_size_up_to(&st, max) &&
		       buffer_reserve(out, (size_t)st.st_size) && read_all(w, fd, &st, out);

	if (fd >= 0)
		(void)close(fd);
	return is_read;
}

static void put_source(
	const struct root *root, size_t which, struct slice bytes, struct buffer *all)
{
	struct locked_source s = { .is_configuration = root->are_configurations[which],
		.bytes = bytes };
	struct buffer uri;

	buffer_init(&uri, PLACE_BYTES_MAX);
	path_uri(&uri, slice_text(root->sources.items[which]));
	s.uri = (char *)(uintptr_t)buffer_string(&uri);
	if (buffer_status(&uri) == ERR_OK)
		locked_source_encode(all, &s);
	buffer_fini(&uri);
}

/* Sources that can be read, and then the file. */
static enum err tell_together(
	struct worker *w, const struct root *root, int fd, const struct stat *st)
{
	struct buffer all, sources[FORMAT_PASSWORD_SOURCES_CEILING];
	size_t size = (size_t)st->st_size + STEP_BYTES;
	bool is_read[FORMAT_PASSWORD_SOURCES_CEILING] = { false }, has_source = false;
	enum err e = ERR_OK;

	for (size_t i = 0; i < root->sources.count; i++) {
		size_t max = root->are_configurations[i] ? (size_t)w->walk->options.config_bytes_max
							 : LOCKED_PASSWORDS_BYTES_MAX;

		buffer_init(&sources[i], max);
		is_read[i] = read_source(w, root->sources.items[i], max, &sources[i]);
		has_source = has_source || is_read[i];
		size += sources[i].size + PLACE_BYTES_MAX + STEP_BYTES;
	}
	buffer_init(&all, size);
	if (has_source && buffer_reserve(&all, size - 1)) {
		for (size_t i = 0; i < root->sources.count; i++)
			if (is_read[i])
				put_source(root, i, buffer_bytes(&sources[i]), &all);
		locked_content(&all);
		if (read_all(w, fd, st, &all))
			e = tell_locked(w, st, buffer_bytes(&all));
	}
	for (size_t i = 0; i < root->sources.count; i++)
		buffer_wipe(&sources[i]);
	buffer_wipe(&all);
	return e;
}

enum err look_with_passwords(struct worker *w, const struct root *root)
{
	struct stat st;
	enum err e = ERR_OK;
	int fd = open_below_roots(w, root->path, &st);

	/* That it is not there, or not to be read, is told by others. */
	if (fd < 0)
		return ERR_OK;
	if (has_size_up_to(&st, w->walk->options.file_bytes_max))
		e = tell_together(w, root, fd, &st);
	(void)close(fd);
	return e;
}
