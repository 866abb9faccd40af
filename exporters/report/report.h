/* A report: records to a stream, for `-o`. One file with one of these, one line in reports.def. */
#ifndef LEAFWATCH_EXPORTERS_REPORT_REPORT_H
#define LEAFWATCH_EXPORTERS_REPORT_REPORT_H

#include "exporters/exporter.h"

#include <stdio.h>

struct report_options {
	bool color;
	unsigned width; /* of the terminal in cells, 0 = not a terminal */
	bool all;       /* public roots of trust stores too */
};

/* What cannot be told from the records. */
struct report_summary {
	uint64_t files;
	double seconds;
};

struct report {
	const char *name; /* "table", "json", "jsonl", "csv" */
	const char *help;
	/* Writes everything the view has to `to`. `summary` may be NULL (list, show). ERR_IO when `to` fails. */
	enum err (*write)(const struct view *view, const struct report_options *options,
		const struct report_summary *summary, FILE *to);
};

extern const struct report *const reports[];
extern const size_t reports_count;
const struct report *report_find(const char *name);

#endif
