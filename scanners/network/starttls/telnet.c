/* Telnet: the option START_TLS (draft-altman-telnet-starttls-02), and what telnetd-ssl speaks instead,
 * SSL as a type of the option AUTHENTICATION (RFC 2941). */
#include "scanners/network/starttls/parts.h"

#include <string.h>

/* RFC 854. */
#define IAC 255
#define DONT 254
#define DO 253
#define WONT 252
#define WILL 251
#define SB 250
#define SE 240

#define OPTION_AUTHENTICATION 37
#define OPTION_START_TLS 46
#define FOLLOWS 1
#define AUTHENTICATION_SEND 1
#define AUTHENTICATION_REPLY 2
#define AUTHENTICATION_SSL 7
#define ONE_WAY 0
#define SSL_ACCEPT 2
#define SUBNEGOTIATION_BYTES_MAX 1024

#define NEITHER "the server offers neither START_TLS nor authentication by SSL"

enum { OFFER, FOLLOWS_TOO, SEND_LIST, SSL_REPLY };

/* A command, a subnegotiation, or a run of text. */
static size_t frame(struct slice got)
{
	const uint8_t *iac = memchr(got.data, IAC, got.size);

	if (!iac)
		return got.size;
	if (iac != got.data)
		return (size_t)(iac - got.data);
	if (got.size < 2)
		return 0;
	if (got.data[1] >= WILL && got.data[1] <= DONT)
		return got.size < 3 ? 0 : 3;
	if (got.data[1] != SB)
		return 2;
	for (size_t i = 2; i + 1 < got.size; i++) {
		if (got.data[i] != IAC)
			continue;
		if (got.data[i + 1] == SE)
			return i + 2;
		i++; /* a doubled IAC */
	}
	return got.size > SUBNEGOTIATION_BYTES_MAX ? FRAME_NEVER : 0;
}

static bool is_command(struct slice unit, uint8_t command, uint8_t option)
{
	return unit.size >= 3 && unit.data[0] == IAC && unit.data[1] == command &&
	       unit.data[2] == option;
}

/* The rest of a subnegotiation of `option`, its end off; empty when it is another. */
static struct slice subnegotiation(struct slice unit, uint8_t option)
{
	if (unit.size < 5 || !is_command(unit, SB, option))
		return slice_of(NULL, 0);
	return slice_of(unit.data + 3, unit.size - 5);
}

static int judge_offer(struct slice unit, struct refusal *why)
{
	if (is_command(unit, DO, OPTION_START_TLS))
		return FOLLOWS_TOO;
	if (is_command(unit, DO, OPTION_AUTHENTICATION) || is_command(unit, DONT, OPTION_START_TLS))
		return SEND_LIST;
	(void)why;
	return MOVE_STAY;
}

static int judge_follows(struct slice unit, struct refusal *why)
{
	struct slice s = subnegotiation(unit, OPTION_START_TLS);

	if (s.size && s.data[0] == FOLLOWS)
		return MOVE_TLS;
	if (is_command(unit, DONT, OPTION_START_TLS))
		return part_refuse(why, REASON_NOT_TLS,
			"the server takes its offer of START_TLS back", slice_of(NULL, 0));
	return MOVE_STAY;
}

static int judge_list(struct slice unit, struct refusal *why)
{
	struct slice s = subnegotiation(unit, OPTION_AUTHENTICATION);

	/* It may know both; its answer to our offer comes after its own. */
	if (is_command(unit, DO, OPTION_START_TLS))
		return FOLLOWS_TOO;
	if (is_command(unit, DONT, OPTION_AUTHENTICATION))
		return part_refuse(why, REASON_NOT_TLS, NEITHER, slice_of(NULL, 0));
	if (!s.size || s.data[0] != AUTHENTICATION_SEND)
		return MOVE_STAY;
	for (size_t i = 1; i + 1 < s.size; i += 2)
		if (s.data[i] == AUTHENTICATION_SSL && s.data[i + 1] == ONE_WAY)
			return SSL_REPLY;
	return part_refuse(why, REASON_NOT_TLS, NEITHER, slice_of(NULL, 0));
}

static int judge_reply(struct slice unit, struct refusal *why)
{
	struct slice s = subnegotiation(unit, OPTION_AUTHENTICATION);

	if (s.size < 4 || s.data[0] != AUTHENTICATION_REPLY || s.data[1] != AUTHENTICATION_SSL)
		return MOVE_STAY;
	if (s.data[3] == SSL_ACCEPT)
		return MOVE_TLS;
	return part_refuse(
		why, REASON_NOT_TLS, "the server offers SSL but refuses it", slice_of(NULL, 0));
}

static const struct state states[] = {
	/* IAC WILL START_TLS */
	[OFFER] = { .awaits = "the offer of START_TLS",
		.say = SAY_BYTES("\xff\xfb\x2e"),
		.frame = frame,
		.judge = judge_offer },
	/* IAC SB START_TLS FOLLOWS IAC SE */
	[FOLLOWS_TOO] = { .awaits = "START_TLS FOLLOWS",
		.say = SAY_BYTES("\xff\xfa\x2e\x01\xff\xf0"),
		.frame = frame,
		.judge = judge_follows },
	/* IAC WILL AUTHENTICATION */
	[SEND_LIST] = { .awaits = "the list of kinds of authentication",
		.say = SAY_BYTES("\xff\xfb\x25"),
		.frame = frame,
		.judge = judge_list },
	/* IAC SB AUTHENTICATION IS SSL ONE-WAY START IAC SE */
	[SSL_REPLY] = { .awaits = "the answer to SSL START",
		.say = SAY_BYTES("\xff\xfa\x25\x00\x07\x00\x01\xff\xf0"),
		.frame = frame,
		.judge = judge_reply },
};

static bool greets(struct slice banner)
{
	return banner.size > 2 && banner.data[0] == IAC && banner.data[1] >= WILL &&
	       banner.data[1] <= DONT;
}

/* No question: whatever is said there is typed into a login. */
const struct protocol protocol_telnet = {
	.name = "telnet",
	.port = 23,
	.ports = { 2323 },
	.tls_ports = { 992 },
	.greets = greets,
	.states = states,
	.states_count = sizeof(states) / sizeof(states[0]),
};
