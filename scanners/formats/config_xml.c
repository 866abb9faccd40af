/* Configurations in XML. */
#include "scanners/formats/config_xml.h"

#include "scanners/formats/unicode.h"

#include <ctype.h>

#define CODE_POINT_MAX 0x10ffff

struct text {
	struct slice left;
	uint32_t line;
};

static void advance(struct text *t, size_t size)
{
	for (size_t i = 0; i < size && i < t->left.size; i++)
		t->line += t->left.data[i] == '\n';
	t->left = slice_after(t->left, size);
}

static bool skip_past(struct text *t, const char *end)
{
	const uint8_t *at =
		t->left.size ? memmem(t->left.data, t->left.size, end, strlen(end)) : NULL;

	if (!at)
		return false;
	advance(t, (size_t)(at - t->left.data) + strlen(end));
	return true;
}

static void skip_blanks(struct text *t)
{
	size_t size = 0;

	while (size < t->left.size && isspace(t->left.data[size]))
		size++;
	advance(t, size);
}

static struct slice take_name(struct text *t)
{
	struct slice name = { .data = t->left.data };

	while (name.size < t->left.size &&
		(isalnum(name.data[name.size]) || strchr("_.:-", name.data[name.size])) &&
		name.data[name.size])
		name.size++;
	advance(t, name.size);
	return name;
}

/* ` name="value"` until the element's end. */
static bool take_attributes(struct text *t, struct xml_element *e)
{
	for (;;) {
		struct xml_attribute a;
		const uint8_t *end;

		skip_blanks(t);
		if (!t->left.size)
			return false;
		e->is_end = e->is_end || t->left.data[0] == '/';
		if (t->left.data[0] == '>' || t->left.data[0] == '/' || t->left.data[0] == '?')
			return skip_past(t, ">");
		a.line = t->line;
		a.name = take_name(t);
		skip_blanks(t);
		if (!a.name.size || t->left.size < 3 || t->left.data[0] != '=')
			return false;
		advance(t, 1);
		skip_blanks(t);
		if (t->left.size < 2 || (t->left.data[0] != '"' && t->left.data[0] != '\''))
			return false;
		end = memchr(t->left.data + 1, t->left.data[0], t->left.size - 1);
		if (!end)
			return false;
		a.value = slice_of(t->left.data + 1, (size_t)(end - t->left.data) - 1);
		advance(t, a.value.size + 2);
		if (e->count < XML_ATTRIBUTES_MAX)
			e->attributes[e->count++] = a;
		else
			e->is_cut = true;
	}
}

/* What "<" begins. */
static bool take_markup(struct text *t, struct xml_element *e)
{
	if (slice_starts(t->left, "!--", 3))
		return skip_past(t, "-->");
	if (slice_starts(t->left, "!", 1))
		return skip_past(t, ">");
	e->is_end = slice_starts(t->left, "/", 1);
	e->is_start = !e->is_end && !slice_starts(t->left, "?", 1);
	if (!e->is_start)
		advance(t, 1);
	e->name = take_name(t);
	return e->name.size && take_attributes(t, e);
}

bool config_xml_read(
	struct config *c, void (*element)(void *arg, const struct xml_element *e), void *arg)
{
	struct text t = { .left = c->in->bytes, .line = 1 };

	skip_blanks(&t);
	if (!t.left.size || t.left.data[0] != '<')
		return false;
	while (c->status == ERR_OK && skip_past(&t, "<")) {
		struct xml_element e = { .count = 0 };

		if (!take_markup(&t, &e))
			return c->is_cut;
		if (e.is_cut)
			config_limited(
				c, "an element of it has more attributes than are read", NULL);
		if (e.is_start || e.is_end)
			element(arg, &e);
	}
	return true;
}

const struct xml_attribute *xml_attribute(const struct xml_element *e, const char *name)
{
	for (size_t i = 0; i < e->count; i++)
		if (config_is(e->attributes[i].name, name))
			return &e->attributes[i];
	return NULL;
}

/* "#39", "#x27". False: none. */
static bool put_number(struct buffer *out, struct slice name)
{
	bool is_hex = slice_starts(name, "#x", 2);
	uint32_t code = 0;

	if (!slice_starts(name, "#", 1) || name.size > 9)
		return false;
	name = slice_after(name, is_hex ? 2 : 1);
	for (size_t i = 0; i < name.size; i++) {
		uint8_t b = (uint8_t)tolower(name.data[i]);

		if (!isdigit(b) && !(is_hex && b >= 'a' && b <= 'f'))
			return false;
		code = code * (is_hex ? 16 : 10) +
		       (isdigit(b) ? (unsigned)b - '0' : (unsigned)b - 'a' + 10);
	}
	if (!name.size || !code || code > CODE_POINT_MAX)
		return false;
	unicode_put(out, code);
	return true;
}

static bool put_entity(struct buffer *out, struct slice name)
{
	static const struct {
		const char *name;
		char is;
	} entities[] = { { "amp", '&' }, { "lt", '<' }, { "gt", '>' }, { "quot", '"' },
		{ "apos", '\'' } };

	for (size_t i = 0; i < sizeof(entities) / sizeof(entities[0]); i++)
		if (config_is(name, entities[i].name)) {
			buffer_byte(out, (uint8_t)entities[i].is);
			return true;
		}
	return put_number(out, name);
}

void xml_value(struct buffer *out, struct slice value)
{
	while (value.size) {
		const uint8_t *end =
			value.data[0] == '&' ? memchr(value.data, ';', value.size) : NULL;
		size_t size = end ? (size_t)(end - value.data) : 0;

		if (size && put_entity(out, slice_of(value.data + 1, size - 1))) {
			value = slice_after(value, size + 1);
			continue;
		}
		buffer_byte(out, value.data[0]);
		value = slice_after(value, 1);
	}
}
