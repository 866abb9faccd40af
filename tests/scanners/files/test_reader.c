/* The reader on real trees, over a real socket: what it finds, what it says it could not see, and what
 * it does not read again. */
#include "agent/base/clock.h"
#include "agent/base/log.h"
#include "agent/certificate/record.h"
#include "agent/process/channel.h"
#include "scanners/files/options.h"
#include "scanners/files/reader.h"
#include "scanners/files/seen.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define FOUND_MAX 4096
#define CONTENT_BYTES_MAX (32 * 1024 * 1024)
#define PATH_BYTES 4096
#define BEGIN "-----BEGIN CERTIFICATE-----\n"
#define PEM BEGIN "MIIBszCCAVmgAwIBAgIUQw==\n-----END CERTIFICATE-----\n"
#define MIB (1024 * 1024)

#ifdef __SANITIZE_ADDRESS__
#define MANY_FILES 20000
#else
#define MANY_FILES 100000
#endif

/* --- a pass, seen from main -------------------------------------------------------------------- */

struct found {
	uint64_t id;
	char *uri;
	struct buffer data;
	bool is_last;
	bool has_file;
};

struct trouble {
	char *uri;
	enum reason reason;
};

struct outcome {
	struct found found[FOUND_MAX];
	size_t found_count;
	struct trouble problems[FOUND_MAX];
	size_t problems_count;
	struct strings unchanged;
	struct buffer memory;
	uint64_t items;
	unsigned works_done;
	bool has_finished;
	enum err result;
};

struct request {
	struct files_options options;
	bool is_optional;
	const char *message; /* not NULL: the roots are files that a configuration names */
	bool is_transient;
	bool in_process; /* of its own, as in earnest; else in a thread, as with --single */
	struct slice memory;
};

struct reader_end {
	int fd;
	enum err result;
	pthread_t thread;
	pid_t pid;
};

static void *run_reader(void *arg)
{
	struct reader_end *end = arg;
	struct why why = { 0 };

	end->result = reader_role.run(end->fd, &why);
	(void)close(end->fd);
	return NULL;
}

static void start_reader(struct reader_end *end, const int pair[2], bool in_process)
{
	*end = (struct reader_end){ .fd = pair[1] };
	if (!in_process) {
		assert_int_equal(pthread_create(&end->thread, NULL, run_reader, end), 0);
		return;
	}
	end->pid = fork();
	assert_true(end->pid >= 0);
	if (end->pid == 0) {
		struct why why = { 0 };

		(void)close(pair[0]);
		_exit(reader_role.run(pair[1], &why) == ERR_OK ? 0 : 1);
	}
	(void)close(pair[1]);
}

static void wait_for_reader(struct reader_end *end)
{
	int status = 0;

	if (end->pid == 0) {
		assert_int_equal(pthread_join(end->thread, NULL), 0);
		return;
	}
	assert_int_equal(waitpid(end->pid, &status, 0), end->pid);
	end->result = WIFEXITED(status) && WEXITSTATUS(status) == 0 ? ERR_OK : ERR_IO;
}

/* As main does: only what may be read, from its start, and no more than is needed. */
static void take_file(struct found *f, int fd, uint64_t size)
{
	int flags = fcntl(fd, F_GETFL);
	uint8_t block[4096];

	assert_true(fd >= 0);
	assert_int_equal(flags & O_ACCMODE, O_RDONLY);
	for (uint64_t at = 0; at < size && size < CONTENT_BYTES_MAX;) {
		ssize_t n = pread(fd, block, sizeof(block), (off_t)at);

		assert_true(n > 0);
		buffer_append(&f->data, block, (size_t)n);
		at += (uint64_t)n;
	}
	(void)close(fd);
}

static void take_finding(struct outcome *o, struct channel *c, struct slice payload)
{
	struct finding_piece piece;
	size_t i = 0;

	assert_int_equal(finding_piece_decode(payload, &piece), ERR_OK);
	assert_false(piece.is_abandoned);
	while (i < o->found_count && o->found[i].id != piece.id)
		i++;
	assert_true(piece.is_first == (i == o->found_count));
	assert_true(i < FOUND_MAX);
	if (piece.is_first) {
		assert_int_equal(piece.kind, FINDING_FILE);
		assert_true(piece.owner.is_known);
		assert_true(piece.owner.mode & 0400);
		o->found[i].id = piece.id;
		o->found[i].uri = string_of(piece.place);
		buffer_init(&o->found[i].data, CONTENT_BYTES_MAX);
		o->found_count++;
	}
	assert_false(o->found[i].is_last);
	buffer_slice(&o->found[i].data, piece.data);
	o->found[i].has_file = piece.has_file;
	if (piece.has_file)
		take_file(&o->found[i], channel_take_file(c), piece.total);
	o->found[i].is_last = piece.is_last;
}

static void take_problem(struct outcome *o, struct slice payload)
{
	struct record r;

	assert_int_equal(record_decode(payload, &r), ERR_OK);
	assert_int_equal(r.kind, RECORD_PROBLEM);
	assert_string_equal(r.location.scanner, "files");
	assert_true(o->problems_count < FOUND_MAX);
	o->problems[o->problems_count++] =
		(struct trouble){ .uri = strdup(r.location.uri), .reason = r.problem.reason };
	record_fini(&r);
}

static void take(struct outcome *o, struct channel *c, uint16_t type, struct slice payload)
{
	struct progress progress;

	switch (type) {
	case MESSAGE_FINDING:
		take_finding(o, c, payload);
		break;
	case MESSAGE_RECORD:
		take_problem(o, payload);
		break;
	case MESSAGE_UNCHANGED:
		assert_int_equal(strings_add_slice(&o->unchanged, payload), ERR_OK);
		break;
	case MESSAGE_PROGRESS:
		assert_int_equal(progress_decode(payload, &progress), ERR_OK);
		assert_true(progress.items >= o->items);
		o->items = progress.items;
		break;
	case MESSAGE_MEMORY:
		buffer_slice(&o->memory, payload);
		break;
	case MESSAGE_WORK_DONE:
		o->works_done++;
		break;
	case MESSAGE_FINISHED:
		o->has_finished = true;
		break;
	default:
		fail_msg("a message of type %u", type);
	}
}

