/* Slack incoming webhooks: Block Kit within its limits. */
#include "agent/base/clock.h"
#include "exporters/webhooks/payload.h"
#include "exporters/webhooks/service.h"

#include <stdio.h>
#include <string.h>

/* Slack's limits (header, section, field, blocks), counted in bytes, which is never less than the
 * characters Slack counts. All blocks together must stay under about 13,000. */
#define HEADER_MAX 150
#define SECTION_MAX 3000
#define FIELD_MAX 2000
#define FALLBACK_MAX 3000
#define MESSAGE_MAX 12000
/* Of the 50 blocks four are header, fields, "and more" and context. */
#define ALERT_BLOCKS_MAX 45
/* What one alert may take, so that many fit. */
#define SUMMARY_MAX 600
#define SUBJECT_MAX 300
#define PLACE_MAX 200
#define PLACES_MAX 5

static const char *escape(char c)
{
	switch (c) {
	case '&':
		return "&amp;";
	case '<':
		return "&lt;";
	case '>':
		return "&gt;";
	default:
		return NULL;
	}
}

/* Inside `code` a backtick would end it. */
static const char *escape_code(char c)
{
	return c == '`' ? "'" : escape(c);
}

static const char *mark(const struct alert *a)
{
	if (alert_event_is_resolved(a->event))
		return ":white_check_mark:";
	if (a->event == ALERT_TEST)
		return ":wave:";
	return a->severity == SEVERITY_CRITICAL ? ":red_circle:" : ":large_yellow_circle:";
}

static void places(const struct alert *a, struct buffer *out)
{
	size_t shown = a->locations.count < PLACES_MAX ? a->locations.count : PLACES_MAX;
	uint64_t more = a->locations.count - shown + a->locations_more;

	for (size_t i = 0; i < shown; i++) {
		buffer_text(out, "\n• `");
		payload_cut(out, a->locations.items[i], PLACE_MAX, escape_code);
		buffer_text(out, "`");
	}
	if (more)
		buffer_format(out, "\n• …and %llu more places", (unsigned long long)more);
}

static void alert_text(const struct alert *a, struct buffer *out)
{
	buffer_format(out, "%s *%s* (%s): ", mark(a),
		alert_event_is_resolved(a->event) ? "resolved" : severity_word(a->severity),
		alert_event_word(a->event));
	payload_cut(out, a->summary, SUMMARY_MAX, escape);
	if (a->event == ALERT_TEST)
		return;
	buffer_text(out, "\n`");
	payload_cut(out, *a->subject ? a->subject : "(empty subject)", SUBJECT_MAX, escape_code);
	buffer_text(out, "`");
	places(a, out);
}

/* A text object. `verbatim`: no link, channel or mention is made out of what a certificate says. */
static cJSON *text_object(const char *type, const char *text)
{
	cJSON *o = cJSON_CreateObject();

	if (!cJSON_AddStringToObject(o, "type", type) ||
		!cJSON_AddStringToObject(o, "text", text) ||
		(strcmp(type, "mrkdwn") == 0 && !cJSON_AddTrueToObject(o, "verbatim"))) {
		cJSON_Delete(o);
		return NULL;
	}
	return o;
}

/* Adds to an object or, without a key, an array; frees `item` when it cannot. */
static bool add(cJSON *to, const char *key, cJSON *item)
{
	bool ok = item &&
		  (key ? cJSON_AddItemToObject(to, key, item) : cJSON_AddItemToArray(to, item));

	if (!ok)
		cJSON_Delete(item);
	return ok;
}

static cJSON *add_block(cJSON *blocks, const char *type)
{
	cJSON *block = cJSON_CreateObject();

	if (!cJSON_AddStringToObject(block, "type", type)) {
		cJSON_Delete(block);
		return NULL;
	}
	return add(blocks, NULL, block) ? block : NULL;
}

static bool add_section(cJSON *blocks, const char *text)
{
	cJSON *block = add_block(blocks, "section");

	return block && add(block, "text", text_object("mrkdwn", text));
}

static bool add_header(cJSON *blocks, const char *title)
{
	struct buffer text;
	cJSON *block = add_block(blocks, "header");
	bool ok;

	buffer_init(&text, HEADER_MAX);
	payload_cut(&text, title, HEADER_MAX, NULL);
	ok = block && buffer_status(&text) == ERR_OK &&
	     add(block, "text", text_object("plain_text", buffer_string(&text)));
	buffer_fini(&text);
	return ok;
}

