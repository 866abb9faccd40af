/* The reader's main thread: takes work, says how far it is, watches over the threads that walk. */
#include "scanners/files/reader.h"

#include "agent/base/clock.h"
#include "agent/base/log.h"
#include "scanners/files/walk.h"

#include <errno.h>
#include <malloc.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#define PROGRESS_MS 400
#define MEMORY_PIECE_BYTES (256 * 1024)
/* Of the C library's heaps: one a thread would cost more memory than they save time. */
#define ARENAS_MAX 2

struct reader {
	struct channel channel;
	struct walk walk;
	struct buffer memory; /* as it came */
	bool has_started;
	bool is_finish; /* no more work comes */
	int64_t next_progress_ms;
};

static enum err start(struct reader *r)
{
	enum err e = ERR_OK;

	if (r->has_started)
		return ERR_OK;
	r->has_started = true;
	/* What was not understood is looked at again; that is all. */
	if (r->memory.size && !r->walk.is_transient &&
		seen_load(&r->walk.seen, &r->memory) != ERR_OK)
		log_info("the memory of the last pass is not of use: every file is read");
	buffer_fini(&r->memory);
	for (uint32_t i = 0; e == ERR_OK && i < r->walk.options.threads; i++)
		e = walk_start_worker(&r->walk);
	return e;
}

static enum err take_work(struct reader *r, struct slice payload)
{
	struct work work;
	struct root_item item;
	enum err e = work_decode(payload, &work);

	if (e == ERR_OK)
		e = root_item_decode(work.item, &item);
	if (e == ERR_OK)
		e = walk_want_root(&r->walk, work.id, &item);
	return e == ERR_OK ? start(r) : e;
}

static enum err take_frame(struct reader *r, uint16_t type, struct slice payload)
{
	switch (type) {
	case MESSAGE_MEMORY:
		buffer_slice(&r->memory, payload);
		return ERR_OK;
	case MESSAGE_WORK:
		return take_work(r, payload);
	case MESSAGE_FINISH:
		r->is_finish = true;
		return ERR_OK;
	default:
		return ERR_MALFORMED;
	}
}

static enum err send_progress(struct reader *r)
{
	struct progress progress = { .items = walk_files(&r->walk) };
	struct buffer path;
	struct buffer uri;
	enum err e;

	if (r->walk.seen.count > progress.items)
		progress.expected = r->walk.seen.count;
	buffer_init(&path, READER_PATH_BYTES_MAX);
	buffer_init(&uri, PLACE_BYTES_MAX);
	walk_at(&r->walk, &path);
	if (path.size && buffer_status(&path) == ERR_OK) {
		path_uri(&uri, buffer_bytes(&path));
		if (buffer_status(&uri) == ERR_OK)
			progress.at = buffer_bytes(&uri);
	}
	e = channel_progress(&r->channel, &progress);
	buffer_fini(&uri);
	buffer_fini(&path);
	return e;
}

/* Takes what has come, without waiting. */
static enum err take_frames(struct reader *r)
{
	enum err e = ERR_OK;

	while (e == ERR_OK && channel_has_frame(&r->channel)) {
		struct slice payload;
		uint16_t type;

		e = channel_read(&r->channel, &type, &payload);
		if (e == ERR_OK)
			e = take_frame(r, type, payload);
	}
	return e;
}

static enum err wait_and_fill(struct reader *r)
{
	struct pollfd fds[] = { { .fd = r->channel.fd, .events = POLLIN },
		{ .fd = r->walk.wake_fd, .events = POLLIN } };
	int64_t now = clock_monotonic_ms();
	int64_t left = r->next_progress_ms - now;
	uint64_t count;
	enum err e;

	if (poll(fds, 2, left > 0 ? (int)left : 0) < 0)
		return errno == EINTR ? ERR_OK : ERR_IO;
	if (fds[1].revents && read(r->walk.wake_fd, &count, sizeof(count)) < 0)
		log_debug("woken for nothing");
	if (!fds[0].revents)
		return ERR_OK;
	e = channel_fill(&r->channel);
	return e == ERR_BUSY ? ERR_OK : e;
}

static enum err tick(struct reader *r)
{
	int64_t now = clock_monotonic_ms();
	enum err e;

	if (now < r->next_progress_ms)
		return ERR_OK;
	e = send_progress(r);
	if (e == ERR_OK)
		e = walk_watch(&r->walk, now, STUCK_MS);
	r->next_progress_ms = clock_monotonic_ms() + PROGRESS_MS;
	return e;
}

