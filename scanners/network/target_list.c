/* Lines, or Prometheus' service discovery (prometheus.io/docs, file_sd_config and http_sd). */
#include "scanners/network/target_list.h"

#include "agent/base/slice.h"
#include "agent/config/yaml_stream.h"
#include "scanners/network/targets.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#define READ_BYTES (64 * 1024)
#define HEAD_BYTES (16 * 1024) /* looked through for what form it has */
#define LINE_BYTES_MAX (TARGET_SOURCE_BYTES_MAX + 256)
#define PIPE_MS 10000 /* for the next bytes of what is no file */

/* Where the walk through a discovery document is. */
enum walk { WALK_START, WALK_GROUPS, WALK_KEY, WALK_TARGETS, WALK_TARGET, WALK_SKIP, WALK_DONE };

struct target_list {
	/* Bytes of it, like read(2): 0 at the end, -1 with errno. */
	ssize_t (*read)(struct target_list *l, void *to, size_t size);
	struct slice text; /* borrowed: what is left of a list in memory */
	int fd;            /* owned, or -1 */
	char *name;        /* owned, for sentences; NULL: none is named */
	enum target_list_form form;
	bool is_known;
	bool has_ended; /* nothing more can be read */
	uint64_t line;
	struct yaml_stream *yaml; /* owned; NULL: lines */
	enum walk walk;
	unsigned depth; /* of what is skipped */
	size_t at;      /* in bytes */
	size_t size;
	char entry[LINE_BYTES_MAX + 1];
	uint8_t bytes[READ_BYTES];
};

bool target_list_is(const char *source)
{
	return source[0] == '@' || strcmp(source, "-") == 0;
}

/* ---- bytes ------------------------------------------------------------------------------------ */

static ssize_t read_text(struct target_list *l, void *to, size_t size)
{
	if (size > l->text.size)
		size = l->text.size;
	if (size)
		memcpy(to, l->text.data, size);
	l->text = slice_after(l->text, size);
	return (ssize_t)size;
}

static ssize_t read_fd(struct target_list *l, void *to, size_t size)
{
	ssize_t ret;

	while ((ret = read(l->fd, to, size)) < 0) {
		struct pollfd p = { .fd = l->fd, .events = POLLIN };

		if (errno == EINTR)
			continue;
		if (errno != EAGAIN)
			return -1;
		if (poll(&p, 1, PIPE_MS) == 0) {
			errno = ETIMEDOUT;
			return -1;
		}
	}
	return ret;
}

static enum err broken(const struct target_list *l, enum err e, const char *what, struct why *why)
{
	if (!l->name)
		return why_fail(why, e, "%s", what);
	return why_fail(why, e, "list of targets \"%s\": %s", l->name, what);
}

/* Reads on behind what is there, of which there is less than the buffer holds. */
static enum err fill(struct target_list *l, struct why *why)
{
	ssize_t ret;

	if (l->at) {
		memmove(l->bytes, l->bytes + l->at, l->size - l->at);
		l->size -= l->at;
		l->at = 0;
	}
	ret = l->read(l, l->bytes + l->size, sizeof(l->bytes) - l->size);
	if (ret < 0)
		return broken(l, ERR_IO, strerror(errno), why);
	l->has_ended = ret == 0;
	l->size += (size_t)ret;
	return ERR_OK;
}

/* What was read to recognise the form comes first. */
static ssize_t read_yaml(void *arg, void *to, size_t size)
{
	struct target_list *l = arg;
	size_t left = l->size - l->at;

	if (!left)
		return l->has_ended ? 0 : l->read(l, to, size);
	if (left > size)
		left = size;
	memcpy(to, l->bytes + l->at, left);
	l->at += left;
	return (ssize_t)left;
}

/* ---- which form it has ------------------------------------------------------------------------ */

/* The first byte that is neither blank nor comment; `end` when there is none. */
static const char *skip_blank(const char *text, const char *end)
{
	while (text < end && (isspace((unsigned char)*text) || *text == '#'))
		if (*text == '#')
			while (text < end && *text != '\n')
				text++;
		else
			text++;
	return text;
}

