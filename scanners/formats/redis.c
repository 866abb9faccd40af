/* redis.conf ("TLS/SSL" in the one that it ships), and Valkey's. */
#include "scanners/formats/config_lines.h"

static const struct config_key keys[] = {
	{ "tls-cert-file", REFERENCE_SERVER_CERTIFICATE, false },
	{ "tls-key-file", REFERENCE_SERVER_KEY, false },
	{ "tls-client-cert-file", REFERENCE_CLIENT_CERTIFICATE, false },
	{ "tls-client-key-file", REFERENCE_CLIENT_KEY, false },
	{ "tls-ca-cert-file", REFERENCE_CLIENT_CA, false },
	{ "tls-ca-cert-dir", REFERENCE_CLIENT_CA, true },
	{ NULL, REFERENCE_SERVER, false },
};

static const struct config_language language = { .keys = keys,
	.comments = "#",
	.separator = CONFIG_BLANK,
	.password_key = "tls-key-file-pass",
	.base_key = "dir" };

static bool read_text(struct config *c)
{
	return config_lines_read(c, &language);
}

static enum format_answer parse(const struct format_input *in, const struct format_sink *sink)
{
	return config_parse(in, sink, read_text);
}

static const char *const markers[] = { "tls-cert", "client-cert", NULL };

extern const struct format format_redis;
const struct format format_redis = {
	.name = "redis",
	.help = "redis.conf: the files that the server uses",
	.config_markers = markers,
	.parse = parse,
};
