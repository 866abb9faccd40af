/* May this file hold certificates? */
#include "scanners/files/sniff.h"

#include "scanners/formats/formats_markers.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* A file with fewer blocks than bytes has holes; asking where pays from here on. */
#define HOLES_BYTES_MIN (1024 * 1024)
#define BLOCK_BYTES 512

static bool is_large(const struct sniffer *s, const struct sniff *f)
{
	return (uint64_t)f->st->st_size > s->file_bytes_max;
}

/* Is there anything in this part of a text, which begins at `offset`, for which the file is to be sent? A large one is
 * not for a configuration's marker alone, and only one in its start counts. */
static bool has_marker(const struct sniffer *s, struct sniff *f, uint64_t offset, struct slice text)
{
	unsigned which;

	if (!f->may_be_config && (!is_large(s, f) || offset < s->config_bytes_max)) {
		if (markers_find(formats_markers(), text, &which) < 0)
			return false;
		if (!is_large(s, f))
			return true;
		/* Behind any other there may be one of a configuration. */
		f->may_be_config = true;
	}
	return markers_find(formats_text_markers(), text, &which) >= 0;
}

/* Bytes read into the buffer behind `size`; 0 at the end, -1 and errno. */
static ssize_t read_more(struct sniff *f, size_t size, size_t want)
{
	ssize_t n;

	do {
		n = read(f->fd, f->buffer + size, want);
	} while (n < 0 && errno == EINTR);
	atomic_fetch_add_explicit(f->steps, 1, memory_order_relaxed);
	return n;
}

static bool has_holes(const struct stat *st)
{
	return st->st_size >= HOLES_BYTES_MIN && st->st_blocks < st->st_size / BLOCK_BYTES;
}

/* Goes to the next data at or behind `offset`. false when there is none. */
static bool skip_hole(const struct sniff *f, uint64_t *offset)
{
	off_t data;

	if (!has_holes(f->st))
		return true;
	data = lseek(f->fd, (off_t)*offset, SEEK_DATA);
	if (data < 0)
		return errno != ENXIO && lseek(f->fd, (off_t)*offset, SEEK_SET) >= 0;
	*offset = (uint64_t)data;
	return true;
}

static enum sniff_answer found(const struct sniffer *s, const struct sniff *f)
{
	return is_large(s, f) ? SNIFF_SPANS : SNIFF_WHOLE;
}

/* Searches what is behind the head, a buffer at a time; markers may lie across two of them. */
static enum sniff_answer search(const struct sniffer *s, struct sniff *f)
{
	size_t keep = formats_markers()->longest - 1;
	size_t size = f->size;     /* bytes in the buffer */
	uint64_t offset = f->size; /* of what is read next */

	for (;;) {
		uint64_t was = offset;
		ssize_t n;

		if (offset >= s->text_bytes_max)
			return SNIFF_LIMIT;
		if (!skip_hole(f, &offset))
			return SNIFF_NOTHING;
		if (offset != was || size == SNIFF_BUFFER_BYTES) {
			size_t kept = offset != was ? 0 : keep;

			memmove(f->buffer, f->buffer + size - kept, kept);
			size = kept;
			f->size = 0;
		}
		n = read_more(f, size, SNIFF_BUFFER_BYTES - size);
		if (n < 0)
			return SNIFF_FAILED;
		if (n == 0)
			break;
		size_t from = size > keep ? size - keep : 0;

		size += (size_t)n;
		if (f->size)
			f->size = size;
		was = offset;
		offset += (uint64_t)n;
		if (has_marker(s, f, was, slice_of(f->buffer + from, size - from)))
			return found(s, f);
		/* What grows while it is read will be seen as changed: no need to read until nothing comes. */
		if (offset == (uint64_t)f->st->st_size)
			break;
	}
	f->is_whole = f->size != 0;
	return SNIFF_NOTHING;
}

/* What formats are told by, however much more has been read. */
static struct slice head_of(const struct sniff *f)
{
	return slice_of(f->buffer, f->size < SNIFF_HEAD_BYTES ? f->size : SNIFF_HEAD_BYTES);
}

static bool is_text(const struct sniff *f)
{
	struct slice head = head_of(f);

	return !memchr(head.data, 0, head.size);
}

/* Up to which size a file of this format is sent as a whole. */
static uint64_t whole_max(const struct sniffer *s, const struct format *format)
{
	if (format->is_archive)
		return s->archive_bytes_max;
	return format->bytes_max > s->file_bytes_max ? format->bytes_max : s->file_bytes_max;
}

