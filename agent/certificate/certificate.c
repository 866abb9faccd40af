/* DER to facts: GnuTLS says whether it is a certificate, a walk of our own reads it. */
#include "agent/certificate/certificate.h"

#include "agent/base/text.h"
#include "agent/certificate/der.h"
#include "agent/certificate/dn.h"
#include "agent/certificate/key.h"
#include "agent/certificate/known.h"
#include "agent/certificate/name.h"
#include "agent/certificate/sources.h"

#include <gnutls/x509.h>
#include <stdio.h>
#include <stdlib.h>

#define SERIAL_BYTES_MAX 4096
#define CONSENT_BYTES_MAX ((size_t)64 * 1024)

#define OID(bytes) slice_of(bytes, sizeof(bytes) - 1)

void parsed_certificate_fini(struct parsed_certificate *p)
{
	certificate_fini(&p->facts);
	if (p->handle)
		gnutls_x509_crt_deinit(p->handle);
	*p = (struct parsed_certificate){ 0 };
}

/* --- facts, each from its place ----------------------------------------------------------------- */

/* GnuTLS says -1 for "no such date" and 0 also for dates before 1970. */
static int64_t date_of(const struct der_item *item, time_t theirs)
{
	int64_t ours = der_time(item);

	if (ours != TIME_UNKNOWN)
		return ours;
	return theirs == 0 || theirs == (time_t)-1 ? TIME_UNKNOWN : (int64_t)theirs;
}

/* Two's complement (X.690 8.3) as a sign and the hex of the magnitude. */
static char *serial_text(struct slice bytes, bool *is_cut)
{
	uint8_t magnitude[SERIAL_BYTES_MAX];
	char hex[2 * SERIAL_BYTES_MAX + 2];
	bool is_negative = bytes.size && bytes.data[0] & 0x80;
	size_t size = bytes.size < SERIAL_BYTES_MAX ? bytes.size : SERIAL_BYTES_MAX;
	size_t skip = 0;
	unsigned carry = is_negative;

	/* A serial this long is hostile: its first bytes must do. */
	*is_cut = *is_cut || size < bytes.size;
	for (size_t i = size; i-- > 0;) {
		unsigned byte = is_negative ? (uint8_t)~bytes.data[i] + carry : bytes.data[i];

		magnitude[i] = (uint8_t)byte;
		carry = carry && byte > 0xff;
	}
	while (skip + 1 < size && !magnitude[skip])
		skip++;
	if (!size)
		return strdup("00");
	hex[0] = '-';
	text_hex(hex + 1, magnitude + skip, size - skip);
	return strdup(is_negative ? hex : hex + 1);
}

static enum err read_names(const struct der_certificate *c, struct parsed_certificate *p)
{
	struct name_text name;
	enum err e = name_read(c->subject, &name);

	if (e != ERR_OK)
		return e;
	p->facts.subject = name.text;
	p->facts.subject_cn = name.cn;
	p->is_cut = p->is_cut || name.is_cut;
	e = name_read(c->issuer, &name);
	if (e != ERR_OK)
		return e;
	p->facts.issuer = name.text;
	p->facts.issuer_cn = name.cn;
	p->is_cut = p->is_cut || name.is_cut;
	return ERR_OK;
}

static enum err read_algorithms(const struct der_certificate *c, struct certificate *facts)
{
	char key[KEY_NAME_BYTES];
	char signature[KEY_NAME_BYTES];

	key_read(c->spki, key, &facts->key_bits);
	key_signature(c->signature_algorithm, signature);
	facts->key_algorithm = strdup(key);
	facts->signature_algorithm = strdup(signature);
	return facts->key_algorithm && facts->signature_algorithm ? ERR_OK : ERR_MEMORY;
}

/* --- extensions (RFC 5280 4.2.1) ---------------------------------------------------------------- */

static enum err read_alternatives(struct slice value, struct parsed_certificate *p)
{
	struct alternatives all = { .names = &p->facts.names };
	enum err e = name_alternatives(value, &all);

	p->names_seen = all.seen;
	p->is_cut = p->is_cut || all.is_cut;
	return e;
}

static enum err read_basic_constraints(struct slice value, struct parsed_certificate *p)
{
	struct der_item list;
	struct der_item flag;

	p->facts.is_ca = der_take(&value, DER_SEQUENCE, &list) &&
			 der_take(&list.content, DER_BOOLEAN, &flag) && flag.content.size == 1 &&
			 flag.content.data[0] != 0;
	return ERR_OK;
}

static enum err read_key_usage(struct slice value, struct parsed_certificate *p)
{
	static const char *const words[] = { "digitalSignature", "nonRepudiation",
		"keyEncipherment", "dataEncipherment", "keyAgreement", "keyCertSign", "cRLSign",
		"encipherOnly", "decipherOnly" };
	struct der_item bits;
	struct slice octets;
	enum err e = ERR_OK;

