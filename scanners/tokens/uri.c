/* pkcs11: URIs (RFC 7512). */
#include "scanners/tokens/uri.h"

#include "agent/base/buffer.h"
#include "agent/base/strings.h"
#include "agent/base/text.h"

#include <stdlib.h>
#include <string.h>

#define FILE_SCHEME "file:"

static const struct attribute {
	const char *name;
	enum token_attribute which;
	bool is_query;
} attributes[] = {
	{ "token", TOKEN_LABEL, false },
	{ "manufacturer", TOKEN_MANUFACTURER, false },
	{ "model", TOKEN_MODEL, false },
	{ "serial", TOKEN_SERIAL, false },
	{ "library-description", TOKEN_LIBRARY_DESCRIPTION, false },
	{ "library-manufacturer", TOKEN_LIBRARY_MANUFACTURER, false },
	{ "library-version", TOKEN_LIBRARY_VERSION, false },
	{ "object", TOKEN_OBJECT, false },
	{ "id", TOKEN_ID, false },
	{ "type", TOKEN_TYPE, false },
	{ "module-name", TOKEN_MODULE_NAME, true },
	{ "module-path", TOKEN_MODULE_PATH, true },
	{ "pin-source", TOKEN_PIN_SOURCE, true },
};

void token_uri_fini(struct token_uri *u)
{
	for (size_t i = 0; i < TOKEN_ATTRIBUTES_COUNT; i++)
		free(u->values[i].bytes);
	*u = (struct token_uri){ 0 };
}

static bool is_named(struct slice name, const char *text)
{
	return name.size == strlen(text) && memcmp(name.data, text, name.size) == 0;
}

static enum err refuse(struct slice name, bool is_query, struct why *why)
{
	if (is_named(name, "pin-value"))
		return why_fail(why, ERR_CONFIG,
			"a PIN in the URI would be seen by everybody: write pin-source=file:/path");
	if (slice_starts(name, "slot-", strlen("slot-")))
		return why_fail(why, ERR_CONFIG,
			"\"%.*s\" names a slot, not what is in it: name the token", (int)name.size,
			(const char *)name.data);
	return why_fail(why, ERR_CONFIG, "\"%.*s\" is no %s attribute of a pkcs11: URI",
		(int)name.size, (const char *)name.data, is_query ? "query" : "path");
}

static enum err keep_value(struct token_value *to, struct slice encoded, struct why *why)
{
	struct buffer bytes;
	enum err e = ERR_OK;

	buffer_init(&bytes, TOKEN_URI_BYTES_MAX);
	if (!text_uri_decode(&bytes, encoded))
		e = why_fail(why, ERR_CONFIG, "it has a broken percent escape");
	if (e == ERR_OK)
		e = buffer_status(&bytes);
	if (e == ERR_OK) {
		to->size = bytes.size;
		to->bytes = bytes.size ? buffer_take_string(&bytes) : calloc(1, 1);
		e = to->bytes ? ERR_OK : ERR_MEMORY;
	}
	buffer_fini(&bytes);
	return e;
}

static enum err take_attribute(
	struct token_uri *u, struct slice text, bool is_query, struct why *why)
{
	const uint8_t *equals = memchr(text.data, '=', text.size);
	struct slice name = slice_of(text.data, equals ? (size_t)(equals - text.data) : text.size);

	if (!equals)
		return why_fail(why, ERR_CONFIG, "\"%.*s\" in it has no value", (int)text.size,
			(const char *)text.data);
	for (size_t i = 0; i < sizeof(attributes) / sizeof(attributes[0]); i++) {
		const struct attribute *a = &attributes[i];

		if (a->is_query != is_query || !is_named(name, a->name))
			continue;
		if (u->values[a->which].bytes)
			return why_fail(why, ERR_CONFIG, "it says \"%s\" twice", a->name);
		return keep_value(&u->values[a->which], slice_after(text, name.size + 1), why);
	}
	return refuse(name, is_query, why);
}

static enum err take_attributes(
	struct token_uri *u, struct slice text, bool is_query, struct why *why)
{
	enum err e = ERR_OK;

	while (e == ERR_OK && text.size) {
		const uint8_t *end = memchr(text.data, is_query ? '&' : ';', text.size);
		size_t size = end ? (size_t)(end - text.data) : text.size;

		if (size == 0)
			return why_fail(why, ERR_CONFIG, "it has an empty attribute");
		e = take_attribute(u, slice_of(text.data, size), is_query, why);
		text = slice_after(text, size + 1);
	}
	return e;
}

static enum err check(const struct token_uri *u, const char *only, struct why *why)
{
	const struct token_value *type = &u->values[TOKEN_TYPE];
	const struct token_value *path = &u->values[TOKEN_MODULE_PATH];

