/* The lists of stores: what is taken out of them, and that nothing of what is broken does harm. */
#include "scanners/images/bolt.h"
#include "scanners/images/json_strings.h"
#include "scanners/images/read.h"
#include "scanners/images/stores.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define A "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
/* sha256 of "<A> <B>". */
#define C "sha256:cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"
#define AB "sha256:ccd722928bd92476ba1745586fed6e45a102504185ad88cd89e01ff116fd146c"

static void assert_label(const struct layers *l, const char *place, const char *label)
{
	const char *found = layers_find(l, slice_text(place));

	if (label)
		assert_non_null(found);
	else
		assert_null(found);
	if (label)
		assert_string_equal(found, label);
}

/* --- JSON --------------------------------------------------------------------------------------- */

struct strings_seen {
	char all[512];
	unsigned stop_after;
	unsigned count;
};

static bool see(void *arg, const struct json_place *place, struct slice value)
{
	struct strings_seen *s = arg;

	for (unsigned i = 0; i < place->depth; i++) {
		const struct json_step *step = &place->steps[i];
		size_t size = strlen(s->all);

		if (step->is_list)
			(void)snprintf(s->all + size, sizeof(s->all) - size, "[%u]", step->index);
		else
			(void)snprintf(s->all + size, sizeof(s->all) - size, ".%.*s",
				(int)step->key.size, (const char *)step->key.data);
	}
	(void)snprintf(s->all + strlen(s->all), sizeof(s->all) - strlen(s->all), "=%.*s ",
		(int)value.size, (const char *)value.data);
	return ++s->count != s->stop_after;
}

static void test_json(void **state)
{
	static const struct {
		const char *text;
		const char *seen;
		bool is_good;
	} cases[] = {
		{ "{\"a\": \"x\", \"b\": [\"y\", {\"c\" : \"z\"}, 7, null]}",
			".a=x .b[0]=y .b[1].c=z ", true },
		{ "[[\"a\"],[],[\"b\",\"c\"]]", "[0][0]=a [2][0]=b [2][1]=c ", true },
		{ "{\"a\\\"b\":\"c\\\\\"}", ".a\\\"b=c\\\\ ", true },
		{ "{\"a\":\"x\",\"b\":\"cut", ".a=x ", false },
		{ "{\"a\":\"x\"", ".a=x ", false },
		{ "]", "", false },
		{ "", "", true },
		{ "12", "", true },
	};
	struct strings_seen s;
	char deep[200] = "";

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		s = (struct strings_seen){ 0 };
		assert_int_equal(
			json_strings(slice_text(cases[i].text), see, &s), cases[i].is_good);
		assert_string_equal(s.all, cases[i].seen);
	}
	/* What lies too deep is not told, what comes behind it is. */
	(void)memset(deep, '[', 40);
	(void)snprintf(deep + 40, sizeof(deep) - 40, "\"x\"");
	(void)memset(deep + strlen(deep), ']', 39);
	(void)snprintf(deep + strlen(deep), sizeof(deep) - strlen(deep), ",\"y\"]");
	s = (struct strings_seen){ 0 };
	assert_true(json_strings(slice_text(deep), see, &s));
	assert_string_equal(s.all, "[1]=y ");
	/* A NUL is no JSON, and who has seen enough ends it. */
	s = (struct strings_seen){ 0 };
	assert_false(json_strings(slice_of("[\"a\",\0\"b\"]", 11), see, &s));
	s = (struct strings_seen){ .stop_after = 1 };
	assert_false(json_strings(slice_text("[\"a\",\"b\"]"), see, &s));
	assert_int_equal(s.count, 1);
}

/* --- layers ------------------------------------------------------------------------------------- */

static void add(struct layers *l, const char *id, const char *parent, const char *digest)
{
	assert_int_equal(layers_add(l, slice_text(id), slice_text(parent), slice_text(id),
				 slice_text(digest)),
		ERR_OK);
}

