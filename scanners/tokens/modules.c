/* p11-kit's configuration of modules. */
#include "scanners/tokens/modules.h"

#include "agent/base/text.h"
#include "agent/config/read_file.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MODULE_FILE_BYTES_MAX (64 * 1024)
#define MODULE_SUFFIX ".module"
#define MODULE_FILES_MAX (2 * TOKEN_MODULES_CEILING)
#define PATH_BYTES_MAX 8192

const char *const token_module_folders[] = { "/etc/pkcs11/modules", "/usr/share/p11-kit/modules" };
const size_t token_module_folders_count = sizeof(token_module_folders) / sizeof(char *);

/* Debian's folders by architecture, others', and where modules are put by hand. */
const char *const token_library_folders[] = {
#if defined(__x86_64__)
	"/usr/lib/x86_64-linux-gnu/pkcs11",
#elif defined(__aarch64__)
	"/usr/lib/aarch64-linux-gnu/pkcs11",
#endif
	"/usr/lib64/pkcs11", "/usr/lib/pkcs11", "/usr/local/lib/pkcs11"
};
const size_t token_library_folders_count = sizeof(token_library_folders) / sizeof(char *);

/* What one *.module file says. */
struct description {
	struct slice module;
	bool is_trust_store;
	bool is_remote;
	bool is_for_some; /* enable-in: of named programs, of which this is none */
	bool is_disabled; /* disable-in: this program by name */
};

static bool is(struct slice s, const char *word)
{
	return s.size == strlen(word) && memcmp(s.data, word, s.size) == 0;
}

static struct slice trimmed(struct slice s)
{
	while (s.size && (s.data[0] == ' ' || s.data[0] == '\t'))
		s = slice_after(s, 1);
	while (s.size && strchr(" \t\r", s.data[s.size - 1]))
		s.size--;
	return s;
}

/* A list of program names, split by commas and blanks. */
static bool names_us(struct slice list)
{
	while (list.size) {
		size_t size = 0;

		while (size < list.size && !strchr(", \t", list.data[size]))
			size++;
		if (is(slice_of(list.data, size), "leafwatch"))
			return true;
		list = slice_after(list, size + 1);
	}
	return false;
}

static void take_line(struct description *d, struct slice line)
{
	const uint8_t *colon = line.size ? memchr(line.data, ':', line.size) : NULL;
	struct slice key, value;

	if (!colon || line.data[0] == '#')
		return;
	key = trimmed(slice_of(line.data, (size_t)(colon - line.data)));
	value = trimmed(slice_after(line, (size_t)(colon - line.data) + 1));
	if (is(key, "module"))
		d->module = value;
	else if (is(key, "trust-policy"))
		d->is_trust_store = is(value, "yes");
	else if (is(key, "remote"))
		d->is_remote = value.size > 0;
	else if (is(key, "enable-in"))
		d->is_for_some = !names_us(value);
	else if (is(key, "disable-in"))
		d->is_disabled = names_us(value);
}

static struct description describe(struct slice text)
{
	struct description d = { 0 };

	while (text.size) {
		const uint8_t *end = memchr(text.data, '\n', text.size);
		size_t size = end ? (size_t)(end - text.data) : text.size;

		take_line(&d, slice_of(text.data, size));
		text = slice_after(text, size + 1);
	}
	return d;
}

/* A module without a path lies in the first library folder that has it. */
static enum err locate(struct slice module, struct buffer *path)
{
	if (module.data[0] == '/') {
		buffer_slice(path, module);
		return buffer_status(path);
	}
	for (size_t i = 0; i < token_library_folders_count; i++) {
		buffer_clear(path);
		buffer_text(path, token_library_folders[i]);
		buffer_byte(path, '/');
		buffer_slice(path, module);
		if (buffer_status(path) != ERR_OK || access(buffer_string(path), F_OK) == 0)
			break;
	}
	return buffer_status(path);
}

static enum err add_module(struct slice module, struct strings *out, struct why *why)
{
	struct buffer path;
	enum err e;

	if (!text_is_clean(module))
		return ERR_OK;
	buffer_init(&path, TOKEN_MODULE_BYTES_MAX);
	e = locate(module, &path);
	if (e == ERR_OK && !strings_contain(out, buffer_string(&path)))
		e = out->count < TOKEN_MODULES_CEILING
			    ? strings_add(out, buffer_string(&path))
			    : why_fail(why, ERR_LIMIT, "p11-kit names more than %d modules",
				      TOKEN_MODULES_CEILING);
	buffer_fini(&path);
	return e;
}

static enum err read_module(
	const char *folder, const char *name, struct strings *out, struct why *why)
{
	char path[PATH_BYTES_MAX];
	struct description d;
	struct buffer text;
	enum err e;

	if ((size_t)snprintf(path, sizeof(path), "%s/%s", folder, name) >= sizeof(path))
		return why_fail(why, ERR_LIMIT, "%s: its name is too long", folder);
	e = read_file(path, MODULE_FILE_BYTES_MAX, &text, why);
	if (e == ERR_OK) {
		d = describe(buffer_bytes(&text));
		if (d.module.size && !d.is_trust_store && !d.is_remote && !d.is_for_some &&
			!d.is_disabled)
			e = add_module(d.module, out, why);
	}
	buffer_fini(&text);
	return e == ERR_NOT_FOUND ? ERR_OK : e;
}

static int is_module_file(const struct dirent *entry)
{
	size_t size = strlen(entry->d_name);

	return size > strlen(MODULE_SUFFIX) && entry->d_name[0] != '.' &&
	       strcmp(entry->d_name + size - strlen(MODULE_SUFFIX), MODULE_SUFFIX) == 0;
}

/* Sorted, so that the modules come in the same order each time. */
static enum err read_folder(
	const char *folder, struct strings *seen, struct strings *out, struct why *why)
{
	struct dirent **entries = NULL;
	int count = scandir(folder, &entries, is_module_file, alphasort);
	enum err first = ERR_OK;
	enum err e = ERR_OK;

	if (count < 0)
		return errno == ENOENT || errno == ENOTDIR ? ERR_OK
							   : read_file_fail(folder, errno, why);
	for (int i = 0; i < count; i++) {
		const char *name = entries[i]->d_name;

		if (e == ERR_OK && !strings_contain(seen, name)) {
			e = seen->count < MODULE_FILES_MAX
				    ? strings_add(seen, name)
				    : why_fail(why, ERR_LIMIT, "%s: more than %d files of modules",
					      folder, MODULE_FILES_MAX);
			if (e == ERR_OK)
				e = read_module(folder, name, out, why);
			if (e != ERR_OK && e != ERR_MEMORY) {
				first = first == ERR_OK ? e : first;
				e = ERR_OK;
			}
		}
		free(entries[i]);
	}
	free(entries);
	return e == ERR_OK ? first : e;
}

enum err token_modules_find(
	const char *const *folders, size_t count, struct strings *out, struct why *why)
{
	struct strings seen = { 0 };
	enum err first = ERR_OK;

	for (size_t i = 0; first != ERR_MEMORY && i < count; i++) {
		enum err e = read_folder(folders[i], &seen, out, why);

		first = first == ERR_OK || e == ERR_MEMORY ? e : first;
	}
	strings_fini(&seen);
	return first;
}
