/* Archives by libarchive, member after member. Only what libarchive reads by itself is switched on, never
 * its "all": some of its filters start programs. An archive in an archive is read as it comes out of the
 * outer one, so memory holds the file, a block for each level, and one member. */
#include "scanners/formats/unpack.h"

#include "agent/base/clock.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

/* What libarchive gets at once: between two of these the time is looked at. */
#define BLOCK_BYTES (64 * 1024)
#define MESSAGE_BYTES 512
#define NAME_BYTES 160
#define NUMBER_BYTES 32

/* Members of one archive for which the same is to be said, told once. */
struct tally {
	size_t count;
	char first[NAME_BYTES];
	char message[MESSAGE_BYTES / 2];
};

struct unpack {
	const struct format_input *in;
	const struct format_sink *sink;
	struct format_budget *budget;
	struct unpack *outer; /* whose member this is; NULL: in->bytes */
	struct archive *archive;
	size_t at;         /* in in->bytes */
	struct slice head; /* of a member: the bytes taken out of it already */
	uint8_t *block;    /* owned; of a member: what comes next */
	uint64_t charged;  /* bytes of a filter that the budget knows of */
	uint8_t *content;  /* owned, wiped: of the member being looked at ... */
	size_t size;       /* ... so much is there */
	size_t capacity;
	const char *name;          /* of that member; "" where there is none */
	char number[NUMBER_BYTES]; /* what stands for a name that cannot be written */
	size_t read;               /* members looked at */
	bool is_raw;               /* not an archive: one compressed content */
	struct tally locked;       /* encrypted */
	struct tally failed;       /* damaged, or packed by a method that is not known */
	enum err status;           /* of the sink: ends everything */
};

/* --- telling ---------------------------------------------------------------------------------- */

static void problem(struct unpack *u, enum reason reason, const char *message)
{
	enum err e = u->sink->problem(u->sink->arg, reason, slice_of(NULL, 0), message);

	if (u->status == ERR_OK)
		u->status = e;
}

static bool enter(struct unpack *u)
{
	enum err e = u->sink->enter ? u->sink->enter(u->sink->arg, u->name) : ERR_OK;

	if (e != ERR_OK && e != ERR_LIMIT && u->status == ERR_OK)
		u->status = e;
	return e == ERR_OK;
}

static void leave(struct unpack *u)
{
	if (u->sink->leave)
		u->sink->leave(u->sink->arg);
}

static void count(struct unpack *u, struct tally *t, const char *message)
{
	if (t->count++)
		return;
	(void)snprintf(t->first, sizeof(t->first), "%s", u->name);
	(void)snprintf(t->message, sizeof(t->message), "%s", message);
}

static const char *error_of(struct unpack *u)
{
	const char *text = archive_error_string(u->archive);

	return text ? text : "it is damaged";
}

/* --- ceilings --------------------------------------------------------------------------------- */

static bool spend(struct unpack *u, const char *ceiling, const char *key)
{
	char message[MESSAGE_BYTES];

	(void)snprintf(message, sizeof(message), "it was left after %zu members: %s (limits.%s)",
		u->read, ceiling, key);
	u->budget->is_spent = true;
	problem(u, REASON_LIMIT_REACHED, message);
	return false;
}

/* Is there anything left to spend? Tells of the first ceiling that is reached. */
static bool may_go_on(struct unpack *u)
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

/* `bytes` came out of a member; what a filter has given meanwhile counts in their place. */
static bool charge(struct unpack *u, size_t bytes)
{
	uint64_t fresh = bytes;

	if (archive_filter_count(u->archive) > 1) {
		uint64_t now = (uint64_t)archive_filter_bytes(u->archive, 0);

		fresh = now > u->charged ? now - u->charged : 0;
		u->charged = now;
	}
	u->budget->unpacked_bytes += fresh;
	return may_go_on(u);
}

/* --- where bytes come from -------------------------------------------------------------------- */

static la_ssize_t read_memory(struct archive *a, void *arg, const void **block)
{
	struct unpack *u = arg;
	size_t size = u->in->bytes.size - u->at;

	if (!may_go_on(u)) {
		archive_set_error(a, EINTR, "it was left");
		return ARCHIVE_FATAL;
	}
	if (size > BLOCK_BYTES)
		size = BLOCK_BYTES;
	*block = u->in->bytes.data + u->at;
	u->at += size;
	return (la_ssize_t)size;
}

static la_int64_t skip_memory(struct archive *a, void *arg, la_int64_t request)
{
	struct unpack *u = arg;
	size_t left = u->in->bytes.size - u->at;

	(void)a;
	if (request < 0)
		return 0;
	if ((uint64_t)request < left)
		left = (size_t)request;
	u->at += left;
	return (la_int64_t)left;
}

