/* Names as RFC 4514, whatever they hold. */
#include "agent/certificate/name.h"

#include "agent/base/text.h"
#include "agent/certificate/certificate.h"
#include "agent/certificate/der.h"

#include <stdlib.h>

/* The most specific RDNs are shown; real names have fewer than 20. */
#define RDNS_MAX 256
/* Bytes of a value that are looked at, so that no escape can pass the ceiling below. */
#define VALUE_BYTES_MAX RECORD_TEXT_BYTES_MAX
#define HEX_BYTES_MAX 1024
/* The worst byte, one of T61, becomes two bytes of three characters each. */
#define NAME_BUFFER_BYTES_MAX (8 * RECORD_TEXT_BYTES_MAX)

/* RFC 4514 section 3 and RFC 4519, then what OpenSSL calls the others. */
static const struct {
	const char *name;
	struct slice oid;
} attributes[] = {
#define ATTRIBUTE(name, bytes)                                      \
	{                                                           \
		name,                                               \
		{                                                   \
			(const uint8_t *)(bytes), sizeof(bytes) - 1 \
		}                                                   \
	}
	ATTRIBUTE("CN", "\x55\x04\x03"),
	ATTRIBUTE("SN", "\x55\x04\x04"),
	ATTRIBUTE("serialNumber", "\x55\x04\x05"),
	ATTRIBUTE("C", "\x55\x04\x06"),
	ATTRIBUTE("L", "\x55\x04\x07"),
	ATTRIBUTE("ST", "\x55\x04\x08"),
	ATTRIBUTE("STREET", "\x55\x04\x09"),
	ATTRIBUTE("O", "\x55\x04\x0a"),
	ATTRIBUTE("OU", "\x55\x04\x0b"),
	ATTRIBUTE("title", "\x55\x04\x0c"),
	ATTRIBUTE("description", "\x55\x04\x0d"),
	ATTRIBUTE("businessCategory", "\x55\x04\x0f"),
	ATTRIBUTE("postalCode", "\x55\x04\x11"),
	ATTRIBUTE("postOfficeBox", "\x55\x04\x12"),
	ATTRIBUTE("telephoneNumber", "\x55\x04\x14"),
	ATTRIBUTE("name", "\x55\x04\x29"),
	ATTRIBUTE("givenName", "\x55\x04\x2a"),
	ATTRIBUTE("initials", "\x55\x04\x2b"),
	ATTRIBUTE("generationQualifier", "\x55\x04\x2c"),
	ATTRIBUTE("x500UniqueIdentifier", "\x55\x04\x2d"),
	ATTRIBUTE("dnQualifier", "\x55\x04\x2e"),
	ATTRIBUTE("pseudonym", "\x55\x04\x41"),
	ATTRIBUTE("organizationIdentifier", "\x55\x04\x61"),
	ATTRIBUTE("emailAddress", "\x2a\x86\x48\x86\xf7\x0d\x01\x09\x01"),
	ATTRIBUTE("unstructuredName", "\x2a\x86\x48\x86\xf7\x0d\x01\x09\x02"),
	ATTRIBUTE("unstructuredAddress", "\x2a\x86\x48\x86\xf7\x0d\x01\x09\x08"),
	ATTRIBUTE("UID", "\x09\x92\x26\x89\x93\xf2\x2c\x64\x01\x01"),
	ATTRIBUTE("mail", "\x09\x92\x26\x89\x93\xf2\x2c\x64\x01\x03"),
	ATTRIBUTE("DC", "\x09\x92\x26\x89\x93\xf2\x2c\x64\x01\x19"),
	ATTRIBUTE("jurisdictionL", "\x2b\x06\x01\x04\x01\x82\x37\x3c\x02\x01\x01"),
	ATTRIBUTE("jurisdictionST", "\x2b\x06\x01\x04\x01\x82\x37\x3c\x02\x01\x02"),
	ATTRIBUTE("jurisdictionC", "\x2b\x06\x01\x04\x01\x82\x37\x3c\x02\x01\x03"),
#undef ATTRIBUTE
};

struct reading {
	struct buffer text;
	struct buffer value; /* of one attribute, as UTF-8, before it is escaped */
	char *cn;
	bool is_cut;
};

static const char *attribute_name(struct slice oid)
{
	for (size_t i = 0; i < sizeof(attributes) / sizeof(*attributes); i++)
		if (attributes[i].oid.size == oid.size &&
			memcmp(attributes[i].oid.data, oid.data, oid.size) == 0)
			return attributes[i].name;
	return NULL;
}

static void put_hex(struct reading *r, struct slice bytes)
{
	char hex[2 * HEX_BYTES_MAX + 1];
	size_t size = bytes.size < HEX_BYTES_MAX ? bytes.size : HEX_BYTES_MAX;

	r->is_cut = r->is_cut || size < bytes.size;
	text_hex(hex, bytes.data, size);
	buffer_byte(&r->text, '#');
	buffer_text(&r->text, hex);
}

static bool is_special(uint8_t c)
{
	return c == '"' || c == '+' || c == ',' || c == ';' || c == '<' || c == '>' || c == '\\';
}

