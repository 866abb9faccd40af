/* Notifications: words, identity, and their bytes in the outbox. */
#include "exporters/notification.h"

#include "agent/base/clock.h"
#include "agent/base/text.h"
#include "agent/base/wire.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#define ENCODING_VERSION 1
#define UUID_BYTES 16
#define HOST_BYTES_MAX 256

static const char *const severity_words[SEVERITY_COUNT] = {
	[SEVERITY_INFO] = "info",
	[SEVERITY_WARNING] = "warning",
	[SEVERITY_CRITICAL] = "critical",
};

static const char *const event_words[ALERT_EVENT_COUNT] = {
	[ALERT_FIRED] = "fired",
	[ALERT_ESCALATED] = "escalated",
	[ALERT_REPEATED] = "repeated",
	[ALERT_RENEWED] = "resolved: renewed",
	[ALERT_GONE] = "resolved: gone",
	[ALERT_RECOVERED] = "resolved: recovered",
	[ALERT_TEST] = "test",
};

const char *severity_word(enum alert_severity s)
{
	return (unsigned)s < SEVERITY_COUNT ? severity_words[s] : "unknown";
}

const char *alert_event_word(enum alert_event e)
{
	return (unsigned)e < ALERT_EVENT_COUNT ? event_words[e] : "unknown";
}

bool alert_event_is_resolved(enum alert_event e)
{
	return e == ALERT_RENEWED || e == ALERT_GONE || e == ALERT_RECOVERED;
}

enum err severity_parse(const char *word, enum alert_severity *out)
{
	for (unsigned i = 0; i < SEVERITY_COUNT; i++) {
		if (strcmp(severity_words[i], word) != 0)
			continue;
		*out = (enum alert_severity)i;
		return ERR_OK;
	}
	return ERR_NOT_FOUND;
}

void alert_fini(struct alert *a)
{
	free(a->key);
	free(a->kind);
	free(a->summary);
	free(a->subject);
	free(a->subject_cn);
	free(a->issuer);
	free(a->fingerprint);
	strings_fini(&a->locations);
	strings_fini(&a->problems);
	*a = (struct alert){ 0 };
}

void notification_fini(struct notification *n)
{
	free(n->id);
	free(n->receiver);
	free(n->host);
	for (size_t i = 0; i < n->count; i++)
		alert_fini(&n->alerts[i]);
	free(n->alerts);
	*n = (struct notification){ 0 };
}

static bool copy_text(char **to, const char *from)
{
	*to = from ? strdup(from) : NULL;
	return !from || *to;
}

enum err alert_copy(struct alert *to, const struct alert *from)
{
	struct alert copy = *from;
	bool ok;

	copy.locations = (struct strings){ 0 };
	copy.problems = (struct strings){ 0 };
	/* Every pointer is replaced, whatever failed before it. */
	ok = copy_text(&copy.key, from->key);
	ok &= copy_text(&copy.kind, from->kind);
	ok &= copy_text(&copy.summary, from->summary);
	ok &= copy_text(&copy.subject, from->subject);
	ok &= copy_text(&copy.subject_cn, from->subject_cn);
	ok &= copy_text(&copy.issuer, from->issuer);
	ok &= copy_text(&copy.fingerprint, from->fingerprint);
	ok &= strings_copy(&copy.locations, &from->locations) == ERR_OK;
	ok &= strings_copy(&copy.problems, &from->problems) == ERR_OK;
	if (!ok) {
		alert_fini(&copy);
		return ERR_MEMORY;
	}
	*to = copy;
	return ERR_OK;
}

enum err notification_new_id(char out[NOTIFICATION_ID_BYTES])
{
	static const uint8_t group_ends[] = { 4, 6, 8, 10, UUID_BYTES };
	uint8_t id[UUID_BYTES];
	struct timespec now;
	uint64_t ms;
	size_t done = 0;

	if (getrandom(id, sizeof(id), 0) != (ssize_t)sizeof(id))
		return ERR_IO;
	(void)clock_gettime(CLOCK_REALTIME, &now);
	ms = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
	/* RFC 9562 5.7: 48 bits of milliseconds, version 7, variant 10, the rest random. */
	for (size_t i = 0; i < 6; i++)
		id[i] = (uint8_t)(ms >> (40 - 8 * i));
	id[6] = (uint8_t)(0x70 | (id[6] & 0x0f));
	id[8] = (uint8_t)(0x80 | (id[8] & 0x3f));
	for (size_t g = 0; g < sizeof(group_ends); g++) {
		text_hex(out, id + done, group_ends[g] - done);
		out += 2 * (group_ends[g] - done);
		done = group_ends[g];
		*out++ = done == UUID_BYTES ? '\0' : '-';
	}
	return ERR_OK;
}

char *notification_host(void)
{
	char name[HOST_BYTES_MAX];

	if (gethostname(name, sizeof(name)) != 0)
		name[0] = '\0';
	name[sizeof(name) - 1] = '\0';
	return name[0] ? text_escaped(slice_text(name)) : strdup("localhost");
}

static bool fill_test_alert(struct alert *a, int64_t now)
{
	a->severity = SEVERITY_INFO;
	a->event = ALERT_TEST;
	a->not_before = TIME_UNKNOWN;
	a->not_after = TIME_UNKNOWN;
	a->renewed_not_after = TIME_UNKNOWN;
	a->started = now;
	a->key = strdup("test");
	a->kind = strdup("test");
	a->summary = strdup("This is a test of leafwatch's notifications; nothing is wrong.");
	a->subject = strdup("test");
	a->subject_cn = strdup("test");
	return a->key && a->kind && a->summary && a->subject && a->subject_cn;
}

