/* Single values: scalars, lists of texts, headers. */
#include "agent/base/text.h"
#include "agent/base/units.h"
#include "agent/config/schema_internal.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define WORDS_MAX 64
#define RANGE_BYTES_MAX 128
#define WORDS_BYTES_MAX 300

typedef enum err (*value_fn)(
	const struct schema_field *f, const struct node *n, void *at, struct why *why);

struct type_row {
	const char *wanted;
	enum node_kind kind;
	value_fn read;
};

static enum err fail_memory(struct why *why)
{
	return why_fail(why, ERR_MEMORY, "out of memory");
}

/* Leaves with the sentence of a check that knows nothing of places. */
static enum err fail_check(const struct schema_field *f, const struct node *n, enum err e,
	const struct why *inner, struct why *why)
{
	if (e == ERR_MEMORY)
		return fail_memory(why);
	return node_fail(n, why, "\"%s\": %s", f->key, why_text(inner, e));
}

static enum err check_text(const struct schema_field *f, const struct node *n, struct why *why)
{
	struct why inner = { 0 };
	enum err e;

	if (!f->check)
		return ERR_OK;
	e = f->check(n->value, &inner);
	return e == ERR_OK ? e : fail_check(f, n, e, &inner, why);
}

static enum err read_text(
	const struct schema_field *f, const struct node *n, void *at, struct why *why)
{
	enum err e = check_text(f, n, why);
	char *copy;

	if (e != ERR_OK)
		return e;
	copy = string_of(slice_text(n->value));
	if (!copy)
		return fail_memory(why);
	*(char **)at = copy;
	return ERR_OK;
}

static enum err add_text(
	const struct schema_field *f, const struct node *n, struct strings *to, struct why *why)
{
	enum err e;

	if (n->kind != NODE_SCALAR)
		return node_fail(n, why, "an entry of \"%s\" must be a text", f->key);
	if (node_is_null(n))
		return node_fail(n, why, "an entry of \"%s\" is empty", f->key);
	e = check_text(f, n, why);
	if (e == ERR_OK && strings_add(to, n->value) != ERR_OK)
		e = fail_memory(why);
	return e;
}

static enum err read_texts(
	const struct schema_field *f, const struct node *n, void *at, struct why *why)
{
	enum err e = ERR_OK;

	if (n->kind == NODE_SCALAR)
		return add_text(f, n, at, why);
	if (n->kind != NODE_LIST)
		return schema_expect(f, n, NODE_LIST, why);
	for (size_t i = 0; e == ERR_OK && i < n->count; i++)
		e = add_text(f, n->children[i], at, why);
	return e;
}

static enum err read_bool(
	const struct schema_field *f, const struct node *n, void *at, struct why *why)
{
	static const char *const words[] = { "false", "true", "no", "yes", "off", "on" };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strcasecmp(n->value, words[i]) == 0) {
			*(bool *)at = i % 2 != 0;
			return ERR_OK;
		}
	}
	return node_fail(
		n, why, "\"%s\" must be %s, not \"%s\"", f->key, schema_wanted(f), n->value);
}

bool schema_in_range(const struct schema_field *f, int64_t number)
{
	if (!f->minimum && !f->maximum)
		return true;
	return number >= f->minimum && (f->maximum < f->minimum || number <= f->maximum);
}

static enum err check_range(
	const struct schema_field *f, const struct node *n, int64_t number, struct why *why)
{
	struct buffer range;
	enum err e;

	if (schema_in_range(f, number))
		return ERR_OK;
	buffer_init(&range, RANGE_BYTES_MAX);
	schema_put_range(f, &range);
	e = node_fail(n, why, "\"%s\" must be %s, not %s", f->key, buffer_string(&range), n->value);
	buffer_fini(&range);
	return e;
}

