/* The configuration of a webhook receiver. */
#include "exporters/webhooks/service.h"
#include "exporters/webhooks/webhook.h"

#include <stddef.h>
#include <string.h>

#define TIMEOUT_MIN_MS 100
#define TIMEOUT_MAX_MS (5 * 60 * 1000)

static const char *const severities[] = { "info", "warning", "critical", NULL };

const struct schema_field webhook_fields[] = {
	{ .key = "name",
		.type = SCHEMA_TEXT,
		.is_required = true,
		.offset = offsetof(struct webhook_conf, receiver.name),
		.help = "The receiver's name in logs, metrics and `notify test`; unique." },
	{ .key = "format",
		.type = SCHEMA_WORD,
		.words = service_words,
		.standard = "alertmanager",
		.offset = offsetof(struct webhook_conf, format),
		.help = "The body: a chat service's, or Alertmanager's webhook version 4." },
	{ .key = "url",
		.type = SCHEMA_SECRET,
		.is_required = true,
		.offset = offsetof(struct webhook_conf, url),
		.help = "Where to send to (http or https); a secret, since it often holds one." },
	{ .key = "min_severity",
		.type = SCHEMA_WORD,
		.words = severities,
		.standard = "info",
		.offset = offsetof(struct webhook_conf, receiver.min_severity),
		.help = "Alerts below this severity are not sent here." },
	{ .key = "send_resolved",
		.type = SCHEMA_BOOL,
		.standard = "true",
		.offset = offsetof(struct webhook_conf, receiver.send_resolved),
		.help = "Say when an alert that was sent here is over." },
	{ .key = "headers",
		.type = SCHEMA_HEADERS,
		.offset = offsetof(struct webhook_conf, headers),
		.help = "Further request headers." },
	{ .key = "authorization",
		.type = SCHEMA_SECTION,
		.fields = http_authorization_fields,
		.section_bytes = sizeof(struct http_authorization),
		.offset = offsetof(struct webhook_conf, authorization),
		.help = "An Authorization header." },
	{ .key = "basic_auth",
		.type = SCHEMA_SECTION,
		.fields = http_basic_fields,
		.section_bytes = sizeof(struct http_basic),
		.offset = offsetof(struct webhook_conf, basic_auth),
		.help = "HTTP basic authentication." },
	{ .key = "ca_file",
		.type = SCHEMA_TEXT,
		.offset = offsetof(struct webhook_conf, ca_file),
		.help = "PEM bundle to verify the receiver with, instead of the system's." },
	{ .key = "client_cert",
		.type = SCHEMA_TEXT,
		.offset = offsetof(struct webhook_conf, client_cert),
		.help = "PEM certificate to show to a receiver that demands one." },
	{ .key = "client_key",
		.type = SCHEMA_TEXT,
		.offset = offsetof(struct webhook_conf, client_key),
		.help = "PEM private key of `client_cert`." },
	{ .key = "proxy",
		.type = SCHEMA_SECRET,
		.offset = offsetof(struct webhook_conf, proxy),
		.help = "Proxy URL; the environment's proxies are not used." },
	{ .key = "timeout",
		.type = SCHEMA_DURATION,
		.standard = "30s",
		.minimum = TIMEOUT_MIN_MS,
		.maximum = TIMEOUT_MAX_MS,
		.offset = offsetof(struct webhook_conf, timeout_ms),
		.help = "Time for one whole attempt, from name look-up to the answer's end." },
	{ .key = "signing_secret",
		.type = SCHEMA_SECRET,
		.offset = offsetof(struct webhook_conf, signing_secret),
		.help = "Sign requests as Standard Webhooks do: base64, with or without `whsec_`." },
	{ 0 },
};

static enum err check_headers(const struct strings *headers, struct why *why)
{
	for (size_t i = 0; i < headers->count; i++) {
		const char *h = headers->items[i];
		const char *colon = strchr(h, ':');

		/* RFC 9110 5.5: neither CR, LF nor NUL; a name is never empty. */
		if (!colon || colon == h || strpbrk(h, "\r\n"))
			return why_fail(
				why, ERR_CONFIG, "headers: entry %zu is not a header", i + 1);
	}
	return ERR_OK;
}

enum err webhook_conf_check(const struct webhook_conf *conf, struct why *why)
{
	enum err e;

	if (!secret_is_set(&conf->url))
		return why_fail(why, ERR_CONFIG, "url or url_file is missing");
	if (conf->url.value && !http_url_is_spoken(conf->url.value))
		return why_fail(why, ERR_CONFIG, "url: only http:// and https:// are spoken");
	if (!conf->client_cert != !conf->client_key)
		return why_fail(why, ERR_CONFIG, "client_cert and client_key belong together");
	if (conf->format < 0 || (size_t)conf->format >= services_count)
		return why_fail(why, ERR_CONFIG, "format: unknown");
	e = http_credentials_check(&conf->authorization, &conf->basic_auth, why);
	return e == ERR_OK ? check_headers(&conf->headers, why) : e;
}
