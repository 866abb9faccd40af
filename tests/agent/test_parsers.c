/* The pool of parsers, with the real parser role in a thread: what overtakes what, what is forgotten, what is
 * sent again. */
#include "agent/parsers.h"

#include "agent/base/clock.h"
#include "agent/base/wire.h"
#include "agent/process/channel.h"
#include "agent/process/child.h"
#include "scanners/parser.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#define NOW 1790000000
#define SMALL_COUNT 5
#define PIECE_BYTES 1000
#define TICK_MS 20
#define DEADLINE_MS 30000

static const struct parser_options no_options;

struct run {
	uv_loop_t loop;
	uv_timer_t timer;
	struct parsers *pool;
	char order[256]; /* owners as they were done, "!" behind those that crashed */
	unsigned records;
	unsigned crashes; /* records that say so */
	unsigned left;
	int64_t until_ms;
};

struct owner {
	struct run *run;
	char name;
};

static enum err on_record(void *arg, const struct record *r)
{
	struct owner *o = arg;

	o->run->records++;
	if (r->kind == RECORD_PROBLEM && r->problem.reason == REASON_PARSER_CRASHED)
		o->run->crashes++;
	assert_int_equal(r->location.uri[strlen("file:///")], o->name);
	return ERR_OK;
}

static void on_done(void *arg, bool crashed)
{
	struct owner *o = arg;
	size_t size = strlen(o->run->order);

	(void)snprintf(o->run->order + size, sizeof(o->run->order) - size, "%c%s", o->name,
		crashed ? "!" : "");
	o->run->left--;
}

static void on_sandbox(void *arg, const char *layer, bool is_active)
{
	(void)arg;
	(void)layer;
	(void)is_active;
}

static enum err hand_over(void *arg, frame_send_fn send, void *send_arg)
{
	const struct parser_handover h = { .options = &no_options, .pinned_now = NOW };

	(void)arg;
	return parser_handover(&h, send, send_arg);
}

static const struct parsers_events events = {
	.record = on_record, .done = on_done, .sandbox = on_sandbox
};

static void on_tick(uv_timer_t *timer)
{
	struct run *r = timer->data;

	parsers_tick(r->pool);
	assert_true(clock_monotonic_ms() < r->until_ms);
	if (!r->left)
		uv_stop(&r->loop);
}

static void start(struct run *r, const struct role *role)
{
	const struct parsers_conf conf = { .loop = &r->loop,
		.role = role,
		.in_thread = true,
		.count_max = 1,
		.hand_over = hand_over,
		.events = &events };

	*r = (struct run){ 0 };
	assert_int_equal(uv_loop_init(&r->loop), 0);
	assert_int_equal(uv_timer_init(&r->loop, &r->timer), 0);
	r->timer.data = r;
	assert_int_equal(parsers_new(&conf, &r->pool), ERR_OK);
}

/* Until nothing is left. */
static void settle(struct run *r)
{
	r->until_ms = clock_monotonic_ms() + DEADLINE_MS;
	assert_int_equal(uv_timer_start(&r->timer, on_tick, 0, TICK_MS), 0);
	if (r->left)
		(void)uv_run(&r->loop, UV_RUN_DEFAULT);
	(void)uv_timer_stop(&r->timer);
}

static void stop(struct run *r)
{
	assert_int_equal(parsers_outstanding_bytes(r->pool), 0);
	parsers_free(r->pool);
	uv_close((uv_handle_t *)&r->timer, NULL);
	(void)uv_run(&r->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&r->loop), 0);
}

static struct finding *open_finding(struct run *r, struct owner *o, char name)
{
	char place[] = "file:///?";
	const struct finding_piece head = {
		.kind = FINDING_FILE, .scanner = slice_text("files"), .place = slice_text(place)
	};
	struct finding *f = NULL;
	struct why why = { 0 };

	*o = (struct owner){ .run = r, .name = name };
	place[strlen("file:///")] = name;
	assert_int_equal(parsers_open(r->pool, o, &head, &f, &why), ERR_OK);
	r->left++;
	return f;
}

