/* The role's end of its socket. */
#include "agent/process/channel.h"

#include "agent/base/wire.h"
#include "agent/certificate/record.h"
#include "agent/process/frame.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define CHANNEL_READ_BYTES (64 * 1024)
#define FILES_WAIT_MS 10
#define GATHERED_BYTES ((size_t)16 * 1024)

enum err channel_init(struct channel *c, int fd)
{
	*c = (struct channel){ .fd = fd };
	buffer_init(&c->in, FRAME_BYTES_MAX + FRAME_HEAD_BYTES + CHANNEL_READ_BYTES);
	buffer_init(&c->out, GATHERED_BYTES);
	return pthread_mutex_init(&c->write_lock, NULL) == 0 ? ERR_OK : ERR_MEMORY;
}

void channel_fini(struct channel *c)
{
	for (size_t i = 0; i < c->files_count; i++)
		(void)close(c->files[i]);
	buffer_wipe(&c->in);
	buffer_wipe(&c->out);
	(void)pthread_mutex_destroy(&c->write_lock);
}

static struct slice unread(const struct channel *c)
{
	return slice_after(buffer_bytes(&c->in), c->in_used);
}

bool channel_has_frame(const struct channel *c)
{
	struct slice payload;
	uint16_t type;

	return frame_read(unread(c), &type, &payload) != ERR_BUSY;
}

bool channel_files_of(struct msghdr *message, bool (*take)(void *arg, int fd), void *arg)
{
	bool are_taken = true;

	for (struct cmsghdr *m = CMSG_FIRSTHDR(message); m; m = CMSG_NXTHDR(message, m)) {
		size_t size = m->cmsg_len - CMSG_LEN(0);

		if (m->cmsg_level != SOL_SOCKET || m->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t at = 0; at + sizeof(int) <= size; at += sizeof(int)) {
			int fd;

			memcpy(&fd, CMSG_DATA(m) + at, sizeof(fd));
			if (take(arg, fd))
				continue;
			(void)close(fd);
			are_taken = false;
		}
	}
	return are_taken;
}

static bool keep_file(void *arg, int fd)
{
	struct channel *c = arg;

	if (c->files_count == CHANNEL_FILES_MAX)
		return false;
	c->files[c->files_count++] = fd;
	return true;
}

int channel_take_file(struct channel *c)
{
	int fd = c->files_count ? c->files[0] : -1;

	if (c->files_count)
		memmove(c->files, c->files + 1, --c->files_count * sizeof(c->files[0]));
	return fd;
}

enum err channel_fill(struct channel *c)
{
	_Alignas(struct cmsghdr) uint8_t control[CMSG_SPACE(sizeof(int) * CHANNEL_FILES_MAX)];
	struct iovec part = { .iov_len = CHANNEL_READ_BYTES };
	struct msghdr message = { .msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control) };
	uint8_t *to;
	ssize_t n;

	buffer_consume(&c->in, c->in_used);
	c->in_used = 0;
	to = buffer_reserve(&c->in, CHANNEL_READ_BYTES);
	if (!to)
		return buffer_status(&c->in);
	do {
		part.iov_base = to;
		n = recvmsg(c->fd, &message, MSG_CMSG_CLOEXEC);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == EAGAIN ? ERR_BUSY : ERR_CLOSED;
	if (n == 0)
		return ERR_CLOSED;
	c->in.size += (size_t)n;
	return channel_files_of(&message, keep_file, c) ? ERR_OK : ERR_MALFORMED;
}

static enum err wait_for(int fd, short events)
{
	struct pollfd p = { .fd = fd, .events = events };

	/* No deadline on purpose: main sets the pace, and its death closes the socket. */
	while (poll(&p, 1, -1) < 0)
		if (errno != EINTR)
			return ERR_IO;
	return ERR_OK;
}

