/* Roles as threads over real sockets: frames both ways, garbage, death, back-pressure. */
#include "agent/process/channel.h"
#include "agent/process/child.h"
#include "agent/process/frame.h"
#include "agent/process/role.h"

#include <fcntl.h>
#include <semaphore.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define BIG_BYTES (900 * 1024)

struct seen {
	unsigned frames;
	size_t bytes;
	bool is_gone;
	bool in_order;
	char how[64];
	bool reject;
	bool wait_for_death; /* nothing is sent before the role's end is shut */
};

static sem_t death;

static enum err on_frame(void *arg, uint16_t type, struct slice payload)
{
	struct seen *s = arg;

	assert_int_equal(type, MESSAGE_PROGRESS);
	s->frames++;
	s->bytes += payload.size;
	return s->reject ? ERR_MALFORMED : ERR_OK;
}

static void on_gone(void *arg, bool in_order, const char *how)
{
	struct seen *s = arg;

	s->is_gone = true;
	s->in_order = in_order;
	(void)snprintf(s->how, sizeof(s->how), "%s", how);
}

static const struct child_events events = { .frame = on_frame, .gone = on_gone };

static enum err run_echo(int fd, struct why *why)
{
	struct channel c;
	struct slice payload;
	uint16_t type;
	enum err e = channel_init(&c, fd);

	(void)why;
	while (e == ERR_OK) {
		e = channel_read(&c, &type, &payload);
		if (e == ERR_OK && type == MESSAGE_FINISH)
			break;
		if (e == ERR_OK)
			e = channel_write(&c, MESSAGE_PROGRESS, payload);
	}
	channel_fini(&c);
	return e;
}

static enum err run_garbage(int fd, struct why *why)
{
	static const uint8_t garbage[64] = { 0xff, 0xff, 0xff, 0xff };
	char byte;

	(void)why;
	(void)!write(fd, garbage, sizeof(garbage));
	(void)!read(fd, &byte, 1);
	return ERR_OK;
}

static enum err run_failing(int fd, struct why *why)
{
	(void)why;
	(void)shutdown(fd, SHUT_RDWR);
	(void)sem_post(&death);
	return ERR_IO;
}

static void run(const struct role *role, struct seen *s, unsigned frames, size_t size)
{
	uv_loop_t loop;
	struct child *child;
	struct child_start start = {
		.loop = &loop, .role = role, .in_thread = true, .events = &events, .arg = s
	};
	uint8_t *bytes = calloc(1, size + 1);

	assert_int_equal(uv_loop_init(&loop), 0);
	assert_int_equal(child_new(&start, &child, NULL), ERR_OK);
	if (s->wait_for_death)
		assert_int_equal(sem_wait(&death), 0);
	for (unsigned i = 0; i < frames; i++)
		assert_int_equal(child_send(child, MESSAGE_WORK, slice_of(bytes, size)), ERR_OK);
	assert_int_equal(child_send(child, MESSAGE_FINISH, slice_of(NULL, 0)), ERR_OK);
	assert_int_equal(uv_run(&loop, UV_RUN_DEFAULT), 0);
	assert_int_equal(uv_loop_close(&loop), 0);
	assert_true(s->is_gone);
	free(bytes);
}

#define INHERITED_FD 20

static enum err run_counting(int fd, struct why *why)
{
	(void)why;
	return fcntl(fd, F_GETFD) >= 0 && fcntl(INHERITED_FD, F_GETFD) < 0 ? ERR_OK : ERR_IO;
}

