/* A transport that puts TLS into PRELOGIN packets until the handshake is complete. */
#include "scanners/network/starttls/tds_packet.h"

#include "agent/base/buffer.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#define FLIGHT_BYTES_MAX (64 * 1024) /* of a client without certificates: far less */
#define RECORD_TYPE_MIN 20           /* RFC 8446 5.1 */
#define RECORD_TYPE_MAX 23

struct tds {
	struct transport head;
	uint8_t packet[TDS_HEAD_BYTES]; /* of the packet that is read */
	size_t packet_have;
	size_t packet_left;   /* of its content */
	struct buffer flight; /* TLS that is not in packets yet */
	struct buffer out;    /* packets on their way */
	bool is_bare_out;     /* the wrapping has ended */
	bool is_bare_in;
};

/* The flight becomes one message, of as many packets as it needs. */
static void wrap(struct tds *t)
{
	while (t->flight.size) {
		size_t room = TDS_PACKET_BYTES - TDS_HEAD_BYTES;
		size_t size = t->flight.size < room ? t->flight.size : room;
		const uint8_t head[TDS_HEAD_BYTES] = { TDS_PRELOGIN,
			size == t->flight.size ? TDS_END_OF_MESSAGE : 0,
			(uint8_t)((size + TDS_HEAD_BYTES) >> 8), (uint8_t)(size + TDS_HEAD_BYTES),
			0, 0, 0, 0 };

		buffer_append(&t->out, head, sizeof(head));
		buffer_append(&t->out, t->flight.data, size);
		buffer_consume(&t->flight, size);
	}
}

/* 0 when all is out, else -1 with errno. */
static int flush(struct tds *t)
{
	wrap(t);
	if (buffer_status(&t->flight) != ERR_OK || buffer_status(&t->out) != ERR_OK) {
		errno = ENOBUFS;
		return -1;
	}
	while (t->out.size) {
		const struct iovec part = { .iov_base = t->out.data, .iov_len = t->out.size };
		ssize_t n = transport_socket_push(&t->head, &part, 1);

		if (n < 0 && errno != EINTR)
			return -1;
		if (n > 0)
			buffer_consume(&t->out, (size_t)n);
	}
	return 0;
}

/* Servers want a flight whole: it goes out when its answer is waited for. */
static ssize_t push(struct transport *transport, const struct iovec *parts, int count)
{
	struct tds *t = (struct tds *)transport;
	ssize_t size = 0;

	if (t->is_bare_out)
		return flush(t) == 0 ? transport_socket_push(transport, parts, count) : -1;
	for (int i = 0; i < count; i++) {
		buffer_append(&t->flight, parts[i].iov_base, parts[i].iov_len);
		size += (ssize_t)parts[i].iov_len;
	}
	return size;
}

/* The head of the next packet: 1, or 0 at the end of the stream, or -1 with errno. */
static ssize_t read_head(struct tds *t)
{
	size_t size;

	while (t->packet_have < TDS_HEAD_BYTES) {
		size_t want = t->packet_have ? TDS_HEAD_BYTES - t->packet_have : 1;
		ssize_t n = transport_socket_pull(&t->head, t->packet + t->packet_have, want);

		if (n <= 0)
			return n;
		t->packet_have += (size_t)n;
		/* A bare record where a packet could begin: the server wraps no more. */
		if (t->packet[0] >= RECORD_TYPE_MIN && t->packet[0] <= RECORD_TYPE_MAX) {
			t->is_bare_in = true;
			return 1;
		}
	}
	size = (size_t)t->packet[2] << 8 | t->packet[3];
	/* Empty packets would be a way to keep us busy for ever. */
	if ((t->packet[0] != TDS_PRELOGIN && t->packet[0] != TDS_RESPONSE) ||
		size <= TDS_HEAD_BYTES) {
		errno = EPROTO;
		return -1;
	}
	t->packet_left = size - TDS_HEAD_BYTES;
	t->packet_have = 0;
	return 1;
}

static ssize_t pull(struct transport *transport, void *to, size_t size)
{
	struct tds *t = (struct tds *)transport;
	ssize_t n;

	if (flush(t) != 0 || size == 0)
		return size == 0 ? 0 : -1;
	if (!t->is_bare_in && t->packet_left == 0) {
		n = read_head(t);
		if (n <= 0)
			return n;
	}
	if (t->is_bare_in) {
		/* What was taken for a head is the first byte of a record. */
		if (t->packet_have) {
			*(uint8_t *)to = t->packet[0];
			t->packet_have = 0;
			return 1;
		}
		return transport_socket_pull(transport, to, size);
	}
	n = transport_socket_pull(transport, to, size < t->packet_left ? size : t->packet_left);
	if (n > 0)
		t->packet_left -= (size_t)n;
	return n;
}

static void finished(struct transport *transport)
{
	struct tds *t = (struct tds *)transport;

	/* What is not out yet goes with the next push or pull. */
	(void)flush(t);
	t->is_bare_out = true;
}

static void tds_free(struct transport *transport)
{
	struct tds *t = (struct tds *)transport;

	buffer_fini(&t->flight);
	buffer_fini(&t->out);
	free(t);
}

static const struct transport_ops ops = {
	.push = push,
	.pull = pull,
	.finished = finished,
	.free = tds_free,
};

enum err tds_transport_new(int fd, struct transport **out)
{
	struct tds *t = calloc(1, sizeof(*t));

	if (!t)
		return ERR_MEMORY;
	t->head = (struct transport){ .ops = &ops, .fd = fd };
	buffer_init(&t->flight, FLIGHT_BYTES_MAX);
	buffer_init(&t->out, 2 * FLIGHT_BYTES_MAX);
	*out = &t->head;
	return ERR_OK;
}
