/* OpenVPN's configuration (openvpn(8)), inline blocks apart: those are PEM in a text. */
#include "scanners/formats/config_lines.h"

static const struct config_key server_keys[] = {
	{ "cert", REFERENCE_SERVER_CERTIFICATE, false },
	{ "key", REFERENCE_SERVER_KEY, false },
	{ "pkcs12", REFERENCE_KEYSTORE, false },
	{ "ca", REFERENCE_CLIENT_CA, false },
	{ "crl-verify", REFERENCE_CRL, false },
	{ NULL, REFERENCE_SERVER, false },
};
static const struct config_key client_keys[] = {
	{ "cert", REFERENCE_CLIENT_CERTIFICATE, false },
	{ "key", REFERENCE_CLIENT_KEY, false },
	{ "pkcs12", REFERENCE_KEYSTORE, false },
	{ "ca", REFERENCE_TRUST, false },
	{ NULL, REFERENCE_SERVER, false },
};
static const char *const server_witnesses[] = { "server", "tls-server", "server-bridge", NULL };
static const char *const client_witnesses[] = { "client", "tls-client", "remote", NULL };

/* `<ca>` to `</ca>` is content. What remains is one option a line. */
static bool read_as(struct config *c, const struct config_key *keys, const char *const *witnesses)
{
	const struct config_language language = { .keys = keys,
		.comments = "#;<-+/=ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789",
		.separator = CONFIG_BLANK,
		.has_late_comments = true,
		.password_file_key = "askpass",
		.witnesses = witnesses };

	return config_lines_read(c, &language);
}

static bool read_server(struct config *c)
{
	return read_as(c, server_keys, server_witnesses);
}

static bool read_client(struct config *c)
{
	return read_as(c, client_keys, client_witnesses);
}

/* Every OpenVPN configuration says which device it makes. */
static bool has_device(struct slice text)
{
	struct slice line;
	uint32_t n = 0;

	while (config_line(&text, &line, &n))
		if (config_is(config_word(&line), "dev"))
			return true;
	return false;
}

static enum format_answer parse(const struct format_input *in, const struct format_sink *sink)
{
	if (!has_device(in->bytes))
		return FORMAT_NOT_MINE;
	return config_parse(in, sink, read_server) == FORMAT_MINE
		       ? FORMAT_MINE
		       : config_parse(in, sink, read_client);
}

static const char *const markers[] = { "\ncert ", NULL };

extern const struct format format_openvpn;
const struct format format_openvpn = {
	.name = "openvpn",
	.help = "OpenVPN's configuration: the files of server or client",
	.config_markers = markers,
	.parse = parse,
};
