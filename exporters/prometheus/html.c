/* What strangers say, in HTML. */
#include "exporters/prometheus/html.h"

#include "agent/base/clock.h"
#include "agent/base/text.h"

#define CELL_BYTES_MAX 300

void html_text(struct buffer *out, const char *text)
{
	struct buffer clean;

	buffer_init(&clean, (size_t)4 * CELL_BYTES_MAX);
	text_escape(&clean, slice_of(text, text_cut(text, CELL_BYTES_MAX)));
	for (const char *at = buffer_string(&clean); *at; at++) {
		switch (*at) {
		case '&':
			buffer_text(out, "&amp;");
			break;
		case '<':
			buffer_text(out, "&lt;");
			break;
		case '>':
			buffer_text(out, "&gt;");
			break;
		case '"':
			buffer_text(out, "&quot;");
			break;
		case '\'':
			buffer_text(out, "&#39;");
			break;
		default:
			buffer_byte(out, (uint8_t)*at);
		}
	}
	if (text[text_cut(text, CELL_BYTES_MAX)])
		buffer_text(out, "\xe2\x80\xa6");
	buffer_fini(&clean);
}

void html_time(struct buffer *out, int64_t t)
{
	char text[TIME_TEXT_BYTES];

	time_rfc3339(t, text);
	buffer_format(out, "<td class=\"n\">%s</td>", text[0] ? text : "never");
}
