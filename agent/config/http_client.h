/* Keys that whatever asks an HTTP server by configuration shares: credentials and the URL's form. */
#ifndef LEAFWATCH_CONFIG_HTTP_CLIENT_H
#define LEAFWATCH_CONFIG_HTTP_CLIENT_H

#include "agent/base/err.h"
#include "agent/config/schema.h"

#include <stdbool.h>

struct http_authorization {
	char *type;
	struct secret credentials;
};
struct http_basic {
	char *username;
	struct secret password;
};
/* Each ends with a NULL key. */
extern const struct schema_field http_authorization_fields[];
extern const struct schema_field http_basic_fields[];

bool http_url_is_spoken(const char *url);
/* One of the two at most. */
enum err http_credentials_check(
	const struct http_authorization *a, const struct http_basic *b, struct why *why) MUST_CHECK;

#endif
