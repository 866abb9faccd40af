/* nginx's configuration (nginx.org, ngx_http_ssl_module and its kin): servers, their names, their files. */
#include "scanners/formats/config.h"

#include <ctype.h>

#define WORDS_MAX              \
	(REFERENCE_NAMES_MAX + \
		2) /* server_name lines may be long: one more than are kept is told */

struct server {
	struct drafts drafts;
	struct slice password_file;
	struct strings names;
	uint16_t ports[REFERENCE_PORTS_MAX];
	size_t ports_count;
	uint16_t plain_ports[REFERENCE_PORTS_MAX]; /* listened on without "ssl" */
	size_t plain_count;
	uint32_t line;
	bool is_all_tls; /* "ssl on;" of old */
};

struct nginx {
	struct config *config;
	struct slice left;
	uint32_t line;
	uint32_t word_line; /* where the directive under way began */
	struct slice words[WORDS_MAX];
	size_t count;
	unsigned depth;
	unsigned
		free_depth; /* depth within a block whose lines are no directives: map, types ...; 0 = outside */
	unsigned server_depth; /* depth within the server block; 0 = outside */
	struct server server;
};

static const char *const folders[] = { "conf.d", "sites-enabled", "sites-available", "snippets",
	"modules-enabled", "default.d", "vhosts.d", "includes" };

/* --- words ------------------------------------------------------------------------------------- */

enum token { TOKEN_WORD, TOKEN_END, TOKEN_OPEN, TOKEN_CLOSE, TOKEN_LAST, TOKEN_BROKEN };

static void advance(struct nginx *n, size_t size)
{
	for (size_t i = 0; i < size; i++)
		n->line += n->left.data[i] == '\n';
	n->left = slice_after(n->left, size);
}

static void skip_blanks(struct nginx *n)
{
	while (n->left.size) {
		const uint8_t *end;

		if (n->left.data[0] == '#') {
			end = memchr(n->left.data, '\n', n->left.size);
			n->left = slice_after(
				n->left, end ? (size_t)(end - n->left.data) : n->left.size);
		} else if (isspace(n->left.data[0])) {
			advance(n, 1);
		} else {
			return;
		}
	}
}

static enum token quoted(struct nginx *n, struct slice *out)
{
	uint8_t quote = n->left.data[0];

	for (size_t i = 1; i < n->left.size; i++) {
		if (n->left.data[i] == '\\')
			i++;
		else if (n->left.data[i] == quote) {
			*out = slice_of(n->left.data + 1, i - 1);
			advance(n, i + 1);
			return TOKEN_WORD;
		}
	}
	return TOKEN_BROKEN;
}

static enum token next_token(struct nginx *n, struct slice *out)
{
	size_t size = 0;

	skip_blanks(n);
	if (!n->left.size)
		return TOKEN_LAST;
	switch (n->left.data[0]) {
	case ';':
		advance(n, 1);
		return TOKEN_END;
	case '{':
		advance(n, 1);
		return TOKEN_OPEN;
	case '}':
		advance(n, 1);
		return TOKEN_CLOSE;
	case '"':
	case '\'':
		return quoted(n, out);
	default:
		break;
	}
	while (size < n->left.size && !isspace(n->left.data[size]) && n->left.data[size] != ';' &&
		n->left.data[size] != '{')
		/* "${name}" and an escaped character are within the word. */
		if (n->left.data[size] == '\\' ||
			(n->left.data[size] == '$' && size + 1 < n->left.size &&
				n->left.data[size + 1] == '{'))
			size += 2;
		else
			size++;
	if (size > n->left.size)
		return TOKEN_BROKEN;
	*out = slice_of(n->left.data, size);
	advance(n, size);
	return TOKEN_WORD;
}

/* --- directives -------------------------------------------------------------------------------- */

