/* Addresses to listen on, as users write them, and the sockets that listen there. */
#ifndef LEAFWATCH_EXPORTERS_PROMETHEUS_LISTEN_H
#define LEAFWATCH_EXPORTERS_PROMETHEUS_LISTEN_H

#include "agent/base/err.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <sys/socket.h>

#define LISTEN_TEXT_BYTES 128

struct listen_address {
	struct sockaddr_storage address;
	socklen_t size;
	bool is_any;      /* ":port": every address of both families */
	bool is_loopback; /* only this host reaches it */
};

/* "127.0.0.1:9947", "[::1]:9947", "localhost:9947", ":9947". Names are not resolved. Port 0 takes a free
 * one. */
enum err listen_parse(const char *text, struct listen_address *out, struct why *why) MUST_CHECK;
/* A listening socket, non-blocking and close-on-exec; the sentence names the address. */
enum err listen_open(
	const char *text, const struct listen_address *a, int *fd, struct why *why) MUST_CHECK;
/* Where a listening socket is reached from this host: "http://127.0.0.1:9947/". */
enum err listen_url(int fd, char out[LISTEN_TEXT_BYTES]) MUST_CHECK;

#endif
