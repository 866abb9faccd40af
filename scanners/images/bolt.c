/* bbolt's file format (go.etcd.io/bbolt, page.go, bucket.go, db.go): pages of a B+tree, the numbers in the order of the
 * machine that wrote them, which is little endian wherever we run. */
#include "scanners/images/bolt.h"

#include "agent/base/wire.h"

#include <stdint.h>
#include <string.h>

#define PAGE_HEAD_BYTES 16
#define ELEMENT_BYTES 16
#define META_BYTES 64
#define META_SUM_AT 56
#define BUCKET_HEAD_BYTES 16
#define MAGIC 0xED0CDAEDU
#define VERSION 2
#define PAGE_BRANCH 0x01
#define PAGE_LEAF 0x02
#define LEAF_BUCKET 0x01
#define PAGE_BYTES_MIN 512
#define PAGE_BYTES_MAX (64 * 1024)
#define TREE_DEPTH_MAX 32

struct walk {
	struct slice file;
	uint64_t page_bytes;
	uint64_t root;
	size_t pages_left;    /* a page may be reached twice, but not over and over ... */
	size_t elements_left; /* ... and nor may what lies in one */
	bolt_value_fn tell;
	void *arg;
	struct bolt_place place;
	bool is_ended;
};

bool bolt_is_bucket(const struct bolt_place *place, unsigned number, const char *name)
{
	return number < place->depth && place->buckets[number].size == strlen(name) &&
	       memcmp(place->buckets[number].data, name, strlen(name)) == 0;
}

/* --- pages -------------------------------------------------------------------------------------- */

/* FNV-1a, as the meta pages have it. */
static uint64_t sum_of(const uint8_t *data, size_t size)
{
	uint64_t sum = 0xcbf29ce484222325U;

	for (size_t i = 0; i < size; i++)
		sum = (sum ^ data[i]) * 0x100000001b3U;
	return sum;
}

/* Takes a meta page that is whole and newer than the one taken before. */
static bool take_meta(struct walk *w, uint64_t offset, uint64_t *newest)
{
	struct slice page = slice_after(w->file, (size_t)offset);
	const uint8_t *meta;
	uint64_t page_bytes, txid;

	if (page.size < PAGE_HEAD_BYTES + META_BYTES)
		return false;
	meta = page.data + PAGE_HEAD_BYTES;
	if (wire_number(meta, 4) != MAGIC || wire_number(meta + 4, 4) != VERSION ||
		wire_number(meta + META_SUM_AT, 8) != sum_of(meta, META_SUM_AT))
		return false;
	page_bytes = wire_number(meta + 8, 4);
	txid = wire_number(meta + 48, 8);
	if (page_bytes < PAGE_BYTES_MIN || page_bytes > PAGE_BYTES_MAX ||
		(w->page_bytes && txid < *newest))
		return false;
	w->page_bytes = page_bytes;
	w->root = wire_number(meta + 16, 8);
	*newest = txid;
	return true;
}

static bool find_root(struct walk *w)
{
	static const uint64_t sizes[] = { 4096, 8192, 16384, 65536 };
	uint64_t newest = 0;

	if (take_meta(w, 0, &newest)) {
		(void)take_meta(w, w->page_bytes, &newest);
		return true;
	}
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		if (take_meta(w, sizes[i], &newest))
			return true;
	return false;
}

/* The page with what overflows it; empty for none. */
static struct slice page_at(struct walk *w, uint64_t id)
{
	uint64_t pages = w->file.size / w->page_bytes;
	uint64_t overflow;
	struct slice page;

	if (id >= pages || !w->pages_left)
		return slice_of(NULL, 0);
	w->pages_left--;
	page = slice_after(w->file, (size_t)(id * w->page_bytes));
	overflow = wire_number(page.data + 12, 4);
	if (overflow >= pages - id)
		return slice_of(NULL, 0);
	return slice_of(page.data, (size_t)((overflow + 1) * w->page_bytes));
}

/* `size` bytes at `pos` from an element; false where they do not lie in the page. */
static bool bytes_at(
	struct slice page, size_t element, uint64_t pos, uint64_t size, struct slice *out)
{
	uint64_t left = page.size - element;

	if (pos > left || size > left - pos)
		return false;
	*out = slice_of(page.data + element + pos, (size_t)size);
	return true;
}

/* --- the tree ----------------------------------------------------------------------------------- */

static bool walk_page(struct walk *w, struct slice page, unsigned depth);

/* NOLINTNEXTLINE(misc-no-recursion): as deep as BOLT_DEPTH_MAX */
static bool walk_bucket(struct walk *w, struct slice name, struct slice value)
{
	uint64_t root;
	bool is_good;

	if (value.size < BUCKET_HEAD_BYTES)
		return false;
	/* What lies deeper is of no use here. */
	if (w->place.depth == BOLT_DEPTH_MAX)
		return true;
	w->place.buckets[w->place.depth++] = name;
	root = wire_number(value.data, 8);
	is_good = walk_page(w, root ? page_at(w, root) : slice_after(value, BUCKET_HEAD_BYTES), 0);
	w->place.depth--;
	return is_good;
}

/* NOLINTNEXTLINE(misc-no-recursion): as deep as TREE_DEPTH_MAX */
static bool walk_leaf(struct walk *w, struct slice page, size_t element)
{
	const uint8_t *e = page.data + element;
	struct slice key, value;
	uint64_t key_size = wire_number(e + 8, 4);
	uint64_t pos = wire_number(e + 4, 4);

	if (!bytes_at(page, element, pos, key_size, &key) ||
		!bytes_at(page, element, pos + key_size, wire_number(e + 12, 4), &value))
		return false;
	if (wire_number(e, 4) & LEAF_BUCKET)
		return walk_bucket(w, key, value);
	w->is_ended = !w->tell(w->arg, &w->place, key, value);
	return !w->is_ended;
}

/* NOLINTNEXTLINE(misc-no-recursion): as deep as TREE_DEPTH_MAX times BOLT_DEPTH_MAX */
static bool walk_page(struct walk *w, struct slice page, unsigned depth)
{
	unsigned flags;
	size_t count;

	if (page.size < PAGE_HEAD_BYTES || depth == TREE_DEPTH_MAX)
		return false;
	flags = (unsigned)wire_number(page.data + 8, 2);
	count = (size_t)wire_number(page.data + 10, 2);
	if (!(flags & (PAGE_BRANCH | PAGE_LEAF)) ||
		count > (page.size - PAGE_HEAD_BYTES) / ELEMENT_BYTES)
		return false;
	if (count > w->elements_left)
		return false;
	w->elements_left -= count;
	for (size_t i = 0; i < count; i++) {
		size_t element = PAGE_HEAD_BYTES + i * ELEMENT_BYTES;
		bool is_good =
			flags & PAGE_LEAF
				? walk_leaf(w, page, element)
				: walk_page(w, page_at(w, wire_number(page.data + element + 8, 8)),
					  depth + 1);

		if (!is_good)
			return false;
	}
	return true;
}

bool bolt_values(struct slice file, bolt_value_fn tell, void *arg)
{
	struct walk w = { .file = file, .tell = tell, .arg = arg };

	if (!find_root(&w))
		return false;
	w.pages_left = 2 * (size_t)(file.size / w.page_bytes);
	w.elements_left = 2 * file.size / ELEMENT_BYTES;
	return walk_page(&w, page_at(&w, w.root), 0) || w.is_ended;
}
