/* What the clock and the thresholds make of a verdict. */
#include "agent/base/units.h"
#include "agent/certificate/record.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define THRESHOLD_TEXT_BYTES_MAX 64

const struct thresholds thresholds_default = {
	.warning = { .share = 0.33 },
	.critical = { .share = 0.10 },
};

static const uint32_t breaks_served = 0
#define PROBLEM(name, word, served, any, meaning) | ((served) || (any) ? PROBLEM_BIT(name) : 0)
#include "agent/certificate/words.def"
#undef PROBLEM
	;

static const uint32_t breaks_any = 0
#define PROBLEM(name, word, served, any, meaning) | ((any) ? PROBLEM_BIT(name) : 0)
#include "agent/certificate/words.def"
#undef PROBLEM
	;

static enum err parse_share(const char *text, double *share, struct why *why)
{
	char *end = NULL;
	double value;

	/* strtod would take "1e1%", "nan%" and "0x1%" too. */
	if (!isdigit((unsigned char)*text) || strspn(text, "0123456789.") != strlen(text) - 1)
		return why_fail(why, ERR_MALFORMED, "\"%s\" is no share: write 33%% or 30d", text);
	value = strtod(text, &end);
	if (strcmp(end, "%") != 0)
		return why_fail(why, ERR_MALFORMED, "\"%s\" is no share: write 33%% or 30d", text);
	if (value > 100)
		return why_fail(why, ERR_MALFORMED, "\"%s\" is more than the whole lifetime", text);
	*share = value / 100;
	return ERR_OK;
}

static enum err parse_one(const char *text, struct threshold *out, struct why *why)
{
	size_t size = strlen(text);
	int64_t ms;
	enum err e;

	if (size && text[size - 1] == '%')
		return parse_share(text, &out->share, why);
	e = units_duration_ms(text, &ms, why);
	if (e != ERR_OK)
		return e;
	out->seconds = ms / 1000;
	return ERR_OK;
}

static char *trimmed(char *text)
{
	size_t size;

	while (*text == ' ')
		text++;
	size = strlen(text);
	while (size && text[size - 1] == ' ')
		text[--size] = 0;
	return text;
}

static enum err parse_min(char *inside, struct threshold *out, struct why *why)
{
	char *comma = strchr(inside, ',');
	struct threshold both[2] = { { 0 } };
	enum err e;

	if (!comma)
		return why_fail(
			why, ERR_MALFORMED, "min() takes a span and a share: min(30d, 33%%)");
	*comma = 0;
	e = parse_one(trimmed(inside), &both[0], why);
	if (e == ERR_OK)
		e = parse_one(trimmed(comma + 1), &both[1], why);
	if (e != ERR_OK)
		return e;
	/* Of each kind one: "0" beside a share would silently mean the share alone. */
	if ((both[0].share > 0) == (both[1].share > 0) ||
		(both[0].seconds > 0) == (both[1].seconds > 0))
		return why_fail(
			why, ERR_MALFORMED, "min() takes a span and a share: min(30d, 33%%)");
	out->share = both[0].share > 0 ? both[0].share : both[1].share;
	out->seconds = both[0].seconds ? both[0].seconds : both[1].seconds;
	return ERR_OK;
}

enum err threshold_parse(const char *text, struct threshold *out, struct why *why)
{
	char copy[THRESHOLD_TEXT_BYTES_MAX + 1];
	struct threshold t = { 0 };
	size_t size = strlen(text);
	char *start;
	enum err e;

	if (size > THRESHOLD_TEXT_BYTES_MAX)
		return why_fail(why, ERR_MALFORMED, "too long for a threshold");
	memcpy(copy, text, size + 1);
	start = trimmed(copy);
	size = strlen(start);
	if (strncmp(start, "min(", 4) == 0 && start[size - 1] == ')') {
		start[size - 1] = 0;
		e = parse_min(start + 4, &t, why);
	} else {
		e = parse_one(start, &t, why);
	}
	if (e == ERR_OK)
		*out = t;
	return e;
}

int64_t threshold_span(const struct threshold *t, int64_t not_before, int64_t not_after)
{
	int64_t lifetime;
	int64_t share;

	if (t->share <= 0)
		return t->seconds;
	if (not_before == TIME_UNKNOWN || not_after == TIME_UNKNOWN ||
		__builtin_sub_overflow(not_after, not_before, &lifetime))
		return t->seconds;
	if (lifetime > THRESHOLD_LIFETIME_MAX_S)
		lifetime = THRESHOLD_LIFETIME_MAX_S;
	share = lifetime > 0 ? (int64_t)((double)lifetime * t->share) : 0;
	return t->seconds > 0 && t->seconds < share ? t->seconds : share;
}

