/* Certificate and key from PEM, DER or PKCS#12 to credentials that GnuTLS presents. */
#include "scanners/network/tls_own.h"

#include "agent/certificate/certificate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PEM_BYTES_MAX ((size_t)1024 * 1024)

static gnutls_datum_t datum_of(const struct buffer *b)
{
	return (gnutls_datum_t){ .data = b->data, .size = (unsigned)b->size };
}

static bool is_pem(const struct buffer *b)
{
	return memmem(b->data, b->size, "-----BEGIN ", 11) != NULL;
}

/* A certificate in DER to a key in PEM, for GnuTLS reads both in one format. */
static int load_der_certificate(struct tls_own *own, const gnutls_datum_t *certificate,
	const gnutls_datum_t *key, const char *password)
{
	gnutls_datum_t whole = { 0 };
	int ret = gnutls_pem_base64_encode2("CERTIFICATE", certificate, &whole);

	if (ret < 0)
		return ret;
	ret = gnutls_certificate_set_x509_key_mem2(
		own->credentials, &whole, key, GNUTLS_X509_FMT_PEM, password, 0);
	gnutls_free(whole.data);
	return ret;
}

/* A key in DER to certificates in PEM. Its bytes do not say which of the forms they are. */
static int load_der_key(struct tls_own *own, const gnutls_datum_t *certificate,
	const gnutls_datum_t *key, const char *password)
{
	/* RFC 5958, RFC 5915, RFC 8017. */
	static const char *const labels[] = { "PRIVATE KEY", "ENCRYPTED PRIVATE KEY",
		"EC PRIVATE KEY", "RSA PRIVATE KEY" };
	int first = GNUTLS_E_SUCCESS;

	for (size_t i = 0; i < sizeof(labels) / sizeof(labels[0]); i++) {
		gnutls_datum_t whole = { 0 };
		int ret = gnutls_pem_base64_encode2(labels[i], key, &whole);

		if (ret < 0)
			return ret;
		ret = gnutls_certificate_set_x509_key_mem2(
			own->credentials, certificate, &whole, GNUTLS_X509_FMT_PEM, password, 0);
		explicit_bzero(whole.data, whole.size);
		gnutls_free(whole.data);
		/* What was deciphered, or is another certificate's, is no other form. */
		if (ret >= 0 || ret == GNUTLS_E_DECRYPTION_FAILED ||
			ret == GNUTLS_E_CERTIFICATE_KEY_MISMATCH)
			return ret;
		if (!first)
			first = ret;
	}
	return first;
}

static int load_pair(struct tls_own *own, const struct identity *from, const char *password)
{
	gnutls_datum_t certificate = datum_of(&from->certificate);
	gnutls_datum_t key = datum_of(from->key.size ? &from->key : &from->certificate);
	bool is_pem_certificate = is_pem(&from->certificate);

	if (from->key.size && is_pem(&from->key) != is_pem_certificate)
		return is_pem_certificate ? load_der_key(own, &certificate, &key, password)
					  : load_der_certificate(own, &certificate, &key, password);
	return gnutls_certificate_set_x509_key_mem2(own->credentials, &certificate, &key,
		is_pem_certificate ? GNUTLS_X509_FMT_PEM : GNUTLS_X509_FMT_DER, password, 0);
}

static int load(struct tls_own *own, const struct identity *from)
{
	const char *password = from->password.size ? buffer_string(&from->password) : NULL;
	gnutls_datum_t bytes = datum_of(&from->certificate);

	if (!from->key.size && !is_pem(&from->certificate))
		return gnutls_certificate_set_x509_simple_pkcs12_mem(
			own->credentials, &bytes, GNUTLS_X509_FMT_DER, password ? password : "");
	return load_pair(own, from, password);
}

/* The chain as it will be presented. */
static int keep_chain(struct tls_own *own)
{
	gnutls_datum_t der;

	for (unsigned i = 0;
		gnutls_certificate_get_crt_raw(own->credentials, 0, i, &der) == GNUTLS_E_SUCCESS;
		i++) {
		gnutls_datum_t pem = { 0 };
		int ret = gnutls_pem_base64_encode2("CERTIFICATE", &der, &pem);

		if (ret < 0)
			return ret;
		if (i == 0)
			fingerprint_of(slice_of(der.data, der.size), own->fingerprint);
		buffer_append(&own->pem, pem.data, pem.size);
		gnutls_free(pem.data);
	}
	if (buffer_status(&own->pem) != ERR_OK)
		return GNUTLS_E_MEMORY_ERROR;
	return own->pem.size ? GNUTLS_E_SUCCESS : GNUTLS_E_NO_CERTIFICATE_FOUND;
}

static enum reason reason_of(int ret)
{
	return ret == GNUTLS_E_DECRYPTION_FAILED || ret == GNUTLS_E_MAC_VERIFY_FAILED
		       ? REASON_WRONG_PASSWORD
		       : REASON_MALFORMED;
}

bool tls_own_is_usable(const struct tls_own *own)
{
	return own->credentials && !own->is_opening && !own->has_failed;
}

void tls_own_fail(struct tls_own *own, enum reason reason, const char *text)
{
	own->has_failed = true;
	own->reason = reason;
	(void)snprintf(own->failure, sizeof(own->failure), "%s", text);
}

enum err tls_own_init(struct tls_own *own, const struct identity *from, struct remote_keys *remote,
	uint16_t number)
{
	int ret;

	*own = (struct tls_own){ .remote = from->is_in_token ? remote : NULL, .number = number };
	buffer_init(&own->pem, PEM_BYTES_MAX);
	own->uri = strdup(from->uri);
	if (!own->uri || strings_copy(&own->targets, &from->targets) != ERR_OK ||
		gnutls_certificate_allocate_credentials(&own->credentials) < 0)
		return ERR_MEMORY;
	if (own->remote)
		return tls_own_init_token(own, from);
	ret = load(own, from);
	if (ret >= 0)
		ret = keep_chain(own);
	if (ret == GNUTLS_E_MEMORY_ERROR)
		return ERR_MEMORY;
	if (ret >= 0)
		return ERR_OK;
	gnutls_certificate_free_credentials(own->credentials);
	own->credentials = NULL;
	own->reason = reason_of(ret);
	(void)snprintf(own->failure, sizeof(own->failure),
		"it cannot be presented as a client certificate: %s", gnutls_strerror(ret));
	return ERR_OK;
}

void tls_own_fini(struct tls_own *own)
{
	strings_fini(&own->targets);
	free(own->uri);
	if (own->credentials)
		gnutls_certificate_free_credentials(own->credentials);
	buffer_fini(&own->pem);
	tls_own_fini_token(own);
	*own = (struct tls_own){ 0 };
}
