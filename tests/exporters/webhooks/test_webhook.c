/* The delivery engine against a receiver on loopback that behaves as receivers do, and worse. */
#include "exporters/exporter.h"
#include "exporters/webhooks/service.h"
#include "exporters/webhooks/webhook.h"
#include "samples.h"

#include "agent/base/clock.h"
#include "agent/config/tree.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <arpa/inet.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

extern const struct exporter webhooks_exporter;

#define REQUEST_MAX (64 * 1024)
#define SOCKET_WAIT_S 10
#define LOOP_WAIT_MS 20000

/* ---- the receiver ----------------------------------------------------------------------------- */

struct receiver {
	int listener;
	uint16_t port;
	pthread_t thread;
	/* Answers one request on the connection. */
	void (*answer)(int fd, struct receiver *r);
	const char *text;
	char request[REQUEST_MAX];
	atomic_int requests;
};

static void send_all(int fd, const char *data, size_t size)
{
	while (size) {
		ssize_t n = send(fd, data, size, MSG_NOSIGNAL);

		if (n <= 0)
			return;
		data += n;
		size -= (size_t)n;
	}
}

static void send_text(int fd, const char *text)
{
	send_all(fd, text, strlen(text));
}

/* Reads one request: its head, and as much body as it announces. */
static void read_request(int fd, struct receiver *r)
{
	size_t size = 0;
	const char *end = NULL;
	size_t wanted = SIZE_MAX;

	while (size < wanted && size < REQUEST_MAX - 1) {
		ssize_t n = recv(fd, r->request + size, REQUEST_MAX - 1 - size, 0);

		if (n <= 0)
			return;
		size += (size_t)n;
		r->request[size] = 0;
		if (!end && (end = strstr(r->request, "\r\n\r\n"))) {
			const char *length = strcasestr(r->request, "content-length:");

			wanted = (size_t)(end + 4 - r->request);
			wanted += length ? strtoul(length + 15, NULL, 10) : 0;
		}
	}
}

static void *serve(void *arg)
{
	struct receiver *r = arg;
	const struct timeval wait = { .tv_sec = SOCKET_WAIT_S };
	int fd;

	while ((fd = accept(r->listener, NULL, NULL)) >= 0) {
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
		(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait));
		read_request(fd, r);
		r->requests++;
		r->answer(fd, r);
		(void)close(fd);
	}
	return NULL;
}

static void receiver_listen(struct receiver *r)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
		.sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t size = sizeof(address);

	r->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(r->listener >= 0);
	assert_int_equal(bind(r->listener, (struct sockaddr *)&address, size), 0);
	assert_int_equal(listen(r->listener, 16), 0);
	assert_int_equal(getsockname(r->listener, (struct sockaddr *)&address, &size), 0);
	r->port = ntohs(address.sin_port);
}

static void receiver_start(struct receiver *r)
{
	receiver_listen(r);
	assert_int_equal(pthread_create(&r->thread, NULL, serve, r), 0);
}

static void receiver_stop(struct receiver *r)
{
	(void)shutdown(r->listener, SHUT_RDWR);
	(void)pthread_join(r->thread, NULL);
	(void)close(r->listener);
}

static void answer_text(int fd, struct receiver *r)
{
	send_text(fd, r->text);
}

/* Nothing, until the other side goes away. */
static void answer_never(int fd, struct receiver *r)
{
	char c;

	(void)r;
	(void)recv(fd, &c, 1, 0);
}

/* One byte at a time, for ever. */
static void answer_drip(int fd, struct receiver *r)
{
	(void)r;
	send_text(fd, "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n");
	while (send(fd, "x", 1, MSG_NOSIGNAL) == 1)
		(void)usleep(20000);
}

/* A body of a gigabyte, as fast as it is taken. */
static void answer_gigabyte(int fd, struct receiver *r)
{
	static char chunk[65536];
	size_t left = (size_t)1 << 30;

	(void)r;
	send_text(fd, "HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n");
	while (left) {
		ssize_t n = send(fd, chunk, sizeof(chunk), MSG_NOSIGNAL);

		if (n <= 0)
			return;
		left -= (size_t)n;
	}
	fail_msg("a gigabyte was taken");
}

