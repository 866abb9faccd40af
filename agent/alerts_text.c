/* The sentence of an alert. */
#include "agent/alerts_internal.h"

#include "agent/base/text.h"

#include <stdlib.h>
#include <string.h>

#define NAME_BYTES_MAX 200
#define SENTENCE_BYTES_MAX 4096

void alert_put_cut(struct buffer *out, const char *text, size_t max)
{
	size_t keep = text_cut(text, max);

	buffer_append(out, text, keep);
	if (text[keep])
		buffer_text(out, "…");
}

void alert_put_name(struct buffer *out, const struct alert *a)
{
	alert_put_cut(out, a->subject_cn ? a->subject_cn : a->subject, NAME_BYTES_MAX);
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
	alert_kinds[c->kind]->say(&text, c, now);
	if (c->note && *c->note)
		buffer_format(&text, "; %s", c->note);
	return take_sentence(a, &text);
}

static const char *recovered_words(const char *word)
{
	const struct alert_kind *kind = alert_kind_find(word);

	return kind ? kind->recovered : " is as it should be again";
}

enum err alert_say_resolved(struct alert *a)
{
	struct buffer text;
	char at[TIME_TEXT_BYTES];

	buffer_init(&text, SENTENCE_BYTES_MAX);
	alert_put_name(&text, a);
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
