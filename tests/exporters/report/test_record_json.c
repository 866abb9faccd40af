/* A record as JSON: exactly the documented keys, in their order; absent means not known. */
#include "exporters/report/record_json.h"
#include "tests/exporters/report/fake_view.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define JSON_BYTES_MAX ((size_t)64 * 1024 * 1024)

static void expect_json(struct fake_view *f, const char *expected)
{
	struct buffer out;
	cJSON *json;

	f->items[0].sighting.record = &f->items[0].record;
	json = record_json(&f->items[0].sighting, &f->view.thresholds, f->view.now);
	assert_non_null(json);
	buffer_init(&out, JSON_BYTES_MAX);
	assert_int_equal(record_json_print(&out, json), ERR_OK);
	assert_string_equal(buffer_string(&out), expected);
	cJSON_Delete(json);
	buffer_fini(&out);
}

static void set_fingerprint(uint8_t to[FINGERPRINT_BYTES], uint8_t byte)
{
	memset(to, byte, FINGERPRINT_BYTES);
}

#define FP_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define FP_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define SEEN "\"first_seen\":\"2025-12-02T00:00:00Z\",\"last_seen\":\"2025-12-31T23:59:00Z\""

static void a_certificate(void **state)
{
	struct fake_view f;
	struct fake_sighting *s;
	struct certificate_record *c;

	(void)state;
	fake_view_init(&f);
	s = fake_certificate(&f, "file:///etc/a.jks", "api.example.org", 100, -1);
	c = &s->record.certificate;
	set_fingerprint(c->facts.fingerprint, 0xaa);
	set_fingerprint(c->facts.spki_sha256, 0xbb);
	set_fingerprint(c->verdict.expires_because, 0xbb);
	set_fingerprint(c->verdict.chain.items[0], 0xaa);
	c->verdict.problems = PROBLEM_BIT(PROBLEM_INCOMPLETE_CHAIN);
	fake_set(&c->facts.subject, "CN=\"quoted\\, \xe2\x82\xac\"");
	s->record.location.index = 2;
	s->record.location.alias = fake_dup("mykey");
	s->record.location.integrity = fake_dup("unverified");
	s->sighting.is_stale = true;
	s->sighting.gone_at = FAKE_NOW;
	expect_json(&f,
		"{\"type\":\"certificate\",\"fingerprint\":\"" FP_A
		"\",\"subject\":\"CN=\\\"quoted\\\\, \xe2\x82\xac\\\"\","
		"\"issuer\":\"CN=Example Issuing CA 1,O=Example\","
		"\"serial\":\"0123456789abcdef\",\"not_before\":\"2025-09-23T00:00:00Z\","
		"\"not_after\":\"2025-12-31T00:00:00Z\",\"names\":[\"dns:api.example.org\"],"
		"\"key\":{\"algorithm\":\"RSA\",\"bits\":2048,\"spki_sha256\":\"" FP_B "\"},"
		"\"signature_algorithm\":\"RSA-SHA256\",\"is_ca\":false,"
		"\"key_usage\":[\"digitalSignature\"],\"extended_key_usage\":[\"serverAuth\"],"
		"\"location\":{\"scanner\":\"files\",\"uri\":\"file:///etc/a.jks\","
		"\"format\":\"pem\",\"index\":2,\"alias\":\"mykey\","
		"\"integrity\":\"unverified\"},"
		"\"verdict\":{\"status\":\"expired\",\"problems\":[\"expired\","
		"\"incomplete-chain\"],\"chain\":[\"" FP_A "\"],"
		"\"expires\":\"2025-12-31T00:00:00Z\",\"expires_because\":\"" FP_B "\"}," SEEN
		",\"gone\":\"2026-01-01T00:00:00Z\",\"stale\":true}");
	fake_view_fini(&f);
}

static void what_is_not_known_is_absent(void **state)
{
	struct fake_view f;
	struct fake_sighting *s;

	(void)state;
	fake_view_init(&f);
	s = fake_add(&f, RECORD_CERTIFICATE, "files", "file:///x");
	set_fingerprint(s->record.certificate.facts.fingerprint, 0xaa);
	s->record.certificate.facts.not_before = TIME_UNKNOWN;
	s->record.certificate.facts.not_after = TIME_UNKNOWN;
	s->record.certificate.verdict.expires = TIME_UNKNOWN;
	s->record.certificate.verdict.boundary = TIME_UNKNOWN;
	s->sighting.first_seen = TIME_UNKNOWN;
	s->sighting.last_seen = TIME_UNKNOWN;
	expect_json(&f, "{\"type\":\"certificate\",\"fingerprint\":\"" FP_A
			"\",\"names\":[],\"key\":{},\"is_ca\":false,\"key_usage\":[],"
			"\"extended_key_usage\":[],"
			"\"location\":{\"scanner\":\"files\",\"uri\":\"file:///x\",\"index\":0},"
			"\"verdict\":{\"status\":\"unchecked\",\"problems\":[]}}");
	fake_view_fini(&f);
}

