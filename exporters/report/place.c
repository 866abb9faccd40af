/* Places and names as people write them. */
#include "exporters/report/place.h"

#include "agent/base/text.h"

#include <string.h>

#define FILE_SCHEME "file://"
#define PLACE_BYTES_MAX ((size_t)4 * RECORD_TEXT_BYTES_MAX)

static void append_path(struct buffer *out, const char *encoded)
{
	struct buffer path;

	buffer_init(&path, RECORD_TEXT_BYTES_MAX);
	if (text_uri_decode(&path, slice_text(encoded)) && buffer_status(&path) == ERR_OK)
		text_escape(out, buffer_bytes(&path));
	else
		buffer_text(out, encoded);
	buffer_fini(&path);
}

char *place_text(const struct location *l)
{
	const char *uri = l->uri ? l->uri : "";
	struct buffer out;

	buffer_init(&out, PLACE_BYTES_MAX);
	if (strncmp(uri, FILE_SCHEME, strlen(FILE_SCHEME)) == 0)
		append_path(&out, uri + strlen(FILE_SCHEME));
	else
		buffer_text(&out, uri);
	if (l->index)
		buffer_format(&out, "#%u", l->index);
	if (l->alias && *l->alias)
		buffer_format(&out, " (%s)", l->alias);
	return buffer_take_string(&out);
}

const char *place_short_name(const struct certificate *c)
{
	const char *colon;

	if (c->subject_cn && *c->subject_cn)
		return c->subject_cn;
	if (c->names.count) {
		colon = strchr(c->names.items[0], ':');
		return colon ? colon + 1 : c->names.items[0];
	}
	if (c->subject && *c->subject)
		return c->subject;
	return "(no name)";
}
