/* What the loaders of the kinds of stores share. */
#ifndef LEAFWATCH_SCANNERS_IMAGES_STORE_INTERNAL_H
#define LEAFWATCH_SCANNERS_IMAGES_STORE_INTERNAL_H

#include "agent/base/buffer.h"
#include "agent/base/err.h"
#include "scanners/images/layers.h"
#include "scanners/images/stores.h"

/* A store being read. */
struct store_files {
	image_open_fn open;
	const char *root;
	uint64_t bytes_left; /* of all its texts together */
	unsigned depth_max;  /* of lists in one another */
	bool is_limited;     /* one did not fit */
	bool is_deep;        /* there were more in one another */
};

/* Of what lists say that are read without a limit of their own. */
#define STORE_TEXT_BYTES_MAX SIZE_MAX

/* Opens what lies below the root: "image/overlay2/x". -1 for what is not there or not readable. */
int store_open_below(const struct store_files *s, const char *below, int flags);
/* A file's content; without one, or where it does not fit any more, `out` is left empty. One larger than `max` is none.
 * Only memory can fail. */
enum err store_read_text(
	struct store_files *s, const char *below, size_t max, struct buffer *out) MUST_CHECK;
/* The names in a folder, as many as there may be layers; none for what is no folder. */
typedef enum err (*store_name_fn)(void *arg, const char *name);
enum err store_list_names(struct store_files *s, const char *below, struct layers *l,
	store_name_fn tell, void *arg) MUST_CHECK;

/* One for each kind. */
enum err store_load_docker(struct store_files *s, struct layers *l) MUST_CHECK;
enum err store_load_overlay(struct store_files *s, struct layers *l) MUST_CHECK;
enum err store_load_vfs(struct store_files *s, struct layers *l) MUST_CHECK;
enum err store_load_containerd(struct store_files *s, struct layers *l) MUST_CHECK;
enum err store_load_blobs(struct store_files *s, struct layers *l) MUST_CHECK;

#endif
