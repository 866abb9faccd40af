/* The APK Signing Block (source.android.com, APK signature schemes v2, v3, v3.1), which stands between the members of a
 * zip and its list of them. */
#include "scanners/formats/unpack.h"

#include "agent/base/wire.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define END_BYTES 22 /* APPNOTE.TXT 4.3.16: the end of the list, without a comment */
#define END_MAGIC "PK\5\6"
#define END_LIST_AT 16
#define COMMENT_BYTES_MAX 65535
#define ZIP64_MARK 0xffffffffU
#define LIST_MAGIC "PK\1\2" /* APPNOTE.TXT 4.3.12 */
#define BLOCK_MAGIC "APK Sig Block 42"
#define BLOCK_MAGIC_BYTES 16
#define BLOCK_FOOT_BYTES (8 + BLOCK_MAGIC_BYTES)
#define ATTRIBUTE_LINEAGE 0x3ba06f8cU

static const uint32_t scheme_ids[] = { 0x7109871a, 0xf05368c0, 0x1b93ad61 };

/* A list of things that have their lengths in front. */
struct items {
	struct slice left;
	bool is_bad;
};

/* Of one block, told once each: schemes are mostly several, with the same signers. */
#define TOLD_MAX 64

struct apk {
	const struct format_input *in;
	const struct format_sink *sink;
	enum err e; /* of the sink */
	bool is_bad;
	struct slice told[TOLD_MAX]; /* in the block */
	size_t told_count;
};

/* The next thing whose length has so many bytes. False at the end, or where it is not whole. */
static bool next(struct items *i, size_t length_bytes, struct slice *out)
{
	uint64_t size;

	if (!i->left.size || i->is_bad)
		return false;
	i->is_bad = i->left.size < length_bytes;
	if (i->is_bad)
		return false;
	size = wire_number(i->left.data, length_bytes);
	i->left = slice_after(i->left, length_bytes);
	i->is_bad = size > i->left.size;
	if (i->is_bad)
		return false;
	*out = slice_of(i->left.data, (size_t)size);
	i->left = slice_after(i->left, (size_t)size);
	return true;
}

/* --- signers ------------------------------------------------------------------------------------ */

static void tell_certificate(struct apk *a, struct slice der)
{
	if (!der.size || a->e != ERR_OK)
		return;
	for (size_t i = 0; i < a->told_count; i++)
		if (a->told[i].size == der.size && memcmp(a->told[i].data, der.data, der.size) == 0)
			return;
	if (a->told_count < TOLD_MAX)
		a->told[a->told_count++] = der;
	a->e = a->sink->certificate(a->sink->arg, der, NULL, NULL);
}

/* v3's attribute "proof of rotation": the certificates that have signed before, each with what vouches for it. */
static void take_lineage(struct apk *a, struct slice value)
{
	struct items levels = { .left = slice_after(value, 4) }; /* behind the version */
	struct slice level, signed_data, der;

	while (next(&levels, 4, &level)) {
		struct items parts = { .left = level }, inner;

		if (!next(&parts, 4, &signed_data)) {
			a->is_bad = true;
			return;
		}
		inner = (struct items){ .left = signed_data };
		/* The last one is the signer itself, which was told. */
		if (next(&inner, 4, &der) && levels.left.size)
			tell_certificate(a, der);
		a->is_bad = a->is_bad || inner.is_bad;
	}
	a->is_bad = a->is_bad || levels.is_bad;
}

static void take_attributes(struct apk *a, struct slice attributes)
{
	struct items list = { .left = attributes };
	struct slice attribute;

	while (next(&list, 4, &attribute))
		if (attribute.size >= 8 && wire_number(attribute.data, 4) == ATTRIBUTE_LINEAGE)
			take_lineage(a, slice_after(attribute, 4));
	a->is_bad = a->is_bad || list.is_bad;
}

/* Digests, certificates, in v3 the versions of the system that it is meant for, attributes. */
static void take_signed_data(struct apk *a, struct slice data, bool has_versions)
{
	struct items parts = { .left = data };
	struct items certificates = { 0 };
	struct slice part;

	if (next(&parts, 4, &part) && next(&parts, 4, &part))
		certificates.left = part;
	while (next(&certificates, 4, &part))
		tell_certificate(a, part);
	if (has_versions)
		parts.left = slice_after(parts.left, 8);
	if (next(&parts, 4, &part))
		take_attributes(a, part);
	a->is_bad = a->is_bad || parts.is_bad || certificates.is_bad;
}

static void take_scheme(struct apk *a, struct slice value, bool has_versions)
{
	struct items outer = { .left = value }, signers;
	struct slice list, signer, data;

	if (!next(&outer, 4, &list)) {
		a->is_bad = true;
		return;
	}
	signers = (struct items){ .left = list };
	while (a->e == ERR_OK && next(&signers, 4, &signer)) {
		struct items parts = { .left = signer };

		if (next(&parts, 4, &data))
			take_signed_data(a, data, has_versions);
		a->is_bad = a->is_bad || parts.is_bad;
	}
	a->is_bad = a->is_bad || signers.is_bad;
}

static void take_pairs(struct apk *a, struct slice pairs)
{
	struct items list = { .left = pairs };
	struct slice pair;

	while (a->e == ERR_OK && next(&list, 8, &pair)) {
		uint64_t id = pair.size >= 4 ? wire_number(pair.data, 4) : 0;

		for (size_t i = 0; i < sizeof(scheme_ids) / sizeof(scheme_ids[0]); i++)
			if (id == scheme_ids[i])
				take_scheme(a, slice_after(pair, 4), i > 0);
	}
	a->is_bad = a->is_bad || list.is_bad;
}

