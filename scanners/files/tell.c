/* What a worker says: findings, problems, what did not change. */
#include "scanners/files/walk.h"

#include "agent/base/text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MESSAGE_BYTES 200

/* While it waits for main to read, a worker is not stuck in a file. One that was left behind may not
 * speak any more: what it holds has been given up. */
static enum err tell_begin(struct worker *w)
{
	int busy = WORKER_BUSY;

	if (atomic_load(&w->walk->is_stopping) ||
		!atomic_compare_exchange_strong(&w->state, &busy, WORKER_TELLING))
		return ERR_CLOSED;
	return ERR_OK;
}

static enum err tell_end(struct worker *w, enum err e)
{
	atomic_store(&w->state, WORKER_BUSY);
	atomic_fetch_add_explicit(&w->steps, 1, memory_order_relaxed);
	if (e == ERR_CLOSED)
		atomic_store(&w->walk->is_stopping, true);
	return e;
}

/* The uri of a name in the worker's folder, which was only entered because all of them fit. */
static enum err place(struct worker *w, struct slice name)
{
	const struct buffer *path = &w->path;

	buffer_clear(&w->uri);
	path_uri(&w->uri, buffer_bytes(path));
	if (name.size) {
		if (path->size != 1)
			buffer_byte(&w->uri, '/');
		text_uri_encode(&w->uri, name);
	}
	return buffer_status(&w->uri);
}

/* At the worker's uri. */
static enum err send_problem(struct worker *w, enum reason reason, const char *message)
{
	enum err e = tell_begin(w);

	if (e != ERR_OK)
		return e;
	e = channel_problem(
		w->walk->channel, FILES_SCANNER_NAME, buffer_string(&w->uri), reason, message);
	return tell_end(w, e);
}

enum err tell_problem(struct worker *w, struct slice name, enum reason reason, const char *message)
{
	enum err e = place(w, name);

	return e == ERR_OK ? send_problem(w, reason, message) : e;
}

enum err tell_limited_stores(struct worker *w)
{
	const char *key;
	const char *root;
	enum err e = ERR_OK;

	while (e == ERR_OK && (root = image_stores_limited(w->walk->images, &key))) {
		char message[MESSAGE_BYTES];

		(void)snprintf(message, sizeof(message),
			"not all of its lists was read: of some layers it is not known which images they are of "
			"(limits.%s)",
			key);
		buffer_clear(&w->uri);
		path_uri(&w->uri, slice_text(root));
		e = buffer_status(&w->uri);
		if (e == ERR_OK)
			e = send_problem(w, REASON_LIMIT_REACHED, message);
	}
	return e;
}

enum err tell_errno(struct worker *w, struct slice name, int error)
{
	char message[MESSAGE_BYTES];
	char text[MESSAGE_BYTES];

	switch (error) {
	case ENOENT:
	case ENOTDIR:
	case ELOOP:
	case ENXIO:
	case ENODEV:
		/* It went away, or became something that is not read, between listing and opening. */
		return ERR_OK;
	case EACCES:
	case EPERM:
		return tell_problem(w, name, REASON_PERMISSION_DENIED, "permission denied");
	default:
		(void)snprintf(message, sizeof(message), "cannot be read: %s",
			strerror_r(error, text, sizeof(text)));
		return tell_problem(w, name, REASON_UNREADABLE, message);
	}
}

enum err tell_unchanged(struct worker *w, struct slice name)
{
	enum err e = place(w, name);

	if (e == ERR_OK)
		e = tell_begin(w);
	if (e != ERR_OK)
		return e;
	return tell_end(
		w, channel_write(w->walk->channel, MESSAGE_UNCHANGED, buffer_bytes(&w->uri)));
}

enum err tell_work_done(struct walk *w, uint64_t work)
{
	return channel_number(w->channel, MESSAGE_WORK_DONE, work);
}

/* --- findings ---------------------------------------------------------------------------------- */

/* A label is only a help: without it the finding is told all the same. */
static const char *label_of(struct worker *w, struct slice name)
{
	const char *label = w->label;

	if (!label && w->has_blobs &&
		image_stores_blob(w->walk->images, buffer_bytes(&w->target), name, &label) !=
			ERR_OK)
		return NULL;
	return label;
}

static struct finding_piece head_of(struct worker *w, struct slice name, const struct stat *st)
{
	return (struct finding_piece){ .id = atomic_fetch_add(&w->walk->finding_id, 1) + 1,
		.kind = FINDING_FILE,
		.scanner = slice_text(FILES_SCANNER_NAME),
		.place = buffer_bytes(&w->uri),
		.label = slice_text(label_of(w, name)),
		.owner = { .is_known = true,
			.mode = (uint16_t)(st->st_mode & 07777),
			.uid = st->st_uid,
			.gid = st->st_gid } };
}

