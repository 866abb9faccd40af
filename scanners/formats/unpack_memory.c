/* How much memory a compressed file asks for: the window of zstd (RFC 8878 3.1.1.1), the dictionary of xz (The .xz
 * File Format 1.2, 3.1 and 5.3.1). */
#include "scanners/formats/unpack_internal.h"

#include "agent/base/wire.h"

#define XZ_MAGIC \
	"\xfd"   \
	"7zXZ\0"
#define XZ_MAGIC_BYTES 6
#define STREAM_HEAD_BYTES 12
#define FLAG_FILTERS 0x03
#define FLAG_PACKED_SIZE 0x40
#define FLAG_SIZE 0x80
#define FILTER_LZMA2 0x21
#define DICTIONARY_BITS_MAX 40

#define ZSTD_MAGIC "\x28\xb5\x2f\xfd"
#define ZSTD_MAGIC_BYTES 4
#define ZSTD_SINGLE_SEGMENT 0x20
#define ZSTD_DICTIONARY_ID 0x03
#define ZSTD_WINDOW_LOG_MIN 10

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

static uint64_t xz_dictionary(struct slice head)
{
	struct slice block = slice_after(head, STREAM_HEAD_BYTES);
	unsigned filters;
	uint8_t flags;

	/* A size of 0 is the index: nothing was compressed. */
	if (!slice_starts(head, XZ_MAGIC, XZ_MAGIC_BYTES) || block.size < 2 || !block.data[0])
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

/* Where all is one segment it is as large as what comes out, which then is said. */
static uint64_t zstd_window(struct slice head)
{
	static const uint8_t id_bytes[] = { 0, 1, 2, 4 };
	static const uint8_t size_bytes[] = { 1, 2, 4, 8 };
	struct slice left = slice_after(head, ZSTD_MAGIC_BYTES + 1);
	uint8_t flags, window;
	size_t bytes;

	if (!slice_starts(head, ZSTD_MAGIC, ZSTD_MAGIC_BYTES) || !left.size)
		return 0;
	flags = head.data[ZSTD_MAGIC_BYTES];
	if (!(flags & ZSTD_SINGLE_SEGMENT)) {
		window = left.data[0];
		return (UINT64_C(8) + (window & 7)) << ((window >> 3) + ZSTD_WINDOW_LOG_MIN - 3);
	}
	left = slice_after(left, id_bytes[flags & ZSTD_DICTIONARY_ID]);
	bytes = size_bytes[flags >> 6];
	return left.size < bytes ? 0 : wire_number(left.data, bytes);
}

uint64_t unpack_memory(struct slice head)
{
	uint64_t bytes = xz_dictionary(head);

	bytes = bytes ? bytes : unpack_lzma_dictionary(head);
	return bytes ? bytes : zstd_window(head);
}

bool unpack_is_beyond_libarchive(struct slice head)
{
	return zstd_window(head) > LIBARCHIVE_ZSTD_BYTES_MAX;
}
