/* Texts in UTF-16, as Windows writes them: what is found in them is as in any text. Known by the byte order mark
 * (RFC 2781 3.2), or by how PEM and XML begin. */
#include "scanners/formats/format.h"
#include "scanners/formats/unicode.h"

static bool starts(struct slice s, const char *bytes, size_t size)
{
	return slice_starts(s, bytes, size);
}

/* 0 = neither, else the bytes of the mark and one more. */
static size_t little(struct slice head)
{
	if (head.size >= 4 && starts(head, "\xff\xfe", 2) && head.data[2] && !head.data[3])
		return 3;
	return starts(head, "-\0-\0-\0-\0-\0B\0", 12) || starts(head, "<\0?\0x\0m\0l\0", 10);
}

static size_t big(struct slice head)
{
	if (head.size >= 4 && starts(head, "\xfe\xff", 2) && !head.data[2] && head.data[3])
		return 3;
	return starts(head, "\0-\0-\0-\0-\0-\0B", 12) || starts(head, "\0<\0?\0x\0m\0l", 10);
}

static bool is_first(uint8_t c)
{
	return c == 0xff || c == 0xfe || c == '-' || c == '<' || c == 0;
}

static bool utf16_sniff(struct slice head, struct file_size_hint size)
{
	(void)size;
	/* Nearly all files end here. */
	return head.size > 1 && is_first(head.data[0]) && (little(head) || big(head));
}

static enum format_answer utf16_parse(const struct format_input *in, const struct format_sink *sink)
{
	bool is_little = little(in->bytes) > 0;
	size_t mark = is_little ? little(in->bytes) : big(in->bytes);
	struct slice text;
	struct buffer plain;
	enum err e;

	if (!mark)
		return FORMAT_NOT_MINE;
	text = slice_after(in->bytes, mark - 1);
	buffer_init(&plain, format_bytes_max(in));
	/* At once: growing would leave copies of keys. What is no ASCII makes it grow all the same. */
	(void)!buffer_reserve(&plain, text.size / 2);
	if (is_little)
		unicode_from_utf16le(text, &plain);
	else
		unicode_from_utf16be(text, &plain);
	e = buffer_status(&plain);
	if (e == ERR_OK) {
		if (sink->format)
			sink->format(sink->arg, NULL);
		e = sink->nested(sink->arg, NULL, buffer_bytes(&plain));
	} else if (e == ERR_LIMIT) {
		e = format_limited(
			sink, "a text in UTF-16 is larger than is decoded", "decoded_size");
	}
	buffer_wipe(&plain);
	return e == ERR_OK ? FORMAT_MINE : FORMAT_NOT_MINE;
}

extern const struct format format_utf16;
const struct format format_utf16 = {
	.name = "utf16",
	.help = "texts in UTF-16: what is in them",
	.password = "what is in it",
	.sniff = utf16_sniff,
	.parse = utf16_parse,
};
