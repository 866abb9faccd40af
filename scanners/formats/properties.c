/* Properties of Java servers (java.util.Properties): Kafka, ZooKeeper, Spring Boot, Jetty's start.ini. */
#include "scanners/formats/java_stores.h"

#include <ctype.h>

static size_t key_size(struct slice s)
{
	size_t size = 0;

	while (size < s.size && s.data[size] &&
		(isalnum(s.data[size]) || strchr("._-/[]@", s.data[size])))
		size++;
	return size;
}

/* A setting, or what Jetty hands to the JVM. False: no line of this language. A colon would do for an equals sign,
 * but hardly anyone writes it, and YAML is read elsewhere. */
static bool take_line(struct java_stores *s, struct slice line, uint32_t number)
{
	size_t size = key_size(line);
	struct slice rest = config_trim(slice_after(line, size));
	bool is_option = line.data[0] == '-';

	if (!size || (!is_option && !rest.size))
		return is_option;
	if (rest.size && rest.data[0] != '=')
		return is_option;
	java_stores_take(s, slice_of(line.data, size), slice_of(line.data, size),
		config_trim(slice_after(rest, 1)), number);
	return true;
}

static bool ends_open(struct slice line)
{
	size_t count = 0;

	while (count < line.size && line.data[line.size - 1 - count] == '\\')
		count++;
	return count % 2;
}

static bool read_text(struct config *c)
{
	static const char *const folders[] = { "start.d" };
	struct java_stores stores = { .config = c, .has_escapes = true };
	struct slice left = c->in->bytes;
	struct slice raw;
	uint32_t number = 0;
	bool is_mine = true, is_continued = false;

	config_base_above(c, folders, 1);
	while (is_mine && c->status == ERR_OK && config_line(&left, &raw, &number)) {
		struct slice line = config_trim(raw);
		bool was_continued = is_continued;

		is_continued = ends_open(line);
		if (line.size && !was_continued && line.data[0] != '#' && line.data[0] != '!')
			is_mine = take_line(&stores, line, number);
	}
	if (!is_mine)
		stores.count = 0;
	java_stores_end(&stores);
	return is_mine;
}

static enum format_answer parse(const struct format_input *in, const struct format_sink *sink)
{
	return config_parse(in, sink, read_text);
}

static const char *const markers[] = { "tore.location", "torePath", "key-store", "trust-store",
	NULL };

extern const struct format format_properties;
const struct format format_properties = {
	.name = "properties",
	.help = "properties of Java servers: keystores of Kafka, ZooKeeper, Spring Boot and Jetty",
	.config_markers = markers,
	.parse = parse,
};
