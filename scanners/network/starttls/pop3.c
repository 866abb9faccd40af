/* POP3: RFC 2595 4. */
#include "scanners/network/starttls/parts.h"

enum { GREETING, STLS };

static const struct answer greeting[] = {
	{ "+OK", NULL, STLS, NULL },
	{ "-ERR", NULL, MOVE_REFUSED, "the server sends us away:" },
	{ NULL, NULL, 0, NULL },
};

/* Asked without CAPA, which old servers do not know although they know STLS. */
static const struct answer stls[] = {
	{ "+OK", NULL, MOVE_TLS, NULL },
	{ "-ERR", NULL, MOVE_REFUSED, "the server does not offer STLS:" },
	{ NULL, NULL, 0, NULL },
};

static const struct state states[] = {
	[GREETING] = { .awaits = "the greeting", .frame = part_line, .answers = greeting },
	[STLS] = { .awaits = "the answer to STLS",
		.say = SAY("STLS\r\n"),
		.frame = part_line,
		.answers = stls },
};

static const struct greeting greetings[] = {
	{ "+OK", NULL },
	{ NULL, NULL },
};

static const struct hint hints[] = {
	{ "-ERR", "certificate", LEARNT_REQUIRED, "CAPA after Finished was refused:" },
	{ "-ERR", NULL, LEARNT_NOTHING, "CAPA after Finished was refused:" },
	/* Inside TLS from the first byte, this may be the greeting; both say as little. */
	{ "+OK", NULL, LEARNT_NOTHING,
		"the server speaks after Finished, but certificates may be asked for at login:" },
	{ NULL, NULL, LEARNT_NOTHING, NULL },
};

static enum learnt learn(struct slice answer, char evidence[PROTOCOL_SENTENCE_BYTES])
{
	return part_learn(answer, hints, evidence);
}

static const struct question question = {
	.say = SAY("CAPA\r\n"),
	.read = learn,
};

const struct protocol protocol_pop3 = {
	.name = "pop3",
	.port = 110,
	.ports = { 1110 },
	.tls_ports = { 995 },
	.greetings = greetings,
	.states = states,
	.states_count = sizeof(states) / sizeof(states[0]),
	.question = &question,
};
