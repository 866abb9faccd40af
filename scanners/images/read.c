/* What programs that keep images write down of them. */
#include "scanners/images/read.h"

#include "agent/base/text.h"
#include "agent/certificate/certificate.h"
#include "scanners/images/json_strings.h"

#include <stdio.h>

#define DIGEST_START "sha256:"
#define STACK_ID_BYTES (DIGEST_TEXT_BYTES + 16)

/* --- lists of maps (containers/storage, manifest.json) ------------------------------------------ */

/* What is wanted of one entry of a list; all borrowed from the text. */
struct entry {
	struct slice id;
	struct slice parent;
	struct slice digest;
	struct slice layer;
	struct slice name;
	unsigned names;
};

struct list {
	struct layers *layers;
	struct entry entry;
	uint32_t index;
	enum err (*done)(struct layers *l, const struct entry *e);
	enum err e;
};

static void finish_entry(struct list *l)
{
	if (l->e == ERR_OK && l->entry.id.size)
		l->e = l->done(l->layers, &l->entry);
	l->entry = (struct entry){ 0 };
}

static bool take_field(void *arg, const struct json_place *place, struct slice value)
{
	struct list *l = arg;
	struct entry *entry = &l->entry;
	bool is_field = place->depth == 2;

	if (!place->steps[0].is_list || place->depth < 2)
		return true;
	if (place->steps[0].index != l->index) {
		finish_entry(l);
		l->index = place->steps[0].index;
	}
	if (is_field && json_is_key(place, 1, "id"))
		entry->id = value;
	else if (is_field && json_is_key(place, 1, "parent"))
		entry->parent = value;
	else if (is_field && json_is_key(place, 1, "diff-digest"))
		entry->digest = value;
	else if (is_field && json_is_key(place, 1, "layer"))
		entry->layer = value;
	else if (place->depth == 3 && json_is_key(place, 1, "names") && entry->names++ == 0)
		entry->name = value;
	return l->e == ERR_OK;
}

static enum err read_list(struct layers *layers, struct slice text,
	enum err (*done)(struct layers *l, const struct entry *e))
{
	struct list l = { .layers = layers, .done = done };

	/* What is broken further on does not take away what stands before. */
	(void)json_strings(text, take_field, &l);
	finish_entry(&l);
	return l.e;
}

static enum err done_layer(struct layers *l, const struct entry *e)
{
	return layers_add(l, e->id, e->parent, e->id, e->digest);
}

static enum err done_image(struct layers *l, const struct entry *e)
{
	enum err status = layers_add_image(l, e->id, e->name, e->layer);

	for (unsigned i = 1; status == ERR_OK && i < e->names; i++)
		status = layers_add_image(l, e->id, e->name, e->layer);
	return status;
}

static enum err done_container(struct layers *l, const struct entry *e)
{
	return layers_add_container(l, e->id, e->name, e->layer);
}

enum err images_read_layers(struct layers *l, struct slice text)
{
	return read_list(l, text, done_layer);
}

enum err images_read_images(struct layers *l, struct slice text)
{
	return read_list(l, text, done_image);
}

enum err images_read_containers(struct layers *l, struct slice text)
{
	return read_list(l, text, done_container);
}

/* --- configurations ----------------------------------------------------------------------------- */

static bool is_digest(struct slice text)
{
	return text.size == sizeof(DIGEST_START) - 1 + 2 * FINGERPRINT_BYTES &&
	       slice_starts(text, DIGEST_START, sizeof(DIGEST_START) - 1);
}

struct chain {
	struct layers *layers; /* whose limit holds; */
	bool is_all;           /* all of them are wanted in it */
	enum err e;
	char id[DIGEST_TEXT_BYTES];
	size_t count;
	bool is_bad;
};

static bool take_diff(void *arg, const struct json_place *place, struct slice value)
{
	struct chain *c = arg;
	char both[2 * DIGEST_TEXT_BYTES];
	uint8_t hash[FINGERPRINT_BYTES];
	int size;

	if (place->depth != 3 || !json_is_key(place, 0, "rootfs") ||
		!json_is_key(place, 1, "diff_ids"))
		return true;
	c->is_bad = !is_digest(value) || c->count == layers_image_max(c->layers);
	if (c->is_bad) {
		c->layers->is_image_cut = c->layers->is_image_cut || is_digest(value);
		return false;
	}
	c->count++;
	if (c->count == 1) {
		memcpy(c->id, value.data, value.size);
		c->id[value.size] = 0;
	} else {
		size = snprintf(both, sizeof(both), "%s %.*s", c->id, (int)value.size,
			(const char *)value.data);
		fingerprint_of(slice_of(both, (size_t)size), hash);
		text_hex(c->id + sizeof(DIGEST_START) - 1, hash, sizeof(hash));
	}
	if (c->is_all)
		c->e = layers_add(
			c->layers, slice_text(c->id), slice_of(NULL, 0), slice_text(c->id), value);
	return c->e == ERR_OK;
}

