/* A client certificate of ours, ready to be presented. */
#ifndef LEAFWATCH_SCANNERS_NETWORK_TLS_OWN_H
#define LEAFWATCH_SCANNERS_NETWORK_TLS_OWN_H

#include "agent/base/buffer.h"
#include "agent/certificate/record.h"
#include "agent/process/messages.h"
#include "scanners/network/identity.h"
#include "scanners/network/remote_key.h"

#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <stdbool.h>

#define OWN_FAILURE_BYTES 256

#define OWN_CHAIN_MAX 16

struct tls_own {
	struct strings targets;                       /* owned */
	char *uri;                                    /* owned */
	gnutls_certificate_credentials_t credentials; /* owned; NULL where it cannot be used: */
	enum reason reason;
	char failure[OWN_FAILURE_BYTES];
	uint8_t fingerprint[FINGERPRINT_BYTES];
	struct buffer pem; /* the chain, without the key; owned */
	/* Its key is in a token (NULL: it is not): */
	struct remote_keys *remote; /* borrowed */
	uint16_t number;
	char *key_uri; /* owned */
	bool is_opening; /* main has not said yet whether it can be used; nothing of the rest is there then */
	bool has_failed;                      /* it cannot, or not any more: the reason is above */
	gnutls_pcert_st chain[OWN_CHAIN_MAX]; /* owned */
	unsigned chain_count;
	uint32_t algorithm;
	uint32_t bits;
	bool has_pss;
	struct buffer
		token; /* owned: the certificate as a token_finding, where it is in the token too */
};

/* What cannot be parsed or does not fit its key is no error but noted in it. `remote` is NULL or for a key in a token
 * of this number. */
enum err tls_own_init(struct tls_own *own, const struct identity *from, struct remote_keys *remote,
	uint16_t number) MUST_CHECK;
void tls_own_fini(struct tls_own *own);
/* Can it be presented? */
bool tls_own_is_usable(const struct tls_own *own);
void tls_own_fail(struct tls_own *own, enum reason reason, const char *text);

/* tls_own_token.c */

/* Its certificate from a file, its key in a token. */
enum err tls_own_init_token(struct tls_own *own, const struct identity *from) MUST_CHECK;
/* Main's word on the key: then it can be presented, or the reason why not is noted. */
enum err tls_own_opened(struct tls_own *own, const struct key_answer *answer) MUST_CHECK;
void tls_own_fini_token(struct tls_own *own);

#endif