uint32_t record_problems_at(const struct certificate_record *r, int64_t now)
{
	uint32_t problems = r->verdict.problems;

	/* Both ends belong to the validity (RFC 5280 4.1.2.5). */
	if (r->facts.not_after != TIME_UNKNOWN && now > r->facts.not_after)
		problems |= PROBLEM_BIT(PROBLEM_EXPIRED);
	if (r->facts.not_before != TIME_UNKNOWN && now < r->facts.not_before)
		problems |= PROBLEM_BIT(PROBLEM_NOT_YET_VALID);
	return problems;
}

int64_t record_breaks(const struct certificate_record *r)
{
	int64_t own = r->facts.not_after;
	int64_t path = r->verdict.trust ? r->verdict.expires : TIME_UNKNOWN;

	if (own == TIME_UNKNOWN || path == TIME_UNKNOWN)
		return own == TIME_UNKNOWN ? path : own;
	return path < own ? path : own;
}

static bool is_within(int64_t breaks, int64_t now, int64_t span)
{
	int64_t left;

	return !__builtin_sub_overflow(breaks, now, &left) && left <= span;
}

bool verdict_is_public_root(const struct verdict *v)
{
	return v->is_bundled || (v->is_anchor && v->trust && strcmp(v->trust, TRUST_SYSTEM) == 0);
}

bool verdict_lacks_issuer(const struct verdict *v)
{
	return !v->is_anchor && !v->is_bundled &&
	       v->problems & (PROBLEM_BIT(PROBLEM_INCOMPLETE_CHAIN) |
				     PROBLEM_BIT(PROBLEM_UNTRUSTED_ISSUER));
}

bool verdict_is_valid_at(const struct verdict *v, int64_t now)
{
	return v->is_checked && v->trust && rules_are_empty(&v->violations) &&
	       !(v->problems & ~PROBLEM_BIT(PROBLEM_REVOCATION_UNKNOWN)) &&
	       v->starts != TIME_UNKNOWN && v->starts <= now && v->expires != TIME_UNKNOWN &&
	       now <= v->expires;
}

const char *store_verdict_word(const struct store_verdict *v, int64_t now)
{
	for (int p = 0; p < PROBLEM_COUNT; p++)
		if (v->problems & PROBLEM_BIT(p))
			return problem_word((enum problem)p);
	if (v->expires != TIME_UNKNOWN && now > v->expires)
		return problem_word(PROBLEM_EXPIRED);
	return status_word(STATUS_OK);
}

bool verdict_may_be_bettered(const struct verdict *v)
{
	return !v->is_anchor && !v->is_bundled && v->chain.count > 1 &&
	       (!v->trust ||
		       memcmp(v->expires_because, v->chain.items[0], FINGERPRINT_BYTES) != 0 ||
		       v->problems & (PROBLEM_BIT(PROBLEM_WEAK_KEY) |
					     PROBLEM_BIT(PROBLEM_WEAK_SIGNATURE)));
}

enum status record_status_at(
	const struct certificate_record *r, const struct thresholds *t, int64_t now)
{
	const struct certificate *c = &r->facts;
	int64_t breaks = record_breaks(r);
	uint32_t problems = record_problems_at(r, now);
	bool is_behind = r->is_served && problems & PROBLEM_BIT(PROBLEM_SERVED_DIFFERS);

	if (breaks != TIME_UNKNOWN && now > breaks)
		return STATUS_EXPIRED;
	if (!r->verdict.is_anchor && problems & (r->is_served ? breaks_served : breaks_any))
		return STATUS_BROKEN;
	if (t->is_unknown_broken && r->is_served &&
		problems & PROBLEM_BIT(PROBLEM_REVOCATION_UNKNOWN))
		return STATUS_BROKEN;
	if (breaks == TIME_UNKNOWN)
		return STATUS_UNCHECKED;
	if (is_within(breaks, now, threshold_span(&t->critical, c->not_before, c->not_after)))
		return STATUS_CRITICAL;
	/* The newer one on disk does not help its clients: due means that nobody reloads in time. */
	if (is_within(breaks, now, threshold_span(&t->warning, c->not_before, c->not_after)))
		return is_behind ? STATUS_CRITICAL : STATUS_WARNING;
	if (is_behind)
		return STATUS_WARNING;
	return r->verdict.is_checked ? STATUS_OK : STATUS_UNCHECKED;
}
