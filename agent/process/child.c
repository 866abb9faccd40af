/* main's end of a role. */
#include "agent/process/child.h"

#include "agent/base/buffer.h"
#include "agent/process/channel.h"
#include "agent/process/frame.h"
#include "agent/process/messages.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define READ_BYTES (64 * 1024)
/* Reads before the loop looks at others. */
#define READS_MAX 32
#define HOW_BYTES 64
#define ROLE_STACK_BYTES (1024 * 1024)
/* Files that have come and were not taken. */
#define FILES_MAX 4

/* libuv hands on only what is a stream to it; of the stream nothing but its descriptor is used. */
struct child_file {
	uv_pipe_t carrier;
	unsigned references;
};

struct child {
	uv_pipe_t pipe; /* written to */
	uv_poll_t poll; /* when there is something to read, from ... */
	int read_fd;    /* ... this; owned */
	uv_process_t process;
	pthread_t thread;
	const struct role *role;
	const struct child_events *events; /* NULL once abandoned */
	void *arg;
	struct buffer in;
	struct child_file *files[FILES_MAX]; /* counted, in the order in which they came; or NULL */
	size_t files_count;
	const char *killed_as; /* static, or NULL */
	char how[HOW_BYTES];
	int role_fd;      /* thread only */
	enum err run_err; /* thread only */
	bool in_thread;
	bool has_poll;
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
	if (c->read_fd >= 0)
		(void)close(c->read_fd);
	buffer_wipe(&c->in);
	free(c);
}

/* --- files -------------------------------------------------------------------------------------- */

static void on_file_closed(uv_handle_t *handle)
{
	free(handle->data);
}

struct child_file *child_file_hold(struct child_file *f)
{
	if (f)
		f->references++;
	return f;
}

void child_file_drop(struct child_file *f)
{
	if (f && --f->references == 0)
		uv_close((uv_handle_t *)&f->carrier, on_file_closed);
}

static void drop_files(struct child *c)
{
	while (c->files_count)
		child_file_drop(c->files[--c->files_count]);
}

/* What a child says is a file may be anything; only what cannot be waited for or written goes on. */
static bool is_plain_file(int fd)
{
	struct stat st;
	int flags = fcntl(fd, F_GETFL);

	return flags >= 0 && (flags & O_ACCMODE) == O_RDONLY && !(flags & O_PATH) &&
	       fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
}

/* Takes the descriptor. NULL for one that is not passed on. */
static struct child_file *file_new(uv_loop_t *loop, int fd)
{
	struct child_file *f = is_plain_file(fd) ? calloc(1, sizeof(*f)) : NULL;

	if (!f) {
		(void)close(fd);
		return NULL;
	}
	f->references = 1;
	(void)uv_pipe_init(loop, &f->carrier, 0);
	f->carrier.data = f;
	if (uv_pipe_open(&f->carrier, fd) == 0)
		return f;
	(void)close(fd);
	child_file_drop(f);
	return NULL;
}

static bool keep_file(void *arg, int fd)
{
	struct child *c = arg;

	if (c->files_count == FILES_MAX)
		return false;
	c->files[c->files_count++] = file_new(c->pipe.loop, fd);
	return true;
}

struct child_file *child_take_file(struct child *c)
{
	struct child_file *f = c->files_count ? c->files[0] : NULL;

	if (c->files_count)
		memmove(c->files, c->files + 1, --c->files_count * sizeof(struct child_file *));
	return f;
}

static void close_handles(struct child *c)
{
	drop_files(c);
	if (!uv_is_closing((uv_handle_t *)&c->pipe))
		uv_close((uv_handle_t *)&c->pipe, on_handle_closed);
	if (c->has_poll && !uv_is_closing((uv_handle_t *)&c->poll))
		uv_close((uv_handle_t *)&c->poll, on_handle_closed);
	if (!c->in_thread && !uv_is_closing((uv_handle_t *)&c->process))
		uv_close((uv_handle_t *)&c->process, on_handle_closed);
}

