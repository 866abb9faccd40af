/* One setting a line. */
#include "scanners/formats/config_lines.h"

#include <ctype.h>
#include <strings.h>

struct lines {
	struct config *config;
	const struct config_language *language;
	struct slice section;
	unsigned depth;       /* of blocks */
	struct strings names; /* owned: of the block under way that says them */
	unsigned names_depth; /* of that block; 0: none */
	uint32_t line;
	bool has_witness;
	bool is_continued; /* the line before ended in a backslash */
	/* The list under way, which the next line may go on with, or NULL. */
	const struct config_key *list;
	struct slice list_key;
};

static uint8_t folded(const struct config_language *l, uint8_t b)
{
	if (l->folds_dashes && b == '-')
		return '_';
	return l->is_any_case ? (uint8_t)tolower(b) : b;
}

static bool is_key(const struct config_language *l, struct slice s, const char *name)
{
	if (s.size != strlen(name))
		return false;
	for (size_t i = 0; i < s.size; i++)
		if (folded(l, s.data[i]) != folded(l, (uint8_t)name[i]))
			return false;
	return true;
}

static size_t key_size(struct slice s)
{
	size_t size = 0;

	while (size < s.size && (isalnum(s.data[size]) || strchr("_.-!/", s.data[size])) &&
		s.data[size])
		size++;
	return size;
}

/* The file's name in a value; empty where there is none. */
static struct slice file_of(const struct config_language *l, struct slice value)
{
	struct slice rest = value;
	struct slice word;

	if (l->lead) {
		if (!value.size || value.data[0] != (uint8_t)l->lead)
			return slice_of(NULL, 0);
		rest = config_trim(slice_after(value, 1));
	}
	word = config_word(&rest);
	rest = config_trim(rest);
	if (rest.size && !(l->has_late_comments && rest.data[0] == '#'))
		return slice_of(NULL, 0);
	return word;
}

/* "key = value", as the language has it. */
static bool split(
	const struct config_language *l, struct slice line, struct slice *key, struct slice *value)
{
	size_t size = key_size(line);
	struct slice rest = slice_after(line, size);
	bool is_blank = rest.size && (rest.data[0] == ' ' || rest.data[0] == '\t');

	if (!size)
		return false;
	*key = slice_of(line.data, size);
	rest = config_trim(rest);
	*value = rest;
	if (l->separator != CONFIG_BLANK && rest.size && rest.data[0] == '=') {
		*value = config_trim(slice_after(rest, 1));
		return true;
	}
	if (l->separator == CONFIG_EQUALS)
		return l->has_sections && !rest.size; /* a lone key, as in my.cnf */
	/* Where "=" may be left out, a value is one word: more of them are a sentence. */
	if (l->separator == CONFIG_EITHER && !file_of(l, rest).size)
		return false;
	return !rest.size || is_blank;
}

/* With the sign that stands before a file's name, what follows is a file here too. */
static void take_password(struct lines *s, struct slice key, struct slice value)
{
	const struct config_language *l = s->language;
	bool is_named = l->password_file_key && is_key(l, key, l->password_file_key);
	bool is_said = l->password_key && is_key(l, key, l->password_key);
	struct slice rest = value;

	if (is_named || (is_said && l->lead && value.size && value.data[0] == (uint8_t)l->lead))
		config_password(s->config, slice_of(NULL, 0), file_of(l, value));
	else if (is_said)
		config_password(s->config, config_word(&rest), slice_of(NULL, 0));
}

static bool is_list(const struct config_language *l, const struct config_key *key)
{
	for (size_t i = 0; l->lists && l->lists[i]; i++)
		if (strcmp(l->lists[i], key->name) == 0)
			return true;
	return false;
}

static void take_list(struct lines *s, struct slice value)
{
	struct slice file;

	while ((file = config_listed(&value)).size) {
		const struct draft d = { .role = s->list->role,
			.directive = s->list_key,
			.line = s->line,
			.file = file,
			.names = &s->names };

		config_add(s->config, &d);
	}
}

static void take(struct lines *s, struct slice key, struct slice value)
{
	const struct config_language *l = s->language;

	for (size_t i = 0; l->witnesses && l->witnesses[i]; i++)
		s->has_witness = s->has_witness || is_key(l, key, l->witnesses[i]);
	if (l->base_key && is_key(l, key, l->base_key))
		config_base(s->config, file_of(l, value));
	take_password(s, key, value);
	for (const struct config_key *k = l->keys; k->name; k++) {
		struct draft d = { .role = k->role,
			.directive = key,
			.line = s->line,
			.file = file_of(l, value),
			.is_folder = k->is_folder,
			.names = &s->names };

		if (!is_key(l, key, k->name) || (l->mean && !l->mean(s->section, &d.role)))
			continue;
		if (is_list(l, k)) {
			s->list = k;
			s->list_key = key;
			take_list(s, value);
			return;
		}
		if (!config_is(d.file, "none"))
			config_add(s->config, &d);
		return;
	}
}

static bool take_section(struct lines *s, struct slice line)
{
	if (line.size < 3 || line.data[line.size - 1] != ']')
		return false;
	s->section = slice_of(line.data + 1, line.size - 2);
	return true;
}

/* "local_name imap.example.org pop3.example.org {"; one in another adds its own. */
static bool open_block(struct lines *s, struct slice line)
{
	struct slice left = slice_of(line.data, line.size - 1);
	struct slice word = config_word(&left);

	s->depth++;
	if (!key_size(line))
		return false;
	if (!s->language->name_block || !config_is(word, s->language->name_block))
		return true;
	if (!s->names_depth)
		s->names_depth = s->depth;
	while ((word = config_word(&left)).size)
		config_add_name(s->config, &s->names, word);
	return true;
}

static bool close_block(struct lines *s)
{
	if (s->depth && s->depth == s->names_depth) {
		strings_fini(&s->names);
		s->names = (struct strings){ 0 };
		s->names_depth = 0;
	}
	return s->depth-- > 0;
}

static bool take_line(struct lines *s, struct slice raw)
{
	const struct config_language *l = s->language;
	struct slice line = config_trim(raw);
	struct slice key;
	struct slice value;
	bool is_continued = s->is_continued;

	s->is_continued = line.size && line.data[line.size - 1] == '\\';
	if (!line.size || strchr(l->comments, line.data[0]) || is_continued)
		return true;
	if (l->has_continuations && line.data != raw.data && s->line > 1) {
		if (s->list)
			take_list(s, line);
		return true;
	}
	s->list = NULL;
	if (l->has_sections && line.data[0] == '[')
		return take_section(s, line);
	if (l->has_blocks && config_is(line, "}"))
		return close_block(s);
	if (l->has_blocks && line.data[line.size - 1] == '{')
		return open_block(s, line);
	if (!split(l, line, &key, &value))
		return false;
	take(s, key, value);
	return true;
}

bool config_lines_read(struct config *c, const struct config_language *l)
{
	struct lines s = { .config = c, .language = l, .has_witness = !l->witnesses };
	struct slice left = c->in->bytes;
	struct slice line;

	bool is_mine = true;

	while (is_mine && c->status == ERR_OK && config_line(&left, &line, &s.line))
		is_mine = take_line(&s, line);
	strings_fini(&s.names);
	return is_mine && s.has_witness && (s.depth == 0 || c->is_cut);
}
