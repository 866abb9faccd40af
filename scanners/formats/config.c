/* What the configuration languages share. */
#include "scanners/formats/config.h"

#include "agent/base/text.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#define FILE_SCHEME "file://"
#define NAME_BYTES_MAX 253 /* RFC 1035 2.3.4 */
#define DRAFTS_STEP 8

/* --- where it lies ----------------------------------------------------------------------------- */

/* Folders that programs read nothing from, and ends of names that editors and packages leave behind. */
static const char *const idle_folders[] = { "/sites-available/", "/conf-available/",
	"/mods-available/", "/examples/", "/example/", "/samples/", "/sample/", "/doc/", "/docs/",
	"/test/", "/tests/", "/testdata/", "/templates/", "/backup/", "/backups/", "/.git/",
	"/node_modules/", "/share/" };
static const char *const idle_ends[] = { "~", ".bak", ".orig", ".old", ".save", ".dpkg-dist",
	".dpkg-old", ".dpkg-new", ".ucf-dist", ".ucf-old", ".rpmnew", ".rpmsave", ".rpmorig",
	".disabled", ".sample", ".example", ".default", ".in", ".j2", ".tmpl", ".erb", ".dist",
	".template", ".swp", ".md", ".rst", ".txt", ".html" };

static bool ends_with(const char *text, const char *end)
{
	size_t size = strlen(text);
	size_t tail = strlen(end);

	return size >= tail && strcasecmp(text + size - tail, end) == 0;
}

static bool is_active_path(const char *path)
{
	const char *etc = strstr(path, "/etc/");

	for (size_t i = 0; i < sizeof(idle_folders) / sizeof(idle_folders[0]); i++)
		if (strstr(path, idle_folders[i]))
			return false;
	for (size_t i = 0; i < sizeof(idle_ends) / sizeof(idle_ends[0]); i++)
		if (ends_with(path, idle_ends[i]))
			return false;
	/* An etc below another root is a container's or an image's: its names are meant from there. */
	return !etc || etc == path;
}

static char *path_of(const char *uri)
{
	struct buffer path;
	char *out = NULL;

	if (strncmp(uri, FILE_SCHEME, strlen(FILE_SCHEME)) != 0)
		return NULL;
	buffer_init(&path, RECORD_TEXT_BYTES_MAX);
	if (text_uri_decode(&path, slice_text(uri + strlen(FILE_SCHEME))) && path.size &&
		!memchr(path.data, 0, path.size))
		out = buffer_take_string(&path);
	buffer_fini(&path);
	return out;
}

static void cut_last(char *path)
{
	char *slash = strrchr(path, '/');

	if (slash)
		slash[slash == path] = 0;
}

/* As much of a text as is read of one, up to the end of a line. */
static struct slice start_of(const struct format_input *in)
{
	struct slice start = slice_of(in->bytes.data, (size_t)format_limits_of(in)->config_bytes);
	const uint8_t *end = start.size ? memrchr(start.data, '\n', start.size) : NULL;

	return end ? slice_of(start.data, (size_t)(end - start.data) + 1) : start;
}

/* Longer than is read: is it one, by all that is there, or by the start of one that is too long to be sent whole? */
static bool is_long_one(struct config *c, bool (*read)(struct config *c))
{
	const struct format_input *in = c->in;
	struct format_input start = *in;
	bool is_mine = read(c) && c->count;

	if (is_mine)
		return true;
	start.bytes = start_of(in);
	c->in = &start;
	c->is_cut = true;
	c->count = 0;
	is_mine = read(c) && c->count;
	c->in = in;
	return is_mine;
}

static bool tell_long(struct config *c, bool (*read)(struct config *c))
{
	if (!is_long_one(c, read))
		return false;
	c->status = format_limited(c->sink,
		"a configuration longer than is read: what it names is not known", "config_size");
	return true;
}

static bool tell_all(struct config *c, bool (*read)(struct config *c))
{
	bool is_mine = read(c) && c->count;

	c->is_first = false;
	c->count = 0;
	if (is_mine)
		(void)read(c);
	return is_mine;
}

