/* The body of Alertmanager's webhook, version 4, which hundreds of receivers read. */
#include "agent/base/clock.h"
#include "exporters/webhooks/payload.h"
#include "exporters/webhooks/service.h"

#include <stdio.h>
#include <string.h>

/* Places named in one alert's description. */
#define PLACES_MAX 20
#define TEXT_MAX 4096
#define DESCRIPTION_MAX (128 * 1024)
#define LABEL_MAX 256
/* All alerts together; what does not fit is counted in truncatedAlerts. The other half is for what they
 * have in common and the frame. */
#define ALERTS_BYTES_MAX (WEBHOOK_BODY_BYTES_MAX / 2)
#define FNV_OFFSET UINT64_C(14695981039346656037)
#define FNV_PRIME UINT64_C(1099511628211)
/* Alertmanager's "not ended": the zero time of its language. */
#define NEVER "0001-01-01T00:00:00Z"

static bool put(cJSON *o, const char *key, const char *value)
{
	return cJSON_AddStringToObject(o, key, value) != NULL;
}

/* Adds a text cut to `max` bytes. */
static bool put_cut(cJSON *o, const char *key, const char *value, size_t max)
{
	struct buffer text;
	bool ok;

	buffer_init(&text, max);
	payload_cut(&text, value, max, NULL);
	ok = buffer_status(&text) == ERR_OK && put(o, key, buffer_string(&text));
	buffer_fini(&text);
	return ok;
}

static bool put_time(cJSON *o, const char *key, int64_t t)
{
	char text[TIME_TEXT_BYTES];

	time_rfc3339(t, text);
	return put(o, key, t == TIME_UNKNOWN ? NEVER : text);
}

/* "certificate-expiry" becomes "LeafwatchCertificateExpiry". */
static bool put_name(cJSON *labels, const char *kind)
{
	char name[LABEL_MAX] = "Leafwatch";
	size_t at = strlen(name);
	bool upper = true;

	for (const char *c = kind; *c && at < sizeof(name) - 1; c++) {
		if (*c == '-') {
			upper = true;
			continue;
		}
		name[at++] = (char)(upper && *c >= 'a' && *c <= 'z' ? *c - 'a' + 'A' : *c);
		upper = false;
	}
	name[at] = '\0';
	return put(labels, "alertname", name);
}

static cJSON *labels_of(const struct notification *n, const struct alert *a)
{
	cJSON *labels = cJSON_CreateObject();
	bool ok = put_name(labels, a->kind) &&
		  put(labels, "severity", severity_word(a->severity)) &&
		  put_cut(labels, "instance", n->host, LABEL_MAX);

	if (ok && a->fingerprint)
		ok = put(labels, "fingerprint", a->fingerprint);
	if (ok && a->subject_cn)
		ok = put_cut(labels, "subject_cn", a->subject_cn, TEXT_MAX);
	if (ok && !a->fingerprint)
		ok = put_cut(labels, "location", a->subject, TEXT_MAX);
	if (ok)
		return labels;
	cJSON_Delete(labels);
	return NULL;
}

static void describe(const struct alert *a, struct buffer *out)
{
	size_t shown = a->locations.count < PLACES_MAX ? a->locations.count : PLACES_MAX;
	uint64_t more = a->locations.count - shown + a->locations_more;
	char at[TIME_TEXT_BYTES];

	buffer_text(out, alert_event_word(a->event));
	buffer_text(out, "; subject ");
	payload_cut(out, a->subject, TEXT_MAX, NULL);
	if (a->issuer) {
		buffer_text(out, "; issuer ");
		payload_cut(out, a->issuer, TEXT_MAX, NULL);
	}
	if (a->not_after != TIME_UNKNOWN) {
		time_rfc3339(a->not_after, at);
		buffer_format(out, "; not after %s", at);
	}
	if (a->renewed_not_after != TIME_UNKNOWN) {
		time_rfc3339(a->renewed_not_after, at);
		buffer_format(out, "; renewed until %s", at);
	}
	for (size_t i = 0; i < a->problems.count; i++)
		buffer_format(out, "%s%s", i ? ", " : "; problems ", a->problems.items[i]);
	for (size_t i = 0; i < shown; i++) {
		buffer_text(out, i ? ", " : "; at ");
		payload_cut(out, a->locations.items[i], TEXT_MAX, NULL);
	}
	if (more)
		buffer_format(out, " and %llu more places", (unsigned long long)more);
}

static cJSON *annotations_of(const struct alert *a)
{
	cJSON *annotations = cJSON_CreateObject();
	struct buffer text;
	bool ok;

	buffer_init(&text, DESCRIPTION_MAX);
	describe(a, &text);
	ok = buffer_status(&text) == ERR_OK &&
	     put_cut(annotations, "summary", a->summary, TEXT_MAX) &&
	     put(annotations, "description", buffer_string(&text));
	buffer_fini(&text);
	if (ok)
		return annotations;
	cJSON_Delete(annotations);
	return NULL;
}