	if (!der_take(&value, DER_BIT_STRING, &bits))
		return ERR_OK;
	octets = slice_after(bits.content, 1);
	for (size_t i = 0; e == ERR_OK && i < sizeof(words) / sizeof(*words); i++)
		if (i / 8 < octets.size && octets.data[i / 8] & 0x80 >> i % 8)
			e = strings_add(&p->facts.key_usage, words[i]);
	return e;
}

static const char *purpose_word(const char *dotted)
{
	static const struct {
		const char *oid;
		const char *word;
	} purposes[] = {
		{ "1.3.6.1.5.5.7.3.1", "serverAuth" },
		{ "1.3.6.1.5.5.7.3.2", "clientAuth" },
		{ "1.3.6.1.5.5.7.3.3", "codeSigning" },
		{ "1.3.6.1.5.5.7.3.4", "emailProtection" },
		{ "1.3.6.1.5.5.7.3.8", "timeStamping" },
		{ "1.3.6.1.5.5.7.3.9", "OCSPSigning" },
		{ "2.5.29.37.0", "anyExtendedKeyUsage" },
	};

	for (size_t i = 0; i < sizeof(purposes) / sizeof(*purposes); i++)
		if (strcmp(purposes[i].oid, dotted) == 0)
			return purposes[i].word;
	return dotted;
}

static enum err read_extended_key_usage(struct slice value, struct parsed_certificate *p)
{
	char dotted[DER_OID_TEXT_BYTES];
	struct strings *usages = &p->facts.extended_key_usage;
	struct der_item list;
	struct der_item oid;
	enum err e = ERR_OK;

	if (!der_take(&value, DER_SEQUENCE, &list))
		return ERR_OK;
	while (e == ERR_OK && der_take(&list.content, DER_OID, &oid)) {
		if (usages->count >= RECORD_USAGES_MAX) {
			p->is_cut = true;
			break;
		}
		if (der_oid_text(oid.content, dotted))
			e = strings_add(usages, purpose_word(dotted));
	}
	return e;
}

static enum err read_subject_key_id(struct slice value, struct parsed_certificate *p)
{
	struct der_item id;

	if (der_take(&value, DER_OCTET_STRING, &id))
		p->subject_key_id = id.content;
	return ERR_OK;
}

static enum err read_authority_key_id(struct slice value, struct parsed_certificate *p)
{
	struct der_item list;
	struct der_item id;

	if (der_take(&value, DER_SEQUENCE, &list) && der_take(&list.content, DER_CONTEXT, &id))
		p->authority_key_id = id.content;
	return ERR_OK;
}

static enum err read_crl_points(struct slice value, struct parsed_certificate *p)
{
	return sources_of_crl(value, &p->facts.crl_urls, &p->is_cut);
}

static enum err read_authority_access(struct slice value, struct parsed_certificate *p)
{
	return sources_of_access(value, &p->facts.ocsp_urls, &p->facts.issuer_urls, &p->is_cut);
}

static enum err read_extensions(struct slice extensions, struct parsed_certificate *p)
{
	const struct {
		struct slice oid;
		enum err (*read)(struct slice value, struct parsed_certificate *p);
	} readers[] = {
		{ OID("\x55\x1d\x11"), read_alternatives },
		{ OID("\x55\x1d\x13"), read_basic_constraints },
		{ OID("\x55\x1d\x0f"), read_key_usage },
		{ OID("\x55\x1d\x25"), read_extended_key_usage },
		{ OID("\x55\x1d\x0e"), read_subject_key_id },
		{ OID("\x55\x1d\x23"), read_authority_key_id },
		{ OID("\x55\x1d\x1f"), read_crl_points },
		{ OID("\x2b\x06\x01\x05\x05\x07\x01\x01"), read_authority_access },
	};
	struct slice value;
	enum err e = ERR_OK;

	for (size_t i = 0; e == ERR_OK && i < sizeof(readers) / sizeof(*readers); i++)
		if (der_extension(extensions, readers[i].oid, &value))
			e = readers[i].read(value, p);
	return e;
}

static enum err read_facts(const struct der_certificate *c, struct parsed_certificate *p)
{
	struct certificate *facts = &p->facts;
	enum err e;

	fingerprint_of(c->spki, facts->spki_sha256);
	p->subject = c->subject;
	p->issuer = c->issuer;
	p->subject_hash = dn_hash(c->subject);
	p->issuer_hash = dn_hash(c->issuer);
	facts->is_self_issued = c->subject.size == c->issuer.size &&
				memcmp(c->subject.data, c->issuer.data, c->issuer.size) == 0;
	facts->serial = serial_text(c->serial, &p->is_cut);
	if (!facts->serial)
		return ERR_MEMORY;
	e = read_names(c, p);
	if (e == ERR_OK)
		e = read_algorithms(c, facts);
	if (e == ERR_OK)
		e = read_extensions(c->extensions, p);
	return e;
}

