/* What stores of images write down: each reader on its own, then what is known of their layers. */
#include "scanners/images/bolt.h"
#include "scanners/images/read.h"

#include <stdlib.h>

#define TEXT_BYTES_MAX (4 * 1024 * 1024)
#define BLOBS_MAX 20000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum err on_name(void *arg, struct slice id, struct slice name)
{
	struct layers *l = arg;

	return layers_add_image(l, id, name, id);
}

static enum err read_blob(void *arg, struct slice digest, struct buffer *out)
{
	const struct slice *text = arg;

	(void)digest;
	buffer_init(out, TEXT_BYTES_MAX);
	buffer_slice(out, *text);
	return buffer_status(out);
}

static enum err take_blob(void *arg, struct slice digest, struct slice name, struct slice text)
{
	(void)arg;
	(void)digest;
	(void)name;
	(void)text;
	return ERR_OK;
}

static bool on_value(
	void *arg, const struct bolt_place *place, struct slice key, struct slice value)
{
	struct layers *l = arg;

	return layers_add(l, key, place->depth ? place->buckets[place->depth - 1] : key, key,
		       value) == ERR_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice text = slice_of(data, size);
	struct image_blobs blobs = {
		.read = read_blob, .take = take_blob, .arg = &text, .max = BLOBS_MAX, .depth_max = 4
	};
	char chain[DIGEST_TEXT_BYTES];
	struct layers l = { 0 };

	if (size > TEXT_BYTES_MAX)
		return 0;
	(void)!images_read_layers(&l, text);
	(void)!images_read_images(&l, text);
	(void)!images_read_containers(&l, text);
	(void)!images_read_repositories(text, on_name, &l);
	(void)!images_read_saved(&l, text);
	(void)!images_read_index(text, on_name, &l);
	(void)!images_take_index(&blobs, text);
	(void)!images_read_manifest(&l, text, images_config_of(text), text);
	(void)!images_read_chain(&l, text);
	if (images_chain_of(&l, text, chain))
		(void)!layers_add_image(&l, slice_text(chain), text, slice_text(chain));
	(void)bolt_values(text, on_value, &l);
	if (layers_label(&l) == ERR_OK)
		(void)layers_find(&l, text);
	layers_fini(&l);
	return 0;
}
