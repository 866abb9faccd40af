/* Units of a walk, and the threads that take them. */
#include "scanners/files/walk.h"

#include "agent/base/clock.h"
#include "agent/base/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#define STACK_BYTES (256 * 1024)
#define MESSAGE_BYTES 400

enum err walk_init(struct walk *w, struct channel *channel, struct files_options *options)
{
	uint64_t context = 0;
	enum err e;

	memset(w, 0, sizeof(*w));
	w->channel = channel;
	w->options = *options;
	*options = (struct files_options){ 0 };
	(void)pthread_mutex_init(&w->lock, NULL);
	(void)pthread_cond_init(&w->ready, NULL);
	(void)pthread_cond_init(&w->large_free, NULL);
	w->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (w->wake_fd < 0)
		return ERR_IO;
	w->sniffer.deep = w->options.deep;
	w->sniffer.file_bytes_max = w->options.file_bytes_max;
	w->sniffer.text_bytes_max = w->options.text_bytes_max;
	w->sniffer.archive_bytes_max = w->options.archive_bytes_max;
	w->sniffer.config_bytes_max = w->options.config_bytes_max;
	/* With other limits or formats, a file that gave nothing may give something. */
	context = (context + w->options.deep) * 31 + w->options.file_bytes_max;
	context = context * 31 + w->options.text_bytes_max;
	context = context * 31 + w->options.archive_bytes_max;
	context = context * 31 + w->options.config_bytes_max;
	for (size_t i = 0; i < formats_count; i++)
		for (const char *c = formats[i]->name; *c; c++)
			context = context * 31 + (uint8_t)*c;
	e = seen_init(&w->seen, context);
	if (e == ERR_OK && !w->options.all_filesystems)
		e = mounts_load(&w->mounts);
	if (e == ERR_OK)
		e = image_stores_new(open_without_links, &w->options.images, &w->images);
	return e;
}

static void worker_free(struct worker *worker)
{
	buffer_fini(&worker->path);
	buffer_fini(&worker->target);
	buffer_fini(&worker->uri);
	seen_list_fini(&worker->seen);
	free(worker->entries);
	if (worker->buffer)
		explicit_bzero(worker->buffer, SNIFF_BUFFER_BYTES);
	free(worker->buffer);
	free(worker);
}

static void units_free(struct unit *u)
{
	while (u) {
		struct unit *next = u->next;

		dir_drop(u->dir);
		free(u);
		u = next;
	}
}

void walk_fini(struct walk *w)
{
	for (size_t i = 0; i < w->workers_count; i++)
		worker_free(w->workers[i]);
	units_free(w->units);
	units_free(w->resolving);
	for (size_t i = 0; i < w->roots_count; i++) {
		free(w->roots[i]->path);
		free(w->roots[i]->target);
		free(w->roots[i]->message);
		strings_fini(&w->roots[i]->sources);
		free(w->roots[i]);
	}
	free(w->roots);
	if (w->wake_fd >= 0)
		(void)close(w->wake_fd);
	seen_fini(&w->seen);
	mounts_fini(&w->mounts);
	image_stores_free(w->images);
	files_options_fini(&w->options);
	(void)pthread_cond_destroy(&w->ready);
	(void)pthread_cond_destroy(&w->large_free);
	(void)pthread_mutex_destroy(&w->lock);
}

static void wake(const struct walk *w)
{
	uint64_t one = 1;

	if (write(w->wake_fd, &one, sizeof(one)) < 0)
		log_debug("the reader's main thread is awake already");
}

enum err walk_start_worker(struct walk *w)
{
	struct worker *worker;
	pthread_attr_t attributes;
	int error;

	if (w->workers_count == WORKERS_MAX)
		return ERR_LIMIT;
	worker = calloc(1, sizeof(*worker));
	if (!worker)
		return ERR_MEMORY;
	worker->walk = w;
	buffer_init(&worker->path, READER_PATH_BYTES_MAX);
	buffer_init(&worker->target, 2 * READER_PATH_BYTES_MAX);
	buffer_init(&worker->uri, PLACE_BYTES_MAX);
	worker->entries = malloc(ENTRIES_BYTES);
	worker->buffer = malloc(SNIFF_BUFFER_BYTES);
	worker->last_change_ms = clock_monotonic_ms();
	if (!worker->entries || !worker->buffer) {
		worker_free(worker);
		return ERR_MEMORY;
	}
	(void)pthread_attr_init(&attributes);
	(void)pthread_attr_setstacksize(&attributes, STACK_BYTES);
	error = pthread_create(&worker->thread, &attributes, worker_run, worker);
	(void)pthread_attr_destroy(&attributes);
	if (error) {
		worker_free(worker);
		return ERR_MEMORY;
	}
	(void)pthread_mutex_lock(&w->lock);
	w->workers[w->workers_count++] = worker;
	(void)pthread_mutex_unlock(&w->lock);
	return ERR_OK;
}

