/* Every file of the third-party vectors through the whole parser, each within a second of processor time
 * and 64 MiB of memory: replay_vectors FOLDER OF THE VECTORS... Skips where there are none. */
#include "harness.h"

#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define FILE_BYTES_MAX (64 * 1024 * 1024)
#define PATH_BYTES_MAX 4096
#define TIME_NS_MAX 1000000000LL
#define MEMORY_BYTES_MAX ((size_t)64 * 1024 * 1024)
#define DESCRIPTORS_MAX 16

/* The sanitizer's, where there is one. */
__attribute__((weak)) int __sanitizer_install_malloc_and_free_hooks(
	void (*on_malloc)(const volatile void *, size_t), void (*on_free)(const volatile void *));
__attribute__((weak)) size_t __sanitizer_get_allocated_size(const volatile void *at);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return harness_run(parser_file, data, size);
}

/* nftw takes no argument of ours. */
static struct {
	unsigned files;
	unsigned bad;
	long long slowest_ns;
	size_t largest;
	char slowest[PATH_BYTES_MAX];
} total;
static size_t live, peak;

static void on_malloc(const volatile void *at, size_t size)
{
	(void)at;
	live += size;
	if (live > peak)
		peak = live;
}

static void on_free(const volatile void *at)
{
	size_t size = at ? __sanitizer_get_allocated_size(at) : 0;

	live -= size < live ? size : live;
}

static long long now_ns(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static bool is_archive(const uint8_t *data, size_t size)
{
	struct file_size_hint hint = { .size = size, .is_known = true };
	size_t head = size < SNIFF_HEAD_BYTES ? size : SNIFF_HEAD_BYTES;
	const struct format *f = formats_sniff(slice_of(data, head), hint);

	return f && f->is_archive;
}

/* In memory, or where it lies. */
static void replay(const char *path, const uint8_t *data, size_t size, bool is_file)
{
	long long before = now_ns(), took;

	live = peak = 0;
	if (is_file)
		(void)harness_run(harness_file, data, size);
	else
		(void)LLVMFuzzerTestOneInput(data, size);
	took = now_ns() - before;
	total.files++;
	if (took > total.slowest_ns) {
		total.slowest_ns = took;
		(void)snprintf(total.slowest, sizeof(total.slowest), "%s", path);
	}
	if (peak > total.largest)
		total.largest = peak;
	if (took <= TIME_NS_MAX && peak <= MEMORY_BYTES_MAX)
		return;
	(void)printf("%s: %lld ms, %zu KiB\n", path, took / 1000000, peak / 1024);
	total.bad++;
}

static int each(const char *path, const struct stat *st, int kind, struct FTW *at)
{
	size_t size = (size_t)st->st_size;
	uint8_t *data;
	FILE *f;

	(void)at;
	if (kind != FTW_F || st->st_size > FILE_BYTES_MAX)
		return 0;
	f = fopen(path, "re");
	data = malloc(size ? size : 1);
	if (f && data && fread(data, 1, size, f) == size) {
		replay(path, data, size, false);
		if (is_archive(data, size))
			replay(path, data, size, true);
	}
	free(data);
	if (f)
		(void)fclose(f);
	return 0;
}

int main(int argc, char **argv)
{
	const char *vectors = getenv("LEAFWATCH_VECTORS_DIR");
	char folder[PATH_BYTES_MAX];

	if (!vectors || !*vectors) {
		(void)puts("skipped: LEAFWATCH_VECTORS_DIR does not name the test vectors");
		return 0;
	}
	if (__sanitizer_install_malloc_and_free_hooks)
		(void)__sanitizer_install_malloc_and_free_hooks(on_malloc, on_free);
	for (int i = 1; i < argc; i++) {
		(void)snprintf(folder, sizeof(folder), "%s/%s", vectors, argv[i]);
		(void)nftw(folder, each, DESCRIPTORS_MAX, FTW_PHYS);
	}
	(void)printf(
		"%u readings; the slowest took %lld ms (%s), the largest %zu KiB; %u beyond the bounds\n",
		total.files, total.slowest_ns / 1000000, total.slowest, total.largest / 1024,
		total.bad);
	return total.files && !total.bad ? 0 : 1;
}
