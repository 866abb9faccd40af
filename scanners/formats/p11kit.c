/* p11-kit's own trust files (p11-kit trust/persist.c): sections of attributes, certificates as PEM among
 * them or percent-encoded in `value`. */
#include "agent/certificate/p11kit_text.h"
#include "scanners/formats/format.h"

#define MARKER "[p11-kit-object-v1]"
#define PEM_MARKER "-----BEGIN "
#define LABEL_BYTES_MAX 4096
/* Remarks before the first section. */
#define PREFACE_BYTES_MAX 65536

extern const struct format format_pem;

struct section {
	const struct format_sink *sink;
	struct buffer label;
	struct buffer value;
	bool is_certificate;
	bool is_trusted;
	bool is_distrusted;
};

static void take_line(struct section *s, struct slice line)
{
	struct slice value;

	if (p11kit_key(line, "class", &value))
		s->is_certificate = p11kit_is(value, "certificate");
	else if (p11kit_key(line, "label", &value))
		p11kit_unquote(value, &s->label);
	else if (p11kit_key(line, "value", &value))
		p11kit_unquote(value, &s->value);
	else if (p11kit_key(line, "trusted", &value))
		s->is_trusted = p11kit_is(value, "true");
	else if (p11kit_key(line, "x-distrusted", &value))
		s->is_distrusted = p11kit_is(value, "true");
}

/* A certificate of the section, under its label. */
static enum err on_certificate(
	void *arg, struct slice der, const char *alias, const char *integrity)
{
	struct section *s = arg;
	const char *flags = s->is_distrusted ? "distrusted" : s->is_trusted ? "trusted" : NULL;

	if (flags && s->sink->trust)
		s->sink->trust(s->sink->arg, flags);
	return s->sink->certificate(
		s->sink->arg, der, s->label.size ? buffer_string(&s->label) : alias, integrity);
}

static enum err on_problem(void *arg, enum reason reason, struct slice bytes, const char *message)
{
	struct section *s = arg;

	return s->sink->problem(s->sink->arg, reason, bytes, message);
}

static enum err on_nested(void *arg, const char *member, struct slice bytes)
{
	struct section *s = arg;

	return s->sink->nested(s->sink->arg, member, bytes);
}

static enum err read_section(struct section *s, const struct format_input *in, struct slice text)
{
	const struct format_sink sink = {
		.arg = s, .certificate = on_certificate, .problem = on_problem, .nested = on_nested
	};
	struct format_input inner = *in;
	struct slice left = text;

	buffer_clear(&s->value);
	buffer_clear(&s->label);
	s->is_certificate = s->is_trusted = s->is_distrusted = false;
	while (left.size && !slice_starts(left, PEM_MARKER, strlen(PEM_MARKER)))
		take_line(s, p11kit_line(&left));
	/* Attributes may follow the PEM block, too. */
	for (struct slice rest = left; rest.size;)
		take_line(s, p11kit_line(&rest));
	if (s->is_certificate && s->value.size)
		return on_certificate(s, buffer_bytes(&s->value), NULL, NULL);
	inner.bytes = left;
	inner.depth++;
	(void)format_pem.parse(&inner, &sink);
	return ERR_OK;
}

/* Where the next section begins at a line's start; the end where there is none. */
static size_t next_section(struct slice text)
{
	const uint8_t *at = memmem(text.data, text.size, "\n" MARKER, sizeof("\n" MARKER) - 1);

	return at ? (size_t)(at - text.data) + 1 : text.size;
}

static enum format_answer p11kit_parse(
	const struct format_input *in, const struct format_sink *sink)
{
	struct section s = { .sink = sink };
	struct slice left = in->bytes;
	size_t skip = slice_starts(left, MARKER, strlen(MARKER)) ? 0 : next_section(left);
	enum err e = ERR_OK;

	if (skip == left.size || skip > PREFACE_BYTES_MAX)
		return FORMAT_NOT_MINE;
	buffer_init(&s.label, LABEL_BYTES_MAX);
	buffer_init(&s.value, format_bytes_max(in));
	left = slice_after(left, skip);
	while (e == ERR_OK && left.size) {
		size_t size = next_section(left);

		e = read_section(&s, in, slice_of(left.data, size));
		left = slice_after(left, size);
	}
	buffer_fini(&s.label);
	buffer_fini(&s.value);
	return FORMAT_MINE;
}

extern const struct format format_p11kit;
const struct format format_p11kit = {
	.name = "p11-kit",
	.help = "trust files of p11-kit, with labels and distrust",
	.text_markers = (const char *const[]){ MARKER, NULL },
	.is_exclusive = true,
	.parse = p11kit_parse,
};
