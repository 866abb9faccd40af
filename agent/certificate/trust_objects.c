/* OpenSSL's trust settings and p11-kit's attributes (p11-kit trust/persist.c, pkcs11x.h). */
#include "agent/certificate/trust_objects.h"

#include "agent/certificate/der.h"
#include "agent/certificate/extensions.h"
#include "agent/certificate/p11kit_text.h"

#include <string.h>

#define PEM_MARKER "-----BEGIN "
#define VALUE_BYTES_MAX (1024 * 1024)

/* ---- OpenSSL ------------------------------------------------------------------------------------- */

/* Purposes of a SEQUENCE OF OBJECT IDENTIFIER's content. */
static uint16_t purposes_of(struct slice list)
{
	struct der_item oid;
	uint16_t bits = 0;

	while (der_take(&list, DER_OID, &oid))
		bits |= extension_purpose(oid.content);
	return bits;
}

/* SEQUENCE { trust SEQUENCE OF OID OPTIONAL, reject [0] IMPLICIT OPTIONAL, alias ... }. With no setting at all
 * it is trusted for everything, as by OpenSSL. */
void trust_limits_openssl(struct slice aux, struct trust_limits *out)
{
	struct der_item all;
	struct der_item item;

	if (!der_take(&aux, DER_SEQUENCE, &all))
		return;
	if (der_take(&all.content, DER_SEQUENCE, &item))
		out->purposes = purposes_of(item.content);
	if (der_take(&all.content, DER_CONTEXT_CONSTRUCTED, &item))
		out->rejected = purposes_of(item.content);
	if (out->rejected & EKU_ANY)
		out->is_distrusted = true;
}

/* ---- p11-kit ------------------------------------------------------------------------------------- */

size_t p11kit_section(struct slice text)
{
	const uint8_t *end = text.size ? memchr(text.data, 0, text.size) : NULL;
	const uint8_t *next;

	if (end)
		text.size = (size_t)(end - text.data);
	next = memmem(text.data, text.size, "\n" P11KIT_MARKER, strlen("\n" P11KIT_MARKER));
	return next ? (size_t)(next - text.data) + 1 : text.size;
}

/* NSS writes the bytes of a UTCTime without its header; anything else (a single zero byte) means never. */
static int64_t until_of(struct slice value)
{
	struct der_item time = { .tag = DER_UTC_TIME };
	struct buffer text;
	int64_t until;

	buffer_init(&text, VALUE_BYTES_MAX);
	p11kit_unquote(value, &text);
	time.content = buffer_bytes(&text);
	until = buffer_status(&text) == ERR_OK ? der_time(&time) : TIME_UNKNOWN;
	buffer_fini(&text);
	return until;
}

struct attributes {
	struct p11kit_object *object;
	struct buffer issuer;
	struct buffer serial;
	bool is_trusted;
	bool is_distrusted;
};

static void take_line(struct attributes *a, struct slice line)
{
	struct p11kit_object *o = a->object;
	struct slice value;

	if (p11kit_key(line, "class", &value)) {
		o->is_certificate = p11kit_is(value, "certificate");
		o->is_extension = p11kit_is(value, "x-certificate-extension");
	} else if (p11kit_key(line, "value", &value)) {
		p11kit_unquote(value, &o->value);
	} else if (p11kit_key(line, "issuer", &value)) {
		p11kit_unquote(value, &a->issuer);
	} else if (p11kit_key(line, "serial-number", &value)) {
		p11kit_unquote(value, &a->serial);
	} else if (p11kit_key(line, "trusted", &value)) {
		a->is_trusted = p11kit_is(value, "true");
	} else if (p11kit_key(line, "x-distrusted", &value)) {
		a->is_distrusted = p11kit_is(value, "true");
	} else if (p11kit_key(line, "nss-server-distrust-after", &value)) {
		o->limits.server_until = until_of(value);
	}
}

/* Both, each one whole element of its kind. */
static void take_name(struct attributes *a)
{
	struct slice issuer = buffer_bytes(&a->issuer);
	struct slice serial = buffer_bytes(&a->serial);
	struct der_item name;
	struct der_item number;

	if (der_take(&issuer, DER_SEQUENCE, &name) && !issuer.size &&
		der_take(&serial, DER_INTEGER, &number) && !serial.size) {
		buffer_slice(&a->object->name, name.whole);
		buffer_slice(&a->object->name, number.whole);
	}
}

void p11kit_read(struct slice section, struct p11kit_object *out)
{
	struct attributes a = { .object = out };

	*out = (struct p11kit_object){ .limits = { .server_until = TIME_UNKNOWN } };
	buffer_init(&out->value, VALUE_BYTES_MAX);
	buffer_init(&out->name, VALUE_BYTES_MAX);
	buffer_init(&a.issuer, VALUE_BYTES_MAX / 4);
	buffer_init(&a.serial, VALUE_BYTES_MAX / 4);
	while (section.size) {
		if (!out->pem.size && slice_starts(section, PEM_MARKER, strlen(PEM_MARKER)))
			out->pem = section;
		/* Attributes may follow the PEM block, too; base64 has no colon. */
		take_line(&a, p11kit_line(&section));
	}
	/* p11-kit's class is optional where a certificate stands in PEM. */
	if (out->pem.size && !out->is_extension)
		out->is_certificate = true;
	out->limits.is_distrusted = a.is_distrusted;
	out->limits.is_unsaid = !a.is_trusted && !a.is_distrusted;
	if (!out->pem.size && !out->value.size)
		take_name(&a);
	buffer_fini(&a.issuer);
	buffer_fini(&a.serial);
}

void p11kit_fini(struct p11kit_object *o)
{
	buffer_fini(&o->value);
	buffer_fini(&o->name);
}