	if (type->bytes && strcmp(type->bytes, only) != 0)
		return why_fail(why, ERR_CONFIG, "of the types only \"%s\" is read", only);
	if (path->bytes && path->bytes[0] != '/')
		return why_fail(why, ERR_CONFIG, "its module-path is not absolute");
	for (size_t i = TOKEN_MODULE_NAME; i < TOKEN_ATTRIBUTES_COUNT; i++)
		if (u->values[i].bytes && strlen(u->values[i].bytes) != u->values[i].size)
			return why_fail(why, ERR_CONFIG, "it has a NUL byte in a path or name");
	return ERR_OK;
}

static enum err parse(const char *text, const char *only, struct token_uri *out, struct why *why)
{
	struct token_uri u = { 0 };
	struct slice path, query = slice_of(NULL, 0);
	const uint8_t *mark;
	enum err e;

	if (strncmp(text, TOKEN_URI_SCHEME, strlen(TOKEN_URI_SCHEME)) != 0)
		return why_fail(why, ERR_CONFIG, "\"%s\" is no pkcs11: URI", text);
	path = slice_text(text + strlen(TOKEN_URI_SCHEME));
	if (path.size > TOKEN_URI_BYTES_MAX)
		return why_fail(why, ERR_CONFIG, "a pkcs11: URI is over %d bytes long",
			TOKEN_URI_BYTES_MAX);
	mark = memchr(path.data, '?', path.size);
	if (mark) {
		query = slice_after(path, (size_t)(mark - path.data) + 1);
		path.size = (size_t)(mark - path.data);
	}
	e = take_attributes(&u, path, false, why);
	if (e == ERR_OK)
		e = take_attributes(&u, query, true, why);
	if (e == ERR_OK)
		e = check(&u, only, why);
	if (e != ERR_OK) {
		token_uri_fini(&u);
		return e;
	}
	*out = u;
	return ERR_OK;
}

enum err token_uri_parse(const char *text, struct token_uri *out, struct why *why)
{
	return parse(text, "cert", out, why);
}

enum err token_uri_parse_key(const char *text, struct token_uri *out, struct why *why)
{
	return parse(text, "private", out, why);
}

static bool agree(const struct token_uri *wanted, const struct token_uri *there,
	enum token_attribute first, enum token_attribute last)
{
	for (size_t i = first; i <= last; i++) {
		const struct token_value *w = &wanted->values[i];
		const struct token_value *t = &there->values[i];

		if (w->bytes && (!t->bytes || w->size != t->size ||
					memcmp(w->bytes, t->bytes, w->size) != 0))
			return false;
	}
	return true;
}

bool token_uri_has_token(const struct token_uri *wanted, const struct token_uri *token)
{
	return agree(wanted, token, TOKEN_LABEL, TOKEN_LIBRARY_VERSION);
}

bool token_uri_has_object(const struct token_uri *wanted, const struct token_uri *object)
{
	return agree(wanted, object, TOKEN_OBJECT, TOKEN_ID);
}

bool token_uri_is_of_object(const struct token_uri *u)
{
	return u->values[TOKEN_OBJECT].bytes || u->values[TOKEN_ID].bytes;
}

bool token_uri_is_any(const struct token_uri *u)
{
	for (size_t i = 0; i < TOKEN_PIN_SOURCE; i++)
		if (u->values[i].bytes && i != TOKEN_TYPE)
			return false;
	return true;
}

/* RFC 7512 2.3: the module's name is its file's, without "lib" before it and the suffix after it. */
static bool has_name(const char *path, const char *wanted)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;
	size_t size;

	if (strncmp(name, "lib", 3) == 0 && strncmp(wanted, "lib", 3) != 0)
		name += 3;
	size = strcspn(name, ".");
	return strcmp(name, wanted) == 0 ||
	       (strlen(wanted) == size && strncmp(name, wanted, size) == 0);
}

bool token_uri_has_module(const struct token_uri *wanted, const char *path)
{
	const char *by_path = wanted->values[TOKEN_MODULE_PATH].bytes;
	const char *by_name = wanted->values[TOKEN_MODULE_NAME].bytes;

	return (!by_path || strcmp(by_path, path) == 0) && (!by_name || has_name(path, by_name));
}

bool token_uri_names_module(const struct token_uri *wanted)
{
	return wanted->values[TOKEN_MODULE_PATH].bytes || wanted->values[TOKEN_MODULE_NAME].bytes;
}

enum err token_uri_pin_file(const struct token_uri *u, char **out, struct why *why)
{
	const char *source = u->values[TOKEN_PIN_SOURCE].bytes;

	*out = NULL;
	if (!source)
		return ERR_OK;
	if (strncmp(source, FILE_SCHEME, strlen(FILE_SCHEME)) == 0) {
		source += strlen(FILE_SCHEME);
		/* file:/path and file:///path are the same (RFC 8089). */
		if (strncmp(source, "///", 3) == 0)
			source += 2;
	}
	if (source[0] != '/' && strncmp(source, "credential:", strlen("credential:")) != 0)
		return why_fail(why, ERR_CONFIG,
			"pin-source must be file:/path: \"%s\" is not read", source);
	*out = strdup(source);
	return *out ? ERR_OK : ERR_MEMORY;
}

char *token_uri_place(const char *text)
{
	return string_of(slice_of(text, strcspn(text, "?")));
}
