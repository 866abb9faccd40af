/* What the two kinds of XMPP stream have in common. */
#ifndef LEAFWATCH_SCANNERS_NETWORK_STARTTLS_XMPP_STREAM_H
#define LEAFWATCH_SCANNERS_NETWORK_STARTTLS_XMPP_STREAM_H

#include "scanners/network/starttls/parts.h"

enum xmpp_state { XMPP_HEAD, XMPP_FEATURES, XMPP_OFFERED, XMPP_STARTTLS, XMPP_PROCEED, XMPP_ERROR };

#define XMPP_HEAD_TEXT(namespace) \
	"<?xml version='1.0'?><stream:stream to='{host}' xmlns='" namespace "' xmlns:stream='http://etherx.jabber.org/streams' version='1.0' xml:lang='en'>"
#define XMPP_STARTTLS_TEXT "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"

/* All but the first word, by which they differ. */
#define XMPP_STATES(namespace)                                                                 \
	{                                                                                      \
		[XMPP_HEAD] = { .awaits = "the stream's head",                                 \
			.say = SAY(XMPP_HEAD_TEXT(namespace)),                                 \
			.frame = xmpp_tag,                                                     \
			.answers = xmpp_head },                                                \
		[XMPP_FEATURES] = { .awaits = "the list of stream features",                   \
			.frame = xmpp_tag,                                                     \
			.answers = xmpp_features },                                            \
		[XMPP_OFFERED] = { .awaits = "the list of stream features",                    \
			.frame = xmpp_tag,                                                     \
			.answers = xmpp_offered },                                             \
		[XMPP_STARTTLS] = { .awaits = "the answer to starttls",                        \
			.say = SAY(XMPP_STARTTLS_TEXT),                                        \
			.frame = xmpp_tag,                                                     \
			.answers = xmpp_starttls },                                            \
		[XMPP_PROCEED] = { .awaits = "the answer to starttls",                         \
			.frame = xmpp_tag,                                                     \
			.answers = xmpp_proceed },                                             \
		[XMPP_ERROR] = {                                                               \
			.awaits = "the error's name", .frame = xmpp_tag, .answers = xmpp_error \
		},                                                                             \
	}

extern const struct answer xmpp_head[];
extern const struct answer xmpp_features[];
extern const struct answer xmpp_offered[];
extern const struct answer xmpp_starttls[];
extern const struct answer xmpp_proceed[];
extern const struct answer xmpp_error[];
extern const struct greeting xmpp_greetings[];

/* One tag, with the text before it: up to the '>' that is not in quotes. */
size_t xmpp_tag(struct slice got);
/* Without that text. */
struct slice xmpp_strip(struct slice unit);
/* The answer to a new stream's head inside TLS. */
enum learnt xmpp_learn(struct slice answer, char evidence[PROTOCOL_SENTENCE_BYTES]);

#endif
