/* DTLS (RFC 6347): TLS over UDP, from the first datagram on. */
#include "scanners/network/protocol.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

/* A record or several are one datagram, which goes whole or is lost. That a port is closed is told by the
 * error of a later call, after ICMP has come back. */
static ssize_t push(struct transport *t, const struct iovec *parts, int count)
{
	struct msghdr message = { .msg_iov = (struct iovec *)(uintptr_t)parts,
		.msg_iovlen = (size_t)count };
	ssize_t n = sendmsg(t->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);

	/* A full queue loses the datagram here instead of on its way; the timer sends it once more. */
	if (n >= 0 || (errno != EAGAIN && errno != ENOBUFS && errno != EINTR))
		return n;
	n = 0;
	for (int i = 0; i < count; i++)
		n += (ssize_t)parts[i].iov_len;
	return n;
}

static void dtls_free(struct transport *t)
{
	free(t);
}

static const struct transport_ops ops = {
	.push = push,
	.pull = transport_socket_pull,
	.free = dtls_free,
};

static enum err transport_new(int fd, struct transport **out)
{
	struct transport *t = calloc(1, sizeof(*t));

	if (!t)
		return ERR_MEMORY;
	*t = (struct transport){ .ops = &ops, .fd = fd };
	*out = t;
	return ERR_OK;
}

/* No question: what is spoken inside (CoAP, RADIUS, a VPN, media) is not told by the port. */
const struct protocol protocol_dtls = {
	.name = "dtls",
	.port = 443,
	.is_silent = true,
	.is_datagram = true,
	.transport = transport_new,
};
