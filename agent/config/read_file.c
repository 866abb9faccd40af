/* A small file that the configuration names, read whole. */
#include "agent/config/read_file.h"

#include "agent/base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum err read_file_fail(const char *path, int error, struct why *why)
{
	char *clean = text_escaped(slice_text(path));
	enum err e = ERR_IO;

	if (error == ENOENT || error == ENOTDIR)
		e = ERR_NOT_FOUND;
	else if (error == EACCES || error == EPERM)
		e = ERR_DENIED;
	(void)why_fail(
		why, e, "%s: cannot be read: %s", clean ? clean : "a file", strerrordesc_np(error));
	free(clean);
	return e;
}

static enum err fail(const char *path, enum err e, struct why *why, const char *what)
{
	char *clean = text_escaped(slice_text(path));

	(void)why_fail(why, e, "%s: %s", clean ? clean : "a file", what);
	free(clean);
	return e;
}

static const char *kind_of(mode_t mode)
{
	if (S_ISDIR(mode))
		return "is a folder, not a file";
	if (S_ISFIFO(mode))
		return "is a named pipe, not a regular file";
	if (S_ISCHR(mode) || S_ISBLK(mode))
		return "is a device, not a regular file";
	return "is not a regular file";
}

static enum err read_all(int fd, const char *path, size_t max, struct buffer *out, struct why *why)
{
	/* One byte more than allowed tells a file that is too large or still growing. */
	uint8_t *to = buffer_reserve(out, max + 1);
	ssize_t got;

	if (!to)
		return why_fail(why, ERR_MEMORY, "out of memory");
	while (out->size <= max) {
		got = read(fd, to + out->size, max + 1 - out->size);
		if (got == 0)
			break;
		if (got > 0)
			out->size += (size_t)got;
		else if (errno != EINTR)
			return read_file_fail(path, errno, why);
	}
	if (out->size > max)
		return fail(path, ERR_LIMIT, why, "is too large");
	to[out->size] = 0;
	return ERR_OK;
}

enum err read_file(const char *path, size_t max, struct buffer *out, struct why *why)
{
	struct stat st;
	enum err e;
	int fd;

	buffer_init(out, max + 1);
	/* Opening a pipe without O_NONBLOCK would wait for a writer. */
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	/* ENXIO: a socket, or a device with nothing behind it. */
	if (fd < 0 && errno == ENXIO)
		return fail(path, ERR_CONFIG, why, "is not a regular file");
	if (fd < 0)
		return read_file_fail(path, errno, why);
	if (fstat(fd, &st) != 0)
		e = read_file_fail(path, errno, why);
	else if (!S_ISREG(st.st_mode))
		e = fail(path, ERR_CONFIG, why, kind_of(st.st_mode));
	else
		e = read_all(fd, path, max, out, why);
	(void)close(fd);
	if (e != ERR_OK)
		buffer_wipe(out);
	return e;
}
