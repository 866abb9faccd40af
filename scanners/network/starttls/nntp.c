/* NNTP: RFC 4642. */
#include "scanners/network/starttls/parts.h"

enum { GREETING, CAPABILITIES, LIST, LIST_OFFERED, STARTTLS };

static const struct answer greeting[] = {
	{ "200", NULL, CAPABILITIES, NULL },
	{ "201", NULL, CAPABILITIES, NULL },
	{ "400", NULL, MOVE_REFUSED, "the server sends us away:" },
	{ "502", NULL, MOVE_REFUSED, "the server sends us away:" },
	{ NULL, NULL, 0, NULL },
};

static const struct answer capabilities[] = {
	{ "101", NULL, LIST, NULL },
	/* Older than RFC 3977: it may still know STARTTLS. */
	{ "5", NULL, STARTTLS, NULL },
	{ NULL, NULL, 0, NULL },
};

static const struct answer list[] = {
	{ "STARTTLS", NULL, LIST_OFFERED, NULL },
	{ ".\r\n", NULL, MOVE_REFUSED, "the server does not offer STARTTLS" },
	{ ".\n", NULL, MOVE_REFUSED, "the server does not offer STARTTLS" },
	{ "", NULL, MOVE_STAY, NULL },
	{ NULL, NULL, 0, NULL },
};

static const struct answer list_offered[] = {
	{ ".\r\n", NULL, STARTTLS, NULL },
	{ ".\n", NULL, STARTTLS, NULL },
	{ "", NULL, MOVE_STAY, NULL },
	{ NULL, NULL, 0, NULL },
};

/* RFC 4642 2.2.1: 382, 502, 580. */
static const struct answer starttls[] = {
	{ "382", NULL, MOVE_TLS, NULL },
	{ "4", NULL, MOVE_REFUSED, "STARTTLS was refused:" },
	{ "500", NULL, MOVE_REFUSED, "the server does not offer STARTTLS:" },
	{ "5", NULL, MOVE_REFUSED, "STARTTLS was refused:" },
	{ NULL, NULL, 0, NULL },
};

static const struct state states[] = {
	[GREETING] = { .awaits = "the greeting", .frame = part_line, .answers = greeting },
	[CAPABILITIES] = { .awaits = "the answer to CAPABILITIES",
		.say = SAY("CAPABILITIES\r\n"),
		.frame = part_line,
		.answers = capabilities },
	[LIST] = { .awaits = "the answer to CAPABILITIES", .frame = part_line, .answers = list },
	[LIST_OFFERED] = { .awaits = "the answer to CAPABILITIES",
		.frame = part_line,
		.answers = list_offered },
	[STARTTLS] = { .awaits = "the answer to STARTTLS",
		.say = SAY("STARTTLS\r\n"),
		.frame = part_line,
		.answers = starttls },
};

static const struct greeting greetings[] = {
	{ "200", "NNTP" },
	{ "200", "NNRP" },
	{ "200", "InterNetNews" },
	{ "201", "NNTP" },
	{ "201", "NNRP" },
	{ "200 ", NULL },
	{ "201 ", NULL },
	{ NULL, NULL },
};

static const struct hint hints[] = {
	{ "200", NULL, LEARNT_NOT_YET, NULL },
	{ "201", NULL, LEARNT_NOT_YET, NULL },
	{ "101", NULL, LEARNT_NOT_REQUIRED, "CAPABILITIES after Finished was answered with" },
	{ "5", NULL, LEARNT_NOT_REQUIRED, "CAPABILITIES after Finished was answered with" },
	{ "4", "certificate", LEARNT_REQUIRED, "CAPABILITIES after Finished was refused:" },
	{ "4", NULL, LEARNT_NOTHING, "CAPABILITIES after Finished was refused:" },
	{ NULL, NULL, LEARNT_NOTHING, NULL },
};

static enum learnt learn(struct slice answer, char evidence[PROTOCOL_SENTENCE_BYTES])
{
	return part_learn(answer, hints, evidence);
}

static const struct question question = {
	.say = SAY("CAPABILITIES\r\n"),
	.read = learn,
};

const struct protocol protocol_nntp = {
	.name = "nntp",
	.port = 119,
	.ports = { 433 },
	.tls_ports = { 563 },
	.greetings = greetings,
	.states = states,
	.states_count = sizeof(states) / sizeof(states[0]),
	.question = &question,
};