enum err channel_read(struct channel *c, uint16_t *type, struct slice *payload)
{
	for (;;) {
		enum err e = frame_read(unread(c), type, payload);

		if (e == ERR_OK)
			c->in_used += FRAME_HEAD_BYTES + payload->size;
		if (e != ERR_BUSY)
			return e;
		e = channel_fill(c);
		if (e == ERR_BUSY)
			e = wait_for(c->fd, POLLIN);
		if (e != ERR_OK)
			return e;
	}
}

/* `control` goes with the first byte. */
static enum err write_all(int fd, struct iovec *parts, size_t count, struct slice control)
{
	struct msghdr message = { .msg_iov = parts,
		.msg_iovlen = count,
		.msg_control = (void *)(uintptr_t)control.data,
		.msg_controllen = control.size };

	while (message.msg_iovlen) {
		ssize_t n = sendmsg(fd, &message, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN && wait_for(fd, POLLOUT) == ERR_OK)
			continue;
		/* As many files are on their way as a user may have: main has to take some in first. */
		if (n < 0 && errno == ETOOMANYREFS && poll(NULL, 0, FILES_WAIT_MS) == 0)
			continue;
		if (n < 0)
			return ERR_CLOSED;
		message.msg_control = NULL;
		message.msg_controllen = 0;
		while (message.msg_iovlen && (size_t)n >= message.msg_iov->iov_len) {
			n -= (ssize_t)message.msg_iov->iov_len;
			message.msg_iov++;
			message.msg_iovlen--;
		}
		if (message.msg_iovlen) {
			message.msg_iov->iov_base = (uint8_t *)message.msg_iov->iov_base + n;
			message.msg_iov->iov_len -= (size_t)n;
		}
	}
	return ERR_OK;
}

/* With the lock held. */
static enum err flush(struct channel *c)
{
	struct iovec part = { .iov_base = c->out.data, .iov_len = c->out.size };
	enum err e = c->out.size ? write_all(c->fd, &part, 1, slice_of(NULL, 0)) : ERR_OK;

	/* After a failure nobody reads any longer. */
	buffer_clear(&c->out);
	return e;
}

/* Adds the frame to those that wait; false: it has to be written. With the lock held. */
static bool gather(struct channel *c, const struct iovec *parts, size_t count)
{
	size_t size = 0;

	for (size_t i = 0; i < count; i++)
		size += parts[i].iov_len;
	if (!c->is_gathering || !pthread_equal(c->gatherer, pthread_self()) ||
		size > GATHERED_BYTES - c->out.size || !buffer_reserve(&c->out, size))
		return false;
	for (size_t i = 0; i < count; i++)
		buffer_append(&c->out, parts[i].iov_base, parts[i].iov_len);
	return true;
}

void channel_gather(struct channel *c)
{
	(void)pthread_mutex_lock(&c->write_lock);
	c->gatherer = pthread_self();
	c->is_gathering = true;
	(void)pthread_mutex_unlock(&c->write_lock);
}

enum err channel_flush(struct channel *c)
{
	enum err e;

	(void)pthread_mutex_lock(&c->write_lock);
	e = flush(c);
	(void)pthread_mutex_unlock(&c->write_lock);
	return e;
}

static enum err write_frame(
	struct channel *c, uint16_t type, struct slice payload, struct slice control)
{
	uint8_t head[FRAME_HEAD_BYTES];
	struct iovec parts[2] = { { .iov_base = head, .iov_len = sizeof(head) },
		{ .iov_base = (void *)(uintptr_t)payload.data, .iov_len = payload.size } };
	size_t count = payload.size ? 2 : 1;
	enum err e = ERR_OK;

	if (payload.size > FRAME_BYTES_MAX)
		return ERR_LIMIT;
	frame_head(head, type, payload.size);
	(void)pthread_mutex_lock(&c->write_lock);
	if (control.size || !gather(c, parts, count)) {
		e = flush(c);
		if (e == ERR_OK)
			e = write_all(c->fd, parts, count, control);
	}
	(void)pthread_mutex_unlock(&c->write_lock);
	return e;
}

enum err channel_write(struct channel *c, uint16_t type, struct slice payload)
{
	return write_frame(c, type, payload, slice_of(NULL, 0));
}

