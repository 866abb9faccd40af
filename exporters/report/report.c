/* The table of reports. */
#include "exporters/report/report.h"

#include <string.h>

#define REPORT(name) extern const struct report name;
#include "exporters/report/reports.def"
#undef REPORT

const struct report *const reports[] = {
#define REPORT(name) &name,
#include "exporters/report/reports.def"
#undef REPORT
};
const size_t reports_count = sizeof(reports) / sizeof(reports[0]);

const struct report *report_find(const char *name)
{
	for (size_t i = 0; i < reports_count; i++)
		if (strcmp(reports[i]->name, name) == 0)
			return reports[i];
	return NULL;
}
