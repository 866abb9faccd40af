/* key-exposed, key-shared: the private key of a certificate is not its holder's alone. */
#include "agent/alerts_search.h"

/* As severe as the configuration says; SEVERITY_COUNT: not told. */
static enum err consider(struct search *s, const struct sighting *sight,
	const struct alert_place *at, enum alert_kind_id kind, enum problem problem)
{
	const struct key_notes *notes = &sight->record->certificate.key_notes;
	struct alert_place place = *at;

	place.severity =
		problem == PROBLEM_KEY_EXPOSED ? s->conf->keys.exposed : s->conf->keys.shared;
	if (place.severity == SEVERITY_COUNT)
		return ERR_OK;
	place.problems = PROBLEM_BIT(problem);
	place.breaks = TIME_UNKNOWN;
	/* One of them says it; the record has them all. */
	for (size_t i = 0; i < notes->count; i++)
		if (notes->items[i].problem == problem)
			return candidate_certificate(
				s, kind, sight, &place, notes->items[i].message);
	return ERR_OK;
}

static enum err consider_exposed(
	struct search *s, const struct sighting *sight, const struct alert_place *at)
{
	return consider(s, sight, at, KIND_KEY_EXPOSED, PROBLEM_KEY_EXPOSED);
}

static enum err consider_shared(
	struct search *s, const struct sighting *sight, const struct alert_place *at)
{
	return consider(s, sight, at, KIND_KEY_SHARED, PROBLEM_KEY_SHARED);
}

static void say(struct buffer *out, const struct candidate *c, const char *what)
{
	if (c->is_ca)
		buffer_text(out, "CA ");
	alert_put_name(out, &c->alert);
	buffer_text(out, what);
	if (c->first && c->first->message)
		buffer_text(out, c->first->message);
}

static void say_exposed(struct buffer *out, const struct candidate *c, int64_t now)
{
	(void)now;
	say(out, c, " has to be given a new key: ");
}

static void say_shared(struct buffer *out, const struct candidate *c, int64_t now)
{
	(void)now;
	say(out, c, " shares its private key: ");
}

const struct alert_kind alert_key_exposed = {
	.word = "key-exposed",
	.looks = 1,
	.recovered = ": its private key can no longer be read by everyone",
	.certificate = consider_exposed,
	.merge = candidate_merge_certificate,
	.say = say_exposed,
};

const struct alert_kind alert_key_shared = {
	.word = "key-shared",
	.looks = 1,
	.recovered = " shares its private key no longer",
	.certificate = consider_shared,
	.merge = candidate_merge_certificate,
	.say = say_shared,
};
