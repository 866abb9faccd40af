/* main's end of a role. */
#include "agent/process/child.h"

#include "agent/base/buffer.h"
#include "agent/process/frame.h"
#include "agent/process/messages.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define READ_BYTES (64 * 1024)
#define HOW_BYTES 64
#define ROLE_STACK_BYTES (1024 * 1024)

struct child {
	uv_pipe_t pipe;
	uv_process_t process;
	pthread_t thread;
	const struct role *role;
	const struct child_events *events; /* NULL once abandoned */
	void *arg;
	struct buffer in;
	const char *killed_as; /* static, or NULL */
	char how[HOW_BYTES];
	int role_fd;      /* thread only */
	enum err run_err; /* thread only */
	bool in_thread;
	bool is_closed; /* the stream came to its end */
	bool is_ended;  /* the process was reaped, or there is none to reap */
	bool is_in_order;
	bool is_reported;
	unsigned handles_open;
};

static void maybe_gone(struct child *c);

static void on_handle_closed(uv_handle_t *handle)
{
	struct child *c = handle->data;

	if (--c->handles_open)
		return;
	buffer_wipe(&c->in);
	free(c);
}

static void close_handles(struct child *c)
{
	if (!uv_is_closing((uv_handle_t *)&c->pipe))
		uv_close((uv_handle_t *)&c->pipe, on_handle_closed);
	if (!c->in_thread && !uv_is_closing((uv_handle_t *)&c->process))
		uv_close((uv_handle_t *)&c->process, on_handle_closed);
}

static void end_stream(struct child *c)
{
	if (c->is_closed)
		return;
	c->is_closed = true;
	(void)uv_read_stop((uv_stream_t *)&c->pipe);
	if (c->in_thread) {
		/* Its reads and writes fail from here on, so the role returns. */
		uv_os_fd_t fd;

		if (uv_fileno((uv_handle_t *)&c->pipe, &fd) == 0)
			(void)shutdown(fd, SHUT_RDWR);
		(void)pthread_join(c->thread, NULL);
		c->is_ended = true;
		c->is_in_order = c->run_err == ERR_OK || c->run_err == ERR_CLOSED;
		(void)snprintf(c->how, sizeof(c->how), "%s",
			c->is_in_order ? "ended" : err_text(c->run_err));
	}
}

static void on_process_exit(uv_process_t *process, int64_t status, int signal_number)
{
	struct child *c = process->data;

	c->is_ended = true;
	c->is_in_order = status == 0 && signal_number == 0;
	if (signal_number)
		(void)snprintf(c->how, sizeof(c->how), "killed by signal %d", signal_number);
	else if (status)
		(void)snprintf(c->how, sizeof(c->how), "exit code %lld", (long long)status);
	else
		(void)snprintf(c->how, sizeof(c->how), "ended");
	maybe_gone(c);
}

static void maybe_gone(struct child *c)
{
	if (!c->is_closed || !c->is_ended || c->is_reported)
		return;
	c->is_reported = true;
	if (c->events)
		c->events->gone(c->arg, c->is_in_order && !c->killed_as,
			c->killed_as ? c->killed_as : c->how);
	close_handles(c);
}

void child_kill(struct child *c, const char *how)
{
	if (!c->killed_as)
		c->killed_as = how;
	if (!c->in_thread && !c->is_ended)
		(void)uv_process_kill(&c->process, SIGKILL);
	/* What it wrote before stays unread: it was killed for a reason. */
	end_stream(c);
	if (c->in_thread)
		maybe_gone(c);
}

void child_abandon(struct child *c)
{
	c->events = NULL;
	child_kill(c, "abandoned");
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
	struct child *c = handle->data;
	uint8_t *to = buffer_reserve(&c->in, READ_BYTES);

	(void)suggested;
	*buf = uv_buf_init((char *)to, to ? READ_BYTES : 0);
}

/* Hands out every whole frame; ERR_MALFORMED when one is not. */
static enum err hand_out(struct child *c)
{
	size_t used = 0;
	enum err e = ERR_OK;

	while (c->events && !c->is_closed) {
		struct slice payload;
		uint16_t type;

		e = frame_read(slice_after(buffer_bytes(&c->in), used), &type, &payload);
		if (e != ERR_OK)
			break;
		used += FRAME_HEAD_BYTES + payload.size;
		e = c->events->frame(c->arg, type, payload);
		if (e != ERR_OK)
			break;
	}
	buffer_consume(&c->in, used);
	return e == ERR_BUSY ? ERR_OK : e;
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
	struct child *c = stream->data;

	(void)buf;
	if (n == 0)
		return;
	if (n < 0) {
		end_stream(c);
		maybe_gone(c);
		return;
	}
	c->in.size += (size_t)n;
	if (hand_out(c) != ERR_OK)
		child_kill(c, "sent garbage");
}

