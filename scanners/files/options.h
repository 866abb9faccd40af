/* What main tells the reader: the options of a job, and a root as a work item. */
#ifndef LEAFWATCH_SCANNERS_FILES_OPTIONS_H
#define LEAFWATCH_SCANNERS_FILES_OPTIONS_H

#include "agent/base/buffer.h"
#include "agent/base/err.h"
#include "agent/base/slice.h"
#include "agent/base/strings.h"
#include "scanners/files/tree.h"
#include "scanners/images/stores.h"

#include <stdbool.h>
#include <stdint.h>

#define READER_THREADS_MAX 64
/* A path's ceiling: percent-encoded, and with a scheme before it, it must still be a place. */
#define READER_PATH_BYTES_MAX (60 * 1024)
#define READER_ROOTS_MAX 10000

struct files_options {
	uint32_t threads;
	bool follow_links;
	bool deep;
	bool all_filesystems;
	uint64_t file_bytes_max;
	uint64_t text_bytes_max;
	uint64_t archive_bytes_max; /* 0: archives are not opened */
	uint64_t config_bytes_max;
	struct image_limits images;
	struct strings roots;   /* owned; every root of the job, absolute */
	struct strings exclude; /* owned; patterns, see glob.h */
};

void files_options_fini(struct files_options *o);
void files_options_encode(struct buffer *out, const struct files_options *o);
/* `out` is written only on success. */
enum err files_options_decode(struct slice bytes, struct files_options *out) MUST_CHECK;

/* One root. A missing optional one is no problem. With a `message`: a file that a configuration names. It
 * is only asked whether it is there; where it is not, the message is its problem. With `is_limit` it is not looked
 * at: the message says which limit was reached at it. With sources: a file whose
 * password is in one of them, which is told once more together with them. All slices are borrowed. */
#define NAMED_MESSAGE_BYTES_MAX 16384
struct root_source {
	bool is_configuration; /* else passwords, one a line */
	struct slice path;
};
struct root_item {
	bool is_optional;
	bool is_limit;
	struct slice path;
	struct slice message;
	struct root_source sources[FORMAT_PASSWORD_SOURCES_CEILING];
	size_t sources_count;
};
void root_item_encode(struct buffer *out, const struct root_item *r);
enum err root_item_decode(struct slice bytes, struct root_item *out) MUST_CHECK;

/* Appends "file://" and the percent-encoded path. */
void path_uri(struct buffer *out, struct slice path);
/* An absolute path without empty, "." and ".." components ("..": lexically), relative ones taken
 * from `folder` (absolute). Owned; NULL when out of memory. */
char *path_normal(const char *folder, const char *path);

#endif
