/* MySQL's and MariaDB's option files: a section says whether a server or a client reads it. */
#include "scanners/formats/config_lines.h"

static const struct config_key keys[] = {
	{ "ssl_cert", REFERENCE_SERVER_CERTIFICATE, false },
	{ "ssl_key", REFERENCE_SERVER_KEY, false },
	{ "ssl_ca", REFERENCE_CLIENT_CA, false },
	{ "ssl_capath", REFERENCE_CLIENT_CA, true },
	{ "ssl_crl", REFERENCE_CRL, false },
	{ NULL, REFERENCE_SERVER, false },
};

static bool starts(struct slice s, const char *with)
{
	return slice_starts(s, with, strlen(with));
}

static bool mean(struct slice section, enum reference_role *role)
{
	if (starts(section, "mysqld") || starts(section, "mariadbd") ||
		config_is(section, "server") || config_is(section, "galera") ||
		starts(section, "mariadb-") || config_is(section, "mariadb"))
		return true;
	if (!starts(section, "client") && !starts(section, "mysql") && !starts(section, "mariadb"))
		return false;
	if (*role == REFERENCE_SERVER_CERTIFICATE)
		*role = REFERENCE_CLIENT_CERTIFICATE;
	else if (*role == REFERENCE_SERVER_KEY)
		*role = REFERENCE_CLIENT_KEY;
	else if (*role == REFERENCE_CLIENT_CA)
		*role = REFERENCE_TRUST;
	return true;
}

static const struct config_language language = { .keys = keys,
	.comments = "#;!",
	.separator = CONFIG_EQUALS,
	.has_sections = true,
	.has_late_comments = true,
	.folds_dashes = true,
	.mean = mean };

static bool read_text(struct config *c)
{
	return config_lines_read(c, &language);
}

static enum format_answer parse(const struct format_input *in, const struct format_sink *sink)
{
	return config_parse(in, sink, read_text);
}

static const char *const markers[] = { "ssl-cert", "ssl_cert", NULL };

extern const struct format format_mysql;
const struct format format_mysql = {
	.name = "mysql",
	.help = "option files of MySQL and MariaDB: what server and clients use",
	.config_markers = markers,
	.parse = parse,
};