static la_int64_t seek_memory(struct archive *a, void *arg, la_int64_t offset, int whence)
{
	struct unpack *u = arg;
	la_int64_t size = (la_int64_t)u->in->bytes.size;
	la_int64_t from = whence == SEEK_CUR ? (la_int64_t)u->at : whence == SEEK_END ? size : 0;

	(void)a;
	if (offset > size - from || offset < -from)
		return ARCHIVE_FATAL;
	u->at = (size_t)(from + offset);
	return from + offset;
}

static la_ssize_t read_outer(struct archive *a, void *arg, const void **block)
{
	struct unpack *u = arg;
	la_ssize_t n;

	if (u->head.size) {
		n = (la_ssize_t)u->head.size;
		*block = u->head.data;
		u->head.size = 0;
		return n;
	}
	n = archive_read_data(u->outer->archive, u->block, BLOCK_BYTES);
	if (n < 0) {
		archive_set_error(a, EINTR, "%s", error_of(u->outer));
		return ARCHIVE_FATAL;
	}
	if (!charge(u->outer, (size_t)n)) {
		archive_set_error(a, EINTR, "it was left");
		return ARCHIVE_FATAL;
	}
	*block = u->block;
	return n;
}

/* --- opening ---------------------------------------------------------------------------------- */

static int (*const supported[])(struct archive *) = {
	archive_read_support_filter_gzip,
	archive_read_support_filter_bzip2,
	archive_read_support_filter_xz,
	archive_read_support_filter_zstd,
	archive_read_support_filter_rpm,
	archive_read_support_format_zip,
	archive_read_support_format_tar,
	archive_read_support_format_cpio,
	archive_read_support_format_ar,
	archive_read_support_format_raw,
};

/* A warning here means that a program would be started, so it is a failure. */
static bool set_up(struct unpack *u)
{
	const struct strings *passwords = u->in->passwords;

	for (size_t i = 0; i < sizeof(supported) / sizeof(supported[0]); i++)
		if (supported[i](u->archive) != ARCHIVE_OK)
			return false;
	for (size_t i = 0; passwords && i < passwords->count; i++)
		if (*passwords->items[i] &&
			archive_read_add_passphrase(u->archive, passwords->items[i]) != ARCHIVE_OK)
			return false;
	(void)archive_read_set_callback_data(u->archive, u);
	(void)archive_read_set_read_callback(u->archive, u->outer ? read_outer : read_memory);
	if (!u->outer) {
		(void)archive_read_set_skip_callback(u->archive, skip_memory);
		(void)archive_read_set_seek_callback(u->archive, seek_memory);
	}
	return true;
}

static bool open_archive(struct unpack *u)
{
	u->archive = archive_read_new();
	u->block = u->outer ? malloc(BLOCK_BYTES) : NULL;
	if (!u->archive || (u->outer && !u->block)) {
		u->status = ERR_MEMORY;
		return false;
	}
	if (!set_up(u)) {
		problem(u, REASON_UNSUPPORTED,
			"libarchive of this system does not read it by itself");
		return false;
	}
	return true;
}

static void close_archive(struct unpack *u)
{
	if (u->archive)
		(void)archive_read_free(u->archive);
	if (u->block)
		explicit_bzero(u->block, BLOCK_BYTES);
	free(u->block);
	if (u->content)
		explicit_bzero(u->content, u->capacity);
	free(u->content);
}

/* --- a member's bytes ------------------------------------------------------------------------- */

/* Keys may be in it: no copy stays behind in freed memory. */
static bool make_room(struct unpack *u, size_t capacity)
{
	uint8_t *larger;

	if (capacity <= u->capacity)
		return true;
	if (capacity < u->capacity * 2)
		capacity = u->capacity * 2;
	larger = malloc(capacity);
	if (!larger) {
		u->status = ERR_MEMORY;
		return false;
	}
	if (u->content) {
		memcpy(larger, u->content, u->size);
		explicit_bzero(u->content, u->capacity);
	}
	free(u->content);
	u->content = larger;
	u->capacity = capacity;
	return true;
}

enum member_end { MEMBER_MORE, MEMBER_END, MEMBER_FAILED, MEMBER_LEFT };

/* Reads on until there are `want` bytes. */
static enum member_end read_until(struct unpack *u, size_t want)
{
	while (u->size < want) {
		size_t step = want - u->size < BLOCK_BYTES ? want - u->size : BLOCK_BYTES;
		la_ssize_t n;

		if (!make_room(u, u->size + step))
			return MEMBER_LEFT;
		n = archive_read_data(u->archive, u->content + u->size, step);
		if (n < 0)
			return u->budget->is_spent ? MEMBER_LEFT : MEMBER_FAILED;
		if (n == 0)
			return MEMBER_END;
		u->size += (size_t)n;
		if (!charge(u, (size_t)n))
			return MEMBER_LEFT;
	}
	return MEMBER_MORE;
}

