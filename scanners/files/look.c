/* One file: is it the same as last time, and if not, what is in it? */
#include "scanners/files/walk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* O_NONBLOCK: something that is no file any more must not hold the walk up. */
#define FILE_FLAGS (O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)
#define REASON_BYTES 160
#define CLOSED_AT_ONCE 16

static uint64_t entry_of(const struct worker *w, struct slice name, const struct stat *st)
{
	const struct seen *seen = &w->walk->seen;

	return seen_file(seen, seen_path(seen, w->path_hash, name), st);
}

static void remember(struct worker *w, struct slice name, const struct stat *st, bool is_holder)
{
	if (!w->walk->is_transient && !seen_is_racy(st, w->now_s))
		seen_add(&w->seen, entry_of(w, name, st) | (is_holder ? SEEN_HOLDER : 0));
}

static enum err answer(struct worker *w, struct slice name, struct sniff *f, enum sniff_answer a)
{
	char message[REASON_BYTES];
	bool is_known = true;
	enum err e = ERR_OK;

	switch (a) {
	case SNIFF_NOTHING:
		break;
	case SNIFF_WHOLE:
		e = tell_whole(w, name, f, &is_known);
		break;
	case SNIFF_SPANS:
		e = tell_spans(w, name, f, &is_known);
		break;
	case SNIFF_TOO_LARGE:
		(void)snprintf(message, sizeof(message),
			"%lld bytes, and it must be read as a whole (%s)",
			(long long)f->st->st_size,
			f->is_archive ? "max_archive_size" : "max_file_size");
		e = tell_problem(w, name, REASON_TOO_LARGE, message);
		is_known = false;
		break;
	case SNIFF_LIMIT:
		e = tell_problem(w, name, REASON_LIMIT_REACHED,
			"a text longer than the limit: its end was not searched (max_text_size)");
		is_known = false;
		break;
	case SNIFF_FAILED:
		e = tell_errno(w, name, errno);
		is_known = false;
		break;
	}
	if (e == ERR_OK && is_known)
		remember(w, name, f->st, a != SNIFF_NOTHING);
	return e;
}

static void count(struct worker *w)
{
	atomic_fetch_add_explicit(&w->files, 1, memory_order_relaxed);
}

static enum err look_open(struct worker *w, struct slice name, struct sniff *f)
{
	struct stat st;

	if (fstat(f->fd, &st) != 0)
		return tell_errno(w, name, errno);
	if (!S_ISREG(st.st_mode))
		return ERR_OK;
	f->st = &st;
	count(w);
	return answer(w, name, f, sniff_file(&w->walk->sniffer, f));
}

void look_close(struct worker *w)
{
	int last = w->closing + w->closing_count - 1;

	if (w->closing_count > 1 && close_range((unsigned)w->closing, (unsigned)last, 0) == 0)
		w->closing_count = 0;
	for (; w->closing_count; w->closing_count--)
		(void)close(w->closing++);
}

/* A tenth of what reading a small file costs is closing it, unless many are closed at once. All numbers between are
 * ours: another thread's would break the sequence. */
void look_close_soon(struct worker *w, int fd)
{
	/* The folder was opened before its files. */
	bool is_before = w->closing_count && fd == w->closing - 1;

	if (!is_before &&
		(w->closing_count == CLOSED_AT_ONCE || fd != w->closing + w->closing_count))
		look_close(w);
	if (!w->closing_count || is_before)
		w->closing = fd;
	w->closing_count++;
}

enum err look_into(struct worker *w, int fd, struct slice name)
{
	struct sniff f = { .fd = fd, .buffer = w->buffer, .steps = &w->steps };
	enum err e = look_open(w, name, &f);

	look_close_soon(w, fd);
	return e;
}

/* The same for what was listed as a file, when nothing is to be remembered: then most need not be asked
 * about. */
static enum err glance_into(struct worker *w, int fd, struct slice name)
{
	struct sniff f = { .fd = fd, .buffer = w->buffer, .steps = &w->steps };
	enum err e = ERR_OK;

