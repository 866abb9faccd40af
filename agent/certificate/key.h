/* Public keys and signature algorithms by their names. Private to this folder. */
#ifndef LEAFWATCH_CERTIFICATE_KEY_H
#define LEAFWATCH_CERTIFICATE_KEY_H

#include "agent/base/slice.h"
#include "agent/certificate/der.h"

#include <gnutls/gnutls.h>
#include <stdint.h>

#define KEY_NAME_BYTES DER_OID_TEXT_BYTES

/* Of a SubjectPublicKeyInfo (with its header): "RSA", "ECDSA", "Ed25519" ..., else the dotted OID,
 * "unknown" where there is none; and the bits, 0 where not known. */
void key_read(struct slice spki, char algorithm[KEY_NAME_BYTES], uint32_t *bits);

/* The name alone, of a key's AlgorithmIdentifier's content; bits where it names them. */
void key_algorithm(struct slice identifier, char algorithm[KEY_NAME_BYTES], uint32_t *bits);

/* Of an AlgorithmIdentifier's content: "RSA-SHA256", "ECDSA-SHA384", "Ed25519", "RSA-PSS-SHA256",
 * else the dotted OID, "unknown" where there is none. */
void key_signature(struct slice identifier, char name[KEY_NAME_BYTES]);

/* The same for GnuTLS; GNUTLS_SIGN_UNKNOWN where it knows none. */
gnutls_sign_algorithm_t key_signature_algorithm(struct slice identifier);
bool key_signature_is_pss(struct slice identifier);

/* Of a SubjectPublicKeyInfo for RSA (or RSASSA-PSS); false for other keys. Slices are INTEGERs' contents. */
struct key_rsa {
	struct slice modulus;
	struct slice exponent;
	uint32_t modulus_bits;
	uint32_t exponent_bits;
};
bool key_rsa_read(struct slice spki, struct key_rsa *out);

/* Is the modulus one of those whose primes were made by Infineon's library (CVE-2017-15361)? By the
 * fingerprint of its remainders: no false negatives, one false positive in 2^27. */
bool key_is_roca(struct slice modulus);

/* Of an EC key's curve. */
enum key_curve { CURVE_NONE, CURVE_USUAL, CURVE_ODD, CURVE_SPELT_OUT };
enum key_curve key_curve_read(struct slice spki);

#endif
