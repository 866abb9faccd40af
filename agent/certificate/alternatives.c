/* Subject alternative names (RFC 5280 4.2.1.6) as text. */
#include "agent/base/text.h"
#include "agent/certificate/der.h"
#include "agent/certificate/name.h"
#include "agent/certificate/names.h"
#include "agent/certificate/record.h"

#include <arpa/inet.h>
#include <stdlib.h>

/* Text of all names of a certificate together: half of what a record may hold. */
#define NAMES_BYTES_MAX (RECORD_BYTES_MAX / 2)
#define NAME_BYTES_MAX (RECORD_TEXT_BYTES_MAX / 8)
#define HEX_BYTES_MAX 256

static void put_hex(struct buffer *out, struct slice bytes, bool *is_cut)
{
	char hex[2 * HEX_BYTES_MAX + 1];
	size_t size = bytes.size < HEX_BYTES_MAX ? bytes.size : HEX_BYTES_MAX;

	*is_cut = *is_cut || size < bytes.size;
	text_hex(hex, bytes.data, size);
	buffer_byte(out, '#');
	buffer_text(out, hex);
}

static void put_text(struct buffer *out, const char *kind, struct slice value, bool *is_cut)
{
	if (value.size > NAME_BYTES_MAX) {
		value.size = NAME_BYTES_MAX;
		*is_cut = true;
	}
	buffer_text(out, kind);
	text_escape(out, value);
}

static void put_address(struct buffer *out, struct slice bytes, bool *is_cut)
{
	char text[INET6_ADDRSTRLEN];

	if ((bytes.size == 4 || bytes.size == 16) &&
		inet_ntop(bytes.size == 4 ? AF_INET : AF_INET6, bytes.data, text, sizeof(text))) {
		buffer_text(out, "ip:");
		buffer_text(out, text);
		return;
	}
	buffer_text(out, "other:");
	put_hex(out, bytes, is_cut);
}

/* "other:OID=text" where the value is a character string (a user principal name, say). */
static void put_other(struct buffer *out, const struct der_item *name, bool *is_cut)
{
	char dotted[DER_OID_TEXT_BYTES];
	struct slice left = name->content;
	struct der_item type;
	struct der_item wrapped;
	struct der_item value;
	struct buffer text;

	buffer_text(out, "other:");
	if (!der_take(&left, DER_OID, &type) || !der_oid_text(type.content, dotted) ||
		!der_take(&left, DER_CONTEXT_CONSTRUCTED, &wrapped) ||
		!der_next(&wrapped.content, &value) || value.content.size > NAME_BYTES_MAX) {
		put_hex(out, name->whole, is_cut);
		return;
	}
	buffer_text(out, dotted);
	buffer_byte(out, '=');
	buffer_init(&text, RECORD_TEXT_BYTES_MAX);
	if (der_string_utf8(value.tag, value.content, &text))
		text_escape(out, buffer_bytes(&text));
	else
		put_hex(out, value.whole, is_cut);
	buffer_fini(&text);
}

static void put_directory(struct buffer *out, const struct der_item *name, bool *is_cut)
{
	struct name_text directory;

	buffer_text(out, "other:");
	if (name_read(name->content, &directory) != ERR_OK) {
		put_hex(out, name->whole, is_cut);
		return;
	}
	buffer_text(out, "dirName=");
	*is_cut = *is_cut || directory.is_cut || strlen(directory.text) > NAME_BYTES_MAX;
	directory.text[text_cut(directory.text, NAME_BYTES_MAX)] = 0;
	buffer_text(out, directory.text);
	free(directory.text);
	free(directory.cn);
}

static void put_name(struct buffer *out, const struct der_item *name, bool *is_cut)
{
	char dotted[DER_OID_TEXT_BYTES];
	bool is_context = (name->tag & 0xc0) == DER_CONTEXT;

	switch (is_context ? name->tag & 0x1f : -1) {
	case RFC822_NAME:
		put_text(out, "email:", name->content, is_cut);
		return;
	case DNS_NAME:
		put_text(out, "dns:", name->content, is_cut);
		return;
	case URI_NAME:
		put_text(out, "uri:", name->content, is_cut);
		return;
	case IP_ADDRESS:
		put_address(out, name->content, is_cut);
		return;
	case OTHER_NAME:
		put_other(out, name, is_cut);
		return;
	case DIRECTORY_NAME:
		put_directory(out, name, is_cut);
		return;
	case REGISTERED_ID:
		if (der_oid_text(name->content, dotted)) {
			buffer_text(out, "other:rid=");
			buffer_text(out, dotted);
			return;
		}
		break;
	default:
		break;
	}
	buffer_text(out, "other:");
	put_hex(out, name->whole, is_cut);
}

enum err name_alternatives(struct slice extension, struct alternatives *out)
{
	struct der_item list;
	struct der_item name;
	struct buffer text;
	size_t total = 0;
	enum err e = ERR_OK;

	if (!der_take(&extension, DER_SEQUENCE, &list))
		return ERR_OK;
	buffer_init(&text, RECORD_TEXT_BYTES_MAX);
	while (e == ERR_OK && list.content.size && der_next(&list.content, &name)) {
		out->seen++;
		if (out->names->count >= RECORD_NAMES_MAX || total >= NAMES_BYTES_MAX) {
			out->is_cut = true;
			continue;
		}
		buffer_clear(&text);
		put_name(&text, &name, &out->is_cut);
		total += text.size;
		e = buffer_status(&text);
		if (e == ERR_OK)
			e = strings_add(out->names, buffer_string(&text));
	}
	buffer_fini(&text);
	return e;
}
