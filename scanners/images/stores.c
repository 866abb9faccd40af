/* Stores of images: which one a folder lies in, and the lists of each, read once. */
#include "scanners/images/store_internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BLOBS "/blobs/sha256"

/* A folder of a layer: "<root><before>NAME<after>". */
struct kind {
	const char *before;
	const char *after;
	enum err (*load)(struct store_files *s, struct layers *l);
};

static const struct kind kinds[] = {
	{ "/overlay2/", "/diff", store_load_docker },
	{ "/overlay/", "/diff", store_load_overlay },
	{ "/vfs/dir/", "", store_load_vfs },
	{ "/io.containerd.snapshotter.v1.overlayfs/snapshots/", "/fs", store_load_containerd },
};
static const struct kind blobs = { BLOBS, "", store_load_blobs };

struct store {
	const struct kind *kind;
	char *root; /* owned */
	struct layers layers;
	const char *limited_by; /* a limit's key, until that is told; or NULL */
};

struct image_stores {
	image_open_fn open;
	struct image_limits limits;
	atomic_uint complaints; /* stores with a limit that is not told */
	pthread_mutex_t lock;
	struct store **items; /* owned, each owned */
	size_t count;
	/* The first for which there was no room, so that that is told once. */
	struct store *left_out; /* owned, or NULL */
};

enum err image_stores_new(
	image_open_fn open, const struct image_limits *limits, struct image_stores **out)
{
	struct image_stores *s = calloc(1, sizeof(*s));

	if (!s)
		return ERR_MEMORY;
	s->open = open;
	s->limits = *limits;
	(void)pthread_mutex_init(&s->lock, NULL);
	*out = s;
	return ERR_OK;
}

static void store_free(struct store *s)
{
	if (!s)
		return;
	layers_fini(&s->layers);
	free(s->root);
	free(s);
}

void image_stores_free(struct image_stores *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->count; i++)
		store_free(s->items[i]);
	free(s->items);
	store_free(s->left_out);
	(void)pthread_mutex_destroy(&s->lock);
	free(s);
}

/* --- reading ------------------------------------------------------------------------------------ */

int store_open_below(const struct store_files *s, const char *below, int flags)
{
	char path[PATH_MAX];
	int size = snprintf(path, sizeof(path), "%s/%s", s->root, below);

	if (size < 0 || (size_t)size >= sizeof(path))
		return -1;
	return s->open(path, flags | O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW);
}

enum err store_read_text(struct store_files *s, const char *below, size_t max, struct buffer *out)
{
	int fd = store_open_below(s, below, 0);
	struct stat st;
	size_t want = 0;

	buffer_clear(out);
	if (fd < 0)
		return ERR_OK;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && (uint64_t)st.st_size <= max)
		want = (size_t)st.st_size;
	if (want > s->bytes_left) {
		s->is_limited = true;
		want = 0;
	}
	s->bytes_left -= want;
	if (want && !buffer_reserve(out, want)) {
		(void)close(fd);
		return buffer_status(out);
	}
	while (out->size < want) {
		ssize_t n = read(fd, out->data + out->size, want - out->size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		out->size += (size_t)n;
	}
	(void)close(fd);
	return ERR_OK;
}

enum err store_list_names(
	struct store_files *s, const char *below, struct layers *l, store_name_fn tell, void *arg)
{
	size_t left = layers_max(l);
	int fd = store_open_below(s, below, O_DIRECTORY);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	const struct dirent *entry;
	enum err e = ERR_OK;

	if (!dir) {
		if (fd >= 0)
			(void)close(fd);
		return ERR_OK;
	}
	while (e == ERR_OK && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		l->is_limited = l->is_limited || !left;
		if (!left--)
			break;
		e = tell(arg, entry->d_name);
	}
	(void)closedir(dir);
	return e;
}

/* --- which store -------------------------------------------------------------------------------- */

/* Cuts "<before>NAME<after>" off a path's end. */
static bool split(
	const struct kind *kind, struct slice path, struct slice *root, struct slice *name)
{
	size_t after = strlen(kind->after), before = strlen(kind->before);
	size_t end, start;

	if (path.size <= after + before ||
		memcmp(path.data + path.size - after, kind->after, after) != 0)
		return false;
	end = start = path.size - after;
	while (start && path.data[start - 1] != '/')
		start--;
	if (start == end || start < before ||
		memcmp(path.data + start - before, kind->before, before) != 0)
		return false;
	*root = slice_of(path.data, start - before);
	*name = slice_of(path.data + start, end - start);
	return true;
}

static struct store *store_new(const struct kind *kind, struct slice root)
{
	struct store *store = calloc(1, sizeof(*store));