static const struct {
	const char *name;
	enum reference_role role;
} directives[] = {
	{ "ssl_certificate", REFERENCE_SERVER_CERTIFICATE },
	{ "ssl_certificate_key", REFERENCE_SERVER_KEY },
	{ "ssl_client_certificate", REFERENCE_CLIENT_CA },
	{ "ssl_trusted_certificate", REFERENCE_TRUST },
	{ "ssl_crl", REFERENCE_CRL },
	{ "proxy_ssl_certificate", REFERENCE_CLIENT_CERTIFICATE },
	{ "proxy_ssl_certificate_key", REFERENCE_CLIENT_KEY },
	{ "proxy_ssl_trusted_certificate", REFERENCE_TRUST },
	{ "proxy_ssl_crl", REFERENCE_CRL },
	{ "grpc_ssl_certificate", REFERENCE_CLIENT_CERTIFICATE },
	{ "grpc_ssl_certificate_key", REFERENCE_CLIENT_KEY },
	{ "grpc_ssl_trusted_certificate", REFERENCE_TRUST },
	{ "grpc_ssl_crl", REFERENCE_CRL },
	{ "uwsgi_ssl_certificate", REFERENCE_CLIENT_CERTIFICATE },
	{ "uwsgi_ssl_certificate_key", REFERENCE_CLIENT_KEY },
	{ "uwsgi_ssl_trusted_certificate", REFERENCE_TRUST },
	{ "uwsgi_ssl_crl", REFERENCE_CRL },
};

static void take_file(struct nginx *n, enum reference_role role)
{
	struct draft d = {
		.role = role, .directive = n->words[0], .line = n->word_line, .file = n->words[1]
	};

	if (!n->server_depth)
		config_add(n->config, &d);
	else
		config_keep(n->config, &n->server.drafts, &d);
}

static void take_listen(struct nginx *n)
{
	struct server *s = &n->server;
	bool is_tls = false;
	uint16_t port = config_port(n->words[1]);

	for (size_t i = 2; i < n->count; i++)
		is_tls = is_tls || config_is(n->words[i], "ssl");
	if (is_tls)
		config_add_port(n->config, s->ports, &s->ports_count, port);
	else
		config_add_port(n->config, s->plain_ports, &s->plain_count, port);
}

static void take_names(struct nginx *n)
{
	for (size_t i = 1; i < n->count && n->config->status == ERR_OK; i++) {
		struct slice name = n->words[i];

		/* ".example.org" is the name and all below it. */
		if (name.size > 1 && name.data[0] == '.') {
			char wild[CONFIG_WORD_BYTES_MAX];

			if (name.size + 1 > sizeof(wild))
				continue;
			wild[0] = '*';
			memcpy(wild + 1, name.data, name.size);
			config_add_name(n->config, &n->server.names, slice_of(wild, name.size + 1));
			name = slice_after(name, 1);
		}
		config_add_name(n->config, &n->server.names, name);
	}
}

static bool is_name(struct slice s)
{
	if (!s.size || (!isalpha(s.data[0]) && s.data[0] != '_'))
		return false;
	for (size_t i = 0; i < s.size; i++)
		if (!isalnum(s.data[i]) && s.data[i] != '_')
			return false;
	return true;
}

static bool take_directive(struct nginx *n)
{
	if (n->free_depth)
		return true;
	if (!n->count || !is_name(n->words[0]))
		return false;
	if (n->count >= 2 && n->server_depth && config_is(n->words[0], "listen"))
		take_listen(n);
	else if (n->server_depth && config_is(n->words[0], "server_name"))
		take_names(n);
	else if (n->count == 2 && config_is(n->words[0], "ssl") && config_is(n->words[1], "on"))
		n->server.is_all_tls = true;
	else if (n->count == 2 && config_is(n->words[0], "ssl_password_file"))
		n->server.password_file = n->words[1];
	for (size_t i = 0; n->count == 2 && i < sizeof(directives) / sizeof(directives[0]); i++)
		if (config_is(n->words[0], directives[i].name))
			take_file(n, directives[i].role);
	return true;
}

/* --- blocks ------------------------------------------------------------------------------------ */

static bool is_key_role(enum reference_role role)
{
	return role == REFERENCE_SERVER_KEY || role == REFERENCE_CLIENT_KEY;
}

