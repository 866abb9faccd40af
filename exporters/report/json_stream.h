/* The JSON reports' common half: every record of a view, printed one at a time. */
#ifndef LEAFWATCH_EXPORTERS_REPORT_JSON_STREAM_H
#define LEAFWATCH_EXPORTERS_REPORT_JSON_STREAM_H

#include "exporters/report/report.h"

/* Certificates, endpoints, problems. `between` goes between two records, `after` after each. ERR_IO
 * when `to` fails. */
enum err json_stream_records(
	const struct view *view, const char *between, const char *after, FILE *to) MUST_CHECK;
/* The summary object. */
enum err json_stream_summary(const struct report_summary *summary, FILE *to) MUST_CHECK;

#endif
