/* The walk over all roots of a pass: a stack of units that threads take from, and what each thread is
 * doing, so that one that hangs in a dead file system is noticed and left behind. */
#ifndef LEAFWATCH_SCANNERS_FILES_WALK_H
#define LEAFWATCH_SCANNERS_FILES_WALK_H

#include "agent/base/buffer.h"
#include "agent/base/err.h"
#include "agent/certificate/record.h"
#include "agent/process/channel.h"
#include "scanners/files/mounts.h"
#include "scanners/files/options.h"
#include "scanners/files/seen.h"
#include "scanners/files/sniff.h"
#include "scanners/files/tree.h"
#include "scanners/images/stores.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define FILES_SCANNER_NAME "files"

/* Of one getdents64 call: about a thousand names. */
#define ENTRIES_BYTES (32 * 1024)
/* Folders waiting before a listing is put aside. */
#define PENDING_UNITS_MAX 65536
/* Names that a thread keeps when it shares the rest with idle ones. */
#define SHARED_NAMES_MIN 32
/* Links to folders followed on one path, with follow_links. */
#define FOLLOWED_LINKS_MAX 8
/* A call into the kernel that takes longer has met a dead file system. */
#define STUCK_MS 30000
/* Threads left behind before the pass gives up what is left. */
#define STUCK_THREADS_MAX 64
#define STOP_MS 2000
#define WORKERS_MAX (READER_THREADS_MAX + STUCK_THREADS_MAX)

enum unit_kind {
	UNIT_RESOLVE, /* find out what a root is */
	UNIT_START,   /* a root that is wanted and resolved */
	UNIT_FOLDER,  /* list a folder and look at its files */
	UNIT_NAMES,   /* look at some of its entries */
};

struct unit {
	struct unit *next;
	enum unit_kind kind;
	struct root *root;
	struct dir *dir; /* counted; NULL for the first two kinds */
	int64_t offset;  /* where a listing that was put aside goes on */
	size_t size;     /* UNIT_NAMES: bytes of getdents64's records */
	_Alignas(8) char names[];
};

/* Who may do what with a worker: it goes between BUSY and TELLING by itself; the main thread makes
 * it LEFT_BEHIND only while it is BUSY. */
enum worker_state { WORKER_IDLE, WORKER_BUSY, WORKER_TELLING, WORKER_LEFT_BEHIND };

struct worker {
	struct walk *walk;
	pthread_t thread;
	atomic_int state;
	atomic_uint steps;          /* grows with every file and read */
	_Atomic(const char *) name; /* of the entry being looked at, or NULL */
	atomic_uint_fast64_t files; /* looked at */
	struct unit *unit;          /* under the lock */
	unsigned last_steps;        /* the main thread's, as is the next */
	int64_t last_change_ms;

	/* The thread's own. */
	struct buffer path;   /* of the folder, as reached */
	struct buffer target; /* the same free of links */
	struct buffer uri;
	const char *label; /* of the folder: of which image's layer it is part; or NULL */
	bool has_blobs;    /* its files have labels of their own */
	uint64_t path_hash;
	bool is_plain;   /* the folder's file system: see struct dir */
	int64_t now_s;   /* wall clock when the folder was opened */
	char *entries;   /* ENTRIES_BYTES */
	uint8_t *buffer; /* SNIFF_BUFFER_BYTES */
	struct seen_list seen;
	int closing; /* the first of the descriptors that look_close closes, which follow one another */
	int closing_count;
};

struct walk {
	struct files_options options;
	struct channel *channel; /* borrowed */
	struct mounts mounts;
	struct sniffer sniffer;
	struct image_stores *images; /* owned */
	struct seen seen;            /* read-only while threads run */
	bool has_process;  /* of its own: threads may have descriptor tables of their own */
	bool is_transient; /* nothing is to be remembered */
	int wake_fd;       /* eventfd: work is done, or writing failed */
	atomic_bool is_stopping;
	atomic_bool has_failed; /* a thread could not go on: the pass is not complete */
	atomic_uint idle;
	atomic_uint_fast64_t finding_id;

	pthread_mutex_t lock;
	pthread_cond_t ready;
	pthread_cond_t large_free;
	/* All below under the lock. */
	struct unit *units;
	atomic_uint_fast64_t pending;
	struct unit *resolving; /* come first */
	unsigned unresolved;    /* units of that kind, pending or under way: others wait for them */
	struct worker *large;   /* who is sending a large finding */
	struct root **roots;    /* owned, each owned */
	size_t roots_count;
	size_t open_work;                    /* roots that came as work and are not done */
	struct worker *workers[WORKERS_MAX]; /* owned */
	size_t workers_count;
	unsigned stuck;
};

