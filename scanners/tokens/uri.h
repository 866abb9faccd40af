/* pkcs11: URIs (RFC 7512) taken apart: what they say of tokens and objects, and how to get at them. */
#ifndef LEAFWATCH_SCANNERS_TOKENS_URI_H
#define LEAFWATCH_SCANNERS_TOKENS_URI_H

#include "agent/base/err.h"
#include "agent/certificate/token.h"

#include <stdbool.h>
#include <stddef.h>

#define TOKEN_URI_BYTES_MAX 4096

/* Path attributes that select (RFC 7512 2.3), and query attributes that are understood. */
enum token_attribute {
	TOKEN_LABEL,
	TOKEN_MANUFACTURER,
	TOKEN_MODEL,
	TOKEN_SERIAL,
	TOKEN_LIBRARY_DESCRIPTION,
	TOKEN_LIBRARY_MANUFACTURER,
	TOKEN_LIBRARY_VERSION,
	TOKEN_OBJECT,
	TOKEN_ID,
	TOKEN_TYPE,
	TOKEN_MODULE_NAME,
	TOKEN_MODULE_PATH,
	TOKEN_PIN_SOURCE,
	TOKEN_ATTRIBUTES_COUNT
};

struct token_value {
	char *bytes; /* owned, decoded; NULL = the attribute is not there. May hold NUL bytes */
	size_t size;
};

struct token_uri {
	struct token_value values[TOKEN_ATTRIBUTES_COUNT];
};

/* ERR_CONFIG with a sentence for what RFC 7512 forbids, for attributes nobody knows, for slots (which
 * name no token), and for a PIN in the URI itself (pin-value), which a list of processes would show. */
enum err token_uri_parse(const char *text, struct token_uri *out, struct why *why) MUST_CHECK;
/* The same of a private key. */
enum err token_uri_parse_key(const char *text, struct token_uri *out, struct why *why) MUST_CHECK;
void token_uri_fini(struct token_uri *u);

/* Does it ask for nothing that the token (its URI with what names the library) says otherwise? */
bool token_uri_has_token(const struct token_uri *wanted, const struct token_uri *token);
/* The same of a certificate: its object and id. */
bool token_uri_has_object(const struct token_uri *wanted, const struct token_uri *object);
/* Does it ask for certain objects, not for all of a token? */
bool token_uri_is_of_object(const struct token_uri *u);
/* Does it say nothing at all: any token will do? */
bool token_uri_is_any(const struct token_uri *u);
/* May the module at `path` have it, by module-name and module-path? */
bool token_uri_has_module(const struct token_uri *wanted, const char *path);
bool token_uri_names_module(const struct token_uri *wanted);
/* The path in pin-source (a path, or a file: URI); NULL where there is none. */
enum err token_uri_pin_file(const struct token_uri *u, char **out, struct why *why) MUST_CHECK;
/* The URI as it is shown and stored: without its query. Owned, NULL when out of memory. */
char *token_uri_place(const char *text);

#endif