static void add_image(struct layers *l, const char *id, const char *name, const char *top)
{
	assert_int_equal(
		layers_add_image(l, slice_text(id), slice_text(name), slice_text(top)), ERR_OK);
}

static void test_layers(void **state)
{
	struct layers l = { 0 };

	(void)state;
	add(&l, "base", "", A);
	add(&l, "web", "base", B);
	add(&l, "shop", "base", "");
	add(&l, "circle", "circle", A);
	add(&l, "nobody", "", A);
	add(&l, "lost", "not there", A);
	add_image(&l, A, "", "base");
	add_image(&l, "1", "web:1", "web");
	add_image(&l, "1", "web:latest", "web");
	add_image(&l, "2", "shop:1", "shop");
	add_image(&l, "3", "circle:1", "circle");
	add_image(&l, "4", "lost:1", "lost");
	add_image(&l, "5", "nothing:1", "no such layer");
	assert_label(&l, "base", NULL);
	assert_int_equal(layers_label(&l), ERR_OK);
	/* The image without a name is not counted where others have one. */
	assert_label(&l, "base", "image: web:1 (and 2 more) layer: sha256:aaaaaaaaaaaa");
	assert_label(&l, "web", "image: web:1 (and 1 more) layer: sha256:bbbbbbbbbbbb");
	assert_label(&l, "shop", "image: shop:1 layer: shop");
	assert_label(&l, "lost", "image: lost:1 layer: sha256:aaaaaaaaaaaa");
	assert_non_null(layers_find(&l, slice_text("circle")));
	assert_label(&l, "nobody", NULL);
	assert_label(&l, "not there", NULL);
	assert_string_equal(layers_digest(&l, slice_text("web")), B);
	assert_null(layers_digest(&l, slice_text("shop")));
	layers_fini(&l);
}

static void test_names(void **state)
{
	char name[LAYER_TEXT_BYTES_MAX + 2];
	struct layers l = { 0 };

	(void)state;
	(void)memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = 0;
	add(&l, name, "", A); /* too long: left out */
	add(&l, "", "", A);
	assert_int_equal(l.count, 0);
	add(&l, "a", "", "");
	name[sizeof(name) - 2] = 0;
	add_image(&l, "1", name, "a"); /* as long as may be */
	assert_int_equal(
		layers_add_container(&l, slice_text("c"), slice_text("x"), slice_text("b")),
		ERR_OK);
	add(&l, "b", "a", "");
	assert_int_equal(layers_label(&l), ERR_OK);
	assert_int_equal(strlen(layers_find(&l, slice_text("a"))),
		strlen("image:  layer: a") + LAYER_TEXT_BYTES_MAX);
	assert_label(&l, "b", "container: x");
	assert_null(layers_find(&l, slice_of("a\0", 2)));
	layers_fini(&l);
	/* Of none there is nothing to find. */
	assert_int_equal(layers_label(&l), ERR_OK);
	assert_null(layers_find(&l, slice_text("a")));
}

/* --- texts -------------------------------------------------------------------------------------- */

static void test_containers_storage(void **state)
{
	struct layers l = { 0 };

	(void)state;
	assert_int_equal(
		images_read_layers(&l,
			slice_text("[{\"id\":\"one\",\"diff-digest\":\"" A "\"},"
				   "{\"id\":\"two\",\"parent\":\"one\",\"flags\":{\"id\":\"no\"},"
				   "\"diff-digest\":\"" B "\"},{\"parent\":\"x\"}]")),
		ERR_OK);
	assert_int_equal(l.count, 2);
	assert_int_equal(
		images_read_images(&l, slice_text("[{\"names\":[\"n:1\",\"n:2\"],\"layer\":\"two\","
						  "\"big-data-names\":[\"no\"],\"id\":\"i\"},"
						  "{\"id\":\"j\",\"layer\":\"one\"}]")),
		ERR_OK);
	assert_int_equal(images_read_containers(&l, slice_text("{\"id\":\"no list\"}")), ERR_OK);
	assert_int_equal(images_read_containers(&l, slice_text("[{\"id\":\"cut")), ERR_OK);
	assert_int_equal(layers_label(&l), ERR_OK);
	assert_label(&l, "one", "image: n:1 (and 1 more) layer: sha256:aaaaaaaaaaaa");
	assert_label(&l, "two", "image: n:1 (and 1 more) layer: sha256:bbbbbbbbbbbb");
	layers_fini(&l);
}