static void piece(struct run *r, struct finding *f, const char *text, bool is_last)
{
	struct why why = { 0 };

	assert_int_equal(parsers_piece(r->pool, f, slice_text(text), is_last, &why), ERR_OK);
}

/* One record each: a problem. */
static const char malformed[] = "-----BEGIN CERTIFICATE-----\nMAkCAQECAQECAQE=\n"
				"-----END CERTIFICATE-----\n";

/* A large file comes in pieces from one thread while small ones come whole from others. The answers come in
 * the order in which findings become whole; none of it is garbage, for which a parser would be killed. */
static void a_large_one_is_overtaken(void **state)
{
	struct owner large, small[SMALL_COUNT];
	char filler[PIECE_BYTES + 1];
	struct finding *f;
	struct run r;

	(void)state;
	memset(filler, '\n', PIECE_BYTES);
	filler[PIECE_BYTES] = 0;
	start(&r, &parser_role);
	f = open_finding(&r, &large, 'L');
	piece(&r, f, filler, false);
	for (int i = 0; i < SMALL_COUNT; i++) {
		piece(&r, open_finding(&r, &small[i], (char)('a' + i)), malformed, true);
		piece(&r, f, filler, false);
	}
	/* The small ones are answered while the large one is still under way. */
	r.left--;
	settle(&r);
	assert_string_equal(r.order, "abcde");
	r.left++;
	piece(&r, f, malformed, true);
	settle(&r);
	assert_string_equal(r.order, "abcdeL");
	assert_int_equal(r.records, SMALL_COUNT + 1);
	assert_int_equal(r.crashes, 0);
	stop(&r);
}

/* What its sender forgot is forgotten in its turn. */
static void abandoned_and_overtaken(void **state)
{
	struct owner large, small;
	struct finding *f;
	struct run r;

	(void)state;
	start(&r, &parser_role);
	f = open_finding(&r, &large, 'L');
	piece(&r, f, malformed, false);
	piece(&r, open_finding(&r, &small, 'a'), malformed, true);
	parsers_abandon(r.pool, f);
	settle(&r);
	assert_string_equal(r.order, "aL");
	assert_int_equal(r.records, 1);
	assert_int_equal(r.crashes, 0);
	stop(&r);
}

/* --- a parser that dies ------------------------------------------------------------------------ */

static atomic_uint runs;
static atomic_uint files; /* that were what they should be */

static void read_file(int fd)
{
	char text[8];

	if (pread(fd, text, sizeof(text), 0) == 4 && memcmp(text, "live", 4) == 0)
		atomic_fetch_add(&files, 1);
	(void)close(fd);
}

/* Answers each whole finding, but ends on the one that says so. */
static enum err run_mortal(int fd, struct why *why)
{
	struct channel c;
	struct slice payload;
	uint16_t type;
	enum err e = channel_init(&c, fd);

	(void)why;
	atomic_fetch_add(&runs, 1);
	while (e == ERR_OK) {
		struct finding_piece p;
		struct buffer out;

		e = channel_read(&c, &type, &payload);
		if (e != ERR_OK || type != MESSAGE_FINDING)
			continue;
		e = finding_piece_decode(payload, &p);
		if (e == ERR_OK && memmem(p.data.data, p.data.size, "die", 3))
			break;
		if (e != ERR_OK || !p.is_last)
			continue;
		if (p.has_file)
			read_file(channel_take_file(&c));
		buffer_init(&out, sizeof(p.id));
		wire_put_u64(&out, p.id);
		e = channel_write(&c, MESSAGE_FINDING_DONE, buffer_bytes(&out));
		buffer_fini(&out);
	}
	channel_fini(&c);
	return e;
}

static const struct role mortal = { .name = "parser", .run = run_mortal };

