/* Archives that follow one another in one content: cpio, or compressed cpio, as the initrd images of Linux are made of
 * (Documentation/driver-api/early-userspace/buffer-format.rst). Between them stand zeros. */
#include "scanners/formats/unpack_internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* More than libarchive looks ahead: a name is at most 1 MiB. */
#define AHEAD_BYTES_MAX (4 * 1024 * 1024)

void unpack_keep_ahead(struct unpack *u, const uint8_t *bytes, size_t size)
{
	uint64_t unused = u->taken - (uint64_t)archive_filter_bytes(u->archive, -1);

	if (u->keeps_ahead) {
		if (!u->ahead.ceiling)
			buffer_init(&u->ahead, AHEAD_BYTES_MAX);
		if (unused < u->ahead.size)
			buffer_consume(&u->ahead, u->ahead.size - (size_t)unused);
		buffer_append(&u->ahead, bytes, size);
		if (buffer_status(&u->ahead) == ERR_MEMORY)
			u->status = ERR_MEMORY;
	}
	u->taken += size;
}

void unpack_note_end(struct unpack *to, struct unpack *from)
{
	uint64_t used = (uint64_t)archive_filter_bytes(from->archive, -1);

	if (!to->keeps_ahead || (from->outer && buffer_status(&from->ahead) != ERR_OK))
		return;
	to->is_over = true;
	to->behind_at = from->start + used;
	if (from->outer && from->taken - used < from->ahead.size)
		buffer_consume(&from->ahead, from->ahead.size - (size_t)(from->taken - used));
	if (to == from)
		return;
	buffer_wipe(&to->ahead);
	to->ahead = from->ahead;
	from->ahead = (struct buffer){ 0 };
}

/* As read(2), from behind what libarchive was given. */
static la_ssize_t read_behind(struct unpack *u, uint8_t *to)
{
	uint64_t size = u->in->file ? u->in->file->size : u->in->bytes.size;
	uint64_t left = size > u->behind_at ? size - u->behind_at : 0;
	size_t want = left < UNPACK_BLOCK_BYTES ? (size_t)left : UNPACK_BLOCK_BYTES;
	la_ssize_t n = (la_ssize_t)want;

	if (u->outer) {
		n = unpack_read(u->outer, to, UNPACK_BLOCK_BYTES);
		return n > 0 && !unpack_charge(u->outer, (size_t)n) ? -1 : n;
	}
	while (u->in->file && (n = pread(u->in->file->fd, to, want, (off_t)u->behind_at)) < 0 &&
		errno == EINTR)
		;
	if (!u->in->file && want)
		memcpy(to, u->in->bytes.data + u->behind_at, want);
	u->behind_at += n > 0 ? (uint64_t)n : 0;
	return n;
}

static void drop_zeros(struct buffer *b)
{
	size_t zeros = 0;

	while (zeros < b->size && !b->data[zeros])
		zeros++;
	buffer_consume(b, zeros);
}

static bool cannot_read_behind(struct unpack *u)
{
	char message[UNPACK_MESSAGE_BYTES];

	if (u->budget->is_spent || u->status != ERR_OK)
		return false;
	(void)snprintf(message, sizeof(message), "what follows its last cpio archive: %s",
		u->outer ? unpack_error(u->outer) : "it cannot be read");
	unpack_problem(u, REASON_MALFORMED, message);
	return false;
}

static bool find_behind(struct unpack *u)
{
	if (!u->ahead.ceiling)
		buffer_init(&u->ahead, AHEAD_BYTES_MAX);
	for (;;) {
		uint8_t *room;
		la_ssize_t n;

		drop_zeros(&u->ahead);
		if (u->ahead.size >= SNIFF_HEAD_BYTES)
			return true;
		if (!unpack_may_go_on(u))
			return false;
		room = buffer_reserve(&u->ahead, UNPACK_BLOCK_BYTES);
		if (!room) {
			u->status = ERR_MEMORY;
			return false;
		}
		n = read_behind(u, room);
		if (n < 0)
			return cannot_read_behind(u);
		if (n == 0)
			return u->ahead.size > 0;
		u->ahead.size += (size_t)n;
	}
}

/* A text, as boot configurations behind an initrd are, is no archive that would be missed. */
static bool is_archive_behind(struct unpack *u, struct slice head)
{
	if (unpack_is_cpio(head) || unpack_is_compressed(head))
		return true;
	if (memchr(head.data, 0, head.size))
		unpack_problem(u, REASON_UNSUPPORTED,
			"what follows its last cpio archive is neither one nor compressed in a way that is read");
	return false;
}

/* And the archives that follow it in the same content, as initrd images have them: at the same place and depth. */
/* NOLINTNEXTLINE(misc-no-recursion): as deep as FORMAT_ARCHIVE_DEPTH_CEILING */
void unpack_in_row(struct unpack *u)
{
	struct unpack last;
	struct slice first = u->outer ? u->head : u->in->bytes;

	u->keeps_ahead = unpack_is_cpio(first) || unpack_is_compressed(first);
	unpack_run(u);
	last = *u;
	while (last.is_over && last.status == ERR_OK && find_behind(&last) &&
		is_archive_behind(&last, buffer_bytes(&last.ahead))) {
		struct unpack next = { .in = u->in,
			.sink = u->sink,
			.budget = u->budget,
			.outer = u->outer,
			.at = u->outer ? 0 : last.behind_at - last.ahead.size,
			.head = buffer_bytes(&last.ahead),
			.is_behind = true,
			.keeps_ahead = true,
			.name = "" };

		next.start = next.at;
		u->budget->members++;
		unpack_run(&next);
		buffer_wipe(&last.ahead);
		last = next;
	}
	buffer_wipe(&last.ahead);
	u->status = last.status;
	u->ahead = (struct buffer){ 0 };
}
