/* TCP as it is. */
#include "scanners/network/transport.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>

ssize_t transport_socket_push(struct transport *t, const struct iovec *parts, int count)
{
	struct msghdr message = { .msg_iov = (struct iovec *)(uintptr_t)parts,
		.msg_iovlen = (size_t)count };
	ssize_t n = sendmsg(t->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);

	if (n >= 0 || (errno != EPIPE && errno != ECONNRESET))
		return n;
	n = 0;
	for (int i = 0; i < count; i++)
		n += (ssize_t)parts[i].iov_len;
	return n;
}

ssize_t transport_socket_pull(struct transport *t, void *to, size_t size)
{
	return recv(t->fd, to, size, MSG_DONTWAIT);
}

static void plain_free(struct transport *t)
{
	free(t);
}

static const struct transport_ops tcp = {
	.push = transport_socket_push,
	.pull = transport_socket_pull,
	.free = plain_free,
};

enum err transport_tcp_new(int fd, struct transport **out)
{
	struct transport *t = calloc(1, sizeof(*t));

	if (!t)
		return ERR_MEMORY;
	t->ops = &tcp;
	t->fd = fd;
	*out = t;
	return ERR_OK;
}

void transport_free(struct transport *t)
{
	if (t)
		t->ops->free(t);
}