/* RFC 4514 2.4; what could move a cursor or is no UTF-8 goes byte by byte as \HH. */
static void put_escaped(struct buffer *out, struct slice s)
{
	size_t size = s.size;

	for (size_t at = 0; at < size;) {
		struct slice rest = slice_of(s.data + at, size - at);
		uint32_t point = 0;
		size_t length = text_utf8_character(rest, &point);

		if (!length || text_is_control(point)) {
			length = length ? length : 1;
			for (size_t i = 0; i < length; i++)
				buffer_format(out, "\\%02X", rest.data[i]);
		} else {
			bool is_edge_space = point == ' ' && (at == 0 || at + 1 == size);

			if (is_edge_space || (point == '#' && at == 0) || is_special(rest.data[0]))
				buffer_byte(out, '\\');
			buffer_append(out, rest.data, length);
		}
		at += length;
	}
}

static void keep_cn(struct reading *r)
{
	struct slice value = buffer_bytes(&r->value);
	char *cn = text_escaped(value);

	if (!cn) {
		r->text.status = ERR_MEMORY;
		return;
	}
	if (strlen(cn) > RECORD_TEXT_BYTES_MAX) {
		cn[text_cut(cn, RECORD_TEXT_BYTES_MAX)] = 0;
		r->is_cut = true;
	}
	r->cn = cn;
}

static void put_value(struct reading *r, const struct der_item *item, bool is_cn)
{
	struct slice content = item->content;

	if (content.size > VALUE_BYTES_MAX) {
		content.size = VALUE_BYTES_MAX;
		r->is_cut = true;
	}
	buffer_clear(&r->value);
	if (!der_string_utf8(item->tag, content, &r->value)) {
		put_hex(r, item->whole);
		return;
	}
	put_escaped(&r->text, buffer_bytes(&r->value));
	/* RDNs come most specific first, so the first one met is the one wanted. */
	if (is_cn && !r->cn)
		keep_cn(r);
}

static bool put_attribute(struct reading *r, struct slice *set)
{
	char dotted[DER_OID_TEXT_BYTES];
	struct der_item pair;
	struct der_item type;
	struct der_item value;
	const char *name;

	if (!der_take(set, DER_SEQUENCE, &pair) || !der_take(&pair.content, DER_OID, &type) ||
		!der_next(&pair.content, &value))
		return false;
	name = attribute_name(type.content);
	if (!name && !der_oid_text(type.content, dotted))
		return false;
	buffer_text(&r->text, name ? name : dotted);
	buffer_byte(&r->text, '=');
	if (name)
		put_value(r, &value, strcmp(name, "CN") == 0);
	else
		put_hex(r, value.whole); /* RFC 4514 2.4: a dotted type has its value as hex */
	return true;
}

static void put_rdn(struct reading *r, struct slice whole)
{
	struct slice left = whole;
	struct der_item set;
	size_t start = r->text.size;
	bool is_first = true;

	if (!der_take(&left, DER_SET, &set)) {
		put_hex(r, whole);
		return;
	}
	while (set.content.size && r->text.size <= RECORD_TEXT_BYTES_MAX) {
		if (!is_first)
			buffer_byte(&r->text, '+');
		is_first = false;
		if (put_attribute(r, &set.content))
			continue;
		/* Half an RDN shown as text would pass for all of it. */
		r->text.size = start;
		put_hex(r, whole);
		return;
	}
	r->is_cut = r->is_cut || set.content.size;
}

static void put_rdns(struct reading *r, struct slice left)
{
	struct slice last[RDNS_MAX];
	struct der_item rdn;
	size_t count = 0;
	size_t shown;

	while (left.size) {
		/* What is no TLV is the rest, shown as it is. */
		if (!der_next(&left, &rdn)) {
			rdn.whole = left;
			left.size = 0;
		}
		last[count++ % RDNS_MAX] = rdn.whole;
	}
	shown = count < RDNS_MAX ? count : RDNS_MAX;
	r->is_cut = r->is_cut || shown < count;
	for (size_t i = 0; i < shown && r->text.size <= RECORD_TEXT_BYTES_MAX; i++) {
		struct slice whole = last[(count - 1 - i) % RDNS_MAX];

		/* An empty SET says nothing, not even a comma. */
		if (slice_starts(whole, "\x31", 2))
			continue;
		if (r->text.size)
			buffer_byte(&r->text, ',');
		put_rdn(r, whole);
	}
}

enum err name_read(struct slice der_name, struct name_text *out)
{
	struct reading r = { 0 };
	struct der_item name;
	char *text;

	if (!der_take(&der_name, DER_SEQUENCE, &name))
		return ERR_MALFORMED;
	buffer_init(&r.text, NAME_BUFFER_BYTES_MAX);
	buffer_init(&r.value, NAME_BUFFER_BYTES_MAX);
	put_rdns(&r, name.content);
	buffer_fini(&r.value);
	text = buffer_take_string(&r.text);
	if (!text) {
		free(r.cn);
		return ERR_MEMORY;
	}
	if (strlen(text) > RECORD_TEXT_BYTES_MAX) {
		text[text_cut(text, RECORD_TEXT_BYTES_MAX)] = 0;
		r.is_cut = true;
	}
	*out = (struct name_text){ .text = text, .cn = r.cn, .is_cut = r.is_cut };
	return ERR_OK;
}

char *certificate_name_text(struct slice der_name)
{
	struct name_text name;

	if (name_read(der_name, &name) != ERR_OK)
		return NULL;
	free(name.cn);
	return name.text;
}