	if (!store)
		return NULL;
	store->kind = kind;
	store->root = strndup((const char *)root.data, root.size);
	if (store->root)
		return store;
	free(store);
	return NULL;
}

static void limited(struct image_stores *s, struct store *store, const char *key)
{
	store->limited_by = key;
	atomic_fetch_add(&s->complaints, 1);
}

static enum err read_lists(struct image_stores *s, struct store *store)
{
	struct store_files files = { .open = s->open,
		.root = store->root,
		.bytes_left = s->limits.list_bytes,
		.depth_max = (unsigned)s->limits.nesting + 1 };
	enum err e;

	store->layers.max = (size_t)s->limits.layers;
	store->layers.image_max = (size_t)s->limits.layers_per_image;
	e = store->kind->load(&files, &store->layers);
	if (e == ERR_OK)
		e = layers_label(&store->layers);
	if (files.is_limited)
		limited(s, store, "image_lists");
	else if (store->layers.is_limited)
		limited(s, store, "image_layers");
	else if (store->layers.is_image_cut)
		limited(s, store, "layers_per_image");
	else if (files.is_deep)
		limited(s, store, "nesting");
	return e;
}

/* NULL where there is no room for it. */
static enum err load(
	struct image_stores *s, const struct kind *kind, struct slice root, struct store **out)
{
	bool has_room = s->count < s->limits.stores;
	struct store *store = NULL;
	struct store **items;
	enum err e;

	*out = NULL;
	if (!has_room && s->left_out)
		return ERR_OK;
	items = reallocarray(s->items, s->count + 1, sizeof(struct store *));
	if (items)
		s->items = items;
	store = items ? store_new(kind, root) : NULL;
	if (!store)
		return ERR_MEMORY;
	if (!has_room) {
		s->left_out = store;
		limited(s, store, "image_stores");
		return ERR_OK;
	}
	e = read_lists(s, store);
	if (e != ERR_OK) {
		store_free(store);
		return e;
	}
	*out = s->items[s->count++] = store;
	return ERR_OK;
}

static bool is_of(const struct store *store, const struct kind *kind, struct slice root)
{
	return store->kind == kind && strlen(store->root) == root.size &&
	       memcmp(store->root, root.data, root.size) == 0;
}

static enum err find(struct image_stores *s, const struct kind *kind, struct slice root,
	struct slice name, const char **label)
{
	struct store *store = NULL;
	enum err e = ERR_OK;

	(void)pthread_mutex_lock(&s->lock);
	for (size_t i = 0; i < s->count && !store; i++)
		if (is_of(s->items[i], kind, root))
			store = s->items[i];
	if (!store)
		e = load(s, kind, root, &store);
	*label = e == ERR_OK && store ? layers_find(&store->layers, name) : NULL;
	(void)pthread_mutex_unlock(&s->lock);
	return e;
}

static const char *take_complaint(struct image_stores *s, struct store *store, const char **key)
{
	if (!store || !store->limited_by)
		return NULL;
	*key = store->limited_by;
	store->limited_by = NULL;
	atomic_fetch_sub(&s->complaints, 1);
	return store->root;
}

const char *image_stores_limited(struct image_stores *s, const char **key)
{
	const char *root = NULL;

	if (!atomic_load_explicit(&s->complaints, memory_order_relaxed))
		return NULL;
	(void)pthread_mutex_lock(&s->lock);
	for (size_t i = 0; i < s->count && !root; i++)
		root = take_complaint(s, s->items[i], key);
	if (!root)
		root = take_complaint(s, s->left_out, key);
	(void)pthread_mutex_unlock(&s->lock);
	return root;
}

enum err image_stores_folder(struct image_stores *s, struct slice path, const char **label)
{
	struct slice root, name;

	*label = NULL;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (split(&kinds[i], path, &root, &name))
			return find(s, &kinds[i], root, name, label);
	return ERR_OK;
}

bool image_stores_has_blobs(struct slice path)
{
	size_t size = strlen(BLOBS);

	return path.size > size && memcmp(path.data + path.size - size, BLOBS, size) == 0;
}

enum err image_stores_blob(
	struct image_stores *s, struct slice folder, struct slice name, const char **label)
{
	char digest[80];
	int size = snprintf(
		digest, sizeof(digest), "sha256:%.*s", (int)name.size, (const char *)name.data);

	*label = NULL;
	if (!image_stores_has_blobs(folder) || name.size != 64 || size >= (int)sizeof(digest))
		return ERR_OK;
	return find(s, &blobs, slice_of(folder.data, folder.size - strlen(BLOBS)),
		slice_text(digest), label);
}
