/* IMAP: RFC 9051 6.2.1. */
#include "scanners/network/starttls/parts.h"

enum { GREETING, CAPABILITY, CAPABILITY_OFFERED, STARTTLS };

#define BYE                                                             \
	{                                                               \
		"* BYE", NULL, MOVE_REFUSED, "the server says goodbye:" \
	}

static const struct answer greeting[] = {
	{ "* OK", NULL, CAPABILITY, NULL },
	/* RFC 9051 7.1.4: no STARTTLS in a session that is authenticated already. */
	{ "* PREAUTH", NULL, MOVE_REFUSED,
		"the session is authenticated from the start (PREAUTH), where STARTTLS is not possible:" },
	BYE,
	{ NULL, NULL, 0, NULL },
};

static const struct answer capability[] = {
	{ "* CAPABILITY", "STARTTLS", CAPABILITY_OFFERED, NULL },
	BYE,
	{ "* ", NULL, MOVE_STAY, NULL },
	{ "a1 OK", NULL, MOVE_REFUSED, "the server does not offer STARTTLS" },
	{ "a1 ", NULL, MOVE_REFUSED, "CAPABILITY was refused:" },
	{ NULL, NULL, 0, NULL },
};

static const struct answer capability_offered[] = {
	BYE,
	{ "* ", NULL, MOVE_STAY, NULL },
	{ "a1 OK", NULL, STARTTLS, NULL },
	{ NULL, NULL, 0, NULL },
};

static const struct answer starttls[] = {
	BYE,
	{ "* ", NULL, MOVE_STAY, NULL },
	{ "a2 OK", NULL, MOVE_TLS, NULL },
	{ "a2 ", NULL, MOVE_REFUSED, "the server offers STARTTLS but refuses it:" },
	{ NULL, NULL, 0, NULL },
};

static const struct state states[] = {
	[GREETING] = { .awaits = "the greeting", .frame = part_line, .answers = greeting },
	[CAPABILITY] = { .awaits = "the answer to CAPABILITY",
		.say = SAY("a1 CAPABILITY\r\n"),
		.frame = part_line,
		.answers = capability },
	[CAPABILITY_OFFERED] = { .awaits = "the answer to CAPABILITY",
		.frame = part_line,
		.answers = capability_offered },
	[STARTTLS] = { .awaits = "the answer to STARTTLS",
		.say = SAY("a2 STARTTLS\r\n"),
		.frame = part_line,
		.answers = starttls },
};

static const struct greeting greetings[] = {
	{ "* OK", "IMAP4rev1" },
	{ "* OK", NULL },
	{ "* PREAUTH", NULL },
	{ "* BYE", NULL },
	{ NULL, NULL },
};

/* Dovecot and others miss a certificate only at login, which is never tried: an answer proves nothing. */
static const struct hint hints[] = {
	{ "* BYE", "certificate", LEARNT_REQUIRED, "CAPABILITY after Finished was answered with" },
	{ "a3 ", NULL, LEARNT_NOTHING,
		"CAPABILITY after Finished is answered, but certificates may be asked for at login:" },
	{ "* BYE", NULL, LEARNT_NOTHING, "CAPABILITY after Finished was answered with" },
	{ "* ", NULL, LEARNT_NOT_YET, NULL },
	{ NULL, NULL, LEARNT_NOTHING, NULL },
};

static enum learnt learn(struct slice answer, char evidence[PROTOCOL_SENTENCE_BYTES])
{
	return part_learn(answer, hints, evidence);
}

static const struct question question = {
	.say = SAY("a3 CAPABILITY\r\n"),
	.read = learn,
};

const struct protocol protocol_imap = {
	.name = "imap",
	.port = 143,
	.ports = { 1143, 220 },
	.tls_ports = { 993 },
	.greetings = greetings,
	.states = states,
	.states_count = sizeof(states) / sizeof(states[0]),
	.question = &question,
};
