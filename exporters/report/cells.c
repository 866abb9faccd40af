/* Text in a terminal: how many cells it takes, and how it is made to fit. */
#include "exporters/report/cells.h"

#include "agent/base/text.h"

#include <stdint.h>

#define ELLIPSIS "\xe2\x80\xa6"
#define BLANKS_ROW "                                "

struct range {
	uint32_t first;
	uint32_t last;
};

/* Blocks of combining marks: they stand on the character before them. */
static const struct range combining[] = {
	{ 0x0300, 0x036f },
	{ 0x0483, 0x0489 },
	{ 0x0591, 0x05bd },
	{ 0x0610, 0x061a },
	{ 0x064b, 0x065f },
	{ 0x0e31, 0x0e31 },
	{ 0x0e34, 0x0e3a },
	{ 0x0e47, 0x0e4e },
	{ 0x1ab0, 0x1aff },
	{ 0x1dc0, 0x1dff },
	{ 0x20d0, 0x20ff },
	{ 0xfe00, 0xfe0f },
	{ 0xfe20, 0xfe2f },
	{ 0xe0100, 0xe01ef },
};

/* Unicode Standard Annex 11, Wide and Fullwidth, by block. */
static const struct range wide[] = {
	{ 0x1100, 0x115f },
	{ 0x231a, 0x231b },
	{ 0x2e80, 0x303e },
	{ 0x3041, 0x33ff },
	{ 0x3400, 0x4dbf },
	{ 0x4e00, 0x9fff },
	{ 0xa000, 0xa4cf },
	{ 0xa960, 0xa97f },
	{ 0xac00, 0xd7a3 },
	{ 0xf900, 0xfaff },
	{ 0xfe30, 0xfe6f },
	{ 0xff00, 0xff60 },
	{ 0xffe0, 0xffe6 },
	{ 0x16fe0, 0x18aff },
	{ 0x1b000, 0x1b2ff },
	{ 0x1f300, 0x1f64f },
	{ 0x1f680, 0x1f6ff },
	{ 0x1f900, 0x1f9ff },
	{ 0x20000, 0x3fffd },
};

static int is_in(uint32_t point, const struct range *ranges, size_t count)
{
	for (size_t i = 0; i < count && point >= ranges[i].first; i++)
		if (point <= ranges[i].last)
			return 1;
	return 0;
}

/* Cells of the character at the start of `s`; its bytes through `length` (a broken byte is one cell). */
static size_t character(struct slice s, size_t *length)
{
	uint32_t point = 0;

	*length = text_utf8_character(s, &point);
	if (!*length) {
		*length = 1;
		return 1;
	}
	if (point < combining[0].first)
		return 1;
	if (is_in(point, combining, sizeof(combining) / sizeof(combining[0])))
		return 0;
	return is_in(point, wide, sizeof(wide) / sizeof(wide[0])) ? 2 : 1;
}

static size_t cells_of_slice(struct slice s)
{
	size_t cells = 0;
	size_t length;

	while (s.size) {
		cells += character(s, &length);
		s = slice_after(s, length);
	}
	return cells;
}

size_t cells_of(const char *text)
{
	return cells_of_slice(slice_text(text));
}

/* The bytes at the start that take at most `width` cells; `*cells` is what they take. */
static size_t head_bytes(struct slice s, size_t width, size_t *cells)
{
	size_t used = 0;
	size_t length;

	*cells = 0;
	while (used < s.size) {
		size_t more = character(slice_after(s, used), &length);

		if (*cells + more > width)
			break;
		*cells += more;
		used += length;
	}
	return used;
}

/* The offset from which the rest takes at most `width` cells. */
static size_t tail_offset(struct slice s, size_t width, size_t *cells)
{
	size_t left = cells_of_slice(s);
	size_t at = 0;
	size_t length;

	while (left > width && at < s.size) {
		left -= character(slice_after(s, at), &length);
		at += length;
	}
	*cells = left;
	return at;
}

size_t cells_fit(struct buffer *out, const char *text, size_t width, enum cells_cut cut)
{
	struct slice s = slice_text(text);
	size_t natural = cells_of_slice(s);
	size_t head;
	size_t tail = 0;
	size_t bytes;

	if (natural <= width) {
		buffer_slice(out, s);
		return natural;
	}
	if (!width)
		return 0;
	/* The end of a path tells more than its start. */
	bytes = head_bytes(s, cut == CELLS_CUT_END ? width - 1 : (width - 1) * 2 / 5, &head);
	buffer_append(out, s.data, bytes);
	buffer_text(out, ELLIPSIS);
	if (cut == CELLS_CUT_MIDDLE)
		buffer_slice(out, slice_after(s, tail_offset(s, width - 1 - head, &tail)));
	return head + 1 + tail;
}

void cells_blank(struct buffer *out, size_t count)
{
	while (count >= sizeof(BLANKS_ROW) - 1) {
		buffer_append(out, BLANKS_ROW, sizeof(BLANKS_ROW) - 1);
		count -= sizeof(BLANKS_ROW) - 1;
	}
	buffer_append(out, BLANKS_ROW, count);
}
