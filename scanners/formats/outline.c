/* What a text calls a place in it: levels, names, the path. */
#include "scanners/formats/outline.h"

#include "scanners/formats/outline_internal.h"

/* How far ahead an entry's name may stand. */
#define AHEAD_BYTES_MAX (64 * 1024)

static bool is(struct slice s, const char *word)
{
	return s.size == strlen(word) && memcmp(s.data, word, s.size) == 0;
}

/* --- levels ------------------------------------------------------------------------------------ */

struct outline_level *outline_top(struct outline *o)
{
	return o->depth && !o->too_deep ? &o->levels[o->depth - 1] : NULL;
}

struct outline_level *outline_push(struct outline *o, struct slice key)
{
	struct outline_level *above = outline_top(o);
	struct outline_level *l;

	if (o->depth == OUTLINE_DEPTH_MAX) {
		o->too_deep++;
		return NULL;
	}
	l = &o->levels[o->depth++];
	*l = (struct outline_level){ .key = key };
	if (above && above->is_list) {
		l->key = slice_of(NULL, 0);
		l->is_entry = true;
		l->index = above->count;
	}
	return l;
}

void outline_pop(struct outline *o)
{
	if (o->too_deep)
		o->too_deep--;
	else if (o->depth)
		o->depth--;
	if (o->depth < o->low)
		o->low = o->depth;
}

/* --- names ------------------------------------------------------------------------------------- */

static bool is_name_key(struct slice key)
{
	static const char *const keys[] = { "name", "kid", "path", "PayloadCertificateFileName",
		"PayloadDisplayName", "PayloadIdentifier" };

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (is(key, keys[i]))
			return true;
	return false;
}

/* An entry that is left is not the one that was asked for, though another may stand in its place. */
static void name_entry(struct outline *o, size_t i, struct slice name)
{
	o->levels[i].name = name;
	if (o->behind && i < o->low)
		o->behind->levels[i].name = name;
}

static void name_document(struct outline *o, struct slice name)
{
	if (o->document.name.size)
		return;
	o->document.name = name;
	if (o->behind && o->behind->document.index == o->document.index)
		o->behind->document.name = name;
}

void outline_scalar(struct outline *o, struct slice key, struct slice value)
{
	struct outline_level *owner = outline_top(o);

	if (!value.size || value.size > OUTLINE_KEY_BYTES_MAX || o->too_deep || !is_name_key(key))
		return;
	/* Objects of Kubernetes have their names in "metadata". */
	if (owner && is(owner->key, "metadata") && is(key, "name"))
		owner = o->depth > 1 && o->levels[o->depth - 2].is_entry ? owner - 1 : NULL;
	if (owner && owner->is_entry && !owner->name.size)
		name_entry(o, (size_t)(owner - o->levels), value);
	else if (!owner && o->depth && is(o->levels[0].key, "metadata"))
		name_document(o, value);
}

static bool lacks_name(const struct outline *o)
{
	for (size_t i = 0; i < o->depth; i++) {
		const struct outline_level *l = &o->levels[i];

		if (l->is_entry && !l->name.size && !l->is_nameless)
			return true;
	}
	return o->has_documents && !o->document.name.size && !o->document.is_nameless;
}

static void read_to(struct outline *o, size_t to)
{
	if (o->kind == OUTLINE_JSON)
		outline_read_json(o, to);
	else if (o->kind == OUTLINE_PLIST)
		outline_read_plist(o, to);
	else
		outline_read_lines(o, to);
}

/* The name of an entry may stand behind what it is to name. Once an entry. */
static void look_ahead(struct outline *o)
{
	struct outline ahead;
	size_t left = o->text.size - o->at;

	if (!lacks_name(o))
		return;
	ahead = *o;
	ahead.behind = o;
	ahead.low = ahead.depth;
	read_to(&ahead, o->at + (left < AHEAD_BYTES_MAX ? left : AHEAD_BYTES_MAX));
	for (size_t i = 0; i < o->depth; i++)
		o->levels[i].is_nameless = true;
	o->document.is_nameless = true;
}

/* --- the path ---------------------------------------------------------------------------------- */

