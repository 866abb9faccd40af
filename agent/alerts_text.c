/* The sentence of an alert. */
#include "agent/alerts_internal.h"

#include "agent/base/text.h"

#include <stdlib.h>
#include <string.h>

#define NAME_BYTES_MAX 200
#define MESSAGE_BYTES_MAX 300
#define SENTENCE_BYTES_MAX 4096

static void put_cut(struct buffer *out, const char *text, size_t max)
{
	size_t keep = text_cut(text, max);

	buffer_append(out, text, keep);
	if (text[keep])
		buffer_text(out, "…");
}

static void put_name(struct buffer *out, const struct alert *a)
{
	put_cut(out, a->subject_cn ? a->subject_cn : a->subject, NAME_BYTES_MAX);
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
	put_name(out, &c->alert);
	if (is_chain)
		buffer_text(out, is_over ? " broke " : " breaks ");
	else
		buffer_text(out, is_over ? " expired " : " expires ");
	buffer_format(out, is_over ? "%s ago (%s)" : "in %s (%s)", span, at);
	if (is_chain)
		buffer_text(out, ": an issuer in it expires first");
}

static void say_problems(struct buffer *out, const struct candidate *c)
{
	const char *between = ": ";

	if (c->is_ca)
		buffer_text(out, "CA ");
	put_name(out, &c->alert);
	buffer_text(out, c->is_network ? " is broken where it is served" : " is broken");
	for (unsigned p = 0; p < PROBLEM_COUNT; p++) {
		uint32_t bits = 0;

		for (size_t i = 0; i < c->places_count; i++)
			bits |= c->places[i].problems;
		if (!(bits & PROBLEM_BIT(p)))
			continue;
		buffer_format(out, "%s%s (%s)", between, problem_meaning((enum problem)p),
			problem_word((enum problem)p));
		between = "; ";
	}
}

static void say_endpoint(struct buffer *out, const struct candidate *c)
{
	const char *message = c->first ? c->first->message : NULL;

	put_name(out, &c->alert);
	buffer_text(out, " is in trouble");
	if (c->alert.problems.count)
		buffer_format(out, ": %s", c->alert.problems.items[0]);
	if (message && *message) {
		buffer_text(out, " (");
		put_cut(out, message, MESSAGE_BYTES_MAX);
		buffer_text(out, ")");
	}
}

static void say_crl(struct buffer *out, const struct candidate *c, int64_t now)
{
	bool is_over = now > c->breaks;
	char span[TIME_TEXT_BYTES];
	char at[TIME_TEXT_BYTES];

	time_span(is_over ? now - c->breaks : c->breaks - now, span);
	time_rfc3339(c->breaks, at);
	buffer_text(out, "The revocation list of ");
	put_name(out, &c->alert);
	buffer_format(out,
		is_over ? " is out of date: its next update was due %s ago (%s)"
			: " goes out of date in %s (%s) and has not been made anew",
		span, at);
}

static enum err take_sentence(struct alert *a, struct buffer *text)
{
	enum err e = buffer_status(text);
	char *sentence = buffer_take_string(text);

	if (e != ERR_OK || !sentence) {
		free(sentence);
		return e == ERR_OK ? ERR_MEMORY : e;
	}
	free(a->summary);
	a->summary = sentence;
	return ERR_OK;
}

enum err alert_say_candidate(struct alert *a, const struct candidate *c, int64_t now)
{
	struct buffer text;

	buffer_init(&text, SENTENCE_BYTES_MAX);
	if (c->kind == KIND_EXPIRY)
		say_expiry(&text, c, now);
	else if (c->kind == KIND_PROBLEM)
		say_problems(&text, c);
	else if (c->kind == KIND_CRL)
		say_crl(&text, c, now);
	else
		say_endpoint(&text, c);
	return take_sentence(a, &text);
}

static const char *recovered_words(const char *kind)
{
	if (strcmp(kind, alert_kinds[KIND_ENDPOINT].word) == 0)
		return " answers again";
	if (strcmp(kind, alert_kinds[KIND_PROBLEM].word) == 0)
		return " is no longer broken";
	if (strcmp(kind, alert_kinds[KIND_CRL].word) == 0)
		return ": its revocation list was made anew";
	return " is no longer due";
}

enum err alert_say_resolved(struct alert *a)
{
	struct buffer text;
	char at[TIME_TEXT_BYTES];

	buffer_init(&text, SENTENCE_BYTES_MAX);
	put_name(&text, a);
	if (a->event == ALERT_RENEWED) {
		time_rfc3339(a->renewed_not_after, at);
		buffer_format(&text, " was renewed and now expires %s", at);
	} else if (a->event == ALERT_GONE) {
		buffer_text(&text, " is no longer there");
	} else {
		buffer_text(&text, recovered_words(a->kind));
	}
	return take_sentence(a, &text);
}
