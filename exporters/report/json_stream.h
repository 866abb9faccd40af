/* The JSON reports' common half: every record of a view, printed one at a time. */
#ifndef LEAFWATCH_EXPORTERS_REPORT_JSON_STREAM_H
#define LEAFWATCH_EXPORTERS_REPORT_JSON_STREAM_H

#include "exporters/report/report.h"

struct json_counts {
	uint64_t certificates;
	uint64_t endpoints; /* listeners that do not speak TLS are none */
	uint64_t problems;
	uint64_t crls;
};

/* All records. `between` goes between two of them, `after` after each. ERR_IO when `to` fails. */
enum err json_stream_records(const struct view *view, const char *between, const char *after,
	FILE *to, struct json_counts *out) MUST_CHECK;
/* The summary object. */
enum err json_stream_summary(const struct json_counts *counts, const struct report_summary *summary,
	FILE *to) MUST_CHECK;

#endif
