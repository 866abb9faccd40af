/* The exporter as main uses it: configured by its table, started, updated, stopped. */
#include "exporters/exporter.h"
#include "exporters/prometheus/landing.h"
#include "tests/exporters/report/fake_view.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <unistd.h>

#include <cmocka.h>

extern const struct exporter prometheus_exporter;

static void *conf_of(const char *yaml, struct why *why)
{
	void *conf = calloc(1, prometheus_exporter.conf_bytes);
	struct tree *tree;
	enum err e;

	assert_non_null(conf);
	assert_int_equal(tree_new(&tree), ERR_OK);
	assert_int_equal(tree_parse(tree, "test.yml", slice_text(yaml), why), ERR_OK);
	e = schema_apply(prometheus_exporter.fields, tree_root(tree), conf, why);
	tree_free(tree);
	if (e == ERR_OK)
		return conf;
	schema_fini(prometheus_exporter.fields, conf);
	free(conf);
	return NULL;
}

static void conf_free(void *conf)
{
	schema_fini(prometheus_exporter.fields, conf);
	free(conf);
}

static void ask(const char *url, const char *request, char *answer, size_t size)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	size_t used = 0;
	ssize_t n;

	to.sin_port = htons((uint16_t)strtoul(strrchr(url, ':') + 1, NULL, 10));
	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	assert_int_equal(send(fd, request, strlen(request), MSG_NOSIGNAL), strlen(request));
	while (used < size - 1 && (n = recv(fd, answer + used, size - 1 - used, 0)) > 0)
		used += (size_t)n;
	answer[used] = 0;
	(void)close(fd);
}

static void count_reload(void *ctx)
{
	atomic_uint *reloads = ctx;

	atomic_fetch_add(reloads, 1);
}

static void its_whole_life(void **state)
{
	static const size_t answer_bytes = 1024 * 1024;
	atomic_uint reloads = 0;
	const struct exporter_host host = { .ctx = &reloads, .request_reload = count_reload };
	struct why why = { 0 };
	void *conf = conf_of("listen: \"127.0.0.1:0\"\ntelemetry_path: /m\nmax_series: 7\n", &why);
	char *answer = malloc(answer_bytes);
	struct fake_view f;
	void *exporter;
	const char *url;

	(void)state;
	assert_non_null(answer);
	assert_non_null(conf);
	assert_int_equal(prometheus_exporter.start(conf, &host, &exporter, &why), ERR_OK);
	url = prometheus_exporter.address(exporter);
	assert_memory_equal(url, "http://127.0.0.1:", 17);
	ask(url, "GET /-/ready HTTP/1.0\r\n\r\n", answer, answer_bytes);
	assert_non_null(strstr(answer, " 503 "));
	fake_view_init(&f);
	fake_host(&f);
	assert_int_equal(prometheus_exporter.update(exporter, &f.view), ERR_OK);
	ask(url, "GET /-/ready HTTP/1.0\r\n\r\n", answer, answer_bytes);
	assert_non_null(strstr(answer, " 200 "));
	ask(url, "GET /m HTTP/1.0\r\n\r\n", answer, answer_bytes);
	assert_non_null(strstr(answer, "\nleafwatch_build_info{"));
	assert_null(strstr(answer, "\nleafwatch_series_dropped 0\n"));
	ask(url, "GET /metrics HTTP/1.0\r\n\r\n", answer, answer_bytes);
	assert_non_null(strstr(answer, " 404 "));
	ask(url, "GET / HTTP/1.0\r\n\r\n", answer, answer_bytes);
	assert_non_null(strstr(answer, "<a href=\"/m\">"));
	ask(url, "POST /-/reload HTTP/1.0\r\nContent-Length: 0\r\n\r\n", answer, answer_bytes);
	assert_non_null(strstr(answer, " 200 "));
	assert_int_equal(atomic_load(&reloads), 1);
	prometheus_exporter.stop(exporter);
	fake_view_fini(&f);
	conf_free(conf);
	free(answer);
}

/* ---- both ends on the page -------------------------------------------------------------------- */

static enum err client_links(void *ctx, const struct certificate *c, struct certificate_links *out)
{
	(void)ctx;
	*out = (struct certificate_links){ 0 };
	if (strcmp(c->subject_cn, "service-<a>") == 0) {
		out->is_client = true;
		out->accepted_by_count = 1;
		return strings_add(&out->accepted_by, "tls://mq.example.org:8883");
	}
	out->is_ca = c->is_ca;
	out->trusted_by_count = c->is_ca;
	return c->is_ca ? strings_add(&out->trusted_by, "tls://mq.example.org:8883") : ERR_OK;
}

