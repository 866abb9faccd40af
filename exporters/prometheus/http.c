/* The HTTP server. */
#include "exporters/prometheus/http.h"

#include "agent/base/clock.h"
#include "agent/base/log.h"
#include "exporters/prometheus/landing.h"
#include "exporters/prometheus/negotiate.h"
#include "exporters/prometheus/process.h"

#include <microhttpd.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CONNECTION_MEMORY_BYTES ((size_t)32 * 1024)
#define BODY_BYTES_MAX ((size_t)64 * 1024)
#define TAIL_BYTES_MAX 65536
#define MILLISECONDS 1000
#define END_OF_OPENMETRICS "# EOF\n"

#define TYPE_TEXT "text/plain; charset=utf-8"
#define TYPE_METRICS "text/plain; version=0.0.4; charset=utf-8"
#define TYPE_OPENMETRICS "application/openmetrics-text; version=1.0.0; charset=utf-8"
#define TYPE_OPENMETRICS_ESCAPING TYPE_OPENMETRICS "; escaping=underscores"

struct connection {
	struct connection *next;
	struct connection **back;
	int fd;           /* borrowed from libmicrohttpd, valid while the connection is listed */
	int64_t since_ms; /* start, or end of the last request */
};

struct listener {
	struct http *http; /* borrowed */
	struct MHD_Daemon *daemon;
	bool is_loopback;
};

struct http {
	struct http_settings settings;
	struct listener listeners[HTTP_LISTENERS_MAX];
	size_t listeners_count;
	char url[LISTEN_TEXT_BYTES];
	pthread_mutex_t lock;           /* of what follows */
	struct snapshot *snapshot;      /* held */
	struct connection *connections; /* owned */
};

/* One request under way. */
struct request {
	size_t body_bytes;
};

struct answer {
	unsigned status;
	const char *type;
	const char *body;
	const char *allow; /* or NULL */
};

static struct snapshot *current(struct http *h)
{
	struct snapshot *s;

	(void)pthread_mutex_lock(&h->lock);
	s = snapshot_hold(h->snapshot);
	(void)pthread_mutex_unlock(&h->lock);
	return s;
}

/* --- answers --------------------------------------------------------------------------------- */

static bool add_header(struct MHD_Response *r, const char *name, const char *value)
{
	return MHD_add_response_header(r, name, value) == MHD_YES;
}

/* Queues the response and lets go of it. */
static enum MHD_Result send_response(
	struct MHD_Connection *c, unsigned status, const char *type, struct MHD_Response *r)
{
	enum MHD_Result result = MHD_NO;

