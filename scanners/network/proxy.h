/* Proxies: what a user writes, and the dialogue that opens a tunnel to a target. */
#ifndef LEAFWATCH_SCANNERS_NETWORK_PROXY_H
#define LEAFWATCH_SCANNERS_NETWORK_PROXY_H

#include "agent/base/err.h"
#include "scanners/network/dialogue.h"

#include <stdbool.h>
#include <stdint.h>

#define PROXY_BYTES_MAX 1024
/* Of an answer to CONNECT, header and all. */
#define PROXY_ANSWER_BYTES_MAX (16 * 1024)

struct proxy {
	const struct proxy_kind *kind;
	char *host; /* owned: a name or a numeric address */
	uint16_t port;
	char *user;     /* owned, or NULL */
	char *password; /* owned; NULL without a user */
	char *shown;    /* owned: the URL without user and password */
};

/* "http://[USER:PASSWORD@]HOST[:PORT]", "socks5://" and "socks5h://", which both leave names to the proxy; a
 * bare HOST:PORT is http. ERR_USAGE with a sentence that holds no password. */
enum err proxy_parse(const char *url, struct proxy *out, struct why *why) MUST_CHECK;
void proxy_fini(struct proxy *p);

struct proxy_talk;
/* `proxy` is borrowed. */
enum err proxy_talk_new(const struct proxy *proxy, const char *host, uint16_t port,
	struct proxy_talk **out) MUST_CHECK;
void proxy_talk_free(struct proxy_talk *t);
/* Goes on with a connected non-blocking socket, as far as it goes. Not one byte of what follows the tunnel's
 * opening is taken. */
enum dialogue_status proxy_talk_step(struct proxy_talk *t, int fd);
/* Why it failed, as the proxy's fault or word. */
const struct refusal *proxy_talk_refusal(const struct proxy_talk *t);
/* It works, and says that the target does not. */
bool proxy_talk_blames_target(const struct proxy_talk *t);

#endif
