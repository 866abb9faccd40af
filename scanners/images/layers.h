/* Layers of images, and what each is called: of which images it is, and by which digest. */
#ifndef LEAFWATCH_SCANNERS_IMAGES_LAYERS_H
#define LEAFWATCH_SCANNERS_IMAGES_LAYERS_H

#include "agent/base/err.h"
#include "agent/base/slice.h"

#include <stdbool.h>
#include <stddef.h>

/* Layers of one store, and images as well, unless the limit is another; what is beyond is not called anything. */
#define LAYERS_MAX 20000
/* Of one image, unless the limit is another; those below are not called after it. */
#define IMAGE_LAYERS_MAX 512
#define LAYER_TEXT_BYTES_MAX 512
#define LAYER_LABEL_BYTES_MAX (2 * LAYER_TEXT_BYTES_MAX + 128)

struct layer {
	char *id;     /* owned, as are the others: by which images and layers above name it */
	char *parent; /* of the layer below, or NULL */
	char *place; /* by which it is found: a folder, a digest, a member. Several may have the same. */
	char *digest;              /* "sha256:...", or NULL: it goes by its place */
	char *label;               /* NULL until layers_label, and where no image is known */
	const struct image *image; /* borrowed: one that uses it ... */
	size_t uses;               /* ... of so many */
};

struct image {
	char *name; /* owned; NULL where it has none: then by its id */
	char *id;   /* owned */
	char *top;  /* owned: the id of its uppermost layer */
	unsigned names_more;
	bool is_container;
};

/* Starts as {0}, or with its maximum. */
struct layers {
	size_t max;          /* 0: LAYERS_MAX */
	size_t image_max;    /* of one image; 0: IMAGE_LAYERS_MAX */
	bool is_limited;     /* there were more */
	bool is_image_cut;   /* an image has more than image_max */
	struct layer *items; /* owned */
	size_t count;
	size_t capacity;
	struct image *images; /* owned */
	size_t images_count;
	size_t images_capacity;
	bool is_sorted; /* by place */
};

void layers_fini(struct layers *l);
size_t layers_max(const struct layers *l);
size_t layers_image_max(const struct layers *l);
/* Both copy their texts. Texts that are empty or longer than LAYER_TEXT_BYTES_MAX, and what is beyond the maxima, are
 * left out, which is no error. `parent` and `digest` may be empty. */
enum err layers_add(struct layers *l, struct slice id, struct slice parent, struct slice place,
	struct slice digest) MUST_CHECK;
enum err layers_add_image(
	struct layers *l, struct slice id, struct slice name, struct slice top) MUST_CHECK;
/* The same for a container, whose uppermost layer is its own. */
enum err layers_add_container(
	struct layers *l, struct slice id, struct slice name, struct slice top) MUST_CHECK;
/* Once all were added: gives each layer its label. */
enum err layers_label(struct layers *l) MUST_CHECK;
/* The digest of the layer at that place; NULL where there is none. */
const char *layers_digest(const struct layers *l, struct slice place);
/* "image: web:1.0 layer: sha256:0123456789ab"; NULL where nothing is known of such a place. */
const char *layers_find(const struct layers *l, struct slice place);

#endif
