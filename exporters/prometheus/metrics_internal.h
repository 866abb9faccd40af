/* Between metrics.c, which reads the small tables of a view, and metrics_places.c, which reads its
 * certificates, endpoints and problems. */
#ifndef LEAFWATCH_EXPORTERS_PROMETHEUS_METRICS_INTERNAL_H
#define LEAFWATCH_EXPORTERS_PROMETHEUS_METRICS_INTERNAL_H

#include "exporters/prometheus/metrics.h"
#include "exporters/prometheus/tally.h"

#define SCANNERS_MAX 64

/* What is counted by scanner. */
struct scanner_counts {
	char *name; /* owned */
	uint64_t statuses[STATUS_COUNT];
	uint64_t reasons[REASON_COUNT];
};

struct rendering {
	const struct view *view; /* borrowed */
	struct metrics *metrics; /* borrowed */
	uint64_t series_left;    /* of max_series */
	struct scanner_counts scanners[SCANNERS_MAX];
	size_t scanners_count;
	struct tally tallies[METRICS_FAMILIES];
};

/* The counts of a scanner, made when it is new; NULL when out of memory or past SCANNERS_MAX. */
struct scanner_counts *rendering_scanner(struct rendering *r, const char *name);
/* Certificates, endpoints, problems: their series, and the counts. */
enum err metrics_render_places(struct rendering *r) MUST_CHECK;

#endif