enum format_answer config_parse(const struct format_input *in, const struct format_sink *sink,
	bool (*read)(struct config *c))
{
	struct config c = { .in = in, .sink = sink, .is_first = true };
	bool is_mine;

	if (in->depth || !in->uri || !sink->reference || memchr(in->bytes.data, 0, in->bytes.size))
		return FORMAT_NOT_MINE;
	c.own = path_of(in->uri);
	if (!c.own)
		return FORMAT_NOT_MINE;
	c.is_active = is_active_path(c.own);
	cut_last(c.own);
	is_mine = in->bytes.size > format_limits_of(in)->config_bytes ? tell_long(&c, read)
								      : tell_all(&c, read);
	free(c.base);
	free(c.own);
	return is_mine ? FORMAT_MINE : FORMAT_NOT_MINE;
}

void config_base(struct config *c, struct slice value)
{
	char *base;

	if (!value.size || value.data[0] != '/' || value.size > CONFIG_WORD_BYTES_MAX)
		return;
	base = string_of(value);
	if (!base)
		return;
	free(c->base);
	c->base = base;
}

void config_base_above(struct config *c, const char *const *folders, size_t count)
{
	const char *last = strrchr(c->own, '/');

	for (size_t i = 0; last && i < count; i++)
		if (strcmp(last + 1, folders[i]) == 0)
			config_base(
				c, slice_of(c->own, last == c->own ? 1 : (size_t)(last - c->own)));
}

/* --- references -------------------------------------------------------------------------------- */

static bool names_file(struct slice s)
{
	if (!s.size || s.size > CONFIG_WORD_BYTES_MAX || s.data[0] == '-' || s.data[0] == '|')
		return false;
	/* Variables, patterns, templates; "engine:", "pkcs11:", "data:" and the like before any slash. */
	for (size_t i = 0; i < s.size; i++)
		if (s.data[i] < ' ' || strchr("$%*?{}<>\"'`\\", s.data[i]))
			return false;
	for (size_t i = 0; i < s.size && s.data[i] != '/'; i++)
		if (s.data[i] == ':')
			return false;
	return true;
}

/* "/a/./b//../c" to "/a/c", as text: links are not known here. */
static void normalise(char *path)
{
	char *to = path;
	const char *from = path;

	while (*from) {
		size_t size;

		from += strspn(from, "/");
		size = strcspn(from, "/");
		if (size == 2 && from[0] == '.' && from[1] == '.') {
			while (to > path && *--to != '/')
				continue;
		} else if (size && !(size == 1 && from[0] == '.')) {
			*to++ = '/';
			memmove(to, from, size);
			to += size;
		}
		from += size;
	}
	if (to == path)
		*to++ = '/';
	*to = 0;
}

static char *uri_of(const struct config *c, struct slice base, struct slice file)
{
	struct buffer path;
	struct buffer uri;
	char *text;
	char *out = NULL;

	buffer_init(&path, 4 * CONFIG_WORD_BYTES_MAX);
	buffer_init(&uri, RECORD_TEXT_BYTES_MAX);
	if (file.data[0] != '/') {
		if (base.size && base.data[0] == '/')
			buffer_slice(&path, base);
		else
			buffer_text(&path, c->base ? c->base : c->own);
		buffer_byte(&path, '/');
	}
	buffer_slice(&path, file);
	text = buffer_take_string(&path);
	if (text) {
		normalise(text);
		buffer_text(&uri, FILE_SCHEME);
		text_uri_encode(&uri, slice_text(text));
		out = buffer_take_string(&uri);
	}
	free(text);
	buffer_fini(&path);
	buffer_fini(&uri);
	return out;
}

/* Where its password is: in a file that is named, or in the text itself. */
static char *password_place(const struct config *c, const struct draft *d)
{
	if (names_file(d->password_file))
		return uri_of(c, d->base, d->password_file);
	return d->passwords[0].size || d->passwords[1].size ? string_of(slice_text(c->in->uri))
							    : NULL;
}

