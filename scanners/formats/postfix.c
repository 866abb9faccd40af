/* Postfix's main.cf (postconf(5)): what its server shows, what its client presents. */
#include "scanners/formats/config_lines.h"

static const struct config_key keys[] = {
	{ "smtpd_tls_cert_file", REFERENCE_SERVER_CERTIFICATE, false },
	{ "smtpd_tls_key_file", REFERENCE_SERVER_KEY, false },
	{ "smtpd_tls_eccert_file", REFERENCE_SERVER_CERTIFICATE, false },
	{ "smtpd_tls_eckey_file", REFERENCE_SERVER_KEY, false },
	{ "smtpd_tls_chain_files", REFERENCE_SERVER_CERTIFICATE, false },
	{ "smtpd_tls_CAfile", REFERENCE_CLIENT_CA, false },
	{ "smtpd_tls_CApath", REFERENCE_CLIENT_CA, true },
	{ "smtp_tls_cert_file", REFERENCE_CLIENT_CERTIFICATE, false },
	{ "smtp_tls_key_file", REFERENCE_CLIENT_KEY, false },
	{ "smtp_tls_eccert_file", REFERENCE_CLIENT_CERTIFICATE, false },
	{ "smtp_tls_eckey_file", REFERENCE_CLIENT_KEY, false },
	{ "smtp_tls_chain_files", REFERENCE_CLIENT_CERTIFICATE, false },
	{ "smtp_tls_CAfile", REFERENCE_TRUST, false },
	{ "smtp_tls_CApath", REFERENCE_TRUST, true },
	{ "lmtp_tls_cert_file", REFERENCE_CLIENT_CERTIFICATE, false },
	{ "lmtp_tls_key_file", REFERENCE_CLIENT_KEY, false },
	{ "lmtp_tls_eccert_file", REFERENCE_CLIENT_CERTIFICATE, false },
	{ "lmtp_tls_eckey_file", REFERENCE_CLIENT_KEY, false },
	{ "lmtp_tls_chain_files", REFERENCE_CLIENT_CERTIFICATE, false },
	{ "lmtp_tls_CAfile", REFERENCE_TRUST, false },
	{ "lmtp_tls_CApath", REFERENCE_TRUST, true },
	{ NULL, REFERENCE_SERVER, false },
};

static const char *const lists[] = { "smtpd_tls_chain_files", "smtp_tls_chain_files",
	"lmtp_tls_chain_files", NULL };

static const struct config_language language = { .keys = keys,
	.comments = "#",
	.separator = CONFIG_EQUALS,
	.has_continuations = true,
	.lists = lists };

static bool read_text(struct config *c)
{
	return config_lines_read(c, &language);
}

static enum format_answer parse(const struct format_input *in, const struct format_sink *sink)
{
	return config_parse(in, sink, read_text);
}

static const char *const markers[] = { "cert_file", "tls_chain_files", NULL };

extern const struct format format_postfix;
const struct format format_postfix = {
	.name = "postfix",
	.help = "Postfix's main.cf: the files that its server and client use",
	.config_markers = markers,
	.parse = parse,
};
