/* The HTTP server with real sockets: what it serves, whom it refuses, what it survives. */
#include "agent/base/clock.h"
#include "exporters/prometheus/http.h"
#include "tests/exporters/report/fake_view.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <unistd.h>
#include <zlib.h>

#include <cmocka.h>

#define ANSWER_BYTES_MAX ((size_t)64 * 1024 * 1024)
#define ANSWER_MS 10000
#define SERIES 1000000

struct server {
	struct fake_view view;
	struct strings listen;
	struct snapshot *snapshot;
	struct http *http;
	atomic_uint reloads;
};

static void count_reload(void *arg)
{
	struct server *s = arg;

	atomic_fetch_add(&s->reloads, 1);
}

static void server_start(struct server *s, const char *listen, struct http_settings settings)
{
	struct why why = { 0 };

	atomic_init(&s->reloads, 0);
	s->listen = (struct strings){ 0 };
	fake_add_text(&s->listen, listen);
	settings.listen = &s->listen;
	settings.metrics_path = "/metrics";
	settings.connections_max = settings.connections_max ? settings.connections_max : 64;
	settings.connections_per_ip_max =
		settings.connections_per_ip_max ? settings.connections_per_ip_max : 16;
	settings.timeout_s = settings.timeout_s ? settings.timeout_s : 10;
	settings.reload = count_reload;
	settings.reload_arg = s;
	assert_int_equal(snapshot_new(&s->view.view, SERIES, "/metrics", &s->snapshot), ERR_OK);
	if (http_start(&settings, s->snapshot, &s->http, &why) != ERR_OK)
		fail_msg("%s", why.text);
}

static void server_host(struct server *s, struct http_settings settings)
{
	fake_view_init(&s->view);
	fake_host(&s->view);
	server_start(s, "127.0.0.1:0", settings);
}

static void server_stop(struct server *s)
{
	http_stop(s->http);
	snapshot_release(s->snapshot);
	strings_fini(&s->listen);
	fake_view_fini(&s->view);
}

static int connect_as(const struct http *h, int flags)
{
	const char *url = http_url(h);
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	bool is_v6 = strchr(url, '[') != NULL;
	uint16_t port = htons((uint16_t)strtoul(strrchr(url, ':') + 1, NULL, 10));
	struct timeval limit = { .tv_sec = ANSWER_MS / 1000 };
	int fd = socket(is_v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);
	int result;

	v4.sin_port = port;
	v6.sin6_port = port;
	assert_true(fd >= 0);
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	result = is_v6 ? connect(fd, (struct sockaddr *)&v6, sizeof(v6))
		       : connect(fd, (struct sockaddr *)&v4, sizeof(v4));
	assert_true(result == 0 || (flags & SOCK_NONBLOCK && errno == EINPROGRESS));
	return fd;
}

static int connect_to(const struct http *h)
{
	return connect_as(h, 0);
}

/* Sends what the server takes of it. */
static void send_text(int fd, const char *text, size_t size)
{
	while (size) {
		ssize_t n = send(fd, text, size, MSG_NOSIGNAL);

		if (n <= 0)
			return;
		text += n;
		size -= (size_t)n;
	}
}

static void read_all(int fd, struct buffer *out)
{
	for (;;) {
		uint8_t *to = buffer_reserve(out, 65536);
		ssize_t n;

		assert_non_null(to);
		n = recv(fd, to, 65536, 0);
		if (n <= 0)
			break;
		out->size += (size_t)n;
	}
	assert_non_null(buffer_reserve(out, 1));
	out->data[out->size] = 0;
}

static void send_line(int fd, const char *text)
{
	send_text(fd, text, strlen(text));
}

/* One request, the whole answer. */
static void ask(const struct http *h, const char *method, const char *path, const char *headers,
	struct buffer *out)
{
	char request[1024];
	int size = snprintf(request, sizeof(request),
		"%s %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n%s\r\n", method, path,
		headers);
	int fd = connect_to(h);

