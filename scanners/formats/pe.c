/* The signatures of PE files (Authenticode): programs and drivers for Windows, boot loaders and kernels for
 * UEFI. Only the attribute certificate table is read (PE format, "The Attribute Certificate Table"); of a
 * large file nothing else is sent. */
#include "scanners/formats/format.h"
#include "scanners/formats/oid.h"

#define LFANEW_AT 0x3c
/* "PE\0\0" and the COFF header lie before the optional header. */
#define SIGNATURE "PE\0\0"
#define COFF_BYTES 24
#define MAGIC_PE32 0x10b
#define MAGIC_PE32_PLUS 0x20b
/* Where the data directories begin in the optional header, and which is the table's. */
#define DIRECTORIES_PE32 96
#define DIRECTORIES_PE32_PLUS 112
#define DIRECTORY_BYTES 8
#define DIRECTORY_SECURITY 4
/* WIN_CERTIFICATE: length, revision 1.0 or 2.0, kind PKCS#7. */
#define ENTRY_HEAD_BYTES 8
#define REVISION_1 0x0100
#define REVISION_2 0x0200
#define KIND_PKCS7 0x0002

static uint32_t get16(struct slice s, size_t at)
{
	return (uint32_t)s.data[at] | (uint32_t)s.data[at + 1] << 8;
}

static uint32_t get32(struct slice s, size_t at)
{
	return get16(s, at) | get16(s, at + 2) << 16;
}

/* Where the table lies in the file, by its first bytes. False: none, or no PE file. */
static bool pe_region(struct slice head, uint64_t *offset, uint64_t *size)
{
	size_t at, directory;

	if (head.size < LFANEW_AT + 4 || head.data[0] != 'M' || head.data[1] != 'Z')
		return false;
	at = get32(head, LFANEW_AT);
	if (at > head.size || head.size - at < COFF_BYTES + 2 ||
		memcmp(head.data + at, SIGNATURE, sizeof(SIGNATURE) - 1) != 0)
		return false;
	at += COFF_BYTES;
	directory = get16(head, at) == MAGIC_PE32        ? DIRECTORIES_PE32
		    : get16(head, at) == MAGIC_PE32_PLUS ? DIRECTORIES_PE32_PLUS
							 : 0;
	if (!directory)
		return false;
	directory += at + DIRECTORY_SECURITY * DIRECTORY_BYTES;
	if (directory + DIRECTORY_BYTES > head.size ||
		get32(head, directory - 4 - DIRECTORY_SECURITY * DIRECTORY_BYTES) <=
			DIRECTORY_SECURITY)
		return false;
	/* The one directory whose address is an offset in the file. */
	*offset = get32(head, directory);
	*size = get32(head, directory + 4);
	return *offset && *size > ENTRY_HEAD_BYTES;
}

/* The table alone, as it comes out of a large file: an entry's head, then a PKCS#7 ContentInfo. */
static bool is_table(struct slice s)
{
	return s.size > ENTRY_HEAD_BYTES + 8 && s.data[ENTRY_HEAD_BYTES] == 0x30 &&
	       (get16(s, 4) == REVISION_1 || get16(s, 4) == REVISION_2) &&
	       get16(s, 6) == KIND_PKCS7 && get32(s, 0) > ENTRY_HEAD_BYTES &&
	       memmem(s.data, s.size < 64 ? s.size : 64, OID_SIGNED_DATA,
		       sizeof(OID_SIGNED_DATA) - 1);
}

static bool pe_sniff(struct slice head, struct file_size_hint size)
{
	uint64_t offset, length;

	if (pe_region(head, &offset, &length))
		return !size.is_known || offset < size.size;
	return is_table(head);
}

static enum err broken(const struct format_sink *sink, const char *message)
{
	return sink->problem(sink->arg, REASON_MALFORMED, slice_of(NULL, 0), message);
}

/* Entries begin at multiples of eight. */
static enum err take_table(const struct format_sink *sink, struct slice table)
{
	enum err e = ERR_OK;

	while (e == ERR_OK && table.size > ENTRY_HEAD_BYTES) {
		uint32_t size = get32(table, 0);

		if (size <= ENTRY_HEAD_BYTES || size > table.size)
			return broken(sink, "its signature is damaged or cut off");
		if (get16(table, 6) == KIND_PKCS7)
			e = sink->nested(sink->arg, NULL,
				slice_of(table.data + ENTRY_HEAD_BYTES, size - ENTRY_HEAD_BYTES));
		if (e == ERR_NOT_FOUND)
			e = broken(sink, "its signature is no PKCS#7");
		table = slice_after(table, ((size_t)size + 7) & ~(size_t)7);
	}
	return e;
}

static enum format_answer pe_parse(const struct format_input *in, const struct format_sink *sink)
{
	struct slice table = in->bytes;
	uint64_t offset, size;

	if (pe_region(table, &offset, &size)) {
		table = slice_after(table, (size_t)offset);
		if (!table.size)
			return FORMAT_NOT_MINE;
		if (size < table.size)
			table.size = (size_t)size;
	} else if (!is_table(table)) {
		return FORMAT_NOT_MINE;
	}
	return take_table(sink, table) == ERR_OK ? FORMAT_MINE : FORMAT_BROKEN;
}

extern const struct format format_pe;
const struct format format_pe = {
	.name = "pe",
	.help = "signatures of PE files (Authenticode): Windows programs, UEFI boot loaders",
	.is_signature = true,
	.sniff = pe_sniff,
	.region = pe_region,
	.parse = pe_parse,
};
