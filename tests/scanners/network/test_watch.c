/* Sockets in one epoll set of ours: told while they are ready, never after they were let go. */
#include "scanners/network/watch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sys/socket.h>
#include <unistd.h>

#define PAIRS 300 /* more than one batch */

struct one {
	struct watch watch;
	struct room *room;
	int fd;
	int peer;
	unsigned told;
};

struct room {
	uv_loop_t loop;
	struct watches *watches;
	struct one ones[PAIRS];
	unsigned told;
	/* Called with each that is told. */
	void (*then)(struct one *one);
};

static void on_ready(void *arg)
{
	struct one *one = arg;

	one->told++;
	one->room->told++;
	if (one->room->then)
		one->room->then(one);
}

static int set_up(void **state)
{
	struct room *r = calloc(1, sizeof(*r));

	assert_non_null(r);
	assert_int_equal(uv_loop_init(&r->loop), 0);
	assert_int_equal(watches_new(&r->loop, on_ready, &r->watches), ERR_OK);
	for (size_t i = 0; i < PAIRS; i++) {
		struct one *one = &r->ones[i];
		int fds[2];

		assert_int_equal(
			socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
		one->room = r;
		one->watch.arg = one;
		one->fd = fds[0];
		one->peer = fds[1];
	}
	*state = r;
	return 0;
}

static void close_handle(uv_handle_t *handle, void *arg)
{
	(void)arg;
	uv_close(handle, NULL);
}

static int tear_down(void **state)
{
	struct room *r = *state;

	uv_walk(&r->loop, close_handle, NULL);
	(void)uv_run(&r->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&r->loop), 0);
	watches_free(r->watches);
	for (size_t i = 0; i < PAIRS; i++) {
		if (r->ones[i].fd >= 0)
			(void)close(r->ones[i].fd);
		(void)close(r->ones[i].peer);
	}
	free(r);
	return 0;
}

static void look(struct one *one, unsigned events)
{
	assert_int_equal(watch_for(one->room->watches, &one->watch, one->fd, events), ERR_OK);
}

static void rounds(struct room *r, unsigned count)
{
	while (count--)
		(void)uv_run(&r->loop, UV_RUN_NOWAIT);
}

static void read_it(struct one *one)
{
	char byte;

	assert_int_equal(recv(one->fd, &byte, 1, 0), 1);
}

static void test_tells_what_is_ready(void **state)
{
	struct room *r = *state;
	struct one *one = &r->ones[0];

	look(one, WATCH_READABLE);
	rounds(r, 3);
	assert_int_equal(one->told, 0);
	look(one, WATCH_WRITABLE);
	rounds(r, 1);
	assert_int_equal(one->told, 1);
	/* The same once more, then back. */
	look(one, WATCH_WRITABLE);
	look(one, WATCH_READABLE);
	rounds(r, 3);
	assert_int_equal(one->told, 1);
	r->then = read_it;
	assert_int_equal(send(one->peer, "ab", 2, 0), 2);
	rounds(r, 5);
	/* As long as there is something. */
	assert_int_equal(one->told, 3);
	r->then = NULL;
	watch_stop(r->watches, &one->watch, false);
	assert_int_equal(send(one->peer, "c", 1, 0), 1);
	rounds(r, 3);
	assert_int_equal(one->told, 3);
	look(one, WATCH_READABLE);
	rounds(r, 1);
	assert_int_equal(one->told, 4);
}

static void test_all_have_their_turn(void **state)
{
	struct room *r = *state;

	r->then = read_it;
	for (size_t i = 0; i < PAIRS; i++) {
		look(&r->ones[i], WATCH_READABLE);
		assert_int_equal(send(r->ones[i].peer, "x", 1, 0), 1);
	}
	rounds(r, 5);
	for (size_t i = 0; i < PAIRS; i++)
		assert_int_equal(r->ones[i].told, 1);
}

static void test_end_is_told(void **state)
{
	struct room *r = *state;

	look(&r->ones[0], WATCH_READABLE);
	assert_int_equal(shutdown(r->ones[0].peer, SHUT_RDWR), 0);
	rounds(r, 1);
	assert_int_equal(r->ones[0].told, 1);
}

/* The first that is told lets all others go. */
static void let_others_go(struct one *one)
{
	struct room *r = one->room;

	for (size_t i = 0; i < PAIRS; i++) {
		struct one *other = &r->ones[i];
		bool is_closing = i % 2 == 0;

		if (other == one)
			continue;
		watch_stop(r->watches, &other->watch, is_closing);
		if (!is_closing)
			continue;
		(void)close(other->fd);
		other->fd = -1;
	}
	watch_stop(r->watches, &one->watch, false);
}

static void test_none_is_told_after_it_was_let_go(void **state)
{
	struct room *r = *state;

	r->then = let_others_go;
	for (size_t i = 0; i < PAIRS; i++)
		look(&r->ones[i], WATCH_WRITABLE);
	rounds(r, 5);
	assert_int_equal(r->told, 1);
}

/* A descriptor that was closed, and whose number has come back, is watched like a new one. */
static void test_number_comes_back(void **state)
{
	struct room *r = *state;
	struct one *one = &r->ones[0];
	int fd = one->fd;

	look(one, WATCH_READABLE);
	watch_stop(r->watches, &one->watch, true);
	(void)close(fd);
	one->fd = dup(r->ones[1].fd);
	assert_int_equal(one->fd, fd);
	look(one, WATCH_WRITABLE);
	rounds(r, 1);
	assert_int_equal(one->told, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_tells_what_is_ready, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_all_have_their_turn, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_end_is_told, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_none_is_told_after_it_was_let_go, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_number_comes_back, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
