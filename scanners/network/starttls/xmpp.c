/* XMPP from client to server. */
#include "scanners/network/starttls/xmpp_stream.h"

static const struct state states[] = XMPP_STATES("jabber:client");

static const struct question question = {
	.say = SAY(XMPP_HEAD_TEXT("jabber:client")),
	.read = xmpp_learn,
};

const struct protocol protocol_xmpp = {
	.name = "xmpp",
	.port = 5222,
	.tls_ports = { 5223 },
	.is_silent = true,
	.greetings = xmpp_greetings,
	.states = states,
	.states_count = sizeof(states) / sizeof(states[0]),
	.strip = xmpp_strip,
	.question = &question,
};
