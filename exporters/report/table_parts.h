/* The parts of the table report: each collects its rows from the view, then paints them. */
#ifndef LEAFWATCH_EXPORTERS_REPORT_TABLE_PARTS_H
#define LEAFWATCH_EXPORTERS_REPORT_TABLE_PARTS_H

#include "exporters/report/paint.h"

/* More places than this of one certificate, or of one reason, are only counted unless all are wanted. */
#define TABLE_PLACES_SHOWN 5

/* What the parts found, for the closing line. */
struct table_counts {
	uint64_t certificates; /* different ones */
	uint64_t places;
	uint64_t by_status[STATUS_COUNT]; /* of the different ones, the worst of its places */
	uint64_t hidden_roots;
	uint64_t hidden_roots_expired;
	uint64_t crls;
	uint64_t crls_stale;
	uint64_t endpoints;       /* besides listeners */
	uint64_t listeners;       /* of this host that speak TLS */
	uint64_t plain_listeners; /* and that do not */
	uint64_t problems;
};

enum err table_certificates(
	const struct view *v, struct paint *p, struct table_counts *n) MUST_CHECK;
enum err table_endpoints(const struct view *v, struct paint *p, struct table_counts *n) MUST_CHECK;
enum err table_crls(const struct view *v, struct paint *p, struct table_counts *n) MUST_CHECK;
enum err table_listeners(const struct view *v, struct paint *p, struct table_counts *n) MUST_CHECK;
enum err table_problems(const struct view *v, struct paint *p, struct table_counts *n) MUST_CHECK;

#endif