enum err images_read_chain(struct layers *l, struct slice config)
{
	struct chain c = { .layers = l, .is_all = true };

	(void)json_strings(config, take_diff, &c);
	return c.e;
}

bool images_chain_of(struct layers *l, struct slice config, char out[DIGEST_TEXT_BYTES])
{
	struct chain c = { .layers = l };

	if (!json_strings(config, take_diff, &c) || c.is_bad || !c.count)
		return false;
	memcpy(out, c.id, sizeof(c.id));
	return true;
}

/* --- names -------------------------------------------------------------------------------------- */

struct names {
	image_name_fn tell;
	void *arg;
	struct slice digest; /* of an index: of the manifest under way */
	struct slice name;
	uint32_t index;
	enum err e;
};

/* {"Repositories": {"web": {"web:1.0": "sha256:..."}}}; "web@sha256:..." is no name. */
static bool take_repository(void *arg, const struct json_place *place, struct slice value)
{
	struct names *n = arg;

	if (place->depth == 3 && json_is_key(place, 0, "Repositories") && is_digest(value) &&
		!memchr(place->steps[2].key.data, '@', place->steps[2].key.size))
		n->e = n->tell(n->arg, value, place->steps[2].key);
	return n->e == ERR_OK;
}

enum err images_read_repositories(struct slice text, image_name_fn tell, void *arg)
{
	struct names n = { .tell = tell, .arg = arg };

	(void)json_strings(text, take_repository, &n);
	return n.e;
}

static void finish_manifest(struct names *n)
{
	if (n->e == ERR_OK && is_digest(n->digest))
		n->e = n->tell(n->arg, n->digest, n->name);
	n->digest = n->name = slice_of(NULL, 0);
}

/* The full name where there is one, else the tag alone. */
static bool take_manifest(void *arg, const struct json_place *place, struct slice value)
{
	struct names *n = arg;

	if (place->depth < 3 || !json_is_key(place, 0, "manifests") || !place->steps[1].is_list)
		return true;
	if (place->steps[1].index != n->index) {
		finish_manifest(n);
		n->index = place->steps[1].index;
	}
	if (place->depth == 3 && json_is_key(place, 2, "digest"))
		n->digest = value;
	else if (place->depth == 4 && json_is_key(place, 2, "annotations") &&
		 (json_is_key(place, 3, "io.containerd.image.name") ||
			 (json_is_key(place, 3, "org.opencontainers.image.ref.name") &&
				 !n->name.size)))
		n->name = value;
	return n->e == ERR_OK;
}

enum err images_read_index(struct slice text, image_name_fn tell, void *arg)
{
	struct names n = { .tell = tell, .arg = arg };

	(void)json_strings(text, take_manifest, &n);
	finish_manifest(&n);
	return n.e;
}

/* --- blobs -------------------------------------------------------------------------------------- */

struct index_name {
	struct image_blobs *blobs;
	struct slice name; /* of the index itself, which its entries have where they have none */
};

/* NOLINTNEXTLINE(misc-no-recursion): as deep as b->depth_max */
static enum err take_entry(void *arg, struct slice digest, struct slice name)
{
	const struct index_name *n = arg;

	return images_take_blob(n->blobs, digest, name.size ? name : n->name);
}

/* NOLINTNEXTLINE(misc-no-recursion): as deep as b->depth_max */
enum err images_take_blob(struct image_blobs *b, struct slice digest, struct slice name)
{
	struct index_name n = { .blobs = b, .name = name };
	struct buffer text;
	enum err e;

	b->is_limited = b->is_limited || b->taken == b->max;
	b->is_deep = b->is_deep || b->depth == b->depth_max;
	if (b->depth == b->depth_max || b->taken == b->max)
		return ERR_OK;
	b->depth++;
	b->taken++;
	e = b->read(b->arg, digest, &text);
	if (e == ERR_OK && text.size)
		e = b->take(b->arg, digest, name, buffer_bytes(&text));
	if (e == ERR_OK && text.size)
		e = images_read_index(buffer_bytes(&text), take_entry, &n);
	buffer_fini(&text);
	b->depth--;
	return e;
}

enum err images_take_index(struct image_blobs *b, struct slice index)
{
	struct index_name n = { .blobs = b };

