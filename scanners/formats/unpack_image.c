/* Images in an archive, as `docker save`, podman and skopeo write them: a tar whose members are layers, archives
 * themselves, and texts that say whose they are. Those may stand behind the layers, so they are read first. */
#include "scanners/formats/unpack_internal.h"

#include "agent/base/buffer.h"
#include "agent/base/strings.h"
#include "scanners/images/read.h"

#include <archive_entry.h>
#include <stdio.h>
#include <stdlib.h>

/* Of configurations and manifests, and of all that are kept. */
#define TEXT_BYTES_MAX (1024 * 1024)
#define TEXTS_BYTES_MAX (16 * 1024 * 1024)
#define TEXTS_MAX 5000
/* The part of a file's time that looking for them may take. */
#define LOOK_SHARE 4
#define BLOBS "blobs/sha256/"
#define DIGITS 64

/* The texts among the members, in two lists of the same order. */
struct texts {
	struct strings names;
	struct buffer items[TEXTS_MAX];
	size_t bytes;
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
	return size > 0 && size <= TEXT_BYTES_MAX &&
	       (strcmp(name, "manifest.json") == 0 || strcmp(name, "index.json") == 0 ||
		       strncmp(name, BLOBS, sizeof(BLOBS) - 1) == 0);
}

static enum err keep(struct unpack *u, struct texts *t, const char *name, size_t size)
{
	struct buffer text;
	enum err e = ERR_OK;

	if (t->names.count == TEXTS_MAX || size > TEXTS_BYTES_MAX - t->bytes)
		return ERR_OK;
	buffer_init(&text, TEXT_BYTES_MAX);
	if (!buffer_reserve(&text, size))
		e = buffer_status(&text);
	if (e == ERR_OK) {
		la_ssize_t n = archive_read_data(u->archive, text.data, size);

		text.size = n > 0 ? (size_t)n : 0;
		/* Small layers are blobs as well. */
		if (text.size && (text.data[0] == '{' || text.data[0] == '['))
			e = strings_add(&t->names, name);
		else
			text.size = 0;
	}
	if (e != ERR_OK || !text.size) {
		buffer_fini(&text);
		return e;
	}
	t->bytes += text.size;
	t->items[t->names.count - 1] = text;
	return ERR_OK;
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

static struct slice find(const struct texts *t, const char *name)
{
	for (size_t i = 0; i < t->names.count; i++)
		if (strcmp(t->names.items[i], name) == 0)
			return buffer_bytes(&t->items[i]);
	return slice_of(NULL, 0);
}

struct reading {
	const struct texts *texts;
	struct layers *layers;
};

static enum err read_blob(void *arg, struct slice digest, struct buffer *out)
{
	const struct reading *r = arg;
	char name[sizeof(BLOBS) + DIGITS];

	buffer_init(out, TEXT_BYTES_MAX);
	if (digest.size != 7 + DIGITS)
		return ERR_OK;
	(void)snprintf(name, sizeof(name), BLOBS "%.*s", DIGITS, (const char *)digest.data + 7);
	buffer_slice(out, find(r->texts, name));
	return buffer_status(out);
}

static enum err take_blob(void *arg, struct slice digest, struct slice name, struct slice text)
{
	const struct reading *r = arg;

	return images_read_manifest(r->layers, text, digest, name);
}

static enum err read_texts(const struct texts *t, struct layers *l)
{
	struct reading r = { .texts = t, .layers = l };
	struct image_blobs blobs = { .read = read_blob, .take = take_blob, .arg = &r };
	enum err e = images_read_saved(l, find(t, "manifest.json"));

	/* Newer versions of docker write both. */
	if (e == ERR_OK && !l->count)
		e = images_take_index(&blobs, find(t, "index.json"));
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
static enum err tell_late(const struct format_input *in, const struct format_sink *sink)
{
	return in->budget->is_spent || format_budget_is_late(in->budget)
		       ? ERR_OK
		       : format_limited(sink,
				 "of which images its layers are was not found out in the time for it",
				 "file_time");
}

enum err unpack_image_layers(
	const struct format_input *in, const struct format_sink *tell, struct layers *out)
{
	const struct format_sink sink = { .problem = no_problem };
	struct format_limits limits = *in->budget->limits;
	struct format_budget budget;
	struct unpack u = { .in = in, .sink = &sink, .budget = &budget, .name = "" };
	struct texts *t = calloc(1, sizeof(*t));
	enum err e = ERR_OK;

	if (!t)
		return ERR_MEMORY;
	limits.time_ms /= LOOK_SHARE;
	format_budget_init(&budget, &limits, in->budget->file_bytes);
	if (unpack_open(&u))
		e = gather(&u, t);
	unpack_close(&u);
	if (e == ERR_OK)
		e = u.status;
	if (e == ERR_OK)
		e = read_texts(t, out);
	if (e == ERR_OK && budget.is_spent && format_budget_is_late(&budget))
		e = tell_late(in, tell);
	for (size_t i = 0; i < t->names.count; i++)
		buffer_fini(&t->items[i]);
	strings_fini(&t->names);
	free(t);
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
