/* crl-expiry: a revocation list goes out of date. */
#include "agent/alerts_search.h"

#include <stdlib.h>
#include <string.h>

static enum err fill_crl(struct candidate *c, const struct record *r)
{
	const struct crl_record *crl = &r->crl;

	c->alert.subject = strdup(r->location.uri);
	c->alert.subject_cn = strdup(crl->issuer_cn ? crl->issuer_cn : crl->issuer);
	c->alert.issuer = strdup(crl->issuer);
	c->alert.not_before = crl->this_update;
	c->alert.not_after = crl->next_update;
	return c->alert.subject && c->alert.subject_cn && c->alert.issuer ? ERR_OK : ERR_MEMORY;
}

/* A list is made anew shortly before the old one ends: only the last tenth is a warning. Behind its end
 * what checks against it refuses everything, or checks nothing. */
static enum err consider_crl(struct search *s, const struct sighting *sight)
{
	const struct crl_record *r = &sight->record->crl;
	struct alert_place place = { .breaks = r->next_update };
	struct candidate *c = NULL;
	bool is_new = false;
	int64_t span =
		threshold_span(&s->conf->thresholds->critical, r->this_update, r->next_update);
	int64_t due;
	char *what;
	enum err e;

	if (r->next_update == TIME_UNKNOWN || __builtin_sub_overflow(r->next_update, span, &due))
		return ERR_OK;
	search_note_next(s, due);
	search_note_next(s, r->next_update + 1);
	if (s->conf->now < due)
		return ERR_OK;
	place.is_network = !place_is_in_file(sight->record->location.uri);
	place.severity = s->conf->now > r->next_update ? SEVERITY_CRITICAL : SEVERITY_WARNING;
	what = place_name(&sight->record->location);
	e = what ? candidate_get(s->out, KIND_CRL, what, &c, &is_new) : ERR_MEMORY;
	free(what);
	if (e == ERR_LIMIT) {
		search_note_limit(s);
		return ERR_OK;
	}
	if (e == ERR_OK && is_new)
		e = fill_crl(c, sight->record);
	return e == ERR_OK ? candidate_place(c, &place, sight, NULL) : e;
}

static enum err merge_crl(const struct search *s, struct candidate *c, struct why *why)
{
	(void)s;
	(void)why;
	return candidate_merge_all(c);
}

static void say_crl(struct buffer *out, const struct candidate *c, int64_t now)
{
	bool is_over = now > c->breaks;
	char span[TIME_TEXT_BYTES];
	char at[TIME_TEXT_BYTES];

	time_span(is_over ? now - c->breaks : c->breaks - now, span);
	time_rfc3339(c->breaks, at);
	buffer_text(out, "The revocation list of ");
	alert_put_name(out, &c->alert);
	buffer_format(out,
		is_over ? " is out of date: its next update was due %s ago (%s)"
			: " goes out of date in %s (%s) and has not been made anew",
		span, at);
}

const struct alert_kind alert_crl = {
	.word = "crl-expiry",
	.looks = 1,
	.recovered = ": its revocation list was made anew",
	.crl = consider_crl,
	.merge = merge_crl,
	.say = say_crl,
};