/* It alone becomes a problem; what was behind it is sent again, what is not whole yet goes on. */
static void a_parser_that_dies(void **state)
{
	struct owner large, bad, good;
	struct finding *f;
	struct run r;

	(void)state;
	atomic_store(&runs, 0);
	start(&r, &mortal);
	f = open_finding(&r, &large, 'L');
	piece(&r, f, "x", false);
	piece(&r, open_finding(&r, &bad, 'b'), "die", true);
	piece(&r, open_finding(&r, &good, 'g'), "live", true);
	r.left--;
	settle(&r);
	assert_string_equal(r.order, "b!g");
	r.left++;
	piece(&r, f, "y", true);
	settle(&r);
	assert_string_equal(r.order, "b!gL");
	assert_int_equal(r.crashes, 1);
	assert_int_equal(atomic_load(&runs), 2);
	stop(&r);
}

/* --- files -------------------------------------------------------------------------------------- */

static enum err run_opener(int fd, struct why *why)
{
	const struct finding_piece head = { .kind = FINDING_FILE,
		.scanner = slice_text("files"),
		.place = slice_text("file:///g") };
	int file = memfd_create("file", MFD_CLOEXEC);
	char link[64];
	struct channel c;
	enum err e = channel_init(&c, fd);
	int reading;

	(void)why;
	if (write(file, "live", 4) != 4)
		return ERR_IO;
	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", file);
	reading = open(link, O_RDONLY | O_CLOEXEC);
	(void)close(file);
	if (e == ERR_OK)
		e = channel_finding_file(&c, &head, reading);
	(void)close(reading);
	channel_fini(&c);
	return e;
}

struct opener {
	struct run *run;
	struct child *child;
	struct owner bad, good;
	size_t weight;
};

static enum err on_opened(void *arg, uint16_t type, struct slice payload)
{
	struct opener *o = arg;
	struct child_file *file = child_take_file(o->child);
	struct why why = { 0 };
	struct finding *f;

	assert_int_equal(type, MESSAGE_FINDING);
	(void)payload;
	assert_non_null(file);
	piece(o->run, open_finding(o->run, &o->bad, 'b'), "die", true);
	f = open_finding(o->run, &o->good, 'g');
	assert_int_equal(parsers_file(o->run->pool, f, file, &why), ERR_OK);
	child_file_drop(file);
	o->weight = parsers_outstanding_bytes(o->run->pool);
	return ERR_OK;
}

static void on_opener_gone(void *arg, bool in_order, const char *how)
{
	struct opener *o = arg;

	(void)how;
	assert_true(in_order);
	o->run->left--;
}

/* A file is kept until its finding is done: the parser that comes after one that died gets it as well. */
static void a_file_is_sent_again(void **state)
{
	static const struct role opener = {
		.name = "opener", .needs = ROLE_PASSES_FILES, .run = run_opener
	};
	static const struct role mortal_reader = {
		.name = "parser", .needs = ROLE_PASSES_FILES, .run = run_mortal
	};
	static const struct child_events opened = { .frame = on_opened, .gone = on_opener_gone };
	struct run r;
	struct opener o = { .run = &r };
	struct child_start from = {
		.loop = &r.loop, .role = &opener, .in_thread = true, .events = &opened, .arg = &o
	};

	(void)state;
	atomic_store(&runs, 0);
	atomic_store(&files, 0);
	start(&r, &mortal_reader);
	assert_int_equal(child_new(&from, &o.child, NULL), ERR_OK);
	r.left++;
	settle(&r);
	assert_string_equal(r.order, "b!g");
	assert_int_equal(r.crashes, 1);
	assert_int_equal(atomic_load(&runs), 2);
	assert_int_equal(atomic_load(&files), 1);
	/* It counts for more than its frame. */
	assert_true(o.weight > 100000);
	stop(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_large_one_is_overtaken),
		cmocka_unit_test(abandoned_and_overtaken),
		cmocka_unit_test(a_parser_that_dies),
		cmocka_unit_test(a_file_is_sent_again),
	};

	(void)signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
