/* The plain page at "/": what this is, where the metrics are, what is most urgent. */
#ifndef LEAFWATCH_EXPORTERS_PROMETHEUS_LANDING_H
#define LEAFWATCH_EXPORTERS_PROMETHEUS_LANDING_H

#include "exporters/exporter.h"

/* Everything a page needs is in it; the server allows it nothing else. */
#define LANDING_POLICY                                                                         \
	"default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; " \
	"frame-ancestors 'none'"

/* Appends HTML. `view` NULL: nothing was seen yet. */
enum err landing_render(
	const struct view *view, const char *metrics_path, struct buffer *out) MUST_CHECK;

/* Appends what listens here, and what ties client certificates and servers together; nothing of what there is
 * none of. */
enum err landing_ends(const struct view *view, struct buffer *out) MUST_CHECK;

#endif
