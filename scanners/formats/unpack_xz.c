/* How much memory an .xz file asks for (The .xz File Format 1.2, 3.1 and 5.3.1). */
#include "scanners/formats/unpack_internal.h"

#define MAGIC  \
	"\xfd" \
	"7zXZ\0"
#define MAGIC_BYTES 6
#define STREAM_HEAD_BYTES 12
#define FLAG_FILTERS 0x03
#define FLAG_PACKED_SIZE 0x40
#define FLAG_SIZE 0x80
#define FILTER_LZMA2 0x21
#define DICTIONARY_BITS_MAX 40

/* Seven bits a byte, the lowest first. 0 too where it is cut off. */
static uint64_t take_number(struct slice *from)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < 9 && i < from->size; i++) {
		n |= (uint64_t)(from->data[i] & 0x7f) << (7 * i);
		if (!(from->data[i] & 0x80)) {
			*from = slice_after(*from, i + 1);
			return n;
		}
	}
	*from = slice_of(NULL, 0);
	return 0;
}

static uint64_t dictionary_of(uint8_t bits)
{
	if (bits >= DICTIONARY_BITS_MAX)
		return UINT32_MAX;
	return (uint64_t)(2 | (bits & 1)) << (bits / 2 + 11);
}

uint64_t unpack_xz_dictionary(struct slice head)
{
	struct slice block = slice_after(head, STREAM_HEAD_BYTES);
	unsigned filters;
	uint8_t flags;

	/* A size of 0 is the index: nothing was compressed. */
	if (!slice_starts(head, MAGIC, MAGIC_BYTES) || block.size < 2 || !block.data[0])
		return 0;
	flags = block.data[1];
	filters = (flags & FLAG_FILTERS) + 1U;
	block = slice_after(block, 2);
	if (flags & FLAG_PACKED_SIZE)
		(void)take_number(&block);
	if (flags & FLAG_SIZE)
		(void)take_number(&block);
	while (filters--) {
		uint64_t id = take_number(&block);
		uint64_t size = take_number(&block);

		if (id == FILTER_LZMA2 && size == 1 && block.size)
			return dictionary_of(block.data[0] & 0x3f);
		if (size > block.size)
			return 0;
		block = slice_after(block, (size_t)size);
	}
	return 0;
}
