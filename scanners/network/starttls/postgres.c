/* PostgreSQL: SSLRequest of its frontend/backend protocol, version 3. */
#include "scanners/network/starttls/parts.h"

#define ERROR_BYTES_MAX 4096
#define ERROR_HEAD_BYTES 5

/* One byte, or an ErrorResponse from a server that cannot go on. */
static size_t frame(struct slice got)
{
	uint32_t size;

	if (got.data[0] != 'E')
		return 1;
	if (got.size < ERROR_HEAD_BYTES)
		return 0;
	size = part_number(got.data + 1, 4);
	/* Servers before 14 may send a plain text here: it ends in NUL. */
	if (size > ERROR_BYTES_MAX || size < 4)
		return got.data[got.size - 1] == '\0' || got.size > ERROR_BYTES_MAX ? got.size : 0;
	return got.size >= 1 + (size_t)size ? 1 + (size_t)size : 0;
}

/* The field 'M' of an ErrorResponse, or what is there. */
static struct slice message_of(struct slice unit)
{
	struct slice s = slice_after(unit, ERROR_HEAD_BYTES);

	while (s.size && s.data[0]) {
		const uint8_t *end = memchr(s.data, '\0', s.size);
		size_t size = end ? (size_t)(end - s.data) : s.size;

		if (s.data[0] == 'M')
			return slice_of(s.data + 1, size - 1);
		s = slice_after(s, size + 1);
	}
	return slice_of(unit.data, unit.size - 1);
}

static int judge(struct slice unit, struct refusal *why)
{
	if (unit.data[0] == 'S')
		return MOVE_TLS;
	if (unit.data[0] == 'N')
		return part_refuse(why, REASON_NOT_TLS,
			"the server does not offer TLS (it answers N)", slice_of(NULL, 0));
	if (unit.data[0] == 'E' && unit.size > 1)
		return part_refuse(
			why, REASON_NOT_TLS, "the server answers with an error:", message_of(unit));
	return MOVE_REFUSED;
}

static const struct state states[] = {
	{ .awaits = "the answer to SSLRequest",
		.say = SAY_BYTES("\x00\x00\x00\x08\x04\xd2\x16\x2f"),
		.frame = frame,
		.judge = judge },
};

/* No question: whether a certificate is needed is decided by user and database (pg_hba.conf). */
const struct protocol protocol_postgres = {
	.name = "postgres",
	.port = 5432,
	.ports = { 5433, 6432, 26257 },
	.is_silent = true,
	.states = states,
	.states_count = sizeof(states) / sizeof(states[0]),
};
