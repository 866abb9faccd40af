/* Private keys to the hash of their public half. */
#include "agent/certificate/private_key.h"

#include "agent/certificate/certificate.h"
#include "agent/certificate/key.h"

#include <gnutls/abstract.h>
#include <gnutls/x509.h>
#include <stdlib.h>
#include <string.h>

/* PKCS#5 and PKCS#12 (RFC 8018, RFC 7292): what encrypts a key. */
#define OID_PKCS5 "\x2a\x86\x48\x86\xf7\x0d\x01\x05"
#define OID_PKCS12_PBE "\x2a\x86\x48\x86\xf7\x0d\x01\x0c\x01"
/* com.sun.crypto.provider.KeyProtector, what JCEKS encrypts with: 1.3.6.1.4.1.42.2.19.1. */
#define OID_JCE_PROTECTOR "\x2b\x06\x01\x04\x01\x2a\x02\x13\x01"

static bool starts(struct slice oid, const char *prefix, size_t size)
{
	return oid.size > size && memcmp(oid.data, prefix, size) == 0;
}

/* What follows the first element of the outer SEQUENCE; it may be cut off. */
static bool is_encrypted(struct slice identifier)
{
	struct der_item oid;

	return der_take(&identifier, DER_OID, &oid) &&
	       (starts(oid.content, OID_PKCS5, sizeof(OID_PKCS5) - 1) ||
		       starts(oid.content, OID_PKCS12_PBE, sizeof(OID_PKCS12_PBE) - 1) ||
		       (oid.content.size == sizeof(OID_JCE_PROTECTOR) - 1 &&
			       memcmp(oid.content.data, OID_JCE_PROTECTOR,
				       sizeof(OID_JCE_PROTECTOR) - 1) == 0));
}

static bool is_version(const struct der_item *item)
{
	return item->tag == DER_INTEGER && item->content.size == 1 && item->content.data[0] <= 1;
}

enum private_key_form private_key_form(struct slice der)
{
	struct der_item list;
	struct der_item first;
	struct der_item second;
	struct der_item oid;

	if (!der_next_cut(&der, &list) || list.tag != DER_SEQUENCE ||
		!der_next_cut(&list.content, &first))
		return PRIVATE_KEY_NONE;
	if (first.tag == DER_SEQUENCE)
		return der_next_cut(&list.content, &second) && second.tag == DER_OCTET_STRING &&
				       is_encrypted(first.content)
			       ? PRIVATE_KEY_ENCRYPTED
			       : PRIVATE_KEY_NONE;
	if (!is_version(&first) || !der_next_cut(&list.content, &second))
		return PRIVATE_KEY_NONE;
	if (second.tag == DER_INTEGER)
		return second.content.size >= 32 && der_next_cut(&list.content, &first) &&
				       first.tag == DER_INTEGER
			       ? PRIVATE_KEY_PLAIN
			       : PRIVATE_KEY_NONE;
	if (second.tag == DER_OCTET_STRING)
		return first.content.data[0] == 1 && second.content.size >= 14 &&
				       second.content.size <= 72
			       ? PRIVATE_KEY_PLAIN
			       : PRIVATE_KEY_NONE;
	return second.tag == DER_SEQUENCE && der_take(&second.content, DER_OID, &oid) &&
			       der_next_cut(&list.content, &first) && first.tag == DER_OCTET_STRING
		       ? PRIVATE_KEY_PLAIN
		       : PRIVATE_KEY_NONE;
}

/* The SubjectPublicKeyInfo as a certificate for this key would have it. */
static enum err public_half(gnutls_x509_privkey_t key, gnutls_datum_t *spki)
{
	gnutls_privkey_t abstract = NULL;
	gnutls_pubkey_t public = NULL;
	int rc = gnutls_privkey_init(&abstract);

	if (rc == 0)
		rc = gnutls_privkey_import_x509(abstract, key, 0);
	if (rc == 0)
		rc = gnutls_pubkey_init(&public);
	if (rc == 0)
		rc = gnutls_pubkey_import_privkey(public, abstract, 0, 0);
	if (rc == 0)
		rc = gnutls_pubkey_export2(public, GNUTLS_X509_FMT_DER, spki);
	gnutls_pubkey_deinit(public);
	gnutls_privkey_deinit(abstract);
	return rc == 0 ? ERR_OK : rc == GNUTLS_E_MEMORY_ERROR ? ERR_MEMORY : ERR_UNSUPPORTED;
}

/* `spki` is freed. */
static enum err tell_spki(gnutls_datum_t spki, struct key_record *out)
{
	char algorithm[KEY_NAME_BYTES];
	uint32_t bits = 0;

	key_read(slice_of(spki.data, spki.size), algorithm, &bits);
	fingerprint_of(slice_of(spki.data, spki.size), out->spki_sha256);
	gnutls_free(spki.data);
	free(out->algorithm);
	out->algorithm = strdup(algorithm);
	out->bits = bits;
	out->is_known = out->algorithm != NULL;
	return out->algorithm ? ERR_OK : ERR_MEMORY;
}

static enum err tell(gnutls_x509_privkey_t key, struct key_record *out)
{
	gnutls_datum_t spki = { 0 };
	enum err e = public_half(key, &spki);

	return e == ERR_OK ? tell_spki(spki, out) : e;
}

