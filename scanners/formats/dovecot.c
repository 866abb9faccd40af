/* Dovecot's settings (doc.dovecot.org, "SSL"): "ssl_cert = </path". */
#include "scanners/formats/config_lines.h"

static const struct config_key keys[] = {
	{ "ssl_cert", REFERENCE_SERVER_CERTIFICATE, false },
	{ "ssl_key", REFERENCE_SERVER_KEY, false },
	{ "ssl_alt_cert", REFERENCE_SERVER_CERTIFICATE, false },
	{ "ssl_alt_key", REFERENCE_SERVER_KEY, false },
	{ "ssl_ca", REFERENCE_CLIENT_CA, false },
	{ "ssl_client_cert", REFERENCE_CLIENT_CERTIFICATE, false },
	{ "ssl_client_key", REFERENCE_CLIENT_KEY, false },
	{ NULL, REFERENCE_SERVER, false },
};

static const struct config_language language = { .keys = keys,
	.comments = "#!",
	.separator = CONFIG_EQUALS,
	.has_blocks = true,
	.name_block = "local_name",
	.password_key = "ssl_key_password",
	.lead = '<' };

static bool read_text(struct config *c)
{
	static const char *const parts[] = { "conf.d" };

	config_base_above(c, parts, 1);
	return config_lines_read(c, &language);
}

static enum format_answer parse(const struct format_input *in, const struct format_sink *sink)
{
	return config_parse(in, sink, read_text);
}

static const char *const markers[] = { "ssl_cert", NULL };

extern const struct format format_dovecot;
const struct format format_dovecot = {
	.name = "dovecot",
	.help = "Dovecot's settings: the files that its server and client use",
	.config_markers = markers,
	.parse = parse,
};
