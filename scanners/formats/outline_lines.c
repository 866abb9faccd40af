/* The outline of YAML, LDIF, key = value lines and OpenVPN's tags, by lines and how far they are indented. No
 * YAML reader: of flows only the key is seen, under which they stand. */
#include "scanners/formats/outline_internal.h"

#include <ctype.h>

static struct slice trim(struct slice s)
{
	while (s.size && isspace(s.data[s.size - 1]))
		s.size--;
	while (s.size && isspace(s.data[0]))
		s = slice_after(s, 1);
	return s;
}

static struct slice unquote(struct slice s)
{
	s = trim(s);
	if (s.size > 1 && (s.data[0] == '"' || s.data[0] == '\'') &&
		s.data[s.size - 1] == s.data[0])
		return slice_of(s.data + 1, s.size - 2);
	return s;
}

static bool is_key_byte(uint8_t c)
{
	return isalnum(c) || (c && strchr("_.-/$;@", c));
}

/* The key at the start of `s` and what follows its colon or equals sign; `*is_yaml`: it was a colon. */
static bool split(struct slice s, struct slice *key, struct slice *value, bool *is_yaml)
{
	size_t size = 0;

	if (s.size && (s.data[0] == '"' || s.data[0] == '\'')) {
		const uint8_t *end = memchr(s.data + 1, s.data[0], s.size - 1);

		size = end ? (size_t)(end - s.data) + 1 : 0;
	} else {
		while (size < s.size && is_key_byte(s.data[size]))
			size++;
	}
	if (!size || size > OUTLINE_KEY_BYTES_MAX)
		return false;
	*key = unquote(slice_of(s.data, size));
	s = slice_after(s, size);
	*is_yaml = s.size && s.data[0] == ':';
	if (*is_yaml) {
		s = slice_after(s, s.size > 1 && s.data[1] == ':' ? 2 : 1);
		*value = trim(s);
		return !s.size || s.data[0] == ' ' || s.data[0] == '\t';
	}
	s = trim(s);
	if (!s.size || s.data[0] != '=')
		return false;
	*value = trim(slice_after(s, 1));
	return true;
}

static void pop_to(struct outline *o, size_t indent)
{
	while (o->depth && o->levels[o->depth - 1].indent >= indent)
		outline_pop(o);
}

/* "- " begins an entry of the list that the key above it is. Returns what follows. */
static struct slice take_dashes(struct outline *o, struct slice line, size_t *indent)
{
	while (line.size && line.data[0] == '-' && (line.size == 1 || line.data[1] == ' ')) {
		struct outline_level *l;

		pop_to(o, *indent + 1);
		l = outline_top(o);
		if (l) {
			l->count += l->is_list;
			l->is_list = true;
			l = outline_push(o, slice_of(NULL, 0));
			if (l)
				l->indent = *indent + 1;
		}
		o->is_value = l != NULL;
		line = slice_after(line, 1);
		(*indent)++;
		while (line.size && line.data[0] == ' ') {
			line = slice_after(line, 1);
			(*indent)++;
		}
	}
	return line;
}

static bool is_word(struct slice s)
{
	for (size_t i = 0; i < s.size; i++)
		if (!isalnum(s.data[i]) && s.data[i] != '-' && s.data[i] != '_')
			return false;
	return s.size && s.size < 32;
}

/* "<ca>" and "</ca>" on lines of their own. */
static bool take_tag(struct outline *o, struct slice line)
{
	if (line.size < 3 || line.data[0] != '<' || line.data[line.size - 1] != '>')
		return false;
	line = slice_of(line.data + 1, line.size - 2);
	if (line.data[0] == '/')
		o->tag = slice_of(NULL, 0);
	else if (is_word(line))
		o->tag = line;
	return true;
}

static bool starts_block(struct slice value)
{
	return value.size && (value.data[0] == '|' || value.data[0] == '>');
}

static void take_key(struct outline *o, struct slice line, size_t indent)
{
	struct outline_level *level;
	struct slice key, value;
	bool is_yaml;

	if (!split(line, &key, &value, &is_yaml)) {
		/* A plain entry of a list, or a value that goes on; but what stands at the margin is nobody's. */
		pop_to(o, indent);
		o->is_value = o->is_value && o->depth;
		return;
	}
	pop_to(o, indent);
	outline_scalar(o, key, unquote(value));
	if (!indent && key.size == 2 && memcmp(key.data, "dn", 2) == 0 && is_yaml)
		o->record = value;
	/* A key below a list that is no entry of it: the list was none. */
	level = outline_top(o);
	if (level)
		level->is_list = false;
	level = outline_push(o, key);
	if (level) {
		level->indent = indent;
		level->is_block = starts_block(value);
	}
	o->is_value = true;
}

/* Text below a key whose value is a block is neither keys nor lists. */
static bool is_in_block(const struct outline *o, size_t indent)
{
	const struct outline_level *top = o->depth ? &o->levels[o->depth - 1] : NULL;

	return top && top->is_block && indent + top->is_entry > top->indent;
}

static void take_line(struct outline *o, struct slice line)
{
	struct outline_level *top;
	size_t indent = 0;

	while (indent < line.size && line.data[indent] == ' ')
		indent++;
	line = trim(slice_after(line, indent));
	if (!line.size || line.data[0] == '#' || is_in_block(o, indent))
		return;
	if (!indent && slice_starts(line, "---", 3) && !slice_starts(line, "----", 4)) {
		pop_to(o, 0);
		o->is_value = false;
		o->document = (struct outline_level){ .index = o->document.index + 1 };
		return;
	}
	if (!indent && take_tag(o, line))
		return;
	line = take_dashes(o, line, &indent);
	top = outline_top(o);
	if (top && top->is_entry && starts_block(line))
		top->is_block = true;
	else if (line.size)
		take_key(o, line, indent);
}

/* A line is taken as a whole where the place lies in it: its key counts. */
void outline_read_lines(struct outline *o, size_t to)
{
	while (o->at <= to && o->at < o->text.size) {
		struct slice left = slice_after(o->text, o->at);
		const uint8_t *end = memchr(left.data, '\n', left.size);

		left.size = end ? (size_t)(end - left.data) : left.size;
		take_line(o, left);
		o->from = o->at;
		o->at += left.size + 1;
	}
	if (o->at > o->text.size)
		o->at = o->text.size;
}
