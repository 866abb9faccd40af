/* Archives and compressed files, known by their first bytes: zip (jar war ear), tar, deb, rpm, cpio, and what
 * unpack_heads.c knows. What is in them is read by unpack.c. */
#include "scanners/formats/unpack.h"

#include "scanners/formats/unpack_internal.h"

#define TAR_BLOCK_BYTES 512
#define TAR_CHECKSUM_AT 148
#define TAR_CHECKSUM_BYTES 8
#define CPIO_BINARY_HEAD_BYTES 26
#define CPIO_MODE_AT 6
#define MODE_TYPES 0170000
#define MODE_FILE 0100000
#define MODE_FOLDER 0040000

/* Bytes that begin a file of that kind. Of the archives of ar only Debian's packages: libraries are many. */
static const struct {
	const char *bytes;
	size_t size;
} heads[] = {
	{ "PK\3\4", 4 },
	{ "!<arch>\ndebian-binary", 21 }, /* deb(5) */
	{ "\xed\xab\xee\xdb\3", 5 },      /* the lead of an rpm */
	{ "\xed\xab\xee\xdb\4", 5 },
};

/* The old binary kind has a magic of two bytes, so the first member's mode must make sense as well. */
static bool is_binary_cpio(struct slice head)
{
	bool is_little = slice_starts(head, "\xc7\x71", 2);
	unsigned mode;

	if (head.size < CPIO_BINARY_HEAD_BYTES ||
		(!is_little && !slice_starts(head, "\x71\xc7", 2)))
		return false;
	mode = is_little ? (unsigned)head.data[CPIO_MODE_AT] | (unsigned)head.data[CPIO_MODE_AT + 1]
								       << 8
			 : (unsigned)head.data[CPIO_MODE_AT] << 8 | head.data[CPIO_MODE_AT + 1];
	return (mode & MODE_TYPES) == MODE_FILE || (mode & MODE_TYPES) == MODE_FOLDER;
}

bool unpack_is_cpio(struct slice head)
{
	/* cpio(5): new ASCII, with a checksum, old ASCII */
	return slice_starts(head, "070701", 6) || slice_starts(head, "070702", 6) ||
	       slice_starts(head, "070707", 6) || is_binary_cpio(head);
}

/* Also the kind without "ustar": by the checksum of the first header (tar(5)). */
static bool is_tar(struct slice head)
{
	uint32_t said = 0, sum = 0;
	bool has_digit = false;

	if (head.size < TAR_BLOCK_BYTES || !head.data[0])
		return false;
	for (size_t i = 0; i < TAR_CHECKSUM_BYTES; i++) {
		uint8_t c = head.data[TAR_CHECKSUM_AT + i];

		if (c >= '0' && c <= '7') {
			said = said * 8 + (uint32_t)(c - '0');
			has_digit = true;
		} else if (c != ' ' && c != 0) {
			return false;
		}
	}
	for (size_t i = 0; has_digit && i < TAR_BLOCK_BYTES; i++)
		sum += i - TAR_CHECKSUM_AT < TAR_CHECKSUM_BYTES ? ' ' : head.data[i];
	return has_digit && said == sum;
}

static bool archive_sniff(struct slice head, struct file_size_hint size)
{
	(void)size;
	for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++)
		if (slice_starts(head, heads[i].bytes, heads[i].size))
			return true;
	return is_tar(head) || unpack_is_compressed(head) || unpack_is_cpio(head);
}

/* The end of a zip's list of members, with no remark behind it (APPNOTE 4.3.16): a program that is a script and its
 * archive, as Spring Boot's executable JARs and Python's zipapps are. */
static bool archive_sniff_end(struct slice end)
{
	return slice_starts(end, "PK\5\6", 4) && !end.data[end.size - 2] && !end.data[end.size - 1];
}

static enum format_answer archive_parse(
	const struct format_input *in, const struct format_sink *sink)
{
	struct format_input with = *in;
	struct format_budget own;

	if (!in->budget) {
		format_budget_init(&own, NULL, in->file ? in->file->size : in->bytes.size);
		with.budget = &own;
	}
	return unpack(&with, sink);
}

const struct format format_archive = {
	.name = "archive",
	.help = "members of zip (jar war ear), tar, cpio, deb, rpm; gzip, bzip2, xz, lzma, zstd, lz4, compress",
	.password = "zip, to open",
	.is_archive = true,
	.sniff = archive_sniff,
	.sniff_end = archive_sniff_end,
	.parse = archive_parse,
};

/* Where it lies in an archive tells it from other PKCS#7, so unpack.c gives this name. */
static enum format_answer jar_signature_parse(
	const struct format_input *in, const struct format_sink *sink)
{
	(void)in;
	(void)sink;
	return FORMAT_NOT_MINE;
}

const struct format format_jar_signature = {
	.name = "jar-signature",
	.help = "signatures of JARs and APKs (META-INF/*.RSA, *.DSA, *.EC)",
	.is_signature = true,
	.parse = jar_signature_parse,
};
