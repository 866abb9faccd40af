/* Blobs by their digests, as in an OCI image layout (image-spec, image-layout.md) and in containerd, whose databases
 * say what the images are called and which snapshot is which layer. */
#include "agent/base/strings.h"
#include "scanners/images/bolt.h"
#include "scanners/images/read.h"
#include "scanners/images/store_internal.h"

#include <stdio.h>
#include <stdlib.h>

#define CONTENT "io.containerd.content.v1.content"
#define META "io.containerd.metadata.v1.bolt/meta.db"
#define SNAPSHOTS "io.containerd.snapshotter.v1.overlayfs/metadata.db"
#define PATH_BYTES 512

struct oci {
	struct store_files *files;
	const char *blobs; /* the folder of the blobs, below the root */
	struct image_blobs reading;
	struct layers *layers;
	struct layers chains;   /* of all images: the digests of layers by their chain ids */
	struct strings digests; /* of images, from containerd's database ... */
	struct strings names;   /* ... in the same order */
	enum err e;
};

static enum err read_blob(void *arg, struct slice digest, struct buffer *out)
{
	struct oci *o = arg;
	char path[PATH_BYTES];
	int size = snprintf(path, sizeof(path), "%s/%.*s", o->blobs, (int)digest.size,
		(const char *)digest.data);
	char *colon = strchr(path, ':');

	buffer_init(out, (size_t)o->files->bytes_left + 1);
	if (size >= (int)sizeof(path) || !colon || memchr(digest.data, '/', digest.size))
		return ERR_OK;
	*colon = '/';
	return store_read_text(o->files, path, STORE_TEXT_BYTES_MAX, out);
}

static enum err take_blobs(void *arg, struct slice digest, struct slice name, struct slice text)
{
	const struct oci *o = arg;

	return images_read_manifest(o->layers, text, digest, name);
}

/* --- containerd --------------------------------------------------------------------------------- */

/* v1/NAMESPACE/images/NAME/target: digest. A name that is a digest itself is none. */
static bool take_image(
	void *arg, const struct bolt_place *place, struct slice key, struct slice value)
{
	struct oci *o = arg;
	struct slice name;

	if (place->depth != 5 || !bolt_is_bucket(place, 0, "v1") ||
		!bolt_is_bucket(place, 2, "images") || !bolt_is_bucket(place, 4, "target") ||
		key.size != 6 || memcmp(key.data, "digest", 6) != 0)
		return true;
	o->layers->is_limited = o->layers->is_limited || o->names.count == layers_max(o->layers);
	if (o->names.count == layers_max(o->layers))
		return false;
	name = place->buckets[3];
	if (slice_starts(name, "sha256:", 7) || memchr(name.data, '@', name.size))
		name = slice_of(NULL, 0);
	if (memchr(name.data ? name.data : (const uint8_t *)"", 0, name.size) ||
		memchr(value.data, 0, value.size))
		return true;
	o->e = strings_add_slice(&o->digests, value);
	if (o->e == ERR_OK)
		o->e = strings_add_slice(&o->names, name);
	return o->e == ERR_OK;
}

/* Those with names first: they stand for the others. */
static enum err take_images(struct oci *o)
{
	struct buffer database;
	enum err e;

	buffer_init(&database, (size_t)o->files->bytes_left + 1);
	e = store_read_text(o->files, META, STORE_TEXT_BYTES_MAX, &database);
	if (e == ERR_OK && database.size) {
		(void)bolt_values(buffer_bytes(&database), take_image, o);
		e = o->e;
	}
	buffer_fini(&database);
	for (size_t i = 0; e == ERR_OK && i < o->names.count; i++)
		e = images_take_blob(&o->reading, slice_text(o->digests.items[i]),
			slice_text(o->names.items[i]));
	return e;
}

static enum err take_chain(void *arg, struct slice digest, struct slice name, struct slice text)
{
	struct oci *o = arg;
	struct slice config = images_config_of(text);
	char top[DIGEST_TEXT_BYTES];
	struct buffer content;
	enum err e;

	if (!config.size)
		return ERR_OK;
	e = read_blob(o, config, &content);
	if (e == ERR_OK && images_chain_of(o->layers, buffer_bytes(&content), top))
		e = layers_add_image(o->layers, digest, name, slice_text(top));
	if (e == ERR_OK)
		e = images_read_chain(&o->chains, buffer_bytes(&content));
	buffer_fini(&content);
	return e;
}

/* "k8s.io/12/sha256:...": what is behind the last slash is the chain id, or a container's key. */
static struct slice behind_slash(struct slice key)
{
	const uint8_t *slash = key.size ? memrchr(key.data, '/', key.size) : NULL;

	return slash ? slice_after(key, (size_t)(slash - key.data) + 1) : key;
}

/* protobuf's way of writing it, as the id is. */
static uint64_t varint(struct slice value)
{
	uint64_t n = 0;

	for (size_t i = 0; i < value.size && i < 9; i++)
		n |= (uint64_t)(value.data[i] & 0x7f) << (7 * i);
	return n;
}

