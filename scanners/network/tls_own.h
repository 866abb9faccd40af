/* A client certificate of ours, ready to be presented. */
#ifndef LEAFWATCH_SCANNERS_NETWORK_TLS_OWN_H
#define LEAFWATCH_SCANNERS_NETWORK_TLS_OWN_H

#include "agent/base/buffer.h"
#include "agent/certificate/record.h"
#include "scanners/network/identity.h"

#include <gnutls/gnutls.h>

#define OWN_FAILURE_BYTES 256

struct tls_own {
	struct strings targets;                       /* owned */
	char *uri;                                    /* owned */
	gnutls_certificate_credentials_t credentials; /* owned; NULL where it cannot be used: */
	enum reason reason;
	char failure[OWN_FAILURE_BYTES];
	uint8_t fingerprint[FINGERPRINT_BYTES];
	struct buffer pem; /* the chain, without the key; owned */
};

/* What cannot be parsed or does not fit its key is no error but noted in it. */
enum err tls_own_init(struct tls_own *own, const struct identity *from) MUST_CHECK;
void tls_own_fini(struct tls_own *own);

#endif