/* What a filter has to unpack to get to the next member counts; libarchive would do it in one go. */
static void skip_rest(struct unpack *u)
{
	const void *block;
	size_t size;
	la_int64_t offset;
	bool is_stream = u->outer || archive_filter_count(u->archive) > 1;

	while (is_stream &&
		archive_read_data_block(u->archive, &block, &size, &offset) == ARCHIVE_OK)
		if (!charge(u, size))
			return;
}

/* --- a member --------------------------------------------------------------------------------- */

static void run(struct unpack *u);

/* NOLINTNEXTLINE(misc-no-recursion): as deep as FORMAT_ARCHIVE_DEPTH_CEILING */
static void look_into_archive(struct unpack *u)
{
	struct unpack inner = { .in = u->in,
		.sink = u->sink,
		.budget = u->budget,
		.outer = u,
		.head = slice_of(u->content, u->size),
		.name = "" };
	char message[MESSAGE_BYTES];

	if (!enter(u))
		return;
	if (u->budget->depth >= u->budget->limits->depth) {
		(void)snprintf(message, sizeof(message),
			"it lies in %lld archives and was not opened (limits.archive_depth)",
			(long long)u->budget->depth);
		problem(u, REASON_LIMIT_REACHED, message);
	} else {
		run(&inner);
		u->status = inner.status;
	}
	leave(u);
}

/* JAR File Specification, "Signature Block File": META-INF/x.RSA, .DSA or .EC. */
static bool is_jar_signature(const struct unpack *u, const struct format *format)
{
	static const char folder[] = "META-INF/";
	static const char *const ends[] = { ".RSA", ".DSA", ".EC" };
	const char *end = strrchr(u->name, '.');

	if (!format || strcmp(format->name, "pkcs7") != 0 || !end ||
		strncasecmp(u->name, folder, sizeof(folder) - 1) != 0 ||
		strchr(u->name + sizeof(folder) - 1, '/'))
		return false;
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
		if (strcasecmp(end, ends[i]) == 0)
			return true;
	return false;
}

static void tell_content(struct unpack *u, const struct format *format, bool is_cut)
{
	enum err e = ERR_OK;

	if (!u->is_raw && !enter(u))
		return;
	if (u->sink->format)
		u->sink->format(
			u->sink->arg, is_jar_signature(u, format) ? &format_jar_signature : NULL);
	if (!is_cut || !format)
		e = u->sink->nested(u->sink->arg, NULL, slice_of(u->content, u->size));
	if (e != ERR_OK && e != ERR_NOT_FOUND && u->status == ERR_OK)
		u->status = e;
	if (is_cut)
		problem(u, format ? REASON_TOO_LARGE : REASON_LIMIT_REACHED,
			format ? "larger than a member may be, and it must be read as a whole (limits.member_size)"
			       : "a text longer than the limit: its end was not searched (limits.member_size)");
	if (!u->is_raw)
		leave(u);
}

static size_t content_max(const struct unpack *u, const struct format *format)
{
	uint64_t max = u->budget->limits->member_bytes;

	return (size_t)(format && format->bytes_max > max ? format->bytes_max : max);
}

/* What was read before a member failed is looked at all the same. */
static void member_failed(struct unpack *u, struct archive_entry *entry)
{
	if (archive_entry_is_encrypted(entry))
		count(u, &u->locked, "");
	else
		count(u, &u->failed, error_of(u));
}

/* As in files: in what is no text only the formats are looked for, by the first bytes. */
static enum member_end look_into_content(
	struct unpack *u, const struct format *format, enum member_end end)
{
	size_t max = content_max(u, format);

	if (!u->size || (!format && memchr(u->content, 0, u->size)))
		return end;
	if (end == MEMBER_MORE)
		end = read_until(u, max + 1);
	if (end == MEMBER_MORE)
		u->size = max;
	if (u->status == ERR_OK)
		tell_content(u, format, end == MEMBER_MORE);
	return end;
}

/* NOLINTNEXTLINE(misc-no-recursion): as deep as FORMAT_ARCHIVE_DEPTH_CEILING */
static void look_into_member(struct unpack *u, struct archive_entry *entry)
{
	struct file_size_hint hint = { .size = (uint64_t)archive_entry_size(entry),
		.is_known = archive_entry_size_is_set(entry) };
	const struct format *format;
	enum member_end end;

	u->size = 0;
	end = read_until(u, SNIFF_HEAD_BYTES);
	format = u->size ? formats_sniff(slice_of(u->content, u->size), hint) : NULL;
	if (!format || !format->is_archive)
		end = look_into_content(u, format, end);
	else if (!u->is_raw && (end == MEMBER_MORE || end == MEMBER_END))
		look_into_archive(u);
	if (end == MEMBER_FAILED)
		member_failed(u, entry);
}

