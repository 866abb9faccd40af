/* Where an archive's bytes come from, and what they may cost. */
#include "scanners/formats/unpack_internal.h"

#include "agent/base/clock.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* libarchive keeps a zip's list of members in memory, which is four times what the list takes in the file. */
#define DIRECTORY_MEMBER_BYTES 128
#define DIRECTORY_BYTES_MIN (1024 * 1024)
/* bzip2 gives nothing before it has a block of 900 KB. */
#define BEGIN_BYTES_MAX (2 * 1024 * 1024)
#define RPM_MAGIC "\xed\xab\xee\xdb"
#define RPM_MAGIC_BYTES 4

/* --- telling, ceilings ------------------------------------------------------------------------- */

void unpack_problem(struct unpack *u, enum reason reason, const char *message)
{
	enum err e = u->sink->problem(u->sink->arg, reason, slice_of(NULL, 0), message);

	if (u->status == ERR_OK)
		u->status = e;
}

const char *unpack_error(struct unpack *u)
{
	const char *text = archive_error_string(u->archive);

	return text ? text : "it is damaged";
}

/* "a.zip!/b.tar!/c": where in the file it is. */
static void put_path(struct buffer *out, const struct unpack *u)
{
	const struct unpack *chain[FORMAT_ARCHIVE_DEPTH_CEILING + 1];
	size_t count = 0;

	for (; u && count <= FORMAT_ARCHIVE_DEPTH_CEILING; u = u->outer)
		chain[count++] = u;
	while (count--) {
		if (!*chain[count]->name)
			continue;
		buffer_text(out, out->size ? "!/" : "");
		buffer_text(out, chain[count]->name);
	}
}

/* Nothing more of the file is looked at. */
static void leave_file(struct unpack *u, enum reason reason, const char *message)
{
	struct format_budget *b = u->budget;
	struct buffer path;

	buffer_init(&path, UNPACK_NAME_BYTES);
	put_path(&path, u);
	b->is_spent = true;
	b->left_reason = reason;
	(void)snprintf(b->left, sizeof(b->left), "%s%s%s", message, path.size ? ", at " : "",
		buffer_status(&path) == ERR_OK ? buffer_string(&path) : "a member");
	buffer_fini(&path);
}

static bool spend(struct unpack *u, const char *ceiling, const char *key)
{
	char message[FORMAT_LEFT_BYTES / 2];

	(void)snprintf(message, sizeof(message),
		"the archive was left after %zu members: %s (limits.%s)", u->read, ceiling, key);
	leave_file(u, REASON_LIMIT_REACHED, message);
	return false;
}

bool unpack_may_go_on(struct unpack *u)
{
	const struct format_budget *b = u->budget;
	const struct format_limits *l = b->limits;

	if (b->is_spent || u->status != ERR_OK)
		return false;
	if (b->members > l->members)
		return spend(u, "the file holds more than are looked at", "archive_members");
	if (b->unpacked_bytes > l->unpacked_bytes)
		return spend(u, "more came out of the file than is allowed", "archive_size");
	if (b->unpacked_bytes > FORMAT_RATIO_FREE_BYTES &&
		b->unpacked_bytes / (b->file_bytes + 1) >= (uint64_t)l->ratio)
		return spend(u, "so much comes out of so small a file that it may be a bomb",
			"archive_ratio");
	if (clock_monotonic_ms() - b->start_ms > l->time_ms)
		return spend(u, "it takes too long", "file_time");
	return true;
}

int unpack_kind(const struct unpack *u)
{
	return archive_format(u->archive) & ARCHIVE_FORMAT_BASE_MASK;
}

bool unpack_charge(struct unpack *u, size_t bytes)
{
	uint64_t fresh = bytes;

	if (archive_filter_count(u->archive) > 1) {
		uint64_t now = (uint64_t)archive_filter_bytes(u->archive, 0);

		fresh = now > u->charged ? now - u->charged : 0;
		u->charged = now;
	}
	/* Counted as it came out. */
	if (u->outer && u->outer->is_packed && unpack_kind(u) == ARCHIVE_FORMAT_CPIO)
		fresh = 0;
	u->budget->unpacked_bytes += fresh;
	return unpack_may_go_on(u);
}

