/* Windows' serialised certificate stores ([MS-OSHARED] 2.3.9.1): .sst files as Windows exports them, and the elements
 * of such a store that stand alone, as under SystemCertificates\My\Certificates. Each is a row of properties and, last, what
 * they are of. */
#include "agent/base/wire.h"
#include "scanners/formats/asn1.h"
#include "scanners/formats/format.h"
#include "scanners/formats/unicode.h"

/* A version of 0 and "CERT". */
#define STORE_HEAD "\0\0\0\0CERT"
#define STORE_HEAD_BYTES 8
#define ENTRY_HEAD_BYTES 12
#define ENCODING_ASN1 1
#define ID_MAX 0xffff
#define NAME_BYTES_MAX 512

/* [MS-OSHARED] 2.3.2.5; those of properties by wincrypt.h's CERT_FRIENDLY_NAME_PROP_ID. */
enum { ID_END = 0, ID_NAME = 11, ID_CERTIFICATE = 32, ID_CRL = 33, ID_CTL = 34 };

struct entry {
	uint32_t id;
	struct slice value;
};

static uint32_t get32(const uint8_t *at)
{
	return (uint32_t)wire_number(at, 4);
}

static bool is_element(uint32_t id)
{
	return id >= ID_CERTIFICATE && id <= ID_CTL;
}

/* Reads what begins an entry, and takes it off; its value may go on behind `left`. */
static bool read_head(struct slice *left, uint32_t *id, uint32_t *size)
{
	if (left->size < ENTRY_HEAD_BYTES)
		return false;
	*id = get32(left->data);
	*size = get32(left->data + 8);
	if (*id == ID_END || *id > ID_MAX || get32(left->data + 4) != ENCODING_ASN1)
		return false;
	*left = slice_after(*left, ENTRY_HEAD_BYTES);
	return true;
}

static bool read_entry(struct slice *left, struct entry *out)
{
	uint32_t size;

	if (!read_head(left, &out->id, &size) || size > left->size)
		return false;
	out->value = slice_of(left->data, size);
	*left = slice_after(*left, size);
	return true;
}

static bool is_store(struct slice head)
{
	return slice_starts(head, STORE_HEAD, STORE_HEAD_BYTES);
}

/* Properties up to what they are of, which is DER. That may lie behind the head. */
static bool is_bare(struct slice head)
{
	uint32_t id, size;

	for (unsigned properties = 0; read_head(&head, &id, &size); properties++) {
		if (is_element(id))
			return head.size && head.data[0] == ASN1_SEQUENCE;
		if (size > head.size)
			return properties > 0 && size <= FORMAT_BYTES_CEILING;
		head = slice_after(head, size);
	}
	return false;
}

static bool sst_sniff(struct slice head, struct file_size_hint size)
{
	(void)size;
	return is_store(head) || is_bare(head);
}

static enum err tell(
	const struct format_sink *sink, const struct entry *element, const struct buffer *name)
{
	const char *alias = name->size ? buffer_string(name) : NULL;

	switch (element->id) {
	case ID_CERTIFICATE:
		return sink->certificate(sink->arg, element->value, alias, NULL);
	case ID_CRL:
		return format_crl_tell(sink, element->value);
	default:
		/* A trust list is PKCS#7. */
		return sink->nested(sink->arg, NULL, element->value);
	}
}

/* The string ends in a NUL. */
static void take_name(struct slice value, struct buffer *name)
{
	size_t size = 0;

	while (size + 1 < value.size && (value.data[size] || value.data[size + 1]))
		size += 2;
	buffer_clear(name);
	unicode_from_utf16le(slice_of(value.data, size), name);
	/* One that is longer than any name is none. */
	if (buffer_status(name) != ERR_OK)
		buffer_clear(name);
}

static enum format_answer sst_parse(const struct format_input *in, const struct format_sink *sink)
{
	struct slice left = in->bytes;
	bool is_whole = is_store(left);
	struct entry entry = { .id = ID_END };
	struct buffer name;
	enum err e = ERR_OK;

	if (!is_whole && !is_bare(left))
		return FORMAT_NOT_MINE;
	if (is_whole)
		left = slice_after(left, STORE_HEAD_BYTES);
	buffer_init(&name, NAME_BYTES_MAX);
	while ((e == ERR_OK || e == ERR_NOT_FOUND) && read_entry(&left, &entry)) {
		if (entry.id == ID_NAME)
			take_name(entry.value, &name);
		if (!is_element(entry.id))
			continue;
		e = tell(sink, &entry, &name);
		buffer_clear(&name);
	}
	buffer_fini(&name);
	if (e != ERR_OK && e != ERR_NOT_FOUND)
		return FORMAT_MINE;
	/* A store has an end mark; an element alone ends with what it is of. */
	if (is_whole ? left.size >= 4 && get32(left.data) == ID_END
		     : !left.size && is_element(entry.id))
		return FORMAT_MINE;
	(void)!sink->problem(sink->arg, REASON_MALFORMED, slice_of(NULL, 0),
		"a serialised certificate store is damaged or cut off");
	return FORMAT_BROKEN;
}

extern const struct format format_sst;
const struct format format_sst = {
	.name = "sst",
	.help = "Windows' serialised certificate stores (.sst) and their elements",
	.sniff = sst_sniff,
	.parse = sst_parse,
};
