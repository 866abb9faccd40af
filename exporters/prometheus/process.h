/* process_*: what the agent's main process uses, read when asked for. */
#ifndef LEAFWATCH_EXPORTERS_PROMETHEUS_PROCESS_H
#define LEAFWATCH_EXPORTERS_PROMETHEUS_PROCESS_H

#include "exporters/prometheus/exposition.h"

/* Appends headers and samples. What /proc does not tell is left out. */
void process_append(struct buffer *out, bool is_openmetrics);

#endif
