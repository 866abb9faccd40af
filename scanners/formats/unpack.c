/* Archives by libarchive, member after member. Only what libarchive reads by itself is switched on, never
 * its "all": some of its filters start programs. An archive in an archive is read as it comes out of the
 * outer one, so memory holds a block for each level, and of each level's member at most what is looked at at once. */
#include "scanners/formats/unpack.h"

#include "scanners/formats/unpack_internal.h"

#include <archive_entry.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* --- telling ---------------------------------------------------------------------------------- */

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
		size_t step =
			want - u->size < UNPACK_BLOCK_BYTES ? want - u->size : UNPACK_BLOCK_BYTES;
		la_ssize_t n;

		if (!make_room(u, u->size + step))
			return MEMBER_LEFT;
		n = unpack_read(u, u->content + u->size, step);
		if (n < 0)
			return u->budget->is_spent ? MEMBER_LEFT : MEMBER_FAILED;
		if (n == 0)
			return MEMBER_END;
		u->size += (size_t)n;
		if (!unpack_charge(u, (size_t)n))
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
		if (!unpack_charge(u, size))
			return;
}

/* --- a member --------------------------------------------------------------------------------- */

/* NOLINTNEXTLINE(misc-no-recursion): as deep as FORMAT_ARCHIVE_DEPTH_CEILING */
static void look_into_archive(struct unpack *u)
{
	struct unpack inner = { .in = u->in,
		.sink = u->sink,
		.budget = u->budget,
		.outer = u,
		.head = slice_of(u->content, u->size),
		.is_zip = slice_starts(slice_of(u->content, u->size), "PK", 2),
		.name = "" };
	char message[UNPACK_MESSAGE_BYTES];

	if (!u->is_raw && !enter(u))
		return;
	if (u->budget->depth >= u->budget->limits->depth) {
		(void)snprintf(message, sizeof(message),
			"it lies in %lld archives and was not opened (limits.archive_depth)",
			(long long)u->budget->depth);
		unpack_problem(u, REASON_LIMIT_REACHED, message);
	} else {
		unpack_in_row(&inner);
		u->status = inner.status;
	}
	if (!u->is_raw)
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

static size_t content_max(const struct unpack *u, const struct format *format)
{
	uint64_t max = u->budget->limits->member_bytes;

	return (size_t)(format && format->bytes_max > max ? format->bytes_max : max);
}

static void tell_piece(struct unpack *u, size_t size)
{
	enum err e = u->sink->nested(u->sink->arg, NULL, slice_of(u->content, size));

	if (e != ERR_OK && e != ERR_NOT_FOUND && u->status == ERR_OK)
		u->status = e;
}

/* A text that goes on is looked at in pieces, each cut where no certificate stands. */
static enum member_end tell_text(struct unpack *u, enum member_end end)
{
	while (end == MEMBER_MORE && u->status == ERR_OK) {
		size_t cut = unpack_text_cut(slice_of(u->content, u->size));

		if (formats_has_marker(slice_of(u->content, cut)))
			tell_piece(u, cut);
		memmove(u->content, u->content + cut, u->size - cut);
		u->size -= cut;
		end = read_until(u, content_max(u, NULL) + 1);
	}
	if (u->size && u->status == ERR_OK)
		tell_piece(u, u->size);
	return end;
}

/* NULL: a text. */
static enum member_end tell_content(
	struct unpack *u, const struct format *format, enum member_end end)
{
	if (!u->is_raw && !enter(u))
		return end;
	if (u->sink->format)
		u->sink->format(
			u->sink->arg, is_jar_signature(u, format) ? &format_jar_signature : NULL);
	if (!format)
		end = tell_text(u, end);
	else if (end == MEMBER_MORE)
		unpack_problem(u, REASON_TOO_LARGE,
			"larger than a member may be, and it must be read as a whole (limits.member_size)");
	else
		tell_piece(u, u->size);
	if (!u->is_raw)
		leave(u);
	return end;
}

/* What was read before a member failed is looked at all the same. */
static void member_failed(struct unpack *u, struct archive_entry *entry)
{
	if (archive_entry_is_encrypted(entry))
		count(u, &u->locked, "");
	else
		count(u, &u->failed, unpack_error(u));
}

/* As in files: in what is no text only the formats are looked for, by the first bytes. */
static enum member_end look_into_content(
	struct unpack *u, const struct format *format, enum member_end end)
{
	if (!u->size || (!format && memchr(u->content, 0, u->size)))
		return end;
	if (end == MEMBER_MORE)
		end = read_until(u, content_max(u, format) + 1);
	return u->status == ERR_OK ? tell_content(u, format, end) : end;
}

/* What came out of something compressed has been unpacked by libarchive, but lzma and what is in it. */
static bool is_to_be_opened(const struct unpack *u)
{
	struct slice head = slice_of(u->content, u->size);

	return !u->is_raw || u->is_packed || unpack_lzma_dictionary(head) ||
	       (u->is_lzma && unpack_is_compressed(head));
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
	else if (is_to_be_opened(u) && (end == MEMBER_MORE || end == MEMBER_END))
		look_into_archive(u);
	if (end == MEMBER_FAILED)
		member_failed(u, entry);
}

/* NOLINTNEXTLINE(misc-no-recursion): as deep as FORMAT_ARCHIVE_DEPTH_CEILING */
static void look_into_layer(struct unpack *u, struct archive_entry *entry)
{
	const char *label = u->layers ? unpack_image_label(u->layers, u->name) : NULL;

	if (label && u->sink->layer)
		u->sink->layer(u->sink->arg, label);
	look_into_member(u, entry);
	if (label && u->sink->layer)
		u->sink->layer(u->sink->arg, NULL);
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

/* A package whose payload comes out as it is: what it is compressed with is not switched on. */
static bool is_odd_package(struct unpack *u)
{
	for (int i = 0; u->is_raw && i < archive_filter_count(u->archive); i++)
		if (archive_filter_code(u->archive, i) == ARCHIVE_FILTER_RPM)
			return true;
	return false;
}

/* NOLINTNEXTLINE(misc-no-recursion): as deep as FORMAT_ARCHIVE_DEPTH_CEILING */
static void take_member(struct unpack *u, struct archive_entry *entry)
{
	u->piece = slice_of(NULL, 0);
	u->given = 0;
	u->is_raw = archive_format(u->archive) == ARCHIVE_FORMAT_RAW;
	u->name = u->is_raw ? "" : name_of(u, entry);
	if (archive_entry_filetype(entry) != AE_IFREG || archive_entry_hardlink(entry))
		return;
	if (is_odd_package(u)) {
		unpack_problem(u, REASON_UNSUPPORTED,
			"the payload of this package is compressed in a way that is not read");
		return;
	}
	if (archive_entry_is_encrypted(entry) && !(u->in->passwords && u->in->passwords->count))
		count(u, &u->locked, "");
	else
		look_into_layer(u, entry);
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
	char message[UNPACK_MESSAGE_BYTES];

	if (u->locked.count) {
		(void)snprintf(message, sizeof(message),
			"%zu of its members %s encrypted%s, the first is %s", u->locked.count,
			u->locked.count == 1 ? "is" : "are",
			has_candidates ? " and no password given opens them" : "", u->locked.first);
		unpack_problem(
			u, has_candidates ? REASON_WRONG_PASSWORD : REASON_NEEDS_PASSWORD, message);
	}
	if (u->failed.count) {
		if (u->failed.first[0])
			(void)snprintf(message, sizeof(message),
				"%zu of its members cannot be read, the first is %s: %s",
				u->failed.count, u->failed.first, u->failed.message);
		else
			(void)snprintf(message, sizeof(message), "what is compressed in it: %s",
				u->failed.message);
		unpack_problem(u, REASON_MALFORMED, message);
	}
}

/* Nothing at all was compressed, which libarchive does not take for a content. */
static bool is_nothing(struct unpack *u)
{
	return !u->has_member && !u->is_lzma && archive_filter_count(u->archive) > 1 &&
	       archive_filter_bytes(u->archive, 0) == 0 &&
	       archive_errno(u->archive) == EILSEQ; /* "unrecognized" */
}

static void tell_broken(struct unpack *u)
{
	char message[UNPACK_MESSAGE_BYTES];

	/* A ceiling that was told ended the reading; and a member that failed has said what is wrong. */
	if (u->budget->is_spent || u->status != ERR_OK || u->failed.count || is_nothing(u))
		return;
	/* Where it was told what to unpack, libarchive only says that nothing came of it; .lzma of nothing is not sniffed. */
	if (u->is_lzma && !u->has_member)
		(void)snprintf(message, sizeof(message), "its lzma is damaged or cut off");
	else
		(void)snprintf(message, sizeof(message), "after %zu members: %s", u->read,
			unpack_error(u));
	unpack_problem(u, REASON_MALFORMED, message);
}

static bool is_image(const struct unpack *u, struct archive_entry *first)
{
	const char *name = archive_entry_pathname(first);

	for (const struct unpack *o = u; o; o = o->outer)
		/* It would have to be found once more. */
		if (o->is_behind)
			return false;
	return name && unpack_kind(u) == ARCHIVE_FORMAT_TAR && unpack_may_hold_images(name);
}

/* A zip that was compressed as a whole (x.apk.gz), of which libarchive does not show what stands behind its members. */
static bool is_packed_zip(const struct unpack *u)
{
	return archive_filter_count(u->archive) > 1 && unpack_kind(u) == ARCHIVE_FORMAT_ZIP &&
	       buffer_status(&u->begin) == ERR_OK;
}

/* A cpio archive that was compressed as a whole: libarchive does not show what follows it. A package holds one. */
static bool is_packed_cpio(const struct unpack *u)
{
	int filters = archive_filter_count(u->archive);

	for (int i = 0; i < filters; i++)
		if (archive_filter_code(u->archive, i) == ARCHIVE_FILTER_RPM)
			return false;
	return filters > 1 && unpack_kind(u) == ARCHIVE_FORMAT_CPIO &&
	       buffer_status(&u->begin) == ERR_OK;
}

/* What the first member says. False: it is left here, to be read in another way. */
static bool take_first(struct unpack *u, struct archive_entry *entry, struct layers *layers)
{
	u->holds_zip = is_packed_zip(u);
	u->holds_images = !u->layers && is_image(u, entry);
	u->holds_cpio = is_packed_cpio(u);
	if (u->holds_zip || u->holds_cpio || (u->holds_images && !u->outer))
		return false;
	if (u->holds_images && u->status == ERR_OK) {
		u->status = unpack_image_layers(u, layers);
		u->layers = layers;
	}
	return true;
}

/* NOLINTNEXTLINE(misc-no-recursion): as deep as FORMAT_ARCHIVE_DEPTH_CEILING */
static void take_members(struct unpack *u)
{
	struct layers layers = { 0 };
	struct archive_entry *entry;
	int r = archive_read_open1(u->archive);

	while (r >= ARCHIVE_WARN) {
		unpack_begin_tail(u);
		r = archive_read_next_header(u->archive, &entry);
		u->is_between = false;
		if (r == ARCHIVE_EOF || r < ARCHIVE_WARN)
			break;
		u->headers++;
		if (!u->has_member && !take_first(u, entry, &layers))
			break;
		u->has_member = true;
		u->budget->members += !u->is_packed;
		if (!unpack_may_go_on(u))
			break;
		take_member(u, entry);
		if (u->budget->is_spent || u->status != ERR_OK || u->is_raw)
			break;
	}
	layers_fini(&layers);
	if (r != ARCHIVE_EOF && r < ARCHIVE_WARN)
		tell_broken(u);
	else if (r == ARCHIVE_EOF && unpack_kind(u) == ARCHIVE_FORMAT_CPIO &&
		 archive_filter_count(u->archive) == 1)
		unpack_note_end(u, u);
}

/* Is all that was compressed unpacked, without damage? Only then it is known where it ends. */
static bool is_read_out(struct unpack *u)
{
	const void *block;
	la_int64_t offset;
	size_t size;
	int r;

	do {
		r = archive_read_data_block(u->archive, &block, &size, &offset);
	} while (r == ARCHIVE_OK && unpack_charge(u, size));
	return r == ARCHIVE_EOF && !u->failed.count;
}

/* Once more, in two steps that count as one: what was compressed comes out as a member, which is the zip. */
/* NOLINTNEXTLINE(misc-no-recursion): as deep as FORMAT_ARCHIVE_DEPTH_CEILING */
static void run_packed(struct unpack *u)
{
	struct unpack packed = { .in = u->in,
		.sink = u->sink,
		.budget = u->budget,
		.outer = u->outer,
		.at = u->start,
		.start = u->start,
		.head = u->outer ? buffer_bytes(&u->begin) : u->head,
		.is_behind = u->is_behind,
		.keeps_ahead = u->keeps_ahead && u->holds_cpio,
		.is_packed = true,
		.name = "" };

	u->budget->depth--;
	if (unpack_open(&packed))
		take_members(&packed);
	if (packed.status == ERR_OK)
		tell_tallies(&packed);
	u->status = packed.status;
	if (packed.keeps_ahead && packed.archive && u->status == ERR_OK && is_read_out(&packed))
		unpack_note_end(u, &packed);
	unpack_close(&packed);
	buffer_wipe(&packed.ahead);
	u->budget->depth++;
}

/* NOLINTNEXTLINE(misc-no-recursion): as deep as FORMAT_ARCHIVE_DEPTH_CEILING */
void unpack_run(struct unpack *u)
{
	u->budget->depth++;
	if (unpack_open(u))
		take_members(u);
	if (u->status == ERR_OK && (u->holds_zip || u->holds_cpio))
		run_packed(u);
	if (u->status == ERR_OK)
		tell_tallies(u);
	if (u->status == ERR_OK && u->is_zip)
		u->status = apk_signatures_behind(
			u->in, slice_after(buffer_bytes(&u->tail), u->tail_at), u->is_cut, u->sink);
	unpack_close(u);
	u->budget->depth--;
}

/* From the start, once it is known which layer is whose: that may stand behind them. */
static enum err run_images(const struct format_input *in, const struct format_sink *sink)
{
	struct layers layers = { 0 };
	struct unpack u = { .in = in, .sink = sink, .budget = in->budget, .name = "" };

	u.status = unpack_image_layers(&u, &layers);
	u.layers = &layers;
	if (u.status == ERR_OK)
		unpack_run(&u);
	layers_fini(&layers);
	return u.status;
}

/* Also after ERR_LIMIT, by which the sink says that it takes nothing any more but problems. */
static void tell_left(struct unpack *u)
{
	struct format_budget *b = u->budget;

	if (!b->left[0] || b->depth || (u->status != ERR_OK && u->status != ERR_LIMIT))
		return;
	unpack_problem(u, b->left_reason, b->left);
	b->left[0] = 0;
}

enum format_answer unpack(const struct format_input *in, const struct format_sink *sink)
{
	struct unpack u = { .in = in, .sink = sink, .budget = in->budget, .name = "" };

	if (in->budget->depth < in->budget->limits->depth) {
		unpack_in_row(&u);
		if (u.status == ERR_OK && u.holds_images)
			u.status = run_images(in, sink);
		tell_left(&u);
		if (u.status == ERR_OK)
			u.status = apk_signatures(in, sink);
	} else {
		unpack_problem(&u, REASON_LIMIT_REACHED,
			"it lies in too many archives and was not opened (limits.archive_depth)");
	}
	return u.status == ERR_OK ? FORMAT_MINE : FORMAT_BROKEN;
}
