/* Password-based decryption and integrity of PKCS#12 (RFC 7292, RFC 8018, RFC 9579) on GnuTLS's ciphers.
 * The library's own PKCS#12 reader keeps 32 entries of a bag and drops the rest without a word, and
 * spends as many iterations as the file asks for; here both are ours to bound. */
#ifndef LEAFWATCH_SCANNERS_FORMATS_PBE_H
#define LEAFWATCH_SCANNERS_FORMATS_PBE_H

#include "agent/base/buffer.h"
#include "agent/base/err.h"
#include "scanners/formats/asn1.h"
#include "scanners/formats/pbe_kdf.h"

#include <gnutls/crypto.h>

enum pbe_kind { PBE_PKCS12 = 1, PBE_PBES1, PBE_PBES2, PBE_JCE };
/* Who deciphers: GnuTLS, or formats/cipher.h. */
enum pbe_cipher { PBE_GNUTLS, PBE_RC2, PBE_ARCFOUR, PBE_TWOFISH, PBE_AES_CCM, PBE_AES_KWP };

struct pbe {
	enum pbe_kind kind;
	enum pbe_cipher own;
	gnutls_cipher_algorithm_t cipher; /* of PBE_GNUTLS */
	size_t key_bytes;
	unsigned rc2_bits;              /* effective ones, of PBE_RC2 */
	uint64_t tag_bytes;             /* of PBE_AES_CCM */
	struct pbe_kdf kdf;             /* of PBE_PKCS12 only salt and iterations */
	struct slice iv;                /* borrowed; of PBES2 */
	gnutls_digest_algorithm_t hash; /* of PBE_PBES1 */
};

/* Reads the content of an AlgorithmIdentifier. ERR_MALFORMED; ERR_UNSUPPORTED with the culprit in `oid`. */
enum err pbe_read(
	struct slice algorithm, struct pbe *out, char oid[ASN1_OID_TEXT_BYTES]) MUST_CHECK;
/* Decrypts into `out` (which the caller wipes). `password` NULL = none, which is not "".
 * ERR_PASSWORD: wrong, as far as padding can tell. ERR_LIMIT: too many iterations, none was spent. */
enum err pbe_decrypt(const struct pbe *p, const char *password, struct pbe_budget *budget,
	struct slice secret, struct buffer *out) MUST_CHECK;

/* Bouncy Castle gives scrypt the block size for the parallelization as well: makes it so. False where it is. */
bool pbe_is_odd_scrypt(struct pbe_kdf *k);

/* The same for stores that derive each key from the password and what it is for. */
struct pbe_secret {
	const char *password;
	struct slice suffix; /* of the password; empty for PKCS#12 */
	struct pbe_budget *budget;
	struct slice bytes;
};
enum err pbe_decrypt_for(
	const struct pbe *p, const struct pbe_secret *s, struct buffer *out) MUST_CHECK;

struct pbe_mac {
	enum pbe_kind kind; /* PBE_PBES2 = PBMAC1 */
	gnutls_mac_algorithm_t mac;
	struct slice digest; /* borrowed */
	struct pbe_kdf kdf;  /* of PBE_PKCS12 only salt and iterations */
};

/* Reads the content of a MacData. Errors as above. */
enum err pbe_mac_read(
	struct slice mac_data, struct pbe_mac *out, char oid[ASN1_OID_TEXT_BYTES]) MUST_CHECK;
/* ERR_OK = it verifies; ERR_PASSWORD = it does not; ERR_LIMIT as above. */
enum err pbe_mac_verify(const struct pbe_mac *m, const char *password, struct pbe_budget *budget,
	struct slice content) MUST_CHECK;

#endif
