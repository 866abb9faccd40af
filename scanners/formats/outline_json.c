/* The outline of JSON (RFC 8259), of several texts of it one after another, too. */
#include "scanners/formats/outline_internal.h"

/* The string at the start of `s`, in quotes, with both; 0 where its end is not in `s`. */
static size_t string_size(struct slice s)
{
	for (size_t i = 1; i < s.size; i++) {
		if (s.data[i] == '\\')
			i++;
		else if (s.data[i] == '"')
			return i + 1;
	}
	return 0;
}

static size_t skip_blanks(struct slice text, size_t at)
{
	while (at < text.size && text.data[at] && strchr(" \t\r\n", text.data[at]))
		at++;
	return at;
}

/* A string: a key where a colon follows. Returns what follows, or the string itself where `to` lies in it. */
static size_t take_string(struct outline *o, size_t at, size_t to)
{
	struct outline_level *top = outline_top(o);
	size_t size = string_size(slice_after(o->text, at));
	struct slice content;
	size_t next;

	o->until = size ? at + size : o->text.size;
	if (!size || o->until > to)
		return to;
	content = slice_of(o->text.data + at + 1, size - 2);
	next = skip_blanks(o->text, at + size);
	if (next < o->text.size && o->text.data[next] == ':') {
		o->key = content.size > OUTLINE_KEY_BYTES_MAX ? slice_of(NULL, 0) : content;
		return next + 1;
	}
	if (top && !top->is_list)
		outline_scalar(o, o->key, content);
	return at + size;
}

static void open_level(struct outline *o, bool is_list)
{
	struct outline_level *l = outline_push(o, o->key);

	if (l)
		l->is_list = is_list;
	o->key = slice_of(NULL, 0);
}

void outline_read_json(struct outline *o, size_t to)
{
	size_t at = o->at;

	/* In the string before which it stands. */
	if (to < o->until)
		return;
	while (at < to) {
		struct outline_level *top;

		switch (o->text.data[at]) {
		case '"':
			/* What is under way is read again by the next call. */
			o->at = at;
			at = take_string(o, at, to);
			if (at >= to)
				return;
			continue;
		case '{':
		case '[':
			open_level(o, o->text.data[at] == '[');
			break;
		case '}':
		case ']':
			outline_pop(o);
			o->key = slice_of(NULL, 0);
			break;
		case ',':
			top = outline_top(o);
			if (top && top->is_list)
				top->count++;
			break;
		default:
			break;
		}
		at++;
	}
	o->at = at;
}
