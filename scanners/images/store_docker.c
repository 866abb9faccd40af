/* docker's own store (moby, layer/filestore.go and image/fs.go): a folder a layer with a small file for each of its
 * facts, the configurations of images by their ids, and the names in one list. */
#include "agent/base/strings.h"
#include "scanners/images/read.h"
#include "scanners/images/store_internal.h"

#include <stdio.h>
#include <stdlib.h>

#define DB "image/overlay2/"
#define PATH_BYTES 512
#define FACT_BYTES_MAX 256
#define NAMES_STEP 64

struct image_name {
	char *id;   /* owned */
	char *name; /* owned */
	size_t order;
};

struct docker {
	struct store_files *files;
	struct layers *layers;
	struct image_name *names; /* owned: of images that have any; by their ids */
	size_t names_count;
	size_t names_capacity;
	struct buffer text;
};

/* "sha256:..." or an id, without the end of its line. */
static enum err read_fact(struct docker *d, const char *folder, const char *id, const char *fact,
	char out[FACT_BYTES_MAX])
{
	char path[PATH_BYTES];
	enum err e;

	out[0] = 0;
	if (snprintf(path, sizeof(path), DB "layerdb/%s/%s/%s", folder, id, fact) >=
		(int)sizeof(path))
		return ERR_OK;
	e = store_read_text(d->files, path, FACT_BYTES_MAX - 1, &d->text);
	if (e != ERR_OK || !d->text.size)
		return e;
	memcpy(out, d->text.data, d->text.size);
	out[d->text.size] = 0;
	out[strcspn(out, "\r\n")] = 0;
	return ERR_OK;
}

static enum err take_layer(void *arg, const char *name)
{
	struct docker *d = arg;
	char place[FACT_BYTES_MAX], parent[FACT_BYTES_MAX], digest[FACT_BYTES_MAX];
	char id[FACT_BYTES_MAX];
	enum err e = read_fact(d, "sha256", name, "cache-id", place);

	if (e == ERR_OK)
		e = read_fact(d, "sha256", name, "parent", parent);
	if (e == ERR_OK)
		e = read_fact(d, "sha256", name, "diff", digest);
	if (e != ERR_OK || snprintf(id, sizeof(id), "sha256:%s", name) >= (int)sizeof(id))
		return e;
	return layers_add(d->layers, slice_text(id), slice_text(parent), slice_text(place),
		slice_text(digest));
}

/* What a container has written, by the container's id. */
static enum err take_container(void *arg, const char *name)
{
	static const char *const facts[] = { "mount-id", "init-id" };
	struct docker *d = arg;
	char place[FACT_BYTES_MAX];
	enum err e = ERR_OK;

	for (size_t i = 0; e == ERR_OK && i < sizeof(facts) / sizeof(facts[0]); i++) {
		e = read_fact(d, "mounts", name, facts[i], place);
		if (e == ERR_OK)
			e = layers_add(d->layers, slice_text(place), slice_of(NULL, 0),
				slice_text(place), slice_of(NULL, 0));
		if (e == ERR_OK)
			e = layers_add_container(
				d->layers, slice_text(name), slice_of(NULL, 0), slice_text(place));
	}
	return e;
}

static enum err take_name(void *arg, struct slice id, struct slice name)
{
	struct docker *d = arg;
	struct image_name *names = d->names;

	d->layers->is_limited = d->layers->is_limited || d->names_count == layers_max(d->layers);
	if (d->names_count == layers_max(d->layers))
		return ERR_OK;
	if (d->names_count == d->names_capacity) {
		names = reallocarray(names, 2 * d->names_capacity + NAMES_STEP, sizeof(*names));
		if (!names)
			return ERR_MEMORY;
		d->names = names;
		d->names_capacity = 2 * d->names_capacity + NAMES_STEP;
	}
	names[d->names_count] = (struct image_name){
		.id = string_of(id), .name = string_of(name), .order = d->names_count
	};
	d->names_count++;
	return names[d->names_count - 1].id && names[d->names_count - 1].name ? ERR_OK : ERR_MEMORY;
}

/* Those of one image in the order of the list. */
static int compare_names(const void *a, const void *b)
{
	const struct image_name *one = a, *other = b;
	int order = strcmp(one->id, other->id);

	return order ? order : (one->order > other->order) - (one->order < other->order);
}

static int compare_ids(const void *key, const void *item)
{
	return strcmp(key, ((const struct image_name *)item)->id);
}

/* The first of that image, or NULL. */
static const struct image_name *first_name(const struct docker *d, const char *id)
{
	const struct image_name *found = d->names_count ? bsearch(id, d->names, d->names_count,
								  sizeof(*d->names), compare_ids)
							: NULL;

	while (found && found > d->names && strcmp(found[-1].id, id) == 0)
		found--;
	return found;
}

static void names_fini(struct docker *d)
{
	for (size_t i = 0; i < d->names_count; i++) {
		free(d->names[i].id);
		free(d->names[i].name);
	}
	free(d->names);
}

static enum err take_image(void *arg, const char *name)
{
	struct docker *d = arg;
	char path[PATH_BYTES], id[PATH_BYTES], top[DIGEST_TEXT_BYTES];
	const struct image_name *n;
	enum err e;

	(void)snprintf(path, sizeof(path), DB "imagedb/content/sha256/%s", name);
	(void)snprintf(id, sizeof(id), "sha256:%s", name);
	e = store_read_text(d->files, path, STORE_TEXT_BYTES_MAX, &d->text);
	if (e != ERR_OK || !images_chain_of(d->layers, buffer_bytes(&d->text), top))
		return e;
	n = first_name(d, id);
	if (!n)
		return layers_add_image(
			d->layers, slice_text(id), slice_of(NULL, 0), slice_text(top));
	for (; e == ERR_OK && n < d->names + d->names_count && strcmp(n->id, id) == 0; n++)
		e = layers_add_image(
			d->layers, slice_text(id), slice_text(n->name), slice_text(top));
	return e;
}

enum err store_load_docker(struct store_files *s, struct layers *l)
{
	struct docker d = { .files = s, .layers = l };
	enum err e;

	buffer_init(&d.text, (size_t)s->bytes_left + FACT_BYTES_MAX);
	e = store_list_names(s, DB "layerdb/sha256", l, take_layer, &d);
	if (e == ERR_OK)
		e = store_list_names(s, DB "layerdb/mounts", l, take_container, &d);
	if (e == ERR_OK)
		e = store_read_text(s, DB "repositories.json", STORE_TEXT_BYTES_MAX, &d.text);
	if (e == ERR_OK)
		e = images_read_repositories(buffer_bytes(&d.text), take_name, &d);
	if (d.names_count)
		qsort(d.names, d.names_count, sizeof(*d.names), compare_names);
	if (e == ERR_OK)
		e = store_list_names(s, DB "imagedb/content/sha256", l, take_image, &d);
	buffer_fini(&d.text);
	names_fini(&d);
	return e;
}
