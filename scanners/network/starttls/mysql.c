/* MySQL and MariaDB: the SSLRequest packet of their client/server protocol. */
#include "scanners/network/starttls/parts.h"

#include <stdio.h>

#define HEAD_BYTES 4 /* length (24 bits, little-endian) and sequence number */
#define PACKET_BYTES_MAX 8192
#define PROTOCOL_10 10
#define PACKET_ERROR 0xff
#define CLIENT_SSL 0x0800
/* After the version's NUL: thread id, first part of the scramble, filler. */
#define CAPABILITIES_AT (4 + 8 + 1)
#define SQLSTATE_BYTES 6 /* "#08S01" */

enum { GREETING, REQUEST };

static size_t frame(struct slice got)
{
	size_t size;

	if (got.size < HEAD_BYTES)
		return 0;
	size = (size_t)got.data[0] | (size_t)got.data[1] << 8 | (size_t)got.data[2] << 16;
	if (size == 0 || size > PACKET_BYTES_MAX)
		return FRAME_NEVER;
	return got.size >= HEAD_BYTES + size ? HEAD_BYTES + size : 0;
}

/* An error where the greeting was expected: "Host is blocked", "Too many connections". */
static int refuse_error(struct slice body, struct refusal *why)
{
	char sentence[PROTOCOL_SENTENCE_BYTES / 2];

	if (body.size < 3)
		return MOVE_REFUSED;
	(void)snprintf(sentence, sizeof(sentence), "the server sends us away with error %u:",
		(unsigned)body.data[1] | (unsigned)body.data[2] << 8);
	body = slice_after(body, 3);
	if (body.size >= SQLSTATE_BYTES && body.data[0] == '#')
		body = slice_after(body, SQLSTATE_BYTES);
	return part_refuse(why, REASON_NOT_TLS, sentence, body);
}

static int judge(struct slice unit, struct refusal *why)
{
	struct slice body = slice_after(unit, HEAD_BYTES);
	const uint8_t *end;
	size_t at;

	if (!body.size)
		return MOVE_REFUSED;
	if (body.data[0] == PACKET_ERROR)
		return refuse_error(body, why);
	if (body.data[0] != PROTOCOL_10)
		return MOVE_REFUSED;
	end = memchr(body.data, '\0', body.size);
	at = end ? (size_t)(end - body.data) + 1 + CAPABILITIES_AT : body.size;
	if (at + 2 > body.size)
		return MOVE_REFUSED;
	if ((((unsigned)body.data[at] | (unsigned)body.data[at + 1] << 8) & CLIENT_SSL) == 0)
		return part_refuse(why, REASON_NOT_TLS,
			"the server does not offer TLS (CLIENT_SSL is missing):",
			slice_of(body.data + 1, at - CAPABILITIES_AT - 2));
	return REQUEST;
}

static const struct state states[] = {
	[GREETING] = { .awaits = "the greeting", .frame = frame, .judge = judge },
	/* Capabilities PROTOCOL_41, SSL, SECURE_CONNECTION, PLUGIN_AUTH; packets of 16 MiB; utf8mb4. */
	[REQUEST] = { .awaits = "nothing",
		.say = SAY_BYTES("\x20\x00\x00\x01\x00\x8a\x08\x00\x00\x00\x00\x01\x2d"
				 "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"),
		.next = MOVE_TLS },
};

static bool greets(struct slice banner)
{
	return banner.size > HEAD_BYTES && banner.data[2] == 0 && banner.data[3] == 0 &&
	       (banner.data[4] == PROTOCOL_10 || banner.data[4] == PACKET_ERROR);
}

/* No question: a certificate is demanded of users (REQUIRE X509), after they have named themselves. */
const struct protocol protocol_mysql = {
	.name = "mysql",
	.port = 3306,
	.ports = { 3307, 4000, 6033 },
	.greets = greets,
	.states = states,
	.states_count = sizeof(states) / sizeof(states[0]),
};
