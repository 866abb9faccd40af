/* What carries the bytes of a TLS session: TCP as it is, or something around them. Functions keep the
 * manners of sendmsg and recv: bytes, or -1 with errno, EAGAIN where it would wait. */
#ifndef LEAFWATCH_SCANNERS_NETWORK_TRANSPORT_H
#define LEAFWATCH_SCANNERS_NETWORK_TRANSPORT_H

#include "agent/base/err.h"

#include <stddef.h>
#include <sys/types.h>
#include <sys/uio.h>

struct transport;

struct transport_ops {
	/* May hold bytes back until the next pull or flush. */
	ssize_t (*push)(struct transport *t, const struct iovec *parts, int count);
	ssize_t (*pull)(struct transport *t, void *to, size_t size);
	/* Sends what is held back: 0 when all is out, else -1 with errno. NULL: nothing is to be sent that way. */
	int (*flush)(struct transport *t);
	/* The handshake is complete; NULL: nothing changes. */
	void (*finished)(struct transport *t);
	void (*free)(struct transport *t);
};

/* The head of each kind. */
struct transport {
	const struct transport_ops *ops;
	int fd; /* borrowed */
	size_t ahead; /* bytes read from the socket that no pull has taken yet: nothing wakes up for them */
};

/* Over a connected non-blocking socket. */
typedef enum err transport_new_fn(int fd, struct transport **out);

/* GnuTLS reads each record's head and body by calls of their own and writes each record by itself: here many of
 * them are one call to the kernel, and what is written at once is one segment. */
enum err transport_tcp_new(int fd, struct transport **out) MUST_CHECK;
void transport_free(struct transport *t);

/* For other kinds: the socket itself. A peer that is gone takes what is pushed, so that the next pull
 * finds out what it said before. */
ssize_t transport_socket_push(struct transport *t, const struct iovec *parts, int count);
ssize_t transport_socket_pull(struct transport *t, void *to, size_t size);

#endif
