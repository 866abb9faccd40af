/* What ties both ends of mutual TLS together, as keys of a record's JSON object. */
#include "exporters/report/record_json.h"

#include "agent/base/text.h"

/* Takes `item`; NULL is memory that ran out. */
static bool put(cJSON *to, const char *key, cJSON *item)
{
	if (item && cJSON_AddItemToObjectCS(to, key, item))
		return true;
	cJSON_Delete(item);
	return false;
}

static bool push(cJSON *array, cJSON *item)
{
	if (item && cJSON_AddItemToArray(array, item))
		return true;
	cJSON_Delete(item);
	return false;
}

/* Absent where the list is whole. */
static bool put_count(cJSON *to, const char *key, uint64_t count, size_t shown)
{
	return count <= shown || put(to, key, cJSON_CreateNumber((double)count));
}

static bool put_texts(cJSON *to, const char *key, const struct strings *texts)
{
	cJSON *array = cJSON_CreateArray();
	bool good = array != NULL;

	for (size_t i = 0; good && i < texts->count; i++)
		good = push(array, cJSON_CreateString(texts->items[i]));
	if (good)
		return put(to, key, array);
	cJSON_Delete(array);
	return false;
}

static bool put_fingerprints(cJSON *to, const char *key, const struct fingerprints *list)
{
	char hex[FINGERPRINT_TEXT_BYTES];
	cJSON *array = cJSON_CreateArray();
	bool good = array != NULL;

	for (size_t i = 0; good && i < list->count; i++) {
		text_hex(hex, list->items[i], FINGERPRINT_BYTES);
		good = push(array, cJSON_CreateString(hex));
	}
	if (good)
		return put(to, key, array);
	cJSON_Delete(array);
	return false;
}

static cJSON *ca_json(const struct client_ca *ca)
{
	char hex[FINGERPRINT_TEXT_BYTES];
	char when[TIME_TEXT_BYTES];
	cJSON *to = cJSON_CreateObject();

	text_hex(hex, ca->fingerprint, FINGERPRINT_BYTES);
	time_rfc3339(ca->not_after, when);
	if (to && put(to, "subject", cJSON_CreateString(ca->subject)) &&
		put(to, "fingerprint", cJSON_CreateString(hex)) &&
		put(to, "not_after", cJSON_CreateString(when)))
		return to;
	cJSON_Delete(to);
	return NULL;
}

static bool put_cas(cJSON *to, const struct endpoint_links *l)
{
	cJSON *array = cJSON_CreateArray();
	bool good = array != NULL;

	for (size_t i = 0; good && i < l->cas_count; i++)
		good = push(array, ca_json(&l->cas[i]));
	if (good)
		return put(to, "client_cas", array) &&
		       put_count(to, "client_cas_count", l->cas_found, l->cas_count);
	cJSON_Delete(array);
	return false;
}

static enum err certificate_keys(cJSON *to, const struct view *view, const struct certificate *c)
{
	struct certificate_links l = { 0 };
	bool good = true;
	enum err e = view->links_of_certificate(view->ctx, c, &l);

	if (e == ERR_OK && l.is_client)
		good = put_texts(to, "accepted_by", &l.accepted_by) &&
		       put_count(to, "accepted_by_count", l.accepted_by_count, l.accepted_by.count);
	if (e == ERR_OK && l.trusted_by_count)
		good = good && put_texts(to, "trusted_by", &l.trusted_by) &&
		       put_count(to, "trusted_by_count", l.trusted_by_count, l.trusted_by.count);
	certificate_links_fini(&l);
	return e == ERR_OK && !good ? ERR_MEMORY : e;
}

static bool put_time(cJSON *to, const char *key, int64_t t)
{
	char when[TIME_TEXT_BYTES];

	if (t == TIME_UNKNOWN)
		return true;
	time_rfc3339(t, when);
	return put(to, key, cJSON_CreateString(when));
}

static bool put_history(cJSON *to, const struct mtls_state *m)
{
	return !m || (put_time(to, "client_certificate_changed", m->mode_changed) &&
			     put_time(to, "client_certificate_weakened", m->weakened) &&
			     put_time(to, "acceptable_cas_changed", m->change.at));
}

static enum err endpoint_keys(cJSON *to, const struct view *view, const struct sighting *s)
{
	struct endpoint_links l = { 0 };
	bool good = true;
	enum err e = view->links_of_endpoint(view->ctx, &s->record->location, &l);

	/* Absent means not known, which it is where no CA is named. */
	if (e == ERR_OK && l.asks && !l.is_open)
		good = put_fingerprints(to, "accepts", &l.accepts) &&
		       put_count(to, "accepts_count", l.accepts_count, l.accepts.count) &&
		       put_cas(to, &l);
	endpoint_links_fini(&l);
	return e == ERR_OK && !good ? ERR_MEMORY : e;
}

enum err record_json_links(cJSON *to, const struct view *view, const struct sighting *s)
{
	if (s->record->kind == RECORD_CERTIFICATE && view->links_of_certificate)
		return certificate_keys(to, view, &s->record->certificate.facts);
	if (s->record->kind != RECORD_ENDPOINT)
		return ERR_OK;
	if (!put_history(to, s->mtls))
		return ERR_MEMORY;
	return view->links_of_endpoint ? endpoint_keys(to, view, s) : ERR_OK;
}
