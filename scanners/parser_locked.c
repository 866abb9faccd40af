/* A file that a configuration names together with its password: the passwords are taken out of what was sent with
 * it, tried before all others on this file alone, and wiped. */
#include "scanners/parser_finding.h"

#include "agent/base/text.h"
#include "scanners/formats/format.h"
#include "scanners/locked_finding.h"

#include <stdlib.h>

struct candidates {
	const char *uri; /* of the file, as a configuration would name it */
	struct strings passwords;
	size_t max; /* one more than are tried, for that there are more is told where they are */
	enum err status;
};

static void add(struct candidates *c, struct slice password)
{
	if (c->status != ERR_OK || !password.size || c->passwords.count == c->max ||
		password.size > PARSER_PASSWORD_BYTES_MAX ||
		memchr(password.data, 0, password.size))
		return;
	c->status = strings_add_slice(&c->passwords, password);
}

static void on_password(void *arg, const char *file, struct slice password)
{
	struct candidates *c = arg;

	if (strcmp(file, c->uri) == 0)
		add(c, password);
}

/* All else that the configuration says was told when it was read by itself. */
static enum err no_certificate(
	void *arg, struct slice der, const char *alias, const char *integrity)
{
	(void)arg;
	(void)der;
	(void)alias;
	(void)integrity;
	return ERR_OK;
}

static enum err no_problem(void *arg, enum reason reason, struct slice bytes, const char *message)
{
	(void)arg;
	(void)reason;
	(void)bytes;
	(void)message;
	return ERR_OK;
}

static enum err no_nested(void *arg, const char *member, struct slice bytes)
{
	(void)arg;
	(void)member;
	(void)bytes;
	return ERR_NOT_FOUND;
}

static enum err no_reference(void *arg, const struct reference_record *r)
{
	(void)arg;
	(void)r;
	return ERR_OK;
}

static void take_configuration(
	struct candidates *c, const struct format_limits *limits, const struct locked_source *s)
{
	struct format_budget budget;
	const struct format_sink sink = { .arg = c,
		.certificate = no_certificate,
		.problem = no_problem,
		.nested = no_nested,
		.reference = no_reference,
		.password = on_password };
	const struct format_input in = { .bytes = s->bytes, .uri = s->uri, .budget = &budget };

	format_budget_init(&budget, limits, s->bytes.size);
	for (size_t i = 0; i < formats_count; i++)
		if (formats[i]->config_markers)
			(void)formats[i]->parse(&in, &sink);
}

/* One a line, as nginx and OpenVPN read them. */
static void take_lines(struct candidates *c, struct slice left)
{
	while (left.size) {
		const uint8_t *end = memchr(left.data, '\n', left.size);
		size_t size = end ? (size_t)(end - left.data) : left.size;
		size_t line = size && left.data[size - 1] == '\r' ? size - 1 : size;

		add(c, slice_of(left.data, line));
		left = slice_after(left, end ? size + 1 : size);
	}
}

static enum err take_sources(
	struct candidates *c, const struct format_limits *limits, struct wire *w)
{
	struct locked_source s;

	while (c->status == ERR_OK && locked_source_next(w, &s)) {
		if (s.is_configuration)
			take_configuration(c, limits, &s);
		else
			take_lines(c, s.bytes);
		free(s.uri);
	}
	if (c->status == ERR_OK && w->bad)
		return ERR_MALFORMED;
	return c->status;
}

/* Those first, then what is tried everywhere. The texts are others'; only `items` is to be freed. */
static enum err join(const struct strings *first, const struct strings *second, struct strings *out)
{
	size_t count = first->count + second->count;

	*out = (struct strings){
		.items = calloc(count + 1, sizeof(char *)), .count = count, .capacity = count + 1
	};
	if (!out->items)
		return ERR_MEMORY;
	for (size_t i = 0; i < count; i++)
		out->items[i] =
			i < first->count ? first->items[i] : second->items[i - first->count];
	return ERR_OK;
}

enum err parser_locked(
	const struct parser_context *context, const struct parser_place *place, struct slice bytes)
{
	const struct format_limits *limits =
		context->limits ? context->limits : &format_limits_standard;
	struct candidates c = { .uri = place->uri, .max = (size_t)limits->passwords + 1 };
	struct parser_context with = *context;
	struct strings passwords = { 0 };
	struct wire w = wire_of(bytes);
	enum err e = take_sources(&c, context->limits, &w);

	if (e == ERR_OK)
		e = join(&c.passwords, context->passwords, &passwords);
	with.passwords = &passwords;
	if (e == ERR_OK)
		e = parser_file(&with, place, w.left);
	free(passwords.items);
	passwords_fini(&c.passwords);
	/* What the reader sent is not understood; that the file was looked at before still holds. */
	return e == ERR_MALFORMED ? ERR_OK : e;
}
