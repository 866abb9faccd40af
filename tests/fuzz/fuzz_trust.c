/* A trust store: p11-kit's objects, OpenSSL's settings, plain bundles. The certificates in it are judged by it. */
#include "harness.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return harness_run_with(parser_file, slice_of(data, size), slice_of(data, size));
}