	if (sniff_glance(&w->walk->sniffer, &f, w->is_plain))
		count(w);
	else
		e = look_open(w, name, &f);
	look_close_soon(w, fd);
	return e;
}

/* Has this file been seen as it is? Then that is all. */
static enum err is_seen(struct worker *w, struct slice name, const struct stat *st, bool *seen)
{
	bool is_holder = false;
	uint64_t entry = entry_of(w, name, st);

	*seen = seen_find(&w->walk->seen, entry, &is_holder);
	if (!*seen)
		return ERR_OK;
	atomic_fetch_add_explicit(&w->files, 1, memory_order_relaxed);
	seen_add(&w->seen, entry | (is_holder ? SEEN_HOLDER : 0));
	return is_holder ? tell_unchanged(w, name) : ERR_OK;
}

enum err look_at_file(struct worker *w, int folder, struct slice name)
{
	const char *text = (const char *)name.data;
	struct stat st;
	int fd;

	if (w->walk->seen.count &&
		fstatat(folder, text, &st, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT) == 0) {
		bool seen = false;
		enum err e;

		if (!S_ISREG(st.st_mode))
			return ERR_OK;
		e = is_seen(w, name, &st, &seen);
		if (e != ERR_OK || seen)
			return e;
	}
	fd = openat(folder, text, FILE_FLAGS | O_NOFOLLOW);
	if (fd < 0)
		return tell_errno(w, name, errno);
	return w->walk->is_transient ? glance_into(w, fd, name) : look_into(w, fd, name);
}

/* --- links ------------------------------------------------------------------------------------- */

bool walk_is_below_root(struct walk *w, const char *path)
{
	bool is_below = false;

	/* Roots only become more while the pass runs, under the lock. */
	(void)pthread_mutex_lock(&w->lock);
	for (size_t i = 0; i < w->roots_count && !is_below; i++)
		is_below = w->roots[i]->target && path_is_below(path, w->roots[i]->target);
	(void)pthread_mutex_unlock(&w->lock);
	return is_below;
}

static enum err look_at_target(struct worker *w, int fd, struct slice name, const struct stat *st)
{
	char proc[DESCRIPTOR_LINK_BYTES];
	bool seen = false;
	enum err e = is_seen(w, name, st, &seen);
	int file;

	if (e != ERR_OK || seen)
		return e;
	/* The very file that was examined, whatever the link says by now. */
	descriptor_link(fd, proc);
	file = open(proc, FILE_FLAGS);
	return file < 0 ? tell_errno(w, name, errno) : look_into(w, file, name);
}

static enum err enter_target(struct worker *w, struct dir *dir, struct slice name,
	const char *target, const struct stat *st)
{
	struct unit *u;

	if (dir_is_above(dir, st->st_dev, st->st_ino))
		return ERR_OK;
	if (dir->links == FOLLOWED_LINKS_MAX)
		return tell_problem(
			w, name, REASON_LIMIT_REACHED, "too many links on the way here");
	u = unit_folder(dir, name);
	if (!u)
		return ERR_MEMORY;
	u->dir->links++;
	u->dir->target = strdup(target);
	if (!u->dir->target) {
		dir_drop(u->dir);
		free(u);
		return ERR_MEMORY;
	}
	queue_put(w->walk, u);
	return ERR_OK;
}

enum err look_at_link(struct worker *w, struct dir *dir, int folder, struct slice name)
{
	bool follow = w->walk->options.follow_links;
	int fd = openat(folder, (const char *)name.data, O_PATH | O_CLOEXEC);
	char *target = NULL;
	struct stat st;
	enum err e = ERR_OK;

	/* A link to nowhere holds nothing; one to what may not be reached is told by its target's folder. */
	if (fd < 0)
		return ERR_OK;
	if (fstat(fd, &st) == 0 && (S_ISREG(st.st_mode) || (follow && S_ISDIR(st.st_mode))))
		target = descriptor_path(fd);
	if (target && S_ISDIR(st.st_mode))
		e = enter_target(w, dir, name, target, &st);
	else if (target && (follow || walk_is_below_root(w->walk, target)))
		e = look_at_target(w, fd, name, &st);
	free(target);
	(void)close(fd);
	return e;
}
