/* certificate-problem: something breaks a certificate. */
#include "agent/alerts_search.h"

#define MEANING_BYTES_MAX 1000

/* It serves well until it ends; but its renewal lies on disk, so that nothing else will warn of that. */
#define BEHIND PROBLEM_BIT(PROBLEM_SERVED_DIFFERS)

static void weigh_behind(
	struct search *s, const struct certificate_record *r, struct alert_place *place)
{
	const struct threshold *t = &s->conf->thresholds->warning;
	int64_t breaks = record_breaks(r);
	int64_t due;

	if (breaks == TIME_UNKNOWN ||
		__builtin_sub_overflow(
			breaks, threshold_span(t, r->facts.not_before, r->facts.not_after), &due))
		return;
	search_note_next(s, due);
	if (s->conf->now >= due)
		place->severity = SEVERITY_CRITICAL;
}

static enum err consider_problems(
	struct search *s, const struct sighting *sight, const struct alert_place *at)
{
	struct alert_place place = *at;
	const struct certificate_record *r = &sight->record->certificate;

	if (r->facts.not_before != TIME_UNKNOWN)
		search_note_next(s, r->facts.not_before);
	/* What is sent with a leaf is judged with the leaf. */
	if (r->verdict.is_anchor || r->verdict.is_bundled ||
		(r->is_served && sight->record->location.index))
		return ERR_OK;
	place.breaks = TIME_UNKNOWN;
	place.severity = SEVERITY_WARNING;
	place.problems = record_problems_at(r, s->conf->now);
	place.problems &= r->is_served ? alerts_break_served | BEHIND : alerts_break_any;
	if (place.problems & BEHIND)
		weigh_behind(s, r, &place);
	return place.problems ? candidate_certificate(s, KIND_PROBLEM, sight, &place,
					r->differs ? r->differs->message : NULL)
			      : ERR_OK;
}

/* A served certificate that is newer on disk has a sentence of its own. */
static const char *meaning_of(const struct candidate *c, enum problem p)
{
	for (size_t i = 0; p == PROBLEM_SERVED_DIFFERS && i < c->places_count; i++)
		if (c->places[i].message && c->places[i].problems & PROBLEM_BIT(p))
			return c->places[i].message;
	return problem_meaning(p);
}

static void say_problems(struct buffer *out, const struct candidate *c, int64_t now)
{
	const char *between = ": ";
	uint32_t bits = 0;

	(void)now;
	for (size_t i = 0; i < c->places_count; i++)
		bits |= c->places[i].problems;
	if (c->is_ca)
		buffer_text(out, "CA ");
	alert_put_name(out, &c->alert);
	if (bits == BEHIND)
		buffer_text(out, " is served still");
	else
		buffer_text(out, c->is_network ? " is broken where it is served" : " is broken");
	for (unsigned p = 0; p < PROBLEM_COUNT; p++) {
		if (!(bits & PROBLEM_BIT(p)))
			continue;
		buffer_text(out, between);
		alert_put_cut(out, meaning_of(c, (enum problem)p), MEANING_BYTES_MAX);
		buffer_format(out, " (%s)", problem_word((enum problem)p));
		between = "; ";
	}
}

const struct alert_kind alert_problem = {
	.word = "certificate-problem",
	.looks = 1,
	.recovered = " is no longer broken",
	.certificate = consider_problems,
	.merge = candidate_merge_certificate,
	.say = say_problems,
};