struct snapshots {
	struct oci *oci;
	struct slice key; /* of the snapshot under way; borrowed, as the next */
	struct slice parent;
	uint64_t id;
	bool has_id;
	enum err e;
};

static void finish_snapshot(struct snapshots *s)
{
	struct slice chain = behind_slash(s->key);
	const char *digest = layers_digest(&s->oci->chains, chain);
	char place[32];

	(void)snprintf(place, sizeof(place), "%llu", (unsigned long long)s->id);
	if (s->has_id && s->e == ERR_OK)
		s->e = layers_add(s->oci->layers, chain, behind_slash(s->parent), slice_text(place),
			slice_text(digest));
	/* What a container has written lies in a snapshot that is no image's. */
	if (s->has_id && s->e == ERR_OK && !slice_starts(chain, "sha256:", 7))
		s->e = layers_add_container(s->oci->layers, chain, slice_of(NULL, 0), chain);
	s->key = s->parent = slice_of(NULL, 0);
	s->has_id = false;
}

/* v1/snapshots/KEY: id, parent. */
static bool take_snapshot(
	void *arg, const struct bolt_place *place, struct slice key, struct slice value)
{
	struct snapshots *s = arg;

	if (place->depth != 3 || !bolt_is_bucket(place, 0, "v1") ||
		!bolt_is_bucket(place, 1, "snapshots"))
		return true;
	if (place->buckets[2].data != s->key.data) {
		finish_snapshot(s);
		s->key = place->buckets[2];
	}
	if (key.size == 2 && memcmp(key.data, "id", 2) == 0) {
		s->id = varint(value);
		s->has_id = true;
	} else if (key.size == 6 && memcmp(key.data, "parent", 6) == 0) {
		s->parent = value;
	}
	return s->e == ERR_OK;
}

static enum err take_snapshots(struct oci *o)
{
	struct snapshots s = { .oci = o };
	struct buffer database;

	buffer_init(&database, (size_t)o->files->bytes_left + 1);
	s.e = store_read_text(o->files, SNAPSHOTS, STORE_TEXT_BYTES_MAX, &database);
	if (s.e == ERR_OK && database.size)
		(void)bolt_values(buffer_bytes(&database), take_snapshot, &s);
	finish_snapshot(&s);
	buffer_fini(&database);
	return s.e;
}

static void oci_fini(struct oci *o)
{
	o->layers->is_limited =
		o->layers->is_limited || o->chains.is_limited || o->reading.is_limited;
	o->files->is_deep = o->files->is_deep || o->reading.is_deep;
	layers_fini(&o->chains);
	strings_fini(&o->digests);
	strings_fini(&o->names);
}

static void oci_init(struct oci *o,
	enum err (*take)(void *arg, struct slice digest, struct slice name, struct slice text))
{
	o->reading = (struct image_blobs){ .read = read_blob,
		.take = take,
		.arg = o,
		.max = layers_max(o->layers),
		.depth_max = o->files->depth_max };
	o->chains.max = o->layers->max;
	o->chains.image_max = o->layers->image_max;
}

enum err store_load_containerd(struct store_files *s, struct layers *l)
{
	struct oci o = { .files = s, .blobs = CONTENT "/blobs", .layers = l };
	enum err e;

	oci_init(&o, take_chain);
	e = take_images(&o);
	if (e == ERR_OK)
		e = layers_label(&o.chains);
	if (e == ERR_OK)
		e = take_snapshots(&o);
	oci_fini(&o);
	return e;
}

/* --- blobs -------------------------------------------------------------------------------------- */

static enum err load_layout(struct oci *o)
{
	struct buffer index;
	enum err e;

	buffer_init(&index, (size_t)o->files->bytes_left + 1);
	e = store_read_text(o->files, "index.json", STORE_TEXT_BYTES_MAX, &index);
	if (e == ERR_OK)
		e = images_take_index(&o->reading, buffer_bytes(&index));
	buffer_fini(&index);
	return e;
}

/* The root is the layout's, or containerd's folder of content, beside which is its database. */
enum err store_load_blobs(struct store_files *s, struct layers *l)
{
	struct store_files above = *s;
	struct oci o = { .files = s, .blobs = "blobs", .layers = l };
	const char *end = strrchr(s->root, '/');
	char *folder = NULL;
	enum err e;

	oci_init(&o, take_blobs);
	if (end && strcmp(end + 1, CONTENT) == 0) {
		folder = strndup(s->root, (size_t)(end - s->root));
		above.root = folder;
		o.files = &above;
		o.blobs = CONTENT "/blobs";
		e = folder ? take_images(&o) : ERR_MEMORY;
	} else {
		e = load_layout(&o);
	}
	oci_fini(&o);
	s->is_limited = s->is_limited || above.is_limited;
	s->is_deep = s->is_deep || above.is_deep;
	free(folder);
	return e;
}
