/* What compressed contents begin with. A head that libarchive would not know is none. */
#include "scanners/formats/unpack_internal.h"

#include "agent/base/wire.h"

/* LZMA specification, "lzma file format": properties, dictionary, size; and the first byte of the range coder. */
#define LZMA_HEAD_BYTES 14
#define LZMA_PROPERTIES 0x5d /* lc 3, lp 0, pb 2: what all programs write unless told otherwise */
#define LZMA_DICTIONARY_BYTES_MIN (UINT64_C(1) << 12)
#define LZMA_DICTIONARY_BYTES_MAX (UINT64_C(1) << 29)
#define LZMA_SIZE_UNKNOWN UINT64_MAX
#define LZMA_SIZE_MAX (UINT64_C(1) << 38) /* as liblzma has it, to tell it from other files */

/* LZ4 frame format 1.6.1 and its legacy frame. */
#define LZ4_MAGIC "\x04\x22\x4d\x18"
#define LZ4_LEGACY_MAGIC "\x02\x21\x4c\x18"
#define LZ4_MAGIC_BYTES 4
#define LZ4_FRAME_BYTES_MIN 11
#define LZ4_LEGACY_BLOCK_BYTES_MAX (8U * 1024 * 1024 + 8U * 1024 * 1024 / 255 + 16)

#define COMPRESS_MAGIC "\x1f\x9d"
#define COMPRESS_BITS 0x1f
#define COMPRESS_RESERVED 0x60
#define COMPRESS_BITS_MIN 9
#define COMPRESS_BITS_MAX 16

static const struct {
	const char *bytes;
	size_t size;
} magics[] = {
	{ "\x1f\x8b\x08", 3 }, /* RFC 1952: deflate is the only method */
	{ "\xfd"
	  "7zXZ\0",
		6 },               /* .xz file format 2.1.1.1 */
	{ "\x28\xb5\x2f\xfd", 4 }, /* RFC 8878 3.1.1 */
};

/* "BZh", the block size, and the start of a block or the end of the stream. */
static bool is_bzip2(struct slice head)
{
	return head.size >= 10 && memcmp(head.data, "BZh", 3) == 0 && head.data[3] >= '1' &&
	       head.data[3] <= '9' &&
	       (memcmp(head.data + 4, "1AY&SY", 6) == 0 ||
		       memcmp(head.data + 4, "\x17rE8P\x90", 6) == 0);
}

/* The version and the bits that must be zero, the size of a block. */
static bool is_lz4(struct slice head)
{
	if (head.size < LZ4_FRAME_BYTES_MIN || !slice_starts(head, LZ4_MAGIC, LZ4_MAGIC_BYTES))
		return false;
	return (head.data[4] & 0xc2) == 0x40 && (head.data[5] & 0x8f) == 0 && head.data[5] >= 0x40;
}

static bool is_lz4_legacy(struct slice head)
{
	uint64_t block;

	if (head.size < LZ4_FRAME_BYTES_MIN ||
		!slice_starts(head, LZ4_LEGACY_MAGIC, LZ4_MAGIC_BYTES))
		return false;
	block = wire_number(head.data + LZ4_MAGIC_BYTES, 4);
	return block && block <= LZ4_LEGACY_BLOCK_BYTES_MAX;
}

/* compress(1): how many bits a code may have, the bits that must be zero, and that the first code, of nine bits, is
 * a byte. */
static bool is_compress(struct slice head)
{
	unsigned bits;

	if (head.size < 5 || !slice_starts(head, COMPRESS_MAGIC, 2))
		return false;
	bits = head.data[2] & COMPRESS_BITS;
	return bits >= COMPRESS_BITS_MIN && bits <= COMPRESS_BITS_MAX &&
	       !(head.data[2] & COMPRESS_RESERVED) && !(head.data[4] & 1);
}

/* The format has no magic: all that is fixed in it is asked. The first bit says that a byte comes, for nothing is
 * there yet that could be repeated. */
uint64_t unpack_lzma_dictionary(struct slice head)
{
	uint64_t dictionary, size;

	if (head.size <= LZMA_HEAD_BYTES || head.data[0] != LZMA_PROPERTIES ||
		head.data[LZMA_HEAD_BYTES - 1] || head.data[LZMA_HEAD_BYTES] & 0x80)
		return 0;
	dictionary = wire_number(head.data + 1, 4);
	size = wire_number(head.data + 5, 8);
	if (dictionary < LZMA_DICTIONARY_BYTES_MIN || dictionary > LZMA_DICTIONARY_BYTES_MAX ||
		(dictionary & (dictionary - 1)))
		return 0;
	return size == LZMA_SIZE_UNKNOWN || (size && size < LZMA_SIZE_MAX) ? dictionary : 0;
}

bool unpack_is_compressed(struct slice head)
{
	static const uint8_t firsts[] = { 0x1f, 0xfd, 0x28, 'B', 0x04, 0x02, LZMA_PROPERTIES };

	/* Nearly all files differ in the first byte. */
	if (!head.size || !memchr(firsts, head.data[0], sizeof(firsts)))
		return false;
	for (size_t i = 0; i < sizeof(magics) / sizeof(magics[0]); i++)
		if (slice_starts(head, magics[i].bytes, magics[i].size))
			return true;
	return is_bzip2(head) || is_lz4(head) || is_lz4_legacy(head) || is_compress(head) ||
	       unpack_lzma_dictionary(head);
}
