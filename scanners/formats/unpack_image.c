/* Images in an archive, as `docker save`, podman and skopeo write them: a tar whose members are layers, archives
 * themselves, and texts that say whose they are. Those may stand behind the layers, so they are read first. */
#include "scanners/formats/unpack_internal.h"

#include "agent/base/buffer.h"
#include "agent/base/clock.h"
#include "scanners/images/read.h"

#include <archive_entry.h>
#include <stdio.h>
#include <stdlib.h>

#define TEXTS_STEP 64
/* The part of a file's time that looking for them may take. */
#define LOOK_SHARE 4
/* Each archive may lie in one more that was compressed as a whole. */
#define LEVELS_MAX (2 * FORMAT_ARCHIVE_DEPTH_CEILING)
#define BLOBS "blobs/sha256/"
#define DIGITS 64

/* A text among the members. */
struct text {
	char *name;           /* owned */
	struct buffer buffer; /* empty: it did not fit */
};

struct texts {
	struct text *items; /* owned; by name once all are there */
	size_t count;
	size_t capacity;
	size_t bytes_left;
	bool is_limited;    /* one that is wanted did not fit */
	unsigned depth_max; /* of lists in one another */
	bool is_deep;       /* there were more in one another */
};

static const char *plain(const char *name)
{
	return strncmp(name, "./", 2) == 0 ? name + 2 : name;
}

bool unpack_may_hold_images(const char *name)
{
	static const char *const names[] = { "blobs/", "manifest.json", "index.json", "oci-layout",
		"repositories" };

	name = plain(name);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strncmp(name, names[i], strlen(names[i])) == 0)
			return true;
	return strspn(name, "0123456789abcdef") == DIGITS;
}

static bool is_wanted(const char *name, la_int64_t size)
{
	return size > 0 && (strcmp(name, "manifest.json") == 0 || strcmp(name, "index.json") == 0 ||
				   strncmp(name, BLOBS, sizeof(BLOBS) - 1) == 0);
}

/* Takes the text. */
static enum err add(struct texts *t, const char *name, struct buffer *text)
{
	struct text *items = t->items;

	if (t->count == t->capacity) {
		items = reallocarray(items, 2 * t->capacity + TEXTS_STEP, sizeof(*items));
		if (!items)
			return ERR_MEMORY;
		t->items = items;
		t->capacity = 2 * t->capacity + TEXTS_STEP;
	}
	items[t->count].name = strdup(name);
	if (!items[t->count].name)
		return ERR_MEMORY;
	items[t->count++].buffer = *text;
	*text = (struct buffer){ 0 };
	return ERR_OK;
}

/* Layers are blobs as well: only what begins as a list or a map may be a text. */
static enum err keep(struct unpack *u, struct texts *t, const char *name, size_t size)
{
	struct buffer text;
	uint8_t first = 0;
	enum err e = ERR_OK;

	if (archive_read_data(u->archive, &first, 1) != 1 || (first != '{' && first != '['))
		return ERR_OK;
	buffer_init(&text, size);
	if (size <= t->bytes_left) {
		buffer_byte(&text, first);
		if (buffer_reserve(&text, size - 1)) {
			la_ssize_t n =
				archive_read_data(u->archive, text.data + text.size, size - 1);

			text.size += n > 0 ? (size_t)n : 0;
		}
		e = buffer_status(&text);
		t->bytes_left -= size;
	}
	if (e == ERR_OK)
		e = add(t, name, &text);
	buffer_fini(&text);
	return e;
}

static enum err gather(struct unpack *u, struct texts *t)
{
	struct archive_entry *entry;
	enum err e = ERR_OK;
	int r = archive_read_open1(u->archive);

