/* A certificate with issuers from elsewhere, as main sends it to the parser. */
#include "harness.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return harness_run(parser_completion, data, size);
}