static void answer_headers_without_end(int fd, struct receiver *r)
{
	(void)r;
	send_text(fd, "HTTP/1.1 200 OK\r\n");
	while (send(fd, "X-Y: zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz\r\n", 42, MSG_NOSIGNAL) > 0)
		;
}

static void answer_http_date(int fd, struct receiver *r)
{
	char text[256];
	char date[64];
	time_t at = time(NULL) + 100;
	struct tm tm;

	(void)r;
	(void)strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&at, &tm));
	(void)snprintf(text, sizeof(text),
		"HTTP/1.1 429 Too Many Requests\r\nRetry-After: %s\r\nContent-Length: 0\r\n\r\n",
		date);
	send_text(fd, text);
}

static void answer_garbage(int fd, struct receiver *r)
{
	(void)r;
	send_text(fd, "\x16\x03\x01 no HTTP\r\n\r\n");
}

/* ---- deliveries ------------------------------------------------------------------------------- */

struct delivered {
	bool is_done;
	unsigned calls;
	enum delivery outcome;
	int64_t retry_after_s;
	char reason[32];
	char message[WEBHOOK_MESSAGE_BYTES];
	uv_timer_t guard;
	void *stop_state; /* stopped from inside the callback */
};

static void on_done(void *arg, const struct delivery_result *result)
{
	struct delivered *d = arg;

	d->is_done = true;
	d->calls++;
	d->outcome = result->outcome;
	d->retry_after_s = result->retry_after_s;
	(void)snprintf(d->reason, sizeof(d->reason), "%s", result->reason ? result->reason : "");
	(void)snprintf(
		d->message, sizeof(d->message), "%s", result->message ? result->message : "");
	if (d->stop_state)
		webhooks_exporter.stop(d->stop_state);
}

static void on_guard(uv_timer_t *timer)
{
	(void)timer;
	fail_msg("the delivery did not end");
}

struct bench {
	struct receiver receiver;
	struct webhook_conf conf;
	uv_loop_t loop;
	void *state;
	char url[128];
};

static int format_of(const char *word)
{
	for (int i = 0; service_words[i]; i++)
		if (strcmp(service_words[i], word) == 0)
			return i;
	fail_msg("no format %s", word);
	return -1;
}

static void bench_open(struct bench *b, const char *format)
{
	struct exporter_host host = { .loop = &b->loop, .version = "1.2.3" };
	struct why why = { 0 };

	(void)signal(SIGPIPE, SIG_IGN);
	if (b->receiver.answer)
		receiver_start(&b->receiver);
	assert_int_equal(uv_loop_init(&b->loop), 0);
	if (!b->url[0])
		(void)snprintf(b->url, sizeof(b->url), "http://127.0.0.1:%u/hook/s3cret",
			b->receiver.port);
	if (!b->conf.url.file)
		b->conf.url.value = b->url;
	b->conf.receiver.name = (char *)"ops";
	b->conf.format = format_of(format);
	if (!b->conf.timeout_ms)
		b->conf.timeout_ms = 5000;
	if (webhooks_exporter.start(&b->conf, &host, &b->state, &why) != ERR_OK)
		fail_msg("%s", why.text);
}

static void bench_close(struct bench *b)
{
	if (b->state)
		webhooks_exporter.stop(b->state);
	(void)uv_run(&b->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&b->loop), 0);
	if (b->receiver.answer)
		receiver_stop(&b->receiver);
}

