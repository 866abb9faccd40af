/* TLS settings in YAML: Prometheus and its kin (tls_config, tls_server_config), kubeconfig by file, keystores of
 * Elasticsearch, OpenSearch, Cassandra and Spring Boot. Only the shape "key: value" with its depth is looked at; it is no YAML reader. */
#include "scanners/formats/java_stores.h"

#include <ctype.h>

struct level {
	size_t indent;
	struct slice key;
};

struct yaml {
	struct config *config;
	uint32_t line;
	struct level levels[FORMAT_CONFIG_DEPTH_CEILING];
	size_t depth;
	size_t block_indent; /* of the key whose block text is skipped */
	bool is_block;
	bool is_deep;       /* what is skipped is below more settings than are told apart */
	bool is_kubeconfig; /* "kind: Config" was seen */
	struct java_stores stores;
};

static bool is_in(const struct yaml *y, const char *key)
{
	for (size_t i = 0; i < y->depth; i++)
		if (config_is(y->levels[i].key, key))
			return true;
	return false;
}

static struct slice unquoted(struct slice value)
{
	struct slice rest = value;
	struct slice word = config_word(&rest);

	rest = config_trim(rest);
	return !rest.size || rest.data[0] == '#' ? word : slice_of(NULL, 0);
}

static bool role_in_prometheus(const struct yaml *y, struct slice key, enum reference_role *role)
{
	bool is_server = is_in(y, "tls_server_config") || is_in(y, "http_tls_config") ||
			 is_in(y, "grpc_tls_config");

	if (!is_server && !is_in(y, "tls_config"))
		return false;
	if (config_is(key, "cert_file"))
		*role = is_server ? REFERENCE_SERVER_CERTIFICATE : REFERENCE_CLIENT_CERTIFICATE;
	else if (config_is(key, "key_file"))
		*role = is_server ? REFERENCE_SERVER_KEY : REFERENCE_CLIENT_KEY;
	else if (config_is(key, "client_ca_file"))
		*role = REFERENCE_CLIENT_CA;
	else if (config_is(key, "ca_file"))
		*role = REFERENCE_TRUST;
	else
		return false;
	return true;
}

static bool role_in_kubeconfig(const struct yaml *y, struct slice key, enum reference_role *role)
{
	if (!y->is_kubeconfig)
		return false;
	if (config_is(key, "client-certificate"))
		*role = REFERENCE_CLIENT_CERTIFICATE;
	else if (config_is(key, "client-key"))
		*role = REFERENCE_CLIENT_KEY;
	else if (config_is(key, "certificate-authority"))
		*role = REFERENCE_TRUST;
	else
		return false;
	return true;
}

/* By its keys from the outermost on. */
static void take_setting(struct yaml *y, struct slice key, struct slice value)
{
	struct buffer path;

	buffer_init(&path, JAVA_KEY_BYTES_MAX);
	for (size_t i = 0; i < y->depth; i++) {
		buffer_slice(&path, y->levels[i].key);
		buffer_byte(&path, '.');
	}
	buffer_slice(&path, key);
	if (buffer_status(&path) == ERR_OK)
		java_stores_take(&y->stores, buffer_bytes(&path), key, value, y->line);
	buffer_fini(&path);
}

static void take_value(struct yaml *y, struct slice key, struct slice value)
{
	struct draft d = { .directive = key, .line = y->line, .file = unquoted(value) };

	take_setting(y, key, d.file);
	if (!y->depth && config_is(key, "kind"))
		y->is_kubeconfig = config_is(d.file, "Config");
	if (d.file.size &&
		(role_in_prometheus(y, key, &d.role) || role_in_kubeconfig(y, key, &d.role)))
		config_add(y->config, &d);
}

/* The key at the start of `s`; empty where the line is no "key:". */
static struct slice key_of(struct slice s)
{
	size_t size = 0;