/* Without a name that the locale can write (main sets one of UTF-8) a member goes by its number. */
static const char *name_of(struct unpack *u, struct archive_entry *entry)
{
	const char *name = archive_entry_pathname(entry);

	if (!name)
		name = archive_entry_pathname_utf8(entry);
	if (name && *name)
		return name;
	(void)snprintf(u->number, sizeof(u->number), "member-%zu", u->read);
	return u->number;
}

/* NOLINTNEXTLINE(misc-no-recursion): as deep as FORMAT_ARCHIVE_DEPTH_CEILING */
static void take_member(struct unpack *u, struct archive_entry *entry)
{
	u->is_raw = archive_format(u->archive) == ARCHIVE_FORMAT_RAW;
	u->name = u->is_raw ? "" : name_of(u, entry);
	if (archive_entry_filetype(entry) != AE_IFREG || archive_entry_hardlink(entry))
		return;
	if (archive_entry_is_encrypted(entry) && !(u->in->passwords && u->in->passwords->count))
		count(u, &u->locked, "");
	else
		look_into_member(u, entry);
	u->read++;
	if (u->size)
		explicit_bzero(u->content, u->size);
	u->size = 0;
	u->name = "";
	/* Nothing comes behind what is merely compressed. */
	if (!u->is_raw && !u->budget->is_spent && u->status == ERR_OK)
		skip_rest(u);
}

/* --- an archive ------------------------------------------------------------------------------- */

static void tell_tallies(struct unpack *u)
{
	bool has_candidates = u->in->passwords && u->in->passwords->count;
	char message[MESSAGE_BYTES];

	if (u->locked.count) {
		(void)snprintf(message, sizeof(message),
			"%zu of its members %s encrypted%s, the first is %s", u->locked.count,
			u->locked.count == 1 ? "is" : "are",
			has_candidates ? " and no password given opens them" : "", u->locked.first);
		problem(u, has_candidates ? REASON_WRONG_PASSWORD : REASON_NEEDS_PASSWORD, message);
	}
	if (u->failed.count) {
		if (u->failed.first[0])
			(void)snprintf(message, sizeof(message),
				"%zu of its members cannot be read, the first is %s: %s",
				u->failed.count, u->failed.first, u->failed.message);
		else
			(void)snprintf(message, sizeof(message), "what is compressed in it: %s",
				u->failed.message);
		problem(u, REASON_MALFORMED, message);
	}
}

static void tell_broken(struct unpack *u)
{
	char message[MESSAGE_BYTES];

	/* A ceiling that was told ended the reading; and a member that failed has said what is wrong. */
	if (u->budget->is_spent || u->status != ERR_OK || u->failed.count)
		return;
	(void)snprintf(message, sizeof(message), "after %zu members: %s", u->read, error_of(u));
	problem(u, REASON_MALFORMED, message);
}

/* NOLINTNEXTLINE(misc-no-recursion): as deep as FORMAT_ARCHIVE_DEPTH_CEILING */
static void take_members(struct unpack *u)
{
	struct archive_entry *entry;
	int r = archive_read_open1(u->archive);

	while (r >= ARCHIVE_WARN) {
		r = archive_read_next_header(u->archive, &entry);
		if (r == ARCHIVE_EOF || r < ARCHIVE_WARN)
			break;
		u->budget->members++;
		if (!may_go_on(u))
			return;
		take_member(u, entry);
		if (u->budget->is_spent || u->status != ERR_OK || u->is_raw)
			return;
	}
	if (r != ARCHIVE_EOF)
		tell_broken(u);
}

/* NOLINTNEXTLINE(misc-no-recursion): as deep as FORMAT_ARCHIVE_DEPTH_CEILING */
static void run(struct unpack *u)
{
	u->budget->depth++;
	if (open_archive(u))
		take_members(u);
	if (u->status == ERR_OK)
		tell_tallies(u);
	close_archive(u);
	u->budget->depth--;
}

enum format_answer unpack(const struct format_input *in, const struct format_sink *sink)
{
	struct unpack u = { .in = in, .sink = sink, .budget = in->budget, .name = "" };

	if (in->budget->depth < in->budget->limits->depth)
		run(&u);
	else
		problem(&u, REASON_LIMIT_REACHED,
			"it lies in too many archives and was not opened (limits.archive_depth)");
	return u.status == ERR_OK ? FORMAT_MINE : FORMAT_BROKEN;
}
