/* Streams of XMPP: RFC 6120 4 and 5, read tag by tag, for no more of XML is needed to see the offer. */
#include "scanners/network/starttls/xmpp_stream.h"

#define TAG_BYTES_MAX 8192

size_t xmpp_tag(struct slice got)
{
	size_t at = 0;
	uint8_t quote = 0;

	while (at < got.size && got.data[at] != '<')
		at++;
	for (; at < got.size; at++) {
		uint8_t c = got.data[at];

		if (quote)
			quote = c == quote ? 0 : quote;
		else if (c == '\'' || c == '"')
			quote = c;
		else if (c == '>')
			return at + 1;
	}
	return got.size > TAG_BYTES_MAX ? FRAME_NEVER : 0;
}

struct slice xmpp_strip(struct slice unit)
{
	while (unit.size && unit.data[0] != '<')
		unit = slice_after(unit, 1);
	return unit;
}

#define STREAM_ERROR                                    \
	{                                               \
		"<stream:error", NULL, XMPP_ERROR, NULL \
	}
#define STREAM_END                                                                   \
	{                                                                            \
		"</stream:stream", NULL, MOVE_REFUSED, "the server ended the stream" \
	}

const struct answer xmpp_head[] = {
	{ "<?xml", NULL, MOVE_STAY, NULL },
	{ "<stream:stream", NULL, XMPP_FEATURES, NULL },
	STREAM_ERROR,
	{ NULL, NULL, 0, NULL },
};

const struct answer xmpp_features[] = {
	STREAM_ERROR,
	STREAM_END,
	{ "<stream:features", "/>", MOVE_REFUSED, "the server does not offer STARTTLS" },
	{ "</stream:features", NULL, MOVE_REFUSED, "the server does not offer STARTTLS" },
	{ "<starttls", NULL, XMPP_OFFERED, NULL },
	{ "<", NULL, MOVE_STAY, NULL },
	{ NULL, NULL, 0, NULL },
};

const struct answer xmpp_offered[] = {
	STREAM_ERROR,
	STREAM_END,
	{ "</stream:features", NULL, XMPP_STARTTLS, NULL },
	{ "<", NULL, MOVE_STAY, NULL },
	{ NULL, NULL, 0, NULL },
};

const struct answer xmpp_starttls[] = {
	{ "<proceed", "/>", MOVE_TLS, NULL },
	{ "<proceed", NULL, XMPP_PROCEED, NULL },
	{ "<failure", NULL, MOVE_REFUSED, "the server offers STARTTLS but refuses it" },
	STREAM_ERROR,
	STREAM_END,
	{ NULL, NULL, 0, NULL },
};

const struct answer xmpp_proceed[] = {
	{ "</proceed", NULL, MOVE_TLS, NULL },
	{ NULL, NULL, 0, NULL },
};

const struct answer xmpp_error[] = {
	{ "<", NULL, MOVE_REFUSED, "the server ended the stream with the error:" },
	{ NULL, NULL, 0, NULL },
};

const struct greeting xmpp_greetings[] = {
	{ "<?xml", "stream" },
	{ "<?xml", NULL },
	{ "<stream:", NULL },
	{ NULL, NULL },
};

/* Features come where a certificate was not missed; who may log in with what is another question. */
enum learnt xmpp_learn(struct slice answer, char evidence[PROTOCOL_SENTENCE_BYTES])
{
	size_t size;

	while (answer.size && (size = xmpp_tag(answer)) != 0 && size != FRAME_NEVER) {
		struct slice tag = xmpp_strip(slice_of(answer.data, size));

		answer = slice_after(answer, size);
		if (part_begins(tag, "<stream:features")) {
			part_evidence(evidence,
				"the stream after Finished was answered with features",
				slice_of(NULL, 0));
			return LEARNT_NOT_REQUIRED;
		}
		if (part_begins(tag, "<stream:error")) {
			size = answer.size ? xmpp_tag(answer) : 0;
			if (size == 0 || size == FRAME_NEVER)
				break;
			tag = xmpp_strip(slice_of(answer.data, size));
			part_evidence(evidence, "the stream after Finished was ended with", tag);
			/* RFC 6120 4.9.3.12: what a peer without a proper certificate hears. */
			return part_begins(tag, "<not-authorized") ? LEARNT_REQUIRED
								   : LEARNT_NOTHING;
		}
	}
	return LEARNT_NOT_YET;
}