	if (!r)
		return MHD_NO;
	if (add_header(r, MHD_HTTP_HEADER_CONTENT_TYPE, type) &&
		add_header(r, "X-Content-Type-Options", "nosniff") &&
		add_header(r, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store"))
		result = MHD_queue_response(c, status, r);
	MHD_destroy_response(r);
	return result;
}

static enum MHD_Result send_answer(struct MHD_Connection *c, const struct answer *a)
{
	/* MHD_RESPMEM_PERSISTENT changes nothing: the text is constant. */
	struct MHD_Response *r = MHD_create_response_from_buffer(
		strlen(a->body), (void *)(uintptr_t)a->body, MHD_RESPMEM_PERSISTENT);

	if (r && a->allow && !add_header(r, MHD_HTTP_HEADER_ALLOW, a->allow)) {
		MHD_destroy_response(r);
		return MHD_NO;
	}
	return send_response(c, a->status, a->type, r);
}

static void release_snapshot(void *arg)
{
	snapshot_release(arg);
}

static enum MHD_Result send_page(struct http *h, struct MHD_Connection *c)
{
	struct snapshot *s = current(h);
	struct MHD_Response *r = MHD_create_response_from_buffer_with_free_callback_cls(
		s->page.size, s->page.data, release_snapshot, s);

	if (!r) {
		snapshot_release(s);
		return MHD_NO;
	}
	if (!add_header(r, "Content-Security-Policy", LANDING_POLICY) ||
		!add_header(r, "Referrer-Policy", "no-referrer") ||
		!add_header(r, "X-Frame-Options", "DENY")) {
		MHD_destroy_response(r);
		return MHD_NO;
	}
	return send_response(c, MHD_HTTP_OK, "text/html; charset=utf-8", r);
}

/* --- a scrape -------------------------------------------------------------------------------- */

/* What a scrape's response points to. */
struct scrape {
	struct snapshot *snapshot; /* held */
	struct buffer tail;        /* process_* and the end mark, compressed where all is */
};

static void scrape_free(void *arg)
{
	struct scrape *s = arg;

	snapshot_release(s->snapshot);
	buffer_fini(&s->tail);
	free(s);
}

static void push_part(struct MHD_IoVec *parts, unsigned *count, struct slice part)
{
	if (part.size)
		parts[(*count)++] =
			(struct MHD_IoVec){ .iov_base = part.data, .iov_len = part.size };
}

static void make_tail(struct scrape *s, bool is_openmetrics)
{
	process_append(&s->tail, is_openmetrics);
	if (is_openmetrics)
		buffer_text(&s->tail, END_OF_OPENMETRICS);
}

/* Everything compressed: the constant part comes from the snapshot, the tail is made here. */
static unsigned gzip_parts(struct scrape *s, bool is_openmetrics, struct MHD_IoVec *parts)
{
	const struct compressed *c = snapshot_compressed(s->snapshot, is_openmetrics);
	struct buffer plain = s->tail;
	unsigned count = 0;

	if (!c)
		return 0;
	buffer_init(&s->tail, 2 * TAIL_BYTES_MAX);
	if (snapshot_compress_tail(c, buffer_bytes(&plain), &s->tail) == ERR_OK) {
		push_part(parts, &count, buffer_bytes(&c->bytes));
		push_part(parts, &count, buffer_bytes(&s->tail));
	}
	buffer_fini(&plain);
	return count;
}

static unsigned plain_parts(struct scrape *s, bool is_openmetrics, struct MHD_IoVec *parts)
{
	unsigned count = 0;

	for (unsigned i = 0; i < METRICS_FAMILIES; i++) {
		push_part(parts, &count, snapshot_header(s->snapshot, i, is_openmetrics));
		push_part(parts, &count, buffer_bytes(&s->snapshot->metrics.samples[i]));
	}
	push_part(parts, &count, buffer_bytes(&s->tail));
	return count;
}

static struct MHD_Response *scrape_response(struct http *h, bool is_openmetrics, bool is_gzip)
{
	struct MHD_IoVec parts[2 * METRICS_FAMILIES + 1];
	struct scrape *s = calloc(1, sizeof(*s));
	struct MHD_Response *r = NULL;
	unsigned count = 0;

	if (!s)
		return NULL;
	s->snapshot = current(h);
	buffer_init(&s->tail, TAIL_BYTES_MAX);
	make_tail(s, is_openmetrics);
	if (buffer_status(&s->tail) == ERR_OK)
		count = is_gzip ? gzip_parts(s, is_openmetrics, parts)
				: plain_parts(s, is_openmetrics, parts);
	if (count)
		r = MHD_create_response_from_iovec(parts, count, scrape_free, s);
	if (!r)
		scrape_free(s);
	return r;
}

static const char *request_header(struct MHD_Connection *c, const char *name)
{
	return MHD_lookup_connection_value(c, MHD_HEADER_KIND, name);
}

static enum MHD_Result send_metrics(struct http *h, struct MHD_Connection *c)
{
	bool wants_escaping;
	bool is_openmetrics =
		negotiate_openmetrics(request_header(c, MHD_HTTP_HEADER_ACCEPT), &wants_escaping);
	bool is_gzip = negotiate_gzip(request_header(c, MHD_HTTP_HEADER_ACCEPT_ENCODING));
	struct MHD_Response *r = scrape_response(h, is_openmetrics, is_gzip);

	if (!r)
		return MHD_NO;
	if (!add_header(r, MHD_HTTP_HEADER_VARY, "Accept, Accept-Encoding") ||
		(is_gzip && !add_header(r, MHD_HTTP_HEADER_CONTENT_ENCODING, "gzip"))) {
		MHD_destroy_response(r);
		return MHD_NO;
	}
	return send_response(c, MHD_HTTP_OK,
		!is_openmetrics  ? TYPE_METRICS
		: wants_escaping ? TYPE_OPENMETRICS_ESCAPING
				 : TYPE_OPENMETRICS,
		r);
}

/* --- routes ---------------------------------------------------------------------------------- */

static enum MHD_Result send_healthy(const struct listener *l, struct MHD_Connection *c)
{
	static const struct answer healthy = { MHD_HTTP_OK, TYPE_TEXT, "Healthy\n", NULL };

	(void)l;
	return send_answer(c, &healthy);
}

static enum MHD_Result send_ready(const struct listener *l, struct MHD_Connection *c)
{
	static const struct answer ready = { MHD_HTTP_OK, TYPE_TEXT, "Ready\n", NULL };
	static const struct answer not_yet = { MHD_HTTP_SERVICE_UNAVAILABLE, TYPE_TEXT,
		"Not ready: the first pass has not ended yet\n", NULL };
	struct snapshot *s = current(l->http);
	bool is_ready = s->is_ready;

	snapshot_release(s);
	return send_answer(c, is_ready ? &ready : &not_yet);
}

static enum MHD_Result do_reload(const struct listener *l, struct MHD_Connection *c)
{
	static const struct answer forbidden = { MHD_HTTP_FORBIDDEN, TYPE_TEXT,
		"Reloading over HTTP is not allowed here (lifecycle)\n", NULL };
	static const struct answer foreign = { MHD_HTTP_FORBIDDEN, TYPE_TEXT,
		"Requests from web pages are not allowed\n", NULL };
	static const struct answer accepted = { MHD_HTTP_OK, TYPE_TEXT, "Reload asked for\n",
		NULL };
	const struct http_settings *s = &l->http->settings;

	if (!s->reload || s->lifecycle == LIFECYCLE_OFF ||
		(s->lifecycle == LIFECYCLE_LOOPBACK && !l->is_loopback))
		return send_answer(c, &forbidden);
	/* A browser on this host could be made to post here by any page; it says so with Origin. */
	if (request_header(c, MHD_HTTP_HEADER_ORIGIN))
		return send_answer(c, &foreign);
	s->reload(s->reload_arg);
	return send_answer(c, &accepted);
}

static enum MHD_Result get_page(const struct listener *l, struct MHD_Connection *c)
{
	return send_page(l->http, c);
}

static enum MHD_Result get_metrics(const struct listener *l, struct MHD_Connection *c)
{
	return send_metrics(l->http, c);
}

struct route {
	const char *path;
	const char *methods[2];
	const char *allow;
	enum MHD_Result (*handle)(const struct listener *l, struct MHD_Connection *c);
};

static const struct route metrics_route = { NULL, { "GET", "HEAD" }, "GET, HEAD", get_metrics };
static const struct route routes[] = {
	{ "/", { "GET", "HEAD" }, "GET, HEAD", get_page },
	{ "/-/healthy", { "GET", "HEAD" }, "GET, HEAD", send_healthy },
	{ "/-/ready", { "GET", "HEAD" }, "GET, HEAD", send_ready },
	{ "/-/reload", { "POST", "PUT" }, "POST, PUT", do_reload },
};

static const struct route *find_route(const struct http *h, const char *path)
{
	if (strcmp(path, h->settings.metrics_path) == 0)
		return &metrics_route;
	for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++)
		if (strcmp(path, routes[i].path) == 0)
			return &routes[i];
	return NULL;
}

static enum MHD_Result dispatch(
	const struct listener *l, struct MHD_Connection *c, const char *path, const char *method)
{
	static const struct answer missing = { MHD_HTTP_NOT_FOUND, TYPE_TEXT, "Not found\n", NULL };
	struct answer not_allowed = { MHD_HTTP_METHOD_NOT_ALLOWED, TYPE_TEXT,
		"Method not allowed\n", NULL };
	const struct route *route = find_route(l->http, path);

	if (!route)
		return send_answer(c, &missing);
	if (strcmp(method, route->methods[0]) == 0 || strcmp(method, route->methods[1]) == 0)
		return route->handle(l, c);
	not_allowed.allow = route->allow;
	return send_answer(c, &not_allowed);
}

/* libmicrohttpd calls this when the headers are there, for each piece of a body, and at the end. Its
 * signature is not ours. NOLINTNEXTLINE(readability-function-size) */
static enum MHD_Result on_request(void *cls, struct MHD_Connection *c, const char *path,
	const char *method, const char *version, const char *body, size_t *body_bytes, void **state)
{
	struct request *r = *state;

	(void)version;
	(void)body;
	if (!r) {
		*state = calloc(1, sizeof(*r));
		return *state ? MHD_YES : MHD_NO;
	}
	if (*body_bytes) {
		r->body_bytes += *body_bytes;
		*body_bytes = 0;
		return r->body_bytes > BODY_BYTES_MAX ? MHD_NO : MHD_YES;
	}
	return dispatch(cls, c, path, method);
}

/* --- connections ----------------------------------------------------------------------------- */

static void on_completed(
	void *cls, struct MHD_Connection *c, void **state, enum MHD_RequestTerminationCode why)
{
	struct listener *l = cls;
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(c, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
	struct connection *connection = info ? info->socket_context : NULL;

	(void)why;
	free(*state);
	*state = NULL;
	if (!connection)
		return;
	(void)pthread_mutex_lock(&l->http->lock);
	connection->since_ms = clock_monotonic_ms();
	(void)pthread_mutex_unlock(&l->http->lock);
}

static void list_connection(struct http *h, struct connection *connection)
{
	(void)pthread_mutex_lock(&h->lock);
	connection->next = h->connections;
	connection->back = &h->connections;
	if (h->connections)
		h->connections->back = &connection->next;
	h->connections = connection;
	(void)pthread_mutex_unlock(&h->lock);
}

static void unlist_connection(struct http *h, struct connection *connection)
{
	(void)pthread_mutex_lock(&h->lock);
	*connection->back = connection->next;
	if (connection->next)
		connection->next->back = connection->back;
	(void)pthread_mutex_unlock(&h->lock);
	free(connection);
}

/* Called before the socket is closed, so that whoever finds it in the list may shut it down. */
static void on_connection(void *cls, struct MHD_Connection *c, void **context,
	enum MHD_ConnectionNotificationCode what)
{
	struct listener *l = cls;
	struct connection *connection = *context;
	const union MHD_ConnectionInfo *info;

	if (what == MHD_CONNECTION_NOTIFY_CLOSED) {
		if (connection)
			unlist_connection(l->http, connection);
		*context = NULL;
		return;
	}
	info = MHD_get_connection_info(c, MHD_CONNECTION_INFO_CONNECTION_FD);
	connection = info ? calloc(1, sizeof(*connection)) : NULL;
	/* Without it the connection has no deadline as a whole, but still the one of silence. */
	if (!connection)
		return;
	connection->fd = info->connect_fd;
	connection->since_ms = clock_monotonic_ms();
	list_connection(l->http, connection);
	*context = connection;
}

/* libmicrohttpd's own time-out starts anew with every byte: a client that drips would stay for ever. */
static void end_dawdlers(struct http *h)
{
	int64_t oldest = clock_monotonic_ms() -
			 (int64_t)h->settings.timeout_s * HTTP_REQUEST_TIMEOUTS * MILLISECONDS;

	for (struct connection *c = h->connections; c; c = c->next)
		if (c->since_ms < oldest)
			(void)shutdown(c->fd, SHUT_RDWR);
}

/* --- start and stop -------------------------------------------------------------------------- */

static void PRINTF_LIKE(2, 0) on_log(void *cls, const char *format, va_list args)
{
	char text[256];

	(void)cls;
	(void)vsnprintf(text, sizeof(text), format, args);
	log_debug("http: %s", text);
}

static struct MHD_Daemon *start_daemon(struct listener *l, int fd)
{
	const struct http_settings *s = &l->http->settings;
	struct MHD_OptionItem options[] = {
		{ MHD_OPTION_EXTERNAL_LOGGER, (intptr_t)on_log, NULL },
		{ MHD_OPTION_LISTEN_SOCKET, fd, NULL },
		{ MHD_OPTION_CONNECTION_LIMIT, (intptr_t)s->connections_max, NULL },
		{ MHD_OPTION_PER_IP_CONNECTION_LIMIT, (intptr_t)s->connections_per_ip_max, NULL },
		{ MHD_OPTION_CONNECTION_TIMEOUT, (intptr_t)s->timeout_s, NULL },
		{ MHD_OPTION_CONNECTION_MEMORY_LIMIT, (intptr_t)CONNECTION_MEMORY_BYTES, NULL },
		{ MHD_OPTION_STRICT_FOR_CLIENT, 1, NULL },
		{ MHD_OPTION_NOTIFY_COMPLETED, (intptr_t)on_completed, l },
		{ MHD_OPTION_NOTIFY_CONNECTION, (intptr_t)on_connection, l },
		{ MHD_OPTION_END, 0, NULL },
	};
	struct MHD_Daemon *daemon;
	sigset_t all;
	sigset_t before;

	/* Signals belong to main's loop: the thread starts with all of them blocked. */
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	daemon = MHD_start_daemon(
		MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_EPOLL | MHD_USE_ERROR_LOG, 0, NULL, NULL,
		on_request, l, MHD_OPTION_ARRAY, options, MHD_OPTION_END);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	return daemon;
}

static enum err start_listener(struct http *h, const char *text, struct why *why)
{
	struct listener *l = &h->listeners[h->listeners_count];
	struct listen_address address;
	enum err e = listen_parse(text, &address, why);
	int fd = -1;

	if (e == ERR_OK)
		e = listen_open(text, &address, &fd, why);
	if (e != ERR_OK)
		return e;
	if (!h->listeners_count)
		e = listen_url(fd, h->url);
	*l = (struct listener){ .http = h, .is_loopback = address.is_loopback };
	l->daemon = e == ERR_OK ? start_daemon(l, fd) : NULL;
	if (!l->daemon) {
		(void)close(fd);
		return why_fail(why, ERR_IO, "cannot start the HTTP server on %s", text);
	}
	h->listeners_count++;
	return ERR_OK;
}

enum err http_start(const struct http_settings *settings, struct snapshot *first, struct http **out,
	struct why *why)
{
	struct http *h;
	enum err e = ERR_OK;

	if (settings->listen->count > HTTP_LISTENERS_MAX)
		return why_fail(
			why, ERR_CONFIG, "more than %d addresses to listen on", HTTP_LISTENERS_MAX);
	h = calloc(1, sizeof(*h));
	if (!h)
		return ERR_MEMORY;
	if (pthread_mutex_init(&h->lock, NULL) != 0) {
		free(h);
		return ERR_MEMORY;
	}
	h->settings = *settings;
	h->snapshot = snapshot_hold(first);
	for (size_t i = 0; e == ERR_OK && i < settings->listen->count; i++)
		e = start_listener(h, settings->listen->items[i], why);
	h->settings.listen = NULL;
	if (e != ERR_OK) {
		http_stop(h);
		return e;
	}
	*out = h;
	return ERR_OK;
}

void http_update(struct http *h, struct snapshot *next)
{
	struct snapshot *last;

	(void)pthread_mutex_lock(&h->lock);
	last = h->snapshot;
	h->snapshot = snapshot_hold(next);
	end_dawdlers(h);
	(void)pthread_mutex_unlock(&h->lock);
	snapshot_release(last);
}

void http_stop(struct http *h)
{
	if (!h)
		return;
	for (size_t i = 0; i < h->listeners_count; i++)
		MHD_stop_daemon(h->listeners[i].daemon);
	snapshot_release(h->snapshot);
	(void)pthread_mutex_destroy(&h->lock);
	free(h);
}

const char *http_url(const struct http *h)
{
	return h->url;
}