static void tell_passwords(const struct config *c, const struct draft *d, const char *file)
{
	const struct format_sink *sink = c->sink;

	for (size_t i = 0; sink->password && file && i < 2; i++)
		if (d->passwords[i].size)
			sink->password(sink->arg, file, d->passwords[i]);
}

static void tell(struct config *c, const struct draft *d)
{
	struct reference_record r = { .role = d->role, .line = d->line, .is_active = c->is_active };

	r.directive = text_escaped(d->directive);
	if (d->file.size)
		r.file = uri_of(c, d->base, d->file);
	r.password_file = password_place(c, d);
	r.is_folder = d->is_folder || (d->file.size && d->file.data[d->file.size - 1] == '/');
	if (d->names)
		r.names = *d->names; /* lent */
	for (size_t i = 0; i < d->ports_count && i < REFERENCE_PORTS_MAX; i++)
		r.ports[r.ports_count++] = d->ports[i];
	if (!r.directive || (d->file.size && !r.file))
		c->status = ERR_MEMORY;
	else
		c->status = c->sink->reference(c->sink->arg, &r);
	if (c->status == ERR_OK)
		tell_passwords(c, d, r.file);
	free(r.directive);
	free(r.file);
	free(r.password_file);
}

static bool holds_key(enum reference_role role)
{
	return role == REFERENCE_SERVER_KEY || role == REFERENCE_CLIENT_KEY ||
	       role == REFERENCE_KEYSTORE;
}

void config_password(struct config *c, struct slice password, struct slice file)
{
	if (password.size && password.size <= CONFIG_WORD_BYTES_MAX)
		c->password = password;
	if (file.size)
		c->password_file = file;
}

void config_limited(struct config *c, const char *what, const char *key)
{
	if (c->is_first || c->is_limited || c->status != ERR_OK)
		return;
	c->is_limited = true;
	c->status =
		key ? format_limited(c->sink, what, key)
		    : c->sink->problem(c->sink->arg, REASON_LIMIT_REACHED, slice_of(NULL, 0), what);
}

static bool is_full(struct config *c, size_t count)
{
	if (count < (size_t)format_limits_of(c->in)->references)
		return false;
	config_limited(c, "it names more files than are kept", "references");
	return true;
}

void config_keep(struct config *c, struct drafts *d, const struct draft *draft)
{
	struct draft *items = d->items;

	if (c->status != ERR_OK || !names_file(draft->file) || is_full(c, d->count))
		return;
	if (d->count == d->capacity) {
		size_t room = 2 * d->capacity + DRAFTS_STEP;

		items = reallocarray(items, room, sizeof(*items));
		if (!items) {
			c->status = ERR_MEMORY;
			return;
		}
		d->items = items;
		d->capacity = room;
	}
	items[d->count++] = *draft;
}

void drafts_fini(struct drafts *d)
{
	free(d->items);
	*d = (struct drafts){ 0 };
}

void config_add(struct config *c, const struct draft *d)
{
	if (c->status != ERR_OK || (d->role != REFERENCE_SERVER && !names_file(d->file)) ||
		is_full(c, c->count))
		return;
	c->count++;
	if (c->is_first)
		return;
	if (holds_key(d->role) && !d->password_file.size && !d->passwords[0].size) {
		struct draft with = *d;

		with.password_file = c->password_file;
		with.passwords[0] = c->password;
		tell(c, &with);
	} else {
		tell(c, d);
	}
}

/* In lower case; false for what is no DNS name. */
static bool is_name(struct slice name, char text[NAME_BYTES_MAX + 1])
{
	size_t from = name.size > 2 && name.data[0] == '*' && name.data[1] == '.' ? 2 : 0;

	if (name.size && name.data[name.size - 1] == '.')
		name.size--;
	if (name.size <= from || name.size > NAME_BYTES_MAX)
		return false;
	for (size_t i = 0; i < name.size; i++) {
		uint8_t b = name.data[i];

		if (i >= from && !isalnum(b) && b != '-' && b != '_' && b != '.')
			return false;
		text[i] = (char)tolower(b);
	}
	text[name.size] = 0;
	/* An empty label, an address, nginx's "_". */
	return text[from] != '.' && !strstr(text, "..") &&
	       strspn(text + from, "0123456789._") != strlen(text + from);
}

