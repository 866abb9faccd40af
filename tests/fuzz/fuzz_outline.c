/* The names of all places of a text: nothing is read beyond it, and going back gives what going on gave. */
#include "scanners/formats/outline.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Each place is asked for anew once in so many. */
#define STEP 37
#define SIZE_BYTES_MAX 20000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct outline onward, anew;
	struct buffer first, second;

	if (size > SIZE_BYTES_MAX)
		return 0;
	outline_init(&onward, slice_of(data, size));
	buffer_init(&first, OUTLINE_PATH_BYTES_MAX);
	buffer_init(&second, OUTLINE_PATH_BYTES_MAX);
	for (size_t at = 0; at <= size; at += STEP) {
		buffer_clear(&first);
		buffer_clear(&second);
		outline_name(&onward, at, &first);
		outline_init(&anew, slice_of(data, size));
		outline_name(&anew, at, &second);
		if (first.size != second.size ||
			(first.size && memcmp(first.data, second.data, first.size) != 0))
			abort();
	}
	buffer_fini(&first);
	buffer_fini(&second);
	return 0;
}