bool worker_should_end(const struct worker *w)
{
	return atomic_load_explicit(&w->walk->is_stopping, memory_order_relaxed) ||
	       atomic_load_explicit(&w->state, memory_order_relaxed) == WORKER_LEFT_BEHIND;
}

/* --- units ------------------------------------------------------------------------------------- */

static struct unit *unit_new(enum unit_kind kind, struct root *root, size_t size)
{
	struct unit *u = malloc(sizeof(*u) + size);

	if (u)
		*u = (struct unit){ .kind = kind, .root = root, .size = size };
	return u;
}

struct unit *unit_folder(struct dir *parent, struct slice name)
{
	struct unit *u = unit_new(UNIT_FOLDER, parent->root, 0);

	if (!u)
		return NULL;
	u->dir = dir_new(parent->root, parent, name);
	if (!u->dir) {
		free(u);
		return NULL;
	}
	return u;
}

struct unit *unit_names(struct dir *dir, const char *names, size_t size)
{
	struct unit *u = unit_new(UNIT_NAMES, dir->root, size);

	if (!u)
		return NULL;
	memcpy(u->names, names, size);
	u->dir = dir_hold(dir);
	return u;
}

struct unit *unit_again(struct dir *dir, int64_t offset)
{
	struct unit *u = unit_new(UNIT_FOLDER, dir->root, 0);

	if (!u)
		return NULL;
	u->offset = offset;
	u->dir = dir_hold(dir);
	return u;
}

static void put_locked(struct walk *w, struct unit *first)
{
	while (first) {
		struct unit *next = first->next;

		first->next = w->units;
		w->units = first;
		w->pending++;
		first->root->units++;
		if (atomic_load(&w->idle))
			(void)pthread_cond_signal(&w->ready);
		first = next;
	}
}

void queue_put(struct walk *w, struct unit *first)
{
	if (!first)
		return;
	(void)pthread_mutex_lock(&w->lock);
	put_locked(w, first);
	(void)pthread_mutex_unlock(&w->lock);
}

static struct unit *pop(struct walk *w)
{
	struct unit *u = w->resolving;

	if (u) {
		w->resolving = u->next;
	} else if (!w->unresolved && w->units) {
		u = w->units;
		w->units = u->next;
		w->pending--;
	}
	return u;
}

struct unit *queue_take(struct worker *worker)
{
	struct walk *w = worker->walk;
	struct unit *u = NULL;
	int idle = WORKER_IDLE;

	(void)pthread_mutex_lock(&w->lock);
	while (!worker_should_end(worker) && !(u = pop(w))) {
		atomic_fetch_add(&w->idle, 1);
		(void)pthread_cond_wait(&w->ready, &w->lock);
		atomic_fetch_sub(&w->idle, 1);
	}
	worker->unit = u;
	if (u)
		(void)atomic_compare_exchange_strong(&worker->state, &idle, WORKER_BUSY);
	(void)pthread_mutex_unlock(&w->lock);
	atomic_fetch_add_explicit(&worker->steps, 1, memory_order_relaxed);
	return u;
}

/* A unit is over. `*done`: the root's work is, too. */
static void end_locked(struct walk *w, struct unit *u, bool *done)
{
	struct root *root = u->root;

	*done = false;
	if (u->kind == UNIT_RESOLVE) {
		root->is_resolved = true;
		if (--w->unresolved == 0)
			(void)pthread_cond_broadcast(&w->ready);
		return;
	}
	*done = --root->units == 0 && root->is_wanted;
	if (*done)
		root->is_wanted = false;
}

/* After WORK_DONE went out: the main thread may end the pass. */
static void end_work(struct walk *w, uint64_t work)
{
	if (tell_work_done(w, work) != ERR_OK)
		atomic_store(&w->is_stopping, true);
	(void)pthread_mutex_lock(&w->lock);
	w->open_work--;
	(void)pthread_mutex_unlock(&w->lock);
	wake(w);
}

void queue_done(struct worker *worker, struct unit *u)
{
	struct walk *w = worker->walk;
	int busy = WORKER_BUSY;
	uint64_t work;
	bool done;

	atomic_store(&worker->name, NULL);
	(void)pthread_mutex_lock(&w->lock);
	if (!atomic_compare_exchange_strong(&worker->state, &busy, WORKER_IDLE)) {
		/* Left behind: the main thread has closed the unit's account. */
		(void)pthread_mutex_unlock(&w->lock);
		return;
	}
	worker->unit = NULL;
	end_locked(w, u, &done);
	work = u->root->work;
	dir_drop(u->dir);
	(void)pthread_mutex_unlock(&w->lock);
	free(u);
	if (done)
		end_work(w, work);
}

