/* Windows' serialised certificate stores, as a file's whole content. */
#include "harness.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return harness_run(parser_file, data, size);
}