/* Does only a part of the file matter, and does it fit? A part that does not lie in it is none. */
static bool find_region(const struct sniffer *s, const struct format *format, struct sniff *f)
{
	uint64_t size = (uint64_t)f->st->st_size;
	uint64_t at = 0;
	uint64_t length = 0;

	if (!format->region || !format->region(head_of(f), &at, &length) || at >= size ||
		length > size - at || length > s->file_bytes_max)
		return false;
	f->region_at = at;
	f->region_end = at + length;
	return true;
}

static const struct format *sniff_head(
	const struct sniffer *s, const struct sniff *f, struct file_size_hint hint)
{
	struct slice head = head_of(f);

	for (size_t i = 0; i < formats_count; i++)
		if (formats[i]->sniff && (s->archive_bytes_max || !formats[i]->is_archive) &&
			formats[i]->sniff(head, hint))
			return formats[i];
	return NULL;
}

/* Of a script: what follows it. The offset stays. */
static const struct format *sniff_end(const struct sniffer *s, const struct sniff *f, uint64_t size)
{
	uint8_t bytes[SNIFF_END_BYTES];
	struct slice end = slice_of(f->buffer, f->size);
	const struct format *format;

	if (!formats_is_script(end) || size < sizeof(bytes))
		return NULL;
	if (size > f->size) {
		ssize_t n = pread(f->fd, bytes, sizeof(bytes), (off_t)(size - sizeof(bytes)));

		atomic_fetch_add_explicit(f->steps, 1, memory_order_relaxed);
		if (n != (ssize_t)sizeof(bytes))
			return NULL;
		end = slice_of(bytes, sizeof(bytes));
	}
	format = formats_sniff_end(end);
	return format && format->is_archive && !s->archive_bytes_max ? NULL : format;
}

/* Of a file whose size nobody asked: false where there may be more than the buffer holds. */
static bool read_rest(struct sniff *f)
{
	ssize_t n;

	if (f->size < SNIFF_HEAD_BYTES)
		return true;
	n = read_more(f, f->size, SNIFF_BUFFER_BYTES - f->size);
	if (n < 0)
		return false;
	f->size += (size_t)n;
	return f->size < SNIFF_BUFFER_BYTES;
}

bool sniff_glance(const struct sniffer *s, struct sniff *f, bool is_plain)
{
	ssize_t n = read_more(f, 0, SNIFF_HEAD_BYTES);
	unsigned which;

	/* An error is told by the next read, once it is known that this is a file at all. */
	if (n <= 0)
		return n == 0;
	f->size = (size_t)n;
	if (sniff_head(s, f, (struct file_size_hint){ 0 }))
		return false;
	if (sniff_end(s, f, f->size) ||
		(formats_is_script(head_of(f)) && f->size == SNIFF_HEAD_BYTES && !is_text(f)))
		return false;
	if (!s->deep && !is_text(f))
		return true;
	return is_plain && read_rest(f) && !sniff_end(s, f, f->size) &&
	       markers_find(formats_markers(), slice_of(f->buffer, f->size), &which) < 0;
}

/* Which limit it is depends on what it is. */
static enum sniff_answer too_large(struct sniff *f, const struct format *format)
{
	if (!format)
		return SNIFF_NOTHING;
	f->is_archive = format->is_archive;
	return SNIFF_TOO_LARGE;
}

enum sniff_answer sniff_file(const struct sniffer *s, struct sniff *f)
{
	uint64_t size = (uint64_t)f->st->st_size;
	struct file_size_hint hint = { .size = size, .is_known = size > 0 };
	const struct format *format;
	enum sniff_answer answer;

	if (f->size == 0) {
		ssize_t n = read_more(f, 0, SNIFF_HEAD_BYTES);

		if (n <= 0)
			return n < 0 ? SNIFF_FAILED : SNIFF_NOTHING;
		f->size = (size_t)n;
	}
	/* A made-up file (proc) says that it has no bytes: there only reading on tells. */
	f->is_whole = size > 0 && f->size >= size;
	format = sniff_head(s, f, hint);
	if (!format && size)
		format = sniff_end(s, f, size);
	if (format && find_region(s, format, f))
		return SNIFF_WHOLE;
	if (format && size <= whole_max(s, format)) {
		f->whole_max = whole_max(s, format);
		f->is_archive = format->is_archive;
		return SNIFF_WHOLE;
	}
	if (!is_text(f) && !s->deep)
		return too_large(f, format);
	if (has_marker(s, f, 0, slice_of(f->buffer, f->size)))
		return found(s, f);
	if (f->is_whole)
		return SNIFF_NOTHING;
	answer = search(s, f);
	if (format && (answer == SNIFF_NOTHING || answer == SNIFF_LIMIT))
		return too_large(f, format);
	return answer == SNIFF_NOTHING && f->may_be_config ? SNIFF_SPANS : answer;
}

