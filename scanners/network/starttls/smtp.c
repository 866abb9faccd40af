/* SMTP: RFC 3207. */
#include "scanners/network/starttls/smtp_like.h"

static const struct state states[] = SMTP_LIKE_STATES("EHLO");

static const struct greeting greetings[] = {
	{ "220", "SMTP" },
	{ "220", "ESMTP" },
	{ "220", NULL },
	{ "554", "SMTP" },
	{ NULL, NULL },
};

static const struct question question = {
	.say = SAY("EHLO {own}\r\n"),
	.read = smtp_like_learn,
};

const struct protocol protocol_smtp = {
	.name = "smtp",
	.port = 25,
	.ports = { 587, 2525, 26, 10025, 1025 },
	.tls_ports = { 465 },
	.greetings = greetings,
	.states = states,
	.states_count = sizeof(states) / sizeof(states[0]),
	.question = &question,
};