/* --- queue.c --- */

enum err walk_init(struct walk *w, struct channel *channel,
	struct files_options *options /* taken */) MUST_CHECK;
/* For when no thread runs any more. */
void walk_fini(struct walk *w);
/* One more thread; ERR_LIMIT when there are too many. */
enum err walk_start_worker(struct walk *w) MUST_CHECK;
/* A root of the job: known before it comes as work, so that links into it can be told. */
enum err walk_add_root(struct walk *w, const char *path, struct root **out) MUST_CHECK;
/* Work has come for a root. WORK_DONE is sent when its tree is done. */
enum err walk_want_root(struct walk *w, uint64_t work, const struct root_item *item) MUST_CHECK;
/* Has all work that came been done? */
bool walk_is_done(struct walk *w);
/* Tells the threads to end, and waits STOP_MS for those that are not left behind. */
void walk_stop(struct walk *w);
/* Is there a thread that was left behind? Then nothing may be freed. */
bool walk_has_strays(const struct walk *w);
uint64_t walk_files(struct walk *w);
/* Is this path, free of links, a root or below one? */
bool walk_is_below_root(struct walk *w, const char *path);
/* A folder that is being looked at, into `out`. */
void walk_at(struct walk *w, struct buffer *out);
/* Leaves threads behind that made no step since STUCK_MS: a problem `timeout`, and a new thread. */
enum err walk_watch(struct walk *w, int64_t now_ms, int64_t stuck_ms) MUST_CHECK;

/* For the threads: the next unit (NULL = end), and its end. */
struct unit *queue_take(struct worker *w);
void queue_done(struct worker *w, struct unit *u);
/* Adds units of one root, linked by next, in front; the list is taken. */
void queue_put(struct walk *w, struct unit *first);
/* A folder to list, entries of it to look at, and the rest of its listing. NULL when out of memory. */
struct unit *unit_folder(struct dir *parent, struct slice name);
struct unit *unit_names(struct dir *dir, const char *names, size_t size);
struct unit *unit_again(struct dir *dir, int64_t offset);
bool worker_should_end(const struct worker *w);

/* --- tell.c: what a worker says. Anything but ERR_OK ends the worker. --- */

/* A place: the worker's folder and a name in it (empty: the folder itself). */
enum err tell_problem(
	struct worker *w, struct slice name, enum reason reason, const char *message) MUST_CHECK;
/* The stores of images of which a limit was reached, each once, at their folders. */
enum err tell_limited_stores(struct worker *w) MUST_CHECK;
/* permission-denied or unreadable by errno; nothing at all for what merely vanished. */
enum err tell_errno(struct worker *w, struct slice name, int error) MUST_CHECK;
enum err tell_unchanged(struct worker *w, struct slice name) MUST_CHECK;
/* The whole content, or where it is a large archive the file itself. `*is_known` = it was read to its end, or refused for good. */
enum err tell_whole(
	struct worker *w, struct slice name, struct sniff *f, bool *is_known) MUST_CHECK;
/* A file with what may open it (locked_finding.h), in the worker's folder. */
enum err tell_locked(struct worker *w, const struct stat *st, struct slice bytes) MUST_CHECK;
enum err tell_spans(
	struct worker *w, struct slice name, struct sniff *f, bool *is_known) MUST_CHECK;
/* Work done; from the worker or the main thread, outside the lock. */
enum err tell_work_done(struct walk *w, uint64_t work) MUST_CHECK;

/* --- look.c --- */

/* One open or about to be opened file of the worker's folder. */
enum err look_at_file(struct worker *w, int folder, struct slice name) MUST_CHECK;
/* The same for a link: to a file below a root, and with follow_links to anything. */
enum err look_at_link(struct worker *w, struct dir *dir, int folder, struct slice name) MUST_CHECK;
/* Closes the descriptor, by look_close at the latest. */
void look_close_soon(struct worker *w, int fd);
/* An open file, nothing of it read yet; `fd` is closed as by look_close_soon. */
enum err look_into(struct worker *w, int fd, struct slice name) MUST_CHECK;
/* At the end of each unit: closes the files that are still open. */
void look_close(struct worker *w);

/* --- locked.c --- */

/* A root with sources of passwords: the file is told once more, together with them. */
enum err look_with_passwords(struct worker *w, const struct root *root) MUST_CHECK;

/* --- walk.c --- */

/* A thread's life. */
void *worker_run(void *arg);

#endif
