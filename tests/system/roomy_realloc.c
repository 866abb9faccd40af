/* Preloaded into a leafwatch with AddressSanitizer, whose realloc always copies: GnuTLS grows its list of a
 * certificate's names by one at a time, so that 10,000 of them took seconds. Large blocks get room to grow. */
#include <gnutls/gnutls.h>
#include <malloc.h>
#include <stdlib.h>

#define LARGE_BYTES ((size_t)64 * 1024)

static void *roomy_realloc(void *old, size_t size)
{
	size_t room = LARGE_BYTES;

	if (size < room)
		return realloc(old, size);
	if (old && malloc_usable_size(old) >= size)
		return old;
	while (room < size)
		room *= 2;
	return realloc(old, room);
}

__attribute__((constructor)) static void take_over(void)
{
	gnutls_realloc = roomy_realloc;
}
