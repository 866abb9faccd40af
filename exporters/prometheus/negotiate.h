/* What a client wants: Accept and Accept-Encoding (RFC 9110 12.5). */
#ifndef LEAFWATCH_EXPORTERS_PROMETHEUS_NEGOTIATE_H
#define LEAFWATCH_EXPORTERS_PROMETHEUS_NEGOTIATE_H

#include <stdbool.h>

/* Is OpenMetrics 1.0 wanted at least as much as text 0.0.4? `header` may be NULL. `*wants_escaping` (may be
 * NULL): the range that won asked for an escaping scheme. */
bool negotiate_openmetrics(const char *header, bool *wants_escaping);
bool negotiate_gzip(const char *header);

#endif
