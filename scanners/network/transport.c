/* TCP as it is, in as few calls to the kernel as will do. */
#include "scanners/network/transport.h"

#include "agent/base/buffer.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define AHEAD_BYTES 8192          /* read at once: most servers' whole first flight */
#define HELD_BYTES ((size_t)4096) /* held back at most: a flight without a chain, and a question */

struct tcp {
	struct transport head;
	uint8_t *read; /* owned: the last head.ahead bytes of it were not pulled yet; NULL: none */
	size_t read_size;
	struct buffer held;
};

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

/* ---- sending ---------------------------------------------------------------------------------- */

static int flush(struct transport *transport)
{
	struct tcp *t = (struct tcp *)transport;

	while (t->held.size) {
		const struct iovec part = { .iov_base = t->held.data, .iov_len = t->held.size };
		ssize_t n = transport_socket_push(transport, &part, 1);

		if (n < 0 && errno != EINTR)
			return -1;
		if (n > 0)
			buffer_consume(&t->held, (size_t)n);
	}
	/* Many wait for an answer at once: none keeps what it has said. */
	buffer_fini(&t->held);
	return 0;
}

static ssize_t push(struct transport *transport, const struct iovec *parts, int count)
{
	struct tcp *t = (struct tcp *)transport;
	size_t size = 0;

	for (int i = 0; i < count; i++)
		size += parts[i].iov_len;
	if (size > HELD_BYTES - t->held.size)
		return flush(transport) == 0 ? transport_socket_push(transport, parts, count) : -1;
	for (int i = 0; i < count; i++)
		buffer_append(&t->held, parts[i].iov_base, parts[i].iov_len);
	if (buffer_status(&t->held) == ERR_OK)
		return (ssize_t)size;
	errno = ENOMEM;
	return -1;
}

/* ---- receiving -------------------------------------------------------------------------------- */

static ssize_t take(struct tcp *t, void *to, size_t size)
{
	if (size > t->head.ahead)
		size = t->head.ahead;
	memcpy(to, t->read + t->read_size - t->head.ahead, size);
	t->head.ahead -= size;
	if (!t->head.ahead) {
		free(t->read);
		t->read = NULL;
	}
	return (ssize_t)size;
}

/* Keeps what came beyond what was asked for: no more than that, for many may be slow at once. */
static bool keep(struct tcp *t, const uint8_t *bytes, size_t size)
{
	t->read = malloc(size);
	if (!t->read) {
		errno = ENOMEM;
		return false;
	}
	memcpy(t->read, bytes, size);
	t->read_size = size;
	t->head.ahead = size;
	return true;
}

static ssize_t pull(struct transport *transport, void *to, size_t size)
{
	struct tcp *t = (struct tcp *)transport;
	uint8_t bytes[AHEAD_BYTES];
	ssize_t n;

	if (t->head.ahead)
		return take(t, to, size);
	/* A server that cannot be written to now may want to be read first. */
	if (flush(transport) != 0 && errno != EAGAIN)
		return -1;
	if (size >= sizeof(bytes))
		return transport_socket_pull(transport, to, size);
	n = transport_socket_pull(transport, bytes, sizeof(bytes));
	if (n <= 0)
		return n;
	if ((size_t)n > size && !keep(t, bytes + size, (size_t)n - size))
		return -1;
	if ((size_t)n < size)
		size = (size_t)n;
	memcpy(to, bytes, size);
	return (ssize_t)size;
}

/* ---- life ------------------------------------------------------------------------------------- */

static void tcp_free(struct transport *transport)
{
	struct tcp *t = (struct tcp *)transport;

	buffer_fini(&t->held);
	free(t->read);
	free(t);
}

static const struct transport_ops tcp = {
	.push = push,
	.pull = pull,
	.flush = flush,
	.free = tcp_free,
};

enum err transport_tcp_new(int fd, struct transport **out)
{
	struct tcp *t = calloc(1, sizeof(*t));

	if (!t)
		return ERR_MEMORY;
	t->head = (struct transport){ .ops = &tcp, .fd = fd };
	buffer_init(&t->held, HELD_BYTES);
	*out = &t->head;
	return ERR_OK;
}

void transport_free(struct transport *t)
{
	if (t)
		t->ops->free(t);
}
