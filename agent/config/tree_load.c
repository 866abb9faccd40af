/* Files and folders of configuration into a tree. */
#include "agent/config/read_file.h"
#include "agent/config/tree_internal.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PATH_BYTES_MAX 8192

enum err tree_load(struct tree *t, const char *path, struct why *why)
{
	struct buffer text;
	enum err e;

	e = read_file(path, CONFIG_BYTES_MAX, &text, why);
	if (e == ERR_LIMIT)
		e = place_fail((struct place){ path, 1, 1 }, why, "the file is over %d bytes long",
			CONFIG_BYTES_MAX);
	if (e == ERR_OK)
		e = tree_parse(t, path, buffer_bytes(&text), why);
	buffer_wipe(&text);
	return e;
}

static bool ends_with(const char *name, const char *end)
{
	size_t length = strlen(name);
	size_t end_length = strlen(end);

	return length > end_length && strcmp(name + length - end_length, end) == 0;
}

static bool is_config_name(const char *name)
{
	return name[0] != '.' && (ends_with(name, ".yml") || ends_with(name, ".yaml"));
}

static enum err add_name(
	struct strings *names, const char *folder, const char *name, struct why *why)
{
	struct buffer path;
	enum err e;

	if (names->count >= CONFIG_FILES_MAX)
		return why_fail(
			why, ERR_CONFIG, "%s: more than %d files", folder, CONFIG_FILES_MAX);
	buffer_init(&path, PATH_BYTES_MAX);
	buffer_format(&path, "%s%s%s", folder, ends_with(folder, "/") ? "" : "/", name);
	e = strings_take(names, buffer_take_string(&path));
	return e == ERR_OK ? e : why_fail(why, e, "out of memory");
}

static enum err list_folder(DIR *dir, const char *path, struct strings *names, struct why *why)
{
	const struct dirent *entry;
	enum err e = ERR_OK;

	while (e == ERR_OK) {
		errno = 0;
		entry = readdir(dir);
		if (!entry)
			return errno ? read_file_fail(path, errno, why) : ERR_OK;
		if (is_config_name(entry->d_name))
			e = add_name(names, path, entry->d_name, why);
	}
	return e;
}

/* strcmp is the C locale's order whatever the locale is. */
static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

enum err tree_load_folder(struct tree *t, const char *path, struct why *why)
{
	struct strings names = { 0 };
	enum err e;
	DIR *dir = opendir(path);

	if (!dir)
		return errno == ENOENT ? ERR_OK : read_file_fail(path, errno, why);
	e = list_folder(dir, path, &names, why);
	(void)closedir(dir);
	if (names.count)
		qsort(names.items, names.count, sizeof(char *), compare_names);
	for (size_t i = 0; e == ERR_OK && i < names.count; i++)
		e = tree_load(t, names.items[i], why);
	strings_fini(&names);
	return e;
}
