/* A thread of the walk: folders are listed, their entries looked at. */
#include "scanners/files/walk.h"

#include "agent/base/log.h"
#include "scanners/glob.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define FOLDER_FLAGS (O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW)

/* A name has 255 bytes at most, each of which may become %XX. */
#define ENCODED_NAME_BYTES_MAX (3 * 255)

/* One record of getdents64(2). */
struct entry {
	uint64_t ino;
	int64_t next_offset;
	uint16_t size;
	uint8_t type;
	char name[];
};

/* Some of a folder's entries, and the folder, open. */
struct listing {
	struct worker *worker;
	struct dir *dir;
	int fd;
	char *entries;
	size_t size;
};

static struct entry *entry_at(char *entries, size_t at)
{
	return (struct entry *)(void *)(entries + at);
}

static struct slice name_of(const struct entry *e)
{
	return slice_text(e->name);
}

/* Takes a name off again. */
static void path_cut(struct buffer *path, size_t size)
{
	path->status = ERR_OK;
	path->size = size;
	path->data[size] = 0;
}

/* --- entries ----------------------------------------------------------------------------------- */

static bool is_excluded(struct worker *w, struct slice name)
{
	const struct strings *patterns = &w->walk->options.exclude;
	size_t size = w->path.size;
	bool excluded;

	if (patterns->count == 0)
		return false;
	path_add(&w->path, name);
	excluded = buffer_status(&w->path) == ERR_OK &&
		   glob_selects(patterns, buffer_string(&w->path), (const char *)name.data);
	path_cut(&w->path, size);
	return excluded;
}

/* A folder that another file system is mounted on, of a kind that is not entered. */
static bool is_foreign(struct worker *w, struct slice name)
{
	const struct mounts *mounts = &w->walk->mounts;
	size_t size = w->target.size;
	bool foreign;

	if (mounts->skipped.count == 0)
		return false;
	path_add(&w->target, name);
	foreign = buffer_status(&w->target) == ERR_OK &&
		  mounts_skip(mounts, buffer_string(&w->target));
	path_cut(&w->target, size);
	return foreign;
}

/* Another root of the job: that one walks it. */
static bool is_root(struct worker *w, struct slice name)
{
	const struct strings *roots = &w->walk->options.roots;
	size_t size = w->path.size;
	bool found;

	if (roots->count < 2)
		return false;
	path_add(&w->path, name);
	found = buffer_status(&w->path) == ERR_OK &&
		strings_contain(roots, buffer_string(&w->path));
	path_cut(&w->path, size);
	return found;
}

static bool is_dots(const char *name)
{
	return name[0] == '.' && (name[1] == 0 || (name[1] == '.' && name[2] == 0));
}

/* Some file systems do not say of what type an entry is. */
static void find_type(int fd, struct entry *e)
{
	struct stat st;

	if (e->type == DT_UNKNOWN &&
		fstatat(fd, e->name, &st, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT) == 0)
		e->type = (uint8_t)IFTODT(st.st_mode);
}

static enum err add_folder(const struct listing *l, const struct entry *e, struct unit **list)
{
	struct worker *w = l->worker;
	struct unit *u;

	if (is_excluded(w, name_of(e)) || is_foreign(w, name_of(e)) || is_root(w, name_of(e)))
		return ERR_OK;
	if (l->dir->depth >= TREE_DEPTH_MAX)
		return tell_problem(w, name_of(e), REASON_LIMIT_REACHED, "too deep a folder");
	u = unit_folder(l->dir, name_of(e));
	if (!u)
		return ERR_MEMORY;
	u->next = *list;
	*list = u;
	return ERR_OK;
}

/* The folders among the entries become units. */
static enum err add_folders(const struct listing *l)
{
	struct unit *list = NULL;
	enum err e = ERR_OK;

	for (size_t at = 0; e == ERR_OK && at < l->size;) {
		struct entry *entry = entry_at(l->entries, at);

		at += entry->size;
		find_type(l->fd, entry);
		if (entry->type == DT_DIR && !is_dots(entry->name))
			e = add_folder(l, entry, &list);
	}
	queue_put(l->worker->walk, list);
	return e;
}

static enum err look_at_entry(const struct listing *l, const struct entry *e)
{
	struct worker *w = l->worker;