	buffer_init(out, ANSWER_BYTES_MAX);
	send_text(fd, request, (size_t)size);
	read_all(fd, out);
	(void)close(fd);
}

static void expect_status(const struct buffer *answer, const char *status)
{
	char line[64];

	(void)snprintf(line, sizeof(line), "HTTP/1.1 %s", status);
	if (strncmp(buffer_string(answer), line, strlen(line)) != 0)
		fail_msg("expected %s, got: %.300s", line, buffer_string(answer));
}

static void expect_header(const struct buffer *answer, const char *header)
{
	char line[256];
	const char *end = strstr(buffer_string(answer), "\r\n\r\n");
	const char *at;

	(void)snprintf(line, sizeof(line), "\r\n%s\r\n", header);
	at = strstr(buffer_string(answer), line);
	if (!end || !at || at > end)
		fail_msg("no header %s in: %.600s", header, buffer_string(answer));
}

static struct slice body_of(const struct buffer *answer)
{
	const char *end = strstr(buffer_string(answer), "\r\n\r\n");

	assert_non_null(end);
	return slice_after(buffer_bytes(answer), (size_t)(end + 4 - buffer_string(answer)));
}

static void expect_answer(const struct http *h, const char *method, const char *path,
	const char *status, const char *header)
{
	struct buffer answer;

	ask(h, method, path, "", &answer);
	expect_status(&answer, status);
	if (header)
		expect_header(&answer, header);
	buffer_fini(&answer);
}

static bool ends_with(struct slice s, const char *text)
{
	size_t size = strlen(text);

	return s.size >= size && memcmp(s.data + s.size - size, text, size) == 0;
}

static void metrics_in_both_formats(void **state)
{
	struct server s;
	struct buffer answer;
	struct buffer rendered;

	(void)state;
	server_host(&s, (struct http_settings){ 0 });
	ask(s.http, "GET", "/metrics", "", &answer);
	expect_status(&answer, "200 OK");
	expect_header(&answer, "Content-Type: text/plain; version=0.0.4; charset=utf-8");
	expect_header(&answer, "Vary: Accept, Accept-Encoding");
	expect_header(&answer, "X-Content-Type-Options: nosniff");
	buffer_init(&rendered, ANSWER_BYTES_MAX);
	metrics_text(&s.snapshot->metrics, false, &rendered);
	assert_true(body_of(&answer).size > rendered.size);
	assert_memory_equal(body_of(&answer).data, rendered.data, rendered.size);
	assert_non_null(strstr(buffer_string(&answer), "\nprocess_open_fds "));
	assert_true(ends_with(body_of(&answer), "\n"));
	assert_null(strstr(buffer_string(&answer), "# EOF"));
	buffer_fini(&answer);

	ask(s.http, "GET", "/metrics",
		"Accept: application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5\r\n",
		&answer);
	expect_status(&answer, "200 OK");
	expect_header(&answer,
		"Content-Type: application/openmetrics-text; version=1.0.0; charset=utf-8");
	buffer_clear(&rendered);
	metrics_text(&s.snapshot->metrics, true, &rendered);
	assert_memory_equal(body_of(&answer).data, rendered.data, rendered.size);
	assert_true(ends_with(body_of(&answer), "\n# EOF\n"));
	buffer_fini(&answer);
	buffer_fini(&rendered);
	server_stop(&s);
}

static void head_has_no_body(void **state)
{
	struct server s;
	struct buffer answer;

	(void)state;
	server_host(&s, (struct http_settings){ 0 });
	ask(s.http, "HEAD", "/metrics", "", &answer);
	expect_status(&answer, "200 OK");
	expect_header(&answer, "Content-Type: text/plain; version=0.0.4; charset=utf-8");
	assert_non_null(strstr(buffer_string(&answer), "Content-Length: "));
	assert_int_equal(body_of(&answer).size, 0);
	buffer_fini(&answer);
	server_stop(&s);
}