static void test_chain(void **state)
{
	static const char *const bad[] = { "", "{}", "{\"rootfs\":{\"diff_ids\":[]}}",
		"{\"rootfs\":{\"diff_ids\":[\"" A "\",\"sha256:short\"]}}",
		"{\"rootfs\":{\"diff_ids\":[\"" A "\"]", "{\"diff_ids\":[\"" A "\"]}" };
	char chain[DIGEST_TEXT_BYTES];
	struct layers l = { 0 };

	(void)state;
	assert_true(
		images_chain_of(&l, slice_text("{\"rootfs\":{\"diff_ids\":[\"" A "\"]}}"), chain));
	assert_string_equal(chain, A);
	assert_true(images_chain_of(
		&l, slice_text("{\"rootfs\":{\"diff_ids\":[\"" A "\",\"" B "\"]}}"), chain));
	assert_string_equal(chain, AB);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(images_chain_of(&l, slice_text(bad[i]), chain));
	assert_int_equal(images_read_chain(&l,
				 slice_text("{\"rootfs\":{\"diff_ids\":[\"" A "\",\"" B "\"]}}")),
		ERR_OK);
	assert_int_equal(layers_label(&l), ERR_OK);
	assert_string_equal(layers_digest(&l, slice_text(AB)), B);
	layers_fini(&l);
}

struct named {
	char all[1024];
};

static enum err on_name(void *arg, struct slice id, struct slice name)
{
	struct named *n = arg;
	size_t size = strlen(n->all);

	(void)snprintf(n->all + size, sizeof(n->all) - size, "%.*s=%.*s ", 9, (const char *)id.data,
		(int)name.size, name.size ? (const char *)name.data : "");
	return ERR_OK;
}

static void test_indexes(void **state)
{
	struct named n = { { 0 } };

	(void)state;
	assert_int_equal(
		images_read_repositories(
			slice_text("{\"Repositories\":{\"web\":{\"web:1\":\"" A
				   "\",\"web@sha256:0\":\"" A "\",\"web:2\":\"no digest\"}}}"),
			on_name, &n),
		ERR_OK);
	assert_string_equal(n.all, "sha256:aa=web:1 ");
	/* A value without a key. */
	n.all[0] = 0;
	assert_int_equal(
		images_read_repositories(
			slice_text("{\"Repositories\":{\"web\":{\"" A "\"}}}"), on_name, &n),
		ERR_OK);
	assert_string_equal(n.all, "sha256:aa= ");
	n.all[0] = 0;
	assert_int_equal(
		images_read_index(
			slice_text(
				"{\"manifests\":[{\"digest\":\"" A "\",\"annotations\":{"
				"\"org.opencontainers.image.ref.name\":\"1\","
				"\"io.containerd.image.name\":\"full:1\"}},{\"digest\":\"" B "\"},"
				"{\"digest\":\"no\"}]}"),
			on_name, &n),
		ERR_OK);
	assert_string_equal(n.all, "sha256:aa=full:1 sha256:bb= ");
	n.all[0] = 0;
	assert_int_equal(
		images_read_index(slice_text("{\"layers\":[{\"digest\":\"" A "\"}]}"), on_name, &n),
		ERR_OK);
	assert_string_equal(n.all, "");
}