static void end_server(struct nginx *n)
{
	struct server *s = &n->server;
	bool has_certificate = false;

	for (size_t i = 0; s->is_all_tls && i < s->plain_count; i++)
		config_add_port(n->config, s->ports, &s->ports_count, s->plain_ports[i]);
	for (size_t i = 0; i < s->drafts.count; i++) {
		struct draft *d = &s->drafts.items[i];

		has_certificate = has_certificate || d->role == REFERENCE_SERVER_CERTIFICATE;
		if (is_key_role(d->role))
			d->password_file = s->password_file;
		d->names = &s->names;
		d->ports = s->ports;
		d->ports_count = s->ports_count;
		config_add(n->config, d);
	}
	/* Its certificate is named elsewhere: in the http block, in a snippet. */
	if (!has_certificate && s->ports_count && s->names.count) {
		struct draft d = { .role = REFERENCE_SERVER,
			.directive = slice_text("server"),
			.line = s->line,
			.names = &s->names,
			.ports = s->ports,
			.ports_count = s->ports_count };

		config_add(n->config, &d);
	}
	strings_fini(&s->names);
	drafts_fini(&s->drafts);
	*s = (struct server){ 0 };
}

/* Blocks that may hold what is looked for, blocks that may not, and those whose lines are data. */
static bool is_plain_block(struct slice s)
{
	static const char *const names[] = { "events", "http", "server", "location", "upstream",
		"stream", "mail", "if", "limit_except", "rtmp", "application", "match" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (config_is(s, names[i]))
			return true;
	return false;
}

static bool is_data_block(struct slice s)
{
	static const char *const names[] = { "map", "types", "geo", "split_clients", "charset_map",
		"geoip2" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (config_is(s, names[i]))
			return true;
	return false;
}

/* Code of another language up to its last brace, strings and comments not understood. */
static bool skip_code(struct nginx *n)
{
	unsigned depth = 1;

	for (size_t i = 0; i < n->left.size; i++) {
		if (n->left.data[i] == '{')
			depth++;
		else if (n->left.data[i] == '}' && --depth == 0) {
			advance(n, i + 1);
			return true;
		}
	}
	return false;
}

static bool open_block(struct nginx *n)
{
	struct slice name = n->count ? n->words[0] : slice_of(NULL, 0);
	bool is_data = is_data_block(name) || n->free_depth;

	if (name.size > 10 && memcmp(name.data + name.size - 10, "_lua_block", 10) == 0)
		return skip_code(n);
	if (!is_data && !is_plain_block(name))
		return false;
	if (config_is(name, "server") && n->count != 1 && !is_data)
		return false;
	n->depth++;
	if (is_data && !n->free_depth)
		n->free_depth = n->depth;
	if (config_is(name, "server") && !n->server_depth && !is_data) {
		n->server_depth = n->depth;
		n->server.line = n->word_line;
	}
	return true;
}

static bool close_block(struct nginx *n)
{
	if (!n->depth || n->count)
		return false;
	if (n->depth == n->server_depth) {
		end_server(n);
		n->server_depth = 0;
	}
	if (n->depth == n->free_depth)
		n->free_depth = 0;
	n->depth--;
	return true;
}

static bool take(struct nginx *n, enum token token, struct slice word)
{
	bool is_good = true;

	switch (token) {
	case TOKEN_WORD:
		if (n->count == 0)
			n->word_line = n->line;
		if (n->count < WORDS_MAX)
			n->words[n->count++] = word;
		return true;
	case TOKEN_END:
		is_good = take_directive(n);
		break;
	case TOKEN_OPEN:
		is_good = open_block(n);
		break;
	case TOKEN_CLOSE:
		is_good = close_block(n);
		break;
	default:
		return false;
	}
	n->count = 0;
	return is_good;
}

static bool read_text(struct config *c)
{
	struct nginx n = { .config = c, .left = c->in->bytes, .line = 1 };
	bool is_good = true;

	config_base_above(c, folders, sizeof(folders) / sizeof(folders[0]));
	while (is_good && c->status == ERR_OK) {
		struct slice word = { 0 };
		enum token token = next_token(&n, &word);

		if (token == TOKEN_LAST)
			break;
		is_good = take(&n, token, word);
	}
	if (c->is_cut && n.server_depth)
		end_server(&n);
	strings_fini(&n.server.names);
	drafts_fini(&n.server.drafts);
	return is_good && ((!n.depth && !n.count) || c->is_cut);
}

static enum format_answer parse(const struct format_input *in, const struct format_sink *sink)
{
	return config_parse(in, sink, read_text);
}

static const char *const markers[] = { "ssl_cert", "server_name", NULL };

extern const struct format format_nginx;
const struct format format_nginx = {
	.name = "nginx",
	.help = "nginx's configuration: servers, their names and ports, and the files that they use",
	.config_markers = markers,
	.parse = parse,
};
