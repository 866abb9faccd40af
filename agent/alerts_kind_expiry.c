/* certificate-expiry: less time is left than a threshold. */
#include "agent/alerts_search.h"

#include <stdlib.h>
#include <string.h>

/* The time at which `breaks` comes within the threshold. */
static int64_t reached_at(const struct threshold *t, const struct certificate *c, int64_t breaks)
{
	int64_t at;

	if (__builtin_sub_overflow(breaks, threshold_span(t, c->not_before, c->not_after), &at))
		return INT64_MIN + 1;
	return at;
}

static enum err consider_expiry(
	struct search *s, const struct sighting *sight, const struct alert_place *at)
{
	struct alert_place place = *at;
	const struct certificate_record *r = &sight->record->certificate;
	const struct thresholds *t = s->conf->thresholds;
	int64_t now = s->conf->now;
	int64_t breaks = record_breaks(r);
	int64_t warning;
	int64_t critical;

	if (breaks == TIME_UNKNOWN)
		return ERR_OK;
	warning = reached_at(&t->warning, &r->facts, breaks);
	critical = reached_at(&t->critical, &r->facts, breaks);
	search_note_next(s, warning);
	search_note_next(s, critical);
	if (now < warning && now < critical && now <= breaks)
		return ERR_OK;
	place.breaks = breaks;
	place.severity = now >= critical || now > breaks ? SEVERITY_CRITICAL : SEVERITY_WARNING;
	place.problems = record_problems_at(r, now);
	return candidate_certificate(s, KIND_EXPIRY, sight, &place, NULL);
}

/* A certificate that the library refuses still expires. Without subject and names it is nobody's
 * relative. */
static enum err consider_evident(struct search *s, const struct sighting *sight)
{
	const struct problem_record *p = &sight->record->problem;
	char name[] = "a certificate that cannot be parsed";
	char empty[] = "";
	struct record r = { .kind = RECORD_CERTIFICATE, .location = sight->record->location };
	struct sighting seen = *sight;

	if (!p->has_fingerprint || !place_is_in_file(sight->record->location.uri))
		return ERR_OK;
	r.certificate.facts.subject = empty;
	r.certificate.facts.subject_cn = name;
	r.certificate.facts.not_before = p->not_before;
	r.certificate.facts.not_after = p->not_after;
	r.certificate.verdict.expires = TIME_UNKNOWN;
	memcpy(r.certificate.facts.fingerprint, p->fingerprint, FINGERPRINT_BYTES);
	seen.record = &r;
	return consider_expiry(s, &seen, &(struct alert_place){ 0 });
}

/* ---- the sentence ----------------------------------------------------------------------------- */

/* Who is hit: the servers that accept it, or the clients that it vouches for. */
static enum err fill_note(struct candidate *c, const struct certificate_links *l)
{
	struct buffer text;
	enum err e;

	buffer_init(&text, RECORD_TEXT_BYTES_MAX);
	if (l->is_client)
		link_say_client(&text, l);
	else
		link_say_ca(&text, l, c->breaks);
	e = buffer_status(&text);
	if (e == ERR_OK && text.size) {
		free(c->note);
		c->note = buffer_take_string(&text);
		e = c->note ? ERR_OK : ERR_MEMORY;
	}
	buffer_fini(&text);
	return e;
}

static enum err merge_expiry(const struct search *s, struct candidate *c, struct why *why)
{
	uint8_t fingerprint[FINGERPRINT_BYTES];
	struct certificate_links l = { 0 };
	enum err e = candidate_merge_certificate(s, c, why);

	if (e != ERR_OK || !c->is_live || !candidate_fingerprint(c, fingerprint))
		return e;
	e = links_certificate(s->links, fingerprint, &l);
	if (e == ERR_OK)
		e = fill_note(c, &l);
	certificate_links_fini(&l);
	return e;
}

static void say_expiry(struct buffer *out, const struct candidate *c, int64_t now)
{
	bool is_chain = c->alert.not_after != TIME_UNKNOWN && c->breaks < c->alert.not_after;
	bool is_over = now > c->breaks;
	char span[TIME_TEXT_BYTES];
	char at[TIME_TEXT_BYTES];

	time_span(is_over ? now - c->breaks : c->breaks - now, span);
	time_rfc3339(c->breaks, at);
	if (is_chain)
		buffer_text(out, "The chain of ");
	if (c->is_ca)
		buffer_text(out, "CA ");
	alert_put_name(out, &c->alert);
	if (is_chain)
		buffer_text(out, is_over ? " broke " : " breaks ");
	else
		buffer_text(out, is_over ? " expired " : " expires ");
	buffer_format(out, is_over ? "%s ago (%s)" : "in %s (%s)", span, at);
	if (is_chain)
		buffer_text(out, ": an issuer in it expires first");
}

const struct alert_kind alert_expiry = {
	.word = "certificate-expiry",
	.looks = 1,
	.recovered = " is no longer due",
	.certificate = consider_expiry,
	.problem = consider_evident,
	.merge = merge_expiry,
	.say = say_expiry,
};