static void send_setup(struct channel *c, const struct request *r)
{
	struct setup setup = { .pinned_now = TIME_UNKNOWN,
		.log_level = LOG_LEVEL_ERROR,
		.is_transient = r->is_transient };
	struct buffer inner;
	struct buffer frame;

	buffer_init(&inner, FRAME_BYTES_MAX);
	buffer_init(&frame, FRAME_BYTES_MAX);
	files_options_encode(&inner, &r->options);
	setup.options = buffer_bytes(&inner);
	setup_encode(&frame, &setup);
	assert_int_equal(channel_write(c, MESSAGE_SETUP, buffer_bytes(&frame)), ERR_OK);
	buffer_fini(&inner);
	buffer_fini(&frame);
}

static void send_root(
	struct channel *c, uint64_t id, const char *path, const struct request *request)
{
	struct root_item item = { .is_optional = request->is_optional,
		.path = slice_text(path),
		.message = slice_text(request->message ? request->message : "") };
	struct work work = { .id = id, .place = slice_text("file:///") };
	struct buffer inner;
	struct buffer frame;

	buffer_init(&inner, FRAME_BYTES_MAX);
	buffer_init(&frame, FRAME_BYTES_MAX);
	root_item_encode(&inner, &item);
	work.item = buffer_bytes(&inner);
	work_encode(&frame, &work);
	assert_int_equal(channel_write(c, MESSAGE_WORK, buffer_bytes(&frame)), ERR_OK);
	buffer_fini(&inner);
	buffer_fini(&frame);
}

static void send_request(struct channel *c, const struct request *r)
{
	struct slice left = r->memory;

	send_setup(c, r);
	while (left.size) {
		size_t size = left.size < 100000 ? left.size : 100000;

		assert_int_equal(
			channel_write(c, MESSAGE_MEMORY, slice_of(left.data, size)), ERR_OK);
		left = slice_after(left, size);
	}
	for (size_t i = 0; i < r->options.roots.count; i++)
		send_root(c, i + 1, r->options.roots.items[i], r);
	assert_int_equal(channel_write(c, MESSAGE_FINISH, slice_of(NULL, 0)), ERR_OK);
}

static struct outcome *pass(const struct request *r)
{
	struct outcome *o = calloc(1, sizeof(*o));
	struct reader_end end;
	struct channel c;
	struct slice payload;
	int pair[2];
	uint16_t type;

	assert_non_null(o);
	buffer_init(&o->memory, CONTENT_BYTES_MAX);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	assert_int_equal(channel_init(&c, pair[0]), ERR_OK);
	start_reader(&end, pair, r->in_process);
	send_request(&c, r);
	while (channel_read(&c, &type, &payload) == ERR_OK)
		take(o, &c, type, payload);
	wait_for_reader(&end);
	o->result = end.result;
	channel_fini(&c);
	(void)close(pair[0]);
	assert_int_equal(o->result, ERR_OK);
	assert_true(o->has_finished);
	assert_int_equal(o->works_done, r->options.roots.count);
	for (size_t i = 0; i < o->found_count; i++)
		assert_true(o->found[i].is_last);
	return o;
}

static void outcome_free(struct outcome *o)
{
	for (size_t i = 0; i < o->found_count; i++) {
		free(o->found[i].uri);
		buffer_fini(&o->found[i].data);
	}
	for (size_t i = 0; i < o->problems_count; i++)
		free(o->problems[i].uri);
	strings_fini(&o->unchanged);
	buffer_fini(&o->memory);
	free(o);
}

static const struct found *find(const struct outcome *o, const char *root, const char *below)
{
	char uri[2 * PATH_BYTES];

	(void)snprintf(uri, sizeof(uri), "file://%s%s", root, below);
	for (size_t i = 0; i < o->found_count; i++)
		if (strcmp(o->found[i].uri, uri) == 0)
			return &o->found[i];
	return NULL;
}

static size_t count_problems(const struct outcome *o, enum reason reason, const char *end)
{
	size_t count = 0;

	for (size_t i = 0; i < o->problems_count; i++) {
		const char *uri = o->problems[i].uri;

		count += o->problems[i].reason == reason && strlen(uri) >= strlen(end) &&
			 strcmp(uri + strlen(uri) - strlen(end), end) == 0;
	}
	return count;
}

/* --- trees ------------------------------------------------------------------------------------- */

struct tree {
	char root[PATH_BYTES];
	struct request request;
};

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static int set_up(void **state)
{
	struct tree *t = calloc(1, sizeof(*t));
	const char *folder = getenv("TMPDIR");
	char *real;

	if (!t)
		return -1;
	(void)snprintf(t->root, sizeof(t->root), "%s/reader-XXXXXX", folder ? folder : "/tmp");
	if (!mkdtemp(t->root))
		return -1;
	real = realpath(t->root, NULL);
	(void)snprintf(t->root, sizeof(t->root), "%s", real);
	free(real);
	t->request.options = (struct files_options){ .threads = 8,
		.file_bytes_max = 8 * MIB,
		.text_bytes_max = 64 * MIB,
		.config_bytes_max = MIB };
	if (strings_add(&t->request.options.roots, t->root) != ERR_OK)
		return -1;
	*state = t;
	return 0;
}

/* For a scan that nothing is remembered of. */
static int set_up_once(void **state)
{
	struct tree *t;

	if (set_up(state) != 0)
		return -1;
	t = *state;
	t->request.is_transient = true;
	return 0;
}

static int tear_down(void **state)
{
	struct tree *t = *state;

	(void)nftw(t->root, remove_entry, 64, FTW_DEPTH | FTW_PHYS);
	files_options_fini(&t->request.options);
	free(t);
	return 0;
}

static const char *at(const struct tree *t, const char *below)
{
	static _Thread_local char path[8][2 * PATH_BYTES];
	static _Thread_local unsigned next;

	next = (next + 1) % 8;
	(void)snprintf(path[next], sizeof(path[next]), "%s%s", t->root, below);
	return path[next];
}

/* Written long ago, unless `fresh`: what is fresh is never taken for unchanged. The change time cannot
 * be set, so tests that need it wait. */