static void end_stream(struct child *c)
{
	if (c->is_closed)
		return;
	c->is_closed = true;
	(void)uv_poll_stop(&c->poll);
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

/* ERR_CLOSED at the end, ERR_BUSY when nothing was there. */
static enum err receive(struct child *c)
{
	_Alignas(struct cmsghdr) uint8_t control[CMSG_SPACE(sizeof(int) * FILES_MAX)];
	struct iovec part = { .iov_base = buffer_reserve(&c->in, READ_BYTES),
		.iov_len = READ_BYTES };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
	ssize_t n;

	if (!part.iov_base)
		return ERR_MEMORY;
	if (c->role->needs & ROLE_PASSES_FILES) {
		message.msg_control = control;
		message.msg_controllen = sizeof(control);
	}
	do {
		n = recvmsg(c->read_fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	} while (n < 0 && errno == EINTR);
	if (n <= 0)
		return n < 0 && errno == EAGAIN ? ERR_BUSY : ERR_CLOSED;
	c->in.size += (size_t)n;
	return channel_files_of(&message, keep_file, c) ? hand_out(c) : ERR_MALFORMED;
}

/* Not by uv_read_start: a message that brings a file ends a read early, which libuv takes for the end of the
 * stream where the other side has closed it meanwhile. */
static void on_readable(uv_poll_t *poll, int status, int events)
{
	struct child *c = poll->data;

	(void)events;
	/* The other side has closed it without having read everything: what it wrote before is still there. */
	if (status < 0)
		(void)uv_poll_start(&c->poll, UV_READABLE, on_readable);
	for (unsigned i = 0; i < READS_MAX && uv_is_active((uv_handle_t *)&c->poll); i++) {
		enum err e = receive(c);

		if (e == ERR_BUSY)
			return;
		if (e == ERR_CLOSED) {
			end_stream(c);
			maybe_gone(c);
		} else if (e != ERR_OK) {
			child_kill(c, "sent garbage");
		}
	}
}

struct outgoing {
	uv_write_t request;
	struct child_file *file; /* counted, or NULL */
	size_t size;
	uint8_t bytes[];
};

static void on_written(uv_write_t *request, int status)
{
	struct outgoing *o = (struct outgoing *)request;

	(void)status;
	explicit_bzero(o->bytes, o->size);
	child_file_drop(o->file);
	free(o);
}

enum err child_send(struct child *c, uint16_t type, struct slice payload)
{
	return child_send_file(c, type, payload, NULL);
}

static int write_out(struct child *c, struct outgoing *o)
{
	uv_buf_t buf = uv_buf_init((char *)o->bytes, (unsigned)o->size);

	if (o->file)
		return uv_write2(&o->request, (uv_stream_t *)&c->pipe, &buf, 1,
			(uv_stream_t *)&o->file->carrier, on_written);
	return uv_write(&o->request, (uv_stream_t *)&c->pipe, &buf, 1, on_written);
}

enum err child_send_file(
	struct child *c, uint16_t type, struct slice payload, struct child_file *file)
{
	struct outgoing *o;

	if (payload.size > FRAME_BYTES_MAX)
		return ERR_LIMIT;
	if (c->is_closed)
		return ERR_OK;
	o = malloc(sizeof(*o) + FRAME_HEAD_BYTES + payload.size);
	if (!o)
		return ERR_MEMORY;
	o->size = FRAME_HEAD_BYTES + payload.size;
	o->file = child_file_hold(file);
	frame_head(o->bytes, type, payload.size);
	if (payload.size)
		memcpy(o->bytes + FRAME_HEAD_BYTES, payload.data, payload.size);
	if (write_out(c, o) != 0)
		on_written(&o->request, 0);
	return ERR_OK;
}

void child_pause(struct child *c, bool is_paused)
{
	if (c->is_closed)
		return;
	if (is_paused)
		(void)uv_poll_stop(&c->poll);
	else
		(void)uv_poll_start(&c->poll, UV_READABLE, on_readable);
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

static enum err start_reading(struct child *c, struct why *why)
{
	uv_os_fd_t fd;

	if (uv_fileno((uv_handle_t *)&c->pipe, &fd) == 0)
		c->read_fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (c->read_fd >= 0 && uv_poll_init(c->pipe.loop, &c->poll, c->read_fd) == 0) {
		c->poll.data = c;
		c->has_poll = true;
		c->handles_open++;
		if (uv_poll_start(&c->poll, UV_READABLE, on_readable) == 0)
			return ERR_OK;
	}
	return why_fail(why, ERR_IO, "cannot read from the %s", c->role->name);
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
	/* A process that has threads cannot fork safely, as this one does for each module. */
	c->in_thread = start->in_thread && !(start->role->needs & ROLE_NEEDS_MODULES);
	c->read_fd = -1;
	buffer_init(&c->in, FRAME_BYTES_MAX + FRAME_HEAD_BYTES + READ_BYTES);
	(void)uv_pipe_init(start->loop, &c->pipe, start->role->needs & ROLE_PASSES_FILES ? 1 : 0);
	c->pipe.data = c;
	c->process.data = c;
	c->handles_open = c->in_thread ? 1 : 2;
	e = c->in_thread ? start_thread(c, why) : start_process(start->loop, c, why);
	if (e == ERR_OK)
		e = start_reading(c, why);
	if (e != ERR_OK) {
		c->events = NULL;
		c->is_closed = true;
		close_handles(c);
		return e;
	}
	*out = c;
	return ERR_OK;
}
