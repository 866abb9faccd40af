/* UEFI signature lists (UEFI 32.4.1): the variables PK, KEK, db and dbx under efivars, and .esl and .auth
 * files. Hashes in them are stepped over. */
#include "scanners/formats/format.h"

#include "agent/base/wire.h"

#include <stdio.h>

#define GUID_BYTES 16
#define LIST_HEAD_BYTES 28
/* Before the content of a file in efivars stand the variable's attributes. */
#define ATTRIBUTES_BYTES 4
/* EFI_VARIABLE_AUTHENTICATION_2: a time, then WIN_CERTIFICATE with its length, revision and kind. */
#define AUTH_TIME_BYTES 16
#define AUTH_REVISION 0x0200
#define AUTH_KIND 0x0ef1
#define AUTH_HEAD_BYTES 8
#define GUID_TEXT_BYTES 37

#define GUID_X509 "\xa1\x59\xc0\xa5\xe4\x94\xa7\x4a\x87\xb5\xab\x15\x5c\x2b\xf0\x72"

/* Kinds that a list may have: certificates first, then hashes and keys. */
static const char *const kinds[] = {
	GUID_X509,
	/* SHA-256, SHA-1, SHA-224, SHA-384, SHA-512 */
	"\x26\x16\xc4\xc1\x4c\x50\x92\x40\xac\xa9\x41\xf9\x36\x93\x43\x28",
	"\x12\xa5\x6c\x82\x10\xcf\xc9\x4a\xb1\x87\xbe\x01\x49\x66\x31\xbd",
	"\x33\x52\x6e\x0b\x5c\xa6\xc9\x44\x94\x07\xd9\xab\x83\xbf\xc8\xbd",
	"\x07\x53\x3e\xff\xd0\x9f\xc9\x48\x85\xf1\x8a\xd5\x6c\x70\x1e\x01",
	"\xae\x0f\x3e\x09\xc4\xa6\x50\x4f\x9f\x1b\xd4\x1e\x2b\x89\xc1\x9a",
	/* RSA-2048 keys; hashes of certificates with the time of their revocation */
	"\xe8\x66\x57\x3c\x9c\x26\x34\x4e\xaa\x14\xed\x77\x6e\x85\xb3\xb6",
	"\x92\xa4\xd2\x3b\xc0\x96\x79\x40\xb4\x20\xfc\xf9\x8e\xf1\x03\xed",
	"\x6e\x87\x76\x70\xc2\x80\xe6\x4e\xaa\xd2\x28\xb3\x49\xa6\x86\x5b",
	"\x63\xbf\x6d\x44\x02\x25\xda\x4c\xbc\xfa\x24\x65\xd2\xb0\xfe\x9d",
};

static uint32_t get32(const uint8_t *at)
{
	return (uint32_t)wire_number(at, 4);
}

static bool is_list(struct slice s)
{
	uint32_t list, head, entry;

	if (s.size < LIST_HEAD_BYTES)
		return false;
	list = get32(s.data + 16);
	head = get32(s.data + 20);
	entry = get32(s.data + 24);
	if (list < LIST_HEAD_BYTES || entry <= GUID_BYTES || head > list - LIST_HEAD_BYTES)
		return false;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (memcmp(s.data, kinds[i], GUID_BYTES) == 0)
			return true;
	return false;
}

/* The lists behind an authentication header; empty where there is none, or they are not in here. */
static struct slice behind_auth(struct slice s)
{
	const uint8_t *head = s.data + AUTH_TIME_BYTES;

	if (s.size < AUTH_TIME_BYTES + AUTH_HEAD_BYTES ||
		get32(head + 4) != (AUTH_REVISION | (uint32_t)AUTH_KIND << 16))
		return slice_of(NULL, 0);
	return slice_after(slice_after(s, AUTH_TIME_BYTES), get32(head));
}

static bool has_auth(struct slice s)
{
	return s.size >= AUTH_TIME_BYTES + AUTH_HEAD_BYTES &&
	       get32(s.data + AUTH_TIME_BYTES + 4) == (AUTH_REVISION | (uint32_t)AUTH_KIND << 16);
}

static bool uefi_sniff(struct slice head, struct file_size_hint size)
{
	(void)size;
	return is_list(head) || is_list(slice_after(head, ATTRIBUTES_BYTES)) || has_auth(head);
}

/* The first three fields of a GUID are little endian. */
static void guid_text(const uint8_t *g, char out[GUID_TEXT_BYTES])
{
	(void)snprintf(out, GUID_TEXT_BYTES,
		"%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", g[3], g[2],
		g[1], g[0], g[5], g[4], g[7], g[6], g[8], g[9], g[10], g[11], g[12], g[13], g[14],
		g[15]);
}

/* Entries of one size: an owner and its data. */
static enum err take_entries(const struct format_sink *sink, struct slice entries, uint32_t size)
{
	char owner[GUID_TEXT_BYTES];
	enum err e = ERR_OK;

	while (e == ERR_OK && size > GUID_BYTES && entries.size >= size) {
		guid_text(entries.data, owner);
		e = sink->certificate(sink->arg,
			slice_of(entries.data + GUID_BYTES, size - GUID_BYTES), owner, NULL);
		entries = slice_after(entries, size);
	}
	return e;
}

static enum err broken(const struct format_sink *sink)
{
	return sink->problem(sink->arg, REASON_MALFORMED, slice_of(NULL, 0),
		"a UEFI signature list is damaged or cut off");
}

static enum format_answer uefi_parse(const struct format_input *in, const struct format_sink *sink)
{
	struct slice left = in->bytes;
	enum err e = ERR_OK;

	if (!uefi_sniff(left, (struct file_size_hint){ 0 }))
		return FORMAT_NOT_MINE;
	if (has_auth(left))
		left = behind_auth(left);
	else if (!is_list(left))
		left = slice_after(left, ATTRIBUTES_BYTES);
	/* Nothing behind the header: it empties the variable. */
	while (e == ERR_OK && left.size) {
		uint32_t size, head;

		if (!is_list(left) || get32(left.data + 16) > left.size) {
			(void)!broken(sink);
			return FORMAT_BROKEN;
		}
		size = get32(left.data + 16);
		head = LIST_HEAD_BYTES + get32(left.data + 20);
		if (memcmp(left.data, GUID_X509, GUID_BYTES) == 0)
			e = take_entries(sink, slice_of(left.data + head, size - head),
				get32(left.data + 24));
		left = slice_after(left, size);
	}
	return FORMAT_MINE;
}

extern const struct format format_uefi;
const struct format format_uefi = {
	.name = "uefi",
	.help = "UEFI signature lists: secure boot variables (PK, KEK, db, dbx), .esl, .auth",
	.sniff = uefi_sniff,
	.parse = uefi_parse,
};