enum err notification_test(const char *receiver, int64_t now, struct notification *out)
{
	struct notification n = { .created = now };
	char id[NOTIFICATION_ID_BYTES];
	enum err e = notification_new_id(id);

	if (e != ERR_OK)
		return e;
	n.id = strdup(id);
	n.receiver = strdup(receiver);
	n.host = notification_host();
	n.alerts = calloc(1, sizeof(*n.alerts));
	n.count = n.alerts ? 1 : 0;
	if (!n.id || !n.receiver || !n.host || !n.alerts || !fill_test_alert(n.alerts, now)) {
		notification_fini(&n);
		return ERR_MEMORY;
	}
	*out = n;
	return ERR_OK;
}

bool notification_only_repeats(const struct notification *n)
{
	for (size_t i = 0; i < n->count; i++)
		if (n->alerts[i].event != ALERT_REPEATED)
			return false;
	return true;
}

static void put_alert(struct buffer *out, const struct alert *a)
{
	wire_put_text(out, a->key);
	wire_put_text(out, a->kind);
	wire_put_u8(out, (uint8_t)a->severity);
	wire_put_u8(out, (uint8_t)a->event);
	wire_put_text(out, a->summary);
	wire_put_text(out, a->subject);
	wire_put_text(out, a->subject_cn);
	wire_put_text(out, a->issuer);
	wire_put_text(out, a->fingerprint);
	wire_put_i64(out, a->not_before);
	wire_put_i64(out, a->not_after);
	wire_put_i64(out, a->renewed_not_after);
	wire_put_i64(out, a->started);
	wire_put_strings(out, &a->locations);
	wire_put_u64(out, a->locations_more);
	wire_put_strings(out, &a->problems);
}

static char *get_text(struct wire *w)
{
	char *text = wire_get_text(w, RECORD_TEXT_BYTES_MAX);

	if (text && !text_is_clean(slice_text(text)))
		w->bad = true;
	return text;
}

static void get_strings(struct wire *w, struct strings *s, size_t max)
{
	wire_get_strings(w, s, max, RECORD_TEXT_BYTES_MAX);
	for (size_t i = 0; i < s->count; i++)
		if (!text_is_clean(slice_text(s->items[i])))
			w->bad = true;
}

/* Enum values are checked here; the texts that every reader counts on must be there. */
static void get_alert(struct wire *w, struct alert *a)
{
	uint8_t severity;
	uint8_t event;

	a->key = get_text(w);
	a->kind = get_text(w);
	severity = wire_get_u8(w);
	event = wire_get_u8(w);
	a->summary = get_text(w);
	a->subject = get_text(w);
	a->subject_cn = get_text(w);
	a->issuer = get_text(w);
	a->fingerprint = get_text(w);
	a->not_before = wire_get_i64(w);
	a->not_after = wire_get_i64(w);
	a->renewed_not_after = wire_get_i64(w);
	a->started = wire_get_i64(w);
	get_strings(w, &a->locations, ALERT_LOCATIONS_MAX);
	a->locations_more = wire_get_u64(w);
	get_strings(w, &a->problems, ALERT_PROBLEMS_MAX);
	if (severity >= SEVERITY_COUNT || event >= ALERT_EVENT_COUNT || !a->key || !a->kind ||
		!a->summary || !a->subject)
		w->bad = true;
	a->severity = severity < SEVERITY_COUNT ? (enum alert_severity)severity : SEVERITY_INFO;
	a->event = event < ALERT_EVENT_COUNT ? (enum alert_event)event : ALERT_FIRED;
}

void alert_encode(struct buffer *out, const struct alert *a)
{
	wire_put_u8(out, ENCODING_VERSION);
	put_alert(out, a);
}

enum err alert_decode(struct slice bytes, struct alert *out)
{
	struct wire w = wire_of(bytes);
	struct alert a = { 0 };

	if (wire_get_u8(&w) != ENCODING_VERSION)
		w.bad = true;
	get_alert(&w, &a);
	if (wire_end(&w) != ERR_OK) {
		alert_fini(&a);
		return ERR_MALFORMED;
	}
	*out = a;
	return ERR_OK;
}

void notification_encode(struct buffer *out, const struct notification *n)
{
	wire_put_u8(out, ENCODING_VERSION);
	wire_put_bool(out, notification_only_repeats(n));
	wire_put_text(out, n->id);
	wire_put_text(out, n->receiver);
	wire_put_text(out, n->host);
	wire_put_i64(out, n->created);
	wire_put_u32(out, (uint32_t)n->count);
	for (size_t i = 0; i < n->count; i++)
		put_alert(out, &n->alerts[i]);
}

static void get_alerts(struct wire *w, struct notification *n)
{
	size_t count = wire_get_u32(w);

	if (w->bad || count > NOTIFICATION_ALERTS_MAX) {
		w->bad = true;
		return;
	}
	n->alerts = calloc(count ? count : 1, sizeof(*n->alerts));
	if (!n->alerts) {
		w->bad = true;
		return;
	}
	while (!w->bad && n->count < count)
		get_alert(w, &n->alerts[n->count++]);
}

enum err notification_decode(struct slice bytes, struct notification *out)
{
	struct wire w = wire_of(bytes);
	struct notification n = { 0 };

	if (bytes.size > NOTIFICATION_BYTES_MAX || wire_get_u8(&w) != ENCODING_VERSION)
		w.bad = true;
	(void)wire_get_bool(&w);
	n.id = get_text(&w);
	n.receiver = get_text(&w);
	n.host = get_text(&w);
	n.created = wire_get_i64(&w);
	get_alerts(&w, &n);
	if (wire_end(&w) != ERR_OK || !n.id || !n.receiver || !n.host) {
		notification_fini(&n);
		return ERR_MALFORMED;
	}
	*out = n;
	return ERR_OK;
}
