/* YAML from a stranger through tree and schema. A byte 0xFF, which no YAML holds, divides two files that
 * are merged. Whatever is accepted must be shown, read back and shown the same. */
#include "agent/config/schema.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define DIVIDER 0xff
#define SHOWN_BYTES_MAX (16 * CONFIG_BYTES_MAX)

struct part {
	char *name;
	int64_t wait_ms;
	struct secret key;
};

struct all {
	char *text;
	struct strings texts;
	bool flag;
	int64_t number;
	int64_t jitter_ms;
	uint64_t size;
	int word;
	char *threshold;
	struct secret url;
	struct part part;
	struct sections parts;
	struct strings headers;
};

#define AT(member) .offset = offsetof(struct all, member)
#define IN_PART(member) .offset = offsetof(struct part, member)

static enum err check_short(const char *value, struct why *why)
{
	return strlen(value) > 64 ? why_fail(why, ERR_MALFORMED, "\"%s\" is too long", value)
				  : ERR_OK;
}

static const char *const words[] = { "info", "warning", "critical", NULL };

static const struct schema_field part_fields[] = {
	{ .key = "name", .type = SCHEMA_TEXT, IN_PART(name), .is_required = true },
	{ .key = "wait", .type = SCHEMA_DURATION, IN_PART(wait_ms), .minimum = 1 },
	{ .key = "key", .type = SCHEMA_SECRET, IN_PART(key) },
	{ 0 },
};

static const struct schema_field fields[] = {
	{ .key = "text", .type = SCHEMA_TEXT, AT(text) },
	{ .key = "texts",
		.type = SCHEMA_TEXTS,
		AT(texts),
		.standard = "[a]",
		.check = check_short },
	{ .key = "flag", .type = SCHEMA_BOOL, AT(flag) },
	{ .key = "number", .type = SCHEMA_INTEGER, AT(number), .minimum = -5, .maximum = 5 },
	{ .key = "jitter", .type = SCHEMA_DURATION, AT(jitter_ms), .standard = "10m" },
	{ .key = "size", .type = SCHEMA_SIZE, AT(size) },
	{ .key = "word", .type = SCHEMA_WORD, AT(word), .words = words },
	{ .key = "threshold", .type = SCHEMA_THRESHOLD, AT(threshold), .check = check_short },
	{ .key = "url", .type = SCHEMA_SECRET, AT(url) },
	{ .key = "part", .type = SCHEMA_SECTION, AT(part), .fields = part_fields },
	{ .key = "parts",
		.type = SCHEMA_SECTIONS,
		AT(parts),
		.fields = part_fields,
		.section_bytes = sizeof(struct part) },
	{ .key = "headers", .type = SCHEMA_HEADERS, AT(headers) },
	{ 0 },
};

static void demand(bool is_so)
{
	if (!is_so)
		abort();
}

/* Appends the accepted configuration to `shown`; false when it is refused, which needs a sentence. */
static bool read_files(const struct slice *files, size_t count, struct buffer *shown)
{
	struct tree *t = NULL;
	struct all all = { 0 };
	struct why why = { 0 };
	enum err e = tree_new(&t);

	demand(e == ERR_OK);
	for (size_t i = 0; e == ERR_OK && i < count; i++)
		e = tree_parse(t, i ? "b.yml" : "a.yml", files[i], &why);
	if (e == ERR_OK)
		e = schema_apply(fields, tree_root(t), &all, &why);
	demand(e == ERR_OK || why.text[0]);
	if (e == ERR_OK)
		schema_show(fields, &all, 0, shown);
	schema_fini(fields, &all);
	tree_free(t);
	return e == ERR_OK;
}

static void read_back(const struct buffer *first)
{
	struct slice file = buffer_bytes(first);
	struct buffer second;

	/* Escapes and indentation may pass the ceiling of a file. */
	if (buffer_status(first) != ERR_OK || file.size > CONFIG_BYTES_MAX)
		return;
	buffer_init(&second, SHOWN_BYTES_MAX);
	demand(read_files(&file, 1, &second));
	demand(second.size == first->size && memcmp(second.data, first->data, first->size) == 0);
	buffer_fini(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *divider = size ? memchr(data, DIVIDER, size) : NULL;
	size_t first_size = divider ? (size_t)(divider - data) : size;
	struct slice files[2] = { slice_of(data, first_size), { NULL, 0 } };
	struct buffer shown;

	if (divider)
		files[1] = slice_of(divider + 1, size - first_size - 1);
	buffer_init(&shown, SHOWN_BYTES_MAX);
	if (read_files(files, divider ? 2 : 1, &shown))
		read_back(&shown);
	buffer_fini(&shown);
	return 0;
}
