/* leafwatch show: all that is known of one certificate, or of one place. */
#include "agent/commands/start.h"
#include "agent/view.h"

#include "agent/base/clock.h"
#include "agent/base/text.h"
#include "scanners/network/protocol.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FINGERPRINT_PREFIX_MIN 6
#define URI_BYTES_MAX (64 * 1024)
#define DEPENDENTS_STEP 64

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

/* What is shown, and whether it is a CA. */
struct shown {
	size_t count;
	bool is_ca;
	int64_t not_after;
};

static enum err count_one(void *arg, const struct sighting *s)
{
	struct shown *shown = arg;

	shown->count++;
	if (s->record->kind != RECORD_CERTIFICATE || !s->record->certificate.facts.is_ca)
		return ERR_OK;
	shown->is_ca = true;
	shown->not_after = s->record->certificate.facts.not_after;
	return ERR_OK;
}

/* ---- who depends on a CA -------------------------------------------------------------------------- */

struct dependents {
	const uint8_t *ca;
	uint8_t (*items)[FINGERPRINT_BYTES]; /* owned */
	size_t count;
	size_t capacity;
};

/* Its best chain leads over the CA. */
static bool depends(const struct certificate_record *r, const uint8_t *ca)
{
	for (size_t i = 1; i < r->verdict.chain.count; i++)
		if (memcmp(r->verdict.chain.items[i], ca, FINGERPRINT_BYTES) == 0)
			return true;
	return false;
}

static enum err add_dependent(void *arg, const struct sighting *s)
{
	struct dependents *d = arg;
	const struct certificate_record *r = &s->record->certificate;

	if (s->gone_at != TIME_UNKNOWN || !depends(r, d->ca))
		return ERR_OK;
	if (d->count == d->capacity) {
		size_t capacity = d->capacity ? 2 * d->capacity : DEPENDENTS_STEP;
		void *items = reallocarray(d->items, capacity, FINGERPRINT_BYTES);

		if (!items)
			return ERR_MEMORY;
		d->items = items;
		d->capacity = capacity;
	}
	memcpy(d->items[d->count++], r->facts.fingerprint, FINGERPRINT_BYTES);
	return ERR_OK;
}

static int by_fingerprint(const void *a, const void *b)
{
	return memcmp(a, b, FINGERPRINT_BYTES);
}

/* One certificate may lie at many places. */
static size_t distinct(struct dependents *d)
{
	size_t count = d->count ? 1 : 0;

	if (d->count)
		qsort(d->items, d->count, FINGERPRINT_BYTES, by_fingerprint);
	for (size_t i = 1; i < d->count; i++)
		count += memcmp(d->items[i], d->items[i - 1], FINGERPRINT_BYTES) != 0;
	return count;
}

static enum err tell_dependents(
	struct inventory *inventory, const uint8_t *ca, const struct shown *shown)
{
	const struct view_source source = { .inventory = inventory };
	const struct view view = view_of(&source);
	struct dependents d = { .ca = ca };
	int64_t now = clock_now_s();
	char span[TIME_TEXT_BYTES];
	enum err e = view.each_sighting(view.ctx, RECORD_CERTIFICATE, add_dependent, &d);
	size_t count = distinct(&d);

	free(d.items);
	if (e != ERR_OK || shown->not_after == TIME_UNKNOWN)
		return e;
	time_span(shown->not_after > now ? shown->not_after - now : now - shown->not_after, span);
	(void)printf("\n%s %s%s; %zu certificate%s depend%s on it\n",
		shown->not_after > now ? "expires in" : "expired", span,
		shown->not_after > now ? "" : " ago", count, count == 1 ? "" : "s",
		count == 1 ? "s" : "");
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
	struct shown shown = { .not_after = TIME_UNKNOWN };
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
		e = view.each_sighting(view.ctx, (enum record_kind)kind, count_one, &shown);
	if (e == ERR_OK && !shown.count)
		e = why_fail(why, ERR_NOT_FOUND, "nothing is known of %s", o->words.items[0]);
	if (e == ERR_OK)
		e = start_write(&output, &view, NULL, why);
	if (e == ERR_OK && !o->output && wanted.is_certificate && shown.is_ca)
		e = tell_dependents(opened.inventory, wanted.fingerprint, &shown);
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
