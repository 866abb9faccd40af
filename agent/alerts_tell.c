/* Who is told: the news of one evaluation as notifications in the outbox. */
#include "agent/alerts_turn.h"

#include <stdlib.h>
#include <string.h>

/* Bytes of the alerts of one notification, well under what the outbox takes. */
#define NOTIFICATION_ALERT_BYTES_MAX (NOTIFICATION_BYTES_MAX / 2)
/* What an alert needs on the wire beside its texts. */
#define ALERT_FIXED_BYTES 256

/* What, if anything, this receiver is to hear of the row. */
static bool news_for(const struct row *r, const struct receiver_conf *to, enum alert_event *event)
{
	bool is_told = strings_contain(&r->told, to->name);

	if (r->is_dropped)
		return false;
	*event = r->alert.event;
	if (r->has_ended)
		return is_told && to->send_resolved;
	if (r->phase != PHASE_FIRING || (int)r->alert.severity < to->min_severity)
		return false;
	if (!is_told) {
		*event = ALERT_FIRED;
		return true;
	}
	return r->has_news;
}

static size_t alert_bytes(const struct alert *a)
{
	size_t size = ALERT_FIXED_BYTES + strlen(a->key) + strlen(a->summary) + strlen(a->subject);

	size += a->issuer ? strlen(a->issuer) : 0;
	size += a->subject_cn ? strlen(a->subject_cn) : 0;
	for (size_t i = 0; i < a->locations.count; i++)
		size += strlen(a->locations.items[i]) + 4;
	for (size_t i = 0; i < a->problems.count; i++)
		size += strlen(a->problems.items[i]) + 4;
	return size;
}

/* Worst first: what fires before what ended, by severity, then by time left; then always the same. */
static int by_weight(const void *left, const void *right)
{
	const struct alert *a = left;
	const struct alert *b = right;
	bool a_over = alert_event_is_resolved(a->event);
	bool b_over = alert_event_is_resolved(b->event);

	if (a_over != b_over)
		return a_over ? 1 : -1;
	if (a->severity != b->severity)
		return a->severity > b->severity ? -1 : 1;
	/* Without a date last. */
	if (a->not_after != b->not_after)
		return (uint64_t)a->not_after - (uint64_t)INT64_MIN - 1 <
				       (uint64_t)b->not_after - (uint64_t)INT64_MIN - 1
			       ? -1
			       : 1;
	return strcmp(a->key, b->key);
}

/* Queues a run of alerts as one notification; `alerts` stays the caller's. */
static enum err queue(struct turn *t, const struct receiver_conf *to, struct alert *alerts,
	size_t count, struct why *why)
{
	char id[NOTIFICATION_ID_BYTES];
	struct notification n = { .id = id,
		.receiver = to->name,
		.host = t->alerts->host,
		.created = t->now,
		.alerts = alerts,
		.count = count };
	enum err e = notification_new_id(id);

	if (e != ERR_OK)
		return why_fail(why, e, "no random bytes for a notification's id");
	t->sent++;
	return outbox_add(t->alerts->outbox, &n, why);
}

static enum err queue_all(struct turn *t, const struct receiver_conf *to, struct alert *alerts,
	size_t count, struct why *why)
{
	size_t from = 0;
	enum err e = ERR_OK;

	qsort(alerts, count, sizeof(*alerts), by_weight);
	while (e == ERR_OK && from < count) {
		size_t bytes = alert_bytes(&alerts[from]);
		size_t run = 1;

		while (from + run < count && run < NOTIFICATION_ALERTS_MAX) {
			bytes += alert_bytes(&alerts[from + run]);
			if (bytes > NOTIFICATION_ALERT_BYTES_MAX)
				break;
			run++;
		}
		e = queue(t, to, alerts + from, run, why);
		from += run;
	}
	return e;
}

/* The texts of the copies stay the rows'. */
static enum err tell(struct turn *t, const struct receiver_conf *to, struct why *why)
{
	struct alert *alerts = calloc(t->rows.count + 1, sizeof(*alerts));
	size_t count = 0;
	enum err e = alerts ? ERR_OK : ERR_MEMORY;

	for (size_t i = 0; e == ERR_OK && i < t->rows.count; i++) {
		struct row *r = &t->rows.items[i];
		enum alert_event event;

		if (!news_for(r, to, &event))
			continue;
		alerts[count] = r->alert;
		alerts[count++].event = event;
		if (r->has_ended || strings_contain(&r->told, to->name))
			continue;
		r->is_changed = true;
		e = strings_add(&r->told, to->name);
	}
	if (e == ERR_OK && count)
		e = queue_all(t, to, alerts, count, why);
	free(alerts);
	return e;
}

enum err turn_tell(struct turn *t, struct why *why)
{
	enum err e = ERR_OK;

	for (size_t i = 0; e == ERR_OK && i < t->alerts->receivers_count; i++)
		e = tell(t, &t->alerts->receivers[i], why);
	for (size_t i = 0; i < t->rows.count; i++) {
		struct row *r = &t->rows.items[i];

		if (!r->has_ended)
			continue;
		strings_fini(&r->told);
		/* Only what may flap is remembered beyond its end. */
		r->is_dropped = !r->is_network;
	}
	return e;
}
