/* GnuTLS's word on a path. */
#include "agent/certificate/verify.h"

#include "agent/certificate/der.h"
#include "agent/certificate/judge_cache.h"

#include <arpa/inet.h>
#include <gnutls/abstract.h>
#include <gnutls/x509.h>
#include <stdio.h>

/* NIST SP 800-131A: below these a key is no longer acceptable. */
#define RSA_BITS_MIN 2048
#define EC_BITS_MIN 224
#define HOST_BYTES_MAX 256

/* The clock is record_problems_at's, and weakness is told beside the rest instead of hiding it. */
#define VERIFY_FLAGS                                                                     \
	(GNUTLS_VERIFY_DISABLE_TIME_CHECKS | GNUTLS_VERIFY_DISABLE_TRUSTED_TIME_CHECKS | \
		GNUTLS_VERIFY_DISABLE_CRL_CHECKS | GNUTLS_VERIFY_ALLOW_BROKEN |          \
		GNUTLS_VERIFY_ALLOW_SIGN_WITH_SHA1 |                                     \
		GNUTLS_PROFILE_TO_VFLAGS(GNUTLS_PROFILE_VERY_WEAK))

static const char *purpose_oid(enum purpose purpose)
{
	return purpose == PURPOSE_SERVER   ? GNUTLS_KP_TLS_WWW_SERVER
	       : purpose == PURPOSE_CLIENT ? GNUTLS_KP_TLS_WWW_CLIENT
					   : NULL;
}

static uint32_t problems_of(unsigned status)
{
	static const struct {
		unsigned bit;
		enum problem problem;
	} map[] = {
		{ GNUTLS_CERT_SIGNATURE_FAILURE, PROBLEM_BAD_SIGNATURE },
		{ GNUTLS_CERT_SIGNER_NOT_FOUND, PROBLEM_UNTRUSTED_ISSUER },
		{ GNUTLS_CERT_SIGNER_NOT_CA, PROBLEM_CONSTRAINT_VIOLATION },
		{ GNUTLS_CERT_SIGNER_CONSTRAINTS_FAILURE, PROBLEM_CONSTRAINT_VIOLATION },
		{ GNUTLS_CERT_UNKNOWN_CRIT_EXTENSIONS, PROBLEM_CONSTRAINT_VIOLATION },
		{ GNUTLS_CERT_INSECURE_ALGORITHM, PROBLEM_WEAK_SIGNATURE },
		{ GNUTLS_CERT_PURPOSE_MISMATCH, PROBLEM_WRONG_USAGE },
		{ GNUTLS_CERT_REVOKED, PROBLEM_REVOKED },
	};
	uint32_t problems = 0;

	for (size_t i = 0; i < sizeof(map) / sizeof(*map); i++)
		if (status & map[i].bit)
			problems |= PROBLEM_BIT(map[i].problem);
	/* "Invalid" and no word why must not read as valid. */
	if (status && !problems)
		problems = PROBLEM_BIT(PROBLEM_UNTRUSTED_ISSUER);
	return problems;
}

enum err lent_handle_of(const struct parsed_certificate *p, struct lent_handle *out)
{
	const gnutls_datum_t der = { (unsigned char *)(uintptr_t)p->der.data,
		(unsigned)p->der.size };

	*out = (struct lent_handle){ .handle = p->handle };
	if (p->handle)
		return ERR_OK;
	if (gnutls_x509_crt_init(&out->handle) != 0)
		return ERR_MEMORY;
	out->is_made = true;
	/* The same bytes were taken before, so this is no word on them. */
	if (gnutls_x509_crt_import(out->handle, &der, GNUTLS_X509_FMT_DER) == 0)
		return ERR_OK;
	lent_handle_fini(out);
	return ERR_MEMORY;
}

void lent_handle_fini(struct lent_handle *h)
{
	if (h->is_made)
		gnutls_x509_crt_deinit(h->handle);
	*h = (struct lent_handle){ 0 };
}

enum err verify_path(const gnutls_x509_crt_t *path, size_t count, gnutls_x509_crt_t anchor,
	enum purpose purpose, uint32_t *problems)
{
	gnutls_x509_crt_t handles[PATH_MAX_CERTIFICATES];
	gnutls_typed_vdata_st usage = { .type = GNUTLS_DT_KEY_PURPOSE_OID };
	gnutls_x509_trust_list_t list = NULL;
	const char *oid = purpose_oid(purpose);
	unsigned status = 0;
	int rc;

	/* GnuTLS wants a list that it may write to. */
	for (size_t i = 0; i < count; i++)
		handles[i] = path[i];
	usage.data = (unsigned char *)(uintptr_t)oid;
	rc = gnutls_x509_trust_list_init(&list, 1);
	if (rc != 0)
		return ERR_MEMORY;
	rc = gnutls_x509_trust_list_add_cas(list, &anchor, 1, 0);
	if (rc == 1)
		rc = gnutls_x509_trust_list_verify_crt2(list, handles, (unsigned)count, &usage,
			oid ? 1 : 0, VERIFY_FLAGS, &status, NULL);
	else
		rc = GNUTLS_E_INTERNAL_ERROR;
	/* The certificates stay their owners'. */
	gnutls_x509_trust_list_deinit(list, 0);
	if (rc == GNUTLS_E_MEMORY_ERROR)
		return ERR_MEMORY;
	if (rc != 0)
		return ERR_UNSUPPORTED;
	*problems = problems_of(status);
	return ERR_OK;
}

