/* What the services' bodies have in common. */
#include "exporters/webhooks/payload.h"

#include "agent/base/text.h"

#include <string.h>

static const char ellipsis[] = "…";

struct payload_counts payload_count(const struct notification *n)
{
	struct payload_counts c = { .worst = SEVERITY_INFO };

	for (size_t i = 0; i < n->count; i++) {
		const struct alert *a = &n->alerts[i];

		if (alert_event_is_resolved(a->event)) {
			c.resolved++;
			continue;
		}
		c.tests += a->event == ALERT_TEST;
		c.firing++;
		if (a->severity > c.worst) {
			c.worst = a->severity;
			c.as_bad = 0;
		}
		c.as_bad += a->severity == c.worst;
	}
	return c;
}

void payload_title(const struct notification *n, struct buffer *out)
{
	struct payload_counts c = payload_count(n);

	if (c.tests)
		buffer_text(out, "Test notification");
	else if (c.firing && c.firing == c.as_bad)
		buffer_format(out, "%zu %s alert%s", c.firing, severity_word(c.worst),
			c.firing == 1 ? "" : "s");
	else if (c.firing)
		buffer_format(
			out, "%zu alerts, %zu %s", c.firing, c.as_bad, severity_word(c.worst));
	if (c.resolved)
		buffer_format(out, "%s%zu resolved", c.firing ? ", " : "", c.resolved);
	if (!c.firing && !c.resolved)
		buffer_text(out, "Nothing to report");
	buffer_format(out, " on %s", n->host);
}

/* The length of the character at the start; a byte that is none counts as one. */
static size_t character(const char *text, size_t left)
{
	uint32_t point;
	size_t length = text_utf8_character(slice_of(text, left), &point);

	return length ? length : 1;
}

/* How many bytes of `text` can be written within `max` bytes of output. */
static size_t fitting(const char *text, size_t size, size_t max, payload_escape_fn *escape)
{
	size_t at = 0;
	size_t used = 0;

	while (at < size) {
		size_t length = character(text + at, size - at);
		const char *other = escape ? escape(text[at]) : NULL;

		used += other ? strlen(other) : length;
		if (used > max)
			break;
		at += length;
	}
	return at;
}

void payload_cut(struct buffer *out, const char *text, size_t max, payload_escape_fn *escape)
{
	size_t size = strlen(text);
	size_t keep = fitting(text, size, max, escape);

	if (keep < size)
		keep = max > strlen(ellipsis) ? fitting(text, size, max - strlen(ellipsis), escape)
					      : 0;
	for (size_t i = 0; i < keep; i++) {
		const char *other = escape ? escape(text[i]) : NULL;

		if (other)
			buffer_text(out, other);
		else
			buffer_byte(out, (uint8_t)text[i]);
	}
	if (keep < size && max >= strlen(ellipsis))
		buffer_text(out, ellipsis);
}

enum err payload_print(cJSON *root, struct buffer *out)
{
	char *text = root ? cJSON_PrintUnformatted(root) : NULL;

	cJSON_Delete(root);
	if (!text)
		return ERR_MEMORY;
	buffer_text(out, text);
	cJSON_free(text);
	return buffer_status(out);
}
