/* renewal-dropped: a renewal lacks a name or a usage that its predecessor at that place had. */
#include "agent/alerts_search.h"

#include "agent/base/text.h"

#include <stdlib.h>
#include <string.h>

/* Said for so long, then taken as meant. */
#define DROPPED_TOLD_S (7 * 24 * 3600)
#define USAGE_CLIENT "clientAuth"
#define USAGE_ANY "anyExtendedKeyUsage"
#define DNS "dns:"
#define MISSING_BYTES_MAX 4096
#define MISSING_SAID 8
/* With more names than these their comparison is left out. */
#define RENEWAL_NAMES_MAX 1000

/* ---- what is missing -------------------------------------------------------------------------- */

static bool is_covered_by(const char *name, const char *other)
{
	const char *dot;

	if (strcasecmp(name, other) == 0)
		return true;
	/* A wildcard stands for one label (RFC 9525 6.3). */
	if (strncmp(name, DNS, strlen(DNS)) != 0 || strncmp(other, DNS "*.", strlen(DNS "*.")) != 0)
		return false;
	dot = strchr(name, '.');
	return dot && strcasecmp(dot, other + strlen(DNS "*")) == 0;
}

static bool are_few(const struct certificate *a, const struct certificate *b)
{
	return a->names.count <= RENEWAL_NAMES_MAX && b->names.count <= RENEWAL_NAMES_MAX;
}

static bool has_name(const struct certificate *c, const char *name)
{
	for (size_t i = 0; i < c->names.count; i++)
		if (is_covered_by(name, c->names.items[i]))
			return true;
	return false;
}

static bool has_usage(const struct certificate *c, const char *usage)
{
	return !c->extended_key_usage.count || strings_contain(&c->extended_key_usage, usage) ||
	       strings_contain(&c->extended_key_usage, USAGE_ANY);
}

/* Is the one issued anew for the other, and not another thing in its place? */
static bool is_renewal(const struct certificate *old, const struct certificate *now)
{
	if (old->is_ca || now->is_ca || now->not_before < old->not_before)
		return false;
	if (*old->subject && strcmp(old->subject, now->subject) == 0)
		return true;
	for (size_t i = 0; are_few(old, now) && i < old->names.count; i++)
		if (has_name(now, old->names.items[i]))
			return true;
	return false;
}

struct missing {
	struct buffer text;
	size_t count;
	bool has_client; /* clientAuth is among it */
	bool has_other;
};

static void note(struct missing *m, const char *what)
{
	if (m->count < MISSING_SAID)
		buffer_format(&m->text, "%s%s", m->count ? ", " : "", what);
	m->count++;
}

static void compare(const struct certificate *old, const struct certificate *now, struct missing *m)
{
	for (size_t i = 0; i < old->extended_key_usage.count; i++) {
		const char *usage = old->extended_key_usage.items[i];

		if (has_usage(now, usage))
			continue;
		note(m, usage);
		m->has_client |= strcmp(usage, USAGE_CLIENT) == 0;
		m->has_other |= strcmp(usage, USAGE_CLIENT) != 0;
	}
	for (size_t i = 0; are_few(old, now) && i < old->names.count; i++) {
		if (has_name(now, old->names.items[i]))
			continue;
		note(m, old->names.items[i]);
		m->has_other = true;
	}
	if (m->count > MISSING_SAID)
		buffer_format(&m->text, " and %zu more", m->count - MISSING_SAID);
}

/* ---- candidates ------------------------------------------------------------------------------- */

/* Public CAs take clientAuth out of everything: where nobody used it, that is only worth a note. */
static enum err is_client_use(const struct search *s, const struct renewal *r, bool *out)
{
	struct certificate_links l = { 0 };
	enum err e = links_issuer(s->links, r->old->issuer, &l);

	*out = l.accepted_by_count || links_names(s->links, r->now->record->location.uri) ||
	       !strings_contain(&r->old->extended_key_usage, "serverAuth");
	certificate_links_fini(&l);
	return e;
}

static enum err on_renewal(void *arg, const struct renewal *r)
{
	struct search *s = arg;
	const struct certificate *now = &r->now->record->certificate.facts;
	struct alert_place place = { .severity = SEVERITY_WARNING,
		.is_network = !place_is_in_file(r->now->record->location.uri),
		.breaks = TIME_UNKNOWN };
	struct missing m = { .count = 0 };
	bool is_used = true;
	enum err e = ERR_OK;

	if (!is_renewal(r->old, now))
		return ERR_OK;
	buffer_init(&m.text, MISSING_BYTES_MAX);
	compare(r->old, now, &m);
	if (m.count && m.has_client && !m.has_other)
		e = is_client_use(s, r, &is_used);
	if (!is_used)
		place.severity = SEVERITY_INFO;
	if (e == ERR_OK)
		e = buffer_status(&m.text);
	if (e == ERR_OK && m.count) {
		search_note_next(s, r->at + DROPPED_TOLD_S);
		e = candidate_certificate(
			s, KIND_RENEWAL_DROPPED, r->now, &place, buffer_string(&m.text));
	}
	buffer_fini(&m.text);
	return e;
}

static enum err find_renewals(struct search *s, struct why *why)
{
	return inventory_each_renewal(
		s->conf->inventory, s->conf->now - DROPPED_TOLD_S, on_renewal, s, why);
}

static enum err merge_all(const struct search *s, struct candidate *c, struct why *why)
{
	(void)s;
	(void)why;
	return candidate_merge_all(c);
}

static void say_dropped(struct buffer *out, const struct candidate *c, int64_t now)
{
	(void)now;
	alert_put_name(out, &c->alert);
	buffer_text(out, " was renewed without ");
	buffer_text(out, c->first && c->first->message ? c->first->message : "something");
	buffer_text(out, ", which its predecessor had at ");
	buffer_text(out, c->first ? c->first->text : "its place");
}

const struct alert_kind alert_renewal_dropped = {
	.word = "renewal-dropped",
	.looks = 1,
	.recovered = " has been there for a week, or was put right: it is taken as it is",
	.settle = find_renewals,
	.merge = merge_all,
	.say = say_dropped,
};