static void deliver(struct bench *b, struct delivered *d)
{
	struct notification n = sample(1, "api", 1);
	struct why why = { 0 };

	assert_int_equal(uv_timer_init(&b->loop, &d->guard), 0);
	assert_int_equal(uv_timer_start(&d->guard, on_guard, LOOP_WAIT_MS, 0), 0);
	if (webhooks_exporter.deliver(b->state, &n, on_done, d, &why) != ERR_OK)
		fail_msg("%s", why.text);
	assert_false(d->is_done);
	notification_fini(&n);
	while (!d->is_done)
		(void)uv_run(&b->loop, UV_RUN_ONCE);
	uv_close((uv_handle_t *)&d->guard, NULL);
	(void)uv_run(&b->loop, UV_RUN_NOWAIT);
	assert_int_equal(d->calls, 1);
	assert_null(strstr(d->message, "s3cret"));
	assert_null(strstr(d->message, "127.0.0.1"));
}

struct expectation {
	const char *answer;
	const char *format;
	enum delivery outcome;
	const char *reason;
	int64_t retry_after_s;
};

#define HEAD(status) "HTTP/1.1 " status "\r\nContent-Length: 0\r\n"

static const struct expectation expectations[] = {
	{ HEAD("200 OK") "\r\n", "alertmanager", DELIVERY_OK, "", 0 },
	{ HEAD("204 No Content") "\r\n", "alertmanager", DELIVERY_OK, "", 0 },
	{ "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", "slack", DELIVERY_OK, "", 0 },
	{ "HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\n<html>in</html>", "slack", DELIVERY_RETRY,
		"other", 0 },
	{ HEAD("429 Too Many Requests") "Retry-After: 30\r\n\r\n", "slack", DELIVERY_RETRY,
		"rateLimited", 30 },
	{ HEAD("429 Too Many Requests") "Retry-After: 99999999999\r\n\r\n", "slack", DELIVERY_RETRY,
		"rateLimited", 86400 },
	{ HEAD("429 Too Many Requests") "Retry-After: soon\r\n\r\n", "slack", DELIVERY_RETRY,
		"rateLimited", 0 },
	{ HEAD("500 Oh") "\r\n", "slack", DELIVERY_RETRY, "serverError", 0 },
	{ HEAD("503 Later") "Retry-After: 7\r\n\r\n", "slack", DELIVERY_RETRY, "serverError", 7 },
	{ HEAD("408 Slow") "\r\n", "slack", DELIVERY_RETRY, "timeout", 0 },
	{ HEAD("425 Early") "\r\n", "slack", DELIVERY_RETRY, "clientError", 0 },
	{ HEAD("400 No") "\r\n", "slack", DELIVERY_FAILED, "clientError", 0 },
	{ HEAD("413 Big") "Retry-After: 7\r\n\r\n", "slack", DELIVERY_FAILED, "clientError", 0 },
	{ HEAD("401 Who") "\r\n", "slack", DELIVERY_DISABLE, "authError", 0 },
	{ HEAD("403 No") "\r\n", "slack", DELIVERY_DISABLE, "authError", 0 },
	{ HEAD("404 Where") "\r\n", "slack", DELIVERY_DISABLE, "clientError", 0 },
	{ HEAD("410 Gone") "\r\n", "slack", DELIVERY_DISABLE, "clientError", 0 },
	{ HEAD("302 Found") "Location: http://127.0.0.1:1/s3cret\r\n\r\n", "slack", DELIVERY_RETRY,
		"other", 0 },
	{ HEAD("302 Found") "Location: file:///etc/passwd\r\n\r\n", "slack", DELIVERY_RETRY,
		"other", 0 },
};

static void test_answers(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(expectations) / sizeof(expectations[0]); i++) {
		const struct expectation *e = &expectations[i];
		struct bench b = { .receiver = { .answer = answer_text, .text = e->answer } };
		struct delivered d = { 0 };

		bench_open(&b, e->format);
		deliver(&b, &d);
		if (d.outcome != e->outcome || strcmp(d.reason, e->reason) != 0 ||
			d.retry_after_s != e->retry_after_s)
			fail_msg("%zu: outcome %d, reason \"%s\", retry after %d: %s", i,
				(int)d.outcome, d.reason, (int)d.retry_after_s, d.message);
		assert_int_equal(b.receiver.requests, 1);
		bench_close(&b);
	}
}

