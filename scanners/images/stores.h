/* Stores of images on disk: what a folder or file that lies in one is. Their lists are read once a pass, at the first
 * layer that is met. Threads may ask at once. */
#ifndef LEAFWATCH_SCANNERS_IMAGES_STORES_H
#define LEAFWATCH_SCANNERS_IMAGES_STORES_H

#include "agent/base/err.h"
#include "agent/base/slice.h"

#include <stdbool.h>
#include <stdint.h>

/* The standard limits: stores of one pass, and bytes of all lists of one. What is beyond goes without labels. */
#define IMAGE_STORES_MAX 64
#define IMAGE_LISTS_BYTES_MAX (64 * 1024 * 1024)

struct image_limits {
	uint64_t stores;
	uint64_t list_bytes;
	uint64_t layers; /* of one store, and as many images */
	uint64_t layers_per_image;
	uint64_t nesting; /* of lists in one another, besides the outermost */
};

/* Opens an absolute path without following a link in it; may change it meanwhile. -1 and errno. */
typedef int (*image_open_fn)(char *path, int flags);

struct image_stores;

enum err image_stores_new(image_open_fn open, const struct image_limits *limits /* copied */,
	struct image_stores **out) MUST_CHECK;
void image_stores_free(struct image_stores *s);

/* `path` is absolute and free of links. What the layer that begins at this folder belongs to, in `*label`; NULL for
 * any other folder, and for layers of which nothing is known. It stays until image_stores_free. */
enum err image_stores_folder(
	struct image_stores *s, struct slice path, const char **label) MUST_CHECK;
/* Do the files of this folder have labels of their own? */
bool image_stores_has_blobs(struct slice path);
/* The same for a file in such a folder. */
enum err image_stores_blob(struct image_stores *s, struct slice folder, struct slice name,
	const char **label) MUST_CHECK;
/* A store of which not all is known, because a limit was reached that goes by `*key` in the configuration: its folder,
 * which stays until image_stores_free. Each is told once; NULL: there is none. Cheap where there is none. */
const char *image_stores_limited(struct image_stores *s, const char **key);

#endif