	if (e->type != DT_REG && e->type != DT_LNK)
		return ERR_OK;
	atomic_fetch_add_explicit(&w->steps, 1, memory_order_relaxed);
	atomic_store_explicit(&w->name, e->name, memory_order_relaxed);
	if (is_excluded(w, name_of(e)))
		return ERR_OK;
	return e->type == DT_REG ? look_at_file(w, l->fd, name_of(e))
				 : look_at_link(w, l->dir, l->fd, name_of(e));
}

/* Gives what is left of the entries away when other threads have nothing to do. */
static enum err share(const struct listing *l, size_t *size, size_t at)
{
	struct worker *w = l->worker;
	struct unit *u;

	if (atomic_load_explicit(&w->walk->idle, memory_order_relaxed) == 0)
		return ERR_OK;
	u = unit_names(l->dir, l->entries + at, *size - at);
	if (!u)
		return ERR_MEMORY;
	*size = at;
	queue_put(w->walk, u);
	return ERR_OK;
}

static enum err look_at_entries(const struct listing *l)
{
	size_t size = l->size;
	unsigned files = 0;
	enum err e = ERR_OK;

	for (size_t at = 0; e == ERR_OK && at < size;) {
		const struct entry *entry = entry_at(l->entries, at);

		if (worker_should_end(l->worker))
			return ERR_CLOSED;
		at += entry->size;
		e = look_at_entry(l, entry);
		files += entry->type == DT_REG;
		if (e == ERR_OK && files % SHARED_NAMES_MIN == SHARED_NAMES_MIN - 1 && at < size)
			e = share(l, &size, at);
	}
	return e;
}

/* --- folders ----------------------------------------------------------------------------------- */

/* Layers begin at folders of a certain name; a root may lie in one. */
static enum err find_label(struct worker *w, struct dir *dir)
{
	struct slice path = buffer_bytes(&w->target);
	enum err e = ERR_OK;

	if (!dir->label && dir->parent)
		e = image_stores_folder(w->walk->images, path, &dir->label);
	for (size_t i = 1; e == ERR_OK && !dir->label && !dir->parent && i <= path.size; i++)
		if (i == path.size || path.data[i] == '/')
			e = image_stores_folder(
				w->walk->images, slice_of(path.data, i), &dir->label);
	return e;
}

/* What a folder belongs to is part of what it is: once that is called something else, its files are told anew. */
static void enter_layer(struct worker *w, const struct dir *dir)
{
	const struct seen *seen = &w->walk->seen;
	uint64_t label = dir->label ? seen_path(seen, 1, slice_text(dir->label)) : 0;

	w->label = dir->label;
	w->has_blobs = image_stores_has_blobs(buffer_bytes(&w->target));
	w->path_hash = seen_path(seen, label, buffer_bytes(&w->path));
}

/* Puts the worker into a folder: its paths, its hash. ERR_LIMIT when some name in it might not fit into
 * a place. */
static enum err enter(struct worker *w, const struct dir *dir)
{
	struct timespec now;

	dir_path(dir, &w->path);
	dir_target(dir, &w->target);
	if (buffer_status(&w->path) != ERR_OK)
		return buffer_status(&w->path);
	if (buffer_status(&w->target) != ERR_OK)
		return buffer_status(&w->target);
	buffer_clear(&w->uri);
	path_uri(&w->uri, buffer_bytes(&w->path));
	if (buffer_status(&w->uri) != ERR_OK)
		return buffer_status(&w->uri);
	if (w->uri.size + 1 + ENCODED_NAME_BYTES_MAX > PLACE_BYTES_MAX)
		return ERR_LIMIT;
	(void)clock_gettime(CLOCK_REALTIME_COARSE, &now);
	w->now_s = now.tv_sec;
	return ERR_OK;
}

/* A device other than its parent's may be of a kind that is not entered. */
static bool may_enter(struct worker *w, struct dir *dir, int fd)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return false;
	dir->dev = st.st_dev;
	dir->ino = st.st_ino;
	dir->is_plain = dir->parent && dir->parent->dev == dir->dev ? dir->parent->is_plain
								    : mounts_is_plain_fd(fd);
	return w->walk->options.all_filesystems || !dir->parent || dir->parent->dev == dir->dev ||
	       !mounts_skip_fd(&w->walk->mounts, fd);
}

