/* Secrets: inline, from a file, or from a systemd credential. */
#include "agent/config/read_file.h"
#include "agent/config/schema_internal.h"

#include <stdlib.h>
#include <string.h>

#define CREDENTIAL "credential:"
#define CREDENTIAL_FOLDER "CREDENTIALS_DIRECTORY"
/* Line ends that editors and echo leave behind; more of them are content gone wrong. */
#define LINE_ENDS_MAX 16
#define PATH_BYTES_MAX 8192

bool secret_is_set(const struct secret *s)
{
	return s->value || s->file;
}

/* The name after "credential:", or NULL for a plain path. */
static const char *credential_name(const char *file)
{
	size_t length = strlen(CREDENTIAL);

	return strncmp(file, CREDENTIAL, length) == 0 ? file + length : NULL;
}

enum err secret_check_file(const char *file, struct why *why)
{
	const char *name = credential_name(file);

	if (!name)
		return ERR_OK;
	if (!*name || strchr(name, '/') || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return why_fail(why, ERR_CONFIG,
			"\"%s\" must name a credential by a file name without \"/\"", file);
	return ERR_OK;
}

enum err secret_path(const char *file, char **out, struct why *why)
{
	const char *name = credential_name(file);
	const char *folder = NULL;
	struct buffer path;
	enum err e;

	e = secret_check_file(file, why);
	if (e != ERR_OK)
		return e;
	if (name) {
		folder = getenv(CREDENTIAL_FOLDER);
		if (!folder || !*folder)
			return why_fail(why, ERR_CONFIG,
				"\"%s\" needs $%s, which is not set; LoadCredential= of a systemd "
				"unit sets it",
				file, CREDENTIAL_FOLDER);
	}
	buffer_init(&path, PATH_BYTES_MAX);
	if (name)
		buffer_format(&path, "%s/%s", folder, name);
	else
		buffer_text(&path, file);
	e = buffer_status(&path);
	if (e != ERR_OK) {
		buffer_fini(&path);
		return why_fail(why, e, "the path of a secret is too long");
	}
	*out = buffer_take_string(&path);
	return *out ? ERR_OK : why_fail(why, ERR_MEMORY, "out of memory");
}

static enum err read_value(const char *value, size_t max, struct buffer *out, struct why *why)
{
	size_t size = strlen(value);

	if (size > max)
		return why_fail(why, ERR_LIMIT, "a secret is over %zu bytes long", max);
	buffer_append(out, value, size);
	return buffer_status(out) == ERR_OK ? ERR_OK : why_fail(why, ERR_MEMORY, "out of memory");
}

static void strip_line_ends(struct buffer *b)
{
	while (b->size && (b->data[b->size - 1] == '\n' || b->data[b->size - 1] == '\r'))
		b->data[--b->size] = 0;
}

static enum err read_secret_file(const char *path, size_t max, struct buffer *out, struct why *why)
{
	enum err e = read_file(path, max + LINE_ENDS_MAX, out, why);

	/* "Not found" is kept for a secret that nobody gave. */
	if (e != ERR_OK)
		return e == ERR_NOT_FOUND ? ERR_IO : e;
	strip_line_ends(out);
	if (out->size > max)
		return why_fail(why, ERR_LIMIT, "%s: is too large", path);
	if (out->size && memchr(out->data, 0, out->size))
		return why_fail(why, ERR_CONFIG, "%s: holds a NUL byte", path);
	return ERR_OK;
}

enum err secret_read(const struct secret *s, size_t max, struct buffer *out, struct why *why)
{
	char *path = NULL;
	enum err e;

	buffer_init(out, max);
	if (s->value)
		return read_value(s->value, max, out, why);
	if (!s->file)
		return why_fail(why, ERR_NOT_FOUND, "no secret is given");
	e = secret_path(s->file, &path, why);
	if (e == ERR_OK)
		e = read_secret_file(path, max, out, why);
	if (e != ERR_OK)
		buffer_wipe(out);
	free(path);
	return e;
}
