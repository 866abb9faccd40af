/* What endpoints ask of their clients: mtls-weakened, mtls-cas-changed, mtls-no-client-certificate. */
#include "agent/alerts_search.h"

#include "agent/base/text.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* A change of a list is an event: said, and after this time taken as it is. */
#define CHANGE_TOLD_S (24 * 3600)
#define NAMES_SAID 3
#define NAME_BYTES_MAX 200
#define CHANGE_BYTES_MAX 4096

static enum err merge_all(const struct search *s, struct candidate *c, struct why *why)
{
	(void)s;
	(void)why;
	return candidate_merge_all(c);
}

/* ---- weakened --------------------------------------------------------------------------------- */

/* Whoever asks still may check elsewhere; whoever does not ask lets everybody in. */
static enum err consider_weakened(struct search *s, const struct sighting *sight)
{
	struct alert_place place = {
		.is_network = true, .severity = SEVERITY_WARNING, .breaks = TIME_UNKNOWN
	};
	const char *now_it;
	char since[TIME_TEXT_BYTES];
	char message[128];

	if (!sight->mtls || sight->mtls->weakened == TIME_UNKNOWN)
		return ERR_OK;
	now_it = sight->mtls->mode == CLIENT_CERTIFICATE_NONE ? "asks for none"
							      : "only asks for one";
	if (sight->mtls->mode == CLIENT_CERTIFICATE_NONE)
		place.severity = SEVERITY_CRITICAL;
	time_rfc3339(sight->mtls->weakened, since);
	(void)snprintf(message, sizeof(message), "%s (seen %s)", now_it, since);
	return candidate_endpoint(s, KIND_MTLS_WEAKENED, sight, &place, message);
}

static void say_weakened(struct buffer *out, const struct candidate *c, int64_t now)
{
	(void)now;
	alert_put_name(out, &c->alert);
	buffer_text(out, " no longer requires a client certificate: it ");
	buffer_text(out, c->first && c->first->message ? c->first->message : "did before");
}

const struct alert_kind alert_mtls_weakened = {
	.word = "mtls-weakened",
	.looks = 1, /* its history has seen it twice */
	.recovered = " requires a client certificate again",
	.endpoint = consider_weakened,
	.merge = merge_all,
	.say = say_weakened,
};

/* ---- another list ----------------------------------------------------------------------------- */

static void put_names(
	struct buffer *out, const char *word, const struct strings *names, uint32_t count)
{
	if (!count)
		return;
	buffer_format(out, "%s%s ", out->size ? "; " : "", word);
	for (size_t i = 0; i < names->count && i < NAMES_SAID; i++) {
		if (i)
			buffer_text(out, " and ");
		alert_put_cut(out, names->items[i], NAME_BYTES_MAX);
	}
	if (count > NAMES_SAID)
		buffer_format(out, " and %" PRIu32 " more", count - NAMES_SAID);
}

/* Each change is an alert of its own, so that the next one is told, too. */
static enum err add_change(struct search *s, const struct sighting *sight, const char *message)
{
	const struct alert_place place = { .severity = SEVERITY_WARNING, .breaks = TIME_UNKNOWN };
	const char *uri = sight->record->location.uri;
	struct candidate *c = NULL;
	bool is_new = false;
	char *what = NULL;
	enum err e;

	if (asprintf(&what, "%s@%" PRId64, uri, sight->mtls->change.at) < 0)
		return ERR_MEMORY;
	e = candidate_get(s->out, KIND_MTLS_CAS, what, &c, &is_new);
	free(what);
	if (e == ERR_LIMIT) {
		search_note_limit(s);
		return ERR_OK;
	}
	if (e == ERR_OK && is_new)
		e = candidate_name_endpoint(c, uri);
	return e == ERR_OK ? candidate_place(c, &place, sight, message) : e;
}

static enum err consider_change(struct search *s, const struct sighting *sight)
{
	const struct mtls_change *change = sight->mtls ? &sight->mtls->change : NULL;
	struct buffer message;
	int64_t until;
	enum err e;

	if (!change || change->at == TIME_UNKNOWN ||
		__builtin_add_overflow(change->at, CHANGE_TOLD_S, &until) || s->conf->now >= until)
		return ERR_OK;
	search_note_next(s, until);
	buffer_init(&message, CHANGE_BYTES_MAX);
	put_names(&message, "added", &change->added, change->added_count);
	put_names(&message, "gone", &change->gone, change->gone_count);
	e = buffer_status(&message);
	if (e == ERR_OK)
		e = add_change(s, sight, buffer_string(&message));
	buffer_fini(&message);
	return e;
}

static void say_change(struct buffer *out, const struct candidate *c, int64_t now)
{
	(void)now;
	alert_put_name(out, &c->alert);
	buffer_text(out, " changed the CAs that it accepts client certificates of: ");
	buffer_text(out, c->first && c->first->message ? c->first->message : "");
}

const struct alert_kind alert_mtls_cas = {
	.word = "mtls-cas-changed",
	.looks = 1,
	.recovered =
		" has had its new list of client CAs for a day, or another since: it is taken as it is",
	.endpoint = consider_change,
	.merge = merge_all,
	.say = say_change,
};

/* ---- nothing to show -------------------------------------------------------------------------- */

/* Of a swept network nobody here may ever talk to it: only of those that a user named. */
static enum err consider_required(struct search *s, const struct sighting *sight)
{
	const struct record *r = sight->record;
	const struct alert_place place = {
		.is_network = true, .severity = SEVERITY_INFO, .breaks = TIME_UNKNOWN
	};

	if (!s->conf->has_read_files || sight->is_stale ||
		mtls_mode(sight->mtls, &r->endpoint) != CLIENT_CERTIFICATE_REQUIRED ||
		!mtls_list(sight->mtls, &r->endpoint)->count ||
		!place_is_of_named_scanner(&r->location) || place_is_literal(r->location.uri))
		return ERR_OK;
	return candidate_endpoint(s, KIND_MTLS_NO_CLIENT, sight, &place, NULL);
}

static enum err merge_required(const struct search *s, struct candidate *c, struct why *why)
{
	const struct location at = { .uri = c->alert.subject };
	struct endpoint_links l = { 0 };
	bool has_one;
	enum err e = links_endpoint(s->links, &at, &l);

	(void)why;
	has_one = !l.asks || l.is_open || l.valid_count;
	endpoint_links_fini(&l);
	return e == ERR_OK && !has_one ? candidate_merge_all(c) : e;
}

static void say_required(struct buffer *out, const struct candidate *c, int64_t now)
{
	(void)now;
	alert_put_name(out, &c->alert);
	buffer_text(out,
		" requires a client certificate, and no valid one of this host is from a CA "
		"that it accepts");
}

const struct alert_kind alert_mtls_no_client = {
	.word = "mtls-no-client-certificate",
	.looks = ALERTS_LOOKS,
	.recovered = " accepts a client certificate of this host",
	.endpoint = consider_required,
	.merge = merge_required,
	.say = say_required,
};
