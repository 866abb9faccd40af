/* What files, processes and places tell of a certificate on disk. */
#include "agent/served_internal.h"

#include "agent/base/buffer.h"
#include "agent/base/text.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_SCHEME "file://"
#define MEMBER "!/"
#define COMMAND_BYTES_MAX (64 * 1024)
#define LINKS_MAX 65536
#define PROC_PATH_BYTES 320
#define DELETED " (deleted)"

/* ---- places ------------------------------------------------------------------------------------- */

char *served_path(const char *uri)
{
	const char *end;
	struct buffer path;

	if (strncmp(uri, FILE_SCHEME, strlen(FILE_SCHEME)) != 0)
		return NULL;
	uri += strlen(FILE_SCHEME);
	end = strstr(uri, MEMBER);
	buffer_init(&path, PATH_MAX);
	if (!text_uri_decode(&path, slice_of(uri, end ? (size_t)(end - uri) : strlen(uri)))) {
		buffer_fini(&path);
		return NULL;
	}
	return buffer_take_string(&path);
}

bool served_is_same_folder(const char *a, const char *b)
{
	const char *end_a = strrchr(a, '/');
	const char *end_b = strrchr(b, '/');

	return end_a && end_b && end_a - a == end_b - b && strncmp(a, b, (size_t)(end_a - a)) == 0;
}

static bool is_history_folder(const char *part, size_t size)
{
	static const char *const folders[] = { "archive", "archives", "backup", "backups", "bak",
		"old", ".snapshot", ".snapshots" };

	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++)
		if (strlen(folders[i]) == size && strncasecmp(part, folders[i], size) == 0)
			return true;
	return false;
}

/* "api.pem.bak", "api.pem~", "api.pem.2026-01-01", "api.pem.1" */
static bool is_history_name(const char *name)
{
	static const char *const suffixes[] = { ".bak", ".backup", ".old", ".orig", ".save",
		".dpkg-old", ".dpkg-bak", ".rpmsave", ".rpmorig", "~", "%7E" };
	size_t size = strlen(name);
	const char *dot = strrchr(name, '.');

	for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++)
		if (size > strlen(suffixes[i]) &&
			strcasecmp(name + size - strlen(suffixes[i]), suffixes[i]) == 0)
			return true;
	return dot && dot != name && dot[1] && strspn(dot + 1, "0123456789-_T") == strlen(dot + 1);
}

bool served_is_history(const char *uri)
{
	const char *last = strrchr(uri, '/');

	for (const char *at = strchr(uri, '/'); at && at < last; at = strchr(at + 1, '/'))
		if (is_history_folder(at + 1, strcspn(at + 1, "/")))
			return true;
	return last && is_history_name(last + 1);
}

/* ---- files -------------------------------------------------------------------------------------- */

int64_t served_changed_at(const char *uri)
{
	char *path = served_path(uri);
	int64_t at = TIME_UNKNOWN;
	struct stat file;
	struct stat link;

	/* The time of the last change of status, not of content: what was moved or copied here keeps the
	 * latter from where it came. A link that was switched is younger than what it names. */
	if (path && stat(path, &file) == 0 && lstat(path, &link) == 0)
		at = file.st_ctime > link.st_ctime ? file.st_ctime : link.st_ctime;
	free(path);
	return at;
}

/* ---- processes ---------------------------------------------------------------------------------- */

/* Does the path stand in one of the arguments, not as the start of a longer one? */
static bool is_named(const char *command, size_t size, const char *path)
{
	size_t length = strlen(path);
	const char *at = command;

	while ((at = memmem(at, size - (size_t)(at - command), path, length))) {
		const char *end = at + length;

		if (end == command + size ||
			!(isalnum((unsigned char)*end) || strchr("._-/", *end)))
			return true;
		/* strchr finds the NUL between two arguments, too. */
		if (!*end)
			return true;
		at = end;
	}
	return false;
}

static void look_at_command(const char *proc, uint32_t pid, const char *path, struct lying *l)
{
	char name[PROC_PATH_BYTES];
	char *command = malloc(COMMAND_BYTES_MAX);
	size_t size = 0;
	FILE *f;

	(void)snprintf(name, sizeof(name), "%s/%u/cmdline", proc, pid);
	f = command ? fopen(name, "re") : NULL;
	if (f) {
		size = fread(command, 1, COMMAND_BYTES_MAX, f);
		(void)fclose(f);
	}
	l->is_on_command = size && is_named(command, size, path);
	free(command);
}

static void look_at_link(const char *link, const char *path, struct lying *l)
{
	size_t size = strlen(path);

	if (strncmp(link, path, size) != 0)
		return;
	l->is_open |= !link[size];
	l->is_deleted |= strcmp(link + size, DELETED) == 0;
}

static void look_at_descriptors(const char *proc, uint32_t pid, const char *path, struct lying *l)
{
	char name[PROC_PATH_BYTES];
	char link[PATH_MAX];
	const struct dirent *entry;
	DIR *links;

	(void)snprintf(name, sizeof(name), "%s/%u/fd", proc, pid);
	links = opendir(name);
	for (unsigned i = 0; links && i < LINKS_MAX && (entry = readdir(links)); i++) {
		ssize_t size = readlinkat(dirfd(links), entry->d_name, link, sizeof(link) - 1);

		if (size <= 0)
			continue;
		link[size] = '\0';
		look_at_link(link, path, l);
	}
	if (links)
		(void)closedir(links);
}

void served_look_at_process(const char *proc, uint32_t pid, struct lying *l)
{
	char *path = pid ? served_path(l->uri) : NULL;

	if (!path)
		return;
	look_at_command(proc, pid, path, l);
	look_at_descriptors(proc, pid, path, l);
	free(path);
}
