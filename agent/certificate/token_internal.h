/* What the files about PKCS#11 share: PINs as GnuTLS asks for them, and its errors. */
#ifndef LEAFWATCH_CERTIFICATE_TOKEN_INTERNAL_H
#define LEAFWATCH_CERTIFICATE_TOKEN_INTERNAL_H

#include "agent/base/err.h"

#include <stdbool.h>
#include <stddef.h>

/* A PIN on its way to the token: given once, whatever the library would do after that. */
struct token_pin_given {
	const char *text; /* borrowed */
	unsigned asked;
	bool is_final_try;
};

/* GnuTLS's gnutls_pin_callback_t over one. */
int token_on_pin(void *arg, int attempt, const char *url, const char *label, unsigned flags,
	char *out, size_t max);

/* ERR_PASSWORD for a PIN that was refused, ERR_DENIED for one that is locked, ERR_BUSY where no user is set up (yet). */
enum err token_fail(struct why *why, int code, const char *what) MUST_CHECK;

#endif