static void test_request(void **state)
{
	struct bench b = { .receiver = { .answer = answer_text, .text = HEAD("200 OK") "\r\n" } };
	char *headers[] = { (char *)"X-Own: yes" };
	struct delivered d = { 0 };
	const char *body;

	(void)state;
	b.conf.headers = (struct strings){ .items = headers, .count = 1 };
	b.conf.authorization.credentials.value = (char *)"t0ken";
	b.conf.signing_secret.value = (char *)"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
	clock_pin(1614265330);
	bench_open(&b, "alertmanager");
	deliver(&b, &d);
	clock_pin(TIME_UNKNOWN);
	assert_int_equal(d.outcome, DELIVERY_OK);
	assert_true(strncmp(b.receiver.request, "POST /hook/s3cret HTTP/1.1\r\n", 28) == 0);
	assert_non_null(strstr(b.receiver.request, "\r\nUser-Agent: leafwatch/1.2.3\r\n"));
	assert_non_null(strstr(b.receiver.request, "\r\nContent-Type: application/json\r\n"));
	assert_non_null(strstr(b.receiver.request, "\r\nX-Own: yes\r\n"));
	assert_non_null(strstr(b.receiver.request, "\r\nAuthorization: Bearer t0ken\r\n"));
	assert_non_null(strstr(
		b.receiver.request, "\r\nwebhook-id: 01930000-0000-7000-8000-000000000001\r\n"));
	assert_non_null(strstr(b.receiver.request, "\r\nwebhook-timestamp: 1614265330\r\n"));
	assert_non_null(strstr(b.receiver.request, "\r\nwebhook-signature: v1,"));
	assert_null(strstr(b.receiver.request, "Expect:"));
	body = strstr(b.receiver.request, "\r\n\r\n");
	assert_non_null(body);
	/* The signature is over the very bytes that arrived. */
	struct signature_input in = { .id = "01930000-0000-7000-8000-000000000001",
		.timestamp = 1614265330,
		.body = slice_text(body + 4) };
	struct buffer expected;

	buffer_init(&expected, 1024);
	assert_int_equal(
		webhook_signature(b.conf.signing_secret.value, &in, &expected, NULL), ERR_OK);
	assert_non_null(strstr(b.receiver.request, buffer_string(&expected)));
	buffer_fini(&expected);
	bench_close(&b);
}

static void test_basic_authentication(void **state)
{
	struct bench b = { .receiver = { .answer = answer_text, .text = HEAD("200 OK") "\r\n" } };
	struct delivered d = { 0 };

	(void)state;
	b.conf.basic_auth.username = (char *)"me";
	b.conf.basic_auth.password.value = (char *)"pw";
	bench_open(&b, "alertmanager");
	deliver(&b, &d);
	assert_non_null(strstr(b.receiver.request, "\r\nAuthorization: Basic bWU6cHc=\r\n"));
	bench_close(&b);
}

static void check_behaviour(
	void (*answer)(int, struct receiver *), enum delivery outcome, const char *reason)
{
	struct bench b = { .receiver = { .answer = answer } };
	struct delivered d = { 0 };
	int64_t started = clock_monotonic_ms();

	b.conf.timeout_ms = 300;
	bench_open(&b, "alertmanager");
	deliver(&b, &d);
	assert_true(clock_monotonic_ms() - started < 5000);
	if (d.outcome != outcome || strcmp(d.reason, reason) != 0)
		fail_msg("outcome %d, reason \"%s\": %s", (int)d.outcome, d.reason, d.message);
	bench_close(&b);
}

static void test_hang_times_out(void **state)
{
	(void)state;
	check_behaviour(answer_never, DELIVERY_RETRY, "timeout");
}

static void test_slow_drip_times_out(void **state)
{
	(void)state;
	check_behaviour(answer_drip, DELIVERY_RETRY, "timeout");
}

static void test_gigabyte_is_cut_off(void **state)
{
	(void)state;
	check_behaviour(answer_gigabyte, DELIVERY_OK, "");
}

