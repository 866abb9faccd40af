/* Apache's configuration (httpd.apache.org, mod_ssl): virtual hosts, their names, their files. */
#include "scanners/formats/config.h"

#include <ctype.h>
#include <strings.h>

struct host {
	struct drafts drafts;
	struct strings names;
	uint16_t ports[REFERENCE_PORTS_MAX];
	size_t ports_count;
	uint32_t line;
	bool is_tls;
};

struct apache {
	struct config *config;
	uint32_t line;
	unsigned depth;
	unsigned host_depth; /* depth within the virtual host; 0 = outside */
	bool is_continued;
	struct host host;
};

static const struct {
	const char *name;
	enum reference_role role;
	bool is_folder;
} directives[] = {
	{ "SSLCertificateFile", REFERENCE_SERVER_CERTIFICATE, false },
	{ "SSLCertificateKeyFile", REFERENCE_SERVER_KEY, false },
	{ "SSLCertificateChainFile", REFERENCE_SERVER_CERTIFICATE, false },
	{ "SSLCACertificateFile", REFERENCE_CLIENT_CA, false },
	{ "SSLCACertificatePath", REFERENCE_CLIENT_CA, true },
	{ "SSLCADNRequestFile", REFERENCE_CLIENT_CA, false },
	{ "SSLCARevocationFile", REFERENCE_CRL, false },
	{ "SSLCARevocationPath", REFERENCE_CRL, true },
	{ "SSLProxyMachineCertificateFile", REFERENCE_CLIENT_CERTIFICATE, false },
	{ "SSLProxyMachineCertificatePath", REFERENCE_CLIENT_CERTIFICATE, true },
	{ "SSLProxyCACertificateFile", REFERENCE_TRUST, false },
	{ "SSLProxyCACertificatePath", REFERENCE_TRUST, true },
	{ "SSLProxyCARevocationFile", REFERENCE_CRL, false },
};

static const char *const folders[] = { "sites-enabled", "sites-available", "conf-enabled",
	"conf-available", "mods-enabled", "mods-available", "conf.d", "conf.modules.d", "vhosts.d",
	"conf", "extra" };

static void take_file(struct apache *a, struct slice directive, struct slice value, size_t which)
{
	struct draft d = { .role = directives[which].role,
		.directive = directive,
		.line = a->line,
		.file = value,
		.is_folder = directives[which].is_folder };

	if (!a->host_depth)
		config_add(a->config, &d);
	else
		config_keep(a->config, &a->host.drafts, &d);
}

/* "https://www.example.org:443" is how the server sees itself: the name in it. */
static void take_name(struct apache *a, struct slice value)
{
	const uint8_t *colon;

	if (value.size > 8 && strncasecmp((const char *)value.data, "https://", 8) == 0)
		value = slice_after(value, 8);
	colon = value.size ? memchr(value.data, ':', value.size) : NULL;
	if (colon)
		value.size = (size_t)(colon - value.data);
	if (a->config->status == ERR_OK)
		config_add_name(a->config, &a->host.names, value);
}

static void take_directive(struct apache *a, struct slice line)
{
	struct slice rest = line;
	struct slice directive = config_word(&rest);
	struct slice value = config_word(&rest);

	if (config_is_any_case(directive, "ServerRoot"))
		config_base(a->config, value);
	if (a->host_depth && config_is_any_case(directive, "SSLEngine"))
		a->host.is_tls = config_is_any_case(value, "on");
	if (a->host_depth && config_is_any_case(directive, "ServerName"))
		take_name(a, value);
	if (a->host_depth && config_is_any_case(directive, "ServerAlias"))
		for (; value.size; value = config_word(&rest))
			take_name(a, value);
	for (size_t i = 0; i < sizeof(directives) / sizeof(directives[0]); i++)
		if (config_is_any_case(directive, directives[i].name))
			take_file(a, directive, value, i);
}

