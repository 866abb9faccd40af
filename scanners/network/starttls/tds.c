/* TDS (Microsoft SQL Server, Sybase's heirs): MS-TDS 2.2.6.5, PRELOGIN. */
#include "scanners/network/starttls/tds_packet.h"

#include "scanners/network/starttls/parts.h"

#define OPTION_BYTES 5 /* token, offset, length */
#define OPTION_ENCRYPTION 1
#define OPTION_END 0xff
#define ENCRYPT_NOT_SUP 2

static size_t frame(struct slice got)
{
	size_t size;

	if (got.data[0] != TDS_RESPONSE && got.data[0] != TDS_PRELOGIN)
		return FRAME_NEVER;
	if (got.size < TDS_HEAD_BYTES)
		return 0;
	size = part_number(got.data + 2, 2);
	if (size <= TDS_HEAD_BYTES || size > TDS_PACKET_BYTES_MAX)
		return FRAME_NEVER;
	return got.size >= size ? size : 0;
}

static int judge(struct slice unit, struct refusal *why)
{
	struct slice body = slice_after(unit, TDS_HEAD_BYTES);

	for (struct slice s = body; s.size >= OPTION_BYTES && s.data[0] != OPTION_END;
		s = slice_after(s, OPTION_BYTES)) {
		size_t at = part_number(s.data + 1, 2);

		if (s.data[0] != OPTION_ENCRYPTION)
			continue;
		if (at >= body.size || part_number(s.data + 3, 2) != 1)
			return MOVE_REFUSED;
		if (body.data[at] == ENCRYPT_NOT_SUP)
			return part_refuse(why, REASON_NOT_TLS,
				"the server does not offer TLS (ENCRYPT_NOT_SUP)",
				slice_of(NULL, 0));
		/* Also with ENCRYPT_OFF the login is encrypted. */
		return MOVE_TLS;
	}
	return part_refuse(why, REASON_NOT_TLS, "the server's PRELOGIN says nothing of encryption",
		slice_of(NULL, 0));
}

static const struct state states[] = {
	/* VERSION, ENCRYPTION, INSTOPT, THREADID, MARS; then their values: 16.0, ENCRYPT_ON, none, 0, no. */
	{ .awaits = "the answer to PRELOGIN",
		.say = SAY_BYTES("\x12\x01\x00\x2f\x00\x00\x01\x00"
				 "\x00\x00\x1a\x00\x06"
				 "\x01\x00\x20\x00\x01"
				 "\x02\x00\x21\x00\x01"
				 "\x03\x00\x22\x00\x04"
				 "\x04\x00\x26\x00\x01"
				 "\xff"
				 "\x10\x00\x00\x00\x00\x00"
				 "\x01"
				 "\x00"
				 "\x00\x00\x00\x00"
				 "\x00"),
		.frame = frame,
		.judge = judge },
};

/* No question: TDS knows no client certificates but the login itself. */
const struct protocol protocol_tds = {
	.name = "tds",
	.port = 1433,
	.ports = { 1434, 14330 },
	.is_silent = true,
	.states = states,
	.states_count = sizeof(states) / sizeof(states[0]),
	.transport = tds_transport_new,
};
