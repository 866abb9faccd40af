/* Public keys and signature algorithms by their names. Private to this folder. */
#ifndef LEAFWATCH_CERTIFICATE_KEY_H
#define LEAFWATCH_CERTIFICATE_KEY_H

#include "agent/base/slice.h"
#include "agent/certificate/der.h"

#include <stdint.h>

#define KEY_NAME_BYTES DER_OID_TEXT_BYTES

/* Of a SubjectPublicKeyInfo (with its header): "RSA", "ECDSA", "Ed25519" ..., else the dotted OID,
 * "unknown" where there is none; and the bits, 0 where not known. */
void key_read(struct slice spki, char algorithm[KEY_NAME_BYTES], uint32_t *bits);

/* Of an AlgorithmIdentifier's content: "RSA-SHA256", "ECDSA-SHA384", "Ed25519", "RSA-PSS-SHA256",
 * else the dotted OID, "unknown" where there is none. */
void key_signature(struct slice identifier, char name[KEY_NAME_BYTES]);

#endif
