/* A view as metrics: the sample lines of every family, ready to be sent in either format. */
#ifndef LEAFWATCH_EXPORTERS_PROMETHEUS_METRICS_H
#define LEAFWATCH_EXPORTERS_PROMETHEUS_METRICS_H

#include "exporters/exporter.h"
#include "exporters/prometheus/exposition.h"

enum metrics_family {
#define FAMILY(id, name, type, help) METRICS_##id,
#include "exporters/prometheus/families.def"
#undef FAMILY
	METRICS_FAMILIES
};
extern const struct family metrics_families[METRICS_FAMILIES];

struct metrics {
	struct buffer samples[METRICS_FAMILIES]; /* a family without samples is not shown */
	uint64_t series_dropped;
};

/* Renders everything. At most `max_series` series of single certificates and endpoints: what passes that
 * is left out, by order of location, and counted. `out` is written only on success. */
enum err metrics_render(const struct view *v, uint64_t max_series, struct metrics *out) MUST_CHECK;
void metrics_fini(struct metrics *m);
/* Headers and samples in one text, without the end mark: for tests and text files. */
void metrics_text(const struct metrics *m, bool is_openmetrics, struct buffer *out);

#endif
