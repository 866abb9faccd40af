/* What the HTTP server serves until the next update. */
#include "exporters/prometheus/snapshot.h"

#include "exporters/prometheus/landing.h"

#include <stdlib.h>
#include <zlib.h>

#define HEADERS_BYTES_MAX 65536
#define PAGE_BYTES_MAX ((size_t)8 * 1024 * 1024)
#define COMPRESSED_BYTES_MAX ((size_t)1024 * 1024 * 1024)
/* Fast: the lines differ little, and the scrape is waiting. */
#define LEVEL 1
#define RAW_WINDOW_BITS (-15)
#define MEMORY_LEVEL 8
#define STEP_BYTES 65536

/* RFC 1952 2.3: deflate, no name, no time, Unix. */
static const uint8_t gzip_header[] = { 0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3 };

static void make_headers(struct snapshot *s)
{
	for (size_t format = 0; format < 2; format++) {
		buffer_init(&s->headers[format], HEADERS_BYTES_MAX);
		for (size_t i = 0; i < METRICS_FAMILIES; i++) {
			if (s->metrics.samples[i].size)
				exposition_header(
					&s->headers[format], &metrics_families[i], format == 1);
			s->header_ends[format][i] = s->headers[format].size;
		}
		buffer_init(&s->compressed[format].bytes, COMPRESSED_BYTES_MAX);
	}
}

static enum err status_of(const struct snapshot *s)
{
	enum err e = buffer_status(&s->headers[0]);

	if (e == ERR_OK)
		e = buffer_status(&s->headers[1]);
	return e == ERR_OK ? buffer_status(&s->page) : e;
}

enum err snapshot_new(const struct view *view, uint64_t max_series, const char *metrics_path,
	struct snapshot **out)
{
	struct snapshot *s = calloc(1, sizeof(*s));
	enum err e = ERR_OK;

	if (!s)
		return ERR_MEMORY;
	atomic_init(&s->references, 1);
	if (pthread_mutex_init(&s->lock, NULL) != 0) {
		free(s);
		return ERR_MEMORY;
	}
	buffer_init(&s->page, PAGE_BYTES_MAX);
	if (view) {
		s->is_ready = view->is_ready;
		e = metrics_render(view, max_series, &s->metrics);
	}
	make_headers(s);
	if (e == ERR_OK)
		e = landing_render(view, metrics_path, &s->page);
	if (e == ERR_OK)
		e = status_of(s);
	if (e != ERR_OK) {
		snapshot_release(s);
		return e;
	}
	*out = s;
	return ERR_OK;
}

struct snapshot *snapshot_hold(struct snapshot *s)
{
	atomic_fetch_add(&s->references, 1);
	return s;
}

void snapshot_release(struct snapshot *s)
{
	if (!s || atomic_fetch_sub(&s->references, 1) != 1)
		return;
	for (size_t i = 0; i < 2; i++) {
		buffer_fini(&s->headers[i]);
		buffer_fini(&s->compressed[i].bytes);
	}
	metrics_fini(&s->metrics);
	buffer_fini(&s->page);
	(void)pthread_mutex_destroy(&s->lock);
	free(s);
}

struct slice snapshot_header(const struct snapshot *s, unsigned family, bool is_openmetrics)
{
	const size_t *ends = s->header_ends[is_openmetrics];
	size_t start = family ? ends[family - 1] : 0;

	if (start == ends[family])
		return slice_of(NULL, 0);
	return slice_of(s->headers[is_openmetrics].data + start, ends[family] - start);
}

/* Feeds bytes to the stream; with Z_SYNC_FLUSH up to a byte's end, with Z_FINISH to the stream's. */
static enum err squeeze(z_stream *z, struct slice in, int flush, struct buffer *out)
{
	int result;

	/* A family of samples is far under the 4 GiB that zlib counts. */
	z->next_in = (Bytef *)(uintptr_t)in.data;
	z->avail_in = (uInt)in.size;
	do {
		uint8_t *to = buffer_reserve(out, STEP_BYTES);

		if (!to)
			return buffer_status(out);
		z->next_out = to;
		z->avail_out = STEP_BYTES;
		result = deflate(z, flush);
		if (result == Z_STREAM_ERROR)
			return ERR_MEMORY;
		out->size += STEP_BYTES - z->avail_out;
	} while (z->avail_out == 0);
	return ERR_OK;
}

static enum err squeeze_families(struct snapshot *s, bool is_openmetrics, z_stream *z)
{
	struct compressed *c = &s->compressed[is_openmetrics];
	uLong crc = crc32(0, NULL, 0);
	enum err e = ERR_OK;

	for (unsigned i = 0; e == ERR_OK && i < 2 * METRICS_FAMILIES; i++) {
		struct slice part = i % 2 ? buffer_bytes(&s->metrics.samples[i / 2])
					  : snapshot_header(s, i / 2, is_openmetrics);

		if (!part.size)
			continue;
		crc = crc32_z(crc, part.data, part.size);
		c->plain_bytes += part.size;
		e = squeeze(z, part, Z_NO_FLUSH, &c->bytes);
	}
	c->crc = (uint32_t)crc;
	return e == ERR_OK ? squeeze(z, slice_of(NULL, 0), Z_SYNC_FLUSH, &c->bytes) : e;
}

static enum err make_compressed(struct snapshot *s, bool is_openmetrics)
{
	struct compressed *c = &s->compressed[is_openmetrics];
	z_stream z = { 0 };
	enum err e;

	buffer_clear(&c->bytes);
	c->plain_bytes = 0;
	if (deflateInit2(&z, LEVEL, Z_DEFLATED, RAW_WINDOW_BITS, MEMORY_LEVEL,
		    Z_DEFAULT_STRATEGY) != Z_OK)
		return ERR_MEMORY;
	buffer_append(&c->bytes, gzip_header, sizeof(gzip_header));
	e = squeeze_families(s, is_openmetrics, &z);
	(void)deflateEnd(&z);
	c->is_made = e == ERR_OK;
	return e;
}

const struct compressed *snapshot_compressed(struct snapshot *s, bool is_openmetrics)
{
	struct compressed *c = &s->compressed[is_openmetrics];
	enum err e = ERR_OK;

	(void)pthread_mutex_lock(&s->lock);
	if (!c->is_made)
		e = make_compressed(s, is_openmetrics);
	(void)pthread_mutex_unlock(&s->lock);
	return e == ERR_OK ? c : NULL;
}

static void put_le32(struct buffer *out, uint32_t v)
{
	for (unsigned i = 0; i < 4; i++)
		buffer_byte(out, (uint8_t)(v >> (8 * i)));
}

enum err snapshot_compress_tail(const struct compressed *c, struct slice tail, struct buffer *out)
{
	uLong tail_crc = crc32_z(crc32(0, NULL, 0), tail.data, tail.size);
	z_stream z = { 0 };
	enum err e;

	if (deflateInit2(&z, LEVEL, Z_DEFLATED, RAW_WINDOW_BITS, MEMORY_LEVEL,
		    Z_DEFAULT_STRATEGY) != Z_OK)
		return ERR_MEMORY;
	e = squeeze(&z, tail, Z_FINISH, out);
	(void)deflateEnd(&z);
	if (e != ERR_OK)
		return e;
	put_le32(out, (uint32_t)crc32_combine(c->crc, tail_crc, (z_off_t)tail.size));
	put_le32(out, (uint32_t)(c->plain_bytes + tail.size));
	return buffer_status(out);
}