/* One that is in the buffer already, or fits into it. ERR_BUSY: it does not. */
static enum err tell_small(struct worker *w, struct slice name, struct sniff *f)
{
	struct finding_piece head;
	enum err e;

	while (!f->is_whole && f->size < SNIFF_BUFFER_BYTES) {
		ssize_t n = pread(
			f->fd, f->buffer + f->size, SNIFF_BUFFER_BYTES - f->size, (off_t)f->size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return ERR_IO;
		f->is_whole = n == 0;
		f->size += (size_t)n;
	}
	if (!f->is_whole)
		return ERR_BUSY;
	e = tell_begin(w);
	if (e != ERR_OK)
		return e;
	head = head_of(w, name, f->st);
	return tell_end(w, channel_finding(w->walk->channel, &head, slice_of(f->buffer, f->size)));
}

/* Nothing of it passes through main: its members are taken out where its bytes are read. */
static enum err tell_file(struct worker *w, struct slice name, struct sniff *f)
{
	struct finding_piece head = head_of(w, name, f->st);
	enum err e = tell_begin(w);

	if (e != ERR_OK)
		return e;
	head.total = (uint64_t)f->st->st_size;
	return tell_end(w, channel_finding_file(w->walk->channel, &head, f->fd));
}

/* A large finding under way: pieces are collected up to FINDING_PIECE_BYTES. */
struct large {
	struct worker *worker;
	struct finding_piece piece;
	uint8_t *data; /* owned */
	size_t size;
	uint64_t total;
	bool is_open; /* a piece went out, but not the last */
};

/* One at a time: main and the parser hold each to its end. */
static enum err large_begin(
	struct large *l, struct worker *worker, struct slice name, const struct stat *st)
{
	struct walk *w = worker->walk;
	enum err e = tell_begin(worker);

	*l = (struct large){ .worker = worker };
	if (e != ERR_OK)
		return e;
	(void)pthread_mutex_lock(&w->lock);
	while (w->large && !atomic_load(&w->is_stopping))
		(void)pthread_cond_wait(&w->large_free, &w->lock);
	if (!w->large)
		w->large = worker;
	(void)pthread_mutex_unlock(&w->lock);
	(void)tell_end(worker, ERR_OK);
	if (atomic_load(&w->is_stopping))
		return ERR_CLOSED;
	l->data = malloc(FINDING_PIECE_BYTES);
	l->piece = head_of(worker, name, st);
	l->piece.is_first = true;
	return l->data ? ERR_OK : ERR_MEMORY;
}

static void large_end(struct large *l)
{
	struct walk *w = l->worker->walk;

	(void)pthread_mutex_lock(&w->lock);
	if (w->large == l->worker) {
		w->large = NULL;
		(void)pthread_cond_signal(&w->large_free);
	}
	(void)pthread_mutex_unlock(&w->lock);
	if (l->data)
		explicit_bzero(l->data, FINDING_PIECE_BYTES);
	free(l->data);
}

static enum err large_send(struct large *l, bool is_last)
{
	struct worker *w = l->worker;
	struct buffer frame;
	enum err e;

	/* Nothing was found: nothing is begun. */
	if (is_last && l->piece.is_first && l->size == 0)
		return ERR_OK;
	buffer_init(&frame, FRAME_BYTES_MAX);
	l->piece.is_last = is_last;
	l->piece.data = slice_of(l->data, l->size);
	if (buffer_reserve(&frame, l->size + l->piece.place.size + MESSAGE_BYTES))
		finding_piece_encode(&frame, &l->piece);
	e = buffer_status(&frame);
	if (e == ERR_OK)
		e = tell_begin(w);
	if (e == ERR_OK)
		e = tell_end(
			w, channel_write(w->walk->channel, MESSAGE_FINDING, buffer_bytes(&frame)));
	buffer_wipe(&frame);
	l->piece.is_first = false;
	l->size = 0;
	return e;
}

static enum err large_add(struct large *l, struct slice data)
{
	while (data.size) {
		size_t room = FINDING_PIECE_BYTES - l->size;
		size_t size = data.size < room ? data.size : room;

		memcpy(l->data + l->size, data.data, size);
		l->size += size;
		l->total += size;
		data = slice_after(data, size);
		if (l->size == FINDING_PIECE_BYTES) {
			enum err e = large_send(l, false);

			if (e != ERR_OK)
				return e;
		}
	}
	return ERR_OK;
}

static enum err whole_pieces(struct large *l, struct sniff *f)
{
	uint64_t limit = f->whole_max ? f->whole_max : l->worker->walk->options.file_bytes_max;
	enum err e = ERR_OK;