static void test_headers_without_end_are_cut_off(void **state)
{
	(void)state;
	check_behaviour(answer_headers_without_end, DELIVERY_RETRY, "other");
}

static void test_garbage(void **state)
{
	(void)state;
	check_behaviour(answer_garbage, DELIVERY_RETRY, "other");
}

static void answer_nothing(int fd, struct receiver *r)
{
	(void)fd;
	(void)r;
}

static void test_closed_without_an_answer(void **state)
{
	(void)state;
	check_behaviour(answer_nothing, DELIVERY_RETRY, "other");
}

static void test_http_date(void **state)
{
	struct bench b = { .receiver = { .answer = answer_http_date } };
	struct delivered d = { 0 };

	(void)state;
	bench_open(&b, "slack");
	deliver(&b, &d);
	assert_int_equal(d.outcome, DELIVERY_RETRY);
	assert_in_range(d.retry_after_s, 95, 100);
	bench_close(&b);
}

static void test_connection_refused(void **state)
{
	struct bench b = { .url = "http://127.0.0.1:1/hook/s3cret" };
	struct delivered d = { 0 };

	(void)state;
	bench_open(&b, "slack");
	deliver(&b, &d);
	assert_int_equal(d.outcome, DELIVERY_RETRY);
	assert_string_equal(d.reason, "other");
	bench_close(&b);
}

/* A key and a certificate for 127.0.0.1 that signs itself, as PEM files. */
static void write_pem(const char *path, gnutls_datum_t *pem)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_int_equal(fwrite(pem->data, 1, pem->size, f), pem->size);
	assert_int_equal(fclose(f), 0);
	gnutls_free(pem->data);
}

static void make_identity(const char *cert_path, const char *key_path)
{
	static const uint8_t loopback[] = { 127, 0, 0, 1 };
	static const uint8_t serial[] = { 1 };
	gnutls_x509_privkey_t key;
	gnutls_x509_crt_t crt;
	gnutls_datum_t pem;

	assert_int_equal(gnutls_x509_privkey_init(&key), 0);
	assert_int_equal(gnutls_x509_privkey_generate(key, GNUTLS_PK_ECDSA,
				 GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0),
		0);
	assert_int_equal(gnutls_x509_crt_init(&crt), 0);
	assert_int_equal(gnutls_x509_crt_set_version(crt, 3), 0);
	assert_int_equal(gnutls_x509_crt_set_serial(crt, serial, sizeof(serial)), 0);
	assert_int_equal(gnutls_x509_crt_set_dn(crt, "CN=receiver", NULL), 0);
	assert_int_equal(gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_IPADDRESS, loopback,
				 sizeof(loopback), GNUTLS_FSAN_SET),
		0);
	assert_int_equal(gnutls_x509_crt_set_basic_constraints(crt, 1, -1), 0);
	assert_int_equal(gnutls_x509_crt_set_activation_time(crt, time(NULL) - 3600), 0);
	assert_int_equal(gnutls_x509_crt_set_expiration_time(crt, time(NULL) + 3600), 0);
	assert_int_equal(gnutls_x509_crt_set_key(crt, key), 0);
	assert_int_equal(gnutls_x509_crt_sign2(crt, crt, key, GNUTLS_DIG_SHA256, 0), 0);
	assert_int_equal(gnutls_x509_crt_export2(crt, GNUTLS_X509_FMT_PEM, &pem), 0);
	write_pem(cert_path, &pem);
	assert_int_equal(gnutls_x509_privkey_export2(key, GNUTLS_X509_FMT_PEM, &pem), 0);
	write_pem(key_path, &pem);
	gnutls_x509_crt_deinit(crt);
	gnutls_x509_privkey_deinit(key);
}

struct tls_receiver {
	struct receiver base; /* its thread runs serve_tls */
	gnutls_certificate_credentials_t credentials;
	bool wants_client;
	atomic_int clients; /* that showed a certificate */
};