bool verify_is_self_signed(const struct parsed_certificate *p, gnutls_x509_crt_t handle)
{
	gnutls_pubkey_t key = NULL;
	struct der_certificate c;
	gnutls_datum_t tbs;
	gnutls_datum_t signature;
	int algorithm = gnutls_x509_crt_get_signature_algorithm(handle);
	int rc = -1;

	if (algorithm <= 0 || !der_certificate(p->der, &c) || gnutls_pubkey_init(&key) != 0)
		return false;
	tbs = (gnutls_datum_t){ (unsigned char *)(uintptr_t)c.tbs.data, (unsigned)c.tbs.size };
	signature = (gnutls_datum_t){ (unsigned char *)(uintptr_t)c.signature.data,
		(unsigned)c.signature.size };
	if (gnutls_pubkey_import_x509(key, handle, 0) == 0)
		rc = gnutls_pubkey_verify_data2(key, (gnutls_sign_algorithm_t)algorithm,
			GNUTLS_VERIFY_ALLOW_BROKEN | GNUTLS_VERIFY_ALLOW_SIGN_WITH_SHA1, &tbs,
			&signature);
	gnutls_pubkey_deinit(key);
	return rc >= 0;
}

static bool ends_with(const char *text, const char *end)
{
	size_t size = strlen(text);
	size_t tail = strlen(end);

	return size >= tail && strcmp(text + size - tail, end) == 0;
}

uint32_t verify_weakness(const struct parsed_certificate *p, bool is_leaf)
{
	static const char *const broken[] = { "-SHA1", "-MD5", "-MD2" };
	const struct certificate *c = &p->facts;
	bool is_rsa = strncmp(c->key_algorithm, "RSA", 3) == 0;
	bool is_ec = strcmp(c->key_algorithm, "ECDSA") == 0;
	uint32_t problems = 0;

	if ((is_rsa && c->key_bits < RSA_BITS_MIN) || strcmp(c->key_algorithm, "DSA") == 0 ||
		(is_ec && c->key_bits && c->key_bits < EC_BITS_MIN))
		problems |= PROBLEM_BIT(PROBLEM_WEAK_KEY);
	/* Nothing rests on the signature of a root at a path's end. */
	if (c->is_self_issued && !is_leaf)
		return problems;
	for (size_t i = 0; i < sizeof(broken) / sizeof(*broken); i++)
		if (ends_with(c->signature_algorithm, broken[i]))
			problems |= PROBLEM_BIT(PROBLEM_WEAK_SIGNATURE);
	return problems;
}

bool verify_is_possible(gnutls_x509_crt_t handle)
{
	int algorithm = gnutls_x509_crt_get_signature_algorithm(handle);

	return algorithm > 0 && algorithm != GNUTLS_SIGN_UNKNOWN;
}

static bool is_named(gnutls_x509_crt_t handle, const char *server_name)
{
	unsigned char address[sizeof(struct in6_addr)];
	char host[HOST_BYTES_MAX];
	unsigned matches = 0;
	size_t size;
	int used;

	used = snprintf(host, sizeof(host), "%s", server_name);
	if (used > 0 && (size_t)used < sizeof(host)) {
		/* A zone is the client's own affair, and a final dot only says "absolute". */
		host[strcspn(host, "%")] = 0;
		size = strlen(host);
		if (inet_pton(AF_INET, host, address) == 1) {
			matches = gnutls_x509_crt_check_ip(handle, address, 4, 0);
		} else if (inet_pton(AF_INET6, host, address) == 1) {
			matches = gnutls_x509_crt_check_ip(handle, address, 16, 0);
		} else {
			if (size && host[size - 1] == '.')
				host[size - 1] = 0;
			matches = gnutls_x509_crt_check_hostname2(handle, host, 0);
		}
	}
	return matches;
}

enum err verify_name(
	const struct parsed_certificate *leaf, const char *server_name, uint32_t *problems)
{
	struct lent_handle lent;
	enum err e;

	*problems = 0;
	if (!server_name)
		return ERR_OK;
	e = lent_handle_of(leaf, &lent);
	if (e != ERR_OK)
		return e;
	if (!is_named(lent.handle, server_name))
		*problems = PROBLEM_BIT(PROBLEM_NAME_MISMATCH);
	lent_handle_fini(&lent);
	return ERR_OK;
}

uint32_t verify_usage(const struct parsed_certificate *leaf, enum purpose purpose)
{
	const struct strings *usages = &leaf->facts.extended_key_usage;

	if (purpose == PURPOSE_ANY || !usages->count ||
		strings_contain(usages, "anyExtendedKeyUsage") ||
		strings_contain(usages, purpose == PURPOSE_SERVER ? "serverAuth" : "clientAuth"))
		return 0;
	return PROBLEM_BIT(PROBLEM_WRONG_USAGE);
}
