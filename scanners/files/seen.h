/* What a pass looked at, so that the next one need not: one number a file. */
#ifndef LEAFWATCH_SCANNERS_FILES_SEEN_H
#define LEAFWATCH_SCANNERS_FILES_SEEN_H

#include "agent/base/buffer.h"
#include "agent/base/err.h"
#include "agent/base/slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

/* Files remembered at most (8 bytes each); others are read again at each pass. */
#define SEEN_FILES_MAX 8000000
#define SEEN_BYTES_MAX (64 + 8 * (size_t)SEEN_FILES_MAX)
/* A file whose change time is nearer than this may change again without showing it. */
#define SEEN_RACY_S 2

/* The low bit of an entry: the file gave findings. */
#define SEEN_HOLDER UINT64_C(1)

/* The last pass's set. Read-only once loaded: threads share it. */
struct seen {
	struct buffer memory; /* owned; entries follow the header, in the order of their buckets */
	uint64_t key[2];      /* of the hash; secret from those who write files */
	uint64_t context;     /* what it meant to look: limits, formats */
	size_t count;
	unsigned bits;    /* buckets: 2^bits, by the entries' top bits */
	uint32_t *starts; /* owned; 2^bits + 1 of them */
};

/* An empty set with a fresh key. */
enum err seen_init(struct seen *s, uint64_t context) MUST_CHECK;
void seen_fini(struct seen *s);
/* Takes over `memory` (emptied). What is damaged or of another context is forgotten: ERR_MALFORMED,
 * and the set is as it was. */
enum err seen_load(struct seen *s, struct buffer *memory) MUST_CHECK;

/* A name below a place: hashes along a path chain by `seed` (0 at the root). */
uint64_t seen_path(const struct seen *s, uint64_t seed, struct slice name);
/* The entry of a file, with the low bit clear. */
uint64_t seen_file(const struct seen *s, uint64_t path, const struct stat *st);
/* Was it there? Then whether it gave findings. */
bool seen_find(const struct seen *s, uint64_t file, bool *is_holder);
/* May the file change again without its times showing it? */
bool seen_is_racy(const struct stat *st, int64_t now_s);

/* One thread's part of the new set. Starts as {0}. */
struct seen_chunk;
struct seen_list {
	struct seen_chunk *chunks; /* owned */
	size_t count;
};
/* Best effort: what finds no memory is not remembered. */
void seen_add(struct seen_list *l, uint64_t entry);
void seen_list_fini(struct seen_list *l);
/* The new set as bytes for the next pass. */
enum err seen_write(const struct seen *s, const struct seen_list *lists, size_t count,
	struct buffer *out) MUST_CHECK;

/* For main, when trust, passwords or the clock's boundary changed, so that what holds certificates must
 * be judged again: appends the same memory without the files that gave findings. ERR_MALFORMED when it
 * is damaged. */
enum err seen_drop_holders(struct slice memory, struct buffer *out) MUST_CHECK;

#endif