/* --- roots ------------------------------------------------------------------------------------- */

/* Only the main thread adds; the others read the list under the lock. */
static enum err add_root(struct walk *w, const char *path, struct root **out)
{
	struct root *root = calloc(1, sizeof(*root));
	struct root **roots;

	if (!root)
		return ERR_MEMORY;
	root->path = strdup(path);
	(void)pthread_mutex_lock(&w->lock);
	roots = reallocarray(w->roots, w->roots_count + 1, sizeof(struct root *));
	if (roots)
		w->roots = roots;
	if (roots && root->path)
		w->roots[w->roots_count++] = root;
	(void)pthread_mutex_unlock(&w->lock);
	if (!roots || !root->path) {
		free(root->path);
		free(root);
		return ERR_MEMORY;
	}
	*out = root;
	return ERR_OK;
}

enum err walk_add_root(struct walk *w, const char *path, struct root **out)
{
	struct root *root = NULL;
	enum err e = add_root(w, path, &root);
	struct unit *u = root ? unit_new(UNIT_RESOLVE, root, 0) : NULL;

	/* One that was added stays in the list, and is freed with it. */
	if (e != ERR_OK || !u)
		return ERR_MEMORY;
	(void)pthread_mutex_lock(&w->lock);
	u->next = w->resolving;
	w->resolving = u;
	w->unresolved++;
	(void)pthread_cond_signal(&w->ready);
	(void)pthread_mutex_unlock(&w->lock);
	*out = root;
	return ERR_OK;
}

enum err walk_want_root(struct walk *w, uint64_t work, const struct root_item *item)
{
	struct root *root = NULL;
	struct unit *u;
	char *path = string_of(item->path);
	enum err e = path ? ERR_OK : ERR_MEMORY;

	if (e == ERR_OK && item->message.size) {
		e = add_root(w, path, &root);
		if (e == ERR_OK && !(root->message = string_of(item->message)))
			e = ERR_MEMORY;
		if (e == ERR_OK)
			root->is_limit = item->is_limit;
	}
	if (e == ERR_OK && item->sources_count) {
		e = add_root(w, path, &root);
		for (size_t i = 0; e == ERR_OK && i < item->sources_count; i++) {
			root->are_configurations[i] = item->sources[i].is_configuration;
			e = strings_add_slice(&root->sources, item->sources[i].path);
		}
	}
	for (size_t i = 0; e == ERR_OK && !root && i < w->roots_count; i++)
		if (strcmp(w->roots[i]->path, path) == 0 && w->roots[i]->work == 0)
			root = w->roots[i];
	if (e == ERR_OK && !root)
		e = walk_add_root(w, path, &root);
	free(path);
	if (e != ERR_OK)
		return e;
	u = unit_new(UNIT_START, root, 0);
	if (!u)
		return ERR_MEMORY;
	(void)pthread_mutex_lock(&w->lock);
	root->is_optional = item->is_optional;
	root->is_wanted = true;
	root->work = work;
	w->open_work++;
	put_locked(w, u);
	(void)pthread_mutex_unlock(&w->lock);
	return ERR_OK;
}

bool walk_is_done(struct walk *w)
{
	bool done;

	(void)pthread_mutex_lock(&w->lock);
	done = w->open_work == 0;
	(void)pthread_mutex_unlock(&w->lock);
	return done;
}

/* --- the main thread's view -------------------------------------------------------------------- */

void walk_stop(struct walk *w)
{
	struct timespec deadline;

	atomic_store(&w->is_stopping, true);
	(void)pthread_mutex_lock(&w->lock);
	(void)pthread_cond_broadcast(&w->ready);
	(void)pthread_cond_broadcast(&w->large_free);
	(void)pthread_mutex_unlock(&w->lock);
	(void)clock_gettime(CLOCK_REALTIME, &deadline);
	deadline.tv_sec += STOP_MS / 1000;
	for (size_t i = 0; i < w->workers_count; i++) {
		struct worker *worker = w->workers[i];

		if (atomic_load(&worker->state) != WORKER_LEFT_BEHIND &&
			pthread_timedjoin_np(worker->thread, NULL, &deadline) == 0)
			continue;
		atomic_store(&worker->state, WORKER_LEFT_BEHIND);
		(void)pthread_detach(worker->thread);
	}
}