/* Layers that images share are merged, whatever the order of the keys. */
static void test_manifests(void **state)
{
	static const char saved[] =
		"[{\"Layers\":[\"x/layer.tar\"],\"Config\":\"c\",\"RepoTags\":[\"a:1\",\"a:2\"]},"
		"{\"Config\":\"d\",\"RepoTags\":null,\"Layers\":[\"x/layer.tar\",\"blobs/sha256/"
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"]}]";
	static const char manifest[] =
		"{\"config\":{\"digest\":\"" B "\"},\"layers\":[{\"digest\":\"" A
		"\",\"size\":3,\"annotations\":{\"x\":\"y\"}},{\"digest\":\"bad\"}]}";
	struct layers l = { 0 };

	(void)state;
	assert_int_equal(images_read_saved(&l, slice_text(saved)), ERR_OK);
	assert_int_equal(l.count, 3);
	assert_int_equal(layers_label(&l), ERR_OK);
	assert_label(&l, "x/layer.tar", "image: a:1 (and 1 more) layer: x/layer.tar");
	layers_fini(&l);
	assert_int_equal(
		images_read_manifest(&l, slice_text(manifest), slice_text(B), slice_text("")),
		ERR_OK);
	assert_int_equal(layers_label(&l), ERR_OK);
	assert_label(&l, A, "image: sha256:bbbbbbbbbbbb layer: sha256:aaaaaaaaaaaa");
	assert_int_equal(images_config_of(slice_text(manifest)).size, strlen(B));
	assert_int_equal(images_config_of(slice_text("{}")).size, 0);
	layers_fini(&l);
}

/* --- databases ---------------------------------------------------------------------------------- */

#define PAGE 4096

static void put(uint8_t *at, uint64_t n, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		at[i] = (uint8_t)(n >> (8 * i));
}

static void put_element(
	uint8_t *page, unsigned i, unsigned flags, size_t at, size_t key, size_t value)
{
	uint8_t *e = page + 16 + 16 * (size_t)i;

	put(e, flags, 4);
	put(e + 4, at - 16 - 16 * (size_t)i, 4);
	put(e + 8, key, 4);
	put(e + 12, value, 4);
}

/* One bucket "b", in the page 3, whose element `k` is `v`; or which is its own bucket. */
static void make_database(uint8_t db[4 * PAGE], bool is_circle)
{
	uint64_t sum = 0xcbf29ce484222325U;
	uint8_t *meta = db + 16, *root = db + 2 * PAGE, *leaf = db + 3 * PAGE;

	(void)memset(db, 0, 4 * PAGE);
	put(meta, 0xED0CDAED, 4);
	put(meta + 4, 2, 4);
	put(meta + 8, PAGE, 4);
	put(meta + 16, 2, 8);
	for (size_t i = 0; i < 56; i++)
		sum = (sum ^ meta[i]) * 0x100000001b3U;
	put(meta + 56, sum, 8);
	put(root + 8, 2, 2);
	put(root + 10, 1, 2);
	put_element(root, 0, 1, 100, 1, 16);
	root[100] = 'b';
	put(root + 101, is_circle ? 2 : 3, 8);
	put(leaf + 8, 2, 2);
	put(leaf + 10, 1, 2);
	put_element(leaf, 0, 0, 200, 1, 1);
	leaf[200] = 'k';
	leaf[201] = 'v';
}

static bool on_value(
	void *arg, const struct bolt_place *place, struct slice key, struct slice value)
{
	unsigned *count = arg;

	assert_true(bolt_is_bucket(place, 0, "b"));
	assert_int_equal(place->depth, 1);
	assert_int_equal(key.size, 1);
	assert_int_equal(value.size, 1);
	assert_int_equal(value.data[0], 'v');
	return ++*count < 100;
}

static bool on_any_value(
	void *arg, const struct bolt_place *place, struct slice key, struct slice value)
{
	unsigned *sum = arg;

	assert_true(place->depth <= BOLT_DEPTH_MAX);
	for (size_t i = 0; i < key.size; i++)
		*sum += key.data[i];
	for (size_t i = 0; i < value.size; i++)
		*sum += value.data[i];
	return true;
}