	return images_read_index(index, take_entry, &n);
}

/* --- manifests ---------------------------------------------------------------------------------- */

/* Layers go by the image and their number in it, so that one that several images share has each of them above it. */
struct stack {
	struct layers *layers;
	char prefix[DIGEST_TEXT_BYTES]; /* that no other image has */
	struct slice image;             /* its id */
	struct slice name;
	unsigned names;
	size_t count;   /* of layers */
	uint32_t index; /* in a list of images */
	enum err e;
};

static void add_layer(struct stack *s, struct slice place, struct slice digest)
{
	char id[STACK_ID_BYTES], below[STACK_ID_BYTES] = "";

	if (s->count == layers_image_max(s->layers))
		s->layers->is_image_cut = true;
	if (s->e != ERR_OK || s->count == layers_image_max(s->layers))
		return;
	(void)snprintf(id, sizeof(id), "%s/%zu", s->prefix, s->count);
	if (s->count)
		(void)snprintf(below, sizeof(below), "%s/%zu", s->prefix, s->count - 1);
	s->count++;
	s->e = layers_add(s->layers, slice_text(id), slice_text(below), place, digest);
}

static void finish_stack(struct stack *s)
{
	char top[STACK_ID_BYTES];

	if (s->count && s->e == ERR_OK) {
		(void)snprintf(top, sizeof(top), "%s/%zu", s->prefix, s->count - 1);
		if (!s->image.size)
			s->image = slice_text(s->prefix);
		s->e = layers_add_image(s->layers, s->image, s->name, slice_text(top));
	}
	for (; s->names > 1 && s->count && s->e == ERR_OK; s->names--)
		s->e = layers_add_image(s->layers, s->image, s->name, slice_text(top));
	s->count = 0;
	s->names = 0;
	s->image = s->name = slice_of(NULL, 0);
}

/* Of a member's name that holds a digest or an id only the digits matter: "blobs/sha256/..." or ".../layer.tar". */
static struct slice digest_in(struct slice name)
{
	size_t start = 0;

	for (size_t i = 0; i <= name.size; i++) {
		if (i < name.size && name.data[i] != '/' && name.data[i] != '.')
			continue;
		if (i - start == 2 * FINGERPRINT_BYTES)
			return slice_of(name.data + start, i - start);
		start = i + 1;
	}
	return slice_of(NULL, 0);
}

static bool take_saved(void *arg, const struct json_place *place, struct slice value)
{
	struct stack *s = arg;

	if (!place->steps[0].is_list || place->depth < 2)
		return true;
	if (place->steps[0].index != s->index) {
		finish_stack(s);
		s->index = place->steps[0].index;
		(void)snprintf(s->prefix, sizeof(s->prefix), "%u", s->index);
	}
	if (place->depth == 2 && json_is_key(place, 1, "Config"))
		s->image = digest_in(value).size ? digest_in(value) : value;
	else if (place->depth == 3 && json_is_key(place, 1, "RepoTags") && s->names++ == 0)
		s->name = value;
	else if (place->depth == 3 && json_is_key(place, 1, "Layers"))
		add_layer(s, value, digest_in(value));
	return s->e == ERR_OK;
}

enum err images_read_saved(struct layers *l, struct slice text)
{
	struct stack s = { .layers = l, .prefix = "0" };

	(void)json_strings(text, take_saved, &s);
	finish_stack(&s);
	return s.e;
}

static bool take_config(void *arg, const struct json_place *place, struct slice value)
{
	struct slice *found = arg;

	if (place->depth == 2 && json_is_key(place, 0, "config") &&
		json_is_key(place, 1, "digest") && is_digest(value))
		*found = value;
	return true;
}

struct slice images_config_of(struct slice manifest)
{
	struct slice found = { 0 };

	(void)json_strings(manifest, take_config, &found);
	return found;
}

static bool take_layer(void *arg, const struct json_place *place, struct slice value)
{
	struct stack *s = arg;

	if (place->depth == 3 && json_is_key(place, 0, "layers") && place->steps[1].is_list &&
		json_is_key(place, 2, "digest") && is_digest(value))
		add_layer(s, value, value);
	return s->e == ERR_OK;
}

enum err images_read_manifest(
	struct layers *l, struct slice text, struct slice digest, struct slice name)
{
	struct stack s = { .layers = l, .image = digest, .name = name };

	(void)snprintf(
		s.prefix, sizeof(s.prefix), "%.*s", (int)digest.size, (const char *)digest.data);
	if (digest.size < sizeof(s.prefix))
		(void)json_strings(text, take_layer, &s);
	finish_stack(&s);
	return s.e;
}
