/* Every record of a view as JSON, one at a time: memory holds one record, whatever the view has. */
#include "exporters/report/json_stream.h"

#include "exporters/report/record_json.h"

/* A byte of a record's text becomes at most six in JSON, its hashes two; keys and quotes come on top. */
#define JSON_BYTES_MAX ((size_t)RECORD_BYTES_MAX * 8)

struct stream {
	const struct view *view; /* borrowed */
	const char *between;     /* borrowed */
	const char *after;       /* borrowed */
	FILE *to;                /* borrowed */
	bool is_started;
	struct json_counts *counts; /* borrowed */
	struct buffer text;
};

static void count(struct json_counts *n, const struct record *r)
{
	n->certificates += r->kind == RECORD_CERTIFICATE;
	n->endpoints += r->kind == RECORD_ENDPOINT && !record_is_plain_listener(r);
	n->problems += r->kind == RECORD_PROBLEM;
	n->crls += r->kind == RECORD_CRL;
}

static enum err write_json(struct stream *s, const cJSON *json)
{
	enum err e;

	buffer_clear(&s->text);
	e = record_json_print(&s->text, json);
	if (e != ERR_OK)
		return e;
	if (fwrite(s->text.data, 1, s->text.size, s->to) != s->text.size)
		return ERR_IO;
	return ERR_OK;
}

static enum err each(void *arg, const struct sighting *sighting)
{
	struct stream *s = arg;
	cJSON *json;
	enum err e;

	count(s->counts, sighting->record);
	if (s->is_started && fputs(s->between, s->to) == EOF)
		return ERR_IO;
	json = record_json(sighting, &s->view->thresholds, s->view->now);
	if (!json)
		return ERR_MEMORY;
	e = record_json_links(json, s->view, sighting);
	if (e == ERR_OK)
		e = write_json(s, json);
	cJSON_Delete(json);
	s->is_started = true;
	if (e == ERR_OK && fputs(s->after, s->to) == EOF)
		return ERR_IO;
	return e;
}

enum err json_stream_records(const struct view *view, const char *between, const char *after,
	FILE *to, struct json_counts *out)
{
	static const enum record_kind kinds[] = { RECORD_CERTIFICATE, RECORD_ENDPOINT, RECORD_CRL,
		RECORD_KEY, RECORD_PROBLEM, RECORD_REFERENCE };
	struct stream s = {
		.view = view, .between = between, .after = after, .to = to, .counts = out
	};
	enum err e = ERR_OK;

	*out = (struct json_counts){ 0 };

	buffer_init(&s.text, JSON_BYTES_MAX);
	for (size_t i = 0; e == ERR_OK && i < sizeof(kinds) / sizeof(kinds[0]); i++)
		e = view->each_sighting(view->ctx, kinds[i], each, &s);
	buffer_fini(&s.text);
	return e;
}

enum err json_stream_summary(
	const struct json_counts *counts, const struct report_summary *summary, FILE *to)
{
	struct stream s = { .to = to };
	cJSON *json = cJSON_CreateObject();
	enum err e = ERR_MEMORY;

	buffer_init(&s.text, JSON_BYTES_MAX);
	/* Milliseconds are all the clock gives. */
	if (json && cJSON_AddStringToObject(json, "type", "summary") &&
		cJSON_AddNumberToObject(json, "certificates", (double)counts->certificates) &&
		cJSON_AddNumberToObject(json, "endpoints", (double)counts->endpoints) &&
		cJSON_AddNumberToObject(json, "problems", (double)counts->problems) &&
		cJSON_AddNumberToObject(json, "crls", (double)counts->crls) &&
		cJSON_AddNumberToObject(json, "files", (double)summary->files) &&
		cJSON_AddNumberToObject(
			json, "seconds", (double)(int64_t)(summary->seconds * 1000 + 0.5) / 1000))
		e = write_json(&s, json);
	cJSON_Delete(json);
	buffer_fini(&s.text);
	return e;
}