/* The name of what GnuTLS does not know: PrivateKeyInfo says it. */
static enum err name_algorithm(struct slice der, struct key_record *out)
{
	char algorithm[KEY_NAME_BYTES];
	struct der_item item;
	struct der_item identifier;
	uint32_t bits;

	if (!der_take(&der, DER_SEQUENCE, &item) ||
		!der_take(&item.content, DER_INTEGER, &identifier) ||
		!der_take(&item.content, DER_SEQUENCE, &identifier))
		return ERR_MALFORMED;
	key_algorithm(identifier.content, algorithm, &bits);
	free(out->algorithm);
	out->algorithm = strdup(algorithm);
	out->bits = bits;
	return out->algorithm ? ERR_OK : ERR_MEMORY;
}

static int import(gnutls_x509_privkey_t key, struct slice der)
{
	const gnutls_datum_t in = { .data = (unsigned char *)(uintptr_t)der.data,
		.size = (unsigned)der.size };
	int rc = gnutls_x509_privkey_import_pkcs8(
		key, &in, GNUTLS_X509_FMT_DER, NULL, GNUTLS_PKCS_PLAIN);

	return rc == 0 ? rc : gnutls_x509_privkey_import(key, &in, GNUTLS_X509_FMT_DER);
}

enum err private_key_read(struct slice der, struct key_record *out)
{
	gnutls_x509_privkey_t key = NULL;
	enum err e = ERR_UNSUPPORTED;
	int rc;

	if (der.size > PRIVATE_KEY_BYTES_MAX || private_key_form(der) != PRIVATE_KEY_PLAIN)
		return ERR_MALFORMED;
	rc = gnutls_x509_privkey_init(&key);
	if (rc != 0)
		return ERR_MEMORY;
	if (import(key, der) == 0)
		e = tell(key, out);
	/* Wipes its numbers. */
	gnutls_x509_privkey_deinit(key);
	return e == ERR_UNSUPPORTED ? name_algorithm(der, out) : e;
}

enum err private_key_read_openssl(struct slice pem, const char *password, struct key_record *out)
{
	const gnutls_datum_t in = { .data = (unsigned char *)(uintptr_t)pem.data,
		.size = (unsigned)pem.size };
	gnutls_x509_privkey_t key = NULL;
	enum err e = ERR_PASSWORD;

	if (pem.size > 2 * PRIVATE_KEY_BYTES_MAX)
		return ERR_MALFORMED;
	if (gnutls_x509_privkey_init(&key) != 0)
		return ERR_MEMORY;
	if (gnutls_x509_privkey_import_openssl(key, &in, password) == 0)
		e = tell(key, out);
	gnutls_x509_privkey_deinit(key);
	return e == ERR_UNSUPPORTED ? ERR_PASSWORD : e;
}

static gnutls_datum_t datum_of(struct slice s)
{
	return (gnutls_datum_t){ .data = (unsigned char *)(uintptr_t)s.data,
		.size = (unsigned)s.size };
}

/* X9.62 4.3.6: a point that is not compressed, both coordinates as long as the field. */
static int import_point(gnutls_pubkey_t public, gnutls_ecc_curve_t curve, struct slice point)
{
	size_t size = (size_t)gnutls_ecc_curve_get_size(curve);
	gnutls_datum_t x;
	gnutls_datum_t y;

	if (!size || point.size != 1 + 2 * size || point.data[0] != 4)
		return GNUTLS_E_ILLEGAL_PARAMETER;
	x = datum_of(slice_of(point.data + 1, size));
	y = datum_of(slice_of(point.data + 1 + size, size));
	return gnutls_pubkey_import_ecc_raw(public, curve, &x, &y);
}

static int import_public(gnutls_pubkey_t public, const struct public_key *half)
{
	const gnutls_datum_t parts[PUBLIC_KEY_PARTS_MAX] = { datum_of(half->parts[0]),
		datum_of(half->parts[1]), datum_of(half->parts[2]), datum_of(half->parts[3]) };

	switch (half->kind) {
	case PUBLIC_RSA:
		return gnutls_pubkey_import_rsa_raw(public, &parts[0], &parts[1]);
	case PUBLIC_DSA:
		return gnutls_pubkey_import_dsa_raw(
			public, &parts[0], &parts[1], &parts[2], &parts[3]);
	case PUBLIC_EC:
		return import_point(public, gnutls_oid_to_ecc_curve(half->curve), half->parts[0]);
	case PUBLIC_ED25519:
		return gnutls_pubkey_import_ecc_raw(
			public, GNUTLS_ECC_CURVE_ED25519, &parts[0], NULL);
	}
	return GNUTLS_E_ILLEGAL_PARAMETER;
}

enum err public_key_read(const struct public_key *half, struct key_record *out)
{
	gnutls_pubkey_t public = NULL;
	gnutls_datum_t spki = { 0 };
	int rc;

	for (size_t i = 0; i < PUBLIC_KEY_PARTS_MAX; i++)
		if (half->parts[i].size > PRIVATE_KEY_BYTES_MAX)
			return ERR_MALFORMED;
	rc = gnutls_pubkey_init(&public);
	if (rc == 0)
		rc = import_public(public, half);
	if (rc == 0)
		rc = gnutls_pubkey_export2(public, GNUTLS_X509_FMT_DER, &spki);
	gnutls_pubkey_deinit(public);
	if (rc == 0)
		return tell_spki(spki, out);
	return rc == GNUTLS_E_MEMORY_ERROR ? ERR_MEMORY : ERR_MALFORMED;
}
