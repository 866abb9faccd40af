/* systemd units that hand credentials to a service (systemd.exec(5)). */
#include "scanners/formats/config_lines.h"

struct unit {
	bool is_service;
	bool is_unit; /* every section so far is one of a unit's */
};

static bool take_section(struct unit *u, struct slice line)
{
	static const char *const sections[] = { "[Unit]", "[Service]", "[Install]", "[Socket]",
		"[Mount]", "[Swap]", "[Timer]", "[Path]", "[Slice]", "[Scope]", "[Container]" };

	u->is_service = config_is(line, "[Service]") || config_is(line, "[Socket]") ||
			config_is(line, "[Mount]") || config_is(line, "[Swap]");
	for (size_t i = 0; i < sizeof(sections) / sizeof(sections[0]); i++)
		if (config_is(line, sections[i]))
			return true;
	return slice_starts(line, "[X-", 3);
}

/* "LoadCredential=ID:PATH" and "LoadCredentialEncrypted=". */
static void take_credential(struct config *c, struct slice line, uint32_t number)
{
	const uint8_t *equals = memchr(line.data, '=', line.size);
	struct slice key = slice_of(line.data, (size_t)(equals - line.data));
	struct slice value = config_trim(slice_after(line, key.size + 1));
	const uint8_t *colon = value.size ? memchr(value.data, ':', value.size) : NULL;
	struct draft d = {
		.role = REFERENCE_CREDENTIAL, .directive = config_trim(key), .line = number
	};

	if (!colon || (!config_is(d.directive, "LoadCredential") &&
			      !config_is(d.directive, "LoadCredentialEncrypted")))
		return;
	d.file = slice_after(value, (size_t)(colon - value.data) + 1);
	/* A name alone is looked up in the credential stores. */
	if (d.file.size && d.file.data[0] == '/')
		config_add(c, &d);
}

static bool read_text(struct config *c)
{
	struct unit u = { 0 };
	struct slice left = c->in->bytes;
	struct slice line;
	uint32_t number = 0;
	bool is_continued = false;

	while (config_line(&left, &line, &number)) {
		bool was_continued = is_continued;

		line = config_trim(line);
		is_continued = line.size && line.data[line.size - 1] == '\\';
		if (!line.size || line.data[0] == '#' || line.data[0] == ';' || was_continued)
			continue;
		if (line.data[0] == '[') {
			if (!take_section(&u, line))
				return false;
			u.is_unit = true;
			continue;
		}
		if (!u.is_unit || !memchr(line.data, '=', line.size))
			return false;
		if (u.is_service)
			take_credential(c, line, number);
	}
	return true;
}

static enum format_answer parse(const struct format_input *in, const struct format_sink *sink)
{
	return config_parse(in, sink, read_text);
}

static const char *const markers[] = { "LoadCredential", NULL };

extern const struct format format_systemd;
const struct format format_systemd = {
	.name = "systemd",
	.help = "systemd units: the files that they hand to a service as credentials",
	.config_markers = markers,
	.parse = parse,
};
