/* ManageSieve: RFC 5804. */
#include "scanners/network/starttls/parts.h"

enum { GREETING, GREETING_OFFERED, STARTTLS };

/* RFC 5804 1.7: the greeting is the list of capabilities, an OK at its end. */
static const struct answer greeting[] = {
	{ "\"STARTTLS\"", NULL, GREETING_OFFERED, NULL },
	{ "\"", NULL, MOVE_STAY, NULL },
	{ "OK", NULL, MOVE_REFUSED, "the server does not offer STARTTLS" },
	{ "BYE", NULL, MOVE_REFUSED, "the server says goodbye:" },
	{ "NO", NULL, MOVE_REFUSED, "the server sends us away:" },
	{ NULL, NULL, 0, NULL },
};

static const struct answer greeting_offered[] = {
	{ "\"", NULL, MOVE_STAY, NULL },
	{ "OK", NULL, STARTTLS, NULL },
	{ "BYE", NULL, MOVE_REFUSED, "the server says goodbye:" },
	{ "NO", NULL, MOVE_REFUSED, "the server sends us away:" },
	{ NULL, NULL, 0, NULL },
};

static const struct answer starttls[] = {
	{ "OK", NULL, MOVE_TLS, NULL },
	{ "NO", NULL, MOVE_REFUSED, "the server offers STARTTLS but refuses it:" },
	{ "BYE", NULL, MOVE_REFUSED, "the server says goodbye:" },
	{ NULL, NULL, 0, NULL },
};

static const struct state states[] = {
	[GREETING] = { .awaits = "the greeting", .frame = part_line, .answers = greeting },
	[GREETING_OFFERED] = { .awaits = "the greeting",
		.frame = part_line,
		.answers = greeting_offered },
	[STARTTLS] = { .awaits = "the answer to STARTTLS",
		.say = SAY("STARTTLS\r\n"),
		.frame = part_line,
		.answers = starttls },
};

static const struct greeting greetings[] = {
	{ "\"", "SIEVE" },
	{ "\"", "IMPLEMENTATION" },
	{ NULL, NULL },
};

/* RFC 5804 2.2: the capabilities come again after TLS, unasked: these are no answer. NOOP's is, but a
 * certificate may still be asked for at login. */
static const struct hint hints[] = {
	{ "OK", "leafwatch", LEARNT_NOTHING,
		"NOOP after Finished is answered, but certificates may be asked for at login:" },
	{ "OK", NULL, LEARNT_NOT_YET, NULL },
	{ "\"", NULL, LEARNT_NOT_YET, NULL },
	{ "BYE", "certificate", LEARNT_REQUIRED, "after Finished the server says" },
	{ "NO", "certificate", LEARNT_REQUIRED, "after Finished the server says" },
	{ NULL, NULL, LEARNT_NOTHING, NULL },
};

static enum learnt learn(struct slice answer, char evidence[PROTOCOL_SENTENCE_BYTES])
{
	return part_learn(answer, hints, evidence);
}

static const struct question question = {
	.say = SAY("NOOP \"leafwatch\"\r\n"),
	.read = learn,
};

const struct protocol protocol_sieve = {
	.name = "sieve",
	.port = 4190,
	.ports = { 2000 },
	.greetings = greetings,
	.states = states,
	.states_count = sizeof(states) / sizeof(states[0]),
	.question = &question,
};
