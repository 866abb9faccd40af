/* Tomcat's server.xml (tomcat.apache.org, "The HTTP Connector"): keystores and files of connectors. */
#include "scanners/formats/config.h"

#include <ctype.h>

#define ATTRIBUTES_MAX 64

struct attribute {
	struct slice name;
	struct slice value;
	uint32_t line;
};

struct element {
	struct slice name;
	struct attribute attributes[ATTRIBUTES_MAX];
	size_t count;
};

struct tomcat {
	struct config *config;
	struct slice left;
	uint32_t line;
	uint16_t port;  /* of the connector under way */
	bool is_server; /* <Server> was the first element */
};

static const struct {
	const char *name;
	enum reference_role role;
} attributes[] = {
	{ "keystoreFile", REFERENCE_KEYSTORE },
	{ "certificateKeystoreFile", REFERENCE_KEYSTORE },
	{ "certificateFile", REFERENCE_SERVER_CERTIFICATE },
	{ "certificateKeyFile", REFERENCE_SERVER_KEY },
	{ "SSLCertificateFile", REFERENCE_SERVER_CERTIFICATE },
	{ "SSLCertificateKeyFile", REFERENCE_SERVER_KEY },
	{ "truststoreFile", REFERENCE_TRUSTSTORE },
	{ "caCertificateFile", REFERENCE_CLIENT_CA },
	{ "certificateRevocationListFile", REFERENCE_CRL },
};

static void advance(struct tomcat *t, size_t size)
{
	for (size_t i = 0; i < size && i < t->left.size; i++)
		t->line += t->left.data[i] == '\n';
	t->left = slice_after(t->left, size);
}

static bool skip_past(struct tomcat *t, const char *end)
{
	const uint8_t *at =
		t->left.size ? memmem(t->left.data, t->left.size, end, strlen(end)) : NULL;

	if (!at)
		return false;
	advance(t, (size_t)(at - t->left.data) + strlen(end));
	return true;
}

static void skip_blanks(struct tomcat *t)
{
	size_t size = 0;

	while (size < t->left.size && isspace(t->left.data[size]))
		size++;
	advance(t, size);
}

static struct slice take_name(struct tomcat *t)
{
	struct slice name = { .data = t->left.data };

	while (name.size < t->left.size &&
		(isalnum(name.data[name.size]) || strchr("_.:-", name.data[name.size])) &&
		name.data[name.size])
		name.size++;
	advance(t, name.size);
	return name;
}

/* ` name="value"` until the element's end. */
static bool take_attributes(struct tomcat *t, struct element *e)
{
	for (;;) {
		struct attribute a;
		const uint8_t *end;

		skip_blanks(t);
		if (!t->left.size)
			return false;
		if (t->left.data[0] == '>' || t->left.data[0] == '/' || t->left.data[0] == '?')
			return skip_past(t, ">");
		a.line = t->line;
		a.name = take_name(t);
		skip_blanks(t);
		if (!a.name.size || t->left.size < 3 || t->left.data[0] != '=')
			return false;
		advance(t, 1);
		skip_blanks(t);
		if (t->left.size < 2 || (t->left.data[0] != '"' && t->left.data[0] != '\''))
			return false;
		end = memchr(t->left.data + 1, t->left.data[0], t->left.size - 1);
		if (!end)
			return false;
		a.value = slice_of(t->left.data + 1, (size_t)(end - t->left.data) - 1);
		advance(t, a.value.size + 2);
		if (e->count < ATTRIBUTES_MAX)
			e->attributes[e->count++] = a;
	}
}

static struct slice variable(struct slice value)
{
	static const char *const homes[] = { "${catalina.base}/", "${catalina.home}/" };

	/* Both are where the configuration's folder lies in, and so is a relative name. */
	for (size_t i = 0; i < sizeof(homes) / sizeof(homes[0]); i++)
		if (slice_starts(value, homes[i], strlen(homes[i])))
			return slice_after(value, strlen(homes[i]));
	return value;
}

static void take_element(struct tomcat *t, const struct element *e)
{
	if (config_is(e->name, "Server"))
		t->is_server = true;
	for (size_t i = 0; i < e->count && config_is(e->name, "Connector"); i++)
		if (config_is(e->attributes[i].name, "port"))
			t->port = config_port(e->attributes[i].value);
	if (!t->is_server ||
		(!config_is(e->name, "Connector") && !config_is(e->name, "Certificate") &&
			!config_is(e->name, "SSLHostConfig")))
		return;
	for (size_t i = 0; i < e->count; i++) {
		const struct attribute *a = &e->attributes[i];

		for (size_t k = 0; k < sizeof(attributes) / sizeof(attributes[0]); k++) {
			struct draft d = { .role = attributes[k].role,
				.directive = a->name,
				.line = a->line,
				.file = variable(a->value),
				.ports = &t->port,
				.ports_count = t->port ? 1 : 0 };

			if (config_is(a->name, attributes[k].name))
				config_add(t->config, &d);
		}
	}
}

static bool read_text(struct config *c)
{
	static const char *const folders[] = { "conf" };
	struct tomcat t = { .config = c, .left = c->in->bytes, .line = 1 };

	config_base_above(c, folders, 1);
	skip_blanks(&t);
	if (!t.left.size || t.left.data[0] != '<')
		return false;
	while (c->status == ERR_OK && skip_past(&t, "<")) {
		struct element e = { .count = 0 };

		if (slice_starts(t.left, "!--", 3)) {
			if (!skip_past(&t, "-->"))
				return false;
			continue;
		}
		if (t.left.size && (t.left.data[0] == '/' || t.left.data[0] == '!')) {
			if (!skip_past(&t, ">"))
				return false;
			continue;
		}
		if (t.left.size && t.left.data[0] == '?')
			advance(&t, 1);
		e.name = take_name(&t);
		if (!e.name.size || !take_attributes(&t, &e))
			return false;
		take_element(&t, &e);
	}
	return t.is_server;
}

static enum format_answer parse(const struct format_input *in, const struct format_sink *sink)
{
	return config_parse(in, sink, read_text);
}

static const char *const markers[] = { "eystoreFile=", "ertificateFile", NULL };

extern const struct format format_tomcat;
const struct format format_tomcat = {
	.name = "tomcat",
	.help = "Tomcat's server.xml: keystores and files of its connectors",
	.config_markers = markers,
	.parse = parse,
};
