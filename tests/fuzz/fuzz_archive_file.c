/* Archives and compressed files that come as a file and are read where they lie. */
#include "harness.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return harness_run(harness_file, data, size);
}
