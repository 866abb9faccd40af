/* The table of scanners. */
#include "scanners/scanner.h"

#include <string.h>

#define SCANNER(name) extern const struct scanner name;
#include "scanners/scanners.def"
#undef SCANNER

const struct scanner *const scanners[] = {
#define SCANNER(name) &name,
#include "scanners/scanners.def"
#undef SCANNER
};
const size_t scanners_count = sizeof(scanners) / sizeof(scanners[0]);

const struct scanner *scanner_find(const char *name)
{
	for (size_t i = 0; i < scanners_count; i++)
		if (strcmp(scanners[i]->name, name) == 0)
			return scanners[i];
	return NULL;
}