	for (;;) {
		uint64_t at = f->region_at + l->total;
		size_t want = SNIFF_BUFFER_BYTES;
		ssize_t n;

		if (f->region_end && f->region_end - at < want)
			want = (size_t)(f->region_end - at);
		n = want ? pread(f->fd, f->buffer, want, (off_t)at) : 0;

		atomic_fetch_add_explicit(&l->worker->steps, 1, memory_order_relaxed);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? ERR_IO : ERR_OK;
		/* It grew while it was read. */
		if (l->total + (uint64_t)n > limit)
			return ERR_LIMIT;
		e = large_add(l, slice_of(f->buffer, (size_t)n));
		if (e != ERR_OK)
			return e;
	}
}

static enum err span_pieces(struct large *l, struct spans *spans)
{
	uint64_t limit = l->worker->walk->options.file_bytes_max;
	struct slice text;
	enum err e;

	while ((e = spans_next(spans, &text)) == ERR_OK && text.size) {
		if (l->total + text.size + 1 > limit)
			return ERR_LIMIT;
		if (spans->is_start && l->total)
			e = large_add(l, slice_of("\n", 1));
		if (e == ERR_OK)
			e = large_add(l, text);
		if (e != ERR_OK)
			return e;
	}
	return e;
}

/* What went wrong in a large finding, told beside what of it was sent. */
static enum err large_outcome(struct worker *w, struct slice name, enum err e, int error)
{
	if (e == ERR_IO)
		return tell_errno(w, name, error ? error : EIO);
	if (e == ERR_LIMIT)
		return tell_problem(w, name, REASON_LIMIT_REACHED,
			"more to send than the limit for one file; what is behind it was not looked at "
			"(max_file_size)");
	return e;
}

static enum err tell_large(
	struct worker *w, struct slice name, struct sniff *f, struct spans *spans)
{
	struct large l;
	enum err e = large_begin(&l, w, name, f->st);
	enum err sent;
	int error = 0;

	if (e == ERR_OK) {
		e = spans ? span_pieces(&l, spans) : whole_pieces(&l, f);
		error = errno;
		l.piece.is_cut = e != ERR_OK || (spans && spans->is_limited);
		if (e == ERR_OK || e == ERR_IO || e == ERR_LIMIT) {
			sent = large_send(&l, true);
			e = sent == ERR_OK ? e : sent;
		}
	}
	large_end(&l);
	if (e == ERR_OK || e == ERR_CLOSED || e == ERR_MEMORY)
		return e;
	sent = large_outcome(w, name, e, error);
	return sent == ERR_OK ? ERR_BUSY : sent;
}

/* A content that was read to its end, or that a limit cut for good, need not be read again. */
static enum err known(enum err e, bool *is_known)
{
	*is_known = e == ERR_OK;
	return e == ERR_BUSY ? ERR_OK : e;
}

enum err tell_whole(struct worker *w, struct slice name, struct sniff *f, bool *is_known)
{
	enum err e = place(w, name);

	*is_known = false;
	if (e != ERR_OK)
		return e;
	e = f->is_archive && f->st->st_size > SNIFF_BUFFER_BYTES ? tell_file(w, name, f)
								 : tell_small(w, name, f);
	if (e == ERR_IO)
		return tell_errno(w, name, errno);
	if (e == ERR_BUSY)
		e = tell_large(w, name, f, NULL);
	return known(e, is_known);
}

enum err tell_locked(struct worker *w, const struct stat *st, struct slice bytes)
{
	struct finding_piece head;
	enum err e = place(w, slice_of(NULL, 0));

	if (e == ERR_OK)
		e = tell_begin(w);
	if (e != ERR_OK)
		return e;
	head = head_of(w, slice_of(NULL, 0), st);
	head.kind = FINDING_LOCKED;
	head.label = slice_of(NULL, 0); /* of the folder that was walked last */
	return tell_end(w, channel_finding(w->walk->channel, &head, bytes));
}

enum err tell_spans(struct worker *w, struct slice name, struct sniff *f, bool *is_known)
{
	struct spans spans;
	enum err e = place(w, name);

	*is_known = false;
	if (e != ERR_OK)
		return e;
	spans_init(&spans, &w->walk->sniffer, f);
	e = tell_large(w, name, f, &spans);
	if (e == ERR_OK && spans.is_limited) {
		e = tell_problem(w, name, REASON_LIMIT_REACHED,
			"a text longer than the limit: its end was not searched (max_text_size)");
		return e == ERR_OK ? known(ERR_BUSY, is_known) : e;
	}
	return known(e, is_known);
}
