/* A thread that hangs in a dead file system: noticed, told, replaced, left behind. No such file system
 * is at hand, so the thread is one that only claims to be busy. */
#include "scanners/files/walk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

struct scene {
	struct walk walk;
	struct channel ours;
	struct channel theirs;
	int pair[2];
};

static void open_scene(struct scene *s)
{
	struct files_options options = {
		.threads = 1, .file_bytes_max = 1000, .text_bytes_max = 1000
	};
	struct root_item item = { .path = slice_text("/nowhere") };

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, s->pair), 0);
	assert_int_equal(channel_init(&s->ours, s->pair[0]), ERR_OK);
	assert_int_equal(channel_init(&s->theirs, s->pair[1]), ERR_OK);
	assert_int_equal(walk_init(&s->walk, &s->theirs, &options), ERR_OK);
	assert_int_equal(walk_want_root(&s->walk, 5, &item), ERR_OK);
}

static void close_scene(struct scene *s)
{
	walk_fini(&s->walk);
	channel_fini(&s->ours);
	channel_fini(&s->theirs);
	(void)close(s->pair[0]);
	(void)close(s->pair[1]);
}

/* A worker without a thread, that has taken the next unit. */
static struct worker *pretend(struct walk *w)
{
	struct worker *worker = calloc(1, sizeof(*worker));

	assert_non_null(worker);
	worker->walk = w;
	buffer_init(&worker->path, 1000);
	buffer_init(&worker->uri, 1000);
	w->workers[w->workers_count++] = worker;
	assert_non_null(queue_take(worker));
	assert_int_equal(atomic_load(&worker->state), WORKER_BUSY);
	return worker;
}

static void expect_timeout(struct scene *s)
{
	struct slice payload;
	struct record r;
	uint16_t type;

	assert_int_equal(channel_read(&s->ours, &type, &payload), ERR_OK);
	assert_int_equal(type, MESSAGE_RECORD);
	assert_int_equal(record_decode(payload, &r), ERR_OK);
	assert_int_equal(r.problem.reason, REASON_TIMEOUT);
	assert_string_equal(r.location.uri, "file:///nowhere");
	record_fini(&r);
}

/* What the real thread would do when it is let go. */
static void free_stray(struct worker *worker)
{
	struct unit *u = worker->unit;

	queue_done(worker, u);
	free(u);
	buffer_fini(&worker->uri);
}

static void test_resolving_hangs(void **state)
{
	struct scene s;
	struct worker *worker;
	struct slice payload;
	uint16_t type;

	(void)state;
	open_scene(&s);
	worker = pretend(&s.walk);
	assert_int_equal(worker->unit->kind, UNIT_RESOLVE);
	assert_int_equal(walk_watch(&s.walk, 1000, 100), ERR_OK);
	assert_int_equal(atomic_load(&worker->state), WORKER_BUSY);
	assert_int_equal(walk_watch(&s.walk, 1099, 100), ERR_OK);
	assert_int_equal(atomic_load(&worker->state), WORKER_BUSY);
	/* It moves, so it does not hang. */
	atomic_fetch_add(&worker->steps, 1);
	assert_int_equal(walk_watch(&s.walk, 1150, 100), ERR_OK);
	assert_int_equal(atomic_load(&worker->state), WORKER_BUSY);
	assert_int_equal(walk_watch(&s.walk, 1250, 100), ERR_OK);
	assert_int_equal(atomic_load(&worker->state), WORKER_LEFT_BEHIND);
	expect_timeout(&s);
	/* A new thread goes on and ends the work. */
	assert_int_equal(s.walk.workers_count, 2);
	assert_int_equal(channel_read(&s.ours, &type, &payload), ERR_OK);
	assert_int_equal(type, MESSAGE_WORK_DONE);
	while (!walk_is_done(&s.walk))
		(void)usleep(1000);
	/* The one that was left behind may not speak any more. */
	assert_int_equal(
		tell_problem(worker, slice_of(NULL, 0), REASON_UNREADABLE, "late"), ERR_CLOSED);
	assert_true(walk_has_strays(&s.walk));
	free_stray(worker);
	/* The pretended one has no thread that could be waited for. */
	s.walk.workers[0] = s.walk.workers[1];
	s.walk.workers_count = 1;
	walk_stop(&s.walk);
	assert_false(walk_has_strays(&s.walk));
	free(worker);
	close_scene(&s);
}

static void test_telling_is_not_hanging(void **state)
{
	struct scene s;
	struct worker *worker;

	(void)state;
	open_scene(&s);
	worker = pretend(&s.walk);
	atomic_store(&worker->state, WORKER_TELLING);
	assert_int_equal(walk_watch(&s.walk, 1000, 100), ERR_OK);
	assert_int_equal(walk_watch(&s.walk, 100000, 100), ERR_OK);
	assert_int_equal(atomic_load(&worker->state), WORKER_TELLING);
	atomic_store(&worker->state, WORKER_BUSY);
	queue_done(worker, worker->unit);
	close_scene(&s);
}

static void test_too_many_hang(void **state)
{
	struct scene s;
	struct worker *worker;
	struct slice payload;
	uint16_t type;

	(void)state;
	open_scene(&s);
	worker = pretend(&s.walk);
	s.walk.stuck = STUCK_THREADS_MAX - 1;
	assert_int_equal(walk_watch(&s.walk, 1000, 100), ERR_OK);
	assert_int_equal(walk_watch(&s.walk, 2000, 100), ERR_OK);
	/* Nobody is started any more; the start of the root is given up, too. */
	assert_int_equal(s.walk.workers_count, 1);
	expect_timeout(&s);
	expect_timeout(&s);
	assert_int_equal(channel_read(&s.ours, &type, &payload), ERR_OK);
	assert_int_equal(type, MESSAGE_WORK_DONE);
	assert_true(walk_is_done(&s.walk));
	free_stray(worker);
	close_scene(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_resolving_hangs),
		cmocka_unit_test(test_telling_is_not_hanging),
		cmocka_unit_test(test_too_many_hang),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
