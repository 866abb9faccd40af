/* The reader alone, its findings thrown away: what walking and sniffing cost. As a scan
 * that remembers nothing, as a first one that does, and as a second one over what that remembered. */
#include "agent/base/clock.h"
#include "agent/base/log.h"
#include "agent/process/channel.h"
#include "scanners/files/options.h"
#include "scanners/files/reader.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MIB (1024 * 1024)
#define MEMORY_BYTES_MAX (256 * MIB)

struct totals {
	uint64_t files;
	uint64_t findings;
	uint64_t unchanged;
	uint64_t bytes;
};

static double seconds(clockid_t clock)
{
	struct timespec ts;

	(void)clock_gettime(clock, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* What main would be, in a thread. */
struct taker {
	int fd;
	const char *root;
	unsigned threads;
	struct buffer *memory; /* in and out; NULL = nothing is to be remembered */
	struct totals totals;
	enum err result;
};

static enum err send_all(struct channel *c, const struct taker *t)
{
	struct slice memory = t->memory ? buffer_bytes(t->memory) : slice_of(NULL, 0);
	struct files_options options = {
		.threads = t->threads, .file_bytes_max = 8 * MIB, .text_bytes_max = 64 * MIB
	};
	struct setup setup = {
		.pinned_now = TIME_UNKNOWN, .log_level = LOG_LEVEL_WARN, .is_transient = !t->memory
	};
	struct root_item item = { .path = slice_text(t->root) };
	struct work work = { .id = 1, .place = slice_text("file:///") };
	struct buffer inner;
	struct buffer frame;
	enum err e = strings_add(&options.roots, t->root);

	buffer_init(&inner, FRAME_BYTES_MAX);
	buffer_init(&frame, FRAME_BYTES_MAX);
	files_options_encode(&inner, &options);
	setup.options = buffer_bytes(&inner);
	setup_encode(&frame, &setup);
	if (e == ERR_OK)
		e = channel_write(c, MESSAGE_SETUP, buffer_bytes(&frame));
	while (e == ERR_OK && memory.size) {
		size_t size = memory.size < FINDING_PIECE_BYTES ? memory.size : FINDING_PIECE_BYTES;

		e = channel_write(c, MESSAGE_MEMORY, slice_of(memory.data, size));
		memory = slice_after(memory, size);
	}
	buffer_clear(&inner);
	buffer_clear(&frame);
	root_item_encode(&inner, &item);
	work.item = buffer_bytes(&inner);
	work_encode(&frame, &work);
	if (e == ERR_OK)
		e = channel_write(c, MESSAGE_WORK, buffer_bytes(&frame));
	if (e == ERR_OK)
		e = channel_write(c, MESSAGE_FINISH, slice_of(NULL, 0));
	buffer_fini(&inner);
	buffer_fini(&frame);
	files_options_fini(&options);
	return e;
}

static void take(struct channel *c, struct totals *t, struct buffer *memory)
{
	struct slice payload;
	uint16_t type;

	while (channel_read(c, &type, &payload) == ERR_OK) {
		struct finding_piece piece;
		struct progress progress;

		if (type == MESSAGE_MEMORY)
			buffer_slice(memory, payload);
		t->unchanged += type == MESSAGE_UNCHANGED;
		if (type == MESSAGE_PROGRESS && progress_decode(payload, &progress) == ERR_OK)
			t->files = progress.items;
		if (type == MESSAGE_FINDING && finding_piece_decode(payload, &piece) == ERR_OK) {
			t->findings += piece.is_first;
			t->bytes += piece.data.size;
		}
	}
}

static void *run_taker(void *arg)
{
	struct taker *t = arg;
	struct buffer fresh;
	struct channel c;

	buffer_init(&fresh, MEMORY_BYTES_MAX);
	t->result = channel_init(&c, t->fd);
	if (t->result == ERR_OK)
		t->result = send_all(&c, t);
	take(&c, &t->totals, &fresh);
	channel_fini(&c);
	if (t->memory) {
		buffer_fini(t->memory);
		*t->memory = fresh;
	}
	return NULL;
}

static enum err pass(const char *name, const char *root, unsigned threads, struct buffer *memory)
{
	double wall = seconds(CLOCK_MONOTONIC);
	double cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);
	struct taker t = { .root = root, .threads = threads, .memory = memory };
	struct why why = { 0 };
	struct rusage usage;
	pthread_t thread;
	int pair[2];
	enum err e;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
		return ERR_IO;
	t.fd = pair[0];
	if (pthread_create(&thread, NULL, run_taker, &t) != 0)
		return ERR_IO;
	e = reader_role.run(pair[1], &why);
	if (e != ERR_OK)
		(void)fprintf(stderr, "bench_reader: %s\n", why.text);
	(void)close(pair[1]);
	(void)pthread_join(thread, NULL);
	(void)close(pair[0]);
	(void)getrusage(RUSAGE_SELF, &usage);
	printf("%s\tthreads=%u\twall=%.4f\tcpu=%.4f\tfiles=%llu\tfindings=%llu\tunchanged=%llu\t"
	       "bytes=%llu\trss_max_kib=%ld\n",
		name, threads, seconds(CLOCK_MONOTONIC) - wall,
		seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu, (unsigned long long)t.totals.files,
		(unsigned long long)t.totals.findings, (unsigned long long)t.totals.unchanged,
		(unsigned long long)t.totals.bytes, usage.ru_maxrss);
	return e;
}

int main(int argc, char **argv)
{
	struct buffer memory;
	unsigned threads = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 16;
	enum err e;

	if (argc < 2) {
		(void)fputs("usage: bench_reader TREE [THREADS]\n", stderr);
		return 2;
	}
	log_setup(LOG_LEVEL_WARN, "bench");
	buffer_init(&memory, MEMORY_BYTES_MAX);
	e = pass("reader", argv[1], threads, NULL);
	if (e == ERR_OK)
		e = pass("reader-first", argv[1], threads, &memory);
	if (e == ERR_OK)
		e = pass("reader-again", argv[1], threads, &memory);
	buffer_fini(&memory);
	return e == ERR_OK ? 0 : 1;
}