/* Decimal only: 010 is eight in YAML 1.1 and ten to people, so it is refused. */
static bool parse_integer(const char *text, int64_t *out)
{
	bool is_negative = *text == '-';
	const char *p = text + (*text == '-' || *text == '+' ? 1 : 0);
	int64_t value = 0;

	if (!*p || (*p == '0' && p[1]))
		return false;
	for (; *p; p++) {
		int64_t digit = *p - '0';

		if (*p < '0' || *p > '9' || __builtin_mul_overflow(value, 10, &value) ||
			__builtin_add_overflow(value, is_negative ? -digit : digit, &value))
			return false;
	}
	*out = value;
	return true;
}

static enum err read_integer(
	const struct schema_field *f, const struct node *n, void *at, struct why *why)
{
	int64_t value;
	enum err e;

	if (!parse_integer(n->value, &value))
		return node_fail(n, why, "\"%s\" must be %s, not \"%s\"", f->key, schema_wanted(f),
			n->value);
	e = check_range(f, n, value, why);
	if (e == ERR_OK)
		*(int64_t *)at = value;
	return e;
}

static enum err read_duration(
	const struct schema_field *f, const struct node *n, void *at, struct why *why)
{
	struct why inner = { 0 };
	int64_t value;
	enum err e = units_duration_ms(n->value, &value, &inner);

	if (e != ERR_OK)
		return fail_check(f, n, e, &inner, why);
	e = check_range(f, n, value, why);
	if (e == ERR_OK)
		*(int64_t *)at = value;
	return e;
}

static enum err read_size(
	const struct schema_field *f, const struct node *n, void *at, struct why *why)
{
	struct why inner = { 0 };
	uint64_t value;
	enum err e = units_size_bytes(n->value, &value, &inner);

	if (e != ERR_OK)
		return fail_check(f, n, e, &inner, why);
	e = check_range(f, n, value > INT64_MAX ? INT64_MAX : (int64_t)value, why);
	if (e == ERR_OK)
		*(uint64_t *)at = value;
	return e;
}

static enum err fail_word(const struct schema_field *f, const struct node *n, struct why *why)
{
	struct buffer list;
	const char *near;
	size_t count = 0;

	buffer_init(&list, WORDS_BYTES_MAX);
	for (; count < WORDS_MAX && f->words[count]; count++)
		buffer_format(&list, "%s%s", count ? ", " : "", f->words[count]);
	near = text_nearest(n->value, f->words, count);
	(void)node_fail(n, why, "\"%s\" must be one of %s, not \"%s\"%s%s%s", f->key,
		buffer_string(&list), n->value, near ? "; did you mean \"" : "", near ? near : "",
		near ? "\"?" : "");
	buffer_fini(&list);
	return ERR_CONFIG;
}

static enum err read_word(
	const struct schema_field *f, const struct node *n, void *at, struct why *why)
{
	for (int i = 0; f->words[i]; i++) {
		if (strcmp(f->words[i], n->value) == 0) {
			*(int *)at = i;
			return ERR_OK;
		}
	}
	return fail_word(f, n, why);
}

static enum err read_secret(
	const struct schema_field *f, const struct node *n, void *at, struct why *why)
{
	struct secret *s = at;
	struct why inner = { 0 };

	if (f->check && f->check(n->value, &inner) != ERR_OK)
		return node_fail(n, why, "\"%s\": %s", f->key, inner.text);
	s->value = string_of(slice_text(n->value));
	return s->value ? ERR_OK : fail_memory(why);
}

enum err schema_secret_file(
	const char *key, const struct node *n, struct secret *to, struct why *why)
{
	struct why inner = { 0 };

	if (n->kind != NODE_SCALAR || !*n->value)
		return node_fail(n, why, "\"%s\" must be the path of a file", key);
	if (secret_check_file(n->value, &inner) != ERR_OK)
		return node_fail(n, why, "\"%s\": %s", key, inner.text);
	to->file = string_of(slice_text(n->value));
	return to->file ? ERR_OK : fail_memory(why);
}

/* RFC 9110 5.6.2: the characters of a field name. */
static bool is_header_name(const char *name)
{
	static const char allowed[] = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"
				      "ABCDEFGHIJKLMNOPQRSTUVWXYZ";

	return *name && strspn(name, allowed) == strlen(name);
}

