/* What a store says of its anchors beside their certificates: OpenSSL's trust settings, p11-kit's attributes.
 * Private to this folder. */
#ifndef LEAFWATCH_CERTIFICATE_TRUST_OBJECTS_H
#define LEAFWATCH_CERTIFICATE_TRUST_OBJECTS_H

#include "agent/base/buffer.h"
#include "agent/base/slice.h"
#include "agent/certificate/record.h"

#include <stdbool.h>
#include <stdint.h>

/* Starts as { .server_until = TIME_UNKNOWN }. */
struct trust_limits {
	bool is_distrusted;
	bool is_unsaid; /* neither trusted nor distrusted: no anchor */
	int64_t server_until; /* servers' certificates that begin later are not trusted, or TIME_UNKNOWN */
	uint16_t purposes; /* EKU_ bits that it is good for; 0: all */
	uint16_t rejected; /* EKU_ bits that it is not good for */
};

/* X509_CERT_AUX, which follows the certificate in a TRUSTED CERTIFICATE of OpenSSL. */
void trust_limits_openssl(struct slice aux, struct trust_limits *out);

#define P11KIT_MARKER "[p11-kit-object-v1]"

/* A section of a p11-kit file: a certificate with its attributes, or an extension for those of a key. */
struct p11kit_object {
	bool is_certificate;
	bool is_extension;
	struct trust_limits limits;
	struct buffer value; /* DER, of `value`; empty where it is PEM */
	struct buffer name;  /* DER of issuer and serial number, where there is no certificate */
	struct slice pem;    /* the first PEM block and what follows, in the text */
};
/* Bytes of the section at the start of `text`. A NUL, which parts files, ends it too. */
size_t p11kit_section(struct slice text);
void p11kit_read(struct slice section, struct p11kit_object *out);
void p11kit_fini(struct p11kit_object *o);

#endif
