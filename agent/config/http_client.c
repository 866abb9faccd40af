/* Keys of HTTP clients. */
#include "agent/config/http_client.h"

#include <stddef.h>
#include <strings.h>

const struct schema_field http_authorization_fields[] = {
	{ .key = "type",
		.type = SCHEMA_TEXT,
		.standard = "Bearer",
		.offset = offsetof(struct http_authorization, type),
		.help = "The scheme named in the Authorization header." },
	{ .key = "credentials",
		.type = SCHEMA_SECRET,
		.offset = offsetof(struct http_authorization, credentials),
		.help = "What follows the scheme." },
	{ 0 },
};

const struct schema_field http_basic_fields[] = {
	{ .key = "username",
		.type = SCHEMA_TEXT,
		.offset = offsetof(struct http_basic, username),
		.help = "The user of HTTP basic authentication." },
	{ .key = "password",
		.type = SCHEMA_SECRET,
		.offset = offsetof(struct http_basic, password),
		.help = "The user's password." },
	{ 0 },
};

bool http_url_is_spoken(const char *url)
{
	return strncasecmp(url, "http://", 7) == 0 || strncasecmp(url, "https://", 8) == 0;
}

enum err http_credentials_check(
	const struct http_authorization *a, const struct http_basic *b, struct why *why)
{
	if (secret_is_set(&a->credentials) && b->username)
		return why_fail(why, ERR_CONFIG, "authorization and basic_auth exclude each other");
	return ERR_OK;
}
