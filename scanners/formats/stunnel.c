/* stunnel's configuration (stunnel(8)): a service with client = yes presents its certificate. */
#include "scanners/formats/config_lines.h"

#include <strings.h>

static const struct config_key keys[] = {
	{ "cert", REFERENCE_SERVER_CERTIFICATE, false },
	{ "key", REFERENCE_SERVER_KEY, false },
	{ "CAfile", REFERENCE_CLIENT_CA, false },
	{ "CApath", REFERENCE_CLIENT_CA, true },
	{ "CRLfile", REFERENCE_CRL, false },
	{ NULL, REFERENCE_SERVER, false },
};

static const char *const witnesses[] = { "accept", "connect", NULL };

static bool mean_server(struct slice section, enum reference_role *role)
{
	(void)section;
	(void)role;
	return true;
}

static bool mean_client(struct slice section, enum reference_role *role)
{
	(void)section;
	if (*role == REFERENCE_SERVER_CERTIFICATE)
		*role = REFERENCE_CLIENT_CERTIFICATE;
	else if (*role == REFERENCE_SERVER_KEY)
		*role = REFERENCE_CLIENT_KEY;
	else if (*role == REFERENCE_CLIENT_CA)
		*role = REFERENCE_TRUST;
	return true;
}

/* Whole files are of one kind nearly always; where any service is a client's, this one is taken as such. */
static bool has_client(struct slice text)
{
	struct slice line;
	uint32_t n = 0;

	while (config_line(&text, &line, &n)) {
		line = config_trim(line);
		if (line.size < 9 || strncasecmp((const char *)line.data, "client", 6) != 0)
			continue;
		line = config_trim(slice_after(line, 6));
		if (line.size && line.data[0] == '=' &&
			config_is_any_case(config_trim(slice_after(line, 1)), "yes"))
			return true;
	}
	return false;
}

static bool read_text(struct config *c)
{
	struct config_language language = { .keys = keys,
		.comments = "#;",
		.separator = CONFIG_EQUALS,
		.has_sections = true,
		.is_any_case = true,
		.witnesses = witnesses,
		.mean = has_client(c->in->bytes) ? mean_client : mean_server };

	return config_lines_read(c, &language);
}

static enum format_answer parse(const struct format_input *in, const struct format_sink *sink)
{
	return config_parse(in, sink, read_text);
}

static const char *const markers[] = { "\ncert ", "\ncert=", NULL };

extern const struct format format_stunnel;
const struct format format_stunnel = {
	.name = "stunnel",
	.help = "stunnel's configuration: the files of its servers and clients",
	.config_markers = markers,
	.parse = parse,
};
