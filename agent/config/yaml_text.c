/* The characters of a YAML file before its syntax: what may not stand there, and where places are. */
#include "agent/base/text.h"
#include "agent/config/tree_internal.h"

#define NEXT_LINE 0x85
#define LINE_SEPARATOR 0x2028
#define PARAGRAPH_SEPARATOR 0x2029
#define BYTE_ORDER_MARK 0xfeff
#define NOT_A_CHARACTER 0xfffe

/* Length of the line break at the start, 0 for none. */
static size_t break_length(struct slice s)
{
	if (slice_starts(s, "\r\n", 2))
		return 2;
	return slice_starts(s, "\n", 1) || slice_starts(s, "\r", 1) ? 1 : 0;
}

static size_t character_length(struct slice s)
{
	uint32_t point;
	size_t length = text_utf8_character(s, &point);

	return length ? length : 1;
}

/* Steps over one character or line break and counts it. */
static struct slice step(struct slice s, struct place *at)
{
	size_t length = break_length(s);

	if (length) {
		at->line++;
		at->column = 1;
		return slice_after(s, length);
	}
	at->column++;
	return slice_after(s, character_length(s));
}

/* YAML 1.1 breaks lines at three characters that editors do not: lines would be counted differently. */
static bool is_refused(uint32_t point)
{
	if (point < 0x20)
		return point != '\t' && point != '\n' && point != '\r';
	if (point >= 0x7f && point <= 0x9f)
		return true;
	return point == LINE_SEPARATOR || point == PARAGRAPH_SEPARATOR ||
	       point == BYTE_ORDER_MARK || (point & 0xffff) >= NOT_A_CHARACTER;
}

enum err yaml_check_text(const char *file, struct slice text, struct why *why)
{
	struct place at = { .file = file, .line = 1, .column = 1 };

	while (text.size) {
		uint32_t point = 0;

		if (!text_utf8_character(text, &point))
			return place_fail(at, why, "byte 0x%02X is not UTF-8", text.data[0]);
		if (is_refused(point))
			return place_fail(
				at, why, "character U+%04X is not allowed", (unsigned)point);
		text = step(text, &at);
	}
	return ERR_OK;
}

struct slice yaml_text_at(struct slice text, struct place at)
{
	struct place here = { .line = 1, .column = 1 };

	while (text.size &&
		(here.line < at.line || (here.line == at.line && here.column < at.column)))
		text = step(text, &here);
	return text;
}