static void add_many(struct fake_view *f, int count)
{
	char uri[128];

	for (int i = 0; i < count; i++) {
		(void)snprintf(uri, sizeof(uri), "file:///srv/certificates/%06d/server.pem", i);
		(void)fake_certificate(f, uri, "many.example.org", 10, 80);
	}
}

static void expect_gzip(struct server *s, const char *accept, bool is_openmetrics)
{
	struct buffer answer;
	struct buffer plain;
	struct buffer rendered;
	z_stream z = { 0 };

	ask(s->http, "GET", "/metrics", accept, &answer);
	expect_status(&answer, "200 OK");
	expect_header(&answer, "Content-Encoding: gzip");
	buffer_init(&plain, ANSWER_BYTES_MAX);
	buffer_init(&rendered, ANSWER_BYTES_MAX);
	metrics_text(&s->snapshot->metrics, is_openmetrics, &rendered);
	z.next_in = (Bytef *)(uintptr_t)body_of(&answer).data;
	z.avail_in = (uInt)body_of(&answer).size;
	z.next_out = buffer_reserve(&plain, rendered.size + 65536);
	z.avail_out = (uInt)rendered.size + 65536;
	assert_int_equal(inflateInit2(&z, 15 + 16), Z_OK);
	/* Z_STREAM_END: checksum and length of the gzip trailer were right. */
	assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
	assert_int_equal(z.avail_in, 0);
	plain.size = z.total_out;
	(void)inflateEnd(&z);
	assert_memory_equal(plain.data, rendered.data, rendered.size);
	assert_non_null(memmem(plain.data, plain.size, "\nprocess_open_fds ", 18));
	assert_int_equal(ends_with(buffer_bytes(&plain), "\n# EOF\n"), is_openmetrics);
	assert_true(body_of(&answer).size < plain.size / 4);
	buffer_fini(&answer);
	buffer_fini(&plain);
	buffer_fini(&rendered);
}

static void gzip_is_whole(void **state)
{
	struct server s;

	(void)state;
	fake_view_init(&s.view);
	fake_host(&s.view);
	add_many(&s.view, 2000);
	server_start(&s, "127.0.0.1:0", (struct http_settings){ 0 });
	expect_gzip(&s, "Accept-Encoding: gzip\r\n", false);
	/* From the cache. */
	expect_gzip(&s, "Accept-Encoding: gzip\r\n", false);
	expect_gzip(&s, "Accept-Encoding: gzip\r\nAccept: application/openmetrics-text\r\n", true);
	server_stop(&s);
}

static void routes_and_methods(void **state)
{
	struct server s;

	(void)state;
	server_host(&s, (struct http_settings){ 0 });
	expect_answer(s.http, "GET", "/-/healthy", "200 OK", NULL);
	expect_answer(s.http, "HEAD", "/-/healthy", "200 OK", NULL);
	expect_answer(s.http, "GET", "/-/ready", "200 OK", NULL);
	expect_answer(s.http, "GET", "/", "200 OK", "Content-Type: text/html; charset=utf-8");
	expect_answer(s.http, "GET", "/", "200 OK", "Referrer-Policy: no-referrer");
	expect_answer(s.http, "GET", "/metrics?x=1", "200 OK", NULL);
	expect_answer(s.http, "GET", "/nothing", "404 Not Found", NULL);
	expect_answer(s.http, "GET", "/metrics/", "404 Not Found", NULL);
	expect_answer(s.http, "GET", "/../../etc/passwd", "404 Not Found", NULL);
	expect_answer(s.http, "POST", "/metrics", "405 Method Not Allowed", "Allow: GET, HEAD");
	expect_answer(s.http, "DELETE", "/", "405 Method Not Allowed", "Allow: GET, HEAD");
	expect_answer(s.http, "OPTIONS", "/-/ready", "405 Method Not Allowed", "Allow: GET, HEAD");
	expect_answer(s.http, "GET", "/-/reload", "405 Method Not Allowed", "Allow: POST, PUT");
	assert_int_equal(atomic_load(&s.reloads), 0);
	server_stop(&s);
}

