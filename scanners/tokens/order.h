/* A private key in a token that is to sign for the probe: what main tells the token role of it. */
#ifndef LEAFWATCH_SCANNERS_TOKENS_ORDER_H
#define LEAFWATCH_SCANNERS_TOKENS_ORDER_H

#include "agent/base/buffer.h"
#include "agent/process/messages.h"
#include "scanners/tokens/work.h"

#define TOKEN_ORDER_BYTES_MAX (FRAME_BYTES_MAX - 64)
#define TOKEN_ORDER_FILE_BYTES_MAX ((size_t)128 * 1024)
#define TOKEN_ORDER_TIMEOUT_MS 20000 /* to find the key, over all modules */
#define TOKEN_SIGN_MS 5000           /* for one signature: a slow card takes two seconds */

struct token_order {
	/* Modules, PIN, what they may write, and the time to find the key; no wishes. */
	struct token_work work;
	char *certificate;   /* owned: its URI, or NULL: */
	struct buffer file;  /* its bytes, from a file */
	char *key;           /* owned: the key's URI, or NULL: the one beside the certificate */
	bool is_pin_refused; /* the token has refused this PIN before */
};

/* ERR_CONFIG with a sentence for a URI that says what cannot be: of the certificate, and of the key. */
enum err token_order_check_certificate(const char *uri, struct why *why) MUST_CHECK;
enum err token_order_check_key(const char *uri, struct why *why) MUST_CHECK;

/* Gathers what is needed: `certificate` or `key` may be NULL, not both. A PIN that cannot be read is a complaint
 * in it. To be freed whatever happens. */
enum err token_order_gather(const char *certificate, const char *key, struct token_order *out,
	struct why *why) MUST_CHECK;
void token_order_fini(struct token_order *o);
void token_order_encode(struct buffer *out, const struct token_order *o);
enum err token_order_decode(struct slice bytes, struct token_order *out) MUST_CHECK;

#endif
