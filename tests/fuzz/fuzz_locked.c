/* A file and the configurations that say its password, as the reader sends them. */
#include "harness.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return harness_run(parser_locked, data, size);
}
