/* The text that Prometheus reads: format 0.0.4 and OpenMetrics 1.0. Sample lines are the same in both,
 * only what stands before a family differs. */
#ifndef LEAFWATCH_EXPORTERS_PROMETHEUS_EXPOSITION_H
#define LEAFWATCH_EXPORTERS_PROMETHEUS_EXPOSITION_H

#include "agent/base/buffer.h"

#include <stdbool.h>
#include <stdint.h>

#define EXPOSITION_LOCATION_BYTES_MAX 1024
#define EXPOSITION_LABEL_BYTES_MAX 256

enum family_type { FAMILY_GAUGE, FAMILY_COUNTER, FAMILY_INFO };

/* `name` is the one of the samples: a counter's ends in _total, an info's in _info. */
struct family {
	const char *name;
	const char *help; /* no backslash, quote or line end */
	enum family_type type;
};

/* HELP and TYPE. */
void exposition_header(struct buffer *out, const struct family *f, bool is_openmetrics);
/* A label's value: valid UTF-8, at most `max` bytes of it, escaped. NULL is empty. */
void exposition_value(struct buffer *out, const char *text, size_t max);
/* key="value", after a comma unless `labels` is empty. */
void exposition_label(struct buffer *labels, const char *key, const char *value);
/* name{labels} value. `labels` may be empty. */
void exposition_sample(struct buffer *out, const char *name, struct slice labels, double value);
/* The same for a whole number, fast. */
void exposition_sample_i64(
	struct buffer *out, const char *name, struct slice labels, int64_t value);

#endif