static void ready_after_the_first_pass(void **state)
{
	struct server s;
	struct snapshot *next;

	(void)state;
	fake_view_init(&s.view);
	s.view.view.is_ready = false;
	server_start(&s, "127.0.0.1:0", (struct http_settings){ 0 });
	expect_answer(s.http, "GET", "/-/ready", "503 Service Unavailable", NULL);
	expect_answer(s.http, "GET", "/-/healthy", "200 OK", NULL);
	s.view.view.is_ready = true;
	assert_int_equal(snapshot_new(&s.view.view, SERIES, "/metrics", &next), ERR_OK);
	http_update(s.http, next);
	snapshot_release(next);
	expect_answer(s.http, "GET", "/-/ready", "200 OK", NULL);
	server_stop(&s);
}

static void before_anything_was_seen(void **state)
{
	struct strings listen = { 0 };
	struct http_settings settings = { .listen = &listen,
		.metrics_path = "/metrics",
		.connections_max = 4,
		.connections_per_ip_max = 4,
		.timeout_s = 5 };
	struct snapshot *first;
	struct http *h;
	struct buffer answer;

	(void)state;
	fake_add_text(&listen, "127.0.0.1:0");
	assert_int_equal(snapshot_new(NULL, 0, "/metrics", &first), ERR_OK);
	assert_int_equal(http_start(&settings, first, &h, NULL), ERR_OK);
	snapshot_release(first);
	ask(h, "GET", "/metrics", "Accept-Encoding: gzip\r\n", &answer);
	expect_status(&answer, "200 OK");
	buffer_fini(&answer);
	expect_answer(h, "GET", "/", "200 OK", NULL);
	expect_answer(h, "GET", "/-/ready", "503 Service Unavailable", NULL);
	http_stop(h);
	strings_fini(&listen);
}

static void the_page_escapes(void **state)
{
	struct server s;
	struct buffer answer;

	(void)state;
	fake_view_init(&s.view);
	(void)fake_certificate(&s.view, "file:///a", "<script>alert('x')</script>\"&", 1, 1);
	for (int i = 0; i < 30; i++) {
		char name[32];

		(void)snprintf(name, sizeof(name), "host-%02d", i);
		(void)fake_certificate(&s.view, "file:///b", name, 100, 100 - i);
	}
	server_start(&s, "127.0.0.1:0", (struct http_settings){ 0 });
	ask(s.http, "GET", "/", "", &answer);
	expect_header(&answer,
		"Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'; "
		"base-uri 'none'; form-action 'none'; frame-ancestors 'none'");
	assert_null(strstr(buffer_string(&answer), "<script"));
	assert_non_null(strstr(buffer_string(&answer),
		"&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&quot;&amp;"));
	/* The twenty that end first. */
	assert_non_null(strstr(buffer_string(&answer), "host-29"));
	assert_non_null(strstr(buffer_string(&answer), "host-11"));
	assert_null(strstr(buffer_string(&answer), "host-10"));
	buffer_fini(&answer);
	server_stop(&s);
}

static void expect_reload(struct server *s, const char *method, const char *headers,
	const char *status, unsigned count)
{
	struct buffer answer;

	ask(s->http, method, "/-/reload", headers, &answer);
	expect_status(&answer, status);
	assert_int_equal(atomic_load(&s->reloads), count);
	buffer_fini(&answer);
}