/* --- spans ----------------------------------------------------------------------------------- */

#define LINE_BYTES_MAX 256 /* of a marker's line before the marker that are sent */
#define TAIL_BYTES_MAX 128 /* of a line behind END that are sent */
#define WITNESS_BYTES 4096 /* without anything but base64: no prose */

static const char pem_begin[] = "-----BEGIN";
static const char pem_end[] = "-----END";

void spans_init(struct spans *s, const struct sniffer *sniffer, struct sniff *file)
{
	*s = (struct spans){ .sniffer = sniffer, .file = file, .is_head = file->may_be_config };
	if (s->is_head)
		s->span_left = sniffer->config_bytes_max + 1;
	file->size = 0;
	file->is_whole = false;
}

/* Makes room by moving what is not yet used to the buffer's start, and fills it up. ERR_END when
 * there is nothing more to read. */
static enum err refill(struct spans *s)
{
	struct sniff *f = s->file;
	uint64_t next;
	uint64_t was;
	ssize_t n;

	memmove(f->buffer, f->buffer + s->at, f->size - s->at);
	s->offset += s->at;
	f->size -= s->at;
	s->at = 0;
	if (f->size == SNIFF_BUFFER_BYTES)
		return ERR_END;
	was = next = s->offset + f->size;
	if (next >= s->sniffer->text_bytes_max) {
		s->is_limited = next < (uint64_t)f->st->st_size;
		return ERR_END;
	}
	if (!skip_hole(f, &next))
		return ERR_END;
	if (next != was) {
		/* What is left before the hole goes out first. */
		if (s->span_left && f->size)
			return ERR_END;
		s->offset = next;
		f->size = 0;
		s->span_left = 0;
	}
	do {
		n = pread(f->fd, f->buffer + f->size, SNIFF_BUFFER_BYTES - f->size, (off_t)next);
	} while (n < 0 && errno == EINTR);
	atomic_fetch_add_explicit(f->steps, 1, memory_order_relaxed);
	if (n < 0)
		return ERR_IO;
	f->size += (size_t)n;
	return n ? ERR_OK : ERR_END;
}

static size_t line_start(const struct spans *s, size_t marker)
{
	size_t least = marker > LINE_BYTES_MAX ? marker - LINE_BYTES_MAX : 0;
	size_t at = marker;

	if (least < s->at)
		least = s->at;
	while (at > least && s->file->buffer[at - 1] != '\n')
		at--;
	return at;
}

/* Moves to the next span's start. ERR_END when there is none. */
static enum err find_span(struct spans *s)
{
	const struct markers *m = formats_text_markers();
	/* A marker cut in two and its line's start stay for the next round. */
	size_t keep = m->longest - 1 + LINE_BYTES_MAX;

	for (;;) {
		struct slice text = slice_of(s->file->buffer + s->at, s->file->size - s->at);
		unsigned which = 0;
		int64_t place = text.size ? markers_find(m, text, &which) : -1;
		enum err e;

		if (place >= 0) {
			s->at = line_start(s, s->at + (size_t)place);
			s->span_left = SPAN_BYTES_MAX;
			s->is_pem = slice_starts(m->items[which].bytes, pem_begin,
				m->items[which].bytes.size < sizeof(pem_begin) - 1
					? m->items[which].bytes.size
					: sizeof(pem_begin) - 1);
			return ERR_OK;
		}
		if (text.size > keep)
			s->at += text.size - keep;
		e = refill(s);
		if (e != ERR_OK)
			return e;
	}
}

static bool is_base64(uint8_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c != 0 && strchr("+/=-_ \t\r\n\\\"'", c));
}

/* A BEGIN that was only mentioned ends where a span has its most; a long list or keystore does not, and is sent up to
 * the limit for files. */
static bool goes_on(struct slice text)
{
	size_t size = text.size < WITNESS_BYTES ? text.size : WITNESS_BYTES;

	for (size_t i = text.size - size; i < text.size; i++)
		if (!is_base64(text.data[i]))
			return false;
	return size > 0;
}

