/* Labels of places in texts. */
#include "scanners/formats/label.h"

#include "agent/base/text.h"
#include "agent/certificate/record.h"

void label_fini(struct label *l)
{
	buffer_fini(&l->path);
}

void label_place(struct label *l, const uint8_t *at)
{
	bool is_inside = l && at && at >= l->text.data && at < l->text.data + l->text.size;

	/* A member that is entered, before anything in it is read, is no text. */
	if (!l)
		return;
	if (!l->path.ceiling)
		buffer_init(&l->path, OUTLINE_PATH_BYTES_MAX);
	buffer_clear(&l->path);
	if (!is_inside)
		return;
	if (!l->is_read)
		outline_init(&l->outline, l->text);
	l->is_read = true;
	outline_name(&l->outline, (size_t)(at - l->text.data), &l->path);
}

static void put(struct buffer *out, struct slice part)
{
	if (out->size)
		buffer_byte(out, '/');
	buffer_slice(out, part);
}

static void put_above(const struct label *l, struct buffer *out)
{
	const struct label *all[8];
	size_t count = 0;

	for (; l && count < sizeof(all) / sizeof(all[0]); l = l->above)
		all[count++] = l;
	while (count--)
		if (all[count]->path.size)
			put(out, buffer_bytes(&all[count]->path));
}

enum err label_alias(const struct label *l, const char *alias, char **out)
{
	struct buffer text;
	enum err e;

	*out = NULL;
	buffer_init(&text, RECORD_TEXT_BYTES_MAX);
	put_above(l, &text);
	/* As its store calls it, an empty name too, where nothing else does. */
	if (alias && (*alias || !text.size))
		put(&text, slice_text(alias));
	e = buffer_status(&text);
	if (e == ERR_OK && (text.size || alias)) {
		*out = text_escaped(buffer_bytes(&text));
		e = *out ? ERR_OK : ERR_MEMORY;
	} else if (e == ERR_LIMIT) {
		*out = text_escaped(slice_text(alias));
		e = !alias || *out ? ERR_OK : ERR_MEMORY;
	}
	buffer_fini(&text);
	return e;
}
