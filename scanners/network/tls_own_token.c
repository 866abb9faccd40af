/* A client certificate of ours whose key is in a token: its chain here, its signatures from main. */
#include "agent/base/wire.h"
#include "agent/certificate/certificate.h"
#include "scanners/network/tls_internal.h"
#include "scanners/token_finding.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TOKEN_BYTES_MAX ((size_t)512 * 1024)

/* ---- what GnuTLS asks ------------------------------------------------------------------------- */

/* Signatures are made for one session, whose deadline ends the wait for them. */
static int sign(
	struct tls *t, gnutls_sign_algorithm_t scheme, struct slice data, gnutls_datum_t *out)
{
	const struct remote_wish wish = { .number = t->own->number,
		.scheme = (uint32_t)scheme,
		.data = data,
		.deadline_ms = t->sign_until_ms };
	struct buffer signature;
	bool is_signed;

	buffer_init(&signature, SIGNATURE_BYTES_MAX);
	is_signed = remote_keys_sign(t->own->remote, &wish, &signature, t->sign_failure);
	out->data = is_signed ? gnutls_malloc(signature.size) : NULL;
	if (out->data) {
		memcpy(out->data, signature.data, signature.size);
		out->size = (unsigned)signature.size;
	}
	buffer_fini(&signature);
	return out->data ? 0 : GNUTLS_E_PK_SIGN_FAILED;
}

/* EdDSA takes the whole. */
static int on_sign_data(gnutls_privkey_t key, gnutls_sign_algorithm_t scheme, void *arg,
	unsigned flags, const gnutls_datum_t *data, gnutls_datum_t *out)
{
	(void)key;
	(void)flags;
	return sign(arg, scheme, slice_of(data->data, data->size), out);
}

/* RFC 8017 9.2 (note 1): which digest is in a DigestInfo, by what stands before it. */
static const struct {
	gnutls_sign_algorithm_t scheme;
	uint8_t size;
	uint8_t head[19];
} digest_infos[] = {
	{ GNUTLS_SIGN_RSA_SHA256, 32,
		{ 0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04,
			0x02, 0x01, 0x05, 0x00, 0x04, 0x20 } },
	{ GNUTLS_SIGN_RSA_SHA384, 48,
		{ 0x30, 0x41, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04,
			0x02, 0x02, 0x05, 0x00, 0x04, 0x30 } },
	{ GNUTLS_SIGN_RSA_SHA512, 64,
		{ 0x30, 0x51, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04,
			0x02, 0x03, 0x05, 0x00, 0x04, 0x40 } },
};

/* All others take a digest; the elder scheme of RSA comes with its DigestInfo around it and no name. */
static int on_sign_hash(gnutls_privkey_t key, gnutls_sign_algorithm_t scheme, void *arg,
	unsigned flags, const gnutls_datum_t *hash, gnutls_datum_t *out)
{
	struct slice digest = slice_of(hash->data, hash->size);
	struct tls *t = arg;

	(void)key;
	(void)flags;
	if (scheme != GNUTLS_SIGN_RSA_RAW)
		return sign(t, scheme, digest, out);
	for (size_t i = 0; i < sizeof(digest_infos) / sizeof(digest_infos[0]); i++)
		if (digest.size == sizeof(digest_infos[i].head) + digest_infos[i].size &&
			slice_starts(digest, digest_infos[i].head, sizeof(digest_infos[i].head)))
			return sign(t, digest_infos[i].scheme,
				slice_after(digest, sizeof(digest_infos[i].head)), out);
	(void)snprintf(t->sign_failure, sizeof(t->sign_failure),
		"the server wants a signature by a digest that is not secure");
	return GNUTLS_E_PK_SIGN_FAILED;
}

/* RFC 8446 4.2.3: what the key can do, and what the token's module can. */
static bool has_scheme(const struct tls_own *own, gnutls_sign_algorithm_t scheme)
{
	gnutls_pk_algorithm_t of = gnutls_sign_get_pk_algorithm(scheme);

	if (own->algorithm == GNUTLS_PK_RSA && of == GNUTLS_PK_RSA_PSS)
		return own->has_pss && gnutls_sign_supports_pk_algorithm(scheme, GNUTLS_PK_RSA);
	return gnutls_sign_supports_pk_algorithm(scheme, (gnutls_pk_algorithm_t)own->algorithm);
}

static int on_question(gnutls_privkey_t key, unsigned flags, void *arg)
{
	const struct tls_own *own = ((const struct tls *)arg)->own;

	(void)key;
	if (flags & GNUTLS_PRIVKEY_INFO_PK_ALGO)
		return (int)own->algorithm;
	if (flags & GNUTLS_PRIVKEY_INFO_PK_ALGO_BITS)
		return (int)own->bits;
	if (flags & GNUTLS_PRIVKEY_INFO_HAVE_SIGN_ALGO)
		return has_scheme(own, GNUTLS_FLAGS_TO_SIGN_ALGO(flags));
	return -1;
}

static bool is_wanted(const struct tls_own *own, const struct gnutls_cert_retr_st *info)
{
	for (unsigned i = 0; i < info->pk_algos_length; i++)
		if ((uint32_t)info->pk_algos[i] == own->algorithm)
			return true;
	return info->pk_algos_length == 0;
}

