/* The progress bar on stderr. */
#include "agent/commands/progress.h"

#include "agent/base/clock.h"
#include "agent/base/log.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define BAR_MS 100
#define BAR_CELLS 20
#define BAR_LINE_BYTES 256
#define BAR_WIDTH_STANDARD 80
#define ERASE "\r\033[K"

struct progress_bar {
	uv_timer_t timer;
	const struct pipeline *pipeline; /* borrowed, or NULL */
	int64_t started_ms;
	unsigned turn;
	bool is_drawn;
};

struct sums {
	uint64_t items;
	uint64_t expected;
	uint64_t certificates;
	uint64_t problems;
	const char *scanner; /* the one that takes longest to name */
	unsigned passes;
};

static void add(void *arg, const struct pass_stats *stats)
{
	struct sums *sums = arg;

	sums->items += stats->items;
	sums->expected += stats->expected;
	sums->certificates += stats->certificates;
	sums->problems += stats->problems;
	sums->scanner = stats->scanner;
	sums->passes++;
}

static unsigned width(void)
{
	struct winsize size;

	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1)
		return size.ws_col - 1U;
	return BAR_WIDTH_STANDARD;
}

/* A filled bar where the end is known, a block that wanders where it is not. */
static void draw_cells(char out[BAR_CELLS + 1], const struct sums *sums, unsigned turn)
{
	uint64_t filled = sums->expected ? sums->items * BAR_CELLS / sums->expected : 0;
	unsigned at = turn % (2 * (BAR_CELLS - 3));

	at = at < BAR_CELLS - 3 ? at : 2 * (BAR_CELLS - 3) - at;
	for (unsigned i = 0; i < BAR_CELLS; i++) {
		bool is_on = sums->expected ? i < filled : i >= at && i < at + 3;

		out[i] = is_on ? '#' : '.';
	}
	out[BAR_CELLS] = 0;
}

static void draw(uv_timer_t *timer)
{
	struct progress_bar *b = timer->data;
	struct sums sums = { .scanner = "" };
	char cells[BAR_CELLS + 1];
	char line[BAR_LINE_BYTES];

	if (b->pipeline)
		pipeline_each(b->pipeline, add, &sums);
	draw_cells(cells, &sums, b->turn++);
	(void)snprintf(line, sizeof(line),
		"[%s] %s: %" PRIu64 " looked at, %" PRIu64 " certificates, %" PRIu64
		" problems, %.1f s",
		cells, sums.passes == 1 ? sums.scanner : "this host", sums.items, sums.certificates,
		sums.problems, (double)(clock_monotonic_ms() - b->started_ms) / 1000.0);
	(void)fprintf(stderr, ERASE "%.*s", (int)width(), line);
	(void)fflush(stderr);
	b->is_drawn = true;
}

static void make_way(void *arg)
{
	struct progress_bar *b = arg;

	if (!b->is_drawn)
		return;
	(void)fputs(ERASE, stderr);
	(void)fflush(stderr);
	b->is_drawn = false;
}

static void come_back(void *arg)
{
	(void)arg; /* the timer draws it again */
}

enum err progress_bar_new(uv_loop_t *loop, struct progress_bar **out)
{
	struct progress_bar *b;

	*out = NULL;
	if (!isatty(STDERR_FILENO))
		return ERR_OK;
	b = calloc(1, sizeof(*b));
	if (!b)
		return ERR_MEMORY;
	b->started_ms = clock_monotonic_ms();
	(void)uv_timer_init(loop, &b->timer);
	b->timer.data = b;
	(void)uv_timer_start(&b->timer, draw, BAR_MS, BAR_MS);
	uv_unref((uv_handle_t *)&b->timer);
	log_on_line(make_way, come_back, b);
	*out = b;
	return ERR_OK;
}

void progress_bar_watch(struct progress_bar *b, const struct pipeline *p)
{
	if (b)
		b->pipeline = p;
}

static void on_closed(uv_handle_t *handle)
{
	free(handle->data);
}

void progress_bar_free(struct progress_bar *b)
{
	if (!b)
		return;
	make_way(b);
	log_on_line(NULL, NULL, NULL);
	uv_close((uv_handle_t *)&b->timer, on_closed);
}
