/* Layers of images. */
#include "scanners/images/layers.h"

#include "agent/base/strings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STEP 64
/* Hex digits of a digest or an id that are shown, as the programs do that made them. */
#define SHOWN_DIGITS 12
#define DIGITS 64

static void layer_fini(struct layer *l)
{
	free(l->id);
	free(l->parent);
	free(l->place);
	free(l->digest);
	free(l->label);
}

static void image_fini(struct image *i)
{
	free(i->name);
	free(i->id);
	free(i->top);
}

void layers_fini(struct layers *l)
{
	for (size_t i = 0; i < l->count; i++)
		layer_fini(&l->items[i]);
	for (size_t i = 0; i < l->images_count; i++)
		image_fini(&l->images[i]);
	free(l->items);
	free(l->images);
	*l = (struct layers){ 0 };
}

size_t layers_max(const struct layers *l)
{
	return l->max ? l->max : LAYERS_MAX;
}

size_t layers_image_max(const struct layers *l)
{
	return l->image_max ? l->image_max : IMAGE_LAYERS_MAX;
}

/* Is there no room for one more? */
static bool is_full(struct layers *l, size_t count)
{
	l->is_limited = l->is_limited || count >= layers_max(l);
	return count >= layers_max(l);
}

static bool is_usable(struct slice text)
{
	return text.size && text.size <= LAYER_TEXT_BYTES_MAX && !memchr(text.data, 0, text.size);
}

/* NULL for what is not usable; `*e` for want of memory. */
static char *copy_of(struct slice text, enum err *e)
{
	char *copy = is_usable(text) ? string_of(text) : NULL;

	if (is_usable(text) && !copy)
		*e = ERR_MEMORY;
	return copy;
}

/* The list, larger where it was full. */
static void *room_for_one(void *items, size_t count, size_t *capacity, size_t size)
{
	void *larger;

	if (items && count < *capacity)
		return items;
	larger = reallocarray(items, *capacity * 2 + STEP, size);
	if (larger)
		*capacity = *capacity * 2 + STEP;
	return larger;
}

enum err layers_add(struct layers *l, struct slice id, struct slice parent, struct slice place,
	struct slice digest)
{
	struct layer layer = { 0 };
	struct layer *items;
	enum err e = ERR_OK;

	if (!is_usable(id) || !is_usable(place) || is_full(l, l->count))
		return ERR_OK;
	items = room_for_one(l->items, l->count, &l->capacity, sizeof(*items));
	if (!items)
		return ERR_MEMORY;
	l->items = items;
	layer.id = copy_of(id, &e);
	layer.parent = copy_of(parent, &e);
	layer.place = copy_of(place, &e);
	layer.digest = copy_of(digest, &e);
	if (e == ERR_OK)
		items[l->count++] = layer;
	else
		layer_fini(&layer);
	return e;
}

static enum err add_image(
	struct layers *l, struct slice id, struct slice name, struct slice top, bool is_container)
{
	struct image image = { .is_container = is_container };
	struct image *images;
	struct image *last = l->images_count ? &l->images[l->images_count - 1] : NULL;
	enum err e = ERR_OK;

	if (!is_usable(id) || !is_usable(top))
		return ERR_OK;
	/* Another name of the one before. */
	if (last && last->name && strlen(last->id) == id.size &&
		memcmp(last->id, id.data, id.size) == 0) {
		last->names_more++;
		return ERR_OK;
	}
	if (is_full(l, l->images_count))
		return ERR_OK;
	images = room_for_one(l->images, l->images_count, &l->images_capacity, sizeof(*images));
	if (!images)
		return ERR_MEMORY;
	l->images = images;
	image.id = copy_of(id, &e);
	image.name = copy_of(name, &e);
	image.top = copy_of(top, &e);
	if (e == ERR_OK)
		images[l->images_count++] = image;
	else
		image_fini(&image);
	return e;
}

enum err layers_add_image(struct layers *l, struct slice id, struct slice name, struct slice top)
{
	return add_image(l, id, name, top, false);
}

enum err layers_add_container(
	struct layers *l, struct slice id, struct slice name, struct slice top)
{
	return add_image(l, id, name, top, true);
}

/* --- labels ------------------------------------------------------------------------------------- */

static int compare_ids(const void *a, const void *b)
{
	return strcmp(((const struct layer *)a)->id, ((const struct layer *)b)->id);
}

static int compare_places(const void *a, const void *b)
{
	return strcmp(((const struct layer *)a)->place, ((const struct layer *)b)->place);
}