static void end_host(struct apache *a)
{
	struct host *h = &a->host;
	bool has_certificate = false;

	for (size_t i = 0; i < h->drafts.count; i++) {
		struct draft *d = &h->drafts.items[i];

		has_certificate = has_certificate || d->role == REFERENCE_SERVER_CERTIFICATE;
		d->names = &h->names;
		d->ports = h->ports;
		d->ports_count = h->is_tls ? h->ports_count : 0;
		config_add(a->config, d);
	}
	if (!has_certificate && h->is_tls && h->ports_count && h->names.count) {
		struct draft d = { .role = REFERENCE_SERVER,
			.directive = slice_text("VirtualHost"),
			.line = h->line,
			.names = &h->names,
			.ports = h->ports,
			.ports_count = h->ports_count };

		config_add(a->config, &d);
	}
	strings_fini(&h->names);
	drafts_fini(&h->drafts);
	*h = (struct host){ 0 };
}

/* Sections begin with one of these. */
static bool is_section(struct slice name)
{
	static const char *const starts[] = { "If", "VirtualHost", "Directory", "Files", "Location",
		"Proxy", "Limit", "Macro", "Else", "Require", "Authn", "Authz", "Perl", "MD",
		"Define" };

	for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++)
		if (name.size >= strlen(starts[i]) &&
			strncasecmp((const char *)name.data, starts[i], strlen(starts[i])) == 0)
			return true;
	return false;
}

static bool take_section(struct apache *a, struct slice line)
{
	bool is_end = line.size > 2 && line.data[1] == '/';
	struct slice rest = slice_of(line.data + 1 + is_end, line.size - 2 - is_end);
	struct slice name = config_word(&rest);

	if (line.data[line.size - 1] != '>' || !is_section(name))
		return false;
	if (is_end) {
		if (!a->depth)
			return false;
		if (a->depth == a->host_depth) {
			end_host(a);
			a->host_depth = 0;
		}
		a->depth--;
		return true;
	}
	a->depth++;
	if (config_is_any_case(name, "VirtualHost") && !a->host_depth) {
		struct slice word;

		a->host_depth = a->depth;
		a->host.line = a->line;
		while ((word = config_word(&rest)).size)
			config_add_port(
				a->config, a->host.ports, &a->host.ports_count, config_port(word));
	}
	return true;
}

/* Directives are written with a capital, but for those of a few modules; sentences end in a stop. */
static bool is_directive(struct slice line)
{
	size_t size = 0;

	while (size < line.size && (isalnum(line.data[size]) || line.data[size] == '_'))
		size++;
	if (size < 3 || !isalpha(line.data[0]))
		return false;
	if (size < line.size && line.data[size] != ' ' && line.data[size] != '\t')
		return false;
	return isupper(line.data[0]) || memchr(line.data, '_', size);
}

static bool take_line(struct apache *a, struct slice line)
{
	bool was_continued = a->is_continued;

	line = config_trim(line);
	a->is_continued = line.size && line.data[line.size - 1] == '\\';
	if (!line.size || line.data[0] == '#' || was_continued)
		return true;
	if (line.data[0] == '<')
		return line.size > 2 && take_section(a, line);
	if (!is_directive(line))
		return false;
	take_directive(a, line);
	return true;
}

static bool read_text(struct config *c)
{
	struct apache a = { .config = c };
	struct slice left = c->in->bytes;
	struct slice line;
	bool is_good = true;

	if (!c->base)
		config_base_above(c, folders, sizeof(folders) / sizeof(folders[0]));
	while (is_good && c->status == ERR_OK && config_line(&left, &line, &a.line))
		is_good = take_line(&a, line);
	if (c->is_cut && a.host_depth)
		end_host(&a);
	strings_fini(&a.host.names);
	drafts_fini(&a.host.drafts);
	return is_good && (!a.depth || c->is_cut);
}

static enum format_answer parse(const struct format_input *in, const struct format_sink *sink)
{
	return config_parse(in, sink, read_text);
}

static const char *const markers[] = { "ertificateFile", NULL };

extern const struct format format_apache;
const struct format format_apache = {
	.name = "apache",
	.help = "Apache's configuration: virtual hosts, their names and ports, and the files that they use",
	.config_markers = markers,
	.parse = parse,
};
