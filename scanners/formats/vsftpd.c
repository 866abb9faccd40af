/* vsftpd.conf(5). */
#include "scanners/formats/config_lines.h"

static const struct config_key keys[] = {
	{ "rsa_cert_file", REFERENCE_SERVER_CERTIFICATE, false },
	{ "rsa_private_key_file", REFERENCE_SERVER_KEY, false },
	{ "dsa_cert_file", REFERENCE_SERVER_CERTIFICATE, false },
	{ "ca_certs_file", REFERENCE_CLIENT_CA, false },
	{ NULL, REFERENCE_SERVER, false },
};

static const struct config_language language = {
	.keys = keys, .comments = "#", .separator = CONFIG_EQUALS
};

static bool read_text(struct config *c)
{
	return config_lines_read(c, &language);
}

static enum format_answer parse(const struct format_input *in, const struct format_sink *sink)
{
	return config_parse(in, sink, read_text);
}

static const char *const markers[] = { "cert_file", NULL };

extern const struct format format_vsftpd;
const struct format format_vsftpd = {
	.name = "vsftpd",
	.help = "vsftpd.conf: the files that the server uses",
	.config_markers = markers,
	.parse = parse,
};
