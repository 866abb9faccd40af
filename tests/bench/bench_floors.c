/* What the kernel alone costs on a tree: the floors that a scan is compared with. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define ENTRIES_BYTES (32 * 1024)
#define HEAD_BYTES 4096
#define PATH_BYTES_MAX 4096
#define THREADS_MAX 64

enum work { WORK_LIST, WORK_STAT, WORK_HEAD, WORK_FULL };

struct folder {
	struct folder *next;
	char path[];
};

struct floor {
	enum work work;
	bool own_descriptors;
	pthread_mutex_t lock;
	pthread_cond_t ready;
	struct folder *folders; /* owned */
	unsigned threads;
	unsigned idle;
	uint64_t files;
	uint64_t bytes;
};

/* One record of getdents64(2). */
struct entry {
	uint64_t ino;
	int64_t offset;
	uint16_t size;
	uint8_t type;
	char name[];
};

struct tally {
	uint64_t files;
	uint64_t bytes;
	char *buffer;
};

static void read_all(int fd, struct tally *t, size_t size, bool once)
{
	ssize_t n;

	while ((n = read(fd, t->buffer, size)) > 0) {
		t->bytes += (uint64_t)n;
		if (once)
			return;
	}
}

static void visit(const struct floor *f, int folder, const char *name, struct tally *t)
{
	struct stat st;
	int fd;

	t->files++;
	if (f->work == WORK_LIST)
		return;
	if (f->work == WORK_STAT) {
		if (fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
			t->bytes += (uint64_t)st.st_size;
		return;
	}
	fd = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return;
	if (f->work == WORK_HEAD)
		read_all(fd, t, HEAD_BYTES, true);
	else
		read_all(fd, t, 64 * HEAD_BYTES, false);
	(void)close(fd);
}

static struct folder *folder_new(const char *parent, const char *name)
{
	size_t a = strlen(parent);
	size_t b = strlen(name);
	struct folder *f = malloc(sizeof(*f) + a + b + 2);

	if (!f)
		abort();
	memcpy(f->path, parent, a);
	f->path[a] = '/';
	memcpy(f->path + a + 1, name, b + 1);
	return f;
}

static struct folder *list(struct floor *f, const struct folder *at, char *entries, struct tally *t)
{
	int fd = open(at->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	struct folder *found = NULL;
	long n;

	if (fd < 0)
		return NULL;
	while ((n = syscall(SYS_getdents64, fd, entries, ENTRIES_BYTES)) > 0) {
		for (long i = 0; i < n;) {
			const struct entry *e = (const struct entry *)(const void *)(entries + i);

			i += e->size;
			if (e->type == DT_REG) {
				visit(f, fd, e->name, t);
			} else if (e->type == DT_DIR && strcmp(e->name, ".") != 0 &&
				   strcmp(e->name, "..") != 0) {
				struct folder *sub = folder_new(at->path, e->name);

				sub->next = found;
				found = sub;
			}
		}
	}
	(void)close(fd);
	return found;
}

static struct folder *take(struct floor *f)
{
	struct folder *next;

	while (!f->folders) {
		f->idle++;
		if (f->idle == f->threads) {
			(void)pthread_cond_broadcast(&f->ready);
			return NULL;
		}
		(void)pthread_cond_wait(&f->ready, &f->lock);
		if (f->idle == f->threads)
			return NULL;
		f->idle--;
	}
	next = f->folders;
	f->folders = next->next;
	return next;
}

static void put(struct floor *f, struct folder *found)
{
	while (found) {
		struct folder *next = found->next;

		found->next = f->folders;
		f->folders = found;
		if (f->idle)
			(void)pthread_cond_signal(&f->ready);
		found = next;
	}
}

static void *run(void *arg)
{
	struct floor *f = arg;
	struct tally t = { .buffer = malloc(64 * HEAD_BYTES) };
	char *entries = malloc(ENTRIES_BYTES);
	struct folder *at;

	if (!t.buffer || !entries)
		abort();
	if (f->own_descriptors && unshare(CLONE_FILES) != 0)
		perror("unshare");
	(void)pthread_mutex_lock(&f->lock);
	while ((at = take(f))) {
		struct folder *found;

		(void)pthread_mutex_unlock(&f->lock);
		found = list(f, at, entries, &t);
		free(at);
		(void)pthread_mutex_lock(&f->lock);
		put(f, found);
	}
	f->files += t.files;
	f->bytes += t.bytes;
	(void)pthread_mutex_unlock(&f->lock);
	free(entries);
	free(t.buffer);
	return NULL;
}

static double seconds(clockid_t clock)
{
	struct timespec ts;

	(void)clock_gettime(clock, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static int measure(struct floor *f, const char *name, const char *root)
{
	pthread_t threads[THREADS_MAX];
	double wall = seconds(CLOCK_MONOTONIC);
	double cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);

	f->folders = folder_new(root, ".");
	f->folders->next = NULL;
	if (f->threads == 1) {
		(void)run(f);
	} else {
		for (unsigned i = 0; i < f->threads; i++)
			if (pthread_create(&threads[i], NULL, run, f) != 0)
				return 1;
		for (unsigned i = 0; i < f->threads; i++)
			(void)pthread_join(threads[i], NULL);
	}
	printf("%s\tthreads=%u\twall=%.4f\tcpu=%.4f\tfiles=%llu\tbytes=%llu\n", name, f->threads,
		seconds(CLOCK_MONOTONIC) - wall, seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu,
		(unsigned long long)f->files, (unsigned long long)f->bytes);
	return 0;
}

int main(int argc, char **argv)
{
	static const char *const names[] = { "list", "stat", "head4k", "full" };
	struct floor f = { .lock = PTHREAD_MUTEX_INITIALIZER, .ready = PTHREAD_COND_INITIALIZER };
	long threads;

	if (argc < 3) {
		(void)fputs(
			"usage: bench_floors list|stat|head4k|full TREE [THREADS [own]]\n"
			"One line: name, threads, wall and CPU seconds, files, bytes. With \"own\"\n"
			"each thread has a descriptor table of its own.\n",
			stderr);
		return 2;
	}
	threads = argc > 3 ? strtol(argv[3], NULL, 10) : 1;
	if (threads < 1 || threads > THREADS_MAX)
		return 2;
	f.threads = (unsigned)threads;
	f.own_descriptors = argc > 4 && strcmp(argv[4], "own") == 0;
	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(argv[1], names[i]) == 0) {
			f.work = (enum work)i;
			return measure(&f, names[i], argv[2]);
		}
	}
	return 2;
}