static bool add_field(cJSON *fields, const char *name, const char *value)
{
	struct buffer text;
	bool ok;

	buffer_init(&text, FIELD_MAX);
	buffer_format(&text, "*%s*\n", name);
	payload_cut(&text, value, FIELD_MAX - text.size, escape);
	ok = buffer_status(&text) == ERR_OK &&
	     add(fields, NULL, text_object("mrkdwn", buffer_string(&text)));
	buffer_fini(&text);
	return ok;
}

static bool add_fields(cJSON *blocks, const struct notification *n)
{
	struct payload_counts c = payload_count(n);
	cJSON *block = add_block(blocks, "section");
	cJSON *fields = block ? cJSON_AddArrayToObject(block, "fields") : NULL;

	return fields && add_field(fields, "Host", n->host) &&
	       (!c.firing || add_field(fields, "Severity", severity_word(c.worst)));
}

static bool add_more(cJSON *blocks, size_t more)
{
	char text[64];

	if (!more)
		return true;
	(void)snprintf(text, sizeof(text), "…and %zu more", more);
	return add_section(blocks, text);
}

static bool add_alerts(cJSON *blocks, const struct notification *n)
{
	struct buffer text;
	size_t total = 0;
	size_t shown = 0;
	bool ok = true;

	buffer_init(&text, SECTION_MAX);
	while (ok && shown < n->count && shown < ALERT_BLOCKS_MAX) {
		buffer_clear(&text);
		alert_text(&n->alerts[shown], &text);
		total += text.size;
		if (total > MESSAGE_MAX)
			break;
		ok = buffer_status(&text) == ERR_OK && add_section(blocks, buffer_string(&text));
		shown++;
	}
	buffer_fini(&text);
	return ok && add_more(blocks, n->count - shown);
}

static bool add_context(cJSON *blocks, const struct notification *n)
{
	char text[160];
	char at[TIME_TEXT_BYTES];
	cJSON *block = add_block(blocks, "context");
	cJSON *elements = block ? cJSON_AddArrayToObject(block, "elements") : NULL;

	time_rfc3339(n->created, at);
	(void)snprintf(text, sizeof(text), "leafwatch · %s · id %.64s", at, n->id);
	return elements && add(elements, NULL, text_object("mrkdwn", text));
}

/* What a phone shows: the title, and of a single alert its sentence. */
static bool add_fallback(cJSON *root, const struct notification *n, const char *title)
{
	struct buffer text;
	bool ok;

	buffer_init(&text, FALLBACK_MAX);
	payload_cut(&text, title, HEADER_MAX, escape);
	if (n->count == 1) {
		buffer_text(&text, ": ");
		payload_cut(&text, n->alerts[0].summary, SUMMARY_MAX, escape);
	}
	ok = buffer_status(&text) == ERR_OK &&
	     cJSON_AddStringToObject(root, "text", buffer_string(&text)) &&
	     cJSON_AddFalseToObject(root, "unfurl_links") &&
	     cJSON_AddFalseToObject(root, "unfurl_media");
	buffer_fini(&text);
	return ok;
}

static enum err slack_render(const struct notification *n, struct buffer *out)
{
	struct buffer title;
	cJSON *root = cJSON_CreateObject();
	cJSON *blocks = NULL;
	enum err e = ERR_MEMORY;

	buffer_init(&title, RECORD_TEXT_BYTES_MAX);
	payload_title(n, &title);
	if (add_fallback(root, n, buffer_string(&title)))
		blocks = cJSON_AddArrayToObject(root, "blocks");
	if (blocks && add_header(blocks, buffer_string(&title)) && add_fields(blocks, n) &&
		add_alerts(blocks, n) && add_context(blocks, n)) {
		e = payload_print(root, out);
		root = NULL;
	}
	cJSON_Delete(root);
	buffer_fini(&title);
	return e;
}

/* Slack says "ok"; another 2xx body is a proxy's or a portal's. */
static bool slack_accepts(struct slice body)
{
	return body.size >= 2 && body.size <= 4 && slice_starts(body, "ok", 2);
}

const struct service slack_service = {
	.content_type = "application/json",
	.render = slack_render,
	.accepts = slack_accepts,
};
