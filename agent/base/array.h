/* Arrays that grow one by one. */
#ifndef LEAFWATCH_BASE_ARRAY_H
#define LEAFWATCH_BASE_ARRAY_H

#include <stdbool.h>
#include <stddef.h>

/* Makes room for one more behind `count` items of `size` bytes, doubling at powers of two: `*items` is only
 * ever grown by this. False when out of memory; then the items stay as they are. */
bool array_grow(void **items, size_t count, size_t size);

#endif