/* One round of getdents64. ERR_END after the last, or when the rest was put aside. */
static enum err list_some(struct listing *l)
{
	struct walk *walk = l->worker->walk;
	long n = syscall(SYS_getdents64, l->fd, l->worker->entries, ENTRIES_BYTES);
	bool is_aside = false;
	enum err e = ERR_OK;

	atomic_fetch_add_explicit(&l->worker->steps, 1, memory_order_relaxed);
	if (n < 0)
		e = tell_errno(l->worker, slice_of(NULL, 0), errno);
	if (n <= 0)
		return e == ERR_OK ? ERR_END : e;
	l->entries = l->worker->entries;
	l->size = (size_t)n;
	/* With very many folders pending, theirs come before the rest of this one's. */
	if (atomic_load_explicit(&walk->pending, memory_order_relaxed) > PENDING_UNITS_MAX) {
		int64_t next = 0;
		struct unit *u;

		for (size_t at = 0; at < l->size; at += entry_at(l->entries, at)->size)
			next = entry_at(l->entries, at)->next_offset;
		u = unit_again(l->dir, next);
		is_aside = u != NULL;
		queue_put(walk, u);
	}
	e = add_folders(l);
	if (e == ERR_OK)
		e = look_at_entries(l);
	return e == ERR_OK && is_aside ? ERR_END : e;
}

static enum err walk_open_folder(struct worker *w, const struct unit *u, int fd)
{
	struct listing l = { .worker = w, .dir = u->dir, .fd = fd };
	enum err e = ERR_OK;

	if (u->kind == UNIT_NAMES) {
		w->is_plain = u->dir->is_plain;
		l.size = u->size;
		l.entries = (char *)(uintptr_t)u->names;
		return look_at_entries(&l);
	}
	if (!may_enter(w, u->dir, fd))
		return ERR_OK;
	w->is_plain = u->dir->is_plain;
	if (u->offset && lseek(fd, u->offset, SEEK_SET) < 0)
		return tell_errno(w, slice_of(NULL, 0), errno);
	while (e == ERR_OK)
		e = list_some(&l);
	return e == ERR_END ? ERR_OK : e;
}

/* The parent is the folder that can still be named. */
static enum err too_long(struct worker *w, const struct dir *dir)
{
	if (!dir->parent || enter(w, dir->parent) != ERR_OK)
		return ERR_OK;
	return tell_problem(w, slice_of(NULL, 0), REASON_LIMIT_REACHED,
		"a folder in it was not entered: its path is too long");
}

static enum err walk_folder(struct worker *w, const struct unit *u)
{
	enum err e = enter(w, u->dir);
	int fd;

	if (e == ERR_OK && u->kind == UNIT_FOLDER && !u->offset)
		e = find_label(w, u->dir);
	if (e == ERR_OK)
		enter_layer(w, u->dir);

	if (e != ERR_OK)
		return e == ERR_LIMIT ? too_long(w, u->dir) : e;
	fd = open_without_links((char *)w->target.data, FOLDER_FLAGS);
	atomic_fetch_add_explicit(&w->steps, 1, memory_order_relaxed);
	if (fd < 0)
		return tell_errno(w, slice_of(NULL, 0), errno);
	e = walk_open_folder(w, u, fd);
	look_close_soon(w, fd);
	return e == ERR_OK ? tell_limited_stores(w) : e;
}

/* --- roots ------------------------------------------------------------------------------------- */

/* What a root is. `*out` is its path free of links. */
static int examine(const char *path, char **out, bool *is_file)
{
	int fd = open(path, O_PATH | O_CLOEXEC);
	struct stat st;
	int error = 0;

	if (fd < 0)
		return errno;
	if (fstat(fd, &st) != 0) {
		error = errno;
	} else if (!S_ISDIR(st.st_mode) && !S_ISREG(st.st_mode)) {
		error = EINVAL;
	} else {
		*is_file = S_ISREG(st.st_mode);
		*out = descriptor_path(fd);
		/* Without /proc the path must do: it is refused later if a link is in it. */
		if (!*out)
			*out = strdup(path);
		error = *out ? 0 : ENOMEM;
	}
	(void)close(fd);
	return error;
}

