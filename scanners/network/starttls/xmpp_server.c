/* XMPP from server to server. */
#include "scanners/network/starttls/xmpp_stream.h"

static const struct state states[] = XMPP_STATES("jabber:server");

static const struct question question = {
	.say = SAY(XMPP_HEAD_TEXT("jabber:server")),
	.read = xmpp_learn,
};

const struct protocol protocol_xmpp_server = {
	.name = "xmpp-server",
	.port = 5269,
	.tls_ports = { 5270 },
	.is_silent = true,
	.states = states,
	.states_count = sizeof(states) / sizeof(states[0]),
	.strip = xmpp_strip,
	.question = &question,
};
