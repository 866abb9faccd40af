/* Password-based decryption and integrity of PKCS#12 (RFC 7292, RFC 8018, RFC 9579) on GnuTLS's ciphers.
 * The library's own PKCS#12 reader keeps 32 entries of a bag and drops the rest without a word, and
 * spends as many iterations as the file asks for; here both are ours to bound. */
#ifndef LEAFWATCH_SCANNERS_FORMATS_PBE_H
#define LEAFWATCH_SCANNERS_FORMATS_PBE_H

#include "agent/base/buffer.h"
#include "agent/base/err.h"
#include "scanners/formats/asn1.h"

#include <gnutls/crypto.h>

/* Starts as { .left = iterations that may be spent }. */
struct pbe_budget {
	uint64_t left;
};

enum pbe_kind { PBE_PKCS12 = 1, PBE_PBES2 };

struct pbe {
	enum pbe_kind kind;
	gnutls_cipher_algorithm_t cipher;
	size_t key_bytes;
	gnutls_mac_algorithm_t prf; /* of PBES2 */
	struct slice salt;          /* borrowed, as `iv` */
	struct slice iv;            /* of PBES2 */
	uint64_t iterations;
};

/* Reads the content of an AlgorithmIdentifier. ERR_MALFORMED; ERR_UNSUPPORTED with the culprit in `oid`. */
enum err pbe_read(
	struct slice algorithm, struct pbe *out, char oid[ASN1_OID_TEXT_BYTES]) MUST_CHECK;
/* Decrypts into `out` (which the caller wipes). `password` NULL = none, which is not "".
 * ERR_PASSWORD: wrong, as far as padding can tell. ERR_LIMIT: too many iterations, none was spent. */
enum err pbe_decrypt(const struct pbe *p, const char *password, struct pbe_budget *budget,
	struct slice secret, struct buffer *out) MUST_CHECK;

struct pbe_mac {
	enum pbe_kind kind; /* PBE_PBES2 = PBMAC1 */
	gnutls_mac_algorithm_t mac;
	gnutls_mac_algorithm_t prf; /* of PBMAC1 */
	size_t key_bytes;           /* of PBMAC1 */
	struct slice digest;        /* borrowed, as `salt` */
	struct slice salt;
	uint64_t iterations;
};

/* Reads the content of a MacData. Errors as above. */
enum err pbe_mac_read(
	struct slice mac_data, struct pbe_mac *out, char oid[ASN1_OID_TEXT_BYTES]) MUST_CHECK;
/* ERR_OK = it verifies; ERR_PASSWORD = it does not; ERR_LIMIT as above. */
enum err pbe_mac_verify(const struct pbe_mac *m, const char *password, struct pbe_budget *budget,
	struct slice content) MUST_CHECK;

#endif