static struct layer *find_id(struct layers *l, const char *id)
{
	const struct layer key = { .id = (char *)(uintptr_t)id };

	return id && l->count ? bsearch(&key, l->items, l->count, sizeof(key), compare_ids) : NULL;
}

/* "sha256:" and the digits that are shown; anything else as it is. */
static void put_short(char *out, size_t size, const char *text)
{
	const char *colon = strrchr(text, ':');
	const char *digits = colon ? colon + 1 : text;
	bool is_digest = strlen(digits) == DIGITS && strspn(digits, "0123456789abcdef") == DIGITS;
	size_t shown = is_digest ? (size_t)(digits - text) + SHOWN_DIGITS : strlen(text);

	(void)snprintf(out, size, "%.*s", (int)shown, text);
}

static enum err label_layer(struct layer *layer)
{
	const struct image *image = layer->image;
	char text[LAYER_LABEL_BYTES_MAX];
	char name[LAYER_TEXT_BYTES_MAX + 1], digest[LAYER_TEXT_BYTES_MAX + 1];
	char others[40] = "";

	put_short(name, sizeof(name), image->name ? image->name : image->id);
	put_short(digest, sizeof(digest), layer->digest ? layer->digest : layer->place);
	if (layer->uses > 1)
		(void)snprintf(others, sizeof(others), " (and %zu more)", layer->uses - 1);
	if (image->is_container)
		(void)snprintf(text, sizeof(text), "container: %s", name);
	else
		(void)snprintf(text, sizeof(text), "image: %s%s layer: %s", name, others, digest);
	layer->label = strdup(text);
	return layer->label ? ERR_OK : ERR_MEMORY;
}

/* An image that has a name stands for those that have none, which are often what it was built from. */
static void add_use(struct layer *layer, const struct image *image, size_t uses)
{
	if (layer->image && layer->image->name && !image->name)
		return;
	if (!layer->image || (image->name && !layer->image->name)) {
		layer->image = image;
		layer->uses = 0;
	}
	layer->uses += uses;
}

static void use(struct layers *l, const struct image *image)
{
	struct layer *layer = find_id(l, image->top);

	/* A layer below itself ends at the maximum. */
	for (size_t i = 0; layer; i++) {
		if (i == layers_image_max(l)) {
			l->is_image_cut = true;
			return;
		}
		add_use(layer, image, 1 + image->names_more);
		if (image->is_container)
			return;
		layer = find_id(l, layer->parent);
	}
}

/* Of those at one place the first stands for all. */
static void merge(struct layers *l)
{
	struct layer *first = NULL;

	for (size_t i = 0; i < l->count; i++) {
		struct layer *layer = &l->items[i];

		if (!first || strcmp(first->place, layer->place) != 0)
			first = layer;
		else if (layer->image)
			add_use(first, layer->image, layer->uses);
	}
}

enum err layers_label(struct layers *l)
{
	const char *place = NULL;
	enum err e = ERR_OK;

	if (!l->count)
		return ERR_OK;
	qsort(l->items, l->count, sizeof(*l->items), compare_ids);
	for (size_t i = 0; i < l->images_count; i++)
		use(l, &l->images[i]);
	qsort(l->items, l->count, sizeof(*l->items), compare_places);
	merge(l);
	for (size_t i = 0; e == ERR_OK && i < l->count; i++) {
		struct layer *layer = &l->items[i];
		bool is_first = !place || strcmp(place, layer->place) != 0;

		place = layer->place;
		if (is_first && layer->image)
			e = label_layer(layer);
	}
	l->is_sorted = e == ERR_OK;
	return e;
}

/* The first at that place. */
static const struct layer *first_at(const struct layers *l, const struct layer *found)
{
	while (found > l->items && strcmp(found[-1].place, found->place) == 0)
		found--;
	return found;
}

static const struct layer *find_place(const struct layers *l, struct slice place)
{
	char text[LAYER_TEXT_BYTES_MAX + 1];
	const struct layer key = { .place = text };
	const struct layer *found;

	if (!l->is_sorted || !l->count || !is_usable(place))
		return NULL;
	memcpy(text, place.data, place.size);
	text[place.size] = 0;
	found = bsearch(&key, l->items, l->count, sizeof(key), compare_places);
	return found ? first_at(l, found) : NULL;
}

const char *layers_find(const struct layers *l, struct slice place)
{
	const struct layer *found = find_place(l, place);

	return found ? found->label : NULL;
}

const char *layers_digest(const struct layers *l, struct slice place)
{
	const struct layer *found = find_place(l, place);

	return found ? found->digest : NULL;
}