static enum err serve(struct reader *r)
{
	for (;;) {
		enum err e = take_frames(r);

		if (e != ERR_OK)
			return e;
		if (atomic_load(&r->walk.has_failed))
			return ERR_MEMORY;
		if (atomic_load(&r->walk.is_stopping))
			return ERR_CLOSED;
		if (r->is_finish && walk_is_done(&r->walk))
			return ERR_OK;
		e = wait_and_fill(r);
		if (e == ERR_OK)
			e = tick(r);
		if (e != ERR_OK)
			return e;
	}
}

/* --- the end ----------------------------------------------------------------------------------- */

static enum err gather(struct reader *r, struct buffer *out)
{
	struct walk *w = &r->walk;
	struct seen_list *lists = calloc(w->workers_count + 1, sizeof(*lists));
	size_t count = 0;
	enum err e;

	if (!lists)
		return ERR_MEMORY;
	/* One that was left behind may still write into its own. */
	for (size_t i = 0; i < w->workers_count; i++)
		if (atomic_load(&w->workers[i]->state) != WORKER_LEFT_BEHIND)
			lists[count++] = w->workers[i]->seen;
	e = seen_write(&w->seen, lists, count, out);
	free(lists);
	return e;
}

static enum err finish(struct reader *r)
{
	struct buffer memory;
	struct slice left;
	enum err e = ERR_OK;

	buffer_init(&memory, SEEN_BYTES_MAX);
	if (!r->walk.is_transient)
		e = gather(r, &memory);
	left = buffer_bytes(&memory);
	if (e == ERR_OK)
		e = send_progress(r);
	while (e == ERR_OK && left.size) {
		size_t size = left.size < MEMORY_PIECE_BYTES ? left.size : MEMORY_PIECE_BYTES;

		e = channel_write(&r->channel, MESSAGE_MEMORY, slice_of(left.data, size));
		left = slice_after(left, size);
	}
	buffer_fini(&memory);
	return e == ERR_OK ? channel_write(&r->channel, MESSAGE_FINISHED, slice_of(NULL, 0)) : e;
}

static enum err add_roots(struct walk *w)
{
	enum err e = ERR_OK;

	for (size_t i = 0; e == ERR_OK && i < w->options.roots.count; i++) {
		struct root *root;

		e = walk_add_root(w, w->options.roots.items[i], &root);
	}
	return e;
}

static enum err set_up(struct reader *r, struct why *why)
{
	struct files_options options = { 0 };
	struct setup setup;
	struct slice payload;
	uint16_t type;
	enum err e = channel_read(&r->channel, &type, &payload);

	if (e != ERR_OK)
		return e;
	if (type != MESSAGE_SETUP || setup_decode(payload, &setup) != ERR_OK ||
		files_options_decode(setup.options, &options) != ERR_OK)
		return why_fail(
			why, ERR_MALFORMED, "the reader was set up with what it does not know");
	e = walk_init(&r->walk, &r->channel, &options);
	files_options_fini(&options);
	/* With --single this is a thread of the whole agent, whose log is its own and whose sockets must not
	 * be copied. The clock stays as it is: change times are compared with the real one. */
	r->walk.has_process = getpid() == gettid();
	r->walk.is_transient = setup.is_transient;
	if (r->walk.has_process && setup.log_level <= LOG_LEVEL_DEBUG)
		log_setup((enum log_level)setup.log_level, reader_role.name);
	return e;
}

static enum err run_walk(struct reader *r)
{
	enum err e = add_roots(&r->walk);

	if (e == ERR_OK)
		e = serve(r);
	walk_stop(&r->walk);
	return e == ERR_OK ? finish(r) : e;
}

static enum err reader_run(int fd, struct why *why)
{
	struct reader *r = calloc(1, sizeof(*r));
	bool has_strays = false;
	enum err e;

	if (!r)
		return ERR_MEMORY;
	(void)mallopt(M_ARENA_MAX, ARENAS_MAX);
	r->walk.wake_fd = -1;
	buffer_init(&r->memory, SEEN_BYTES_MAX);
	e = channel_init(&r->channel, fd);
	if (e == ERR_OK)
		e = set_up(r, why);
	if (e == ERR_OK)
		e = run_walk(r);
	/* A thread in a dead file system still looks at all this, until the process ends. */
	has_strays = walk_has_strays(&r->walk);
	if (!has_strays) {
		walk_fini(&r->walk);
		buffer_fini(&r->memory);
		channel_fini(&r->channel);
		free(r);
	}
	return e == ERR_OK ? ERR_OK : why_fail(why, e, "reading: %s", why_text(why, e));
}

const struct role reader_role = {
	.name = "reader",
	.needs = ROLE_NEEDS_READ_FILES | ROLE_PASSES_FILES,
	.run = reader_run,
};
