/* The outline of a property list in XML (Apple's configuration profiles): dict, array, key, and the rest is
 * values. */
#include "scanners/formats/outline_internal.h"

static bool is_tag(struct slice tag, const char *name)
{
	return tag.size == strlen(name) && memcmp(tag.data, name, tag.size) == 0;
}

static void open_level(struct outline *o, bool is_list)
{
	struct outline_level *l = outline_push(o, o->key);

	if (l)
		l->is_list = is_list;
	o->key = slice_of(NULL, 0);
}

static void close_level(struct outline *o)
{
	struct outline_level *top;

	outline_pop(o);
	o->key = slice_of(NULL, 0);
	top = outline_top(o);
	if (top && top->is_list)
		top->count++;
}

/* `text` is what stands before the tag. */
static void take_tag(struct outline *o, struct slice tag, struct slice text)
{
	struct outline_level *top = outline_top(o);

	if (is_tag(tag, "dict") || is_tag(tag, "array")) {
		open_level(o, tag.data[0] == 'a');
	} else if (is_tag(tag, "/dict") || is_tag(tag, "/array")) {
		close_level(o);
	} else if (is_tag(tag, "/key")) {
		o->key = text.size > OUTLINE_KEY_BYTES_MAX ? slice_of(NULL, 0) : text;
	} else if (is_tag(tag, "/string")) {
		outline_scalar(o, o->key, text);
	}
	if (tag.size && tag.data[0] == '/' && top && top->is_list && !is_tag(tag, "/dict") &&
		!is_tag(tag, "/array"))
		top->count++;
}

void outline_read_plist(struct outline *o, size_t to)
{
	while (o->at < to && to > o->until) {
		struct slice left = slice_after(o->text, o->at);
		const uint8_t *open = left.size ? memchr(left.data, '<', left.size) : NULL;
		size_t before = open ? (size_t)(open - left.data) : left.size;
		const uint8_t *close = open ? memchr(open, '>', left.size - before) : NULL;

		/* The text under way ends with the tag behind it, or never. */
		o->until = close ? (size_t)(close - o->text.data) : o->text.size;
		if (!close || to <= o->until)
			return;
		take_tag(o, slice_of(open + 1, (size_t)(close - open) - 1),
			slice_of(left.data, before));
		o->at += (size_t)(close - left.data) + 1;
	}
}