static void put_bytes(const struct tree *t, const char *below, struct slice bytes)
{
	int fd = open(at(t, below), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	while (bytes.size) {
		ssize_t n = write(fd, bytes.data, bytes.size);

		assert_true(n > 0);
		bytes = slice_after(bytes, (size_t)n);
	}
	assert_int_equal(close(fd), 0);
}

static void put(const struct tree *t, const char *below, const char *text)
{
	put_bytes(t, below, slice_text(text));
}

static void folder(const struct tree *t, const char *below)
{
	assert_int_equal(mkdir(at(t, below), 0755), 0);
}

/* `before` bytes of text, the PEM, `after` bytes of text. */
static void put_long(const struct tree *t, const char *below, size_t before, size_t after)
{
	static const char line[] = "some line of a log that says nothing of interest to anybody\n";
	struct buffer text;

	buffer_init(&text, CONTENT_BYTES_MAX);
	while (text.size < before)
		buffer_text(&text, line);
	buffer_text(&text, PEM);
	before = text.size;
	while (text.size < before + after)
		buffer_text(&text, line);
	assert_int_equal(buffer_status(&text), ERR_OK);
	put_bytes(t, below, buffer_bytes(&text));
	buffer_fini(&text);
}

static void wait_until_not_racy(void)
{
	(void)sleep(SEEN_RACY_S + 2);
}

/* --- what is found ----------------------------------------------------------------------------- */

static void test_finds_by_content(void **state)
{
	struct tree *t = *state;
	static const uint8_t der[] = { 0x30, 0x82, 0x01, 0x00, 0x30, 0x81, 0x50, 0xa0, 0x03, 0x02,
		0x01, 0x02, 0x02, 0x01, 0x01, 0x30 };
	uint8_t certificate[260] = { 0 };
	const struct found *f;
	struct outcome *o;

	memcpy(certificate, der, sizeof(der));
	folder(t, "/a");
	folder(t, "/a/b");
	put(t, "/a/b/c.txt", "hello\n" PEM);
	put(t, "/a/plain", "nothing here\n");
	put(t, "/a/empty", "");
	put_bytes(t, "/a/odd-name", slice_of(certificate, sizeof(certificate)));
	put_bytes(t, "/a/binary", slice_of("\177ELF\0\0\0" PEM, 7 + sizeof(PEM)));
	put_long(t, "/a/late.log", 100 * 1024, 10);
	o = pass(&t->request);
	f = find(o, t->root, "/a/b/c.txt");
	assert_non_null(f);
	assert_string_equal(buffer_string(&f->data), "hello\n" PEM);
	f = find(o, t->root, "/a/odd-name");
	assert_non_null(f);
	assert_int_equal(f->data.size, sizeof(certificate));
	f = find(o, t->root, "/a/late.log");
	assert_non_null(f);
	assert_non_null(strstr(buffer_string(&f->data), PEM));
	assert_true(f->data.size > 100 * 1024);
	assert_int_equal(o->found_count, 3);
	assert_int_equal(o->problems_count, 0);
	assert_int_equal(o->items, 6);
	outcome_free(o);
}

static void test_deep_searches_binaries(void **state)
{
	struct tree *t = *state;
	struct outcome *o;

	put_bytes(t, "/binary", slice_of("\177ELF\0\0\0" PEM, 7 + sizeof(PEM)));
	t->request.options.deep = true;
	o = pass(&t->request);
	assert_non_null(find(o, t->root, "/binary"));
	outcome_free(o);
}

static void test_marker_across_buffers(void **state)
{
	struct tree *t = *state;
	struct buffer text;
	struct outcome *o;
	char name[64];

	buffer_init(&text, CONTENT_BYTES_MAX);
	for (unsigned i = 0; i < 40; i++) {
		buffer_clear(&text);
		while (text.size < 2 * 64 * 1024 - 20 + i)
			buffer_byte(&text, text.size % 61 ? 'x' : '\n');
		buffer_text(&text, PEM);
		(void)snprintf(name, sizeof(name), "/%u", i);
		put_bytes(t, name, buffer_bytes(&text));
	}
	o = pass(&t->request);
	assert_int_equal(o->found_count, 40);
	outcome_free(o);
	buffer_fini(&text);
}

static void test_large_text_gives_spans(void **state)
{
	struct tree *t = *state;
	const struct found *f;
	struct outcome *o;

	put_long(t, "/end.log", 9 * MIB, 0);
	put_long(t, "/middle.log", 5 * MIB, 5 * MIB);
	o = pass(&t->request);
	f = find(o, t->root, "/end.log");
	assert_non_null(f);
	assert_string_equal(buffer_string(&f->data), PEM);
	f = find(o, t->root, "/middle.log");
	assert_non_null(f);
	assert_int_equal(strncmp(buffer_string(&f->data), PEM, strlen(PEM)), 0);
	assert_true(f->data.size < 4096);
	assert_int_equal(o->problems_count, 0);
	outcome_free(o);
}

static void test_large_bundle_is_whole(void **state)
{
	struct tree *t = *state;
	const struct found *f;
	struct buffer text;
	struct outcome *o;

	buffer_init(&text, CONTENT_BYTES_MAX);
	while (text.size < 3 * MIB)
		buffer_text(&text, PEM);
	put_bytes(t, "/bundle.pem", buffer_bytes(&text));
	while (text.size < 9 * MIB)
		buffer_text(&text, PEM);
	put_bytes(t, "/huge.pem", buffer_bytes(&text));
	o = pass(&t->request);
	f = find(o, t->root, "/bundle.pem");
	assert_non_null(f);
	assert_true(f->data.size >= 3 * MIB);
	assert_memory_equal(f->data.data, text.data, f->data.size);
	f = find(o, t->root, "/huge.pem");
	assert_non_null(f);
	assert_in_range(f->data.size, 7 * MIB, 8 * MIB);
	assert_int_equal(count_problems(o, REASON_LIMIT_REACHED, "/huge.pem"), 1);
	outcome_free(o);
	buffer_fini(&text);
}

static void test_limits_are_told(void **state)
{
	struct tree *t = *state;
	uint8_t jks[8] = { 0xfe, 0xed, 0xfe, 0xed, 0, 0, 0, 2 };
	struct outcome *o;

	put_long(t, "/long.log", 300 * 1024, 0);
	put_bytes(t, "/large.jks", slice_of(jks, sizeof(jks)));
	assert_int_equal(truncate(at(t, "/large.jks"), 9 * MIB), 0);
	t->request.options.text_bytes_max = 128 * 1024;
	o = pass(&t->request);
	assert_int_equal(o->found_count, 0);
	assert_int_equal(count_problems(o, REASON_LIMIT_REACHED, "/long.log"), 1);
	assert_int_equal(count_problems(o, REASON_TOO_LARGE, "/large.jks"), 1);
	outcome_free(o);
}

/* A list or keystore longer than a span is sent to its end; what is behind a BEGIN that is only mentioned is not. */
static void test_long_blocks(void **state)
{
	static const char line[] =
		"QUJDQUJDQUJDQUJDQUJDQUJDQUJDQUJDQUJDQUJDQUJDQUJDQUJDQUJDQUJDQUJD\n";
	struct tree *t = *state;
	const struct found *f;
	struct buffer text;
	struct outcome *o;

	buffer_init(&text, CONTENT_BYTES_MAX);
	while (text.size < 9 * MIB)
		buffer_text(&text, "# nothing to see\n");
	buffer_text(&text, "-----BEGIN X509 CRL-----\n");
	while (text.size < 12 * MIB)
		buffer_text(&text, line);
	buffer_text(&text, "-----END X509 CRL-----\n");
	put_bytes(t, "/list", buffer_bytes(&text));
	buffer_clear(&text);
	buffer_text(&text, "-----BEGIN X509 CRL----- is how they begin.\n");
	while (text.size < 9 * MIB)
		buffer_text(&text, "# nothing to see\n");
	buffer_text(&text, PEM);
	put_bytes(t, "/mention", buffer_bytes(&text));
	o = pass(&t->request);
	assert_int_equal(o->problems_count, 0);
	f = find(o, t->root, "/list");
	assert_non_null(f);
	assert_in_range(f->data.size, 3 * MIB - 64 * 1024, 3 * MIB + 1024);
	assert_memory_equal(f->data.data, "-----BEGIN", 10);
	assert_memory_equal(f->data.data + f->data.size - 14, "X509 CRL-----", 13);
	f = find(o, t->root, "/mention");
	assert_non_null(f);
	/* The start, which may be a configuration's, and the block. */
	assert_in_range(f->data.size, MIB, 3 * MIB);
	assert_memory_equal(f->data.data + f->data.size - strlen(PEM), PEM, strlen(PEM));
	outcome_free(o);
	buffer_fini(&text);
}

/* Of a text with a configuration's marker: all, or where it is too large for that its start, longer than one that is
 * read, and behind it what is sent of any text. */
static void test_long_configurations(void **state)
{
	struct tree *t = *state;
	const struct found *f;
	struct buffer text;
	struct outcome *o;

	buffer_init(&text, CONTENT_BYTES_MAX);
	while (text.size < 2 * MIB)
		buffer_text(&text, "# nothing to see\n");
	buffer_text(&text, "ssl_certificate /a.pem;\n");
	put_bytes(t, "/long.conf", buffer_bytes(&text));
	while (text.size < 9 * MIB)
		buffer_text(&text, "# nothing to see\n");
	put_bytes(t, "/late.conf", buffer_bytes(&text));
	memcpy(text.data + MIB / 2, "\nssl_certificate /a.pem;\n", 25);
	put_bytes(t, "/huge.conf", buffer_bytes(&text));
	/* One certificate lies across the end of the start. */
	memcpy(text.data + MIB - strlen(PEM) / 2, PEM, strlen(PEM));
	memcpy(text.data + 5 * MIB, PEM, strlen(PEM));
	put_bytes(t, "/both.conf", buffer_bytes(&text));
	o = pass(&t->request);
	assert_int_equal(o->problems_count, 0);
	f = find(o, t->root, "/long.conf");
	assert_non_null(f);
	assert_in_range(f->data.size, 2 * MIB, 3 * MIB);
	assert_null(find(o, t->root, "/late.conf"));
	f = find(o, t->root, "/huge.conf");
	assert_non_null(f);
	assert_in_range(f->data.size, MIB + 1, MIB + 1024);
	assert_memory_equal(f->data.data, "# nothing", 9);
	f = find(o, t->root, "/both.conf");
	assert_non_null(f);
	assert_in_range(f->data.size, MIB + 1, MIB + 4096);
	assert_memory_equal(f->data.data + MIB - strlen(PEM) / 2, PEM, strlen(PEM));
	assert_non_null(memmem(f->data.data + MIB + 1, f->data.size - MIB - 1, PEM, strlen(PEM)));
	outcome_free(o);
	buffer_fini(&text);
}

/* Archives have a limit of their own, and with 0 they are what other binaries are. */
static void test_archives(void **state)
{
	struct tree *t = *state;
	uint8_t zip[8] = { 'P', 'K', 3, 4, 20, 0, 0, 0 };
	struct outcome *o;

	put_bytes(t, "/a.zip", slice_of(zip, sizeof(zip)));
	put_bytes(t, "/large.zip", slice_of(zip, sizeof(zip)));
	assert_int_equal(truncate(at(t, "/large.zip"), 9 * MIB), 0);
	o = pass(&t->request);
	assert_int_equal(o->found_count, 0);
	assert_int_equal(count_problems(o, REASON_TOO_LARGE, "/large.zip"), 0);
	outcome_free(o);
	t->request.options.archive_bytes_max = MIB;
	o = pass(&t->request);
	assert_int_equal(o->found_count, 1);
	assert_int_equal(count_problems(o, REASON_TOO_LARGE, "/large.zip"), 1);
	outcome_free(o);
	t->request.options.archive_bytes_max = 16 * MIB;
	o = pass(&t->request);
	assert_int_equal(o->found_count, 2);
	assert_false(find(o, t->root, "/a.zip")->has_file);
	assert_true(find(o, t->root, "/large.zip")->has_file);
	assert_int_equal(find(o, t->root, "/large.zip")->data.size, 9 * MIB);
	outcome_free(o);
	/* Of whatever size: nothing of it is read. */
	assert_int_equal(truncate(at(t, "/large.zip"), 100LL * 1024 * MIB), 0);
	t->request.options.archive_bytes_max = INT64_MAX;
	o = pass(&t->request);
	assert_int_equal(o->found_count, 2);
	outcome_free(o);
}

static void test_sparse_costs_nothing(void **state)
{
	struct tree *t = *state;
	int64_t start = clock_monotonic_ms();
	struct outcome *o;
	char text[8192];
	int fd;

	memset(text, 'x', sizeof(text));
	put(t, "/zero", "");
	assert_int_equal(truncate(at(t, "/zero"), 1024L * MIB), 0);
	put_bytes(t, "/text", slice_of(text, sizeof(text)));
	assert_int_equal(truncate(at(t, "/text"), 1024L * MIB), 0);
	fd = open(at(t, "/text"), O_WRONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, PEM, sizeof(PEM) - 1, 40L * MIB), sizeof(PEM) - 1);
	assert_int_equal(close(fd), 0);
	o = pass(&t->request);
	assert_non_null(find(o, t->root, "/text"));
	assert_null(find(o, t->root, "/zero"));
	assert_true(clock_monotonic_ms() - start < 3000);
	outcome_free(o);
}

