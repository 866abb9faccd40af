/* Frames that a role gathers: when they go out, and in what order. */
#include "agent/process/channel.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#define TYPE 7
#define LARGE_BYTES 40000
#define MANY 20000

struct pair {
	struct channel role;
	struct channel main;
	int fds[2];
};

static int set_up(void **state)
{
	struct pair *p = calloc(1, sizeof(*p));

	assert_non_null(p);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, p->fds), 0);
	assert_int_equal(channel_init(&p->role, p->fds[0]), ERR_OK);
	assert_int_equal(channel_init(&p->main, p->fds[1]), ERR_OK);
	*state = p;
	return 0;
}

static int tear_down(void **state)
{
	struct pair *p = *state;

	channel_fini(&p->role);
	channel_fini(&p->main);
	(void)close(p->fds[0]);
	if (p->fds[1] >= 0)
		(void)close(p->fds[1]);
	free(p);
	return 0;
}

static void tell(struct pair *p, const char *text)
{
	assert_int_equal(channel_write(&p->role, TYPE, slice_text(text)), ERR_OK);
}

static bool has_come(const struct pair *p)
{
	struct pollfd f = { .fd = p->fds[1], .events = POLLIN };

	return channel_has_frame(&p->main) || poll(&f, 1, 0) == 1;
}

static void assert_next(struct pair *p, const char *text)
{
	struct slice payload;
	uint16_t type;

	assert_true(has_come(p));
	assert_int_equal(channel_read(&p->main, &type, &payload), ERR_OK);
	assert_int_equal(type, TYPE);
	assert_int_equal(payload.size, strlen(text));
	assert_memory_equal(payload.data, text, payload.size);
}

static void test_at_once_where_nobody_gathers(void **state)
{
	struct pair *p = *state;

	tell(p, "one");
	assert_next(p, "one");
	assert_int_equal(channel_flush(&p->role), ERR_OK);
	assert_false(has_come(p));
}

static void test_gathered(void **state)
{
	struct pair *p = *state;

	channel_gather(&p->role);
	tell(p, "one");
	tell(p, "");
	tell(p, "three");
	assert_false(has_come(p));
	assert_int_equal(channel_flush(&p->role), ERR_OK);
	assert_next(p, "one");
	assert_next(p, "");
	assert_next(p, "three");
	assert_false(has_come(p));
}

static void test_large_frame_comes_after_those_before_it(void **state)
{
	static char large[LARGE_BYTES + 1];
	struct pair *p = *state;

	memset(large, 'x', LARGE_BYTES);
	channel_gather(&p->role);
	tell(p, "one");
	tell(p, large);
	tell(p, "three");
	assert_next(p, "one");
	assert_next(p, large);
	assert_false(has_come(p));
	assert_int_equal(channel_flush(&p->role), ERR_OK);
	assert_next(p, "three");
}

static void test_file_goes_at_once(void **state)
{
	const struct finding_piece head = {
		.id = 1, .scanner = slice_text("files"), .place = slice_text("file:///x")
	};
	struct pair *p = *state;
	struct slice payload;
	uint16_t type;
	int fd;

	channel_gather(&p->role);
	tell(p, "one");
	assert_int_equal(channel_finding_file(&p->role, &head, STDIN_FILENO), ERR_OK);
	assert_next(p, "one");
	assert_int_equal(channel_read(&p->main, &type, &payload), ERR_OK);
	assert_int_equal(type, MESSAGE_FINDING);
	fd = channel_take_file(&p->main);
	assert_true(fd >= 0);
	(void)close(fd);
}

static void *tell_from_another(void *arg)
{
	tell(arg, "two");
	return NULL;
}

/* It may wait for the answer while the one that gathers sleeps. */
static void test_another_thread_does_not_wait(void **state)
{
	struct pair *p = *state;
	pthread_t thread;

	channel_gather(&p->role);
	tell(p, "one");
	assert_int_equal(pthread_create(&thread, NULL, tell_from_another, p), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_next(p, "one");
	assert_next(p, "two");
}

static void *read_all(void *arg)
{
	struct pair *p = arg;
	struct slice payload;
	uint16_t type;

	for (uint32_t i = 0; i < MANY; i++) {
		uint32_t number;

		assert_int_equal(channel_read(&p->main, &type, &payload), ERR_OK);
		assert_int_equal(payload.size, sizeof(number));
		memcpy(&number, payload.data, sizeof(number));
		assert_int_equal(number, i);
	}
	return NULL;
}

/* More than the socket holds: what is gathered has a bound, and the order stays. */
static void test_many(void **state)
{
	struct pair *p = *state;
	pthread_t thread;

	channel_gather(&p->role);
	assert_int_equal(pthread_create(&thread, NULL, read_all, p), 0);
	for (uint32_t i = 0; i < MANY; i++) {
		assert_int_equal(
			channel_write(&p->role, TYPE, slice_of((const uint8_t *)&i, sizeof(i))),
			ERR_OK);
		assert_true(p->role.out.size <= p->role.out.ceiling);
	}
	assert_int_equal(channel_flush(&p->role), ERR_OK);
	assert_int_equal(pthread_join(thread, NULL), 0);
}

static void test_main_is_gone(void **state)
{
	struct pair *p = *state;

	channel_gather(&p->role);
	tell(p, "one");
	(void)close(p->fds[1]);
	p->fds[1] = -1;
	assert_int_equal(channel_flush(&p->role), ERR_CLOSED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			test_at_once_where_nobody_gathers, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_gathered, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_large_frame_comes_after_those_before_it, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_file_goes_at_once, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_another_thread_does_not_wait, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_many, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_main_is_gone, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