	while (e == ERR_OK && r >= ARCHIVE_WARN) {
		const char *name;

		r = archive_read_next_header(u->archive, &entry);
		if (r == ARCHIVE_EOF || r < ARCHIVE_WARN)
			break;
		u->budget->members++;
		if (!unpack_charge(u, 0))
			break;
		name = archive_entry_pathname(entry);
		if (name && archive_entry_filetype(entry) == AE_IFREG &&
			is_wanted(plain(name), archive_entry_size(entry)))
			e = keep(u, t, plain(name), (size_t)archive_entry_size(entry));
	}
	return e;
}

static int compare_texts(const void *a, const void *b)
{
	return strcmp(((const struct text *)a)->name, ((const struct text *)b)->name);
}

static int compare_name(const void *name, const void *item)
{
	return strcmp(name, ((const struct text *)item)->name);
}

static struct slice find(struct texts *t, const char *name)
{
	const struct text *found =
		t->count ? bsearch(name, t->items, t->count, sizeof(*t->items), compare_name)
			 : NULL;

	if (!found)
		return slice_of(NULL, 0);
	t->is_limited = t->is_limited || !found->buffer.size;
	return buffer_bytes(&found->buffer);
}

struct reading {
	struct texts *texts;
	struct layers *layers;
};

static enum err read_blob(void *arg, struct slice digest, struct buffer *out)
{
	const struct reading *r = arg;
	char name[sizeof(BLOBS) + DIGITS];
	struct slice found = { 0 };

	(void)snprintf(name, sizeof(name), BLOBS "%.*s", DIGITS,
		digest.size == 7 + DIGITS ? (const char *)digest.data + 7 : "");
	found = find(r->texts, name);
	buffer_init(out, found.size);
	buffer_slice(out, found);
	return buffer_status(out);
}

static enum err take_blob(void *arg, struct slice digest, struct slice name, struct slice text)
{
	const struct reading *r = arg;

	return images_read_manifest(r->layers, text, digest, name);
}

static enum err read_texts(struct texts *t, struct layers *l)
{
	struct reading r = { .texts = t, .layers = l };
	struct image_blobs blobs = { .read = read_blob,
		.take = take_blob,
		.arg = &r,
		.max = layers_max(l),
		.depth_max = t->depth_max };
	enum err e;

	if (t->count)
		qsort(t->items, t->count, sizeof(*t->items), compare_texts);
	e = images_read_saved(l, find(t, "manifest.json"));
	/* Newer versions of docker write both. */
	if (e == ERR_OK && !l->count)
		e = images_take_index(&blobs, find(t, "index.json"));
	l->is_limited = l->is_limited || blobs.is_limited;
	t->is_deep = blobs.is_deep;
	return e == ERR_OK ? layers_label(l) : e;
}

static enum err no_problem(void *arg, enum reason reason, struct slice bytes, const char *message)
{
	(void)arg;
	(void)reason;
	(void)bytes;
	(void)message;
	return ERR_OK;
}

/* What else goes wrong here goes wrong again when the members are read, and is told then. */
static enum err tell_late(const struct unpack *like)
{
	return like->budget->is_spent || format_budget_is_late(like->budget)
		       ? ERR_OK
		       : format_limited(like->sink,
				 "of which images its layers are was not found out in the time for it",
				 "file_time");
}

static enum err tell_limited(
	const struct texts *t, const struct layers *l, const struct format_sink *sink)
{
	static const char what[] =
		"not all of its lists was read: of some layers it is not known which images they are of";

	const char *key = t->is_limited     ? "image_lists"
			  : l->is_limited   ? "image_layers"
			  : l->is_image_cut ? "layers_per_image"
			  : t->is_deep      ? "nesting"
					    : NULL;

	return key ? format_limited(sink, what, key) : ERR_OK;
}

static void texts_fini(struct texts *t)
{
	for (size_t i = 0; i < t->count; i++) {
		free(t->items[i].name);
		buffer_fini(&t->items[i].buffer);
	}
	free(t->items);
}

