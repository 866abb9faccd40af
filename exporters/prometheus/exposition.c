/* The text that Prometheus reads. */
#include "exporters/prometheus/exposition.h"

#include "agent/base/text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NUMBER_BYTES 32

/* The family's name as its metadata has it: OpenMetrics 1.0 takes the suffix off. */
static size_t family_name_bytes(const struct family *f, bool is_openmetrics)
{
	size_t size = strlen(f->name);

	if (!is_openmetrics || f->type == FAMILY_GAUGE)
		return size;
	return size - strlen(f->type == FAMILY_COUNTER ? "_total" : "_info");
}

void exposition_header(struct buffer *out, const struct family *f, bool is_openmetrics)
{
	static const char *const types[] = {
		[FAMILY_GAUGE] = "gauge",
		[FAMILY_COUNTER] = "counter",
		[FAMILY_INFO] = "info",
	};
	/* 0.0.4 knows no info. */
	const char *type = f->type == FAMILY_INFO && !is_openmetrics ? "gauge" : types[f->type];
	int size = (int)family_name_bytes(f, is_openmetrics);

	buffer_format(out, "# HELP %.*s %s\n# TYPE %.*s %s\n", size, f->name, f->help, size,
		f->name, type);
}

static void escape_quotes(struct buffer *out, const char *clean)
{
	for (size_t run; *clean; clean += run) {
		run = strcspn(clean, "\\\"");
		buffer_append(out, clean, run);
		if (clean[run]) {
			buffer_byte(out, '\\');
			buffer_byte(out, (uint8_t)clean[run++]);
		}
	}
}

/* Printable ASCII that needs no escape: nearly every value there is. */
static bool is_simple(const char *text, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		uint8_t byte = (uint8_t)text[i];

		if (byte < 0x20 || byte >= 0x7f || byte == '"' || byte == '\\')
			return false;
	}
	return true;
}

void exposition_value(struct buffer *out, const char *text, size_t max)
{
	struct buffer clean;
	size_t size;

	if (!text)
		return;
	size = text_cut(text, max);
	if (is_simple(text, size)) {
		buffer_append(out, text, size);
		return;
	}
	/* Line ends and broken UTF-8 become \xHH here, so that one byte never costs the whole scrape. */
	buffer_init(&clean, size * 4);
	text_escape(&clean, slice_of(text, size));
	if (buffer_status(&clean) != ERR_OK)
		out->status = buffer_status(&clean);
	else
		escape_quotes(out, buffer_string(&clean));
	buffer_fini(&clean);
}

void exposition_label(struct buffer *labels, const char *key, const char *value)
{
	if (labels->size)
		buffer_byte(labels, ',');
	buffer_text(labels, key);
	buffer_append(labels, "=\"", 2);
	exposition_value(labels, value, EXPOSITION_LABEL_BYTES_MAX);
	buffer_byte(labels, '"');
}

static void line(struct buffer *out, const char *name, struct slice labels, struct slice value)
{
	size_t name_size = strlen(name);
	size_t size = name_size + labels.size + value.size + 4;
	uint8_t *to = buffer_reserve(out, size);

	if (!to)
		return;
	memcpy(to, name, name_size);
	to += name_size;
	if (labels.size) {
		*to++ = '{';
		memcpy(to, labels.data, labels.size);
		to += labels.size;
		*to++ = '}';
	} else {
		size -= 2;
	}
	*to++ = ' ';
	memcpy(to, value.data, value.size);
	to += value.size;
	*to++ = '\n';
	*to = 0;
	out->size += size;
}

void exposition_sample(struct buffer *out, const char *name, struct slice labels, double value)
{
	char text[NUMBER_BYTES];

	if (!isfinite(value)) {
		line(out, name, labels,
			slice_text(isnan(value) ? "NaN"
				   : value > 0  ? "+Inf"
						: "-Inf"));
		return;
	}
	/* The shortest text that reads back as the same number. */
	for (int digits = 15; digits <= 17; digits++) {
		(void)snprintf(text, sizeof(text), "%.*g", digits, value);
		if (strtod(text, NULL) == value)
			break;
	}
	line(out, name, labels, slice_text(text));
}

void exposition_sample_i64(struct buffer *out, const char *name, struct slice labels, int64_t value)
{
	uint8_t text[NUMBER_BYTES];
	size_t at = sizeof(text);
	uint64_t rest = value < 0 ? -(uint64_t)value : (uint64_t)value;

	do {
		text[--at] = (uint8_t)('0' + rest % 10);
		rest /= 10;
	} while (rest);
	if (value < 0)
		text[--at] = '-';
	line(out, name, labels, slice_of(text + at, sizeof(text) - at));
}
