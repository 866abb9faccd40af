/* From what is configured to what the token role is told: PINs read, modules found. */
#include "scanners/tokens/gather.h"

#include "agent/config/schema.h"
#include "scanners/tokens/modules.h"
#include "scanners/tokens/uri.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Another file, or a changed one, has another stamp; of what is in it the stamp tells nothing. */
static char *stamp_of(const char *path)
{
	struct stat s;
	char *stamp = NULL;

	if (stat(path, &s) != 0)
		return strdup("");
	if (asprintf(&stamp, "%llx.%llx.%llx.%llx.%lx.%llx.%lx", (unsigned long long)s.st_dev,
		    (unsigned long long)s.st_ino, (unsigned long long)s.st_size,
		    (unsigned long long)s.st_mtim.tv_sec, (unsigned long)s.st_mtim.tv_nsec,
		    (unsigned long long)s.st_ctim.tv_sec, (unsigned long)s.st_ctim.tv_nsec) < 0)
		return NULL;
	return stamp;
}

enum err token_pin_read(const char *file, struct token_pin *out, struct why *why)
{
	const struct secret secret = { .file = (char *)(uintptr_t)file };
	struct token_pin pin = { 0 };
	struct buffer bytes;
	char *path = NULL;
	enum err e = secret_path(file, &path, why);

	/* The stamp first: one that changes between is read anew next time. */
	if (e == ERR_OK)
		e = (pin.stamp = stamp_of(path)) ? ERR_OK : ERR_MEMORY;
	free(path);
	if (e == ERR_OK)
		e = secret_read(&secret, TOKEN_PIN_BYTES_MAX, &bytes, why);
	if (e != ERR_OK) {
		token_pin_fini(&pin);
		return e;
	}
	if (bytes.size)
		pin.text = strdup(buffer_string(&bytes));
	buffer_wipe(&bytes);
	if (!pin.text) {
		token_pin_fini(&pin);
		return why_fail(why, ERR_CONFIG, "the PIN file %s is empty", file);
	}
	*out = pin;
	return ERR_OK;
}

enum err token_pin_take(const char *file, struct token_pin *out)
{
	struct why why = { 0 };
	enum err e = token_pin_read(file, out, &why);

	if (e == ERR_OK || e == ERR_MEMORY)
		return e;
	out->complaint = strdup(why_text(&why, e));
	return out->complaint ? ERR_OK : ERR_MEMORY;
}

enum err token_pin_file_of(const char *uri, char **out, struct why *why)
{
	struct token_uri parts;
	enum err e = token_uri_parse(uri, &parts, why);

	if (e != ERR_OK)
		return e;
	e = token_uri_pin_file(&parts, out, why);
	token_uri_fini(&parts);
	return e;
}

/* --- modules and wishes ---------------------------------------------------------------------------- */

enum err token_add_module(struct token_work *w, const char *path)
{
	size_t max = w->modules_max ? w->modules_max : TOKEN_MODULES_MAX;

	if (strings_contain(&w->modules, path))
		return ERR_OK;
	if (w->modules.count < max)
		return strings_add(&w->modules, path);
	if (w->complaint)
		return ERR_OK;
	if (asprintf(&w->complaint,
		    "not loaded: %s, and what is named behind it; there are more than %zu modules (limits.token_modules)",
		    path, max) < 0) {
		w->complaint = NULL;
		return ERR_MEMORY;
	}
	w->is_limited = true;
	return ERR_OK;
}

enum err token_add_wish(struct token_work *w, const char *uri)
{
	struct token_wish *wish = &w->wishes[w->wishes_count];
	struct token_uri parts;
	const char *module;
	char *file = NULL;
	enum err e = token_uri_parse(uri, &parts, NULL);

	if (e != ERR_OK)
		return e;
	w->wishes_count++;
	wish->uri = strdup(uri);
	e = wish->uri ? token_uri_pin_file(&parts, &file, NULL) : ERR_MEMORY;
	if (e == ERR_OK && file)
		e = token_pin_take(file, &wish->pin);
	module = parts.values[TOKEN_MODULE_PATH].bytes;
	if (e == ERR_OK && module)
		e = token_add_module(w, module);
	token_uri_fini(&parts);
	free(file);
	return e;
}

enum err token_add_discovered(struct token_work *w)
{
	struct why why = { 0 };
	struct strings found = { 0 };
	enum err e =
		token_modules_find(token_module_folders, token_module_folders_count, &found, &why);

	if (e != ERR_OK && e != ERR_MEMORY) {
		free(w->complaint);
		w->complaint = strdup(why_text(&why, e));
		w->is_limited = e == ERR_LIMIT;
		e = w->complaint ? ERR_OK : ERR_MEMORY;
	}
	for (size_t i = 0; e == ERR_OK && i < found.count; i++)
		e = token_add_module(w, found.items[i]);
	strings_fini(&found);
	return e;
}