static void reload_by_post(void **state)
{
	struct server s;

	(void)state;
	server_host(&s, (struct http_settings){ .lifecycle = LIFECYCLE_LOOPBACK });
	expect_reload(&s, "POST", "Content-Length: 0\r\n", "200 OK", 1);
	expect_reload(&s, "PUT", "Content-Length: 0\r\n", "200 OK", 2);
	expect_reload(&s, "POST", "Content-Length: 0\r\nOrigin: http://evil.example\r\n",
		"403 Forbidden", 2);
	server_stop(&s);
	server_host(&s, (struct http_settings){ .lifecycle = LIFECYCLE_OFF });
	expect_reload(&s, "POST", "Content-Length: 0\r\n", "403 Forbidden", 0);
	server_stop(&s);
	/* Reachable from elsewhere: not unless it is said so. */
	for (int i = 0; i < 2; i++) {
		fake_view_init(&s.view);
		server_start(&s, ":0",
			(struct http_settings){
				.lifecycle = i ? LIFECYCLE_ON : LIFECYCLE_LOOPBACK });
		expect_reload(&s, "POST", "Content-Length: 0\r\n", i ? "200 OK" : "403 Forbidden",
			(unsigned)i);
		server_stop(&s);
	}
}

static void one_connection_many_requests(void **state)
{
	static const char request[] = "GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n";
	struct server s;
	char answer[1024];
	int fd;

	(void)state;
	server_host(&s, (struct http_settings){ 0 });
	fd = connect_to(s.http);
	for (int i = 0; i < 20; i++) {
		ssize_t n;

		send_text(fd, request, sizeof(request) - 1);
		n = recv(fd, answer, sizeof(answer), 0);
		assert_true(n > 15);
		assert_memory_equal(answer, "HTTP/1.1 200 OK", 15);
	}
	(void)close(fd);
	server_stop(&s);
}

static void too_much_is_refused(void **state)
{
	static const char start[] =
		"POST /-/reload HTTP/1.1\r\nHost: x\r\nContent-Length: 10000000\r\n\r\n";
	struct server s;
	struct buffer answer;
	char *big = malloc(1000000);
	int fd;

	(void)state;
	assert_non_null(big);
	memset(big, 'a', 1000000);
	server_host(&s, (struct http_settings){ 0 });

	/* A header that never ends. */
	fd = connect_to(s.http);
	buffer_init(&answer, ANSWER_BYTES_MAX);
	send_line(fd, "GET / HTTP/1.1\r\nX: ");
	send_text(fd, big, 1000000);
	read_all(fd, &answer);
	(void)close(fd);
	if (answer.size)
		assert_memory_equal(buffer_string(&answer), "HTTP/1.1 4", 10);
	buffer_clear(&answer);

	/* A body that nobody asked for. */
	fd = connect_to(s.http);
	send_text(fd, start, sizeof(start) - 1);
	for (int i = 0; i < 10; i++)
		send_text(fd, big, 1000000);
	read_all(fd, &answer);
	(void)close(fd);
	assert_null(strstr(buffer_string(&answer), "200 OK"));
	assert_int_equal(atomic_load(&s.reloads), 0);
	buffer_clear(&answer);

	/* No Host, not HTTP. */
	fd = connect_to(s.http);
	send_line(fd, "GET / HTTP/1.1\r\n\r\n");
	read_all(fd, &answer);
	(void)close(fd);
	assert_memory_equal(buffer_string(&answer), "HTTP/1.1 400", 12);
	buffer_clear(&answer);
	fd = connect_to(s.http);
	send_text(fd, "\x16\x03\x01\x02\x00\x01\r\n\r\n", 10);
	read_all(fd, &answer);
	(void)close(fd);
	buffer_fini(&answer);

	expect_answer(s.http, "GET", "/metrics", "200 OK", NULL);
	free(big);
	server_stop(&s);
}

/* Has the server closed it, or sent something, within the time? */
static bool is_ended(int fd, int wait_ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	char byte;

	if (poll(&p, 1, wait_ms) != 1)
		return false;
	return recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) <= 0 || byte == 'H';
}

