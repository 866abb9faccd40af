/* docker's own store (moby, layer/filestore.go and image/fs.go): a folder a layer with a small file for each of its
 * facts, the configurations of images by their ids, and the names in one list. */
#include "agent/base/strings.h"
#include "scanners/images/read.h"
#include "scanners/images/store_internal.h"

#include <stdio.h>

#define DB "image/overlay2/"
#define PATH_BYTES 512
#define FACT_BYTES_MAX 256
#define NAMES_MAX 5000

struct docker {
	struct store_files *files;
	struct layers *layers;
	struct strings ids;   /* of images that have names ... */
	struct strings names; /* ... in the same order */
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
	enum err e;

	if (d->names.count == NAMES_MAX)
		return ERR_OK;
	e = strings_add_slice(&d->ids, id);
	return e == ERR_OK ? strings_add_slice(&d->names, name) : e;
}

static enum err take_image(void *arg, const char *name)
{
	struct docker *d = arg;
	char path[PATH_BYTES], id[PATH_BYTES], top[DIGEST_TEXT_BYTES];
	bool has_name = false;
	enum err e;

	(void)snprintf(path, sizeof(path), DB "imagedb/content/sha256/%s", name);
	(void)snprintf(id, sizeof(id), "sha256:%s", name);
	e = store_read_text(d->files, path, IMAGE_TEXT_BYTES_MAX, &d->text);
	if (e != ERR_OK || !images_chain_of(buffer_bytes(&d->text), top))
		return e;
	for (size_t i = 0; e == ERR_OK && i < d->names.count; i++)
		if (strcmp(d->ids.items[i], id) == 0) {
			has_name = true;
			e = layers_add_image(d->layers, slice_text(id),
				slice_text(d->names.items[i]), slice_text(top));
		}
	if (e == ERR_OK && !has_name)
		e = layers_add_image(d->layers, slice_text(id), slice_of(NULL, 0), slice_text(top));
	return e;
}

enum err store_load_docker(struct store_files *s, struct layers *l)
{
	struct docker d = { .files = s, .layers = l };
	enum err e;

	buffer_init(&d.text, IMAGE_TEXT_BYTES_MAX);
	e = store_list_names(s, DB "layerdb/sha256", LAYERS_MAX, take_layer, &d);
	if (e == ERR_OK)
		e = store_list_names(s, DB "layerdb/mounts", LAYERS_MAX, take_container, &d);
	if (e == ERR_OK)
		e = store_read_text(s, DB "repositories.json", IMAGE_TEXT_BYTES_MAX, &d.text);
	if (e == ERR_OK)
		e = images_read_repositories(buffer_bytes(&d.text), take_name, &d);
	if (e == ERR_OK)
		e = store_list_names(s, DB "imagedb/content/sha256", IMAGES_MAX, take_image, &d);
	buffer_fini(&d.text);
	strings_fini(&d.ids);
	strings_fini(&d.names);
	return e;
}
