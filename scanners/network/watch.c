/* One epoll set for all connections of a process. */
#include "scanners/network/watch.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#define BATCH 128 /* events in one round; the timers have their turn after it */

struct watches {
	uv_poll_t poll; /* of the set itself */
	int epoll;      /* owned */
	void (*fn)(void *arg);
	struct epoll_event batch[BATCH];
	int at; /* the one after that which is told */
	int count;
};

static void on_ready(uv_poll_t *poll, int status, int events)
{
	struct watches *all = poll->data;

	(void)status;
	(void)events;
	all->count = epoll_wait(all->epoll, all->batch, BATCH, 0);
	for (all->at = 0; all->at < all->count;) {
		struct watch *w = all->batch[all->at++].data.ptr;

		if (w)
			all->fn(w->arg);
	}
	all->count = 0;
}

enum err watches_new(uv_loop_t *loop, void (*fn)(void *arg), struct watches **out)
{
	struct watches *all = calloc(1, sizeof(*all));

	if (!all)
		return ERR_MEMORY;
	all->fn = fn;
	all->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (all->epoll < 0 || uv_poll_init(loop, &all->poll, all->epoll) != 0) {
		watches_free(all);
		return ERR_IO;
	}
	all->poll.data = all;
	/* From here on the loop knows the handle: it stays until the loop is closed. */
	*out = all;
	return uv_poll_start(&all->poll, UV_READABLE, on_ready) == 0 ? ERR_OK : ERR_IO;
}

void watches_free(struct watches *all)
{
	if (!all)
		return;
	if (all->epoll >= 0)
		(void)close(all->epoll);
	free(all);
}

enum err watch_for(struct watches *all, struct watch *w, int fd, unsigned events)
{
	struct epoll_event event = {
		.events = (events & WATCH_READABLE ? EPOLLIN : 0U) |
			  (events & WATCH_WRITABLE ? EPOLLOUT : 0U),
		.data.ptr = w,
	};

	if (w->events == events)
		return ERR_OK;
	if (epoll_ctl(all->epoll, w->events ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &event) != 0)
		return ERR_IO;
	w->fd = fd;
	w->events = events;
	return ERR_OK;
}

/* What was told of it in this round, but not handed on yet. */
static void forget(struct watches *all, const struct watch *w)
{
	for (int i = all->at; i < all->count; i++)
		if (all->batch[i].data.ptr == w)
			all->batch[i].data.ptr = NULL;
}

void watch_stop(struct watches *all, struct watch *w, bool is_closing)
{
	if (!w->events)
		return;
	/* epoll(7): the last descriptor of a socket takes it out of the set. */
	if (!is_closing)
		(void)epoll_ctl(all->epoll, EPOLL_CTL_DEL, w->fd, NULL);
	w->events = 0;
	forget(all, w);
}
