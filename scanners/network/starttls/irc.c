/* IRC: the tls capability and STARTTLS of IRCv3 (deprecated, and still served). */
#include "scanners/network/starttls/parts.h"

enum { CAPABILITIES, STARTTLS };

/* Without its tags and its prefix: "@tags :server 670 ..." is "670 ...". */
static struct slice strip(struct slice unit)
{
	while (unit.size && (unit.data[0] == '@' || unit.data[0] == ':')) {
		const uint8_t *end = memchr(unit.data, ' ', unit.size);

		if (!end)
			return unit;
		unit = slice_after(unit, (size_t)(end - unit.data));
		while (unit.size && unit.data[0] == ' ')
			unit = slice_after(unit, 1);
	}
	return unit;
}

/* A list of several lines has a star before all but the last: those without tls are passed over. */
static const struct answer capabilities[] = {
	{ "NOTICE", NULL, MOVE_STAY, NULL },
	{ "PING", NULL, MOVE_STAY, NULL },
	{ "020", NULL, MOVE_STAY, NULL }, /* "please wait" */
	{ "CAP", "tls", STARTTLS, NULL },
	{ "CAP * LS * ", NULL, MOVE_STAY, NULL },
	{ "CAP", NULL, MOVE_REFUSED, "the server does not offer STARTTLS:" },
	/* Unknown command, or not before registration: STARTTLS may still be known. */
	{ "421", NULL, STARTTLS, NULL },
	{ "451", NULL, STARTTLS, NULL },
	{ "ERROR", NULL, MOVE_REFUSED, "the server sends us away:" },
	{ "4", NULL, MOVE_REFUSED, "the server sends us away:" },
	{ NULL, NULL, 0, NULL },
};

static const struct answer starttls[] = {
	{ "NOTICE", NULL, MOVE_STAY, NULL },
	{ "PING", NULL, MOVE_STAY, NULL },
	{ "020", NULL, MOVE_STAY, NULL },
	{ "CAP", NULL, MOVE_STAY, NULL },
	{ "670", NULL, MOVE_TLS, NULL },
	{ "691", NULL, MOVE_REFUSED, "STARTTLS was refused:" },
	{ "421", NULL, MOVE_REFUSED, "the server does not offer STARTTLS:" },
	{ "451", NULL, MOVE_REFUSED, "the server does not offer STARTTLS:" },
	{ "ERROR", NULL, MOVE_REFUSED, "the server sends us away:" },
	{ "4", NULL, MOVE_REFUSED, "STARTTLS was refused:" },
	{ NULL, NULL, 0, NULL },
};

static const struct state states[] = {
	[CAPABILITIES] = { .awaits = "the answer to CAP LS",
		.say = SAY("CAP LS 302\r\n"),
		.frame = part_line,
		.answers = capabilities },
	[STARTTLS] = { .awaits = "the answer to STARTTLS",
		.say = SAY("STARTTLS\r\n"),
		.frame = part_line,
		.answers = starttls },
};

static const struct greeting greetings[] = {
	{ ":", "NOTICE" },
	{ "NOTICE", NULL },
	{ "ERROR :Closing Link", NULL },
	{ NULL, NULL },
};

static const struct hint hints[] = {
	{ "CAP", NULL, LEARNT_NOT_REQUIRED, "CAP LS after Finished was answered with" },
	{ "421", NULL, LEARNT_NOT_REQUIRED, "CAP LS after Finished was answered with" },
	{ "451", NULL, LEARNT_NOT_REQUIRED, "CAP LS after Finished was answered with" },
	{ "ERROR", "certificate", LEARNT_REQUIRED, "after Finished the server says" },
	{ "NOTICE", NULL, LEARNT_NOT_YET, NULL },
	{ "PING", NULL, LEARNT_NOT_YET, NULL },
	{ NULL, NULL, LEARNT_NOTHING, NULL },
};

static enum learnt learn(struct slice answer, char evidence[PROTOCOL_SENTENCE_BYTES])
{
	size_t size;

	while (answer.size && (size = part_line(answer)) != 0 && size != FRAME_NEVER) {
		enum learnt learnt =
			part_learn(strip(slice_of(answer.data, size)), hints, evidence);

		if (learnt != LEARNT_NOT_YET)
			return learnt;
		answer = slice_after(answer, size);
	}
	return LEARNT_NOT_YET;
}

static const struct question question = {
	.say = SAY("CAP LS 302\r\n"),
	.read = learn,
};

const struct protocol protocol_irc = {
	.name = "irc",
	.port = 6667,
	.ports = { 194, 6665, 6666, 6668, 6669, 7000 },
	.tls_ports = { 6697, 994, 9999 },
	.is_silent = true,
	.greetings = greetings,
	.states = states,
	.states_count = sizeof(states) / sizeof(states[0]),
	.strip = strip,
	.question = &question,
};
