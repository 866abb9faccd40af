/* Postfix's table of certificates by name (tls_server_sni_maps of postconf(5), the source that "postmap -F" compiles):
 * "mail.example.org /etc/mail.key, /etc/mail.pem". */
#include "scanners/formats/config.h"

#include <ctype.h>
#include <strings.h>

#define NAME_BYTES_MAX 253 /* RFC 1035 2.3.4 */

struct table {
	struct config *config;
	struct slice name;    /* of the entry under way, as written */
	struct strings names; /* owned: the same, as the reference has it */
	size_t files;         /* of the entry */
	uint32_t line;
};

/* Other tables lead from names to files too: only what is named like certificates and keys makes it this one. */
static const char *const ends[] = { ".pem", ".crt", ".cer", ".cert", ".key" };

static bool is_certificate_name(struct slice file)
{
	if (!file.size || file.data[0] != '/')
		return false;
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		size_t size = strlen(ends[i]);

		if (file.size > size + 1 &&
			strncasecmp((const char *)file.data + file.size - size, ends[i], size) == 0)
			return true;
	}
	return false;
}

/* One file may hold keys and certificates; that a key lies by itself only its name tells. */
static enum reference_role role_of(struct slice file)
{
	const uint8_t *last = memrchr(file.data, '/', file.size);
	struct slice name = slice_after(file, (size_t)(last - file.data) + 1);

	for (size_t i = 0; i + 3 <= name.size; i++)
		if (strncasecmp((const char *)name.data + i, "key", 3) == 0)
			return REFERENCE_SERVER_KEY;
	return REFERENCE_SERVER_CERTIFICATE;
}

static bool take_files(struct table *t, struct slice value)
{
	struct slice file;

	while ((file = config_listed(&value)).size) {
		const struct draft d = { .role = role_of(file),
			.directive = t->name,
			.line = t->line,
			.file = file,
			.names = &t->names };

		if (!is_certificate_name(file))
			return false;
		t->files++;
		config_add(t->config, &d);
	}
	return true;
}

/* ".example.org" is what is asked for last, for all names below it: as a certificate has it, "*.example.org". */
static bool take_name(struct table *t, struct slice name)
{
	char wide[NAME_BYTES_MAX + 2];

	strings_fini(&t->names);
	t->names = (struct strings){ 0 };
	t->name = name;
	t->files = 0;
	if (name.size > NAME_BYTES_MAX || !memchr(name.data, '.', name.size))
		return false;
	if (name.data[0] == '.') {
		wide[0] = '*';
		memcpy(wide + 1, name.data, name.size);
		name = slice_of((const uint8_t *)wide, name.size + 1);
	}
	config_add_name(t->config, &t->names, name);
	return t->config->status != ERR_OK || t->names.count;
}

/* postmap(1): a line that begins blank belongs to the one before, and comments to none. */
static bool take_line(struct table *t, struct slice raw)
{
	struct slice line = config_trim(raw);

	if (!line.size || line.data[0] == '#')
		return true;
	if (isblank(raw.data[0]))
		return t->name.size && take_files(t, line);
	/* Each has a file before the next begins. */
	if (t->name.size && !t->files)
		return false;
	return take_name(t, config_word(&line)) && take_files(t, line);
}

static bool read_text(struct config *c)
{
	struct table t = { .config = c };
	struct slice left = c->in->bytes;
	struct slice line;
	bool is_mine = true;

	while (is_mine && c->status == ERR_OK && config_line(&left, &line, &t.line))
		is_mine = take_line(&t, line);
	strings_fini(&t.names);
	return is_mine && t.files;
}

static enum format_answer parse(const struct format_input *in, const struct format_sink *sink)
{
	return config_parse(in, sink, read_text);
}

/* What its lines end with. */
static const char *const markers[] = { ".pem\n", ".crt\n", NULL };

extern const struct format format_postfix_sni;
const struct format format_postfix_sni = {
	.name = "postfix-sni",
	.help = "Postfix's certificates by name: what postmap -F compiles for tls_server_sni_maps",
	.config_markers = markers,
	.parse = parse,
};
