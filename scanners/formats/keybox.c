/* The X.509 certificates of a GnuPG keybox (pubring.kbx of gpgsm; kbx/keybox-blob.c). A file is a row of
 * blobs, each with its length and kind; OpenPGP keys are stepped over. */
#include "scanners/formats/format.h"

#include <stdio.h>

/* Of the first blob: length (4), kind 1, version 1, flags (2), "KBXf". */
#define MAGIC "KBXf"
#define MAGIC_AT 8
#define HEAD_BYTES 32
/* Of an X.509 blob up to what is read: length, kind, version, flags, offset and size of the certificate. */
#define BLOB_HEAD_BYTES 16
#define BLOB_LEAST_BYTES 5

enum { KIND_EMPTY, KIND_HEADER, KIND_OPENPGP, KIND_X509 };

static uint32_t get32(struct slice s, size_t at)
{
	return (uint32_t)s.data[at] << 24 | (uint32_t)s.data[at + 1] << 16 |
	       (uint32_t)s.data[at + 2] << 8 | s.data[at + 3];
}

static bool keybox_sniff(struct slice head, struct file_size_hint size)
{
	(void)size;
	return head.size >= HEAD_BYTES && head.data[4] == KIND_HEADER &&
	       memcmp(head.data + MAGIC_AT, MAGIC, strlen(MAGIC)) == 0;
}

static enum err broken(const struct format_sink *sink, struct slice bytes, const char *message)
{
	return sink->problem(sink->arg, REASON_MALFORMED, bytes, message);
}

/* `blob` may be cut off: a certificate that is whole in it is told all the same. */
static enum err take_blob(const struct format_sink *sink, struct slice blob)
{
	uint32_t at, size;

	if (blob.size < BLOB_HEAD_BYTES)
		return broken(sink, slice_of(NULL, 0), "a blob of the keybox is too short");
	at = get32(blob, 8);
	size = get32(blob, 12);
	if (at > blob.size || at < BLOB_HEAD_BYTES)
		return broken(sink, slice_of(NULL, 0),
			"a blob of the keybox holds no certificate where it says");
	if (size > blob.size - at)
		return broken(
			sink, slice_after(blob, at), "a certificate of the keybox is cut off");
	return sink->certificate(sink->arg, slice_of(blob.data + at, size), NULL, NULL);
}

static enum format_answer keybox_parse(
	const struct format_input *in, const struct format_sink *sink)
{
	struct slice left = in->bytes;
	bool is_cut = false;
	enum err e = ERR_OK;

	if (!keybox_sniff(left, (struct file_size_hint){ 0 }))
		return FORMAT_NOT_MINE;
	while (e == ERR_OK && left.size && !is_cut) {
		struct slice blob = left;
		uint32_t size = left.size < BLOB_LEAST_BYTES ? 0 : get32(left, 0);

		is_cut = size < BLOB_LEAST_BYTES || size > left.size;
		if (!is_cut)
			blob.size = size;
		if (size >= BLOB_LEAST_BYTES && blob.data[4] == KIND_X509)
			e = take_blob(sink, blob);
		left = slice_after(left, blob.size);
	}
	if (e == ERR_OK && is_cut)
		e = broken(sink, slice_of(NULL, 0), "the keybox's last blob is cut off or damaged");
	return is_cut || e != ERR_OK ? FORMAT_BROKEN : FORMAT_MINE;
}

extern const struct format format_keybox;
const struct format format_keybox = {
	.name = "keybox",
	.help = "GnuPG keybox (pubring.kbx), its X.509 certificates",
	.sniff = keybox_sniff,
	.parse = keybox_parse,
};