/* "[{" or "[]" is JSON, for "[::1]" is an address; "- x" or "---" is YAML. */
static bool is_discovery(const char *text, const char *end)
{
	if (end - text >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
		text += 3;
	text = skip_blank(text, end);
	if (text < end && *text == '{')
		return true;
	if (text < end && *text == '[') {
		text = skip_blank(text + 1, end);
		return text < end && (*text == '{' || *text == ']');
	}
	return end - text >= 3 && (memcmp(text, "---", 3) == 0 || memcmp(text, "- ", 2) == 0);
}

static enum err recognise(struct target_list *l, struct why *why)
{
	enum err e = ERR_OK;

	while (e == ERR_OK && !l->has_ended && l->size < HEAD_BYTES)
		e = fill(l, why);
	l->is_known = true;
	if (e == ERR_OK && is_discovery((char *)l->bytes, (char *)l->bytes + l->size))
		e = yaml_stream_new(read_yaml, l, &l->yaml);
	return e;
}

/* The target that a scrape target means: a URL's authority, or host and port as they are. */
static enum err as_target(char *entry, struct why *why)
{
	static const char https[] = "https://";
	char *authority, *at;

	if (strncasecmp(entry, "http://", 7) == 0)
		return why_fail(why, ERR_USAGE, "a http:// URL has no certificate to look at");
	if (strncasecmp(entry, https, strlen(https)) != 0)
		return ERR_OK;
	authority = entry + strlen(https);
	authority[strcspn(authority, "/?#")] = '\0';
	at = strrchr(authority, '@');
	authority = at ? at + 1 : authority;
	memmove(entry, authority, strlen(authority) + 1);
	return ERR_OK;
}

/* ---- lines ------------------------------------------------------------------------------------ */

/* The line without its comment and the blanks around it. A '#' opens a comment at the start or after a
 * blank. */
static char *trim(char *line)
{
	char *end;

	line += strspn(line, " \t\r\n\xef\xbb\xbf");
	for (char *p = line; *p; p++)
		if (*p == '#' && (p == line || isblank((unsigned char)p[-1])))
			*p = '\0';
	end = line + strlen(line);
	while (end > line && isspace((unsigned char)end[-1]))
		*--end = '\0';
	return line;
}

/* Takes the next line out of the buffer; true when it was too long to keep. ERR_END at the end. */
static enum err take_line(struct target_list *l, bool *is_cut, struct why *why)
{
	size_t kept = 0;

	*is_cut = false;
	for (;;) {
		uint8_t *from = l->bytes + l->at;
		const uint8_t *end = memchr(from, '\n', l->size - l->at);
		size_t size = end ? (size_t)(end - from) : l->size - l->at;
		size_t room = LINE_BYTES_MAX - kept;

		memcpy(l->entry + kept, from, size < room ? size : room);
		*is_cut = *is_cut || size > room;
		kept += size < room ? size : room;
		l->entry[kept] = '\0';
		l->at += end ? size + 1 : size;
		if (end)
			return ERR_OK;
		if (l->has_ended)
			return kept ? ERR_OK : ERR_END;
		if (fill(l, why) != ERR_OK)
			return ERR_IO;
	}
}

static enum err next_line(
	struct target_list *l, const char **entry, uint64_t *line, struct why *why)
{
	for (;;) {
		bool is_cut;
		enum err e = take_line(l, &is_cut, why);

		if (e != ERR_OK)
			return e;
		*line = ++l->line;
		if (is_cut)
			return why_fail(why, ERR_USAGE, "the line is too long for a target");
		if (l->form == TARGET_LIST_ENTRIES) {
			*entry = l->entry;
			return as_target(l->entry, why);
		}
		*entry = trim(l->entry);
		if (**entry)
			return ERR_OK;
	}
}

/* ---- discovery -------------------------------------------------------------------------------- */

static enum err take_target(struct target_list *l, struct slice text, struct why *why)
{
	bool is_raw = l->form == TARGET_LIST_DISCOVERY;

	if (text.size > TARGET_SOURCE_BYTES_MAX || memchr(text.data, '\0', text.size))
		return why_fail(why, ERR_USAGE, "too long for a target, or no text");
	if (text.size)
		memcpy(l->entry, text.data, text.size);
	l->entry[text.size] = '\0';
	return is_raw ? ERR_OK : as_target(l->entry, why);
}

static enum err unexpected(const struct target_list *l, uint64_t line, struct why *why)
{
	char text[128];

	(void)snprintf(text, sizeof(text),
		"line %llu: not of the form [{\"targets\": [\"HOST:PORT\"], \"labels\": {}}]",
		(unsigned long long)line);
	return broken(l, ERR_MALFORMED, text, why);
}

static enum err walk_key(struct target_list *l, enum yaml_part part, struct slice key)
{
	static const char targets[] = { 't', 'a', 'r', 'g', 'e', 't', 's' };

	l->depth = 0;
	if (part == YAML_MAP_ENDS)
		l->walk = WALK_GROUPS;
	else if (key.size == sizeof(targets) && memcmp(key.data, targets, key.size) == 0)
		l->walk = WALK_TARGETS;
	else
		l->walk = WALK_SKIP;
	return part == YAML_SCALAR || part == YAML_MAP_ENDS ? ERR_NOT_FOUND : ERR_MALFORMED;
}

static enum err walk_target(struct target_list *l, enum yaml_part part)
{
	if (part == YAML_SCALAR)
		return ERR_OK;
	if (part != YAML_LIST_ENDS)
		return ERR_MALFORMED;
	l->walk = WALK_KEY;
	return ERR_NOT_FOUND;
}

static enum err walk_over(struct target_list *l, enum yaml_part part)
{
	if (part == YAML_LIST || part == YAML_MAP)
		l->depth++;
	else if (part == YAML_LIST_ENDS || part == YAML_MAP_ENDS)
		l->depth--;
	if (l->depth == 0)
		l->walk = WALK_KEY;
	return ERR_NOT_FOUND;
}

/* One step; ERR_OK: an entry, ERR_NOT_FOUND: none yet. Labels and what else there is are passed over. */
static enum err walk(struct target_list *l, enum yaml_part part, struct slice text)
{
	switch (l->walk) {
	case WALK_START:
		l->walk = part == YAML_ENDS ? WALK_DONE : WALK_GROUPS;
		return part == YAML_ENDS   ? ERR_END
		       : part == YAML_LIST ? ERR_NOT_FOUND
					   : ERR_MALFORMED;
	case WALK_GROUPS:
		l->walk = part == YAML_MAP ? WALK_KEY : WALK_DONE;
		return part == YAML_MAP || part == YAML_LIST_ENDS ? ERR_NOT_FOUND : ERR_MALFORMED;
	case WALK_KEY:
		return walk_key(l, part, text);
	case WALK_TARGETS:
		l->walk = WALK_TARGET;
		return part == YAML_LIST ? ERR_NOT_FOUND : ERR_MALFORMED;
	case WALK_TARGET:
		return walk_target(l, part);
	case WALK_SKIP:
		return walk_over(l, part);
	case WALK_DONE:
		return part == YAML_ENDS ? ERR_END : ERR_MALFORMED;
	}
	return ERR_MALFORMED;
}

static enum err next_discovered(
	struct target_list *l, const char **entry, uint64_t *line, struct why *why)
{
	struct why inner = { 0 };

	for (;;) {
		enum yaml_part part;
		struct slice text;
		enum err e = yaml_stream_next(l->yaml, &part, &text, line, &inner);

		if (e != ERR_OK)
			return broken(l, e, why_text(&inner, e), why);
		e = walk(l, part, text);
		if (e == ERR_OK) {
			*entry = l->entry;
			return take_target(l, text, why);
		}
		if (e == ERR_MALFORMED)
			return unexpected(l, *line, why);
		if (e != ERR_NOT_FOUND)
			return e;
	}
}

/* ---- life ------------------------------------------------------------------------------------- */

enum err target_list_next(
	struct target_list *l, const char **entry, uint64_t *line, struct why *why)
{
	enum err e = l->is_known ? ERR_OK : recognise(l, why);

	if (e != ERR_OK)
		return e;
	return l->yaml ? next_discovered(l, entry, line, why) : next_line(l, entry, line, why);
}

enum err target_list_over(struct slice text, enum target_list_form form, struct target_list **out)
{
	struct target_list *l = calloc(1, sizeof(*l));
	enum err e = l ? ERR_OK : ERR_MEMORY;

	if (l) {
		l->fd = -1;
		l->read = read_text;
		l->text = text;
		l->form = form;
		l->is_known = form != TARGET_LIST_ANY;
	}
	if (e == ERR_OK && form == TARGET_LIST_DISCOVERY)
		e = yaml_stream_new(read_yaml, l, &l->yaml);
	if (e == ERR_OK)
		*out = l;
	else
		target_list_free(l);
	return e;
}

enum err target_list_open(const char *source, struct target_list **out, struct why *why)
{
	struct target_list *l = calloc(1, sizeof(*l));
	struct stat st;
	enum err e = ERR_OK;

	if (!l)
		return ERR_MEMORY;
	l->read = read_fd;
	l->fd = STDIN_FILENO;
	l->name = strdup(source[0] == '@' ? source + 1 : source);
	if (!l->name)
		e = ERR_MEMORY;
	if (e == ERR_OK && source[0] == '@')
		l->fd = open(l->name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (e == ERR_OK && (l->fd < 0 || fstat(l->fd, &st) != 0))
		e = broken(l, ERR_IO, strerror(errno), why);
	else if (e == ERR_OK && S_ISDIR(st.st_mode))
		e = broken(l, ERR_IO, "is a directory", why);
	if (e == ERR_OK)
		*out = l;
	else
		target_list_free(l);
	return e;
}

void target_list_free(struct target_list *l)
{
	if (!l)
		return;
	yaml_stream_free(l->yaml);
	if (l->fd > STDERR_FILENO)
		(void)close(l->fd);
	free(l->name);
	free(l);
}