/* RFC 9110 5.5: no control character but the tab; a line end would begin another header. */
static bool is_header_value(const char *value)
{
	for (; *value; value++)
		if (((unsigned char)*value < 0x20 && *value != '\t') || *value == 0x7f)
			return false;
	return true;
}

static bool has_header(const struct strings *headers, const char *name)
{
	size_t length = strlen(name);

	for (size_t i = 0; i < headers->count; i++)
		if (strncasecmp(headers->items[i], name, length) == 0 &&
			headers->items[i][length] == ':')
			return true;
	return false;
}

static enum err add_header(
	const struct schema_field *f, const struct node *n, struct strings *to, struct why *why)
{
	struct buffer line;
	enum err e;

	if (!is_header_name(n->key))
		return node_fail_key(n, why, "\"%s\" is not the name of a header", n->key);
	if (has_header(to, n->key))
		return node_fail_key(
			n, why, "the header \"%s\" is given twice in \"%s\"", n->key, f->key);
	if (n->kind != NODE_SCALAR || !is_header_value(n->value))
		return node_fail(n, why, "the header \"%s\" must be a text of one line", n->key);
	if (node_is_null(n) || !*n->value)
		return node_fail(n, why, "the header \"%s\" has no value", n->key);
	buffer_init(&line, CONFIG_BYTES_MAX);
	(void)buffer_reserve(&line, strlen(n->key) + strlen(n->value) + 2);
	buffer_format(&line, "%s: %s", n->key, n->value);
	e = strings_take(to, buffer_take_string(&line));
	return e == ERR_OK ? e : fail_memory(why);
}

static enum err read_headers(
	const struct schema_field *f, const struct node *n, void *at, struct why *why)
{
	enum err e = ERR_OK;

	for (size_t i = 0; e == ERR_OK && i < n->count; i++)
		e = add_header(f, n->children[i], at, why);
	return e;
}

static const struct type_row types[] = {
	[SCHEMA_TEXT] = { "a text", NODE_SCALAR, read_text },
	/* A single text stands for a list of one, so the kind is looked at in read_texts. */
	[SCHEMA_TEXTS] = { "a list of texts", NODE_LIST, read_texts },
	[SCHEMA_BOOL] = { "true or false", NODE_SCALAR, read_bool },
	[SCHEMA_INTEGER] = { "a whole number", NODE_SCALAR, read_integer },
	[SCHEMA_DURATION] = { "a duration like 90s, 15m, 1h or 30d", NODE_SCALAR, read_duration },
	[SCHEMA_SIZE] = { "a size like 64KiB or 8MiB", NODE_SCALAR, read_size },
	[SCHEMA_WORD] = { "a word", NODE_SCALAR, read_word },
	[SCHEMA_THRESHOLD] = { "a threshold like 30d, 33% or \"min(30d, 33%)\"", NODE_SCALAR,
		read_text },
	[SCHEMA_SECRET] = { "a text", NODE_SCALAR, read_secret },
	[SCHEMA_SECTION] = { "a map of keys", NODE_MAP, NULL },
	[SCHEMA_SECTIONS] = { "a list of maps, each begun with \"- \"", NODE_LIST, NULL },
	[SCHEMA_HEADERS] = { "a map of header names and texts", NODE_MAP, read_headers },
};

const char *schema_wanted(const struct schema_field *f)
{
	return types[f->type].wanted;
}

enum err schema_expect(
	const struct schema_field *f, const struct node *n, enum node_kind kind, struct why *why)
{
	static const char *const kinds[] = {
		[NODE_SCALAR] = "a single value", [NODE_LIST] = "a list", [NODE_MAP] = "a map"
	};

	if (n->kind == kind)
		return ERR_OK;
	return node_fail(
		n, why, "\"%s\" must be %s, not %s", f->key, schema_wanted(f), kinds[n->kind]);
}

enum err schema_value(const struct schema_field *f, const struct node *n, void *at, struct why *why)
{
	const struct type_row *row = &types[f->type];
	enum err e = f->type == SCHEMA_TEXTS ? ERR_OK : schema_expect(f, n, row->kind, why);

	return e == ERR_OK ? row->read(f, n, at, why) : e;
}