static void serve_one(int fd, struct tls_receiver *r)
{
	static const char ok[] =
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok";
	gnutls_session_t session;
	unsigned count = 0;
	char data[8192];

	assert_int_equal(gnutls_init(&session, GNUTLS_SERVER), 0);
	assert_int_equal(gnutls_set_default_priority(session), 0);
	assert_int_equal(
		gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, r->credentials), 0);
	if (r->wants_client)
		gnutls_certificate_server_set_request(session, GNUTLS_CERT_REQUIRE);
	gnutls_transport_set_int(session, fd);
	gnutls_handshake_set_timeout(session, SOCKET_WAIT_S * 1000);
	if (gnutls_handshake(session) == 0 && gnutls_record_recv(session, data, sizeof(data)) > 0) {
		r->base.requests++;
		r->clients += gnutls_certificate_get_peers(session, &count) && count;
		(void)gnutls_record_send(session, ok, strlen(ok));
		(void)gnutls_bye(session, GNUTLS_SHUT_WR);
	}
	gnutls_deinit(session);
}

static void *serve_tls(void *arg)
{
	struct tls_receiver *r = arg;
	int fd;

	while ((fd = accept(r->base.listener, NULL, NULL)) >= 0) {
		serve_one(fd, r);
		(void)close(fd);
	}
	return NULL;
}

struct tls_case {
	bool knows_ca;
	bool wants_client;
	bool has_client;
	enum delivery outcome;
};

static void check_tls(const struct tls_case *c, const char *cert, const char *key)
{
	struct tls_receiver r = { .wants_client = c->wants_client };
	struct bench b = { .conf = { .timeout_ms = 5000 } };
	struct delivered d = { 0 };

	assert_int_equal(gnutls_certificate_allocate_credentials(&r.credentials), 0);
	assert_int_equal(
		gnutls_certificate_set_x509_key_file(r.credentials, cert, key, GNUTLS_X509_FMT_PEM),
		0);
	receiver_listen(&r.base);
	assert_int_equal(pthread_create(&r.base.thread, NULL, serve_tls, &r), 0);
	(void)snprintf(b.url, sizeof(b.url), "https://127.0.0.1:%u/hook/s3cret", r.base.port);
	b.conf.ca_file = c->knows_ca ? (char *)(uintptr_t)cert : NULL;
	b.conf.client_cert = c->has_client ? (char *)(uintptr_t)cert : NULL;
	b.conf.client_key = c->has_client ? (char *)(uintptr_t)key : NULL;
	bench_open(&b, "slack");
	deliver(&b, &d);
	if (d.outcome != c->outcome)
		fail_msg("outcome %d: %s", (int)d.outcome, d.message);
	assert_int_equal(r.base.requests, c->outcome == DELIVERY_OK);
	assert_int_equal(r.clients, c->has_client && c->outcome == DELIVERY_OK);
	bench_close(&b);
	receiver_stop(&r.base);
	gnutls_certificate_free_credentials(r.credentials);
}

static void test_tls_is_verified(void **state)
{
	static const struct tls_case cases[] = {
		{ true, false, false, DELIVERY_OK },
		/* An unknown CA never sees the message. */
		{ false, false, false, DELIVERY_RETRY },
		{ true, true, true, DELIVERY_OK },
		{ true, true, false, DELIVERY_RETRY },
	};
	char folder[] = "/tmp/leafwatch-test-tls-XXXXXX";
	char cert[64];
	char key[64];

	(void)state;
	assert_non_null(mkdtemp(folder));
	(void)snprintf(cert, sizeof(cert), "%s/cert.pem", folder);
	(void)snprintf(key, sizeof(key), "%s/key.pem", folder);
	make_identity(cert, key);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		check_tls(&cases[i], cert, key);
	assert_int_equal(unlink(cert), 0);
	assert_int_equal(unlink(key), 0);
	assert_int_equal(rmdir(folder), 0);
}

static void write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

