/* RDP: negotiation in the X.224 connection request, MS-RDPBCGR 2.2.1.1. */
#include "scanners/network/starttls/parts.h"

#include <stdio.h>

#define TPKT_BYTES 4 /* RFC 2126: version 3, reserved, length */
#define TPKT_VERSION 3
#define PACKET_BYTES_MAX 1024
#define X224_BYTES 7
#define X224_CONFIRM 0xd0
#define X224_DISCONNECT 0x80
#define NEGOTIATION_BYTES 8
#define NEGOTIATION_RESPONSE 2
#define NEGOTIATION_FAILURE 3
#define PROTOCOL_RDP 0 /* RDP's own security */

static size_t frame(struct slice got)
{
	size_t size;

	if (got.data[0] != TPKT_VERSION)
		return FRAME_NEVER;
	if (got.size < TPKT_BYTES)
		return 0;
	size = part_number(got.data + 2, 2);
	if (size < TPKT_BYTES + X224_BYTES || size > PACKET_BYTES_MAX)
		return FRAME_NEVER;
	return got.size >= size ? size : 0;
}

/* MS-RDPBCGR 2.2.1.2.2. */
static const char *failure_name(uint32_t code)
{
	static const char *const names[] = { "SSL_REQUIRED_BY_SERVER", "SSL_NOT_ALLOWED_BY_SERVER",
		"SSL_CERT_NOT_ON_SERVER", "INCONSISTENT_FLAGS", "HYBRID_REQUIRED_BY_SERVER",
		"SSL_WITH_USER_AUTH_REQUIRED_BY_SERVER" };

	return code >= 1 && code <= sizeof(names) / sizeof(names[0]) ? names[code - 1] : "unknown";
}

static int judge(struct slice unit, struct refusal *why)
{
	struct slice negotiation = slice_after(unit, TPKT_BYTES + X224_BYTES);
	char sentence[PROTOCOL_SENTENCE_BYTES / 2];
	uint32_t value;

	if (unit.data[TPKT_BYTES + 1] == X224_DISCONNECT)
		return part_refuse(why, REASON_NOT_TLS, "the server refuses the connection request",
			slice_of(NULL, 0));
	if (unit.data[TPKT_BYTES + 1] != X224_CONFIRM)
		return MOVE_REFUSED;
	if (negotiation.size < NEGOTIATION_BYTES)
		return part_refuse(why, REASON_NOT_TLS,
			"the server knows RDP's own security only, no TLS", slice_of(NULL, 0));
	/* The value is little-endian. */
	value = (uint32_t)negotiation.data[4] | (uint32_t)negotiation.data[5] << 8 |
		(uint32_t)negotiation.data[6] << 16 | (uint32_t)negotiation.data[7] << 24;
	if (negotiation.data[0] == NEGOTIATION_FAILURE) {
		(void)snprintf(sentence, sizeof(sentence), "the server refuses TLS: failure %u, %s",
			value, failure_name(value));
		return part_refuse(why, REASON_NOT_TLS, sentence, slice_of(NULL, 0));
	}
	if (negotiation.data[0] != NEGOTIATION_RESPONSE)
		return MOVE_REFUSED;
	if (value == PROTOCOL_RDP)
		return part_refuse(why, REASON_NOT_TLS,
			"the server chooses RDP's own security, no TLS", slice_of(NULL, 0));
	return MOVE_TLS;
}

/* A request for TLS, CredSSP (which begins with TLS), or CredSSP with early authorisation. */
static const struct state states[] = {
	{ .awaits = "the connection confirm",
		.say = SAY_BYTES("\x03\x00\x00\x13\x0e\xe0\x00\x00\x00\x00\x00"
				 "\x01\x00\x08\x00\x0b\x00\x00\x00"),
		.frame = frame,
		.judge = judge },
};

/* No question: certificates of clients (smart cards) come inside CredSSP. */
const struct protocol protocol_rdp = {
	.name = "rdp",
	.port = 3389,
	.ports = { 3390 },
	.is_silent = true,
	.states = states,
	.states_count = sizeof(states) / sizeof(states[0]),
};