static void test_database(void **state)
{
	uint8_t *db = malloc(4 * PAGE);
	unsigned count = 0, sum = 0;

	(void)state;
	assert_non_null(db);
	make_database(db, false);
	assert_true(bolt_values(slice_of(db, 4 * PAGE), on_value, &count));
	assert_int_equal(count, 1);
	/* Cut off anywhere, and every byte of the pages' beginnings changed: at worst nothing is told. */
	for (size_t size = 0; size < 4 * PAGE; size += 61)
		assert_false(bolt_values(slice_of(db, size), on_any_value, &sum));
	for (size_t at = 0; at < 4 * PAGE; at += at % PAGE == 255 ? PAGE - 255 : 1) {
		uint8_t was = db[at];

		for (unsigned bit = 0; bit < 8; bit++) {
			db[at] = (uint8_t)(was ^ 1U << bit);
			(void)bolt_values(slice_of(db, 4 * PAGE), on_any_value, &sum);
		}
		db[at] = was;
	}
	/* A bucket that is in itself ends. */
	make_database(db, true);
	(void)bolt_values(slice_of(db, 4 * PAGE), on_any_value, &sum);
	free(db);
}

/* --- stores ------------------------------------------------------------------------------------- */

static const struct image_limits usual = { .stores = IMAGE_STORES_MAX,
	.list_bytes = IMAGE_LISTS_BYTES_MAX,
	.layers = LAYERS_MAX,
	.layers_per_image = IMAGE_LAYERS_MAX,
	.nesting = 3 };
static char root[] = "/tmp/leafwatch-images-XXXXXX";
static unsigned opened;

static int open_counted(char *path, int flags)
{
	opened++;
	return open(path, flags);
}

static void put_file(const char *below, const char *text)
{
	char path[512];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/%s", root, below);
	for (char *at = path + 1; (at = strchr(at, '/')); at++) {
		*at = 0;
		assert_true(mkdir(path, 0700) == 0 || errno == EEXIST);
		*at = '/';
	}
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	(void)close(fd);
}

static const char *folder_label(struct image_stores *s, const char *below)
{
	char path[512];
	const char *label = "x";

	(void)snprintf(path, sizeof(path), "%s/%s", root, below);
	assert_int_equal(image_stores_folder(s, slice_text(path), &label), ERR_OK);
	return label;
}

static void test_stores(void **state)
{
	struct image_stores *s;
	const char *label, *limited, *key;
	unsigned before;

	(void)state;
	assert_non_null(mkdtemp(root));
	put_file("overlay-layers/layers.json", "[{\"id\":\"one\"}]");
	put_file("overlay-images/images.json",
		"[{\"id\":\"i\",\"names\":[\"web:1\"],\"layer\":\"one\"}]");
	assert_int_equal(image_stores_new(open_counted, &usual, &s), ERR_OK);
	assert_string_equal(folder_label(s, "overlay/one/diff"), "image: web:1 layer: one");
	before = opened;
	/* The lists are read once. */
	assert_null(folder_label(s, "overlay/two/diff"));
	assert_string_equal(folder_label(s, "overlay/one/diff"), "image: web:1 layer: one");
	assert_int_equal(opened, before);
	assert_null(folder_label(s, "overlay/one"));
	assert_null(folder_label(s, "overlay/one/diff/etc"));
	assert_null(folder_label(s, "overlay//diff"));
	assert_int_equal(opened, before);
	assert_null(folder_label(s, "overlay2/one/diff"));
	assert_null(folder_label(s, "vfs/dir/one"));
	assert_true(opened > before);
	assert_int_equal(image_stores_folder(s, slice_text("/diff"), &label), ERR_OK);
	assert_null(label);
	assert_null(image_stores_limited(s, &key));
	/* No more stores than there is room for, which is told once. */
	for (unsigned i = 0; i < 2 * IMAGE_STORES_MAX; i++) {
		char below[64];

		(void)snprintf(below, sizeof(below), "%u/overlay/one/diff", i);
		assert_null(folder_label(s, below));
	}
	limited = image_stores_limited(s, &key);
	assert_non_null(limited);
	/* Three were there before. */
	assert_string_equal(limited + strlen(root), "/61");
	assert_string_equal(key, "image_stores");
	assert_null(image_stores_limited(s, &key));
	assert_true(image_stores_has_blobs(slice_text("/x/blobs/sha256")));
	assert_false(image_stores_has_blobs(slice_text("/blobs/sha256")));
	assert_int_equal(image_stores_blob(s, slice_text("/x"), slice_text("y"), &label), ERR_OK);
	assert_null(label);
	image_stores_free(s);
}

