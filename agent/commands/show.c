/* leafwatch show: all that is known of one certificate, or of one place. */
#include "agent/commands/start.h"
#include "agent/view.h"

#include "agent/base/clock.h"
#include "agent/base/text.h"
#include "scanners/network/protocol.h"

#include <stdlib.h>
#include <string.h>

#define FINGERPRINT_PREFIX_MIN 6
#define URI_BYTES_MAX (64 * 1024)

struct wanted {
	uint8_t fingerprint[FINGERPRINT_BYTES];
	bool is_certificate;
	struct buffer uri;
};

static bool is_hex(const char *text)
{
	return strlen(text) >= FINGERPRINT_PREFIX_MIN &&
	       strspn(text, "0123456789abcdefABCDEF") == strlen(text);
}

/* "smtp://host" without a port means the standard one, as in a SOURCE. */
static void endpoint_uri(struct buffer *out, const struct protocol *p, const char *host)
{
	const char *bracket = strrchr(host, ']');

	buffer_format(out, "%s://%s", p->name, host);
	if (!strchr(bracket ? bracket : host, ':'))
		buffer_format(out, ":%u", p->port);
}

/* "/path" as file: uri, "host" and "host:port" as tls: uri, a uri as itself. */
static enum err place_uri(const char *word, struct buffer *out, struct why *why)
{
	const char *scheme_end = strstr(word, "://");
	char *absolute = NULL;

	if (scheme_end) {
		const struct protocol *p =
			protocol_find(slice_of(word, (size_t)(scheme_end - word)));

		if (p)
			endpoint_uri(out, p, scheme_end + strlen("://"));
		else
			buffer_text(out, word);
		return buffer_status(out);
	}
	if (word[0] == '/' || word[0] == '.') {
		absolute = realpath(word, NULL);
		buffer_text(out, "file://");
		text_uri_encode(out, slice_text(absolute ? absolute : word));
		free(absolute);
		return buffer_status(out);
	}
	if (strchr(word, ':') || strchr(word, '.') || strcmp(word, "localhost") == 0) {
		endpoint_uri(out, protocols[0], word);
		return buffer_status(out);
	}
	return why_fail(why, ERR_USAGE,
		"\"%s\" is neither a fingerprint (%d hex digits or more) nor a place (/path, host:port, or a location as listed)",
		word, FINGERPRINT_PREFIX_MIN);
}

static enum err look_up(struct inventory *i, const char *word, struct wanted *out, struct why *why)
{
	uint64_t count = 0;
	enum err e;

	if (!is_hex(word))
		return place_uri(word, &out->uri, why);
	e = inventory_find(i, word, &count, out->fingerprint, why);
	if (e != ERR_OK)
		return e;
	if (!count)
		return why_fail(
			why, ERR_NOT_FOUND, "no certificate's fingerprint starts with %s", word);
	if (count > 1)
		return why_fail(why, ERR_USAGE, "%llu fingerprints start with %s: give more digits",
			(unsigned long long)count, word);
	out->is_certificate = true;
	return ERR_OK;
}

static enum err count_one(void *arg, const struct sighting *s)
{
	size_t *count = arg;

	(void)s;
	(*count)++;
	return ERR_OK;
}

static enum err show(const struct options *o, const struct settings *settings, struct why *why)
{
	struct output output;
	struct opened opened = { 0 };
	struct wanted wanted = { 0 };
	struct view_source source = { .settings = settings, .include_gone = true };
	struct links *links = NULL;
	struct view view;
	size_t count = 0;
	enum err e = start_output(o, &output, why);

	buffer_init(&wanted.uri, URI_BYTES_MAX);
	if (e == ERR_OK && !o->output)
		output.report = report_find("detail");
	if (e == ERR_OK)
		e = start_reading(settings, &opened, why);
	if (e == ERR_OK)
		e = look_up(opened.inventory, o->words.items[0], &wanted, why);
	if (e == ERR_OK)
		e = links_of_inventory(opened.inventory, clock_now_s(), &links, why);
	if (e != ERR_OK)
		goto out;
	source.inventory = opened.inventory;
	source.links = links;
	source.fingerprint = wanted.is_certificate ? wanted.fingerprint : NULL;
	source.uri = wanted.is_certificate ? NULL : buffer_string(&wanted.uri);
	view = view_of(&source);
	output.options.all = true;
	for (int kind = RECORD_CERTIFICATE; e == ERR_OK && kind <= RECORD_KIND_LAST; kind++)
		e = view.each_sighting(view.ctx, (enum record_kind)kind, count_one, &count);
	if (e == ERR_OK && !count)
		e = why_fail(why, ERR_NOT_FOUND, "nothing is known of %s", o->words.items[0]);
	if (e == ERR_OK)
		e = start_write(&output, &view, NULL, why);
out:
	links_free(links);
	buffer_fini(&wanted.uri);
	start_close(&opened);
	return e;
}

static int run(const struct options *o)
{
	struct settings *settings = NULL;
	struct why why = { 0 };
	enum err e = ERR_OK;

	if (o->words.count != 1)
		e = why_fail(&why, ERR_USAGE,
			"write: leafwatch show FINGERPRINT, or a place like /etc/ssl/x.pem or host:443");
	if (e == ERR_OK)
		e = start_settings(o, &settings, &why);
	if (e == ERR_OK)
		e = show(o, settings, &why);
	settings_free(settings);
	return e == ERR_OK ? EXIT_DONE : command_fail(e, &why);
}

const struct command show_command = {
	.name = "show",
	.arguments = "FINGERPRINT|SOURCE",
	.help = "all that is known of one certificate, or of one place",
	.details =
		"A fingerprint may be shortened to its first six hex digits while it stays unique.\n",
	.use = USE_SHOW,
	.run = run,
};