static void slow_clients_are_ended(void **state)
{
	struct server s;
	int64_t start = clock_monotonic_ms();
	bool is_drip_ended = false;
	int silent;
	int drip;

	(void)state;
	server_host(&s, (struct http_settings){ .timeout_s = 1 });
	silent = connect_to(s.http);
	drip = connect_to(s.http);
	send_line(silent, "GET /met");
	send_line(drip, "GET / HTTP/1.1\r\nX: ");
	/* libmicrohttpd's time-out ends the silent one; http_update the one that never pauses. */
	while (!is_drip_ended && clock_monotonic_ms() - start < 12000) {
		send_line(drip, "a");
		http_update(s.http, s.snapshot);
		is_drip_ended = is_ended(drip, 200);
		expect_answer(s.http, "GET", "/-/healthy", "200 OK", NULL);
	}
	assert_true(is_drip_ended);
	assert_in_range(clock_monotonic_ms() - start, 5000, 11000);
	assert_true(is_ended(silent, 0));
	(void)close(silent);
	(void)close(drip);
	server_stop(&s);
}

#define CROWD 200

static void a_crowd_is_bounded(void **state)
{
	static const unsigned per_ip[] = { 16, CROWD * 2 };
	struct server s;
	int fds[CROWD];
	unsigned open_count;

	(void)state;
	for (size_t k = 0; k < 2; k++) {
		server_host(&s, (struct http_settings){ .connections_max = 32,
					.connections_per_ip_max = per_ip[k] });
		for (size_t i = 0; i < CROWD; i++)
			fds[i] = connect_as(s.http, SOCK_NONBLOCK);
		open_count = 0;
		for (size_t i = 0; i < CROWD; i++) {
			send_line(fds[i], "GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n");
		}
		(void)usleep(300000);
		for (size_t i = 0; i < CROWD; i++) {
			char answer[64] = "";

			if (recv(fds[i], answer, sizeof(answer) - 1, MSG_DONTWAIT) > 12 &&
				strncmp(answer, "HTTP/1.1 200", 12) == 0)
				open_count++;
		}
		assert_in_range(open_count, 1, k ? 32 : 16);
		for (size_t i = 0; i < CROWD; i++)
			(void)close(fds[i]);
		(void)usleep(100000);
		expect_answer(s.http, "GET", "/metrics", "200 OK", NULL);
		server_stop(&s);
	}
}

/* For what takes a second on a quiet machine. */
#define SCRAPES_MS_MAX 60000

struct scraping {
	const struct http *http;
	atomic_bool is_over;
	atomic_uint count;
	atomic_uint cut; /* answers that were not whole */
};

static void *scrape(void *arg)
{
	static const char request[] =
		"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
	struct scraping *s = arg;

	while (!atomic_load(&s->is_over)) {
		int fd = connect_to(s->http);
		struct buffer answer;

		buffer_init(&answer, ANSWER_BYTES_MAX);
		send_text(fd, request, sizeof(request) - 1);
		read_all(fd, &answer);
		(void)close(fd);
		if (!ends_with(buffer_bytes(&answer), "\n"))
			atomic_fetch_add(&s->cut, 1);
		atomic_fetch_add(&s->count, 1);
		buffer_fini(&answer);
	}
	return NULL;
}

/* While main renders anew and swaps, scrapes go on, whole; while main is busy elsewhere, too. How fast is
 * for the benchmark to say. */
static void scrapes_go_on_during_updates(void **state)
{
	struct scraping scraping = { 0 };
	int64_t start = clock_monotonic_ms();
	unsigned before;
	unsigned updates = 0;
	struct server s;
	pthread_t thread;

	(void)state;
	fake_view_init(&s.view);
	add_many(&s.view, 1500);
	server_start(&s, "127.0.0.1:0", (struct http_settings){ 0 });
	scraping.http = s.http;
	atomic_init(&scraping.is_over, false);
	assert_int_equal(pthread_create(&thread, NULL, scrape, &scraping), 0);
	while ((updates < 10 || atomic_load(&scraping.count) < 10) &&
		clock_monotonic_ms() - start < SCRAPES_MS_MAX) {
		struct snapshot *next;

		assert_int_equal(snapshot_new(&s.view.view, SERIES, "/metrics", &next), ERR_OK);
		http_update(s.http, next);
		snapshot_release(next);
		updates++;
	}
	/* main does nothing at all now, as in the middle of a long rendering. */
	before = atomic_load(&scraping.count);
	while (atomic_load(&scraping.count) < before + 3 &&
		clock_monotonic_ms() - start < 2 * SCRAPES_MS_MAX)
		(void)usleep(1000);
	atomic_store(&scraping.is_over, true);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_true(updates >= 10);
	assert_true(before >= 10);
	assert_true(atomic_load(&scraping.count) >= before + 3);
	assert_int_equal(atomic_load(&scraping.cut), 0);
	server_stop(&s);
}

