/* What SMTP and LMTP have in common: all but the word of greeting (RFC 2033 4.1). */
#ifndef LEAFWATCH_SCANNERS_NETWORK_STARTTLS_SMTP_LIKE_H
#define LEAFWATCH_SCANNERS_NETWORK_STARTTLS_SMTP_LIKE_H

#include "scanners/network/starttls/parts.h"

/* The states, by the word of greeting. */
#define SMTP_LIKE_STATES(hello)                                            \
	{                                                                  \
		[SMTP_GREETING] = { .awaits = "the greeting",              \
			.frame = part_line,                                \
			.answers = smtp_like_greeting },                   \
		[SMTP_HELLO] = { .awaits = "the answer to " hello,         \
			.say = SAY(hello " {own}\r\n"),                    \
			.frame = part_line,                                \
			.answers = smtp_like_hello },                      \
		[SMTP_HELLO_OFFERED] = { .awaits = "the answer to " hello, \
			.frame = part_line,                                \
			.answers = smtp_like_hello_offered },              \
		[SMTP_STARTTLS] = { .awaits = "the answer to STARTTLS",    \
			.say = SAY("STARTTLS\r\n"),                        \
			.frame = part_line,                                \
			.answers = smtp_like_starttls },                   \
	}

enum smtp_like_state { SMTP_GREETING, SMTP_HELLO, SMTP_HELLO_OFFERED, SMTP_STARTTLS };

extern const struct answer smtp_like_greeting[];
extern const struct answer smtp_like_hello[];
extern const struct answer smtp_like_hello_offered[];
extern const struct answer smtp_like_starttls[];
enum learnt smtp_like_learn(struct slice answer, char evidence[PROTOCOL_SENTENCE_BYTES]);

#endif
