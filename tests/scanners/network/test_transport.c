/* TCP below TLS: what is read ahead, what is held back, and a peer that does not read. */
#include "scanners/network/transport.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define MUCH ((size_t)1024 * 1024)

struct pair {
	struct transport *ours;
	int fd;
	int peer;
};

static int set_up(void **state)
{
	struct pair *p = calloc(1, sizeof(*p));
	int fds[2];

	assert_non_null(p);
	assert_int_equal(
		socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
	p->fd = fds[0];
	p->peer = fds[1];
	assert_int_equal(transport_tcp_new(p->fd, &p->ours), ERR_OK);
	*state = p;
	return 0;
}

static int tear_down(void **state)
{
	struct pair *p = *state;

	transport_free(p->ours);
	(void)close(p->fd);
	if (p->peer >= 0)
		(void)close(p->peer);
	free(p);
	return 0;
}

static ssize_t push(const struct pair *p, const void *bytes, size_t size)
{
	const struct iovec parts[] = { { (void *)(uintptr_t)bytes, size / 2 },
		{ (uint8_t *)(uintptr_t)bytes + size / 2, size - size / 2 } };

	return p->ours->ops->push(p->ours, parts, 2);
}

static ssize_t pull(const struct pair *p, void *to, size_t size)
{
	return p->ours->ops->pull(p->ours, to, size);
}

static void test_reads_ahead(void **state)
{
	const struct pair *p = *state;
	uint8_t got[16];
	int left = 0;

	assert_int_equal(send(p->peer, "0123456789abcdef", 16, 0), 16);
	assert_int_equal(pull(p, got, 5), 5);
	assert_memory_equal(got, "01234", 5);
	assert_int_equal(p->ours->ahead, 11);
	/* The kernel has nothing left, which is why `ahead` is told. */
	assert_int_equal(ioctl(p->fd, FIONREAD, &left), 0);
	assert_int_equal(left, 0);
	assert_int_equal(pull(p, got, 2), 2);
	assert_memory_equal(got, "56", 2);
	/* What follows in the socket comes after it. */
	assert_int_equal(send(p->peer, "XY", 2, 0), 2);
	assert_int_equal(pull(p, got, sizeof(got)), 9);
	assert_memory_equal(got, "789abcdef", 9);
	assert_int_equal(p->ours->ahead, 0);
	assert_int_equal(pull(p, got, sizeof(got)), 2);
	assert_memory_equal(got, "XY", 2);
	errno = 0;
	assert_int_equal(pull(p, got, sizeof(got)), -1);
	assert_int_equal(errno, EAGAIN);
}

static void test_end_comes_after_what_is_ahead(void **state)
{
	struct pair *p = *state;
	uint8_t got[8];

	assert_int_equal(send(p->peer, "last", 4, 0), 4);
	(void)close(p->peer);
	p->peer = -1;
	assert_int_equal(pull(p, got, 1), 1);
	assert_int_equal(pull(p, got, sizeof(got)), 3);
	assert_memory_equal(got, "ast", 3);
	assert_int_equal(pull(p, got, sizeof(got)), 0);
}

/* More than is read ahead goes straight to where it is wanted. */
static void test_reads_much(void **state)
{
	const struct pair *p = *state;
	static uint8_t sent[40000], got[40000];
	size_t have = 0;

	for (size_t i = 0; i < sizeof(sent); i++)
		sent[i] = (uint8_t)(i * 7 + (i >> 8));
	assert_int_equal(send(p->peer, sent, sizeof(sent), 0), sizeof(sent));
	for (size_t step = 1; have < sizeof(sent); step = step * 3 % 16381) {
		size_t want = step < sizeof(sent) - have ? step : sizeof(sent) - have;
		ssize_t n = pull(p, got + have, want);

		assert_true(n > 0 && (size_t)n <= want);
		have += (size_t)n;
	}
	assert_memory_equal(sent, got, sizeof(sent));
}

static void test_holds_until_it_reads(void **state)
{
	const struct pair *p = *state;
	char got[16];

	assert_int_equal(push(p, "one", 3), 3);
	assert_int_equal(push(p, "two", 3), 3);
	assert_int_equal(recv(p->peer, got, sizeof(got), 0), -1);
	assert_int_equal(errno, EAGAIN);
	assert_int_equal(pull(p, got, sizeof(got)), -1);
	assert_int_equal(errno, EAGAIN);
	assert_int_equal(recv(p->peer, got, sizeof(got), 0), 6);
	assert_memory_equal(got, "onetwo", 6);
	assert_int_equal(push(p, "three", 5), 5);
	assert_int_equal(p->ours->ops->flush(p->ours), 0);
	assert_int_equal(recv(p->peer, got, sizeof(got), 0), 5);
	assert_memory_equal(got, "three", 5);
	assert_int_equal(p->ours->ops->flush(p->ours), 0);
	assert_int_equal(recv(p->peer, got, sizeof(got), 0), -1);
}

static void test_large_goes_at_once_and_in_order(void **state)
{
	const struct pair *p = *state;
	static uint8_t large[6000], got[8000];

	memset(large, 'L', sizeof(large));
	assert_int_equal(push(p, "first", 5), 5);
	assert_int_equal(push(p, large, sizeof(large)), sizeof(large));
	assert_int_equal(recv(p->peer, got, sizeof(got), MSG_PEEK) > 0, 1);
	assert_int_equal(recv(p->peer, got, 5, 0), 5);
	assert_memory_equal(got, "first", 5);
	assert_int_equal(recv(p->peer, got, sizeof(got), 0), sizeof(large));
	assert_memory_equal(got, large, sizeof(large));
}

static void test_peer_that_does_not_read(void **state)
{
	const struct pair *p = *state;
	static uint8_t block[4000], drain[65536];
	size_t accepted = 0, arrived = 0;
	ssize_t n;

	memset(block, 'b', sizeof(block));
	while (accepted < MUCH && (n = push(p, block, sizeof(block))) > 0)
		accepted += (size_t)n;
	assert_true(accepted < MUCH);
	assert_int_equal(errno, EAGAIN);
	errno = 0;
	assert_int_equal(p->ours->ops->flush(p->ours), -1);
	assert_int_equal(errno, EAGAIN);
	/* Held back or not, it is read from. */
	assert_int_equal(send(p->peer, "!", 1, 0), 1);
	assert_int_equal(pull(p, drain, 1), 1);
	assert_int_equal(drain[0], '!');
	do {
		while ((n = recv(p->peer, drain, sizeof(drain), 0)) > 0)
			arrived += (size_t)n;
	} while (p->ours->ops->flush(p->ours) != 0);
	while ((n = recv(p->peer, drain, sizeof(drain), 0)) > 0)
		arrived += (size_t)n;
	assert_int_equal(arrived, accepted);
}

/* What it said before it left is read, though it takes no more. */
static void test_peer_that_has_left(void **state)
{
	struct pair *p = *state;
	char got[16];

	assert_int_equal(send(p->peer, "bye", 3, 0), 3);
	(void)close(p->peer);
	p->peer = -1;
	assert_int_equal(push(p, "hello", 5), 5);
	assert_int_equal(pull(p, got, sizeof(got)), 3);
	assert_memory_equal(got, "bye", 3);
	assert_int_equal(pull(p, got, sizeof(got)), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_reads_ahead, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_end_comes_after_what_is_ahead, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_reads_much, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_holds_until_it_reads, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_large_goes_at_once_and_in_order, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_peer_that_does_not_read, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_peer_that_has_left, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