/* --- names and shapes -------------------------------------------------------------------------- */

static void test_odd_names(void **state)
{
	struct tree *t = *state;
	struct outcome *o;

	put(t, "/not\xff\xfeutf8", PEM);
	put(t, "/new\nline", PEM);
	put(t, "/bang!#?%", PEM);
	folder(t, "/x.pem");
	put(t, "/x.pem/ in a folder", PEM);
	o = pass(&t->request);
	assert_non_null(find(o, t->root, "/not%FF%FEutf8"));
	assert_non_null(find(o, t->root, "/new%0Aline"));
	assert_non_null(find(o, t->root, "/bang%21%23%3F%25"));
	assert_non_null(find(o, t->root, "/x.pem/%20in%20a%20folder"));
	assert_int_equal(o->found_count, 4);
	outcome_free(o);
}

static void make_socket(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0 && strlen(path) < sizeof(address.sun_path));
	memcpy(address.sun_path, path, strlen(path) + 1);
	assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(close(fd), 0);
}

static void test_no_files(void **state)
{
	struct tree *t = *state;
	struct outcome *o;

	assert_int_equal(mkfifo(at(t, "/fifo"), 0644), 0);
	make_socket(at(t, "/socket"));
	assert_int_equal(symlink("nowhere", at(t, "/dangling")), 0);
	assert_int_equal(symlink("fifo", at(t, "/to-fifo")), 0);
	assert_int_equal(symlink("loop-b", at(t, "/loop-a")), 0);
	assert_int_equal(symlink("loop-a", at(t, "/loop-b")), 0);
	assert_int_equal(symlink("/dev/zero", at(t, "/to-device")), 0);
	put(t, "/file", PEM);
	o = pass(&t->request);
	assert_int_equal(o->found_count, 1);
	assert_int_equal(o->problems_count, 0);
	outcome_free(o);
}

