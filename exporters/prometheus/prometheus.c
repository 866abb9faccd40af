/* The exporter "prometheus": /metrics, health and a plain page over HTTP. */
#include "exporters/exporter.h"
#include "exporters/prometheus/http.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define MILLISECONDS 1000

struct prometheus_conf {
	struct strings listen;
	int64_t connections_max;
	int64_t connections_per_ip_max;
	int64_t timeout_ms;
	int64_t max_series;
	char *telemetry_path;
	int lifecycle;
};

struct prometheus {
	const struct prometheus_conf *conf; /* borrowed until stop */
	struct exporter_host host;
	struct http *http;
};

static enum err check_listen(const char *value, struct why *why)
{
	struct listen_address address;

	return listen_parse(value, &address, why);
}

static enum err check_path(const char *value, struct why *why)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789/-._~";
	const char *at = value;

	if (*at != '/' || !at[1])
		return why_fail(why, ERR_CONFIG,
			"\"%s\" is no path: it starts with / and has a name", value);
	if (strncmp(value, "/-/", 3) == 0)
		return why_fail(why, ERR_CONFIG, "\"%s\": what starts with /-/ is taken", value);
	for (; *at; at++)
		for (const char *a = allowed; *a != *at; a++)
			if (!a[1])
				return why_fail(why, ERR_CONFIG,
					"\"%s\" holds characters that a path should not have",
					value);
	return ERR_OK;
}

static const char *const lifecycle_words[] = {
	[LIFECYCLE_LOOPBACK] = "loopback",
	[LIFECYCLE_ON] = "true",
	[LIFECYCLE_OFF] = "false",
	NULL,
};

static const struct schema_field fields[] = {
	{ .key = "listen",
		.type = SCHEMA_TEXTS,
		.offset = offsetof(struct prometheus_conf, listen),
		.standard = "127.0.0.1:9947",
		.help = "Addresses to listen on: ADDRESS:PORT, [ADDRESS]:PORT or :PORT.",
		.check = check_listen },
	{ .key = "max_connections",
		.type = SCHEMA_INTEGER,
		.offset = offsetof(struct prometheus_conf, connections_max),
		.standard = "64",
		.help = "Connections at once to one address to listen on.",
		.minimum = 1,
		.maximum = 4096 },
	{ .key = "max_connections_per_ip",
		.type = SCHEMA_INTEGER,
		.offset = offsetof(struct prometheus_conf, connections_per_ip_max),
		.standard = "16",
		.help = "Connections at once from one address.",
		.minimum = 1,
		.maximum = 4096 },
	{ .key = "timeout",
		.type = SCHEMA_DURATION,
		.offset = offsetof(struct prometheus_conf, timeout_ms),
		.standard = "10s",
		.help = "A connection that is silent for so long is closed.",
		.minimum = MILLISECONDS,
		.maximum = (int64_t)3600 * MILLISECONDS },
	{ .key = "max_series",
		.type = SCHEMA_INTEGER,
		.offset = offsetof(struct prometheus_conf, max_series),
		.standard = "20000",
		.help = "Series of single certificates and endpoints; more are left out and counted in leafwatch_series_dropped.",
		.minimum = 1,
		.maximum = 1000000 },
	{ .key = "telemetry_path",
		.type = SCHEMA_TEXT,
		.offset = offsetof(struct prometheus_conf, telemetry_path),
		.standard = "/metrics",
		.help = "Path of the metrics.",
		.check = check_path },
	{ .key = "lifecycle",
		.type = SCHEMA_WORD,
		.offset = offsetof(struct prometheus_conf, lifecycle),
		.standard = "loopback",
		.help = "Whether POST /-/reload reloads: on every address, on none, or on loopback addresses only.",
		.words = lifecycle_words },
	{ .key = NULL },
};

static void reload(void *arg)
{
	const struct prometheus *p = arg;

	p->host.request_reload(p->host.ctx);
}

static enum err prometheus_start(
	const void *conf, const struct exporter_host *host, void **state, struct why *why)
{
	const struct prometheus_conf *c = conf;
	struct http_settings settings = {
		.listen = &c->listen,
		.connections_max = (unsigned)c->connections_max,
		.connections_per_ip_max = (unsigned)c->connections_per_ip_max,
		.timeout_s = (unsigned)((c->timeout_ms + MILLISECONDS - 1) / MILLISECONDS),
		.metrics_path = c->telemetry_path,
		.lifecycle = (enum lifecycle)c->lifecycle,
		.reload = host->request_reload ? reload : NULL,
	};
	struct prometheus *p = calloc(1, sizeof(*p));
	struct snapshot *nothing_yet = NULL;
	enum err e = ERR_MEMORY;

	if (!p)
		return ERR_MEMORY;
	p->conf = c;
	p->host = *host;
	settings.reload_arg = p;
	e = snapshot_new(NULL, 0, c->telemetry_path, &nothing_yet);
	if (e == ERR_OK)
		e = http_start(&settings, nothing_yet, &p->http, why);
	snapshot_release(nothing_yet);
	if (e != ERR_OK) {
		free(p);
		return e;
	}
	*state = p;
	return ERR_OK;
}

static enum err prometheus_update(void *state, const struct view *view)
{
	struct prometheus *p = state;
	struct snapshot *next = NULL;
	enum err e =
		snapshot_new(view, (uint64_t)p->conf->max_series, p->conf->telemetry_path, &next);

	/* The last good one is served on. */
	if (e != ERR_OK)
		return e;
	http_update(p->http, next);
	snapshot_release(next);
	return ERR_OK;
}

static void prometheus_stop(void *state)
{
	struct prometheus *p = state;

	http_stop(p->http);
	free(p);
}

static const char *prometheus_address(const void *state)
{
	const struct prometheus *p = state;

	return http_url(p->http);
}

const struct exporter prometheus_exporter = {
	.name = "prometheus",
	.help = "metrics for Prometheus, health and a plain page over HTTP",
	.fields = fields,
	.conf_bytes = sizeof(struct prometheus_conf),
	.start = prometheus_start,
	.update = prometheus_update,
	.stop = prometheus_stop,
	.address = prometheus_address,
};