/* 64 bits that stay the same for the alert's whole life, whatever its labels become (FNV-1a). */
static bool put_fingerprint(cJSON *o, const struct notification *n, const char *key)
{
	uint64_t h = FNV_OFFSET;
	char text[17];

	for (const char *c = n->host; *c; c++)
		h = (h ^ (uint8_t)*c) * FNV_PRIME;
	h = (h ^ 0xff) * FNV_PRIME;
	for (const char *c = key; *c; c++)
		h = (h ^ (uint8_t)*c) * FNV_PRIME;
	(void)snprintf(text, sizeof(text), "%016llx", (unsigned long long)h);
	return put(o, "fingerprint", text);
}

/* Adds to an object; frees `item` when it cannot. */
static bool add(cJSON *o, const char *key, cJSON *item)
{
	if (item && cJSON_AddItemToObject(o, key, item))
		return true;
	cJSON_Delete(item);
	return false;
}

static cJSON *alert_of(const struct notification *n, const struct alert *a)
{
	bool resolved = alert_event_is_resolved(a->event);
	cJSON *o = cJSON_CreateObject();

	if (put(o, "status", resolved ? "resolved" : "firing") &&
		add(o, "labels", labels_of(n, a)) && add(o, "annotations", annotations_of(a)) &&
		put_time(o, "startsAt", a->started) &&
		put_time(o, "endsAt", resolved ? n->created : TIME_UNKNOWN) &&
		put(o, "generatorURL", "") && put_fingerprint(o, n, a->key))
		return o;
	cJSON_Delete(o);
	return NULL;
}

/* Removes from `common` what `other` does not say too. */
static void intersect(cJSON *common, const cJSON *other)
{
	cJSON *next;

	for (cJSON *c = common->child; c; c = next) {
		const cJSON *o = cJSON_GetObjectItemCaseSensitive(other, c->string);

		next = c->next;
		if (!o || strcmp(o->valuestring, c->valuestring) != 0)
			cJSON_Delete(cJSON_DetachItemViaPointer(common, c));
	}
}

/* What all alerts say alike under `key`. */
static cJSON *common_of(const cJSON *alerts, const char *key)
{
	cJSON *common = NULL;
	const cJSON *a;

	cJSON_ArrayForEach(a, alerts)
	{
		const cJSON *own = cJSON_GetObjectItemCaseSensitive(a, key);

		if (!common)
			common = cJSON_Duplicate(own, true);
		else
			intersect(common, own);
		if (!common)
			return NULL;
	}
	return common ? common : cJSON_CreateObject();
}

/* Fills the array with as many alerts as fit, worst first; `*left` counts the others. */
static enum err add_alerts(cJSON *alerts, const struct notification *n, size_t *left)
{
	size_t total = 0;
	size_t shown;

	for (shown = 0; shown < n->count; shown++) {
		cJSON *o = alert_of(n, &n->alerts[shown]);
		char *text = o ? cJSON_PrintUnformatted(o) : NULL;
		size_t size = text ? strlen(text) + 1 : 0;

		cJSON_free(text);
		total += size;
		if (!size || total > ALERTS_BYTES_MAX) {
			cJSON_Delete(o);
			if (!size)
				return ERR_MEMORY;
			break;
		}
		(void)cJSON_AddItemToArray(alerts, o);
	}
	*left = n->count - shown;
	return ERR_OK;
}

static bool put_group(cJSON *root, const struct notification *n)
{
	cJSON *labels = cJSON_AddObjectToObject(root, "groupLabels");
	struct buffer key;
	bool ok;

	buffer_init(&key, LABEL_MAX + 32);
	buffer_text(&key, "{}:{instance=\"");
	payload_cut(&key, n->host, LABEL_MAX, NULL);
	buffer_text(&key, "\"}");
	ok = labels && buffer_status(&key) == ERR_OK &&
	     put_cut(labels, "instance", n->host, LABEL_MAX) &&
	     put(root, "groupKey", buffer_string(&key));
	buffer_fini(&key);
	return ok;
}

static bool put_frame(cJSON *root, const struct notification *n, size_t left)
{
	const char *status = payload_count(n).firing ? "firing" : "resolved";

	return put(root, "version", "4") && put_group(root, n) &&
	       cJSON_AddNumberToObject(root, "truncatedAlerts", (double)left) &&
	       put(root, "status", status) && put(root, "receiver", n->receiver) &&
	       put(root, "externalURL", "");
}

static enum err alertmanager_render(const struct notification *n, struct buffer *out)
{
	cJSON *root = cJSON_CreateObject();
	cJSON *alerts = cJSON_CreateArray();
	size_t left = 0;
	enum err e = alerts ? add_alerts(alerts, n, &left) : ERR_MEMORY;

	if (e == ERR_OK && put_frame(root, n, left) &&
		add(root, "commonLabels", common_of(alerts, "labels")) &&
		add(root, "commonAnnotations", common_of(alerts, "annotations")) &&
		cJSON_AddItemToObject(root, "alerts", alerts))
		return payload_print(root, out);
	cJSON_Delete(alerts);
	cJSON_Delete(root);
	return e == ERR_OK ? ERR_MEMORY : e;
}

const struct service alertmanager_service = {
	.content_type = "application/json",
	.render = alertmanager_render,
	.accepts = NULL,
};