enum err channel_number(struct channel *c, enum message type, uint64_t number)
{
	struct buffer out;
	enum err e;

	buffer_init(&out, sizeof(number));
	wire_put_u64(&out, number);
	e = buffer_status(&out);
	if (e == ERR_OK)
		e = channel_write(c, (uint16_t)type, buffer_bytes(&out));
	buffer_fini(&out);
	return e;
}

enum err channel_progress(struct channel *c, const struct progress *p)
{
	struct buffer out;
	enum err e;

	buffer_init(&out, FRAME_BYTES_MAX);
	progress_encode(&out, p);
	e = buffer_status(&out);
	if (e == ERR_OK)
		e = channel_write(c, MESSAGE_PROGRESS, buffer_bytes(&out));
	buffer_fini(&out);
	return e;
}

enum err channel_record(struct channel *c, const struct record *r)
{
	struct buffer out;
	struct slice left;
	enum err e;

	buffer_init(&out, RECORD_BYTES_MAX);
	record_encode(&out, r);
	e = buffer_status(&out);
	left = buffer_bytes(&out);
	for (; e == ERR_OK && left.size > RECORD_PIECE_BYTES;
		left = slice_after(left, RECORD_PIECE_BYTES))
		e = channel_write(c, MESSAGE_RECORD_PIECE, slice_of(left.data, RECORD_PIECE_BYTES));
	if (e == ERR_OK)
		e = channel_write(c, MESSAGE_RECORD, left);
	buffer_fini(&out);
	return e;
}

enum err channel_problem(struct channel *c, const char *scanner, const char *uri,
	enum reason reason, const char *message)
{
	struct record record;
	enum err e = record_problem(&record, scanner, uri, reason, message);

	if (e != ERR_OK)
		return e;
	e = channel_record(c, &record);
	record_fini(&record);
	return e;
}

enum err channel_finding(struct channel *c, const struct finding_piece *head, struct slice data)
{
	struct finding_piece piece = *head;
	struct buffer out;
	enum err e = ERR_OK;

	piece.is_first = true;
	piece.total = data.size;
	buffer_init(&out, FRAME_BYTES_MAX);
	do {
		size_t size = data.size < FINDING_PIECE_BYTES ? data.size : FINDING_PIECE_BYTES;

		piece.data = slice_of(data.data, size);
		data = slice_after(data, size);
		piece.is_last = data.size == 0;
		buffer_clear(&out);
		finding_piece_encode(&out, &piece);
		e = buffer_status(&out);
		if (e == ERR_OK)
			e = channel_write(c, MESSAGE_FINDING, buffer_bytes(&out));
		piece.is_first = false;
	} while (e == ERR_OK && data.size);
	buffer_wipe(&out);
	return e;
}

enum err channel_finding_file(struct channel *c, const struct finding_piece *head, int file)
{
	_Alignas(struct cmsghdr) uint8_t control[CMSG_SPACE(sizeof(int))] = { 0 };
	struct msghdr message = { .msg_control = control, .msg_controllen = sizeof(control) };
	struct cmsghdr *m = CMSG_FIRSTHDR(&message);
	struct finding_piece piece = *head;
	struct buffer out;
	enum err e;

	m->cmsg_level = SOL_SOCKET;
	m->cmsg_type = SCM_RIGHTS;
	m->cmsg_len = CMSG_LEN(sizeof(file));
	memcpy(CMSG_DATA(m), &file, sizeof(file));
	piece.is_first = true;
	piece.is_last = true;
	piece.has_file = true;
	piece.data = slice_of(NULL, 0);
	buffer_init(&out, FRAME_BYTES_MAX);
	finding_piece_encode(&out, &piece);
	e = buffer_status(&out);
	if (e == ERR_OK)
		e = write_frame(
			c, MESSAGE_FINDING, buffer_bytes(&out), slice_of(control, sizeof(control)));
	buffer_fini(&out);
	return e;
}