static void test_links_to_files(void **state)
{
	struct tree *t = *state;
	const struct found *f;
	struct outcome *o;

	/* As certbot lays it out. */
	folder(t, "/archive");
	folder(t, "/archive/example");
	folder(t, "/live");
	folder(t, "/live/example");
	put(t, "/archive/example/cert1.pem", PEM);
	put(t, "/archive/example/cert2.pem", "newer\n" PEM);
	assert_int_equal(
		symlink("../../archive/example/cert2.pem", at(t, "/live/example/cert.pem")), 0);
	/* As Kubernetes does. */
	folder(t, "/secret");
	folder(t, "/secret/..2026_01_01");
	put(t, "/secret/..2026_01_01/tls.crt", PEM);
	assert_int_equal(symlink("..2026_01_01", at(t, "/secret/..data")), 0);
	assert_int_equal(symlink("..data/tls.crt", at(t, "/secret/tls.crt")), 0);
	/* And one that leads out. */
	assert_int_equal(symlink("/etc/ssl/certs/ca-certificates.crt", at(t, "/out.crt")), 0);
	o = pass(&t->request);
	f = find(o, t->root, "/live/example/cert.pem");
	assert_non_null(f);
	assert_string_equal(buffer_string(&f->data), "newer\n" PEM);
	assert_non_null(find(o, t->root, "/secret/tls.crt"));
	assert_non_null(find(o, t->root, "/secret/..2026_01_01/tls.crt"));
	assert_null(find(o, t->root, "/secret/..data/tls.crt"));
	assert_null(find(o, t->root, "/out.crt"));
	assert_int_equal(o->found_count, 5);
	outcome_free(o);
}

static void test_links_in_own_process(void **state)
{
	struct tree *t = *state;

	t->request.in_process = true;
	test_links_to_files(state);
}

static void test_follow_links(void **state)
{
	struct tree *t = *state;
	char outside[] = "/tmp/reader-outside-XXXXXX";
	char path[PATH_BYTES];
	struct outcome *o;
	int fd;

	assert_non_null(mkdtemp(outside));
	(void)snprintf(path, sizeof(path), "%s/far.pem", outside);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	assert_int_equal(write(fd, PEM, sizeof(PEM) - 1), sizeof(PEM) - 1);
	assert_int_equal(close(fd), 0);
	folder(t, "/a");
	assert_int_equal(symlink(outside, at(t, "/a/far")), 0);
	assert_int_equal(symlink("..", at(t, "/a/up")), 0);
	assert_int_equal(symlink(".", at(t, "/a/self")), 0);
	assert_int_equal(symlink(path, at(t, "/a/file")), 0);
	o = pass(&t->request);
	assert_int_equal(o->found_count, 0);
	outcome_free(o);
	t->request.options.follow_links = true;
	o = pass(&t->request);
	assert_non_null(find(o, t->root, "/a/far/far.pem"));
	assert_non_null(find(o, t->root, "/a/file"));
	assert_int_equal(o->found_count, 2);
	assert_int_equal(o->problems_count, 0);
	outcome_free(o);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(outside), 0);
}

