/* libyaml's events, bounded. */
#include "agent/config/yaml_stream.h"

#include <stdlib.h>
#include <yaml.h>

struct yaml_stream {
	yaml_parser_t parser;
	yaml_event_t event;
	bool has_event;
	yaml_stream_read_fn *read;
	void *arg;
	size_t since_event; /* bytes read */
	bool is_too_long;
	bool is_unreadable;
	bool had_document;
	unsigned depth;
};

static int on_read(void *arg, unsigned char *to, size_t size, size_t *got)
{
	struct yaml_stream *s = arg;
	ssize_t ret;

	if (s->since_event > YAML_STREAM_EVENT_BYTES_MAX) {
		s->is_too_long = true;
		return 0;
	}
	ret = s->read(s->arg, to, size);
	if (ret < 0) {
		s->is_unreadable = true;
		return 0;
	}
	s->since_event += (size_t)ret;
	*got = (size_t)ret;
	return 1;
}

enum err yaml_stream_new(yaml_stream_read_fn *read, void *arg, struct yaml_stream **out)
{
	struct yaml_stream *s = calloc(1, sizeof(*s));

	if (!s)
		return ERR_MEMORY;
	if (!yaml_parser_initialize(&s->parser)) {
		free(s);
		return ERR_MEMORY;
	}
	s->read = read;
	s->arg = arg;
	yaml_parser_set_input(&s->parser, on_read, s);
	*out = s;
	return ERR_OK;
}

void yaml_stream_free(struct yaml_stream *s)
{
	if (!s)
		return;
	if (s->has_event)
		yaml_event_delete(&s->event);
	yaml_parser_delete(&s->parser);
	free(s);
}

static enum err broken(const struct yaml_stream *s, struct why *why)
{
	const yaml_parser_t *p = &s->parser;

	if (s->is_too_long)
		return why_fail(why, ERR_LIMIT, "line %zu: one value is longer than %d bytes",
			p->mark.line + 1, YAML_STREAM_EVENT_BYTES_MAX);
	if (s->is_unreadable)
		return why_fail(why, ERR_IO, "reading it failed");
	if (p->error == YAML_MEMORY_ERROR)
		return ERR_MEMORY;
	return why_fail(why, ERR_MALFORMED, "line %zu: %s",
		(p->problem_mark.line ? p->problem_mark.line : p->mark.line) + 1,
		p->problem ? p->problem : "neither YAML nor JSON");
}

static enum err refuse(const struct yaml_stream *s, const char *what, struct why *why)
{
	return why_fail(why, ERR_MALFORMED, "line %zu: %s", s->event.start_mark.line + 1, what);
}

/* The part that an event is; ERR_NOT_FOUND for one that is none. */
static enum err part_of(struct yaml_stream *s, enum yaml_part *part, struct why *why)
{
	switch (s->event.type) {
	case YAML_SCALAR_EVENT:
		*part = YAML_SCALAR;
		return ERR_OK;
	case YAML_SEQUENCE_START_EVENT:
	case YAML_MAPPING_START_EVENT:
		if (++s->depth > YAML_STREAM_DEPTH_MAX)
			return refuse(s, "nested too deeply", why);
		*part = s->event.type == YAML_MAPPING_START_EVENT ? YAML_MAP : YAML_LIST;
		return ERR_OK;
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		s->depth--;
		*part = s->event.type == YAML_MAPPING_END_EVENT ? YAML_MAP_ENDS : YAML_LIST_ENDS;
		return ERR_OK;
	case YAML_STREAM_END_EVENT:
		*part = YAML_ENDS;
		return ERR_OK;
	case YAML_DOCUMENT_START_EVENT:
		if (s->had_document)
			return refuse(s, "a second document", why);
		s->had_document = true;
		return ERR_NOT_FOUND;
	case YAML_ALIAS_EVENT:
		return refuse(s, "aliases are not supported", why);
	case YAML_NO_EVENT:
	case YAML_STREAM_START_EVENT:
	case YAML_DOCUMENT_END_EVENT:
		return ERR_NOT_FOUND;
	}
	return ERR_NOT_FOUND;
}

enum err yaml_stream_next(struct yaml_stream *s, enum yaml_part *part, struct slice *text,
	uint64_t *line, struct why *why)
{
	enum err e;

	do {
		if (s->has_event)
			yaml_event_delete(&s->event);
		s->has_event = false;
		if (!yaml_parser_parse(&s->parser, &s->event))
			return broken(s, why);
		s->has_event = true;
		e = part_of(s, part, why);
	} while (e == ERR_NOT_FOUND);
	if (e != ERR_OK)
		return e;
	s->since_event = 0;
	*line = s->event.start_mark.line + 1;
	*text = *part == YAML_SCALAR
			? slice_of(s->event.data.scalar.value, s->event.data.scalar.length)
			: slice_of(NULL, 0);
	return ERR_OK;
}