static void resolve(struct worker *w, struct root *root)
{
	char *target = NULL;
	bool is_file = false;
	int error = examine(root->path, &target, &is_file);

	(void)pthread_mutex_lock(&w->walk->lock);
	if (atomic_load(&w->state) != WORKER_LEFT_BEHIND) {
		root->error = error;
		root->is_file = is_file;
		root->target = target;
		target = NULL;
	}
	(void)pthread_mutex_unlock(&w->walk->lock);
	free(target);
}

static enum err root_problem(struct worker *w, const struct root *root)
{
	if (root->error == ENOENT || root->error == ENOTDIR)
		return root->is_optional ? ERR_OK
					 : tell_problem(w, slice_of(NULL, 0), REASON_UNREADABLE,
						   "it does not exist");
	/* That was told when it was given up. */
	if (root->error == ETIMEDOUT)
		return ERR_OK;
	if (root->error == EINVAL)
		return tell_problem(w, slice_of(NULL, 0), REASON_UNREADABLE,
			"it is neither a file nor a folder");
	if (root->error == ELOOP)
		return tell_problem(
			w, slice_of(NULL, 0), REASON_UNREADABLE, "its links go in a circle");
	return tell_errno(w, slice_of(NULL, 0), root->error);
}

static enum err start_file(struct worker *w, const struct root *root)
{
	int fd;

	buffer_clear(&w->target);
	buffer_text(&w->target, root->target);
	if (buffer_status(&w->target) != ERR_OK)
		return buffer_status(&w->target);
	w->label = NULL;
	w->has_blobs = false;
	w->path_hash = seen_path(&w->walk->seen, 0, buffer_bytes(&w->path));
	w->now_s = 0; /* always racy: one file is not worth remembering */
	fd = open_without_links(
		(char *)w->target.data, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW);
	return fd < 0 ? tell_errno(w, slice_of(NULL, 0), errno)
		      : look_into(w, fd, slice_of(NULL, 0));
}

/* A link to nowhere counts as what it leads to. What this user may not look at may well be there. */
static enum err look_for_named(struct worker *w, const struct root *root)
{
	struct stat st;

	if (root->is_limit)
		return tell_problem(w, slice_of(NULL, 0), REASON_LIMIT_REACHED, root->message);
	if (stat(root->path, &st) == 0 || (errno != ENOENT && errno != ENOTDIR))
		return ERR_OK;
	return tell_problem(w, slice_of(NULL, 0), REASON_MISSING, root->message);
}

static enum err start(struct worker *w, struct root *root)
{
	struct unit *u;

	buffer_clear(&w->path);
	buffer_text(&w->path, root->path);
	if (root->message)
		return look_for_named(w, root);
	if (root->sources.count)
		return look_with_passwords(w, root);
	if (root->error)
		return root_problem(w, root);
	if (root->is_file)
		return start_file(w, root);
	u = malloc(sizeof(*u));
	if (!u)
		return ERR_MEMORY;
	*u = (struct unit){ .kind = UNIT_FOLDER, .root = root };
	u->dir = dir_new(root, NULL, slice_of(NULL, 0));
	if (!u->dir) {
		free(u);
		return ERR_MEMORY;
	}
	queue_put(w->walk, u);
	return ERR_OK;
}

/* --- the thread -------------------------------------------------------------------------------- */

static enum err do_unit(struct worker *w, struct unit *u)
{
	switch (u->kind) {
	case UNIT_RESOLVE:
		resolve(w, u->root);
		return ERR_OK;
	case UNIT_START:
		return start(w, u->root);
	case UNIT_FOLDER:
	case UNIT_NAMES:
		break;
	}
	return walk_folder(w, u);
}

void *worker_run(void *arg)
{
	struct worker *w = arg;
	struct unit *u;

	/* A table of descriptors of its own needs no lock at each open and close. */
	if (w->walk->has_process && unshare(CLONE_FILES) != 0)
		log_debug("the threads share a descriptor table");
	while ((u = queue_take(w))) {
		enum err e = do_unit(w, u);

		look_close(w);
		if (e != ERR_OK && e != ERR_CLOSED) {
			log_error("reading stopped: %s", err_text(e));
			atomic_store(&w->walk->has_failed, true);
			atomic_store(&w->walk->is_stopping, true);
		}
		queue_done(w, u);
	}
	return NULL;
}
