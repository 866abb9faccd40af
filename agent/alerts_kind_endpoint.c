/* endpoint-trouble: an endpoint shows no certificate. */
#include "agent/alerts_search.h"

#include "agent/base/text.h"

#include <stdlib.h>
#include <string.h>

#define MESSAGE_BYTES_MAX 300

/* Did a user mean this very endpoint to be there? A sweep over a network meets many addresses where
 * nobody listens and nobody ever did. */
static bool is_named(const struct record *r)
{
	enum reason reason = r->problem.reason;
	bool is_nobody = reason == REASON_REFUSED || reason == REASON_UNREACHABLE ||
			 reason == REASON_TIMEOUT;

	if (is_nobody && place_is_literal(r->location.uri))
		return false;
	return place_is_of_named_scanner(&r->location);
}

static enum err fill_endpoint(struct candidate *c, const struct record *r)
{
	enum err e = candidate_name_endpoint(c, r->location.uri);

	if (e != ERR_OK)
		return e;
	return strings_add(&c->alert.problems, reason_word(r->problem.reason));
}

static enum err consider_problem(struct search *s, const struct sighting *sight)
{
	const struct record *r = sight->record;
	const struct alert_place place = {
		.is_network = true, .severity = SEVERITY_WARNING, .breaks = TIME_UNKNOWN
	};
	struct candidate *c = NULL;
	bool is_new = false;
	enum err e;

	if (place_is_in_file(r->location.uri) || !strstr(r->location.uri, "://"))
		return ERR_OK;
	e = candidate_get(s->out, KIND_ENDPOINT, r->location.uri, &c, &is_new);
	if (e == ERR_LIMIT) {
		search_note_limit(s);
		return ERR_OK;
	}
	if (e == ERR_OK && is_new)
		e = fill_endpoint(c, r);
	if (e != ERR_OK)
		return e;
	c->is_live |= is_named(r);
	return candidate_place(c, &place, sight, r->problem.message);
}

struct endpoint_look {
	bool has_worked; /* a certificate is known from there */
	int64_t good;    /* the last look that brought one, or TIME_UNKNOWN */
};

static enum err on_endpoint(void *arg, const struct sighting *sight)
{
	struct endpoint_look *look = arg;
	const struct record *r = sight->record;
	bool is_good = r->kind == RECORD_ENDPOINT && r->endpoint.chain.count;

	look->has_worked |= r->kind == RECORD_CERTIFICATE || is_good;
	if (is_good && !sight->is_stale && sight->last_seen > look->good)
		look->good = sight->last_seen;
	return ERR_OK;
}

/* A peer that ended the handshake but showed its certificate in the same look (it wants a client
 * certificate, say) is not in trouble; one that nobody named must have worked before to be. */
static enum err judge_endpoint(const struct search *s, struct candidate *c, struct why *why)
{
	struct inventory_filter filter = { .uri = c->alert.subject };
	struct endpoint_look look = { .good = TIME_UNKNOWN };
	int64_t seen = TIME_UNKNOWN;
	enum err e = inventory_each(s->conf->inventory, &filter, on_endpoint, &look, why);

	if (e != ERR_OK)
		return e;
	for (size_t i = 0; i < c->places_count; i++)
		if (c->places[i].seen > seen)
			seen = c->places[i].seen;
	c->is_live |= look.has_worked;
	if (look.good != TIME_UNKNOWN && look.good >= seen)
		c->is_live = false;
	return ERR_OK;
}

static enum err merge_endpoint(const struct search *s, struct candidate *c, struct why *why)
{
	enum err e = judge_endpoint(s, c, why);

	for (size_t i = 0; e == ERR_OK && i < c->places_count; i++)
		e = candidate_merge(c, &c->places[i]);
	return e;
}

static void say_endpoint(struct buffer *out, const struct candidate *c, int64_t now)
{
	const char *message = c->first ? c->first->message : NULL;

	(void)now;
	alert_put_name(out, &c->alert);
	buffer_text(out, " is in trouble");
	if (c->alert.problems.count)
		buffer_format(out, ": %s", c->alert.problems.items[0]);
	if (message && *message) {
		buffer_text(out, " (");
		alert_put_cut(out, message, MESSAGE_BYTES_MAX);
		buffer_text(out, ")");
	}
}

const struct alert_kind alert_endpoint = {
	.word = "endpoint-trouble",
	.looks = ALERTS_LOOKS,
	.recovered = " answers again",
	.problem = consider_problem,
	.merge = merge_endpoint,
	.say = say_endpoint,
};
