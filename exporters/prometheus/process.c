/* process_*: what the agent's main process uses. */
#include "exporters/prometheus/process.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define PROC_TEXT_BYTES 16384
/* proc(5), /proc/PID/stat, counted from the field after the command's closing parenthesis. */
#define STAT_THREADS 17
#define STAT_START_TICKS 19
#define STAT_VIRTUAL_BYTES 20
#define STAT_RESIDENT_PAGES 21

static const struct family cpu = { "process_cpu_seconds_total",
	"Total user and system CPU time spent in seconds.", FAMILY_COUNTER };
static const struct family open_fds = { "process_open_fds", "Number of open file descriptors.",
	FAMILY_GAUGE };
static const struct family max_fds = { "process_max_fds",
	"Maximum number of open file descriptors.", FAMILY_GAUGE };
static const struct family virtual_bytes = { "process_virtual_memory_bytes",
	"Virtual memory size in bytes.", FAMILY_GAUGE };
static const struct family virtual_max = { "process_virtual_memory_max_bytes",
	"Maximum amount of virtual memory available in bytes.", FAMILY_GAUGE };
static const struct family resident = { "process_resident_memory_bytes",
	"Resident memory size in bytes.", FAMILY_GAUGE };
static const struct family start = { "process_start_time_seconds",
	"Start time of the process since unix epoch in seconds.", FAMILY_GAUGE };
static const struct family threads = { "process_threads", "Number of OS threads in the process.",
	FAMILY_GAUGE };

struct output {
	struct buffer *to;
	bool is_openmetrics;
};

static void put(const struct output *o, const struct family *f, double value)
{
	exposition_header(o->to, f, o->is_openmetrics);
	exposition_sample(o->to, f->name, slice_of(NULL, 0), value);
}

static bool read_text(const char *path, char text[PROC_TEXT_BYTES])
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t size = 0;
	ssize_t n = 1;

	if (fd < 0)
		return false;
	while (n > 0 && size < PROC_TEXT_BYTES - 1) {
		n = read(fd, text + size, PROC_TEXT_BYTES - 1 - size);
		if (n > 0)
			size += (size_t)n;
	}
	(void)close(fd);
	text[size] = 0;
	return n >= 0 && size;
}

/* The n-th number behind the command in /proc/self/stat. */
static double stat_field(const char *stat, unsigned n)
{
	const char *at = strrchr(stat, ')');

	if (!at)
		return 0;
	at++;
	for (unsigned i = 0; *at && i < n; i++)
		at = strchr(at + 1, ' ') ? strchr(at + 1, ' ') : "";
	return strtod(at, NULL);
}

static void put_descriptors(const struct output *o)
{
	DIR *folder = opendir("/proc/self/fd");
	struct rlimit limit;
	unsigned count = 0;

	if (folder) {
		while (readdir(folder))
			count++;
		(void)closedir(folder);
		/* Not counting ".", ".." and the descriptor that looks. */
		put(o, &open_fds, count - 3);
	}
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
		put(o, &max_fds, (double)limit.rlim_cur);
}

static void put_start(const struct output *o, const char *stat)
{
	char text[PROC_TEXT_BYTES];
	const char *boot;

	if (!read_text("/proc/stat", text))
		return;
	/* On hosts with many cores the line lies past what was read: nothing is told then. */
	boot = strstr(text, "\nbtime ");
	if (!boot)
		return;
	put(o, &start,
		strtod(boot + strlen("\nbtime "), NULL) +
			stat_field(stat, STAT_START_TICKS) / (double)sysconf(_SC_CLK_TCK));
}

void process_append(struct buffer *out, bool is_openmetrics)
{
	const struct output o = { out, is_openmetrics };
	char stat[PROC_TEXT_BYTES];
	struct timespec used;
	struct rlimit limit;

	if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used) == 0)
		put(&o, &cpu, (double)used.tv_sec + (double)used.tv_nsec / 1e9);
	put_descriptors(&o);
	if (getrlimit(RLIMIT_AS, &limit) == 0)
		put(&o, &virtual_max, (double)limit.rlim_cur);
	if (!read_text("/proc/self/stat", stat))
		return;
	put(&o, &virtual_bytes, stat_field(stat, STAT_VIRTUAL_BYTES));
	put(&o, &resident, stat_field(stat, STAT_RESIDENT_PAGES) * (double)sysconf(_SC_PAGESIZE));
	put(&o, &threads, stat_field(stat, STAT_THREADS));
	put_start(&o, stat);
}
