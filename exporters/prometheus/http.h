/* The HTTP server: libmicrohttpd in threads of its own, serving what update() last handed it. A request
 * never touches the inventory and waits for nothing. The only file that knows libmicrohttpd. */
#ifndef LEAFWATCH_EXPORTERS_PROMETHEUS_HTTP_H
#define LEAFWATCH_EXPORTERS_PROMETHEUS_HTTP_H

#include "agent/base/strings.h"
#include "exporters/prometheus/listen.h"
#include "exporters/prometheus/snapshot.h"

#include <stdint.h>

#define HTTP_LISTENERS_MAX 16

/* Who may ask for a reload by POST or PUT /-/reload. */
enum lifecycle { LIFECYCLE_LOOPBACK, LIFECYCLE_ON, LIFECYCLE_OFF };

struct http_settings {
	const struct strings *listen; /* borrowed while it starts */
	unsigned connections_max;     /* of each listener */
	unsigned connections_per_ip_max;
	unsigned
		timeout_s; /* of silence; a request as a whole gets HTTP_REQUEST_TIMEOUTS times as much */
	const char *metrics_path; /* borrowed until http_stop */
	enum lifecycle lifecycle;
	void (*reload)(void *arg); /* any thread; NULL = none */
	void *reload_arg;
};
#define HTTP_REQUEST_TIMEOUTS 6

struct http;

/* Takes its own hold of `first`. ERR_IO names the address that cannot be had. */
enum err http_start(const struct http_settings *settings, struct snapshot *first, struct http **out,
	struct why *why) MUST_CHECK;
/* From now on serves `next` (its own hold is taken); ends connections that dawdle. */
void http_update(struct http *h, struct snapshot *next);
/* Ends all connections and threads. NULL is allowed. */
void http_stop(struct http *h);
/* Of the first listener: "http://127.0.0.1:9947/". */
const char *http_url(const struct http *h);

#endif