static enum err server_links(void *ctx, const struct location *at, struct endpoint_links *out)
{
	(void)ctx;
	*out = (struct endpoint_links){ 0 };
	out->asks = strstr(at->uri, "443") == NULL;
	out->accepts_count = out->valid_count = strstr(at->uri, "8883") ? 5 : 0;
	return out->valid_count ? strings_add(&out->accepts_names, "service-<a>") : ERR_OK;
}

static void expect(const char *page, const char *words)
{
	if (!strstr(page, words))
		fail_msg("the page lacks: %s\n%s", words, page);
}

static void both_ends_on_the_page(void **state)
{
	struct fake_sighting *s;
	struct fake_view f;
	struct buffer out;
	const char *page;

	(void)state;
	fake_view_init(&f);
	s = fake_listener(&f, "tls://127.0.0.1:443", 812, "ngi<x");
	s->record.endpoint.process.unit = fake_dup("nginx.service");
	s = fake_certificate(&f, "tls://127.0.0.1:443", "www.example.org", 30, 60);
	fake_set(&s->record.location.scanner, "listeners");
	s->record.certificate.is_served = true;
	(void)fake_plain_listener(&f, "tls://127.0.0.1:22", 70, "sshd");
	s = fake_endpoint(&f, "tls://mq.example.org:8883", CLIENT_CERTIFICATE_REQUIRED);
	fake_add_text(&s->record.endpoint.acceptable_cas, "CN=Root & Co");
	(void)fake_endpoint(&f, "tls://db.example.org:5432", CLIENT_CERTIFICATE_REQUIRED);
	(void)fake_certificate(&f, "file:///srv/a.pem", "service-<a>", 80, 9);
	(void)fake_certificate(&f, "file:///srv/copy.pem", "service-<a>", 80, 9);
	s = fake_certificate(&f, "file:///srv/ca.pem", "Root & Co", 80, 40);
	s->record.certificate.facts.is_ca = true;
	buffer_init(&out, 1024 * 1024);
	/* Where nothing was worked out, only what listens is said. */
	assert_int_equal(landing_ends(&f.view, &out), ERR_OK);
	expect(buffer_string(&out), "ngi&lt;x 812");
	assert_null(strstr(buffer_string(&out), "Servers that ask"));
	buffer_clear(&out);
	f.view.links_of_certificate = client_links;
	f.view.links_of_endpoint = server_links;
	assert_int_equal(landing_ends(&f.view, &out), ERR_OK);
	page = buffer_string(&out);
	expect(page,
		"127.0.0.1:443</td><td class=\"n\">ngi&lt;x 812</td><td class=\"\">nginx.service");
	expect(page, "<td class=\"\">www.example.org</td><td class=\"r ok\">60 d</td>");
	expect(page, "1 listening socket speaks no TLS.");
	expect(page,
		"tls://mq.example.org:8883</td><td class=\"n\">required</td><td class=\"long\">"
		"CN=Root &amp; Co</td><td>service-&lt;a&gt; and 4 more</td>");
	expect(page,
		"tls://db.example.org:5432</td><td class=\"n\">required</td><td class=\"long\">"
		"</td><td class=\"warning\">none</td>");
	expect(page, "Client certificates in use");
	expect(page, "mq.example.org:8883 accepts it; nothing else here does");
	expect(page, "all its clients at mq.example.org:8883 fail together on ");
	/* One row, however many files hold it. */
	page = strstr(page, "Client certificates in use");
	page = strstr(page, "<td class=\"\">service-&lt;a&gt;") + 1;
	assert_null(strstr(page, "<td class=\"\">service-&lt;a&gt;"));
	buffer_fini(&out);
	fake_view_fini(&f);
}

static void its_defaults(void **state)
{
	struct why why = { 0 };
	void *conf = conf_of("", &why);

	(void)state;
	if (!conf)
		fail_msg("%s", why.text);
	conf_free(conf);
}

static void wrong_configuration_is_refused(void **state)
{
	static const char *const wrong[] = { "listen: example.org\n",
		"listen: [\"127.0.0.1:99999\"]\n", "max_connections: 0\n", "timeout: 10\n",
		"timeout: 1ms\n", "max_series: -1\n", "telemetry_path: metrics\n",
		"telemetry_path: /\n", "telemetry_path: /-/healthy\n", "telemetry_path: \"/a b\"\n",
		"lifecycle: maybe\n", "listne: x\n" };

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct why why = { 0 };

		if (conf_of(wrong[i], &why))
			fail_msg("taken: %s", wrong[i]);
		assert_non_null(strstr(why.text, "test.yml:1:"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(its_whole_life),
		cmocka_unit_test(both_ends_on_the_page),
		cmocka_unit_test(its_defaults),
		cmocka_unit_test(wrong_configuration_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
