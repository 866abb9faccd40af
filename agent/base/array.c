/* Arrays that grow one by one. */
#include "agent/base/array.h"

#include <stdlib.h>

bool array_grow(void **items, size_t count, size_t size)
{
	void *more;

	if (count & (count - 1))
		return true;
	more = reallocarray(*items, count ? 2 * count : 1, size);
	if (more)
		*items = more;
	return more;
}