static void an_endpoint(void **state)
{
	struct fake_view f;
	struct fake_sighting *s;

	(void)state;
	fake_view_init(&f);
	s = fake_endpoint(&f, "tls://api.example.org:443", CLIENT_CERTIFICATE_REQUIRED);
	s->record.endpoint.client_certificate_evidence = fake_dup("alert 116 after Finished");
	fake_add_text(&s->record.endpoint.acceptable_cas, "CN=Internal Root CA");
	s->record.endpoint.duration_ms = 1250;
	expect_json(&f,
		"{\"type\":\"endpoint\",\"location\":{\"scanner\":\"endpoints\","
		"\"uri\":\"tls://api.example.org:443\"},\"address\":\"192.0.2.1\",\"port\":443,"
		"\"server_name\":\"api.example.org\",\"protocol\":\"TLS1.3\","
		"\"cipher_suite\":\"TLS_AES_256_GCM_SHA384\",\"reachable\":true,"
		"\"handshake\":\"ok\",\"duration_seconds\":1.25,\"client_certificate\":\"required\","
		"\"client_certificate_evidence\":\"alert 116 after Finished\","
		"\"acceptable_cas\":[\"CN=Internal Root CA\"],\"stapled_ocsp\":\"none\"," SEEN "}");
	fake_view_fini(&f);
}

static void a_revocation_list(void **state)
{
	struct fake_view f;
	struct fake_sighting *s;

	(void)state;
	fake_view_init(&f);
	s = fake_add(&f, RECORD_CRL, "files", "file:///root.crl");
	s->record.location.format = fake_dup("crl");
	s->record.location.trust_flags = fake_dup("CT,,");
	set_fingerprint(s->record.crl.fingerprint, 0xbb);
	s->record.crl.issuer = fake_dup("CN=Root");
	s->record.crl.issuer_cn = fake_dup("Root");
	s->record.crl.number = fake_dup("0a");
	s->record.crl.signature_algorithm = fake_dup("RSA-SHA256");
	s->record.crl.this_update = FAKE_NOW;
	s->record.crl.next_update = TIME_UNKNOWN;
	s->record.crl.revoked_count = 3;
	expect_json(&f, "{\"type\":\"crl\",\"fingerprint\":\"" FP_B "\",\"issuer\":\"CN=Root\","
			"\"number\":\"0a\",\"signature_algorithm\":\"RSA-SHA256\","
			"\"this_update\":\"2026-01-01T00:00:00Z\",\"revoked\":3,\"is_delta\":false,"
			"\"location\":{\"scanner\":\"files\",\"uri\":\"file:///root.crl\","
			"\"format\":\"crl\",\"trust_flags\":\"CT,,\"}," SEEN "}");
	fake_view_fini(&f);
}

static void a_key(void **state)
{
	struct fake_view f;
	struct fake_sighting *s;

	(void)state;
	fake_view_init(&f);
	s = fake_add(&f, RECORD_KEY, "files", "file:///a.key");
	s->record.key = (struct key_record){ .is_known = true,
		.bits = 256,
		.is_encrypted = true,
		.has_owner = true,
		.mode = 0640,
		.gid = 115 };
	s->record.key.algorithm = fake_dup("ECDSA");
	set_fingerprint(s->record.key.spki_sha256, 0xbb);
	expect_json(&f, "{\"type\":\"key\",\"algorithm\":\"ECDSA\",\"bits\":256,"
			"\"spki_sha256\":\"" FP_B "\",\"encrypted\":true,\"mode\":\"0640\","
			"\"uid\":0,\"gid\":115,"
			"\"location\":{\"scanner\":\"files\",\"uri\":\"file:///a.key\"}," SEEN "}");
	fake_view_fini(&f);
}

/* Nothing is known of a key that no password opened, but that it is there. */
static void a_locked_key(void **state)
{
	struct fake_view f;
	struct fake_sighting *s;

	(void)state;
	fake_view_init(&f);
	s = fake_add(&f, RECORD_KEY, "files", "file:///a.key");
	s->record.key.is_encrypted = true;
	expect_json(&f, "{\"type\":\"key\",\"encrypted\":true,\"locked\":true,"
			"\"location\":{\"scanner\":\"files\",\"uri\":\"file:///a.key\"}," SEEN "}");
	fake_view_fini(&f);
}

