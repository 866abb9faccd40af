/* WildFly's and JBoss EAP's standalone.xml (docs.wildfly.org, "Elytron Security", and the security realms before
 * it): keystores, and the passwords beside them. */
#include "scanners/formats/config_xml.h"

#define NAMESPACE "urn:jboss:domain:"

/* One keystore under way; of Elytron's the parts are elements of their own. */
struct store {
	struct slice path;
	struct slice relative_to;
	struct slice passwords[2];
	struct slice directive;
	uint32_t line;
	enum reference_role role;
};

struct wildfly {
	struct config *config;
	struct store store;
	bool is_in_store;
	bool is_server;
};

static struct slice value_of(const struct xml_element *e, const char *name)
{
	const struct xml_attribute *a = xml_attribute(e, name);

	return a ? a->value : slice_of(NULL, 0);
}

/* Where a name is meant from: the folders beside the one that the configuration lies in. */
static bool put_base(const struct config *c, struct slice name, struct buffer *out)
{
	static const struct {
		const char *name, *path;
	} folders[] = {
		{ "jboss.server.config.dir", "" },
		{ "jboss.domain.config.dir", "" },
		{ "jboss.server.base.dir", "/.." },
		{ "jboss.domain.base.dir", "/.." },
		{ "jboss.server.data.dir", "/../data" },
		{ "jboss.domain.data.dir", "/../data" },
		{ "jboss.home.dir", "/../.." },
	};

	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++)
		if (config_is(name, folders[i].name)) {
			buffer_text(out, c->own);
			buffer_text(out, folders[i].path);
			return true;
		}
	return false;
}

static void tell(struct wildfly *w, const struct store *s)
{
	struct buffer base, passwords[2];
	struct draft d = {
		.role = s->role, .directive = s->directive, .line = s->line, .file = s->path
	};

	buffer_init(&base, 2 * CONFIG_WORD_BYTES_MAX);
	for (size_t i = 0; i < 2; i++) {
		buffer_init(&passwords[i], CONFIG_WORD_BYTES_MAX);
		/* An expression is somebody else's to resolve. */
		if (!slice_starts(s->passwords[i], "${", 2))
			xml_value(&passwords[i], s->passwords[i]);
		if (buffer_status(&passwords[i]) == ERR_OK)
			d.passwords[i] = buffer_bytes(&passwords[i]);
	}
	if (slice_starts(s->path, "/", 1) || put_base(w->config, s->relative_to, &base)) {
		d.base = buffer_bytes(&base);
		config_add(w->config, &d);
	}
	buffer_fini(&base);
	buffer_wipe(&passwords[0]);
	buffer_wipe(&passwords[1]);
}

/* <keystore path= relative-to= keystore-password= key-password=/>, and <truststore .../>. */
static void take_realm(struct wildfly *w, const struct xml_element *e, enum reference_role role)
{
	const struct xml_attribute *path = xml_attribute(e, "path");
	struct store s = { .role = role,
		.relative_to = value_of(e, "relative-to"),
		.passwords = { value_of(e, "keystore-password"), value_of(e, "key-password") } };

	if (!path)
		return;
	s.path = path->value;
	s.directive = path->name;
	s.line = path->line;
	tell(w, &s);
}

/* <key-store name=><credential-reference clear-text=/><file path= relative-to=/></key-store> */
static void take_elytron(struct wildfly *w, const struct xml_element *e)
{
	const struct xml_attribute *path = xml_attribute(e, "path");

	if (config_is(e->name, "credential-reference")) {
		w->store.passwords[0] = value_of(e, "clear-text");
	} else if (config_is(e->name, "file") && path) {
		w->store.path = path->value;
		w->store.directive = path->name;
		w->store.line = path->line;
		w->store.relative_to = value_of(e, "relative-to");
	}
}

static void take_element(void *arg, const struct xml_element *e)
{
	struct wildfly *w = arg;

	if (e->is_start && slice_starts(value_of(e, "xmlns"), NAMESPACE, strlen(NAMESPACE)))
		w->is_server = true;
	if (!w->is_server)
		return;
	if (config_is(e->name, "key-store")) {
		if (e->is_end && w->is_in_store && w->store.path.size)
			tell(w, &w->store);
		w->is_in_store = e->is_start && !e->is_end;
		w->store = (struct store){ .role = REFERENCE_KEYSTORE };
	} else if (w->is_in_store && e->is_start) {
		take_elytron(w, e);
	} else if (e->is_start && config_is(e->name, "keystore")) {
		take_realm(w, e, REFERENCE_KEYSTORE);
	} else if (e->is_start && config_is(e->name, "truststore")) {
		take_realm(w, e, REFERENCE_TRUSTSTORE);
	}
}

static bool read_text(struct config *c)
{
	struct wildfly w = { .config = c };

	return config_xml_read(c, take_element, &w) && w.is_server;
}

static enum format_answer parse(const struct format_input *in, const struct format_sink *sink)
{
	return config_parse(in, sink, read_text);
}

static const char *const markers[] = { NAMESPACE, NULL };

extern const struct format format_wildfly;
const struct format format_wildfly = {
	.name = "wildfly",
	.help = "standalone.xml of WildFly and JBoss: keystores of its realms and of Elytron",
	.config_markers = markers,
	.parse = parse,
};
