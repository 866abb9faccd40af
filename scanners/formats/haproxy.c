/* HAProxy's configuration: "bind ... ssl crt FILE|DIR", "server ... ssl crt FILE". */
#include "scanners/formats/config.h"

struct haproxy {
	struct config *config;
	uint32_t line;
	bool is_global;
	bool has_section;
	struct slice crt_base;
	struct slice ca_base;
};

static bool is_section(struct slice word)
{
	static const char *const names[] = { "global", "defaults", "frontend", "backend", "listen",
		"userlist", "peers", "resolvers", "cache", "mailers", "program", "http-errors",
		"ring", "crt-store", "log-forward", "fcgi-app", "log-profile", "traces" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (config_is(word, names[i]))
			return true;
	return false;
}

/* A line of "bind" or "server": keywords, some with a file behind them. */
struct use {
	struct slice directive;
	bool is_server; /* HAProxy is the client there */
	const uint16_t *ports;
	size_t ports_count;
};

static void take_file(
	struct haproxy *h, const struct use *use, struct slice keyword, struct slice value)
{
	struct draft d = { .directive = use->directive,
		.line = h->line,
		.file = value,
		.base = h->crt_base,
		.ports = use->ports,
		.ports_count = use->ports_count };

	if (config_is(keyword, "crt") || config_is(keyword, "ssl-f-use"))
		d.role = use->is_server ? REFERENCE_CLIENT_CERTIFICATE
					: REFERENCE_SERVER_CERTIFICATE;
	else if (config_is(keyword, "ca-file") || config_is(keyword, "ca-verify-file"))
		d.role = use->is_server ? REFERENCE_TRUST : REFERENCE_CLIENT_CA;
	else if (config_is(keyword, "crl-file"))
		d.role = REFERENCE_CRL;
	else
		return;
	/* "@system-ca", "@store/name". */
	if (!value.size || value.data[0] == '@')
		return;
	if (d.role != REFERENCE_CLIENT_CERTIFICATE && d.role != REFERENCE_SERVER_CERTIFICATE)
		d.base = h->ca_base;
	/* What has no point in its name is a folder, by every habit there is. */
	if (!use->is_server && d.role == REFERENCE_SERVER_CERTIFICATE) {
		const uint8_t *slash = memrchr(value.data, '/', value.size);
		struct slice last =
			slash ? slice_after(value, (size_t)(slash - value.data) + 1) : value;

		d.is_folder = !last.size || !memchr(last.data, '.', last.size);
	}
	config_add(h->config, &d);
}

static void take_use(struct haproxy *h, struct slice directive, struct slice rest)
{
	uint16_t ports[REFERENCE_PORTS_MAX];
	struct use use = {
		.directive = directive, .is_server = !config_is(directive, "bind"), .ports = ports
	};
	struct slice words = rest;
	struct slice word;
	bool is_tls = false;

	while ((word = config_word(&words)).size)
		is_tls = is_tls || config_is(word, "ssl");
	/* Addresses are separated by commas; the port stands behind the last colon of each. */
	word = config_word(&rest);
	while (!use.is_server && is_tls && word.size) {
		const uint8_t *comma = memchr(word.data, ',', word.size);
		size_t size = comma ? (size_t)(comma - word.data) : word.size;

		config_add_port(
			h->config, ports, &use.ports_count, config_port(slice_of(word.data, size)));
		word = slice_after(word, comma ? size + 1 : size);
	}
	while ((word = config_word(&rest)).size) {
		struct slice after = rest;
		struct slice value = config_word(&after);

		take_file(h, &use, word, value);
	}
}

static bool take_line(struct haproxy *h, struct slice line)
{
	const uint8_t *comment = line.size ? memchr(line.data, '#', line.size) : NULL;
	struct slice rest;
	struct slice word;

	if (comment && (comment == line.data || comment[-1] == ' ' || comment[-1] == '\t'))
		line.size = (size_t)(comment - line.data);
	rest = config_trim(line);
	if (!rest.size || rest.data[0] == '.')
		return true; /* ".if" and its kin */
	word = config_word(&rest);
	if (is_section(word)) {
		h->has_section = true;
		h->is_global = config_is(word, "global");
		return true;
	}
	if (!h->has_section)
		return false;
	if (h->is_global && config_is(word, "crt-base"))
		h->crt_base = config_word(&rest);
	else if (h->is_global && config_is(word, "ca-base"))
		h->ca_base = config_word(&rest);
	else if (config_is(word, "bind") || config_is(word, "server") ||
		 config_is(word, "default-server") || config_is(word, "server-template"))
		take_use(h, word, rest);
	return true;
}

static bool read_text(struct config *c)
{
	struct haproxy h = { .config = c };
	struct slice left = c->in->bytes;
	struct slice line;

	while (c->status == ERR_OK && config_line(&left, &line, &h.line))
		if (!take_line(&h, line))
			return false;
	return true;
}

static enum format_answer parse(const struct format_input *in, const struct format_sink *sink)
{
	return config_parse(in, sink, read_text);
}

static const char *const markers[] = { " crt ", NULL };

extern const struct format format_haproxy;
const struct format format_haproxy = {
	.name = "haproxy",
	.help = "HAProxy's configuration: the files that its binds and servers use",
	.config_markers = markers,
	.parse = parse,
};
