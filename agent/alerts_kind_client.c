/* client-auth-loss: a client certificate in use that its public CA will not issue again. */
#include "agent/alerts_search.h"

#include "agent/base/text.h"
#include "agent/certificate/clientauth_loss.h"

#include <stdlib.h>
#include <string.h>

#define USAGE_CLIENT "clientAuth"
#define DATE_BYTES 10

static enum err note_anchor(
	struct search *s, const struct certificate *facts, const struct fingerprints *chain)
{
	char fingerprint[FINGERPRINT_TEXT_BYTES];
	struct candidate *c = NULL;
	bool is_new = false;
	enum err e;

	text_hex(fingerprint, facts->fingerprint, FINGERPRINT_BYTES);
	e = candidate_get(s->out, KIND_CLIENT_LOSS, fingerprint, &c, &is_new);
	if (e == ERR_OK)
		memcpy(c->anchor, chain->items[chain->count - 1], FINGERPRINT_BYTES);
	/* Beyond the ceiling it is not there. */
	return e == ERR_LIMIT ? ERR_OK : e;
}

/* A certificate that ends before can still be renewed with it; the one after that is warned about. */
static enum err consider_loss(
	struct search *s, const struct sighting *sight, const struct alert_place *at)
{
	const struct certificate_record *r = &sight->record->certificate;
	struct clientauth_loss loss;
	struct alert_place place = *at;
	enum err e;

	if (r->is_served || r->facts.is_ca || !r->verdict.trust ||
		strcmp(r->verdict.trust, TRUST_SYSTEM) != 0 || !r->verdict.chain.count ||
		!strings_contain(&r->facts.extended_key_usage, USAGE_CLIENT))
		return ERR_OK;
	e = clientauth_loss_of(r->facts.issuer, &loss);
	if (e == ERR_NOT_FOUND)
		return ERR_OK;
	if (e != ERR_OK || r->facts.not_after < loss.since)
		return e;
	place.severity = SEVERITY_WARNING;
	place.breaks = TIME_UNKNOWN;
	e = candidate_certificate(s, KIND_CLIENT_LOSS, sight, &place, NULL);
	return e == ERR_OK ? note_anchor(s, &r->facts, &r->verdict.chain) : e;
}

static enum err on_anchor(void *arg, const struct sighting *sight)
{
	bool *is_local = arg;

	*is_local |= place_is_local_anchor(sight->record->location.uri);
	return ERR_OK;
}

/* Is the root one that this host's administrator put into the system's store? Then its CA is no public
 * one, whatever it calls itself. */
static enum err is_internal(
	const struct search *s, const struct candidate *c, bool *out, struct why *why)
{
	const struct inventory_filter filter = { .kind = RECORD_CERTIFICATE,
		.fingerprint = c->anchor };

	*out = false;
	return inventory_each(s->conf->inventory, &filter, on_anchor, out, why);
}

static enum err fill_note(struct candidate *c, const struct certificate_links *l)
{
	struct buffer text;
	enum err e;

	buffer_init(&text, RECORD_TEXT_BYTES_MAX);
	if (l->accepted_by_count)
		link_say_client(&text, l);
	else
		buffer_text(&text, "a configuration here names it as its client certificate");
	e = buffer_status(&text);
	if (e == ERR_OK) {
		free(c->note);
		c->note = buffer_take_string(&text);
		e = c->note ? ERR_OK : ERR_MEMORY;
	}
	buffer_fini(&text);
	return e;
}

static enum err merge_loss(const struct search *s, struct candidate *c, struct why *why)
{
	uint8_t fingerprint[FINGERPRINT_BYTES];
	struct certificate_links l = { 0 };
	bool is_own = false;
	bool is_used;
	enum err e = ERR_OK;

	if (!candidate_fingerprint(c, fingerprint))
		return ERR_OK;
	e = links_certificate(s->links, fingerprint, &l);
	is_used = l.accepted_by_count || l.is_named;
	if (e == ERR_OK && is_used)
		e = is_internal(s, c, &is_own, why);
	if (e == ERR_OK && is_used && !is_own)
		e = candidate_merge_certificate(s, c, why);
	if (e == ERR_OK && c->is_live)
		e = fill_note(c, &l);
	certificate_links_fini(&l);
	return e;
}

static void say_loss(struct buffer *out, const struct candidate *c, int64_t now)
{
	struct clientauth_loss loss = { .who = "" };
	char since[TIME_TEXT_BYTES] = "";

	if (clientauth_loss_of(c->alert.issuer ? c->alert.issuer : "", &loss) == ERR_OK)
		time_rfc3339(loss.since, since);
	alert_put_name(out, &c->alert);
	buffer_format(out,
		" is a client certificate in use, and its renewal will be none: %s %s no "
		"clientAuth %s %.*s; move it to a CA of your own",
		loss.who, now < loss.since ? "will issue" : "issues",
		now < loss.since ? "from" : "since", DATE_BYTES, since);
}

const struct alert_kind alert_client_loss = {
	.word = "client-auth-loss",
	.looks = 1,
	.recovered = " is no longer a client certificate in use of a public CA",
	.certificate = consider_loss,
	.merge = merge_loss,
	.say = say_loss,
};
