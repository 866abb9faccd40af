/* A token bucket, dealt out in turn. */
#include "agent/permits.h"

#include "agent/base/clock.h"

#include <stdlib.h>

#define TICK_MS 10
#define BURST_S 0.05 /* of the rate that may be caught up with */
#define WANTED_MAX 100000

struct permits {
	uv_timer_t timer;
	double rate;
	double tokens;
	int64_t filled_ms;
	permits_fn *grant;
	void *arg;
	uint64_t wanted[PERMITS_ASKERS_MAX];
	unsigned turn;
};

enum err permits_new(
	uv_loop_t *loop, double rate, permits_fn *grant, void *arg, struct permits **out)
{
	struct permits *p = calloc(1, sizeof(*p));

	if (!p)
		return ERR_MEMORY;
	p->rate = rate;
	p->tokens = 1;
	p->filled_ms = clock_monotonic_ms();
	p->grant = grant;
	p->arg = arg;
	(void)uv_timer_init(loop, &p->timer);
	p->timer.data = p;
	*out = p;
	return ERR_OK;
}

static void on_closed(uv_handle_t *handle)
{
	free(handle->data);
}

void permits_free(struct permits *p)
{
	if (p)
		uv_close((uv_handle_t *)&p->timer, on_closed);
}

static void fill(struct permits *p)
{
	double most = p->rate * BURST_S > 1 ? p->rate * BURST_S : 1;
	int64_t now = clock_monotonic_ms();

	p->tokens += (double)(now - p->filled_ms) / 1000.0 * p->rate;
	p->filled_ms = now;
	if (p->tokens > most)
		p->tokens = most;
}

static void on_tick(uv_timer_t *timer)
{
	struct permits *p = timer->data;
	uint64_t given[PERMITS_ASKERS_MAX] = { 0 };
	unsigned without = 0;

	fill(p);
	/* One each in turn, until the tokens or the wishes are used up. */
	while (p->tokens >= 1 && without < PERMITS_ASKERS_MAX) {
		unsigned which = p->turn;

		p->turn = (p->turn + 1) % PERMITS_ASKERS_MAX;
		without++;
		if (!p->wanted[which])
			continue;
		without = 0;
		p->wanted[which]--;
		given[which]++;
		p->tokens -= 1;
	}
	if (without == PERMITS_ASKERS_MAX)
		(void)uv_timer_stop(timer);
	for (unsigned i = 0; i < PERMITS_ASKERS_MAX; i++)
		if (given[i])
			p->grant(p->arg, i, given[i]);
}

void permits_want(struct permits *p, unsigned which, uint64_t count)
{
	if (which >= PERMITS_ASKERS_MAX)
		return;
	p->wanted[which] += count < WANTED_MAX ? count : WANTED_MAX;
	if (p->wanted[which] > WANTED_MAX)
		p->wanted[which] = WANTED_MAX;
	if (!uv_is_active((uv_handle_t *)&p->timer))
		(void)uv_timer_start(&p->timer, on_tick, 0, TICK_MS);
}

void permits_forget(struct permits *p, unsigned which)
{
	if (which < PERMITS_ASKERS_MAX)
		p->wanted[which] = 0;
}