/* A secret changed on disk counts from the next message on, with no reload. */
static void test_url_is_read_when_it_is_used(void **state)
{
	struct bench b = { .receiver = { .answer = answer_text, .text = HEAD("200 OK") "\r\n" } };
	char path[] = "/tmp/leafwatch-test-url-XXXXXX";
	char url[160];
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	(void)close(fd);
	b.conf.url.file = path;
	bench_open(&b, "alertmanager");
	for (int i = 0; i < 2; i++) {
		struct delivered d = { 0 };
		char line[64];

		(void)snprintf(url, sizeof(url), "http://127.0.0.1:%u/n%d\n", b.receiver.port, i);
		write_file(path, url);
		deliver(&b, &d);
		assert_int_equal(d.outcome, DELIVERY_OK);
		(void)snprintf(line, sizeof(line), "POST /n%d HTTP/1.1\r\n", i);
		assert_true(strncmp(b.receiver.request, line, strlen(line)) == 0);
	}
	assert_int_equal(unlink(path), 0);
	/* And when it is gone, the delivery says so instead of ending in silence. */
	struct notification n = sample(1, "api", 1);
	struct delivered d = { 0 };
	struct why why = { 0 };

	assert_int_not_equal(webhooks_exporter.deliver(b.state, &n, on_done, &d, &why), ERR_OK);
	assert_true(why.text[0]);
	assert_int_equal(d.calls, 0);
	notification_fini(&n);
	bench_close(&b);
}

static void refuse_url(const char *text)
{
	struct bench b = { 0 };
	char path[] = "/tmp/leafwatch-test-url-XXXXXX";
	struct notification n = sample(1, "api", 1);
	struct delivered d = { 0 };
	struct why why = { 0 };
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	(void)close(fd);
	write_file(path, text);
	b.conf.url.file = path;
	bench_open(&b, "alertmanager");
	if (webhooks_exporter.deliver(b.state, &n, on_done, &d, &why) == ERR_OK) {
		while (!d.is_done)
			(void)uv_run(&b.loop, UV_RUN_ONCE);
		assert_int_not_equal(d.outcome, DELIVERY_OK);
	}
	assert_null(strstr(why.text, "passwd"));
	assert_null(strstr(d.message, "passwd"));
	notification_fini(&n);
	assert_int_equal(unlink(path), 0);
	bench_close(&b);
}

static void test_only_http(void **state)
{
	(void)state;
	refuse_url("file:///etc/passwd");
	refuse_url("ftp://127.0.0.1/passwd");
	refuse_url("gopher://127.0.0.1/passwd");
	refuse_url("http://127.0.0.1:1/\r\nX: passwd");
	refuse_url("");
}

static void test_stop_drops_what_is_under_way(void **state)
{
	struct bench b = { .receiver = { .answer = answer_never } };
	struct notification n = sample(1, "api", 1);
	struct delivered d = { 0 };

	(void)state;
	bench_open(&b, "slack");
	assert_int_equal(webhooks_exporter.deliver(b.state, &n, on_done, &d, NULL), ERR_OK);
	assert_int_equal(webhooks_exporter.deliver(b.state, &n, on_done, &d, NULL), ERR_OK);
	for (int i = 0; i < 5; i++)
		(void)uv_run(&b.loop, UV_RUN_NOWAIT);
	notification_fini(&n);
	bench_close(&b);
	assert_int_equal(d.calls, 0);
}

static void test_stop_from_inside_the_callback(void **state)
{
	struct bench b = { .receiver = { .answer = answer_text, .text = HEAD("200 OK") "\r\n" } };
	struct delivered d = { 0 };

	(void)state;
	bench_open(&b, "alertmanager");
	d.stop_state = b.state;
	deliver(&b, &d);
	b.state = NULL;
	bench_close(&b);
}

