/* Options and roots as bytes; paths in their normal form. */
#include "scanners/files/options.h"

#include "agent/base/text.h"
#include "agent/base/wire.h"

#include <string.h>

#define OPTIONS_VERSION 3
#define PATTERNS_MAX 10000

void files_options_fini(struct files_options *o)
{
	strings_fini(&o->roots);
	strings_fini(&o->exclude);
	*o = (struct files_options){ 0 };
}

void files_options_encode(struct buffer *out, const struct files_options *o)
{
	wire_put_u8(out, OPTIONS_VERSION);
	wire_put_u32(out, o->threads);
	wire_put_bool(out, o->follow_links);
	wire_put_bool(out, o->deep);
	wire_put_bool(out, o->all_filesystems);
	wire_put_u64(out, o->file_bytes_max);
	wire_put_u64(out, o->text_bytes_max);
	wire_put_u64(out, o->archive_bytes_max);
	wire_put_u64(out, o->config_bytes_max);
	wire_put_u64(out, o->images.stores);
	wire_put_u64(out, o->images.list_bytes);
	wire_put_u64(out, o->images.layers);
	wire_put_u64(out, o->images.layers_per_image);
	wire_put_u64(out, o->images.nesting);
	wire_put_strings(out, &o->roots);
	wire_put_strings(out, &o->exclude);
}

enum err files_options_decode(struct slice bytes, struct files_options *out)
{
	struct wire w = wire_of(bytes);
	struct files_options o = { 0 };
	uint8_t version = wire_get_u8(&w);
	enum err e;

	o.threads = wire_get_u32(&w);
	o.follow_links = wire_get_bool(&w);
	o.deep = wire_get_bool(&w);
	o.all_filesystems = wire_get_bool(&w);
	o.file_bytes_max = wire_get_u64(&w);
	o.text_bytes_max = wire_get_u64(&w);
	o.archive_bytes_max = wire_get_u64(&w);
	o.config_bytes_max = wire_get_u64(&w);
	o.images.stores = wire_get_u64(&w);
	o.images.list_bytes = wire_get_u64(&w);
	o.images.layers = wire_get_u64(&w);
	o.images.layers_per_image = wire_get_u64(&w);
	o.images.nesting = wire_get_u64(&w);
	wire_get_strings(&w, &o.roots, READER_ROOTS_MAX, READER_PATH_BYTES_MAX);
	wire_get_strings(&w, &o.exclude, PATTERNS_MAX, READER_PATH_BYTES_MAX);
	e = wire_end(&w);
	if (e == ERR_OK &&
		(version != OPTIONS_VERSION || o.threads < 1 || o.threads > READER_THREADS_MAX))
		e = ERR_MALFORMED;
	if (e != ERR_OK)
		files_options_fini(&o);
	else
		*out = o;
	return e;
}

void root_item_encode(struct buffer *out, const struct root_item *r)
{
	wire_put_bool(out, r->is_optional);
	wire_put_bool(out, r->is_limit);
	wire_put_bytes(out, r->path);
	wire_put_bytes(out, r->message);
	wire_put_u8(out, (uint8_t)r->sources_count);
	for (size_t i = 0; i < r->sources_count; i++) {
		wire_put_bool(out, r->sources[i].is_configuration);
		wire_put_bytes(out, r->sources[i].path);
	}
}

static bool is_path(struct slice path)
{
	return path.size && path.data[0] == '/' && !memchr(path.data, 0, path.size);
}

enum err root_item_decode(struct slice bytes, struct root_item *out)
{
	struct wire w = wire_of(bytes);
	struct root_item r = { .is_optional = wire_get_bool(&w) };

	r.is_limit = wire_get_bool(&w);
	r.path = wire_get_bytes(&w, READER_PATH_BYTES_MAX);
	r.message = wire_get_bytes(&w, NAMED_MESSAGE_BYTES_MAX);
	r.sources_count = wire_get_u8(&w);
	if (r.sources_count > FORMAT_PASSWORD_SOURCES_CEILING)
		return ERR_MALFORMED;
	for (size_t i = 0; i < r.sources_count; i++) {
		r.sources[i].is_configuration = wire_get_bool(&w);
		r.sources[i].path = wire_get_bytes(&w, READER_PATH_BYTES_MAX);
		w.bad = w.bad || !is_path(r.sources[i].path);
	}
	if (wire_end(&w) != ERR_OK || !is_path(r.path))
		return ERR_MALFORMED;
	*out = r;
	return ERR_OK;
}

void path_uri(struct buffer *out, struct slice path)
{
	buffer_text(out, "file://");
	text_uri_encode(out, path);
}

static void add_components(struct buffer *out, const char *path)
{
	while (*path) {
		size_t size;

		path += strspn(path, "/");
		size = strcspn(path, "/");
		if (size == 2 && memcmp(path, "..", 2) == 0) {
			while (out->size && out->data[out->size - 1] != '/')
				out->size--;
			if (out->size)
				out->size--;
		} else if (size && !(size == 1 && *path == '.')) {
			buffer_byte(out, '/');
			buffer_append(out, path, size);
		}
		path += size;
	}
}

char *path_normal(const char *folder, const char *path)
{
	struct buffer out;

	buffer_init(&out, READER_PATH_BYTES_MAX);
	if (path[0] != '/')
		add_components(&out, folder);
	add_components(&out, path);
	if (out.size == 0)
		buffer_byte(&out, '/');
	else if (buffer_status(&out) == ERR_OK)
		out.data[out.size] = 0;
	return buffer_take_string(&out);
}
