/* TLS inside of TDS packets: what goes out, what comes in however it is cut, and where the wrapping ends. */
#include "scanners/network/starttls/tds_packet.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

struct pair {
	int fds[2]; /* ours, the server's */
	struct transport *transport;
};

static void open_pair(struct pair *p)
{
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, p->fds), 0);
	assert_int_equal(tds_transport_new(p->fds[0], &p->transport), ERR_OK);
}

static void close_pair(struct pair *p)
{
	transport_free(p->transport);
	(void)close(p->fds[0]);
	if (p->fds[1] >= 0)
		(void)close(p->fds[1]);
}

static ssize_t push(struct pair *p, const void *data, size_t size)
{
	const struct iovec part = { .iov_base = (void *)(uintptr_t)data, .iov_len = size };

	return p->transport->ops->push(p->transport, &part, 1);
}

static ssize_t pull(struct pair *p, void *to, size_t size)
{
	return p->transport->ops->pull(p->transport, to, size);
}

static void serve(struct pair *p, const void *data, size_t size)
{
	assert_int_equal(write(p->fds[1], data, size), size);
}

static void test_flight_is_one_message(void **state)
{
	static uint8_t big[5000], got[16384];
	uint8_t byte;
	struct pair p;

	(void)state;
	open_pair(&p);
	memset(big, 0x16, sizeof(big));
	assert_int_equal(push(&p, "abc", 3), 3);
	assert_int_equal(push(&p, "de", 2), 2);
	/* Nothing goes out before its answer is waited for. */
	assert_int_equal(read(p.fds[1], got, sizeof(got)), -1);
	assert_int_equal(pull(&p, &byte, 1), -1);
	assert_int_equal(errno, EAGAIN);
	assert_int_equal(read(p.fds[1], got, sizeof(got)), 13);
	assert_memory_equal(got,
		"\x12\x01\x00\x0d\x00\x00\x00\x00"
		"abcde",
		13);
	assert_int_equal(push(&p, big, sizeof(big)), sizeof(big));
	assert_int_equal(pull(&p, &byte, 1), -1);
	/* 4088 bytes in the first packet, the other 912 in the last. */
	assert_int_equal(read(p.fds[1], got, sizeof(got)), sizeof(big) + 2 * TDS_HEAD_BYTES);
	assert_memory_equal(got, "\x12\x00\x10\x00", 4);
	assert_memory_equal(got + 4096, "\x12\x01\x03\x98", 4);
	close_pair(&p);
}

static void test_packets_come_in_pieces(void **state)
{
	static const uint8_t stream[] = "\x12\x00\x00\x0b\x00\x00\x01\x00"
					"abc"
					"\x04\x01\x00\x0a\x00\x00\x02\x00"
					"de";
	char all[8] = "";
	size_t have = 0;
	struct pair p;

	(void)state;
	open_pair(&p);
	for (size_t i = 0; i < sizeof(stream) - 1; i++) {
		ssize_t n;

		serve(&p, stream + i, 1);
		while ((n = pull(&p, all + have, sizeof(all) - have)) > 0)
			have += (size_t)n;
		assert_int_equal(errno, EAGAIN);
	}
	assert_int_equal(have, 5);
	assert_memory_equal(all, "abcde", 5);
	close_pair(&p);
}

static void test_bare_after_the_handshake(void **state)
{
	uint8_t got[64];
	size_t have = 0;
	ssize_t n;
	struct pair p;

	(void)state;
	open_pair(&p);
	assert_int_equal(push(&p, "last", 4), 4);
	p.transport->ops->finished(p.transport);
	assert_int_equal(push(&p, "bare", 4), 4);
	assert_int_equal(read(p.fds[1], got, sizeof(got)), 16);
	assert_memory_equal(got + 8, "lastbare", 8);
	/* One more packet may come, then records as they are. */
	serve(&p, "\x12\x01\x00\x09\x00\x00\x01\x00x\x17\x03\x03\x00\x01y", 15);
	while ((n = pull(&p, got + have, 3)) > 0)
		have += (size_t)n;
	assert_int_equal(have, 7);
	assert_memory_equal(got, "x\x17\x03\x03\x00\x01y", 7);
	close_pair(&p);
}

static void test_what_is_no_packet(void **state)
{
	static const char *const heads[] = { "\x12\x01\x00\x08\x00\x00\x01\x00", "HTTP/1.1",
		"\x12\x01\x00\x00\x00\x00\x01\x00" };
	uint8_t got[64];

	(void)state;
	for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
		struct pair p;

		open_pair(&p);
		serve(&p, heads[i], TDS_HEAD_BYTES);
		assert_int_equal(pull(&p, got, sizeof(got)), -1);
		assert_int_equal(errno, EPROTO);
		close_pair(&p);
	}
}

static void test_end(void **state)
{
	uint8_t byte;
	struct pair p;

	(void)state;
	open_pair(&p);
	serve(&p, "\x12\x01", 2);
	(void)close(p.fds[1]);
	p.fds[1] = -1;
	assert_int_equal(pull(&p, &byte, 1), 0);
	/* A server that is gone takes what is pushed. */
	assert_int_equal(push(&p, "x", 1), 1);
	assert_int_equal(pull(&p, &byte, 1), 0);
	close_pair(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_flight_is_one_message),
		cmocka_unit_test(test_packets_come_in_pieces),
		cmocka_unit_test(test_bare_after_the_handshake),
		cmocka_unit_test(test_what_is_no_packet),
		cmocka_unit_test(test_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
