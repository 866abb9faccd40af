/* What a server says before TLS, and inside TLS to the question; the first byte chooses the protocol, the
 * second the pieces in which it comes. */
#include "scanners/network/dialogue.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_clean(const char *sentence)
{
	for (; *sentence; sentence++)
		if ((unsigned char)*sentence < 0x20)
			abort();
}

static void read_dialogue(const struct protocol *p, struct slice s, size_t piece)
{
	const struct words words = { .host = "host.example", .own = "[192.0.2.1]", .path = "/" };
	enum dialogue_status status = DIALOGUE_WANT_READ;
	struct dialogue *d = NULL;

	if (dialogue_new(p, &words, &d) != ERR_OK)
		return;
	while (s.size && status != DIALOGUE_DONE && status != DIALOGUE_FAILED) {
		size_t part = piece && piece < s.size ? piece : s.size;

		if (dialogue_feed(d, slice_of(s.data, part), &status) != ERR_OK)
			break;
		dialogue_sent(d, dialogue_output(d).size);
		s = slice_after(s, part);
	}
	dialogue_time_is_up(d);
	if (status == DIALOGUE_FAILED && !dialogue_refusal(d)->text[0])
		abort();
	check_clean(dialogue_refusal(d)->text);
	dialogue_free(d);
}

static void read_answer(const struct protocol *p, struct slice s)
{
	char evidence[PROTOCOL_SENTENCE_BYTES] = "";

	if (!p->question)
		return;
	if (p->question->read(s, evidence) != LEARNT_NOT_YET && !evidence[0])
		abort();
	check_clean(evidence);
}

static void suggest(struct slice s, uint16_t port)
{
	const struct protocol *found[32];

	(void)protocol_suggest(port, s, found, sizeof(found) / sizeof(found[0]));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct protocol *p;
	struct slice s;

	if (size < 2 || size > DIALOGUE_BYTES_MAX)
		return 0;
	p = protocols[data[0] % protocols_count];
	s = slice_of(data + 2, size - 2);
	if (p->states)
		read_dialogue(p, s, data[1]);
	read_answer(p, s);
	suggest(s, (uint16_t)(data[0] * 256 + data[1]));
	return 0;
}