/* --- the file ----------------------------------------------------------------------------------- */

static uint64_t size_of(const struct unpack *u)
{
	return u->in->file ? u->in->file->size : u->in->bytes.size;
}

static la_ssize_t left(struct archive *a)
{
	archive_set_error(a, EINTR, "it was left");
	return ARCHIVE_FATAL;
}

static la_ssize_t read_block(struct unpack *u, size_t size, const void **block)
{
	char message[FORMAT_LEFT_BYTES / 2];
	ssize_t n;

	if (!u->in->file) {
		*block = u->in->bytes.data + u->at;
		return (la_ssize_t)size;
	}
	do {
		n = pread(u->in->file->fd, u->block, size, (off_t)u->at);
	} while (n < 0 && errno == EINTR);
	if (n < 0) {
		(void)snprintf(message, sizeof(message), "cannot be read after %llu bytes: %m",
			(unsigned long long)u->at);
		leave_file(u, REASON_UNREADABLE, message);
	}
	*block = u->block;
	return n;
}

static la_ssize_t read_file(struct archive *a, void *arg, const void **block)
{
	struct unpack *u = arg;
	uint64_t size = size_of(u) - u->at;
	la_ssize_t n;

	if (!unpack_may_go_on(u))
		return left(a);
	if (size > UNPACK_BLOCK_BYTES)
		size = UNPACK_BLOCK_BYTES;
	if (!u->has_member && size > u->directory_left) {
		(void)spend(u, "its list of members is longer than is read", "archive_members");
		return left(a);
	}
	n = read_block(u, (size_t)size, block);
	if (n < 0)
		return left(a);
	u->directory_left -= u->has_member ? 0 : (uint64_t)n;
	u->at += (uint64_t)n;
	return n;
}

static la_int64_t skip_file(struct archive *a, void *arg, la_int64_t request)
{
	struct unpack *u = arg;
	uint64_t step = size_of(u) - u->at;

	(void)a;
	if (request < 0)
		return 0;
	if ((uint64_t)request < step)
		step = (uint64_t)request;
	u->at += step;
	return (la_int64_t)step;
}

static la_int64_t seek_file(struct archive *a, void *arg, la_int64_t offset, int whence)
{
	struct unpack *u = arg;
	la_int64_t size = (la_int64_t)(size_of(u) - u->start);
	la_int64_t from = whence == SEEK_CUR   ? (la_int64_t)(u->at - u->start)
			  : whence == SEEK_END ? size
					       : 0;

	(void)a;
	if (offset > size - from || offset < -from)
		return ARCHIVE_FATAL;
	u->at = u->start + (uint64_t)(from + offset);
	return from + offset;
}

/* --- the end of a zip in an archive -------------------------------------------------------------- */

/* The signatures of an APK stand between its last member and the list of members, where libarchive passes them by. */
static void keep_tail(struct unpack *u, const uint8_t *bytes, size_t size)
{
	size_t max = (size_t)u->budget->limits->member_bytes;
	size_t kept;

	if (!u->is_zip)
		return;
	if (!u->tail.ceiling)
		buffer_init(&u->tail, max + 3UL * UNPACK_BLOCK_BYTES);
	/* Within a member only what libarchive may not have used yet. */
	kept = u->is_between                       ? u->tail.size - u->tail_at
	       : u->tail.size < UNPACK_BLOCK_BYTES ? u->tail.size
						   : UNPACK_BLOCK_BYTES;
	if (kept > max + UNPACK_BLOCK_BYTES) {
		u->is_cut = true;
		kept = UNPACK_BLOCK_BYTES;
	}
	buffer_consume(&u->tail, u->tail.size - kept);
	u->tail_at = 0;
	buffer_append(&u->tail, bytes, size);
	if (buffer_status(&u->tail) == ERR_MEMORY)
		u->status = ERR_MEMORY;
}