static void a_port_in_use_is_named(void **state)
{
	struct strings listen = { 0 };
	struct http_settings settings = { .listen = &listen,
		.metrics_path = "/metrics",
		.connections_max = 4,
		.connections_per_ip_max = 4,
		.timeout_s = 5 };
	struct http *second = NULL;
	struct why why = { 0 };
	struct server s;
	char address[64];

	(void)state;
	server_host(&s, (struct http_settings){ 0 });
	(void)snprintf(address, sizeof(address), "127.0.0.1:%lu",
		strtoul(strrchr(http_url(s.http), ':') + 1, NULL, 10));
	/* The first address can be had, the second not: nothing stays open. */
	fake_add_text(&listen, "127.0.0.1:0");
	fake_add_text(&listen, address);
	assert_int_equal(http_start(&settings, s.snapshot, &second, &why), ERR_IO);
	assert_null(second);
	assert_non_null(strstr(why.text, address));
	assert_non_null(strstr(why.text, strerror(EADDRINUSE)));
	strings_fini(&listen);
	server_stop(&s);
}

static void addresses(void **state)
{
	static const char *const good[] = { "127.0.0.1:9947", "0.0.0.0:1", "[::1]:9947",
		"[::]:65535", ":9947", "localhost:0" };
	static const char *const bad[] = { "", ":", "9947", "127.0.0.1",
		"127.0.0.1:", "127.0.0.1:x", "127.0.0.1:65536", "127.0.0.1:-1", "127.0.0.1: 1",
		"::1:9947", "[::1]", "[::1", "[127.0.0.1]:1", "example.org:80", "1.2.3:80", "[]:1",
		"[aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa]:1",
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa:1",
		"127.0.0.1:99999999999999999999" };
	struct listen_address a;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		struct why why = { 0 };

		if (listen_parse(good[i], &a, &why) != ERR_OK)
			fail_msg("%s", why.text);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct why why = { 0 };

		if (listen_parse(bad[i], &a, &why) != ERR_CONFIG)
			fail_msg("taken: %s", bad[i]);
		assert_non_null(strstr(why.text, bad[i]));
	}
	assert_int_equal(listen_parse("[::1]:1", &a, NULL), ERR_OK);
	assert_true(a.is_loopback);
	assert_int_equal(listen_parse("127.8.8.8:1", &a, NULL), ERR_OK);
	assert_true(a.is_loopback);
	assert_int_equal(listen_parse(":1", &a, NULL), ERR_OK);
	assert_false(a.is_loopback);
	assert_int_equal(listen_parse("192.0.2.1:1", &a, NULL), ERR_OK);
	assert_false(a.is_loopback);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses),
		cmocka_unit_test(metrics_in_both_formats),
		cmocka_unit_test(head_has_no_body),
		cmocka_unit_test(gzip_is_whole),
		cmocka_unit_test(routes_and_methods),
		cmocka_unit_test(ready_after_the_first_pass),
		cmocka_unit_test(before_anything_was_seen),
		cmocka_unit_test(the_page_escapes),
		cmocka_unit_test(reload_by_post),
		cmocka_unit_test(one_connection_many_requests),
		cmocka_unit_test(too_much_is_refused),
		cmocka_unit_test(slow_clients_are_ended),
		cmocka_unit_test(a_crowd_is_bounded),
		cmocka_unit_test(scrapes_go_on_during_updates),
		cmocka_unit_test(a_port_in_use_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
