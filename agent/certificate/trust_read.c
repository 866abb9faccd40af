/* Trust stores as bytes from disk, unparsed: the half that main does. */
#include "agent/certificate/trust.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define READ_BYTES 65536
#define FOLDER_FILES_MAX 10000
#define SOURCE_BYTES 128

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
	/* The next file's first line must not join this one's last, nor the last section of p11-kit's go on. */
	buffer_byte(out, '\n');
	buffer_byte(out, 0);
	return buffer_status(out);
}

typedef int filter_fn(const struct dirent *entry);

static int not_hidden(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static int is_p11kit(const struct dirent *entry)
{
	static const char end[] = ".p11-kit";
	size_t size = strlen(entry->d_name);

	return not_hidden(entry) && size > strlen(end) &&
	       strcmp(entry->d_name + size - strlen(end), end) == 0;
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

static enum err read_folder(
	int fd, const char *path, filter_fn *filter, struct buffer *out, struct why *why)
{
	struct dirent **entries = NULL;
	int count = scandirat(fd, ".", &entries, filter, alphasort);
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
		e = read_folder(fd, path, not_hidden, out, why);
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

/* Those of p11-kit's trust module (p11-kit trust/module.c) on most distributions. */
static const char *const sources[] = { "/etc/pki/ca-trust/source", "/usr/share/pki/ca-trust-source",
	"/etc/ca-certificates/trust-source", "/usr/share/ca-certificates/trust-source",
	"/etc/pki/trust", "/usr/share/pki/trust" };

static enum err read_source(
	const char *path, filter_fn *filter, struct buffer *out, struct why *why)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_DIRECTORY);
	enum err e;

	if (fd < 0)
		return errno == ENOENT || errno == ENOTDIR ? ERR_OK : failed(why, path, errno);
	e = read_folder(fd, path, filter, out, why);
	(void)close(fd);
	return e;
}

enum err trust_read_attributes(struct buffer *out, struct why *why)
{
	enum err e = ERR_OK;

	for (size_t i = 0; e == ERR_OK && i < sizeof(sources) / sizeof(*sources); i++)
		e = read_source(sources[i], is_p11kit, out, why);
	return e;
}

enum err trust_read_distrusted(struct buffer *out, struct why *why)
{
	static const char *const blocked[] = { "blocklist", "blacklist" };
	char path[SOURCE_BYTES];
	enum err e = ERR_OK;

	for (size_t i = 0; e == ERR_OK && i < sizeof(sources) / sizeof(*sources); i++)
		for (size_t k = 0; e == ERR_OK && k < sizeof(blocked) / sizeof(*blocked); k++) {
			(void)snprintf(path, sizeof(path), "%s/%s", sources[i], blocked[k]);
			e = read_source(path, not_hidden, out, why);
		}
	return e;
}
