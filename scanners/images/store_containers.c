/* containers/storage, as podman, buildah and cri-o keep images: its lists are JSON. */
#include "scanners/images/read.h"
#include "scanners/images/store_internal.h"

#include <stdio.h>

#define NAME_BYTES 64

static enum err load(struct store_files *s, const char *driver, struct layers *l)
{
	static const struct {
		const char *name;
		enum err (*read)(struct layers *l, struct slice text);
	} lists[] = {
		{ "layers/layers.json", images_read_layers },
		{ "layers/volatile-layers.json", images_read_layers },
		{ "images/images.json", images_read_images },
		{ "containers/containers.json", images_read_containers },
		{ "containers/volatile-containers.json", images_read_containers },
	};
	struct buffer text;
	enum err e = ERR_OK;

	buffer_init(&text, (size_t)s->bytes_left + 1);
	for (size_t i = 0; e == ERR_OK && i < sizeof(lists) / sizeof(lists[0]); i++) {
		char name[NAME_BYTES];

		(void)snprintf(name, sizeof(name), "%s-%s", driver, lists[i].name);
		e = store_read_text(s, name, STORE_TEXT_BYTES_MAX, &text);
		if (e == ERR_OK)
			e = lists[i].read(l, buffer_bytes(&text));
	}
	buffer_fini(&text);
	return e;
}

enum err store_load_overlay(struct store_files *s, struct layers *l)
{
	return load(s, "overlay", l);
}

enum err store_load_vfs(struct store_files *s, struct layers *l)
{
	return load(s, "vfs", l);
}
