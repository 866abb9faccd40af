/* Units, words and sentences. */
#include "scanners/network/starttls/parts.h"

#include "agent/base/text.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

bool part_begins(struct slice s, const char *text)
{
	size_t size = strlen(text);

	return s.size >= size && (size == 0 || strncasecmp((const char *)s.data, text, size) == 0);
}

static bool is_word_byte(uint8_t c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
	       c == '-' || c == '_';
}

bool part_holds(struct slice s, const char *word)
{
	size_t size = strlen(word);

	if (!s.data)
		return false;
	for (size_t i = 0; i + size <= s.size; i++) {
		const uint8_t *at = s.data + i;

		if (strncasecmp((const char *)at, word, size) != 0)
			continue;
		if (i > 0 && is_word_byte(at[-1]) && is_word_byte(at[0]))
			continue;
		if (i + size < s.size && is_word_byte(at[size]) && is_word_byte(at[size - 1]))
			continue;
		return true;
	}
	return false;
}

bool part_fits(struct slice s, const char *begins, const char *holds)
{
	return part_begins(s, begins) &&
	       (!holds || part_holds(slice_after(s, strlen(begins)), holds));
}

uint32_t part_number(const uint8_t *bytes, size_t size)
{
	uint32_t n = 0;

	for (size_t i = 0; i < size; i++)
		n = n << 8 | bytes[i];
	return n;
}

size_t part_line(struct slice got)
{
	const uint8_t *end = got.size ? memchr(got.data, '\n', got.size) : NULL;

	if (end)
		return (size_t)(end - got.data) + 1;
	return got.size > PART_LINE_BYTES_MAX ? FRAME_NEVER : 0;
}

struct slice part_first_line(struct slice got)
{
	const uint8_t *end = got.size ? memchr(got.data, '\n', got.size) : NULL;

	if (end)
		got.size = (size_t)(end - got.data);
	while (got.size && got.data[got.size - 1] == '\r')
		got.size--;
	return got;
}

void part_evidence(char out[PROTOCOL_SENTENCE_BYTES], const char *sentence, struct slice quoted)
{
	struct buffer shown;

	if (!quoted.size) {
		(void)snprintf(out, PROTOCOL_SENTENCE_BYTES, "%s", sentence);
		return;
	}
	/* Each byte may become four. */
	buffer_init(&shown, (size_t)4 * PROTOCOL_QUOTE_BYTES);
	quoted = part_first_line(quoted);
	if (quoted.size > PROTOCOL_QUOTE_BYTES)
		quoted.size = PROTOCOL_QUOTE_BYTES;
	text_escape(&shown, quoted);
	(void)snprintf(out, PROTOCOL_SENTENCE_BYTES, "%s \"%s\"", sentence, buffer_string(&shown));
	buffer_fini(&shown);
}

int part_refuse(struct refusal *why, enum reason reason, const char *sentence, struct slice quoted)
{
	why->reason = reason;
	part_evidence(why->text, sentence, quoted);
	return MOVE_REFUSED;
}

enum learnt part_learn(
	struct slice answer, const struct hint *hints, char evidence[PROTOCOL_SENTENCE_BYTES])
{
	for (size_t size; (size = part_line(answer)) != 0 && size != FRAME_NEVER;
		answer = slice_after(answer, size)) {
		struct slice line = part_first_line(answer);
		const struct hint *h = hints;

		while (h->begins && !part_fits(line, h->begins, h->holds))
			h++;
		if (h->begins && h->learnt == LEARNT_NOT_YET)
			continue;
		part_evidence(evidence, h->begins ? h->sentence : "answered with", line);
		return h->begins ? h->learnt : LEARNT_NOTHING;
	}
	return LEARNT_NOT_YET;
}
