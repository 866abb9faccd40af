/* What a token holds, as it crosses from the token role to the parser inside a FINDING_TOKEN. Certificates
 * are DER still: the role parses none. */
#ifndef LEAFWATCH_SCANNERS_TOKEN_FINDING_H
#define LEAFWATCH_SCANNERS_TOKEN_FINDING_H

#include "agent/base/buffer.h"
#include "agent/base/err.h"
#include "agent/base/slice.h"
#include "agent/base/wire.h"

#include <stdbool.h>

#define TOKEN_FORMAT "pkcs11" /* location.format */

/* One certificate of it; what is text is owned after decoding, borrowed for encoding. */
struct token_certificate {
	char *uri;     /* RFC 7512, without query */
	char *label;   /* or NULL */
	char *key_uri; /* of its private key on the token, or NULL */
	bool is_trusted;
	struct slice der; /* borrowed */
};

/* The bytes of a finding are certificates one after another. */
void token_certificate_encode(struct buffer *out, const struct token_certificate *c);
/* The next one; false at the end, or where the bytes are no good (w->bad). */
bool token_certificate_next(struct wire *w, struct token_certificate *out);
void token_certificate_fini(struct token_certificate *c);

#endif