void config_add_name(struct config *c, struct strings *names, struct slice name)
{
	char text[NAME_BYTES_MAX + 1];

	if (c->status != ERR_OK || !is_name(name, text) || strings_contain(names, text))
		return;
	if (names->count >= (size_t)format_limits_of(c->in)->reference_names)
		config_limited(
			c, "it says more names of a server than are kept", "reference_names");
	else if (strings_add(names, text) != ERR_OK)
		c->status = ERR_MEMORY;
}

uint16_t config_port(struct slice text)
{
	unsigned port = 0;
	size_t at = text.size;

	while (at && isdigit(text.data[at - 1]))
		at--;
	if (at == text.size || text.size - at > 5 || (at && text.data[at - 1] != ':'))
		return 0;
	for (; at < text.size; at++)
		port = port * 10 + (unsigned)(text.data[at] - '0');
	return port <= UINT16_MAX ? (uint16_t)port : 0;
}

void config_add_port(struct config *c, uint16_t *ports, size_t *count, uint16_t port)
{
	for (size_t i = 0; i < *count; i++)
		if (ports[i] == port)
			return;
	if (!port)
		return;
	if (*count >= (size_t)format_limits_of(c->in)->reference_ports)
		config_limited(
			c, "it says more ports of a server than are kept", "reference_ports");
	else
		ports[(*count)++] = port;
}

/* --- reading lines and words ------------------------------------------------------------------- */

bool config_line(struct slice *left, struct slice *out, uint32_t *line)
{
	const uint8_t *end;
	size_t size;

	if (!left->size)
		return false;
	end = memchr(left->data, '\n', left->size);
	size = end ? (size_t)(end - left->data) : left->size;
	*out = slice_of(left->data, size && left->data[size - 1] == '\r' ? size - 1 : size);
	*left = slice_after(*left, end ? size + 1 : size);
	(*line)++;
	return true;
}

struct slice config_trim(struct slice s)
{
	while (s.size && (s.data[0] == ' ' || s.data[0] == '\t'))
		s = slice_of(s.data + 1, s.size - 1);
	while (s.size && (s.data[s.size - 1] == ' ' || s.data[s.size - 1] == '\t'))
		s.size--;
	return s;
}

struct slice config_word(struct slice *line)
{
	struct slice rest = config_trim(*line);
	const uint8_t *end;
	size_t size = 0;

	if (rest.size && (rest.data[0] == '"' || rest.data[0] == '\'')) {
		end = memchr(rest.data + 1, rest.data[0], rest.size - 1);
		if (end) {
			size = (size_t)(end - rest.data) - 1;
			*line = slice_after(rest, size + 2);
			return slice_of(rest.data + 1, size);
		}
	}
	while (size < rest.size && rest.data[size] != ' ' && rest.data[size] != '\t')
		size++;
	*line = slice_after(rest, size);
	return slice_of(rest.data, size);
}

struct slice config_listed(struct slice *line)
{
	struct slice rest = *line;
	size_t size = 0;

	while (rest.size && (isblank(rest.data[0]) || rest.data[0] == ','))
		rest = slice_after(rest, 1);
	while (size < rest.size && !isblank(rest.data[size]) && rest.data[size] != ',')
		size++;
	*line = slice_after(rest, size);
	return slice_of(rest.data, size);
}

bool config_is(struct slice s, const char *word)
{
	return s.size == strlen(word) && memcmp(s.data, word, s.size) == 0;
}

bool config_is_any_case(struct slice s, const char *word)
{
	return s.size == strlen(word) && strncasecmp((const char *)s.data, word, s.size) == 0;
}
