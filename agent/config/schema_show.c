/* Structs and tables as text: YAML without secrets, and the list of keys. */
#include "agent/base/text.h"
#include "agent/config/schema_internal.h"

#include <inttypes.h>
#include <string.h>

#define INDENT_COLUMNS 2
#define SECRET_SHOWN "<secret>"

struct unit {
	const char *name;
	uint64_t factor;
};

/* Numbers */

void schema_put_duration(struct buffer *out, int64_t ms)
{
	static const struct unit units[] = { { "d", 86400000 }, { "h", 3600000 }, { "m", 60000 },
		{ "s", 1000 }, { "ms", 1 } };
	uint64_t left = ms > 0 ? (uint64_t)ms : 0;

	if (!left)
		buffer_text(out, "0");
	for (size_t i = 0; left; i++) {
		if (left >= units[i].factor)
			buffer_format(out, "%" PRIu64 "%s", left / units[i].factor, units[i].name);
		left %= units[i].factor;
	}
}

void schema_put_size(struct buffer *out, uint64_t bytes)
{
	static const struct unit units[] = { { "TiB", 1099511627776 }, { "GiB", 1073741824 },
		{ "MiB", 1048576 }, { "KiB", 1024 }, { "B", 1 } };
	size_t i = 0;

	while (units[i].factor > 1 && (!bytes || bytes % units[i].factor))
		i++;
	buffer_format(out, "%" PRIu64 "%s", bytes / units[i].factor, units[i].name);
}

void schema_put_number(const struct schema_field *f, int64_t number, struct buffer *out)
{
	if (f->type == SCHEMA_DURATION)
		schema_put_duration(out, number);
	else if (f->type == SCHEMA_SIZE)
		schema_put_size(out, number > 0 ? (uint64_t)number : 0);
	else
		buffer_format(out, "%" PRId64, number);
}

void schema_put_range(const struct schema_field *f, struct buffer *out)
{
	if (!f->minimum && !f->maximum)
		return;
	buffer_text(out, f->maximum < f->minimum ? "at least " : "from ");
	schema_put_number(f, f->minimum, out);
	if (f->maximum < f->minimum)
		return;
	buffer_text(out, " to ");
	schema_put_number(f, f->maximum, out);
}

/* Texts */

