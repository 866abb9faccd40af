/* What the texts say in which programs that keep images write down which layers those have. All of it is taken for
 * hostile: what is no such text adds nothing. */
#ifndef LEAFWATCH_SCANNERS_IMAGES_READ_H
#define LEAFWATCH_SCANNERS_IMAGES_READ_H

#include "agent/base/buffer.h"
#include "scanners/images/layers.h"

/* "sha256:" and 64 digits, and a NUL. */
#define DIGEST_TEXT_BYTES 72

/* containers/storage (podman, buildah, cri-o): overlay-layers/layers.json, overlay-images/images.json,
 * overlay-containers/containers.json. A layer's place is its id. */
enum err images_read_layers(struct layers *l, struct slice text) MUST_CHECK;
enum err images_read_images(struct layers *l, struct slice text) MUST_CHECK;
enum err images_read_containers(struct layers *l, struct slice text) MUST_CHECK;

/* The id that an image's uppermost layer has by its configuration (OCI image-spec, config.md, "Layer ChainID"): the
 * digest of the one below's and of its own. False where it has no layers, or more than `l` allows, which knows that
 * then. */
bool images_chain_of(struct layers *l, struct slice config, char out[DIGEST_TEXT_BYTES]);
/* All of its layers: their ids, places too, are those. */
enum err images_read_chain(struct layers *l, struct slice config) MUST_CHECK;
/* docker: repositories.json, the names of images by id; each is told. */
typedef enum err (*image_name_fn)(void *arg, struct slice id, struct slice name);
enum err images_read_repositories(struct slice text, image_name_fn tell, void *arg) MUST_CHECK;

/* What `docker save` writes: manifest.json. The place of a layer is its member's name. */
enum err images_read_saved(struct layers *l, struct slice text) MUST_CHECK;
/* OCI image-layout: index.json, or an index in it: the digests of manifests, with the names they have. */
enum err images_read_index(struct slice text, image_name_fn tell, void *arg) MUST_CHECK;
/* Blobs that go by digests; each manifest that an index names is given to `take`. */
struct image_blobs {
	/* Initialises `out`; leaves it empty for what is not there. */
	enum err (*read)(void *arg, struct slice digest, struct buffer *out);
	enum err (*take)(void *arg, struct slice digest, struct slice name, struct slice text);
	void *arg;
	size_t max;         /* blobs that are read */
	unsigned depth_max; /* of indexes in one another, and a manifest in the last */
	unsigned depth;
	size_t taken;
	bool is_limited; /* there were more */
	bool is_deep;    /* there were more in one another */
};
/* A manifest, or an index of several, as those for several machines are. */
enum err images_take_blob(struct image_blobs *b, struct slice digest, struct slice name) MUST_CHECK;
/* All that an index names. */
enum err images_take_index(struct image_blobs *b, struct slice index) MUST_CHECK;

/* Of a manifest the digest of the configuration; empty for what is none. */
struct slice images_config_of(struct slice manifest);
/* A manifest: the places of its layers are their digests. */
enum err images_read_manifest(
	struct layers *l, struct slice text, struct slice digest, struct slice name) MUST_CHECK;

#endif