bool walk_has_strays(const struct walk *w)
{
	for (size_t i = 0; i < w->workers_count; i++)
		if (atomic_load(&w->workers[i]->state) == WORKER_LEFT_BEHIND)
			return true;
	return false;
}

uint64_t walk_files(struct walk *w)
{
	uint64_t files = 0;

	for (size_t i = 0; i < w->workers_count; i++)
		files += atomic_load_explicit(&w->workers[i]->files, memory_order_relaxed);
	return files;
}

/* The path of what a worker's unit is about. */
static void unit_path(const struct unit *u, struct buffer *out)
{
	if (u->dir)
		dir_path(u->dir, out);
	else
		buffer_text(out, u->root->path);
}

void walk_at(struct walk *w, struct buffer *out)
{
	(void)pthread_mutex_lock(&w->lock);
	for (size_t i = 0; i < w->workers_count; i++) {
		if (!w->workers[i]->unit)
			continue;
		unit_path(w->workers[i]->unit, out);
		break;
	}
	(void)pthread_mutex_unlock(&w->lock);
}

static enum err report_stuck(struct walk *w, const char *path, const char *message)
{
	struct buffer uri;
	enum err e;

	buffer_init(&uri, PLACE_BYTES_MAX);
	path_uri(&uri, slice_text(path));
	e = buffer_status(&uri);
	if (e == ERR_OK)
		e = channel_problem(w->channel, FILES_SCANNER_NAME, buffer_string(&uri),
			REASON_TIMEOUT, message);
	buffer_fini(&uri);
	return e;
}

/* Takes a unit out of its root's account and tells what is missing because of it. The unit itself
 * stays with the thread that hangs in it. */
static enum err give_up_unit(struct walk *w, struct unit *u, const char *message)
{
	struct buffer path;
	uint64_t work;
	bool done;
	enum err e;

	buffer_init(&path, READER_PATH_BYTES_MAX);
	(void)pthread_mutex_lock(&w->lock);
	unit_path(u, &path);
	if (u->kind == UNIT_RESOLVE)
		u->root->error = ETIMEDOUT;
	end_locked(w, u, &done);
	work = u->root->work;
	(void)pthread_mutex_unlock(&w->lock);
	e = report_stuck(w, buffer_string(&path), message);
	buffer_fini(&path);
	if (done)
		end_work(w, work);
	return e;
}

/* Too many threads hang: what is pending is given up, so that the pass ends. */
static enum err give_up_rest(struct walk *w)
{
	enum err e = ERR_OK;

	for (;;) {
		struct unit *u;

		(void)pthread_mutex_lock(&w->lock);
		u = pop(w);
		(void)pthread_mutex_unlock(&w->lock);
		if (!u)
			return e;
		if (e == ERR_OK)
			e = give_up_unit(w, u, "not looked at: too many reads hang");
		dir_drop(u->dir);
		free(u);
	}
}

static enum err leave_behind(struct walk *w, struct worker *worker)
{
	const char *name = atomic_load(&worker->name);
	char message[MESSAGE_BYTES];
	int busy = WORKER_BUSY;
	enum err e;

	if (!atomic_compare_exchange_strong(&worker->state, &busy, WORKER_LEFT_BEHIND))
		return ERR_OK;
	(void)pthread_mutex_lock(&w->lock);
	w->stuck++;
	if (w->large == worker) {
		w->large = NULL;
		(void)pthread_cond_signal(&w->large_free);
	}
	(void)pthread_mutex_unlock(&w->lock);
	(void)snprintf(message, sizeof(message), "no answer within %d s%s%s", STUCK_MS / 1000,
		name ? " at " : "", name ? name : "");
	log_warn("a file system does not answer: left a reading thread behind");
	e = give_up_unit(w, worker->unit, message);
	if (e == ERR_OK && w->stuck >= STUCK_THREADS_MAX)
		return give_up_rest(w);
	return e == ERR_OK ? walk_start_worker(w) : e;
}

enum err walk_watch(struct walk *w, int64_t now_ms, int64_t stuck_ms)
{
	size_t count = w->workers_count;
	enum err e = ERR_OK;

	for (size_t i = 0; e == ERR_OK && i < count; i++) {
		struct worker *worker = w->workers[i];
		unsigned steps = atomic_load_explicit(&worker->steps, memory_order_relaxed);

		if (steps != worker->last_steps || atomic_load(&worker->state) != WORKER_BUSY) {
			worker->last_steps = steps;
			worker->last_change_ms = now_ms;
		} else if (now_ms - worker->last_change_ms >= stuck_ms) {
			e = leave_behind(w, worker);
		}
	}
	return e;
}
