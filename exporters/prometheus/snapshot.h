/* What the HTTP server serves until the next update: made whole by main, then never changed, shared by
 * the server's threads, freed by whoever lets go last. */
#ifndef LEAFWATCH_EXPORTERS_PROMETHEUS_SNAPSHOT_H
#define LEAFWATCH_EXPORTERS_PROMETHEUS_SNAPSHOT_H

#include "exporters/exporter.h"
#include "exporters/prometheus/metrics.h"

#include <pthread.h>
#include <stdatomic.h>

/* The constant part of a compressed scrape: a gzip stream that is not yet ended. */
struct compressed {
	struct buffer bytes;
	uint32_t crc;
	size_t plain_bytes;
	bool is_made;
};

struct snapshot {
	atomic_uint references;
	struct metrics metrics;
	struct buffer headers[2]; /* of all families, by format: text, OpenMetrics */
	size_t header_ends[2][METRICS_FAMILIES];
	struct buffer page;
	bool is_ready;
	pthread_mutex_t lock; /* of: */
	struct compressed compressed[2];
};

/* `view` NULL: a snapshot of an agent that has seen nothing yet. */
enum err snapshot_new(const struct view *view, uint64_t max_series, const char *metrics_path,
	struct snapshot **out) MUST_CHECK;
struct snapshot *snapshot_hold(struct snapshot *s);
void snapshot_release(struct snapshot *s);
/* The header text of one family in a format. */
struct slice snapshot_header(const struct snapshot *s, unsigned family, bool is_openmetrics);
/* The compressed part, made at the first call for a format; NULL when memory is out. Any thread. */
const struct compressed *snapshot_compressed(struct snapshot *s, bool is_openmetrics);
/* Ends a compressed scrape with `tail`: its bytes, checksum and length of the whole (RFC 1952). */
enum err snapshot_compress_tail(
	const struct compressed *c, struct slice tail, struct buffer *out) MUST_CHECK;

#endif