/* An archive and all that it lies in, opened anew; the outermost first. */
struct chain {
	struct unpack levels[LEVELS_MAX];
	size_t count;
};

/* Goes to the member that `like` has under way, in which the next one lies. */
static bool go_to_member(struct unpack *u, const struct unpack *like)
{
	struct archive_entry *entry;
	int r = archive_read_open1(u->archive);

	while (r >= ARCHIVE_WARN && u->headers < like->headers && unpack_charge(u, 0)) {
		r = archive_read_next_header(u->archive, &entry);
		u->has_member = true;
		u->headers++;
	}
	return r >= ARCHIVE_WARN && r != ARCHIVE_EOF && u->headers == like->headers;
}

/* NULL where that ended before it was reached. */
/* NOLINTNEXTLINE(misc-no-recursion): as deep as LEVELS_MAX */
static struct unpack *open_like(struct chain *c, const struct unpack *like,
	const struct format_sink *sink, struct format_budget *budget)
{
	struct unpack *outer = like->outer ? open_like(c, like->outer, sink, budget) : NULL;
	struct unpack *u;

	if (c->count == LEVELS_MAX ||
		(like->outer && (!outer || !go_to_member(outer, like->outer))))
		return NULL;
	u = &c->levels[c->count++];
	*u = (struct unpack){ .in = like->in,
		.sink = sink,
		.budget = budget,
		.outer = outer,
		.start = like->start,
		.at = like->start,
		.is_lzma = like->is_lzma,
		.is_packed = like->is_packed,
		.name = "" };
	return unpack_open(u) ? u : NULL;
}

static enum err chain_close(struct chain *c)
{
	enum err e = ERR_OK;

	while (c->count--) {
		e = e == ERR_OK ? c->levels[c->count].status : e;
		unpack_close(&c->levels[c->count]);
	}
	return e;
}

/* All archives of images in one file have their part of its time together. */
static int64_t time_left_ms(const struct format_budget *b)
{
	int64_t left_ms = b->limits->time_ms / LOOK_SHARE - b->looked_ms;

	return left_ms > 0 ? left_ms : 0;
}

enum err unpack_image_layers(const struct unpack *like, struct layers *out)
{
	const struct format_sink sink = { .problem = no_problem };
	struct format_limits limits = *like->budget->limits;
	struct texts t = { .bytes_left = (size_t)limits.image_list_bytes };
	struct chain *chain = calloc(1, sizeof(*chain));
	struct format_budget budget;
	struct unpack *u;
	enum err e = ERR_OK, closed;

	if (!chain)
		return ERR_MEMORY;
	out->max = (size_t)limits.image_layers;
	out->image_max = (size_t)limits.layers_per_image;
	t.depth_max = (unsigned)limits.nesting + 1;
	limits.time_ms = time_left_ms(like->budget);
	format_budget_init(&budget, &limits, like->budget->file_bytes);
	u = open_like(chain, like, &sink, &budget);
	if (u)
		e = gather(u, &t);
	closed = chain_close(chain);
	e = e == ERR_OK ? closed : e;
	if (e == ERR_OK)
		e = read_texts(&t, out);
	like->budget->looked_ms += clock_monotonic_ms() - budget.start_ms;
	if (e == ERR_OK && budget.is_spent && format_budget_is_late(&budget))
		e = tell_late(like);
	if (e == ERR_OK)
		e = tell_limited(&t, out, like->sink);
	texts_fini(&t);
	free(chain);
	return e;
}

const char *unpack_image_label(const struct layers *l, const char *name)
{
	char digest[7 + DIGITS + 1];
	const char *label;

	name = plain(name);
	label = layers_find(l, slice_text(name));
	if (label || strncmp(name, BLOBS, sizeof(BLOBS) - 1) != 0)
		return label;
	(void)snprintf(digest, sizeof(digest), "sha256:%s", name + sizeof(BLOBS) - 1);
	return layers_find(l, slice_text(digest));
}