static void test_conf_is_checked(void **state)
{
	char *bad_header[] = { (char *)"X-Own: yes\r\nEvil: 1" };
	char *no_colon[] = { (char *)"nothing" };
	struct webhook_conf good = { .url.value = (char *)"https://h/s3cret" };
	struct webhook_conf conf;
	struct why why = { 0 };

	(void)state;
	assert_int_equal(webhook_conf_check(&good, &why), ERR_OK);
	conf = good;
	conf.url.value = NULL;
	assert_int_equal(webhook_conf_check(&conf, &why), ERR_CONFIG);
	conf.url.value = (char *)"file:///s3cret";
	assert_int_equal(webhook_conf_check(&conf, &why), ERR_CONFIG);
	assert_null(strstr(why.text, "s3cret"));
	conf = good;
	conf.headers = (struct strings){ .items = bad_header, .count = 1 };
	assert_int_equal(webhook_conf_check(&conf, &why), ERR_CONFIG);
	conf.headers.items = no_colon;
	assert_int_equal(webhook_conf_check(&conf, &why), ERR_CONFIG);
	conf = good;
	conf.client_cert = (char *)"/x";
	assert_int_equal(webhook_conf_check(&conf, &why), ERR_CONFIG);
	conf = good;
	conf.basic_auth.username = (char *)"me";
	conf.authorization.credentials.value = (char *)"t";
	assert_int_equal(webhook_conf_check(&conf, &why), ERR_CONFIG);
}

/* The table of keys fills the struct, and the exporter's entry says what it is. */
static void test_conf_is_read(void **state)
{
	static const char text[] = "name: ops\nformat: slack\nurl_file: /x\nheaders: {X-A: b}\n"
				   "basic_auth: {username: u, password_file: /p}\n"
				   "timeout: 5s\nmin_severity: critical\nsend_resolved: false\n";
	struct webhook_conf conf = { 0 };
	struct webhook_conf standard = { 0 };
	struct tree *tree = NULL;
	struct why why = { 0 };

	(void)state;
	assert_int_equal(webhooks_exporter.conf_bytes, sizeof(conf));
	assert_true(webhooks_exporter.is_receiver);
	assert_int_equal(tree_new(&tree), ERR_OK);
	assert_int_equal(tree_parse(tree, "test", slice_text(text), &why), ERR_OK);
	if (schema_apply(webhooks_exporter.fields, tree_root(tree), &conf, &why) != ERR_OK)
		fail_msg("%s", why.text);
	assert_string_equal(conf.receiver.name, "ops");
	assert_int_equal(conf.format, format_of("slack"));
	assert_int_equal(conf.receiver.min_severity, SEVERITY_CRITICAL);
	assert_false(conf.receiver.send_resolved);
	assert_string_equal(conf.url.file, "/x");
	assert_string_equal(conf.headers.items[0], "X-A: b");
	assert_string_equal(conf.basic_auth.password.file, "/p");
	assert_int_equal(conf.timeout_ms, 5000);
	assert_int_equal(webhook_conf_check(&conf, &why), ERR_OK);
	schema_fini(webhooks_exporter.fields, &conf);
	tree_free(tree);
	/* Without a name and a URL there is no receiver. */
	assert_int_equal(tree_new(&tree), ERR_OK);
	assert_int_equal(schema_apply(webhooks_exporter.fields, tree_root(tree), &standard, &why),
		ERR_CONFIG);
	tree_free(tree);
	schema_fini(webhooks_exporter.fields, &standard);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_request),
		cmocka_unit_test(test_basic_authentication),
		cmocka_unit_test(test_hang_times_out),
		cmocka_unit_test(test_slow_drip_times_out),
		cmocka_unit_test(test_gigabyte_is_cut_off),
		cmocka_unit_test(test_headers_without_end_are_cut_off),
		cmocka_unit_test(test_garbage),
		cmocka_unit_test(test_closed_without_an_answer),
		cmocka_unit_test(test_http_date),
		cmocka_unit_test(test_connection_refused),
		cmocka_unit_test(test_tls_is_verified),
		cmocka_unit_test(test_url_is_read_when_it_is_used),
		cmocka_unit_test(test_only_http),
		cmocka_unit_test(test_stop_drops_what_is_under_way),
		cmocka_unit_test(test_stop_from_inside_the_callback),
		cmocka_unit_test(test_conf_is_checked),
		cmocka_unit_test(test_conf_is_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
