/* From a password to a key: PKCS#12's own way (RFC 7292 B), PBKDF2 (RFC 8018) and scrypt (RFC 7914), with
 * the work counted before it is done. */
#ifndef LEAFWATCH_SCANNERS_FORMATS_PBE_KDF_H
#define LEAFWATCH_SCANNERS_FORMATS_PBE_KDF_H

#include "agent/base/buffer.h"
#include "agent/base/err.h"
#include "scanners/formats/asn1.h"

#include <gnutls/crypto.h>

#define PBE_KEY_BYTES_MAX 64
#define PBE_PASSWORD_BYTES_MAX 4096

struct format_budget;
struct format_input;

/* Starts as pbe_budget_of(). */
struct pbe_budget {
	uint64_t left; /* where there is no file: iterations that may be spent */
	struct format_budget
		*file; /* borrowed: all derivations of a file share what it may spend; or NULL */
};
struct pbe_budget pbe_budget_of(const struct format_input *in);
/* Takes the cost of `bytes` hashed without a derivation: each block counts as an iteration. ERR_LIMIT: it is
 * more than is left, and none was spent. */
enum err pbe_budget_hash(struct pbe_budget *budget, uint64_t bytes) MUST_CHECK;

/* RFC 7292 B.3: what a derived string is for. */
enum pbe_purpose { PBE_FOR_KEY = 1, PBE_FOR_IV = 2, PBE_FOR_MAC = 3 };

struct pbe_derive {
	gnutls_digest_algorithm_t hash;
	const char *password; /* NULL = none, which is not "" */
	struct slice salt;
	uint64_t iterations;
	struct pbe_budget *budget;
};
/* RFC 7292 B.2. ERR_LIMIT: too many iterations, none was spent. */
enum err pbe_pkcs12_derive(
	const struct pbe_derive *d, enum pbe_purpose purpose, uint8_t *out, size_t size) MUST_CHECK;
/* PBES1 (RFC 8018 6.1.1): PBKDF1 gives the key and behind it the initialisation vector, of eight bytes each. */
#define PBE_PBES1_HALF_BYTES 8
enum err pbe_pbes1_derive(const struct pbe_derive *d, uint8_t key[PBE_PBES1_HALF_BYTES],
	uint8_t iv[PBE_PBES1_HALF_BYTES]) MUST_CHECK;
/* What Java's JCE provider does in its own keystores (com.sun.crypto.provider.PBES1Core): MD5 of each half of
 * the salt and the password, over and over. A salt of 8 bytes. */
#define PBE_JCE_KEY_BYTES 24
#define PBE_JCE_IV_BYTES 8
enum err pbe_jce_derive(const struct pbe_derive *d, uint8_t key[PBE_JCE_KEY_BYTES],
	uint8_t iv[PBE_JCE_IV_BYTES]) MUST_CHECK;
/* The password as BMPString with its NUL (RFC 7292 B.1); none is no byte at all. Wiped by the caller. */
enum err pbe_password(const char *password, struct buffer *out) MUST_CHECK;

struct pbe_kdf {
	bool is_scrypt;
	gnutls_mac_algorithm_t prf;
	struct slice salt; /* borrowed */
	uint64_t iterations;
	uint64_t key_bytes; /* 0 = not said */
	uint64_t cost;      /* of scrypt, as the two below */
	uint64_t block;
	uint64_t parallel;
};
/* Takes an AlgorithmIdentifier off `*left`. ERR_UNSUPPORTED with the culprit in `oid`. */
enum err pbe_kdf_read(
	struct slice *left, struct pbe_kdf *out, char oid[ASN1_OID_TEXT_BYTES]) MUST_CHECK;
/* `size` is at most PBE_KEY_BYTES_MAX. ERR_LIMIT as above. */
enum err pbe_kdf_derive(const struct pbe_kdf *k, struct slice password, struct pbe_budget *budget,
	uint8_t *out, size_t size) MUST_CHECK;

/* The HMAC of an identifier (RFC 8018 B.1.2), GNUTLS_MAC_UNKNOWN for another. */
gnutls_mac_algorithm_t pbe_hmac(struct slice oid);
/* AlgorithmIdentifier ::= SEQUENCE { OID, parameters }: takes it off `*left`. */
bool pbe_take_algorithm(struct slice *left, struct asn1 *oid, struct slice *parameters);
/* Says which algorithm is unknown. Always ERR_UNSUPPORTED. */
enum err pbe_unknown(struct slice oid, char out[ASN1_OID_TEXT_BYTES]) MUST_CHECK;

#endif
