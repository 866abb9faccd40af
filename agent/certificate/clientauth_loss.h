/* Public CAs that no longer put clientAuth into new certificates, and since when. */
#ifndef LEAFWATCH_CERTIFICATE_CLIENTAUTH_LOSS_H
#define LEAFWATCH_CERTIFICATE_CLIENTAUTH_LOSS_H

#include "agent/base/err.h"

#include <stdbool.h>
#include <stdint.h>

struct clientauth_loss {
	const char *who; /* static, for people */
	bool is_of_all;  /* the rule for every publicly trusted CA, not this one's own */
	int64_t since;   /* a certificate issued anew from then on has none */
};

/* What will happen to a certificate of this issuer (RFC 4514) when it is issued anew, provided that the
 * issuer is publicly trusted. */
enum err clientauth_loss_of(const char *issuer, struct clientauth_loss *out) MUST_CHECK;

#endif