/* Where the first and the third part are these, what comes from the third on says nothing more. */
static const struct {
	const char *first, *third;
} known[] = {
	{ "users", "user" },                    /* kubeconfig */
	{ "clusters", "cluster" },              /* kubeconfig */
	{ "outputs", "value" },                 /* Terraform */
	{ "PayloadContent", "PayloadContent" }, /* Apple's configuration profiles */
};

/* `first`: the level that is the first part. */
static bool is_said(const struct outline *o, size_t first, struct slice third)
{
	if (o->depth < first + 2)
		return false;
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (is(o->levels[first].key, known[i].first) && is(third, known[i].third))
			return true;
	return false;
}

static void put(struct buffer *out, size_t start, struct slice part)
{
	if (out->size > start)
		buffer_byte(out, '/');
	buffer_slice(out, part);
}

static void put_level(struct buffer *out, size_t start, const struct outline_level *l)
{
	struct slice part = l->is_entry ? l->name : l->key;

	if (part.size) {
		put(out, start, part);
	} else if (l->is_entry) {
		put(out, start, slice_of(NULL, 0));
		buffer_format(out, "%zu", l->index);
	}
}

/* A scalar's own key, or its position. In lines a key is a level of its own. */
static void put_leaf(struct buffer *out, size_t start, const struct outline *o)
{
	const struct outline_level *top = o->depth ? &o->levels[o->depth - 1] : NULL;

	if (o->kind == OUTLINE_LINES)
		return;
	if (top && top->is_list)
		put_level(out, start,
			&(struct outline_level){ .is_entry = true, .index = top->count });
	else if (o->key.size)
		put(out, start, o->key);
}

static void put_path(const struct outline *o, struct buffer *out)
{
	size_t start = out->size;
	size_t first = 0;

	/* The outermost mapping or list has no name of its own. */
	if (o->kind != OUTLINE_LINES && o->depth)
		first = !o->levels[0].key.size && !o->levels[0].is_entry;
	if (o->has_documents && o->document.name.size)
		put(out, start, o->document.name);
	if (o->record.size)
		put(out, start, o->record);
	if (o->kind == OUTLINE_LINES && (!o->is_value || o->tag.size)) {
		if (o->tag.size)
			put(out, start, o->tag);
		return;
	}
	for (size_t i = first; i < o->depth; i++) {
		if (i == first + 2 && is_said(o, first, o->levels[i].key))
			return;
		put_level(out, start, &o->levels[i]);
	}
	if (o->depth == first + 2 && is_said(o, first, o->key))
		return;
	put_leaf(out, start, o);
}

void outline_init(struct outline *o, struct slice text)
{
	static const char bom[] = "\xef\xbb\xbf";
	size_t at = slice_starts(text, bom, strlen(bom)) ? strlen(bom) : 0;
	const uint8_t *plist;

	*o = (struct outline){ .text = text };
	while (at < text.size && text.data[at] && strchr(" \t\r\n", text.data[at]))
		at++;
	o->at = at;
	if (at == text.size)
		return;
	if (text.data[at] == '{' ||
		(text.data[at] == '[' && at + 1 < text.size && text.data[at + 1] &&
			strchr(" \t\r\n{[\"", text.data[at + 1])))
		o->kind = OUTLINE_JSON;
	plist = text.data[at] == '<' ? memmem(text.data, text.size, "<plist", 6) : NULL;
	if (plist) {
		o->kind = OUTLINE_PLIST;
		o->at = (size_t)(plist - text.data);
	}
	if (o->kind == OUTLINE_LINES)
		o->has_documents = memmem(text.data + at, text.size - at, "\n---\n", 5) != NULL;
}

void outline_name(struct outline *o, size_t at, struct buffer *out)
{
	struct buffer text;

	if (at > o->text.size)
		return;
	if (at < o->from)
		outline_init(o, o->text);
	read_to(o, at);
	if (o->kind != OUTLINE_LINES)
		o->from = o->at;
	if (o->too_deep)
		return;
	look_ahead(o);
	buffer_init(&text, OUTLINE_PATH_BYTES_MAX);
	put_path(o, &text);
	if (buffer_status(&text) == ERR_OK)
		buffer_slice(out, buffer_bytes(&text));
	buffer_fini(&text);
}
