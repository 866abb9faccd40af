/* LDAP: RFC 4511 4.14. */
#include "scanners/network/starttls/parts.h"

#include <stdio.h>

#define TAG_SEQUENCE 0x30
#define TAG_INTEGER 0x02
#define TAG_ENUMERATED 0x0a
#define TAG_EXTENDED_RESPONSE 0x78
#define TAG_SEARCH_ENTRY 0x64
#define TAG_SEARCH_DONE 0x65
#define MESSAGE_BYTES_MAX (16 * 1024)
#define LENGTH_BYTES_MAX 4

/* resultCode: RFC 4511 4.1.9. */
#define RESULT_SUCCESS 0

/* Tag and length of BER, definite form; 0 while they are not whole, FRAME_NEVER when they are none. */
static size_t head_of(struct slice s, size_t *content)
{
	size_t digits;

	if (s.size < 2)
		return 0;
	*content = s.data[1];
	if (s.data[1] < 0x80)
		return 2;
	digits = s.data[1] & 0x7f;
	if (digits == 0 || digits > LENGTH_BYTES_MAX)
		return FRAME_NEVER;
	if (s.size < 2 + digits)
		return 0;
	*content = part_number(s.data + 2, digits);
	return 2 + digits;
}

static size_t frame(struct slice got)
{
	size_t content, head = head_of(got, &content);

	if (got.data[0] != TAG_SEQUENCE || head == FRAME_NEVER)
		return FRAME_NEVER;
	if (head == 0)
		return 0;
	if (content > MESSAGE_BYTES_MAX)
		return FRAME_NEVER;
	return got.size >= head + content ? head + content : 0;
}

/* Cuts an element off the front of `s`; false when it is not whole. */
static bool cut(struct slice *s, uint8_t *tag, struct slice *out)
{
	size_t content, head = head_of(*s, &content);

	if (head == 0 || head == FRAME_NEVER || s->size - head < content)
		return false;
	*tag = s->data[0];
	*out = slice_of(s->data + head, content);
	*s = slice_after(*s, head + content);
	return true;
}

/* The operation's tag, its result and diagnosticMessage; false when it is no LDAPMessage with one. */
static bool read_result(struct slice unit, uint8_t *operation, uint32_t *result, struct slice *text)
{
	struct slice message, part, body;
	uint8_t tag;

	if (!cut(&unit, &tag, &message) || !cut(&message, &tag, &part) || tag != TAG_INTEGER)
		return false;
	if (!cut(&message, operation, &body) || !cut(&body, &tag, &part) || tag != TAG_ENUMERATED ||
		part.size == 0 || part.size > 4)
		return false;
	*result = part_number(part.data, part.size);
	/* matchedDN, then diagnosticMessage. */
	if (!cut(&body, &tag, &part) || !cut(&body, &tag, text))
		*text = slice_of(NULL, 0);
	return true;
}

static int judge(struct slice unit, struct refusal *why)
{
	char sentence[PROTOCOL_SENTENCE_BYTES / 2];
	struct slice text;
	uint32_t result;
	uint8_t operation;

	if (!read_result(unit, &operation, &result, &text) || operation != TAG_EXTENDED_RESPONSE)
		return MOVE_REFUSED;
	if (result == RESULT_SUCCESS)
		return MOVE_TLS;
	(void)snprintf(sentence, sizeof(sentence),
		"the server does not offer StartTLS: result %u%s", result, text.size ? ":" : "");
	return part_refuse(why, REASON_NOT_TLS, sentence, text);
}

static const struct state states[] = {
	{ .awaits = "the answer to StartTLS",
		.say = SAY_BYTES("\x30\x1d\x02\x01\x01\x77\x18\x80\x16"
				 "1.3.6.1.4.1.1466.20037"),
		.frame = frame,
		.judge = judge },
};

/* A search for the root DSE, which needs no bind: RFC 4512 5.1. */
static enum learnt learn(struct slice answer, char evidence[PROTOCOL_SENTENCE_BYTES])
{
	char sentence[PROTOCOL_SENTENCE_BYTES / 2];
	struct slice text, message, part, unit;
	size_t size = answer.size ? frame(answer) : 0;
	uint32_t result;
	uint8_t operation, tag;

	if (size == 0)
		return LEARNT_NOT_YET;
	if (size == FRAME_NEVER) {
		part_evidence(evidence, "the search after Finished was answered with no LDAP",
			slice_of(NULL, 0));
		return LEARNT_NOTHING;
	}
	unit = slice_of(answer.data, size);
	if (read_result(unit, &operation, &result, &text)) {
		(void)snprintf(sentence, sizeof(sentence),
			"the search of the root after Finished had result %u%s", result,
			text.size ? ":" : "");
		part_evidence(evidence, sentence, text);
		if (part_holds(text, "certificate"))
			return LEARNT_REQUIRED;
		return operation == TAG_SEARCH_DONE && result == RESULT_SUCCESS
			       ? LEARNT_NOT_REQUIRED
			       : LEARNT_NOTHING;
	}
	if (cut(&unit, &tag, &message) && cut(&message, &tag, &part) &&
		cut(&message, &operation, &part) && operation == TAG_SEARCH_ENTRY) {
		part_evidence(evidence, "the search of the root after Finished was answered",
			slice_of(NULL, 0));
		return LEARNT_NOT_REQUIRED;
	}
	part_evidence(evidence, "the search after Finished was answered with something else",
		slice_of(NULL, 0));
	return LEARNT_NOTHING;
}

/* messageID 2, searchRequest: base "", scope base, no aliases, 1 entry, 0 s, values too,
 * (objectClass=*), the attribute 1.1 (none). */
static const struct question question = {
	.say = SAY_BYTES("\x30\x2a\x02\x01\x02\x63\x25\x04\x00\x0a\x01\x00\x0a\x01\x00\x02\x01\x01"
			 "\x02\x01\x00\x01\x01\x00\x87\x0b"
			 "objectClass"
			 "\x30\x05\x04\x03"
			 "1.1"),
	.read = learn,
};

const struct protocol protocol_ldap = {
	.name = "ldap",
	.port = 389,
	.ports = { 3268, 1389, 10389 },
	.tls_ports = { 636, 3269, 1636, 10636 },
	.is_silent = true,
	.states = states,
	.states_count = sizeof(states) / sizeof(states[0]),
	.question = &question,
};