/* --- the whole ---------------------------------------------------------------------------------- */

static enum err import(struct slice der, gnutls_x509_crt_t *out, struct why *why)
{
	const gnutls_datum_t datum = { .data = (unsigned char *)(uintptr_t)der.data,
		.size = (unsigned)der.size };
	gnutls_x509_crt_t handle = NULL;
	int rc = gnutls_x509_crt_init(&handle);

	if (rc == 0)
		rc = gnutls_x509_crt_import(handle, &datum, GNUTLS_X509_FMT_DER);
	if (rc == 0) {
		*out = handle;
		return ERR_OK;
	}
	gnutls_x509_crt_deinit(handle);
	if (rc == GNUTLS_E_MEMORY_ERROR)
		return ERR_MEMORY;
	if (rc == GNUTLS_E_X509_UNKNOWN_SAN || rc == GNUTLS_E_UNIMPLEMENTED_FEATURE)
		return why_fail(why, ERR_UNSUPPORTED, "GnuTLS: %s", gnutls_strerror(rc));
	return why_fail(why, ERR_MALFORMED, "GnuTLS: %s", gnutls_strerror(rc));
}

/* Is it one that GnuTLS takes too long, and 25 times its size in memory, to parse? Then our own walk has to
 * do, if that could read the dates. Only names make a certificate so large. */
static bool is_read_alone(const struct der_certificate *c)
{
	return c->whole.size > CONSENT_BYTES_MAX && der_time(&c->not_before) != TIME_UNKNOWN &&
	       der_time(&c->not_after) != TIME_UNKNOWN;
}

/* What takes GnuTLS: its consent, and the dates that our own walk cannot read. */
static enum err ask_gnutls(const struct der_certificate *c, struct known_certificates *known,
	struct parsed_certificate *p, struct why *why)
{
	struct certificate *facts = &p->facts;
	const struct known *before = known ? known_find(known, facts->fingerprint) : NULL;
	struct known now;
	enum err e;

	if (is_read_alone(c)) {
		facts->not_before = der_time(&c->not_before);
		facts->not_after = der_time(&c->not_after);
		return ERR_OK;
	}
	if (before) {
		facts->not_before = before->not_before;
		facts->not_after = before->not_after;
		return ERR_OK;
	}
	e = import(c->whole, &p->handle, why);
	if (e != ERR_OK)
		return e;
	facts->not_before = date_of(&c->not_before, gnutls_x509_crt_get_activation_time(p->handle));
	facts->not_after = date_of(&c->not_after, gnutls_x509_crt_get_expiration_time(p->handle));
	if (!known)
		return ERR_OK;
	now = (struct known){ .not_before = facts->not_before, .not_after = facts->not_after };
	memcpy(now.fingerprint, facts->fingerprint, FINGERPRINT_BYTES);
	known_put(known, &now);
	return ERR_OK;
}

bool parsed_certificate_cut(const struct parsed_certificate *p, char text[CERTIFICATE_CUT_BYTES])
{
	size_t shown = p->facts.names.count;

	if (shown < p->names_seen)
		(void)snprintf(text, CERTIFICATE_CUT_BYTES,
			"it has %zu names; the first %zu are recorded", p->names_seen, shown);
	else if (p->is_cut)
		(void)snprintf(text, CERTIFICATE_CUT_BYTES,
			"it says more, or at greater length, than is recorded of it");
	return p->is_cut;
}

enum err certificate_parse(
	struct slice bytes, struct parsed_certificate *out, size_t *trailing, struct why *why)
{
	return certificate_parse_known(NULL, bytes, out, trailing, why);
}

enum err certificate_parse_known(struct known_certificates *known, struct slice bytes,
	struct parsed_certificate *out, size_t *trailing, struct why *why)
{
	struct parsed_certificate p = { 0 };
	struct der_certificate c;
	enum err e;

	if (!der_certificate(bytes, &c))
		return why_fail(why, ERR_MALFORMED, "it does not have the form of a certificate");
	if (!c.is_complete || c.whole.size > UINT32_MAX)
		return why_fail(why, ERR_MALFORMED,
			"it has the form of a certificate, but parts of it are missing or damaged");
	fingerprint_of(c.whole, p.facts.fingerprint);
	e = ask_gnutls(&c, known, &p, why);
	if (e != ERR_OK)
		return e;
	p.der = c.whole;
	e = read_facts(&c, &p);
	if (e != ERR_OK) {
		parsed_certificate_fini(&p);
		return why_fail(why, e, "its names cannot be read");
	}
	if (trailing)
		*trailing = bytes.size - c.whole.size;
	*out = p;
	return ERR_OK;
}
