/* Private keys: of their bytes, what may be told. */
#ifndef LEAFWATCH_CERTIFICATE_PRIVATE_KEY_H
#define LEAFWATCH_CERTIFICATE_PRIVATE_KEY_H

#include "agent/base/err.h"
#include "agent/base/slice.h"
#include "agent/certificate/record.h"

/* A key with more bytes is not read: RSA with 16,384 bits has less. */
#define PRIVATE_KEY_BYTES_MAX (16 * 1024)

/* What DER of a private key may be. */
enum private_key_form {
	PRIVATE_KEY_NONE,
	PRIVATE_KEY_PLAIN,     /* PrivateKeyInfo (RFC 5958), RSAPrivateKey, ECPrivateKey, DSA's */
	PRIVATE_KEY_ENCRYPTED, /* EncryptedPrivateKeyInfo (RFC 5958 3) */
};
/* By its first elements; the bytes may be cut off. */
enum private_key_form private_key_form(struct slice der);

/* Fills algorithm, bits and the hash of the public half: is_known, where GnuTLS can work it out. No byte of
 * the key outlives the call. ERR_MALFORMED: it is no private key, or more than the ceiling above. */
enum err private_key_read(struct slice der, struct key_record *out) MUST_CHECK;
/* The same of a PEM block (RFC 1421) that OpenSSL's own way encrypts. ERR_PASSWORD: not by this one. */
enum err private_key_read_openssl(
	struct slice pem, const char *password, struct key_record *out) MUST_CHECK;

/* The public half of a key, as stores keep it beside the sealed one. */
enum public_kind {
	PUBLIC_RSA,     /* modulus, exponent */
	PUBLIC_DSA,     /* p, q, g, y */
	PUBLIC_EC,      /* the point of X9.62, not compressed */
	PUBLIC_ED25519, /* its 32 bytes */
};
#define PUBLIC_KEY_PARTS_MAX 4
struct public_key {
	enum public_kind kind;
	const char *curve;                        /* of PUBLIC_EC: its dotted identifier */
	struct slice parts[PUBLIC_KEY_PARTS_MAX]; /* numbers are big endian */
};
/* Fills `out` as above. ERR_MALFORMED: it is no such key, or of a curve that GnuTLS does not know. */
enum err public_key_read(const struct public_key *half, struct key_record *out) MUST_CHECK;

#endif