/* A list that is a link, a pipe, a folder or too large is none. */
static void test_odd_lists(void **state)
{
	char path[512], target[512];
	struct image_stores *s;
	const char *key;

	(void)state;
	(void)snprintf(path, sizeof(path), "%s/overlay-layers/layers.json", root);
	for (int kind = 0; kind < 4; kind++) {
		(void)snprintf(target, sizeof(target), "%s/real-%d", root, kind);
		assert_int_equal(rename(path, target), 0);
		if (kind == 0)
			assert_int_equal(symlink(target, path), 0);
		if (kind == 1)
			assert_int_equal(mkfifo(path, 0600), 0);
		if (kind == 2)
			assert_int_equal(mkdir(path, 0700), 0);
		if (kind == 3) {
			put_file("overlay-layers/layers.json", "[{\"id\":\"one\"}]");
			assert_int_equal(truncate(path, IMAGE_LISTS_BYTES_MAX + 1), 0);
		}
		assert_int_equal(image_stores_new(open_counted, &usual, &s), ERR_OK);
		assert_null(folder_label(s, "overlay/one/diff"));
		assert_int_equal(image_stores_limited(s, &key) != NULL, kind == 3);
		image_stores_free(s);
		assert_int_equal(remove(path), 0);
		assert_int_equal(rename(target, path), 0);
	}
	assert_int_equal(image_stores_new(open_counted, &usual, &s), ERR_OK);
	assert_non_null(folder_label(s, "overlay/one/diff"));
	image_stores_free(s);
}

/* What `key` is told of; it is told once, and what was read is known. */
static void reaches(const struct image_limits *limits, const char *below, const char *key)
{
	const char *reached = NULL, *folder;
	struct image_stores *s;

	assert_int_equal(image_stores_new(open_counted, limits, &s), ERR_OK);
	(void)folder_label(s, below);
	folder = image_stores_limited(s, &reached);
	if (key) {
		assert_non_null(folder);
		assert_memory_equal(folder, root, strlen(root));
		assert_string_equal(reached, key);
	} else {
		assert_null(folder);
	}
	assert_null(image_stores_limited(s, &reached));
	image_stores_free(s);
}

static void blob_reaches(const struct image_limits *limits, const char *key)
{
	const char *reached = NULL, *label;
	struct image_stores *s;
	char folder[512];

	(void)snprintf(folder, sizeof(folder), "%s/layout/blobs/sha256", root);
	assert_int_equal(image_stores_new(open_counted, limits, &s), ERR_OK);
	assert_int_equal(image_stores_blob(s, slice_text(folder),
				 slice_after(slice_text(B), strlen("sha256:")), &label),
		ERR_OK);
	if (key) {
		assert_non_null(image_stores_limited(s, &reached));
		assert_string_equal(reached, key);
	} else {
		assert_non_null(label);
		assert_null(image_stores_limited(s, &reached));
	}
	image_stores_free(s);
}

