/* YAML and JSON as a stream of events, for input that is too long for a tree. */
#ifndef LEAFWATCH_CONFIG_YAML_STREAM_H
#define LEAFWATCH_CONFIG_YAML_STREAM_H

#include "agent/base/err.h"
#include "agent/base/slice.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define YAML_STREAM_DEPTH_MAX 32
/* Between two events: one scalar, with the blanks and comments before it. */
#define YAML_STREAM_EVENT_BYTES_MAX (256 * 1024)

enum yaml_part {
	YAML_SCALAR,
	YAML_LIST,
	YAML_LIST_ENDS,
	YAML_MAP, /* then a scalar as key, a value, and so on */
	YAML_MAP_ENDS,
	YAML_ENDS
};

struct yaml_stream;
/* Like read(2). */
typedef ssize_t yaml_stream_read_fn(void *arg, void *to, size_t size);

enum err yaml_stream_new(yaml_stream_read_fn *read, void *arg, struct yaml_stream **out) MUST_CHECK;
void yaml_stream_free(struct yaml_stream *s);
/* `text` of a scalar is borrowed until the next call. ERR_MALFORMED, ERR_LIMIT or ERR_IO with a sentence
 * that has the line. One document only; anchors, aliases and tags are refused. */
enum err yaml_stream_next(struct yaml_stream *s, enum yaml_part *part, struct slice *text,
	uint64_t *line, struct why *why) MUST_CHECK;

#endif