struct outgoing {
	uv_write_t request;
	size_t size;
	uint8_t bytes[];
};

static void on_written(uv_write_t *request, int status)
{
	struct outgoing *o = (struct outgoing *)request;

	(void)status;
	explicit_bzero(o->bytes, o->size);
	free(o);
}

enum err child_send(struct child *c, uint16_t type, struct slice payload)
{
	struct outgoing *o;
	uv_buf_t buf;

	if (payload.size > FRAME_BYTES_MAX)
		return ERR_LIMIT;
	if (c->is_closed)
		return ERR_OK;
	o = malloc(sizeof(*o) + FRAME_HEAD_BYTES + payload.size);
	if (!o)
		return ERR_MEMORY;
	o->size = FRAME_HEAD_BYTES + payload.size;
	frame_head(o->bytes, type, payload.size);
	if (payload.size)
		memcpy(o->bytes + FRAME_HEAD_BYTES, payload.data, payload.size);
	buf = uv_buf_init((char *)o->bytes, (unsigned)o->size);
	if (uv_write(&o->request, (uv_stream_t *)&c->pipe, &buf, 1, on_written) != 0)
		on_written(&o->request, 0);
	return ERR_OK;
}

void child_pause(struct child *c, bool is_paused)
{
	if (c->is_closed)
		return;
	if (is_paused)
		(void)uv_read_stop((uv_stream_t *)&c->pipe);
	else
		(void)uv_read_start((uv_stream_t *)&c->pipe, on_alloc, on_read);
}

static void *thread_main(void *arg)
{
	struct child *c = arg;
	struct why why = { 0 };

	c->run_err = c->role->run(c->role_fd, &why);
	(void)close(c->role_fd);
	return NULL;
}

static enum err start_thread(struct child *c, struct why *why)
{
	pthread_attr_t attr;
	int pair[2];
	int failed;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
		return why_fail(why, ERR_IO, "cannot make a socket pair: %m");
	c->role_fd = pair[1];
	if (uv_pipe_open(&c->pipe, pair[0]) != 0) {
		(void)close(pair[0]);
		(void)close(pair[1]);
		return why_fail(why, ERR_IO, "cannot watch a socket pair");
	}
	(void)pthread_attr_init(&attr);
	(void)pthread_attr_setstacksize(&attr, ROLE_STACK_BYTES);
	failed = pthread_create(&c->thread, &attr, thread_main, c);
	(void)pthread_attr_destroy(&attr);
	if (failed) {
		(void)close(pair[1]);
		return why_fail(why, ERR_IO, "cannot start a thread for the %s", c->role->name);
	}
	return ERR_OK;
}

static enum err start_process(uv_loop_t *loop, struct child *c, struct why *why)
{
	char self[] = "/proc/self/exe";
	char option[] = "--role";
	char *args[] = { self, option, (char *)(uintptr_t)c->role->name, NULL };
	uv_stdio_container_t stdio[ROLE_FD + 1] = {
		[0] = { .flags = UV_IGNORE },
		[1] = { .flags = UV_IGNORE },
		[2] = { .flags = UV_INHERIT_FD, .data.fd = STDERR_FILENO },
		[ROLE_FD] = { .flags = UV_CREATE_PIPE | UV_READABLE_PIPE | UV_WRITABLE_PIPE,
			.data.stream = (uv_stream_t *)&c->pipe },
	};
	uv_process_options_t options = { .exit_cb = on_process_exit,
		.file = self,
		.args = args,
		.stdio = stdio,
		.stdio_count = ROLE_FD + 1 };
	int failed = uv_spawn(loop, &c->process, &options);

	if (failed)
		return why_fail(
			why, ERR_IO, "cannot start the %s: %s", c->role->name, uv_strerror(failed));
	return ERR_OK;
}

enum err child_new(const struct child_start *start, struct child **out, struct why *why)
{
	struct child *c = calloc(1, sizeof(*c));
	enum err e;

	if (!c)
		return ERR_MEMORY;
	c->role = start->role;
	c->events = start->events;
	c->arg = start->arg;
	c->in_thread = start->in_thread;
	buffer_init(&c->in, FRAME_BYTES_MAX + FRAME_HEAD_BYTES + READ_BYTES);
	(void)uv_pipe_init(start->loop, &c->pipe, 0);
	c->pipe.data = c;
	c->process.data = c;
	c->handles_open = c->in_thread ? 1 : 2;
	e = c->in_thread ? start_thread(c, why) : start_process(start->loop, c, why);
	if (e == ERR_OK && uv_read_start((uv_stream_t *)&c->pipe, on_alloc, on_read) != 0)
		e = why_fail(why, ERR_IO, "cannot read from the %s", c->role->name);
	if (e != ERR_OK) {
		c->events = NULL;
		c->is_closed = true;
		close_handles(c);
		return e;
	}
	*out = c;
	return ERR_OK;
}