/* NOLINTNEXTLINE(readability-function-size): of the type that GnuTLS has for it */
static int on_retrieve(gnutls_session_t session, const struct gnutls_cert_retr_st *info,
	gnutls_pcert_st **chain, unsigned *count, gnutls_ocsp_data_st **ocsp, unsigned *ocsp_count,
	gnutls_privkey_t *key, unsigned *flags)
{
	struct tls *t = gnutls_session_get_ptr(session);
	int ret = 0;

	*chain = NULL;
	*count = 0;
	*ocsp = NULL;
	*ocsp_count = 0;
	*key = NULL;
	*flags = 0;
	if (!is_wanted(t->own, info))
		return 0;
	if (!t->sign_key)
		ret = gnutls_privkey_init(&t->sign_key);
	if (ret == 0)
		ret = gnutls_privkey_import_ext4(
			t->sign_key, t, on_sign_data, on_sign_hash, NULL, NULL, on_question, 0);
	if (ret < 0)
		return ret;
	/* GnuTLS does not change them, and they outlive the session. */
	*chain = (gnutls_pcert_st *)(uintptr_t)t->own->chain;
	*count = t->own->chain_count;
	*key = t->sign_key;
	return 0;
}

/* ---- the certificate -------------------------------------------------------------------------- */

static int keep_pem(struct tls_own *own)
{
	for (unsigned i = 0; i < own->chain_count; i++) {
		gnutls_datum_t pem = { 0 };
		int ret = gnutls_pem_base64_encode2("CERTIFICATE", &own->chain[i].cert, &pem);

		if (ret < 0)
			return ret;
		buffer_append(&own->pem, pem.data, pem.size);
		gnutls_free(pem.data);
	}
	fingerprint_of(
		slice_of(own->chain[0].cert.data, own->chain[0].cert.size), own->fingerprint);
	return buffer_status(&own->pem) == ERR_OK ? 0 : GNUTLS_E_MEMORY_ERROR;
}

static int load_file(struct tls_own *own, const struct buffer *file)
{
	const gnutls_datum_t bytes = { .data = file->data, .size = (unsigned)file->size };
	bool is_pem = memmem(file->data, file->size, "-----BEGIN ", 11) != NULL;
	unsigned count = OWN_CHAIN_MAX;
	int ret;

	if (is_pem)
		ret = gnutls_pcert_list_import_x509_raw(
			own->chain, &count, &bytes, GNUTLS_X509_FMT_PEM, 0);
	else
		ret = gnutls_pcert_import_x509_raw(own->chain, &bytes, GNUTLS_X509_FMT_DER, 0);
	if (ret < 0)
		return ret;
	own->chain_count = is_pem ? count : 1;
	return own->chain_count ? keep_pem(own) : GNUTLS_E_NO_CERTIFICATE_FOUND;
}

enum err tls_own_init_token(struct tls_own *own, const struct identity *from)
{
	char text[OWN_FAILURE_BYTES];
	int ret = 0;

	buffer_init(&own->token, TOKEN_BYTES_MAX);
	gnutls_certificate_set_retrieve_function3(own->credentials, on_retrieve);
	own->is_opening = true;
	own->key_uri = strdup(from->key_uri);
	if (!own->key_uri)
		return ERR_MEMORY;
	if (from->certificate.size)
		ret = load_file(own, &from->certificate);
	if (ret == GNUTLS_E_MEMORY_ERROR)
		return ERR_MEMORY;
	if (ret >= 0)
		return ERR_OK;
	own->is_opening = false;
	(void)snprintf(text, sizeof(text), "it cannot be presented as a client certificate: %s",
		gnutls_strerror(ret));
	tls_own_fail(own, REASON_MALFORMED, text);
	return ERR_OK;
}

/* As the tokens scanner tells it, at the place that is configured. */
static enum err keep_token(struct tls_own *own, struct slice leaf)
{
	const struct token_certificate c = { .uri = own->uri, .der = leaf };

	token_certificate_encode(&own->token, &c);
	return buffer_status(&own->token);
}

static enum err take_chain(struct tls_own *own, const struct key_answer *answer)
{
	struct wire w = wire_of(answer->chain);
	enum err e = ERR_OK;

	while (e == ERR_OK && w.left.size && own->chain_count < OWN_CHAIN_MAX) {
		struct slice der = wire_get_bytes(&w, KEY_CHAIN_BYTES_MAX);
		const gnutls_datum_t bytes = { .data = (unsigned char *)(uintptr_t)der.data,
			.size = (unsigned)der.size };

		if (w.bad || gnutls_pcert_import_x509_raw(&own->chain[own->chain_count], &bytes,
				     GNUTLS_X509_FMT_DER, 0) < 0)
			return ERR_MALFORMED;
		if (own->chain_count++ == 0)
			e = keep_token(own, der);
	}
	if (e == ERR_OK && !own->chain_count)
		e = ERR_MALFORMED;
	return e == ERR_OK && keep_pem(own) < 0 ? ERR_MEMORY : e;
}

enum err tls_own_opened(struct tls_own *own, const struct key_answer *answer)
{
	char text[OWN_FAILURE_BYTES];
	enum err e = ERR_OK;

	if (!own->is_opening)
		return ERR_MALFORMED;
	own->is_opening = false;
	if (!answer->is_usable) {
		(void)snprintf(text, sizeof(text), "%.*s", (int)answer->message.size,
			(const char *)answer->message.data);
		tls_own_fail(own, (enum reason)answer->reason, text);
		return ERR_OK;
	}
	own->algorithm = answer->algorithm;
	own->bits = answer->bits;
	own->has_pss = answer->has_pss;
	if (!own->chain_count)
		e = take_chain(own, answer);
	if (e == ERR_MALFORMED) {
		tls_own_fail(own, REASON_MALFORMED, "its certificate cannot be read");
		return ERR_OK;
	}
	return e;
}

void tls_own_fini_token(struct tls_own *own)
{
	for (unsigned i = 0; i < own->chain_count; i++)
		gnutls_pcert_deinit(&own->chain[i]);
	buffer_fini(&own->token);
	free(own->key_uri);
}
