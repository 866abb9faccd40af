/* Answers of SMTP and LMTP servers: RFC 5321, RFC 3207. */
#include "scanners/network/starttls/smtp_like.h"

/* RFC 5321 4.2: "250-more", "250 last", and some send "250" alone. */
const struct answer smtp_like_greeting[] = {
	{ "220-", NULL, MOVE_STAY, NULL },
	{ "220", NULL, SMTP_HELLO, NULL },
	{ "421", NULL, MOVE_REFUSED, "the server sends us away:" },
	{ "5", NULL, MOVE_REFUSED, "the server sends us away:" },
	{ NULL, NULL, 0, NULL },
};

const struct answer smtp_like_hello[] = {
	{ "250-", "STARTTLS", SMTP_HELLO_OFFERED, NULL },
	{ "250 ", "STARTTLS", SMTP_STARTTLS, NULL },
	{ "250-", NULL, MOVE_STAY, NULL },
	{ "250", NULL, MOVE_REFUSED, "the server does not offer STARTTLS" },
	{ "4", NULL, MOVE_REFUSED, "the server does not take our greeting:" },
	{ "5", NULL, MOVE_REFUSED, "the server does not take our greeting:" },
	{ NULL, NULL, 0, NULL },
};

const struct answer smtp_like_hello_offered[] = {
	{ "250-", NULL, MOVE_STAY, NULL },
	{ "250", NULL, SMTP_STARTTLS, NULL },
	{ NULL, NULL, 0, NULL },
};

/* RFC 3207 4: 220, 501, 454. */
const struct answer smtp_like_starttls[] = {
	{ "220-", NULL, MOVE_STAY, NULL },
	{ "220", NULL, MOVE_TLS, NULL },
	{ "4", NULL, MOVE_REFUSED, "the server offers STARTTLS but refuses it:" },
	{ "5", NULL, MOVE_REFUSED, "the server offers STARTTLS but refuses it:" },
	{ NULL, NULL, 0, NULL },
};

/* Postfix: "421 4.7.1 ... No client certificate presented". A refusal that names none has reasons of its
 * own: too many connections, a greeting not liked. */
static const struct hint hints[] = {
	{ "250", NULL, LEARNT_NOT_REQUIRED, "EHLO after Finished was answered with" },
	{ "4", "certificate", LEARNT_REQUIRED, "EHLO after Finished was refused:" },
	{ "5", "certificate", LEARNT_REQUIRED, "EHLO after Finished was refused:" },
	{ "4", NULL, LEARNT_NOTHING, "EHLO after Finished was refused:" },
	{ "5", NULL, LEARNT_NOTHING, "EHLO after Finished was refused:" },
	/* Spoken inside TLS from the first byte, it greets first. */
	{ "220", NULL, LEARNT_NOT_YET, NULL },
	{ NULL, NULL, LEARNT_NOTHING, NULL },
};

enum learnt smtp_like_learn(struct slice answer, char evidence[PROTOCOL_SENTENCE_BYTES])
{
	return part_learn(answer, hints, evidence);
}
