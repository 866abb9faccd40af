/* OpenLDAP: slapd.conf(5), slapd-config(5) as LDIF, and ldap.conf(5) of the clients. */
#include "scanners/formats/config_lines.h"

static const struct config_key server_keys[] = {
	{ "TLSCertificateFile", REFERENCE_SERVER_CERTIFICATE, false },
	{ "TLSCertificateKeyFile", REFERENCE_SERVER_KEY, false },
	{ "TLSCACertificateFile", REFERENCE_CLIENT_CA, false },
	{ "TLSCACertificatePath", REFERENCE_CLIENT_CA, true },
	{ "TLSCRLFile", REFERENCE_CRL, false },
	{ NULL, REFERENCE_SERVER, false },
};

static const char *const witnesses[] = { "include", "moduleload", "database", "pidfile", "argsfile",
	"suffix", NULL };

static const struct config_language language = { .keys = server_keys,
	.comments = "#",
	.separator = CONFIG_BLANK,
	.has_continuations = true,
	.is_any_case = true,
	.witnesses = witnesses };

static bool read_conf(struct config *c)
{
	return config_lines_read(c, &language);
}

/* "olcTLSCertificateFile: /etc/ldap/cert.pem" in an entry of cn=config (RFC 2849). */
static bool read_ldif(struct config *c)
{
	struct slice left = c->in->bytes;
	struct slice line;
	uint32_t number = 0;

	while (config_line(&left, &line, &number)) {
		const uint8_t *colon;
		struct slice name;

		if (!line.size || line.data[0] == '#' || line.data[0] == ' ')
			continue;
		colon = memchr(line.data, ':', line.size);
		if (!colon)
			return line.data[0] == '-' && line.size == 1;
		name = slice_of(line.data, (size_t)(colon - line.data));
		for (const struct config_key *k = server_keys; k->name; k++) {
			struct draft d = { .role = k->role,
				.directive = name,
				.line = number,
				.file = config_trim(slice_after(line, name.size + 1)),
				.is_folder = k->is_folder };

			if (slice_starts(name, "olc", 3) &&
				config_is_any_case(slice_after(name, 3), k->name))
				config_add(c, &d);
		}
	}
	return true;
}

static enum format_answer parse(const struct format_input *in, const struct format_sink *sink)
{
	return config_parse(in, sink, read_ldif) == FORMAT_MINE ? FORMAT_MINE
								: config_parse(in, sink, read_conf);
}

static const char *const markers[] = { "ertificateFile", NULL };

extern const struct format format_slapd;
const struct format format_slapd = {
	.name = "slapd",
	.help = "OpenLDAP's slapd.conf and cn=config: the files that the server uses",
	.config_markers = markers,
	.parse = parse,
};