/* Each kind of store is as large as the limits allow, and then one larger. */
static void test_limits(void **state)
{
	struct image_limits l = usual;
	char fact[256];

	(void)state;
	put_file("overlay-layers/layers.json", "[{\"id\":\"one\"},{\"id\":\"two\"}]");
	put_file("overlay-images/images.json", "[{\"id\":\"i\",\"layer\":\"one\"}]");
	l.layers = 2;
	reaches(&l, "overlay/one/diff", NULL);
	l.layers = 1;
	reaches(&l, "overlay/one/diff", "image_layers");
	l.layers = 2;
	l.list_bytes = strlen("[{'id':'one'},{'id':'two'}]") + strlen("[{'id':'i','layer':'one'}]");
	reaches(&l, "overlay/one/diff", NULL);
	l.list_bytes--;
	reaches(&l, "overlay/one/diff", "image_lists");
	l = usual;
	l.stores = 0;
	reaches(&l, "overlay/one/diff", "image_stores");
	for (unsigned i = 0; i < 3; i++) {
		(void)snprintf(fact, sizeof(fact), "image/overlay2/layerdb/sha256/%u/cache-id", i);
		put_file(fact, i ? "b" : "a");
	}
	put_file("image/overlay2/repositories.json", "{\"Repositories\":{\"a\":{\"a:1\":\"" A
						     "\",\"a:2\":\"" A "\",\"a:3\":\"" A "\"}}}");
	l = usual;
	l.layers = 3;
	reaches(&l, "overlay2/a/diff", NULL);
	l.layers = 2;
	reaches(&l, "overlay2/a/diff", "image_layers");
	l = usual;
	l.list_bytes = 10;
	reaches(&l, "overlay2/a/diff", "image_lists");
	put_file("layout/index.json",
		"{\"manifests\":[{\"digest\":\"" A "\"},{\"digest\":\"" B "\"}]}");
	put_file(
		"layout/blobs/sha256/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
		"{\"layers\":[{\"digest\":\"" B "\"}]}");
	blob_reaches(&usual, NULL);
	l = usual;
	l.layers = 1;
	blob_reaches(&l, "image_layers");
	l = usual;
	l.list_bytes = 170;
	blob_reaches(&l, "image_lists");
}

/* An image has as many layers as the limits allow, and then one more; so have lists in one another. */
static void test_limits_of_one_image(void **state)
{
	struct image_limits l = usual;

	(void)state;
	put_file("overlay-layers/layers.json",
		"[{\"id\":\"one\"},{\"id\":\"two\",\"parent\":\"one\"},{\"id\":\"three\",\"parent\":\"two\"}]");
	put_file("overlay-images/images.json", "[{\"id\":\"i\",\"layer\":\"three\"}]");
	l.layers_per_image = 3;
	reaches(&l, "overlay/one/diff", NULL);
	l.layers_per_image = 2;
	reaches(&l, "overlay/one/diff", "layers_per_image");
	put_file("layout/index.json", "{\"manifests\":[{\"digest\":\"" A "\"}]}");
	put_file(
		"layout/blobs/sha256/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
		"{\"layers\":[{\"digest\":\"" C "\"},{\"digest\":\"" B "\"}]}");
	l.layers_per_image = 2;
	blob_reaches(&l, NULL);
	l.layers_per_image = 1;
	blob_reaches(&l, "layers_per_image");
	/* An index in the index, and the manifest in that. */
	put_file("layout/index.json", "{\"manifests\":[{\"digest\":\"" C "\"}]}");
	put_file(
		"layout/blobs/sha256/cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc",
		"{\"manifests\":[{\"digest\":\"" A "\"}]}");
	l = usual;
	l.nesting = 1;
	blob_reaches(&l, NULL);
	l.nesting = 0;
	blob_reaches(&l, "nesting");
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static int tear_down(void **state)
{
	(void)state;
	return nftw(root, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_layers),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_containers_storage),
		cmocka_unit_test(test_chain),
		cmocka_unit_test(test_indexes),
		cmocka_unit_test(test_manifests),
		cmocka_unit_test(test_database),
		cmocka_unit_test(test_stores),
		cmocka_unit_test(test_odd_lists),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_limits_of_one_image),
	};

	return cmocka_run_group_tests(tests, NULL, tear_down);
}