void unpack_begin_tail(struct unpack *u)
{
	uint64_t ahead = u->taken - (uint64_t)archive_filter_bytes(u->archive, 0);

	u->tail_at = ahead < u->tail.size ? u->tail.size - (size_t)ahead : 0;
	u->is_cut = false;
	u->is_between = true;
}

/* --- a member's bytes ---------------------------------------------------------------------------- */

static int next_piece(struct unpack *u)
{
	const void *block = NULL;
	la_int64_t offset = 0;
	size_t size = 0;
	int r = archive_read_data_block(u->archive, &block, &size, &offset);

	if (r != ARCHIVE_OK)
		return r;
	if (offset < 0 || (uint64_t)offset < u->given) {
		archive_set_error(u->archive, EINVAL, "its parts overlap");
		return ARCHIVE_FATAL;
	}
	u->piece = slice_of(block, size);
	u->piece_at = (uint64_t)offset;
	return r;
}

la_ssize_t unpack_read(struct unpack *u, uint8_t *to, size_t want)
{
	size_t size;

	while (!u->piece.size) {
		int r = next_piece(u);

		if (r != ARCHIVE_OK)
			return r == ARCHIVE_EOF ? 0 : r;
	}
	if (u->given < u->piece_at) {
		/* A hole. */
		size = u->piece_at - u->given < want ? (size_t)(u->piece_at - u->given) : want;
		memset(to, 0, size);
	} else {
		size = u->piece.size < want ? u->piece.size : want;
		memcpy(to, u->piece.data, size);
		u->piece = slice_after(u->piece, size);
		u->piece_at += size;
	}
	u->given += size;
	return (la_ssize_t)size;
}

/* --- a member of an archive --------------------------------------------------------------------- */

/* What may turn out to be a zip that was compressed as a whole is read once more. */
static void keep_begin(struct unpack *u, const uint8_t *bytes, size_t size)
{
	if (u->has_member || u->is_packed || u->is_zip)
		return;
	if (!u->begin.ceiling)
		buffer_init(&u->begin, BEGIN_BYTES_MAX);
	buffer_append(&u->begin, bytes, size);
	if (buffer_status(&u->begin) == ERR_MEMORY)
		u->status = ERR_MEMORY;
}

static la_ssize_t read_outer(struct archive *a, void *arg, const void **block)
{
	struct unpack *u = arg;
	la_ssize_t n;

	if (u->head.size) {
		n = (la_ssize_t)u->head.size;
		*block = u->head.data;
		u->head.size = 0;
		unpack_keep_ahead(u, *block, (size_t)n);
		keep_tail(u, *block, (size_t)n);
		keep_begin(u, *block, (size_t)n);
		return n;
	}
	n = unpack_read(u->outer, u->block, UNPACK_BLOCK_BYTES);
	if (n < 0) {
		archive_set_error(a, EINTR, "%s", unpack_error(u->outer));
		return ARCHIVE_FATAL;
	}
	if (!unpack_charge(u->outer, (size_t)n))
		return left(a);
	unpack_keep_ahead(u, u->block, (size_t)n);
	keep_tail(u, u->block, (size_t)n);
	keep_begin(u, u->block, (size_t)n);
	*block = u->block;
	return n;
}

/* --- opening ------------------------------------------------------------------------------------ */

typedef int (*support_fn)(struct archive *);
static const support_fn filters[] = {
	archive_read_support_filter_gzip,
	archive_read_support_filter_bzip2,
	archive_read_support_filter_xz,
	archive_read_support_filter_zstd,
	archive_read_support_filter_lz4,
	archive_read_support_filter_compress,
	archive_read_support_format_raw,
};
static const support_fn kinds[] = {
	archive_read_support_filter_rpm,
	archive_read_support_format_zip,
	archive_read_support_format_tar,
	archive_read_support_format_cpio,
	archive_read_support_format_ar,
};

static struct slice head_of(const struct unpack *u)
{
	return u->outer || u->is_behind ? u->head : u->in->bytes;
}

