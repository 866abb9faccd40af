/* LMTP: RFC 2033, SMTP with LHLO for EHLO. */
#include "scanners/network/starttls/smtp_like.h"

static const struct state states[] = SMTP_LIKE_STATES("LHLO");

static const struct greeting greetings[] = {
	{ "220", "LMTP" },
	{ NULL, NULL },
};

/* Dovecot asks for certificates only where somebody logs in: 250 says little there, but LMTP knows no
 * login. */
static const struct question question = {
	.say = SAY("LHLO {own}\r\n"),
	.read = smtp_like_learn,
};

const struct protocol protocol_lmtp = {
	.name = "lmtp",
	.port = 24,
	.ports = { 2003 },
	.greetings = greetings,
	.states = states,
	.states_count = sizeof(states) / sizeof(states[0]),
	.question = &question,
};
