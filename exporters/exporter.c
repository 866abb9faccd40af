/* The table of exporters. */
#include "exporters/exporter.h"

#include <string.h>

#define EXPORTER(name) extern const struct exporter name;
#include "exporters/exporters.def"
#undef EXPORTER

const struct exporter *const exporters[] = {
#define EXPORTER(name) &name,
#include "exporters/exporters.def"
#undef EXPORTER
};
const size_t exporters_count = sizeof(exporters) / sizeof(exporters[0]);

const struct exporter *exporter_find(const char *name)
{
	for (size_t i = 0; i < exporters_count; i++)
		if (strcmp(exporters[i]->name, name) == 0)
			return exporters[i];
	return NULL;
}