/* libarchive takes far more for lzma than is: a keystore of Bouncy Castle among it, wherever it comes out of something
 * compressed. So what begins so is unpacked as that and nothing else, and of packages alone it is asked. */
static bool set_lzma(struct unpack *u)
{
	struct slice head = head_of(u);

	u->is_lzma = u->is_lzma || unpack_lzma_dictionary(head);
	if (u->is_lzma)
		return archive_read_append_filter(u->archive, ARCHIVE_FILTER_LZMA) == ARCHIVE_OK;
	return !slice_starts(head, RPM_MAGIC, RPM_MAGIC_BYTES) ||
	       archive_read_support_filter_lzma(u->archive) == ARCHIVE_OK;
}

/* A warning here means that a program would be started, so it is a failure. */
static bool set_up(struct unpack *u)
{
	const struct strings *passwords = u->in->passwords;

	for (size_t i = 0; i < sizeof(filters) / sizeof(filters[0]); i++)
		if (filters[i](u->archive) != ARCHIVE_OK)
			return false;
	for (size_t i = 0; !u->is_packed && i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (kinds[i](u->archive) != ARCHIVE_OK)
			return false;
	if (!set_lzma(u))
		return false;
	for (size_t i = 0; passwords && i < passwords->count; i++)
		if (*passwords->items[i] &&
			archive_read_add_passphrase(u->archive, passwords->items[i]) != ARCHIVE_OK)
			return false;
	(void)archive_read_set_callback_data(u->archive, u);
	(void)archive_read_set_read_callback(u->archive, u->outer ? read_outer : read_file);
	if (!u->outer) {
		(void)archive_read_set_skip_callback(u->archive, skip_file);
		(void)archive_read_set_seek_callback(u->archive, seek_file);
	}
	return true;
}

/* Only of a zip the list of members is read before the first one. */
static uint64_t directory_max(const struct unpack *u)
{
	uint64_t members = (uint64_t)u->budget->limits->members;

	if (!slice_starts(u->in->bytes, "PK", 2) && !formats_is_script(u->in->bytes))
		return UINT64_MAX;
	return DIRECTORY_BYTES_MIN + DIRECTORY_MEMBER_BYTES * members;
}

/* libarchive would give a file as much memory as it asks for, up to a GiB. */
static bool is_too_demanding(struct unpack *u)
{
	struct slice head = head_of(u);
	uint64_t bytes = unpack_memory(head);
	char message[UNPACK_MESSAGE_BYTES];

	if (unpack_is_beyond_libarchive(head)) {
		(void)snprintf(message, sizeof(message),
			"unpacking it would take %llu MiB of memory, more than libarchive gives zstd",
			(unsigned long long)(bytes >> 20));
		unpack_problem(u, REASON_UNSUPPORTED, message);
		return true;
	}
	if (bytes <= u->budget->limits->memory_bytes)
		return false;
	(void)snprintf(message, sizeof(message),
		"unpacking it would take %llu MiB of memory, more than is allowed (limits.memory)",
		(unsigned long long)(bytes >> 20));
	unpack_problem(u, REASON_LIMIT_REACHED, message);
	return true;
}

bool unpack_open(struct unpack *u)
{
	bool has_block = u->outer || u->in->file;

	if (is_too_demanding(u))
		return false;

	u->archive = archive_read_new();
	u->block = has_block ? malloc(UNPACK_BLOCK_BYTES) : NULL;
	u->directory_left = directory_max(u);
	if (!u->archive || (has_block && !u->block)) {
		u->status = ERR_MEMORY;
		return false;
	}
	if (!set_up(u)) {
		unpack_problem(u, REASON_UNSUPPORTED,
			"libarchive of this system does not read it by itself");
		return false;
	}
	return true;
}

void unpack_close(struct unpack *u)
{
	if (u->archive)
		(void)archive_read_free(u->archive);
	if (u->block)
		explicit_bzero(u->block, UNPACK_BLOCK_BYTES);
	free(u->block);
	if (u->content)
		explicit_bzero(u->content, u->capacity);
	free(u->content);
	buffer_wipe(&u->tail);
	buffer_wipe(&u->begin);
}