/* --- where it is -------------------------------------------------------------------------------- */

static uint64_t size_of(const struct apk *a)
{
	return a->in->file ? a->in->file->size : a->in->bytes.size;
}

/* Whole, or not at all: what cannot be read was told by those who read the members. */
static bool read_at(const struct apk *a, uint64_t at, size_t size, uint8_t *out)
{
	size_t done = 0;

	if (at > size_of(a) || size > size_of(a) - at)
		return false;
	if (!a->in->file) {
		memcpy(out, a->in->bytes.data + at, size);
		return true;
	}
	while (done < size) {
		ssize_t n = pread(a->in->file->fd, out + done, size - done, (off_t)(at + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		done += (size_t)n;
	}
	return true;
}

/* Where the list of members begins; 0 where that is not found. Few archives have a comment at their end. */
static uint64_t list_offset(const struct apk *a)
{
	uint64_t size = size_of(a);
	size_t tail =
		size < END_BYTES + COMMENT_BYTES_MAX ? (size_t)size : END_BYTES + COMMENT_BYTES_MAX;
	uint8_t end[END_BYTES];
	uint64_t found = 0;
	uint8_t *bytes;

	if (size < END_BYTES)
		return 0;
	if (read_at(a, size - END_BYTES, END_BYTES, end) && memcmp(end, END_MAGIC, 4) == 0)
		return wire_number(end + END_LIST_AT, 4);
	bytes = malloc(tail);
	if (bytes && read_at(a, size - tail, tail, bytes))
		for (size_t i = tail - END_BYTES; i-- && !found;)
			if (memcmp(bytes + i, END_MAGIC, 4) == 0 &&
				wire_number(bytes + i + END_BYTES - 2, 2) == tail - END_BYTES - i)
				found = wire_number(bytes + i + END_LIST_AT, 4);
	free(bytes);
	return found == ZIP64_MARK ? 0 : found;
}

/* The block's size as its end says it, without the field in front that says the same; 0 for none. */
static uint64_t block_size(const struct apk *a, uint64_t list)
{
	uint8_t foot[BLOCK_FOOT_BYTES];

	if (list < BLOCK_FOOT_BYTES || !read_at(a, list - BLOCK_FOOT_BYTES, sizeof(foot), foot) ||
		memcmp(foot + 8, BLOCK_MAGIC, BLOCK_MAGIC_BYTES) != 0)
		return 0;
	return wire_number(foot, 8);
}

static enum err problem(struct apk *a, enum reason reason, const char *message)
{
	return a->sink->problem(a->sink->arg, reason, slice_of(NULL, 0), message);
}

static enum err too_large(struct apk *a)
{
	return format_limited(
		a->sink, "its APK signing block is larger than a member may be", "member_size");
}

static enum err take_block(struct apk *a, uint64_t list, uint64_t size)
{
	uint8_t *block;

	if (a->sink->format)
		a->sink->format(a->sink->arg, &format_apk_signature);

	if (size < BLOCK_FOOT_BYTES || size > list)
		return problem(a, REASON_MALFORMED, "its APK signing block is damaged");
	if (size > format_limits_of(a->in)->member_bytes)
		return too_large(a);
	block = malloc((size_t)size);
	if (!block)
		return ERR_MEMORY;
	if (read_at(a, list - size, (size_t)size, block))
		take_pairs(a, slice_of(block, (size_t)size - BLOCK_FOOT_BYTES));
	free(block);
	if (a->e == ERR_OK && a->is_bad)
		return problem(a, REASON_MALFORMED, "its APK signing block is damaged");
	return a->e;
}

enum err apk_signatures(const struct format_input *in, const struct format_sink *sink)
{
	struct apk a = { .in = in, .sink = sink };
	uint64_t list, size;

	if (!slice_starts(in->bytes, "PK", 2))
		return ERR_OK;
	list = list_offset(&a);
	size = block_size(&a, list);
	if (!size)
		return ERR_OK;
	return take_block(&a, list, size);
}

enum err apk_signatures_behind(const struct format_input *in, struct slice tail, bool is_cut,
	const struct format_sink *sink)
{
	const struct format_input behind = { .bytes = tail, .budget = in->budget };
	struct apk a = { .in = &behind, .sink = sink };
	const uint8_t *magic = memmem(
		tail.data, tail.size, BLOCK_MAGIC LIST_MAGIC, sizeof(BLOCK_MAGIC LIST_MAGIC) - 1);
	uint64_t list, size;

	if (!magic)
		return ERR_OK;
	if (is_cut)
		return too_large(&a);
	list = (uint64_t)(magic - tail.data) + BLOCK_MAGIC_BYTES;
	size = block_size(&a, list);
	return size ? take_block(&a, list, size) : ERR_OK;
}

/* What holds it is a zip, so apk_signatures is asked once that was read. */
static enum format_answer apk_parse(const struct format_input *in, const struct format_sink *sink)
{
	(void)in;
	(void)sink;
	return FORMAT_NOT_MINE;
}

const struct format format_apk_signature = {
	.name = "apk-signature",
	.help = "signing blocks of APKs (schemes v2, v3, v3.1), with those who signed before",
	.is_signature = true,
	.parse = apk_parse,
};
