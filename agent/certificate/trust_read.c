/* Trust stores as bytes from disk, unparsed: the half that main does. */
#include "agent/certificate/trust.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define READ_BYTES 65536
#define FOLDER_FILES_MAX 10000

static enum err failed(struct why *why, const char *path, int number)
{
	enum err e = number == EACCES || number == EPERM ? ERR_DENIED
		     : number == ENOENT                  ? ERR_NOT_FOUND
							 : ERR_IO;

	return why_fail(why, e, "%s: %s", path, strerror(number));
}

static enum err read_open(int fd, const char *path, struct buffer *out, struct why *why)
{
	for (;;) {
		uint8_t chunk[READ_BYTES];
		ssize_t got = read(fd, chunk, sizeof(chunk));

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return failed(why, path, errno);
		if (got == 0)
			break;
		buffer_append(out, chunk, (size_t)got);
		if (buffer_status(out) == ERR_LIMIT)
			return why_fail(
				why, ERR_LIMIT, "%s: more than a trust store may hold", path);
		if (buffer_status(out) != ERR_OK)
			return buffer_status(out);
	}
	/* The next file's first line must not join this one's last. */
	buffer_byte(out, '\n');
	return buffer_status(out);
}

static int not_hidden(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

/* Links are followed: a folder of anchors consists of them (c_rehash), and it is the administrator's. */
static enum err read_member(int folder, const char *name, struct buffer *out, struct why *why)
{
	int fd = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat st;
	enum err e = ERR_OK;

	/* A link to nowhere, say, takes no anchor away from the others. */
	if (fd < 0)
		return errno == ENOENT || errno == ELOOP ? ERR_OK : failed(why, name, errno);
	if (fstat(fd, &st) != 0)
		e = failed(why, name, errno);
	else if (S_ISREG(st.st_mode))
		e = read_open(fd, name, out, why);
	(void)close(fd);
	return e;
}

static enum err read_folder(int fd, const char *path, struct buffer *out, struct why *why)
{
	struct dirent **entries = NULL;
	int count = scandirat(fd, ".", &entries, not_hidden, alphasort);
	enum err e = ERR_OK;

	if (count < 0)
		return failed(why, path, errno);
	if (count > FOLDER_FILES_MAX)
		e = why_fail(why, ERR_LIMIT, "%s: more than %d files", path, FOLDER_FILES_MAX);
	for (int i = 0; i < count; i++) {
		if (e == ERR_OK)
			e = read_member(fd, entries[i]->d_name, out, why);
		free(entries[i]);
	}
	free(entries);
	return e;
}

enum err trust_read(const char *path, struct buffer *out, struct why *why)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat st;
	enum err e;

	if (fd < 0)
		return failed(why, path, errno);
	if (fstat(fd, &st) != 0)
		e = failed(why, path, errno);
	else if (S_ISDIR(st.st_mode))
		e = read_folder(fd, path, out, why);
	else if (S_ISREG(st.st_mode))
		e = read_open(fd, path, out, why);
	else
		e = why_fail(why, ERR_UNSUPPORTED, "%s: neither a file nor a folder", path);
	(void)close(fd);
	return e;
}

const char *trust_system_path(void)
{
	/* Debian and Alpine, Fedora and RHEL, SUSE, older RHEL. */
	static const char *const paths[] = { "/etc/ssl/certs/ca-certificates.crt",
		"/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", "/etc/ssl/ca-bundle.pem",
		"/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem" };

	for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++)
		if (access(paths[i], R_OK) == 0)
			return paths[i];
	return NULL;
}
