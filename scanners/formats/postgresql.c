/* postgresql.conf (PostgreSQL's manual, 20.3.3 "SSL"); relative names lie in the data directory. */
#include "scanners/formats/config_lines.h"

static const struct config_key keys[] = {
	{ "ssl_cert_file", REFERENCE_SERVER_CERTIFICATE, false },
	{ "ssl_key_file", REFERENCE_SERVER_KEY, false },
	{ "ssl_ca_file", REFERENCE_CLIENT_CA, false },
	{ "ssl_crl_file", REFERENCE_CRL, false },
	{ "ssl_crl_dir", REFERENCE_CRL, true },
	{ NULL, REFERENCE_SERVER, false },
};

static const struct config_language language = { .keys = keys,
	.comments = "#",
	.separator = CONFIG_EITHER,
	.has_late_comments = true,
	.is_any_case = true,
	.base_key = "data_directory" };

static bool read_text(struct config *c)
{
	return config_lines_read(c, &language);
}

static enum format_answer parse(const struct format_input *in, const struct format_sink *sink)
{
	return config_parse(in, sink, read_text);
}

static const char *const markers[] = { "ssl_cert", NULL };

extern const struct format format_postgresql;
const struct format format_postgresql = {
	.name = "postgresql",
	.help = "postgresql.conf: the files that the server uses",
	.config_markers = markers,
	.parse = parse,
};