static bool is_plain(const char *text)
{
	static const char *const meant[] = { "null", "Null", "NULL" };
	static const char safe[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				   "0123456789_./:@+-";
	size_t length = strlen(text);

	if (!length || strspn(text, safe) != length || strchr(":@+-", *text) ||
		text[length - 1] == ':')
		return false;
	for (size_t i = 0; i < sizeof(meant) / sizeof(meant[0]); i++)
		if (strcmp(text, meant[i]) == 0)
			return false;
	return true;
}

/* One character of a text in double quotes; `$` is doubled because the file's reader expands it. */
static void put_character(struct buffer *out, struct slice character, uint32_t point)
{
	if (point == '"' || point == '\\')
		buffer_format(out, "\\%c", (int)point);
	else if (point == '$')
		buffer_text(out, "$$");
	else if (point == '\n')
		buffer_text(out, "\\n");
	else if (point > 0xffff && (point & 0xffff) >= 0xfffe)
		buffer_format(out, "\\U%08X", (unsigned)point);
	else if (text_is_control(point) || (point & 0xffff) >= 0xfffe)
		buffer_format(out, "\\u%04X", (unsigned)point);
	else
		buffer_slice(out, character);
}

static void put_text(struct buffer *out, const char *text)
{
	struct slice left = slice_text(text);
	uint32_t point = 0;

	if (is_plain(text)) {
		buffer_text(out, text);
		return;
	}
	buffer_byte(out, '"');
	while (left.size) {
		size_t length = text_utf8_character(left, &point);

		if (length)
			put_character(out, slice_of(left.data, length), point);
		else
			buffer_format(out, "\\x%02X", left.data[0]);
		left = slice_after(left, length ? length : 1);
	}
	buffer_byte(out, '"');
}

/* Structs */

static void put_indent(struct buffer *out, unsigned depth)
{
	buffer_format(out, "%*s", (int)(depth * INDENT_COLUMNS), "");
}

static void put_key(struct buffer *out, unsigned depth, const char *key)
{
	put_indent(out, depth);
	buffer_format(out, "%s:", key);
}

static void show_secret(
	const struct schema_field *f, const struct secret *s, unsigned depth, struct buffer *out)
{
	put_indent(out, depth);
	if (s->file) {
		buffer_format(out, "%s%s: ", f->key, SCHEMA_TWIN);
		put_text(out, s->file);
		buffer_byte(out, '\n');
		return;
	}
	buffer_format(out, "%s: %s\n", f->key, s->value ? SECRET_SHOWN : "null");
}

static void show_texts(
	const struct schema_field *f, const struct strings *s, unsigned depth, struct buffer *out)
{
	put_key(out, depth, f->key);
	buffer_text(out, s->count ? "\n" : " []\n");
	for (size_t i = 0; i < s->count; i++) {
		put_indent(out, depth + 1);
		buffer_text(out, "- ");
		put_text(out, s->items[i]);
		buffer_byte(out, '\n');
	}
}

/* Names only: a value may well be a token. */
static void show_headers(
	const struct schema_field *f, const struct strings *s, unsigned depth, struct buffer *out)
{
	put_key(out, depth, f->key);
	buffer_text(out, s->count ? "\n" : " {}\n");
	for (size_t i = 0; i < s->count; i++) {
		const char *line = s->items[i];

		/* Quoted: a name may hold characters that mean something at the start of a line. */
		put_indent(out, depth + 1);
		buffer_byte(out, '"');
		buffer_append(out, line, strcspn(line, ":"));
		buffer_text(out, "\": " SECRET_SHOWN "\n");
	}
}

static void show_sections(
	const struct schema_field *f, const struct sections *s, unsigned depth, struct buffer *out)
{
	put_key(out, depth, f->key);
	buffer_text(out, s->count ? "\n" : " []\n");
	for (size_t i = 0; i < s->count; i++) {
		put_indent(out, depth + 1);
		buffer_text(out, "-\n");
		schema_show(f->fields, s->items[i], depth + 2, out);
	}
}

static int64_t number_at(const struct schema_field *f, const void *at)
{
	if (f->type == SCHEMA_SIZE)
		return *(const uint64_t *)at > INT64_MAX ? INT64_MAX : *(const int64_t *)at;
	return *(const int64_t *)at;
}

static void show_number(const struct schema_field *f, const void *at, struct buffer *out)
{
	int64_t number = number_at(f, at);

	if (!f->standard && !number && !schema_in_range(f, number))
		buffer_text(
			out, "null"); /* never given, and the zero that stands for it is no value */
	else if (f->type == SCHEMA_SIZE)
		schema_put_size(out, *(const uint64_t *)at);
	else
		schema_put_number(f, number, out);
}

static void show_pointer(const char *text, struct buffer *out)
{
	if (text)
		put_text(out, text);
	else
		buffer_text(out, "null");
}

static void show_scalar(const struct schema_field *f, const void *at, struct buffer *out)
{
	switch (f->type) {
	case SCHEMA_BOOL:
		buffer_text(out, *(const bool *)at ? "true" : "false");
		break;
	case SCHEMA_INTEGER:
	case SCHEMA_DURATION:
	case SCHEMA_SIZE:
		show_number(f, at, out);
		break;
	case SCHEMA_WORD:
		buffer_text(out, f->words[*(const int *)at]);
		break;
	default:
		show_pointer(*(const char *const *)at, out);
	}
}

/* A section that was not given may lack what it would require; its keys would not read back. */
static bool is_section_given(const struct schema_field *fields, const void *section)
{
	for (const struct schema_field *f = fields; f->key; f++) {
		const void *at = (const char *)section + f->offset;

		if (!f->is_required)
			continue;
		if (f->type == SCHEMA_SECRET && !secret_is_set(at))
			return false;
		if ((f->type == SCHEMA_TEXT || f->type == SCHEMA_THRESHOLD) &&
			!*(const char *const *)at)
			return false;
	}
	return true;
}

static void show_section(
	const struct schema_field *f, const void *at, unsigned depth, struct buffer *out)
{
	bool is_given = is_section_given(f->fields, at);

	put_key(out, depth, f->key);
	buffer_text(out, is_given ? "\n" : " null\n");
	if (is_given)
		schema_show(f->fields, at, depth + 1, out);
}

static void show_field(
	const struct schema_field *f, const void *at, unsigned depth, struct buffer *out)
{
	switch (f->type) {
	case SCHEMA_SECRET:
		show_secret(f, at, depth, out);
		break;
	case SCHEMA_TEXTS:
		show_texts(f, at, depth, out);
		break;
	case SCHEMA_HEADERS:
		show_headers(f, at, depth, out);
		break;
	case SCHEMA_SECTION:
		show_section(f, at, depth, out);
		break;
	case SCHEMA_SECTIONS:
		show_sections(f, at, depth, out);
		break;
	default:
		put_key(out, depth, f->key);
		buffer_byte(out, ' ');
		show_scalar(f, at, out);
		buffer_byte(out, '\n');
	}
}

void schema_show(
	const struct schema_field *fields, const void *conf, unsigned depth, struct buffer *out)
{
	for (const struct schema_field *f = fields; f->key; f++)
		show_field(f, (const char *)conf + f->offset, depth, out);
}

/* Tables */

static void describe_words(const struct schema_field *f, struct buffer *out)
{
	for (size_t i = 0; f->words[i]; i++)
		buffer_format(out, "%s%s", i ? " | " : "", f->words[i]);
}

static void describe_type(const struct schema_field *f, struct buffer *out)
{
	static const char *const names[] = {
		[SCHEMA_TEXT] = "text",
		[SCHEMA_TEXTS] = "list of texts",
		[SCHEMA_BOOL] = "true or false",
		[SCHEMA_INTEGER] = "number",
		[SCHEMA_DURATION] = "duration",
		[SCHEMA_SIZE] = "size",
		[SCHEMA_WORD] = "word",
		[SCHEMA_THRESHOLD] = "threshold",
		[SCHEMA_SECRET] = "secret",
		[SCHEMA_SECTION] = "map",
		[SCHEMA_SECTIONS] = "list of maps",
		[SCHEMA_HEADERS] = "map of headers",
	};

	if (f->type == SCHEMA_WORD)
		describe_words(f, out);
	else
		buffer_text(out, names[f->type]);
	if (f->type == SCHEMA_SECRET)
		buffer_format(out, ", or %s%s with a path", f->key, SCHEMA_TWIN);
	if (f->minimum || f->maximum) {
		buffer_byte(out, ' ');
		schema_put_range(f, out);
	}
}

static void describe_field(const struct schema_field *f, unsigned depth, struct buffer *out)
{
	put_key(out, depth, f->key);
	buffer_byte(out, ' ');
	describe_type(f, out);
	if (f->is_required)
		buffer_text(out, "; required");
	if (f->standard)
		buffer_format(out, "; default %s", *f->standard ? f->standard : "\"\"");
	if (f->help)
		buffer_format(out, " - %s", f->help);
	buffer_byte(out, '\n');
}

void schema_describe(const struct schema_field *fields, unsigned depth, struct buffer *out)
{
	for (const struct schema_field *f = fields; f->key; f++) {
		describe_field(f, depth, out);
		if (f->type == SCHEMA_SECTION || f->type == SCHEMA_SECTIONS)
			schema_describe(f->fields, depth + 1, out);
	}
}
