/* Tomcat's server.xml (tomcat.apache.org, "The HTTP Connector"): keystores and files of connectors. */
#include "scanners/formats/config_xml.h"

/* What Tomcat takes where a keystore has no password said. */
#define STANDARD_PASSWORD "changeit"

struct tomcat {
	struct config *config;
	uint16_t port;  /* of the connector under way */
	bool is_server; /* <Server> was the first element */
};

/* The passwords are of the keystore and of the key in it, and files that hold the former. */
static const struct {
	const char *name;
	enum reference_role role;
	const char *password, *key_password, *password_file;
} attributes[] = {
	{ "keystoreFile", REFERENCE_KEYSTORE, "keystorePass", "keyPass", NULL },
	{ "certificateKeystoreFile", REFERENCE_KEYSTORE, "certificateKeystorePassword",
		"certificateKeyPassword", "certificateKeystorePasswordFile" },
	{ "certificateFile", REFERENCE_SERVER_CERTIFICATE, NULL, NULL, NULL },
	{ "certificateKeyFile", REFERENCE_SERVER_KEY, NULL, "certificateKeyPassword",
		"certificateKeyPasswordFile" },
	{ "SSLCertificateFile", REFERENCE_SERVER_CERTIFICATE, NULL, NULL, NULL },
	{ "SSLCertificateKeyFile", REFERENCE_SERVER_KEY, NULL, "SSLPassword", NULL },
	{ "truststoreFile", REFERENCE_TRUSTSTORE, "truststorePassword", "truststorePass", NULL },
	{ "caCertificateFile", REFERENCE_CLIENT_CA, NULL, NULL, NULL },
	{ "certificateRevocationListFile", REFERENCE_CRL, NULL, NULL, NULL },
};
#define ATTRIBUTES_COUNT (sizeof(attributes) / sizeof(attributes[0]))

static struct slice variable(struct slice value)
{
	static const char *const homes[] = { "${catalina.base}/", "${catalina.home}/" };

	/* Both are where the configuration's folder lies in, and so is a relative name. */
	for (size_t i = 0; i < sizeof(homes) / sizeof(homes[0]); i++)
		if (slice_starts(value, homes[i], strlen(homes[i])))
			return slice_after(value, strlen(homes[i]));
	return value;
}

static struct slice value_of(const struct xml_element *e, const char *name)
{
	const struct xml_attribute *a = name ? xml_attribute(e, name) : NULL;

	return a ? a->value : slice_of(NULL, 0);
}

static void take_file(
	struct tomcat *t, const struct xml_element *e, const struct xml_attribute *a, size_t which)
{
	struct buffer passwords[2];
	struct draft d = { .role = attributes[which].role,
		.directive = a->name,
		.line = a->line,
		.file = variable(a->value),
		.password_file = variable(value_of(e, attributes[which].password_file)),
		.ports = &t->port,
		.ports_count = t->port ? 1 : 0 };

	buffer_init(&passwords[0], CONFIG_WORD_BYTES_MAX);
	buffer_init(&passwords[1], CONFIG_WORD_BYTES_MAX);
	xml_value(&passwords[0], value_of(e, attributes[which].password));
	xml_value(&passwords[1], value_of(e, attributes[which].key_password));
	if (d.role == REFERENCE_KEYSTORE && !passwords[0].size && !d.password_file.size)
		buffer_text(&passwords[0], STANDARD_PASSWORD);
	for (size_t i = 0; i < 2; i++)
		if (buffer_status(&passwords[i]) == ERR_OK)
			d.passwords[i] = buffer_bytes(&passwords[i]);
	config_add(t->config, &d);
	buffer_wipe(&passwords[0]);
	buffer_wipe(&passwords[1]);
}

static void take_element(void *arg, const struct xml_element *e)
{
	struct tomcat *t = arg;
	const struct xml_attribute *port;

	if (!e->is_start)
		return;
	if (config_is(e->name, "Server"))
		t->is_server = true;
	port = config_is(e->name, "Connector") ? xml_attribute(e, "port") : NULL;
	if (port)
		t->port = config_port(port->value);
	if (!t->is_server ||
		(!config_is(e->name, "Connector") && !config_is(e->name, "Certificate") &&
			!config_is(e->name, "SSLHostConfig")))
		return;
	for (size_t i = 0; i < e->count; i++)
		for (size_t k = 0; k < ATTRIBUTES_COUNT; k++)
			if (config_is(e->attributes[i].name, attributes[k].name))
				take_file(t, e, &e->attributes[i], k);
}

static bool read_text(struct config *c)
{
	static const char *const folders[] = { "conf" };
	struct tomcat t = { .config = c };

	config_base_above(c, folders, 1);
	return config_xml_read(c, take_element, &t) && t.is_server;
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