	if (s.size && (s.data[0] == '"' || s.data[0] == '\'')) {
		const uint8_t *end = memchr(s.data + 1, s.data[0], s.size - 1);

		size = end ? (size_t)(end - s.data) + 1 : 0;
	} else {
		while (size < s.size && s.data[size] != ':' && s.data[size] != '#')
			size++;
		while (size < s.size && s.data[size] == ':' && size + 1 < s.size &&
			s.data[size + 1] != ' ' && s.data[size + 1] != '\t') {
			size++;
			while (size < s.size && s.data[size] != ':')
				size++;
		}
	}
	return size < s.size && s.data[size] == ':' ? slice_of(s.data, size) : slice_of(NULL, 0);
}

/* An entry of a list may itself begin with a key: "- job_name: x". */
static struct slice skip_dashes(struct slice s, size_t *indent)
{
	while (s.size > 1 && s.data[0] == '-' && (s.data[1] == ' ' || s.data[1] == '\t')) {
		s = slice_after(s, 1);
		(*indent)++;
		while (s.size && s.data[0] == ' ') {
			s = slice_after(s, 1);
			(*indent)++;
		}
	}
	return s;
}

static bool take_line(struct yaml *y, struct slice line)
{
	size_t indent = 0;
	struct slice key;
	struct slice value;

	while (indent < line.size && line.data[indent] == ' ')
		indent++;
	line = config_trim(slice_after(line, indent));
	if (!line.size || line.data[0] == '#' || config_is(line, "---") || config_is(line, "..."))
		return true;
	if (y->is_block && indent > y->block_indent) {
		if (y->is_deep)
			config_limited(y->config,
				"of settings in one another so deep nothing is read",
				"config_depth");
		return true;
	}
	y->is_block = y->is_deep = false;
	line = skip_dashes(line, &indent);
	while (y->depth && y->levels[y->depth - 1].indent >= indent)
		y->depth--;
	key = key_of(line);
	/* A list's plain entry, a flow's end, the second line of a long text: only below something. */
	if (!key.size)
		return indent > 0 || line.data[0] == ']' || line.data[0] == '}' ||
		       line.data[0] == '-';
	value = config_trim(slice_after(line, key.size + 1));
	if (value.size && (value.data[0] == '|' || value.data[0] == '>')) {
		y->is_block = true;
		y->block_indent = indent;
	} else if (value.size && value.data[0] != '#' && value.data[0] != '&') {
		take_value(y, key, value);
	}
	if (y->depth == (size_t)format_limits_of(y->config->in)->config_depth) {
		y->is_deep = !y->is_block;
		y->block_indent = indent;
		y->is_block = true;
		return true;
	}
	y->levels[y->depth++] = (struct level){ .indent = indent, .key = key };
	return true;
}

static bool read_lines(struct config *c, bool is_kubeconfig)
{
	struct yaml y = { .config = c, .is_kubeconfig = is_kubeconfig };
	struct slice left = c->in->bytes;
	struct slice line;
	bool is_mine = true;

	y.stores.config = c;
	while (is_mine && c->status == ERR_OK && config_line(&left, &line, &y.line))
		is_mine = take_line(&y, line);
	if (!is_mine)
		y.stores.count = 0;
	java_stores_end(&y.stores);
	return is_mine;
}

/* kubectl writes "kind" in the middle. */
static bool read_text(struct config *c)
{
	static const char kind[] = "\nkind: Config";
	const uint8_t *at = memmem(c->in->bytes.data, c->in->bytes.size, kind, sizeof(kind) - 1);

	return read_lines(c, at != NULL);
}

static enum format_answer parse(const struct format_input *in, const struct format_sink *sink)
{
	return config_parse(in, sink, read_text);
}

static const char *const markers[] = { "cert_file", "client-cert", "certificate-authority",
	"tore.path", "tore_filepath", "keystore_password", "key-store", "trust-store", NULL };

extern const struct format format_tls_yaml;
const struct format format_tls_yaml = {
	.name = "tls-yaml",
	.help = "tls_config and tls_server_config of Prometheus and its kin, kubeconfig that names files, Java servers' YAML",
	.config_markers = markers,
	.parse = parse,
};
