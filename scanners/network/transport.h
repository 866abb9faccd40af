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
	ssize_t (*push)(struct transport *t, const struct iovec *parts, int count);
	ssize_t (*pull)(struct transport *t, void *to, size_t size);
	/* The handshake is complete; NULL: nothing changes. */
	void (*finished)(struct transport *t);
	void (*free)(struct transport *t);
};

/* The head of each kind. */
struct transport {
	const struct transport_ops *ops;
	int fd; /* borrowed */
};

/* Over a connected non-blocking socket. */
typedef enum err transport_new_fn(int fd, struct transport **out);

enum err transport_tcp_new(int fd, struct transport **out) MUST_CHECK;
void transport_free(struct transport *t);

/* For other kinds: the socket itself. A peer that is gone takes what is pushed, so that the next pull
 * finds out what it said before. */
ssize_t transport_socket_push(struct transport *t, const struct iovec *parts, int count);
ssize_t transport_socket_pull(struct transport *t, void *to, size_t size);

#endif
