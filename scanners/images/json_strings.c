/* The strings of a JSON text (RFC 8259). */
#include "scanners/images/json_strings.h"

#include <string.h>

struct reading {
	struct slice text;
	size_t at;
	struct json_place place;
	unsigned too_deep; /* levels beyond the array */
	json_string_fn tell;
	void *arg;
};

bool json_is(struct slice value, const char *text)
{
	return value.size == strlen(text) && memcmp(value.data, text, value.size) == 0;
}

bool json_is_key(const struct json_place *place, unsigned step, const char *key)
{
	return step < place->depth && !place->steps[step].is_list &&
	       json_is(place->steps[step].key, key);
}

static struct json_step *top(struct reading *r)
{
	return r->place.depth && !r->too_deep ? &r->place.steps[r->place.depth - 1] : NULL;
}

static void skip_blanks(struct reading *r)
{
	while (r->at < r->text.size && r->text.data[r->at] &&
		strchr(" \t\r\n", r->text.data[r->at]))
		r->at++;
}

/* Stands at its first quote, ends behind its last. */
static bool take_quoted(struct reading *r, struct slice *out)
{
	for (size_t i = r->at + 1; i < r->text.size; i++) {
		if (r->text.data[i] == '\\') {
			i++;
		} else if (r->text.data[i] == '"') {
			*out = slice_of(r->text.data + r->at + 1, i - r->at - 1);
			r->at = i + 1;
			return true;
		}
	}
	return false;
}

static bool take_string(struct reading *r)
{
	struct json_step *step = top(r);
	struct slice string;

	if (!take_quoted(r, &string))
		return false;
	skip_blanks(r);
	if (r->at < r->text.size && r->text.data[r->at] == ':') {
		r->at++;
		if (step)
			step->key = string;
		return true;
	}
	return !step || r->tell(r->arg, &r->place, string);
}

static void open_level(struct reading *r, bool is_list)
{
	if (r->place.depth == JSON_DEPTH_MAX) {
		r->too_deep++;
		return;
	}
	r->place.steps[r->place.depth++] =
		(struct json_step){ .key = slice_text(""), .is_list = is_list };
}

static bool close_level(struct reading *r)
{
	if (r->too_deep)
		r->too_deep--;
	else if (r->place.depth)
		r->place.depth--;
	else
		return false;
	return true;
}

static bool take_mark(struct reading *r)
{
	struct json_step *step = top(r);
	uint8_t c = r->text.data[r->at++];

	if (c == '{' || c == '[')
		open_level(r, c == '[');
	else if (c == '}' || c == ']')
		return close_level(r);
	else if (c == ',' && step)
		step->index++;
	return c != 0;
}

bool json_strings(struct slice text, json_string_fn tell, void *arg)
{
	struct reading r = { .text = text, .tell = tell, .arg = arg };
	bool is_good = true;

	while (is_good && r.at < text.size)
		is_good = text.data[r.at] == '"' ? take_string(&r) : take_mark(&r);
	return is_good && !r.place.depth && !r.too_deep;
}