/* The end of a PEM block in `text`: behind its END line. 0 = not in here. */
static size_t pem_span_end(struct slice text, bool is_last)
{
	const uint8_t *end = memmem(text.data, text.size, pem_end, sizeof(pem_end) - 1);
	size_t at;

	if (!end)
		return 0;
	at = (size_t)(end - text.data) + sizeof(pem_end) - 1;
	for (size_t i = at; i < text.size; i++)
		if (text.data[i] == '\n' || i - at == TAIL_BYTES_MAX)
			return i + 1;
	return is_last ? text.size : 0;
}

/* The end of other text: the first line that has anything but base64 in it, the marker's own apart. */
static size_t text_span_end(const struct spans *s, struct slice text)
{
	size_t i = 0;

	if (s->span_left == SPAN_BYTES_MAX) {
		const uint8_t *newline = memchr(text.data, '\n', text.size);

		if (!newline)
			return 0;
		i = (size_t)(newline - text.data) + 1;
	}
	for (; i < text.size; i++)
		if (!is_base64(text.data[i]))
			return i ? i : 1;
	return 0;
}

static size_t span_end(const struct spans *s, struct slice text, bool is_last)
{
	return s->is_pem ? pem_span_end(text, is_last) : text_span_end(s, text);
}

/* What the buffer holds from here on. */
static struct slice unused(const struct spans *s)
{
	return slice_of(s->file->buffer + s->at, s->file->size - s->at);
}

/* Finds a span if none is under way. Where the buffer does not hold its end, moves it to the buffer's start
 * and reads on, so that an END is not cut in two: doing so for each of many small spans would move the
 * buffer's bytes again and again. `end` is as of span_end; `is_end`: nothing follows what the buffer holds. */
static enum err prepare(struct spans *s, size_t *end, bool *is_end)
{
	enum err e;

	*is_end = false;
	do {
		if (s->span_left == 0) {
			s->is_start = true;
			e = find_span(s);
			if (e != ERR_OK)
				return e;
		}
		*end = span_end(s, unused(s), false);
		if (*end)
			return ERR_OK;
		e = refill(s);
		if (e != ERR_OK && e != ERR_END)
			return e;
	} while (s->span_left == 0);
	*is_end = e == ERR_END && s->file->size < SNIFF_BUFFER_BYTES;
	*end = span_end(s, unused(s), *is_end);
	return ERR_OK;
}

/* Does a PEM block begin in this part of the text's start that goes on behind it? */
static void note_pem(struct spans *s, struct slice text)
{
	const uint8_t *at = memmem(text.data, text.size, pem_begin, sizeof(pem_begin) - 1);

	s->is_pem = s->is_pem || at;
	while (at) {
		text = slice_after(text, (size_t)(at - text.data) + 1);
		at = text.size ? memmem(text.data, text.size, pem_begin, sizeof(pem_begin) - 1)
			       : NULL;
	}
	if (text.size && memmem(text.data, text.size, pem_end, sizeof(pem_end) - 1))
		s->is_pem = false;
}

/* The same for the text's start, which is a span without a marker. */
static enum err prepare_head(struct spans *s, size_t *end, bool *is_end)
{
	enum err e = refill(s);
	struct slice text = unused(s);

	if (e != ERR_OK && e != ERR_END)
		return e;
	/* A hole is no text: the start ends there. */
	if (s->span_left == 0) {
		s->is_head = false;
		return prepare(s, end, is_end);
	}
	*is_end = e == ERR_END && s->file->size < SNIFF_BUFFER_BYTES;
	*end = text.size >= s->span_left ? (size_t)s->span_left : 0;
	if (*end)
		text.size = *end;
	s->is_start = s->offset + s->at == 0;
	if (text.size)
		note_pem(s, text);
	return ERR_OK;
}

enum err spans_next(struct spans *s, struct slice *out)
{
	size_t keep = sizeof(pem_end) + TAIL_BYTES_MAX;
	struct slice text;
	bool is_end;
	size_t end;
	enum err e;

	*out = slice_of(NULL, 0);
	s->is_start = false;
	e = s->is_head ? prepare_head(s, &end, &is_end) : prepare(s, &end, &is_end);
	if (e != ERR_OK)
		return e == ERR_END ? ERR_OK : e;
	text = unused(s);
	if (end) {
		/* What the end of the text's start cuts in two is a span up to its own end. */
		s->span_left = s->is_head ? SPAN_BYTES_MAX - 1 : 0;
		s->is_head = false;
	} else {
		end = is_end || text.size <= keep ? text.size : text.size - keep;
		s->span_left -= end < s->span_left ? end : s->span_left;
		if (!s->span_left && goes_on(slice_of(text.data, end)))
			s->span_left = SPAN_BYTES_MAX;
	}
	*out = slice_of(text.data, end);
	s->at += end;
	return ERR_OK;
}