static void test_deep_tree(void **state)
{
	struct tree *t = *state;
	const unsigned depth = 4096;
	int folders = open(t->root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct outcome *o;
	int fd;

	for (unsigned i = 0; i < depth; i++) {
		int next;

		assert_int_equal(mkdirat(folders, "d", 0755), 0);
		next = openat(folders, "d", O_PATH | O_DIRECTORY | O_CLOEXEC);
		assert_true(next >= 0);
		(void)close(folders);
		folders = next;
	}
	fd = openat(folders, "bottom.pem", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	assert_int_equal(write(fd, PEM, sizeof(PEM) - 1), sizeof(PEM) - 1);
	(void)close(fd);
	(void)close(folders);
	o = pass(&t->request);
	assert_int_equal(o->found_count, 1);
	assert_true(strlen(o->found[0].uri) > 2 * depth);
	assert_int_equal(o->problems_count, 0);
	outcome_free(o);
	/* nftw cannot come this deep. */
	assert_int_equal(chdir(t->root), 0);
	for (unsigned i = 0; i < depth; i++)
		assert_int_equal(chdir("d"), 0);
	assert_int_equal(unlink("bottom.pem"), 0);
	for (unsigned i = 0; i < depth; i++) {
		assert_int_equal(chdir(".."), 0);
		assert_int_equal(rmdir("d"), 0);
	}
	assert_int_equal(chdir("/"), 0);
}

static void test_too_long_a_path(void **state)
{
	struct tree *t = *state;
	char name[256];
	int folders = open(t->root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct outcome *o;
	unsigned depth = 0;

	memset(name, 0xc3, 255);
	name[255] = 0;
	for (; depth < 100; depth++) {
		int next;

		assert_int_equal(mkdirat(folders, name, 0755), 0);
		next = openat(folders, name, O_PATH | O_DIRECTORY | O_CLOEXEC);
		assert_true(next >= 0);
		(void)close(folders);
		folders = next;
	}
	(void)close(folders);
	put(t, "/file", PEM);
	o = pass(&t->request);
	assert_non_null(find(o, t->root, "/file"));
	assert_int_equal(o->problems_count, 1);
	assert_int_equal(o->problems[0].reason, REASON_LIMIT_REACHED);
	outcome_free(o);
	assert_int_equal(chdir(t->root), 0);
	for (unsigned i = 0; i < depth; i++)
		assert_int_equal(chdir(name), 0);
	for (unsigned i = 0; i < depth; i++) {
		assert_int_equal(chdir(".."), 0);
		assert_int_equal(rmdir(name), 0);
	}
	assert_int_equal(chdir("/"), 0);
}

static void test_many_entries(void **state)
{
	struct tree *t = *state;
	struct outcome *o;
	int fd = open(t->root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	char name[64];

	for (unsigned i = 0; i < MANY_FILES; i++) {
		(void)snprintf(name, sizeof(name), "file-with-some-name-%u", i);
		assert_int_equal(mknodat(fd, name, S_IFREG | 0644, 0), 0);
	}
	(void)close(fd);
	put(t, "/last", PEM);
	o = pass(&t->request);
	assert_int_equal(o->items, MANY_FILES + 1);
	assert_int_equal(o->found_count, 1);
	outcome_free(o);
}

static void test_many_folders(void **state)
{
	struct tree *t = *state;
	struct outcome *o;
	char name[64];

	for (unsigned i = 0; i < 3000; i++) {
		(void)snprintf(name, sizeof(name), "/folder-%u", i);
		folder(t, name);
		if (i % 100 == 0) {
			(void)snprintf(name, sizeof(name), "/folder-%u/x", i);
			put(t, name, PEM);
		}
	}
	o = pass(&t->request);
	assert_int_equal(o->found_count, 30);
	outcome_free(o);
}

/* A kernel that does not know openat2, in a child of its own. */
static int without_openat2(struct tree *t)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat2, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { .len = sizeof(code) / sizeof(code[0]), .filter = code };
	struct outcome *o;
	bool good;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
		prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
		return 2;
	o = pass(&t->request);
	good = find(o, t->root, "/a/b/c/x.pem") && find(o, t->root, "/y.pem") &&
	       o->found_count == 2 && o->problems_count == 0;
	outcome_free(o);
	return good ? 0 : 1;
}

static void test_old_kernel(void **state)
{
	struct tree *t = *state;
	int status = 0;
	pid_t pid;

	folder(t, "/a");
	folder(t, "/a/b");
	folder(t, "/a/b/c");
	put(t, "/a/b/c/x.pem", PEM);
	put(t, "/y.pem", PEM);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(without_openat2(t));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* --- roots ------------------------------------------------------------------------------------- */

static void test_roots(void **state)
{
	struct tree *t = *state;
	struct strings *roots = &t->request.options.roots;
	struct outcome *o;

	folder(t, "/real");
	folder(t, "/real/inner");
	put(t, "/real/x.pem", PEM);
	put(t, "/real/inner/y.pem", PEM);
	put(t, "/single", PEM);
	assert_int_equal(symlink("real", at(t, "/link")), 0);
	assert_int_equal(symlink("../single", at(t, "/real/to-single")), 0);
	strings_fini(roots);
	assert_int_equal(strings_add(roots, at(t, "/link")), ERR_OK);
	assert_int_equal(strings_add(roots, at(t, "/single")), ERR_OK);
	assert_int_equal(strings_add(roots, at(t, "/missing")), ERR_OK);
	assert_int_equal(strings_add(roots, at(t, "/link/inner")), ERR_OK);
	o = pass(&t->request);
	assert_non_null(find(o, t->root, "/link/x.pem"));
	assert_non_null(find(o, t->root, "/link/inner/y.pem"));
	assert_non_null(find(o, t->root, "/single"));
	/* The link's target is a root of its own. */
	assert_non_null(find(o, t->root, "/link/to-single"));
	assert_int_equal(o->found_count, 4);
	assert_int_equal(o->problems_count, 1);
	assert_int_equal(count_problems(o, REASON_UNREADABLE, "/missing"), 1);
	outcome_free(o);
	t->request.is_optional = true;
	o = pass(&t->request);
	assert_int_equal(o->found_count, 4);
	assert_int_equal(o->problems_count, 0);
	outcome_free(o);
}

/* Files that a configuration names are asked for, not read. */
static void test_named(void **state)
{
	static const char *const names[] = { "/there", "/missing", "/there/below", "/to-nowhere",
		"/to-there", "/to-itself", "/folder" };
	struct tree *t = *state;
	struct strings *roots = &t->request.options.roots;
	struct outcome *o;

	put(t, "/there", PEM);
	folder(t, "/folder");
	assert_int_equal(symlink("nowhere", at(t, "/to-nowhere")), 0);
	assert_int_equal(symlink("there", at(t, "/to-there")), 0);
	assert_int_equal(symlink("to-itself", at(t, "/to-itself")), 0);
	strings_fini(roots);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		assert_int_equal(strings_add(roots, at(t, names[i])), ERR_OK);
	t->request.message = "x.conf:3 names it";
	o = pass(&t->request);
	assert_int_equal(o->works_done, sizeof(names) / sizeof(names[0]));
	assert_int_equal(o->found_count, 0);
	assert_int_equal(o->problems_count, 3);
	assert_int_equal(count_problems(o, REASON_MISSING, "/missing"), 1);
	assert_int_equal(count_problems(o, REASON_MISSING, "/there/below"), 1);
	assert_int_equal(count_problems(o, REASON_MISSING, "/to-nowhere"), 1);
	outcome_free(o);
}

static void test_pseudo_filesystems(void **state)
{
	struct tree *t = *state;
	struct strings *roots = &t->request.options.roots;
	struct outcome *o;

	/* As a root itself it is read ... */
	strings_fini(roots);
	assert_int_equal(strings_add(roots, "/proc/self/attr"), ERR_OK);
	o = pass(&t->request);
	assert_true(o->items > 0);
	outcome_free(o);
	/* ... and below another root it is not entered: /dev holds devpts, mqueue and such. */
	strings_fini(roots);
	assert_int_equal(strings_add(roots, "/dev"), ERR_OK);
	o = pass(&t->request);
	assert_int_equal(o->found_count, 0);
	outcome_free(o);
}

static void test_exclude(void **state)
{
	struct tree *t = *state;
	struct outcome *o;

	folder(t, "/keep");
	folder(t, "/node_modules");
	folder(t, "/keep/cache");
	put(t, "/keep/a.pem", PEM);
	put(t, "/keep/b.bak", PEM);
	put(t, "/node_modules/c.pem", PEM);
	put(t, "/keep/cache/d.pem", PEM);
	assert_int_equal(strings_add(&t->request.options.exclude, "*.bak"), ERR_OK);
	assert_int_equal(strings_add(&t->request.options.exclude, "node_modules"), ERR_OK);
	assert_int_equal(strings_add(&t->request.options.exclude, "/**/keep/cache"), ERR_OK);
	o = pass(&t->request);
	assert_non_null(find(o, t->root, "/keep/a.pem"));
	assert_int_equal(o->found_count, 1);
	outcome_free(o);
}

/* --- what cannot be read ------------------------------------------------------------------------ */

static int denied_in_child(struct tree *t)
{
	struct outcome *o;
	bool good;

	if (setgid(65534) != 0 || setuid(65534) != 0)
		return 2;
	o = pass(&t->request);
	good = find(o, t->root, "/after.pem") && o->found_count == 1 &&
	       count_problems(o, REASON_PERMISSION_DENIED, "/closed") == 1 &&
	       count_problems(o, REASON_PERMISSION_DENIED, "/secret.pem") == 1 &&
	       o->problems_count == 2;
	outcome_free(o);
	return good ? 0 : 1;
}

static void test_permission_denied(void **state)
{
	struct tree *t = *state;
	int status = 0;
	pid_t pid;

	if (geteuid() != 0)
		skip();
	folder(t, "/closed");
	put(t, "/closed/x.pem", PEM);
	put(t, "/secret.pem", PEM);
	put(t, "/after.pem", PEM);
	assert_int_equal(chmod(at(t, "/closed"), 0700), 0);
	assert_int_equal(chmod(at(t, "/secret.pem"), 0600), 0);
	assert_int_equal(chmod(t->root, 0755), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(denied_in_child(t));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

struct changer {
	const char *path;
	atomic_bool is_over;
};

static void *shrink_and_grow(void *arg)
{
	struct changer *c = arg;

	while (!atomic_load(&c->is_over)) {
		(void)truncate(c->path, 100);
		(void)truncate(c->path, 5L * MIB);
	}
	return NULL;
}

static void test_file_that_shrinks(void **state)
{
	struct tree *t = *state;
	struct changer c = { .path = at(t, "/moving.pem") };
	pthread_t thread;

	put_long(t, "/moving.pem", 10, 5 * MIB);
	put(t, "/other.pem", PEM);
	c.path = strdup(c.path);
	assert_int_equal(pthread_create(&thread, NULL, shrink_and_grow, &c), 0);
	for (unsigned i = 0; i < 20; i++) {
		struct outcome *o = pass(&t->request);

		assert_non_null(find(o, t->root, "/other.pem"));
		outcome_free(o);
	}
	atomic_store(&c.is_over, true);
	assert_int_equal(pthread_join(thread, NULL), 0);
	free((char *)(uintptr_t)c.path);
}

static void *swap_folder(void *arg)
{
	struct changer *c = arg;
	char other[PATH_BYTES];

	(void)snprintf(other, sizeof(other), "%s.link", c->path);
	(void)symlink("/etc", other);
	while (!atomic_load(&c->is_over))
		(void)renameat2(AT_FDCWD, c->path, AT_FDCWD, other, RENAME_EXCHANGE);
	return NULL;
}

static void test_folder_becomes_a_link(void **state)
{
	struct tree *t = *state;
	struct changer c = { 0 };
	pthread_t thread;

	folder(t, "/swap");
	for (unsigned i = 0; i < 200; i++) {
		char name[64];

		(void)snprintf(name, sizeof(name), "/swap/%u", i);
		folder(t, name);
	}
	c.path = strdup(at(t, "/swap"));
	assert_int_equal(pthread_create(&thread, NULL, swap_folder, &c), 0);
	for (unsigned i = 0; i < 50; i++) {
		struct outcome *o = pass(&t->request);

		/* Nothing of /etc ever shows. */
		assert_int_equal(o->found_count, 0);
		assert_int_equal(o->items, 0);
		outcome_free(o);
	}
	atomic_store(&c.is_over, true);
	assert_int_equal(pthread_join(thread, NULL), 0);
	free((char *)(uintptr_t)c.path);
}

static void test_main_goes_away(void **state)
{
	struct tree *t = *state;
	struct reader_end end;
	struct channel c;
	int pair[2];

	put_long(t, "/large.pem", 10, 6 * MIB);
	put_long(t, "/large2.pem", 10, 6 * MIB);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	assert_int_equal(channel_init(&c, pair[0]), ERR_OK);
	start_reader(&end, pair, false);
	send_request(&c, &t->request);
	/* The threads fill the socket and wait. */
	(void)usleep(200000);
	channel_fini(&c);
	(void)close(pair[0]);
	wait_for_reader(&end);
	assert_int_equal(end.result, ERR_CLOSED);
}

/* --- what is remembered ------------------------------------------------------------------------- */

static void test_rescan(void **state)
{
	struct tree *t = *state;
	struct outcome *first;
	struct outcome *o;

	t->request.in_process = true;
	put(t, "/plain", "nothing\n");
	put(t, "/cert.pem", PEM);
	put(t, "/will-change.pem", PEM);
	put(t, "/will-gain", "nothing\n");
	assert_int_equal(symlink("cert.pem", at(t, "/link.pem")), 0);
	wait_until_not_racy();
	first = pass(&t->request);
	assert_int_equal(first->found_count, 3);
	put(t, "/will-change.pem", "x" PEM);
	put(t, "/will-gain", PEM);
	put(t, "/new.pem", PEM);
	t->request.memory = buffer_bytes(&first->memory);
	o = pass(&t->request);
	assert_int_equal(o->found_count, 3);
	assert_non_null(find(o, t->root, "/will-change.pem"));
	assert_non_null(find(o, t->root, "/will-gain"));
	assert_non_null(find(o, t->root, "/new.pem"));
	assert_int_equal(o->unchanged.count, 2);
	assert_int_equal(o->items, first->items + 1);
	outcome_free(first);
	/* What is fresh is read again; what is old is remembered still. */
	first = o;
	t->request.memory = buffer_bytes(&first->memory);
	o = pass(&t->request);
	assert_int_equal(o->found_count, 3);
	assert_int_equal(o->unchanged.count, 2);
	outcome_free(o);
	outcome_free(first);
}

/* Memory that is damaged or of other limits is not used. */
static void test_memory_of_no_use(void **state)
{
	struct tree *t = *state;
	struct outcome *first;
	struct outcome *o;

	put(t, "/cert.pem", PEM);
	put_bytes(t, "/binary", slice_of("\177ELF\0\0\0" PEM, 7 + sizeof(PEM)));
	wait_until_not_racy();
	first = pass(&t->request);
	assert_int_equal(first->found_count, 1);
	t->request.memory = buffer_bytes(&first->memory);
	o = pass(&t->request);
	assert_int_equal(o->found_count, 0);
	assert_int_equal(o->unchanged.count, 1);
	outcome_free(o);
	t->request.options.deep = true;
	o = pass(&t->request);
	assert_int_equal(o->found_count, 2);
	outcome_free(o);
	t->request.options.deep = false;
	first->memory.data[first->memory.size - 8] ^= 1;
	o = pass(&t->request);
	assert_int_equal(o->found_count, 1);
	outcome_free(o);
	outcome_free(first);
}

/* What was remembered before is of no use to it either: all is told anew. */
static void test_sends_no_memory(void **state)
{
	struct tree *t = *state;
	struct outcome *first;
	struct outcome *o;

	put(t, "/pem", PEM);
	put(t, "/text", "nothing here\n");
	t->request.is_transient = false;
	first = pass(&t->request);
	assert_true(first->memory.size > 0);
	t->request.is_transient = true;
	t->request.memory = buffer_bytes(&first->memory);
	o = pass(&t->request);
	assert_int_equal(o->memory.size, 0);
	assert_int_equal(o->unchanged.count, 0);
	assert_int_equal(o->found_count, 1);
	assert_int_equal(o->items, 2);
	outcome_free(o);
	outcome_free(first);
}

int main(void)
{
#define ON_TREE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
#define ONCE(test) cmocka_unit_test_setup_teardown(test, set_up_once, tear_down)
	const struct CMUnitTest tests[] = {
		ON_TREE(test_finds_by_content),
		ON_TREE(test_deep_searches_binaries),
		ON_TREE(test_marker_across_buffers),
		ON_TREE(test_large_text_gives_spans),
		ON_TREE(test_large_bundle_is_whole),
		ON_TREE(test_limits_are_told),
		ON_TREE(test_long_configurations),
		ON_TREE(test_long_blocks),
		ON_TREE(test_archives),
		ON_TREE(test_sparse_costs_nothing),
		ON_TREE(test_odd_names),
		ON_TREE(test_no_files),
		ON_TREE(test_links_to_files),
		ON_TREE(test_links_in_own_process),
		ON_TREE(test_follow_links),
		ON_TREE(test_deep_tree),
		ON_TREE(test_too_long_a_path),
		ON_TREE(test_many_entries),
		ON_TREE(test_many_folders),
		ON_TREE(test_old_kernel),
		ON_TREE(test_roots),
		ON_TREE(test_named),
		ON_TREE(test_pseudo_filesystems),
		ON_TREE(test_exclude),
		ON_TREE(test_permission_denied),
		ON_TREE(test_file_that_shrinks),
		ON_TREE(test_folder_becomes_a_link),
		ON_TREE(test_main_goes_away),
		ON_TREE(test_rescan),
		ON_TREE(test_memory_of_no_use),
		ONCE(test_finds_by_content),
		ONCE(test_deep_searches_binaries),
		ONCE(test_marker_across_buffers),
		ONCE(test_large_text_gives_spans),
		ONCE(test_large_bundle_is_whole),
		ONCE(test_limits_are_told),
		ONCE(test_long_configurations),
		ONCE(test_archives),
		ONCE(test_sparse_costs_nothing),
		ONCE(test_no_files),
		ONCE(test_links_to_files),
		ONCE(test_many_entries),
		ONCE(test_pseudo_filesystems),
		ONCE(test_permission_denied),
		ONCE(test_file_that_shrinks),
		ONCE(test_sends_no_memory),
	};
#undef ONCE
#undef ON_TREE
	return cmocka_run_group_tests(tests, NULL, NULL);
}
