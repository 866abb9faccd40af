/* FTP: RFC 4217. */
#include "scanners/network/starttls/parts.h"

enum { GREETING, GREETING_MORE, AUTH, AUTH_MORE };

/* RFC 959 4.2: "220-" opens an answer of several lines, whatever stands in them, up to "220 ". */
static const struct answer greeting[] = {
	{ "220-", NULL, GREETING_MORE, NULL },
	{ "220", NULL, AUTH, NULL },
	{ "120", NULL, MOVE_STAY, NULL }, /* ready in a while */
	{ "421", NULL, MOVE_REFUSED, "the server sends us away:" },
	{ "5", NULL, MOVE_REFUSED, "the server sends us away:" },
	{ NULL, NULL, 0, NULL },
};

static const struct answer greeting_more[] = {
	{ "220 ", NULL, AUTH, NULL },
	{ "", NULL, MOVE_STAY, NULL },
	{ NULL, NULL, 0, NULL },
};

static const struct answer auth[] = {
	{ "234-", NULL, AUTH_MORE, NULL },
	{ "234", NULL, MOVE_TLS, NULL },
	{ "4", NULL, MOVE_REFUSED, "the server does not offer AUTH TLS:" },
	{ "5", NULL, MOVE_REFUSED, "the server does not offer AUTH TLS:" },
	{ NULL, NULL, 0, NULL },
};

static const struct answer auth_more[] = {
	{ "234 ", NULL, MOVE_TLS, NULL },
	{ "", NULL, MOVE_STAY, NULL },
	{ NULL, NULL, 0, NULL },
};

static const struct state states[] = {
	[GREETING] = { .awaits = "the greeting", .frame = part_line, .answers = greeting },
	[GREETING_MORE] = { .awaits = "the greeting",
		.frame = part_line,
		.answers = greeting_more },
	[AUTH] = { .awaits = "the answer to AUTH TLS",
		.say = SAY("AUTH TLS\r\n"),
		.frame = part_line,
		.answers = auth },
	[AUTH_MORE] = { .awaits = "the answer to AUTH TLS",
		.frame = part_line,
		.answers = auth_more },
};

static const struct greeting greetings[] = {
	{ "220", "FTP" },
	{ "220", "vsFTPd" },
	{ "220", "ProFTPD" },
	{ "220", "FileZilla" },
	{ "220", "Pure-FTPd" },
	{ "220", NULL },
	{ "120", NULL },
	{ NULL, NULL },
};

/* RFC 2389: FEAT needs no login. */
static const struct hint hints[] = {
	{ "220", NULL, LEARNT_NOT_YET, NULL },
	{ "5", "certificate", LEARNT_REQUIRED, "FEAT after Finished was refused:" },
	{ "4", "certificate", LEARNT_REQUIRED, "FEAT after Finished was refused:" },
	{ "211", NULL, LEARNT_NOT_REQUIRED, "FEAT after Finished was answered with" },
	/* Not known, or only after a login, for which a certificate may be missed. */
	{ "5", NULL, LEARNT_NOTHING, "FEAT after Finished was answered with" },
	{ "4", NULL, LEARNT_NOTHING, "FEAT after Finished was answered with" },
	{ NULL, NULL, LEARNT_NOTHING, NULL },
};

static enum learnt learn(struct slice answer, char evidence[PROTOCOL_SENTENCE_BYTES])
{
	return part_learn(answer, hints, evidence);
}

static const struct question question = {
	.say = SAY("FEAT\r\n"),
	.read = learn,
};

const struct protocol protocol_ftp = {
	.name = "ftp",
	.port = 21,
	.ports = { 2121 },
	.tls_ports = { 990 },
	.greetings = greetings,
	.states = states,
	.states_count = sizeof(states) / sizeof(states[0]),
	.question = &question,
};