/* A shell or a service manager may leave more open than it means to. */
static void test_inherits_nothing(void **state)
{
	const struct role role = { .name = "counting", .run = run_counting };
	int ends[2];
	int status;
	pid_t pid;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		if (dup2(ends[0], INHERITED_FD) < 0 || dup2(ends[1], ROLE_FD) < 0)
			_exit(2);
		_exit(role_main(&role));
	}
	(void)close(ends[1]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	(void)close(ends[0]);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void test_echo(void **state)
{
	const struct role role = { .name = "echo", .run = run_echo };
	struct seen s = { 0 };

	(void)state;
	run(&role, &s, 50, FRAME_BYTES_MAX);
	assert_int_equal(s.frames, 50);
	assert_int_equal(s.bytes, 50UL * FRAME_BYTES_MAX);
	assert_true(s.in_order);
	assert_string_equal(s.how, "ended");
}

static void test_garbage(void **state)
{
	const struct role role = { .name = "garbage", .run = run_garbage };
	struct seen s = { 0 };

	(void)state;
	run(&role, &s, 0, 0);
	assert_false(s.in_order);
	assert_string_equal(s.how, "sent garbage");
}

static void test_rejected_frame(void **state)
{
	const struct role role = { .name = "echo", .run = run_echo };
	struct seen s = { .reject = true };

	(void)state;
	run(&role, &s, 3, 10);
	assert_int_equal(s.frames, 1);
	assert_false(s.in_order);
}

/* What is sent to a role that has ended is dropped. */
static void test_failure(void **state)
{
	const struct role role = { .name = "failing", .run = run_failing };
	struct seen s = { .wait_for_death = true };

	(void)state;
	run(&role, &s, 3, 10);
	assert_false(s.in_order);
	assert_string_equal(s.how, err_text(ERR_IO));
}

static void test_frame_limit(void **state)
{
	const uint8_t head[] = { 1, 0, 8, 0, 1, 0 }; /* 524,289 bytes: one over the ceiling */
	struct slice payload;
	uint16_t type;

	(void)state;
	assert_int_equal(frame_read(slice_of(head, sizeof(head)), &type, &payload), ERR_MALFORMED);
	assert_int_equal(frame_read(slice_of(head, 5), &type, &payload), ERR_BUSY);
}

static void test_finding_pieces(void **state)
{
	struct finding_piece head = { .id = 7,
		.kind = FINDING_FILE,
		.scanner = slice_text("files"),
		.place = slice_text("file:///x") };
	uint8_t *data = malloc(BIG_BYTES);
	struct channel c;
	struct slice payload;
	uint16_t type;
	size_t got = 0;
	int pair[2];

	(void)state;
	memset(data, 'x', BIG_BYTES);
	assert_int_equal(uv_socketpair(SOCK_STREAM, 0, pair, 0, 0), 0);
	if (fork() == 0) {
		struct channel out;

		if (channel_init(&out, pair[1]) != ERR_OK ||
			channel_finding(&out, &head, slice_of(data, BIG_BYTES)) != ERR_OK)
			_exit(1);
		_exit(0);
	}
	(void)close(pair[1]);
	assert_int_equal(channel_init(&c, pair[0]), ERR_OK);
	for (bool last = false; !last;) {
		struct finding_piece piece;

		assert_int_equal(channel_read(&c, &type, &payload), ERR_OK);
		assert_int_equal(type, MESSAGE_FINDING);
		assert_int_equal(finding_piece_decode(payload, &piece), ERR_OK);
		assert_int_equal(piece.id, 7);
		assert_int_equal(piece.is_first, got == 0);
		got += piece.data.size;
		last = piece.is_last;
	}
	assert_int_equal(got, BIG_BYTES);
	assert_int_equal(channel_read(&c, &type, &payload), ERR_CLOSED);
	channel_fini(&c);
	(void)close(pair[0]);
	free(data);
}

/* Every truncation and every flipped byte is refused or decoded, never read past. */
static void test_hostile_pieces(void **state)
{
	struct finding_piece head = { .id = 7,
		.is_first = true,
		.is_last = true,
		.kind = FINDING_FILE,
		.total = 3,
		.scanner = slice_text("files"),
		.place = slice_text("file:///x"),
		.owner = { .is_known = true, .mode = 0640, .uid = 70000, .gid = 115 },
		.data = slice_text("abc") };
	struct finding_piece piece;
	struct buffer out;

	(void)state;
	buffer_init(&out, 1024);
	finding_piece_encode(&out, &head);
	for (size_t size = 0; size < out.size; size++)
		assert_int_equal(
			finding_piece_decode(slice_of(out.data, size), &piece), ERR_MALFORMED);
	for (size_t i = 0; i < out.size; i++) {
		out.data[i] ^= 0xff;
		(void)!finding_piece_decode(buffer_bytes(&out), &piece);
		out.data[i] ^= 0xff;
	}
	assert_int_equal(finding_piece_decode(buffer_bytes(&out), &piece), ERR_OK);
	assert_true(piece.owner.is_known);
	assert_int_equal(piece.owner.mode, 0640);
	assert_int_equal(piece.owner.uid, 70000);
	assert_int_equal(piece.owner.gid, 115);
	buffer_fini(&out);
}

/* --- files -------------------------------------------------------------------------------------- */

/* From one child through main to another, as the reader's go to a parser. */
struct relay {
	uv_loop_t loop;
	struct child *from;
	struct child *to;
	unsigned passed;  /* frames with a file */
	unsigned refused; /* frames whose file was none */
	unsigned told;    /* what the second said of them */
	unsigned gone;
};

enum kind { KIND_FILE, KIND_WRITABLE, KIND_PATH, KIND_PIPE, KINDS };

#define RELAYED 50
#define FILE_TEXT "what is in it"

static int open_kind(enum kind kind)
{
	static const int flags[] = { O_RDONLY, O_RDWR, O_PATH };
	char path[] = "/tmp/leafwatch-test-XXXXXX";
	int pipe_fds[2];
	int fd;

	if (kind == KIND_PIPE) {
		if (pipe(pipe_fds) != 0)
			return -1;
		(void)close(pipe_fds[1]);
		return pipe_fds[0];
	}
	fd = mkstemp(path);
	if (fd < 0 || write(fd, FILE_TEXT, sizeof(FILE_TEXT)) != sizeof(FILE_TEXT))
		return -1;
	(void)close(fd);
	fd = open(path, flags[kind] | O_CLOEXEC);
	(void)unlink(path);
	return fd;
}

static enum err run_opener(int fd, struct why *why)
{
	struct finding_piece head = { .kind = FINDING_FILE,
		.scanner = slice_text("files"),
		.place = slice_text("file:///x") };
	struct channel c;
	enum err e = channel_init(&c, fd);

	(void)why;
	for (unsigned i = 0; e == ERR_OK && i < RELAYED * KINDS; i++) {
		int file = open_kind((enum kind)(i % KINDS));

		head.id = i;
		head.total = i % KINDS;
		e = file < 0 ? ERR_IO : channel_finding_file(&c, &head, file);
		(void)close(file);
		/* And frames without one between them. */
		if (e == ERR_OK)
			e = channel_write(&c, MESSAGE_PROGRESS, slice_text("x"));
	}
	channel_fini(&c);
	return e;
}

static enum err run_user(int fd, struct why *why)
{
	char text[sizeof(FILE_TEXT) + 1];
	struct channel c;
	struct slice payload;
	uint16_t type;
	enum err e = channel_init(&c, fd);

	(void)why;
	while (e == ERR_OK) {
		int file;

		e = channel_read(&c, &type, &payload);
		if (e != ERR_OK || type == MESSAGE_FINISH)
			break;
		file = channel_take_file(&c);
		if (pread(file, text, sizeof(text), 0) == sizeof(FILE_TEXT) &&
			strcmp(text, FILE_TEXT) == 0)
			e = channel_number(&c, MESSAGE_WORK_DONE, 1);
		else
			e = ERR_MALFORMED;
		(void)close(file);
	}
	channel_fini(&c);
	return e;
}

static enum err on_opened(void *arg, uint16_t type, struct slice payload)
{
	struct relay *r = arg;
	struct finding_piece piece;
	struct child_file *file;

	if (type != MESSAGE_FINDING)
		return ERR_OK;
	assert_int_equal(finding_piece_decode(payload, &piece), ERR_OK);
	assert_true(piece.has_file);
	file = child_take_file(r->from);
	assert_int_equal(file != NULL, piece.total == KIND_FILE);
	if (!file) {
		r->refused++;
		return ERR_OK;
	}
	/* Twice, as where a parser has died. */
	for (int i = 0; i < 2; i++)
		assert_int_equal(child_send_file(r->to, type, payload, file), ERR_OK);
	child_file_drop(file);
	r->passed++;
	return ERR_OK;
}

static enum err on_told(void *arg, uint16_t type, struct slice payload)
{
	struct relay *r = arg;

	(void)payload;
	assert_int_equal(type, MESSAGE_WORK_DONE);
	r->told++;
	return ERR_OK;
}

static void on_opener_gone(void *arg, bool in_order, const char *how)
{
	struct relay *r = arg;

	(void)how;
	assert_true(in_order);
	r->gone++;
	assert_int_equal(child_send(r->to, MESSAGE_FINISH, slice_of(NULL, 0)), ERR_OK);
}

static void on_user_gone(void *arg, bool in_order, const char *how)
{
	struct relay *r = arg;

	(void)how;
	assert_true(in_order);
	r->gone++;
}

static unsigned open_descriptors(void)
{
	unsigned count = 0;

	for (int fd = 0; fd < 1024; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

static void test_files(void **state)
{
	static const struct role opener = {
		.name = "opener", .needs = ROLE_PASSES_FILES, .run = run_opener
	};
	static const struct role user = {
		.name = "user", .needs = ROLE_PASSES_FILES, .run = run_user
	};
	static const struct child_events opened = { .frame = on_opened, .gone = on_opener_gone };
	static const struct child_events told = { .frame = on_told, .gone = on_user_gone };
	struct relay r = { 0 };
	struct child_start from = {
		.loop = &r.loop, .role = &opener, .in_thread = true, .events = &opened, .arg = &r
	};
	struct child_start to = {
		.loop = &r.loop, .role = &user, .in_thread = true, .events = &told, .arg = &r
	};
	unsigned before = open_descriptors();

	(void)state;
	assert_int_equal(uv_loop_init(&r.loop), 0);
	assert_int_equal(child_new(&to, &r.to, NULL), ERR_OK);
	assert_int_equal(child_new(&from, &r.from, NULL), ERR_OK);
	assert_int_equal(uv_run(&r.loop, UV_RUN_DEFAULT), 0);
	assert_int_equal(uv_loop_close(&r.loop), 0);
	assert_int_equal(r.gone, 2);
	assert_int_equal(r.passed, RELAYED);
	assert_int_equal(r.refused, RELAYED * (KINDS - 1));
	assert_int_equal(r.told, 2 * RELAYED);
	assert_int_equal(open_descriptors(), before);
}

/* Files that nobody takes do not gather. */
static enum err on_ignored(void *arg, uint16_t type, struct slice payload)
{
	struct seen *s = arg;

	(void)type;
	(void)payload;
	s->frames++;
	return ERR_OK;
}

static void test_too_many_files(void **state)
{
	static const struct role opener = {
		.name = "opener", .needs = ROLE_PASSES_FILES, .run = run_opener
	};
	static const struct child_events ignoring = { .frame = on_ignored, .gone = on_gone };
	struct seen s = { 0 };
	struct child *child;
	uv_loop_t loop;
	struct child_start start = {
		.loop = &loop, .role = &opener, .in_thread = true, .events = &ignoring, .arg = &s
	};
	unsigned before = open_descriptors();

	(void)state;
	assert_int_equal(uv_loop_init(&loop), 0);
	assert_int_equal(child_new(&start, &child, NULL), ERR_OK);
	assert_int_equal(uv_run(&loop, UV_RUN_DEFAULT), 0);
	assert_int_equal(uv_loop_close(&loop), 0);
	assert_string_equal(s.how, "sent garbage");
	assert_true(s.frames < 2 * RELAYED);
	assert_int_equal(open_descriptors(), before);
}

/* That the end was left out is said by a last piece with bytes. */
static void test_cut_pieces(void **state)
{
	struct finding_piece head = {
		.id = 7, .is_last = true, .is_cut = true, .data = slice_text("abc")
	};
	struct finding_piece piece;
	struct buffer out;

	(void)state;
	buffer_init(&out, 1024);
	finding_piece_encode(&out, &head);
	assert_int_equal(finding_piece_decode(buffer_bytes(&out), &piece), ERR_OK);
	assert_true(piece.is_cut);
	for (int i = 0; i < 3; i++) {
		struct finding_piece wrong = head;

		wrong.is_last = i != 0;
		wrong.is_abandoned = i == 1;
		wrong.has_file = i == 2;
		wrong.data = slice_text("");
		buffer_clear(&out);
		finding_piece_encode(&out, &wrong);
		assert_int_equal(finding_piece_decode(buffer_bytes(&out), &piece), ERR_MALFORMED);
	}
	buffer_fini(&out);
}

/* A file is the whole of a finding, and comes with its last piece. */
static void test_file_pieces(void **state)
{
	struct finding_piece head = { .id = 7, .is_last = true, .has_file = true };
	struct finding_piece piece;
	struct buffer out;

	(void)state;
	buffer_init(&out, 1024);
	finding_piece_encode(&out, &head);
	assert_int_equal(finding_piece_decode(buffer_bytes(&out), &piece), ERR_OK);
	assert_true(piece.has_file);
	assert_false(piece.is_cut);
	for (int i = 0; i < 3; i++) {
		struct finding_piece wrong = head;

		wrong.is_last = i != 0;
		wrong.is_abandoned = i == 1;
		wrong.data = slice_text(i == 2 ? "x" : "");
		buffer_clear(&out);
		finding_piece_encode(&out, &wrong);
		assert_int_equal(finding_piece_decode(buffer_bytes(&out), &piece), ERR_MALFORMED);
	}
	buffer_fini(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_echo),
		cmocka_unit_test(test_inherits_nothing),
		cmocka_unit_test(test_garbage),
		cmocka_unit_test(test_rejected_frame),
		cmocka_unit_test(test_failure),
		cmocka_unit_test(test_frame_limit),
		cmocka_unit_test(test_finding_pieces),
		cmocka_unit_test(test_hostile_pieces),
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_too_many_files),
		cmocka_unit_test(test_file_pieces),
		cmocka_unit_test(test_cut_pieces),
	};

	/* As whoever uses children has to: libuv writes without MSG_NOSIGNAL. */
	(void)signal(SIGPIPE, SIG_IGN);
	if (sem_init(&death, 0, 0) != 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