static void a_listener(void **state)
{
	struct fake_view f;
	struct fake_sighting *s;
	struct process *p;

	(void)state;
	fake_view_init(&f);
	s = fake_listener(&f, "tls://127.0.0.1:443", 4711, "nginx");
	p = &s->record.endpoint.process;
	fake_set(&s->record.endpoint.server_name, NULL);
	p->unit = fake_dup("nginx.service");
	p->container = fake_dup("0123456789ab");
	p->worker_started = FAKE_NOW;
	expect_json(&f,
		"{\"type\":\"endpoint\",\"location\":{\"scanner\":\"listeners\","
		"\"uri\":\"tls://127.0.0.1:443\"},\"address\":\"127.0.0.1\",\"port\":443,"
		"\"protocol\":\"TLS1.3\",\"cipher_suite\":\"TLS_AES_256_GCM_SHA384\","
		"\"reachable\":true,\"handshake\":\"ok\",\"duration_seconds\":0,\"client_certificate\":\"none\","
		"\"acceptable_cas\":[],\"stapled_ocsp\":\"none\",\"process\":{\"pid\":4711,"
		"\"name\":\"nginx\",\"unit\":\"nginx.service\",\"container\":\"0123456789ab\","
		"\"started\":\"2025-12-31T00:00:00Z\",\"worker_started\":\"2026-01-01T00:00:00Z\"}," SEEN
		"}");
	fake_view_fini(&f);
}

static void a_problem(void **state)
{
	struct fake_view f;
	struct fake_sighting *s;

	(void)state;
	fake_view_init(&f);
	s = fake_problem(&f, "file:///x.der", REASON_MALFORMED, "bad \"version\"");
	s->record.problem.has_fingerprint = true;
	set_fingerprint(s->record.problem.fingerprint, 0xbb);
	s->record.problem.not_after = FAKE_NOW;
	expect_json(&f, "{\"type\":\"problem\",\"location\":{\"scanner\":\"files\","
			"\"uri\":\"file:///x.der\"},\"reason\":\"malformed\","
			"\"message\":\"bad \\\"version\\\"\",\"fingerprint\":\"" FP_B "\","
			"\"not_after\":\"2026-01-01T00:00:00Z\"," SEEN "}");
	fake_view_fini(&f);
}

static void a_reference(void **state)
{
	struct fake_view f;
	struct fake_sighting *s;

	(void)state;
	fake_view_init(&f);
	s = fake_add(&f, RECORD_REFERENCE, "files", "file:///etc/nginx/nginx.conf");
	s->record.location.format = fake_dup("nginx");
	s->record.location.index = 1;
	s->record.reference.role = REFERENCE_SERVER_KEY;
	s->record.reference.directive = fake_dup("ssl_certificate_key");
	s->record.reference.line = 7;
	s->record.reference.file = fake_dup("file:///etc/ssl/a.key");
	s->record.reference.ports[0] = 443;
	s->record.reference.ports_count = 1;
	fake_add_text(&s->record.reference.names, "api.example.org");
	expect_json(&f,
		"{\"type\":\"reference\",\"location\":{\"scanner\":\"files\","
		"\"uri\":\"file:///etc/nginx/nginx.conf\",\"format\":\"nginx\",\"index\":1},"
		"\"role\":\"server-key\",\"directive\":\"ssl_certificate_key\",\"line\":7,"
		"\"file\":\"file:///etc/ssl/a.key\",\"active\":false,\"names\":[\"api.example.org\"],"
		"\"ports\":[443]," SEEN "}");
	fake_view_fini(&f);
}

/* 10,000 names: far over the first size of the buffer. */
static void a_very_long_one(void **state)
{
	struct fake_view f;
	struct fake_sighting *s;
	struct buffer out;
	cJSON *json;
	cJSON *again;
	char name[64];

	(void)state;
	fake_view_init(&f);
	s = fake_certificate(&f, "file:///x", "x", 1, 1);
	for (int i = 0; i < 9999; i++) {
		(void)snprintf(name, sizeof(name), "dns:host-%04d.example.org", i);
		fake_add_text(&s->record.certificate.facts.names, name);
	}
	s->sighting.record = &s->record;
	json = record_json(&s->sighting, &f.view.thresholds, f.view.now);
	assert_non_null(json);
	buffer_init(&out, JSON_BYTES_MAX);
	assert_int_equal(record_json_print(&out, json), ERR_OK);
	again = cJSON_Parse(buffer_string(&out));
	assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(again, "names")), 10000);
	cJSON_Delete(again);
	buffer_fini(&out);
	/* A ceiling holds. */
	buffer_init(&out, 10000);
	assert_int_equal(record_json_print(&out, json), ERR_LIMIT);
	buffer_fini(&out);
	cJSON_Delete(json);
	fake_view_fini(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_certificate),
		cmocka_unit_test(what_is_not_known_is_absent),
		cmocka_unit_test(an_endpoint),
		cmocka_unit_test(a_revocation_list),
		cmocka_unit_test(a_key),
		cmocka_unit_test(a_locked_key),
		cmocka_unit_test(a_listener),
		cmocka_unit_test(a_problem),
		cmocka_unit_test(a_reference),
		cmocka_unit_test(a_very_long_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
