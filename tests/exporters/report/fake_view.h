/* A view of records made up by a test: what exporters and reports are tested with. */
#ifndef LEAFWATCH_TESTS_EXPORTERS_REPORT_FAKE_VIEW_H
#define LEAFWATCH_TESTS_EXPORTERS_REPORT_FAKE_VIEW_H

#include "exporters/exporter.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FAKE_NOW INT64_C(1767225600) /* 2026-01-01T00:00:00Z */
#define FAKE_DAY INT64_C(86400)
#define FAKE_ROWS_MAX 32

struct fake_sighting {
	struct record record; /* owned */
	struct sighting sighting;
};

/* Starts with fake_view_init; the small tables are filled by the test. */
struct fake_view {
	struct view view;
	struct fake_sighting *items; /* owned */
	size_t count;
	size_t capacity;
	struct scanner_state scanners[FAKE_ROWS_MAX];
	size_t scanners_count;
	struct receiver_state receivers[FAKE_ROWS_MAX];
	size_t receivers_count;
	struct receiver_failure failures[FAKE_ROWS_MAX];
	size_t failures_count;
	struct alert_state alerts[FAKE_ROWS_MAX];
	size_t alerts_count;
	struct sandbox_state sandboxes[FAKE_ROWS_MAX];
	size_t sandboxes_count;
};

static enum err fake_each_sighting(void *ctx, enum record_kind kind,
	enum err (*fn)(void *, const struct sighting *), void *arg)
{
	struct fake_view *f = ctx;
	enum err e = ERR_OK;

	for (size_t i = 0; e == ERR_OK && i < f->count; i++) {
		f->items[i].sighting.record = &f->items[i].record;
		if (f->items[i].record.kind == kind)
			e = fn(arg, &f->items[i].sighting);
	}
	return e;
}

#define FAKE_EACH(one, many)                                                              \
	static enum err fake_each_##one(                                                  \
		void *ctx, enum err (*fn)(void *, const struct one##_state *), void *arg) \
	{                                                                                 \
		struct fake_view *f = ctx;                                                \
		enum err e = ERR_OK;                                                      \
                                                                                          \
		for (size_t i = 0; e == ERR_OK && i < f->many##_count; i++)               \
			e = fn(arg, &f->many[i]);                                         \
		return e;                                                                 \
	}
FAKE_EACH(scanner, scanners)
FAKE_EACH(receiver, receivers)
FAKE_EACH(alert, alerts)
FAKE_EACH(sandbox, sandboxes)
#undef FAKE_EACH

static enum err fake_each_failure(
	void *ctx, enum err (*fn)(void *, const struct receiver_failure *), void *arg)
{
	struct fake_view *f = ctx;
	enum err e = ERR_OK;

	for (size_t i = 0; e == ERR_OK && i < f->failures_count; i++)
		e = fn(arg, &f->failures[i]);
	return e;
}

static inline void fake_view_init(struct fake_view *f)
{
	*f = (struct fake_view){
		.view = {
			.now = FAKE_NOW,
			.version = "0.1.0",
			.revision = "abcdef012345",
			.is_ready = true,
			.config_reloaded = FAKE_NOW - 60,
			.config_reload_ok = true,
			.each_sighting = fake_each_sighting,
			.each_scanner = fake_each_scanner,
			.each_receiver = fake_each_receiver,
			.each_failure = fake_each_failure,
			.each_alert = fake_each_alert,
			.each_sandbox = fake_each_sandbox,
		},
	};
	f->view.thresholds = thresholds_default;
	f->view.ctx = f;
}

static inline void fake_view_fini(struct fake_view *f)
{
	for (size_t i = 0; i < f->count; i++)
		record_fini(&f->items[i].record);
	free(f->items);
	f->items = NULL;
	f->count = 0;
	f->capacity = 0;
}

static inline char *fake_dup(const char *text)
{
	char *copy = text ? strdup(text) : NULL;

	if (text && !copy)
		abort();
	return copy;
}

/* Replaces an owned text. */
static inline void fake_set(char **to, const char *text)
{
	free(*to);
	*to = fake_dup(text);
}

static inline void fake_add_text(struct strings *to, const char *text)
{
	if (strings_add(to, text) != ERR_OK)
		abort();
}

static inline struct fake_sighting *fake_add(
	struct fake_view *f, enum record_kind kind, const char *scanner, const char *uri)
{
	struct fake_sighting *s;

	if (f->count == f->capacity) {
		f->capacity = f->capacity ? f->capacity * 2 : 64;
		f->items = reallocarray(f->items, f->capacity, sizeof(*f->items));
		if (!f->items)
			abort();
	}
	s = &f->items[f->count++];
	*s = (struct fake_sighting){
		.record = { .kind = kind },
		.sighting = { .job = scanner,
			.first_seen = FAKE_NOW - 30 * FAKE_DAY,
			.last_seen = FAKE_NOW - 60,
			.gone_at = TIME_UNKNOWN },
	};
	s->record.location.scanner = fake_dup(scanner);
	s->record.location.uri = fake_dup(uri);
	return s;
}

/* A certificate `days_old` days into a lifetime with `days_left` to go; its fingerprint follows from
 * `name`. Valid until the next fake_add. */
static inline struct fake_sighting *fake_certificate(
	struct fake_view *f, const char *uri, const char *name, int64_t days_old, int64_t days_left)
{
	struct fake_sighting *s = fake_add(f, RECORD_CERTIFICATE, "files", uri);
	struct certificate_record *c = &s->record.certificate;
	char text[512];

	for (size_t i = 0; i < FINGERPRINT_BYTES; i++) {
		c->facts.fingerprint[i] =
			(uint8_t)((size_t)name[i % (strlen(name) + 1)] * 31 + i * 7);
		c->facts.spki_sha256[i] = (uint8_t)(i + 1);
	}
	(void)snprintf(text, sizeof(text), "CN=%s,O=Example", name);
	c->facts.subject = fake_dup(text);
	c->facts.subject_cn = fake_dup(name);
	c->facts.issuer = fake_dup("CN=Example Issuing CA 1,O=Example");
	c->facts.issuer_cn = fake_dup("Example Issuing CA 1");
	c->facts.serial = fake_dup("0123456789abcdef");
	c->facts.not_before = FAKE_NOW - days_old * FAKE_DAY;
	c->facts.not_after = FAKE_NOW + days_left * FAKE_DAY;
	(void)snprintf(text, sizeof(text), "dns:%s", name);
	fake_add_text(&c->facts.names, text);
	c->facts.key_algorithm = fake_dup("RSA");
	c->facts.key_bits = 2048;
	c->facts.signature_algorithm = fake_dup("RSA-SHA256");
	fake_add_text(&c->facts.key_usage, "digitalSignature");
	fake_add_text(&c->facts.extended_key_usage, "serverAuth");
	c->verdict.is_checked = true;
	c->verdict.expires = c->facts.not_after;
	c->verdict.boundary = TIME_UNKNOWN;
	memcpy(c->verdict.expires_because, c->facts.fingerprint, FINGERPRINT_BYTES);
	c->verdict.chain.items = calloc(1, FINGERPRINT_BYTES);
	if (!c->verdict.chain.items)
		abort();
	memcpy(c->verdict.chain.items[0], c->facts.fingerprint, FINGERPRINT_BYTES);
	c->verdict.chain.count = 1;
	s->record.location.format = fake_dup("pem");
	return s;
}

static inline struct fake_sighting *fake_endpoint(
	struct fake_view *f, const char *uri, enum client_certificate mode)
{
	struct fake_sighting *s = fake_add(f, RECORD_ENDPOINT, "endpoints", uri);
	struct endpoint_record *e = &s->record.endpoint;

	e->address = fake_dup("192.0.2.1");
	e->port = 443;
	e->server_name = fake_dup("api.example.org");
	e->protocol = fake_dup("TLS1.3");
	e->cipher_suite = fake_dup("TLS_AES_256_GCM_SHA384");
	e->is_reachable = true;
	e->handshake = fake_dup("ok");
	e->client_certificate = mode;
	e->stapled_ocsp = STAPLED_OCSP_NONE;
	return s;
}

/* A listening socket of this host, as `name` serves it. */
static inline struct fake_sighting *fake_listener(
	struct fake_view *f, const char *uri, uint32_t pid, const char *name)
{
	struct fake_sighting *s = fake_endpoint(f, uri, CLIENT_CERTIFICATE_NONE);
	struct endpoint_record *e = &s->record.endpoint;
	const char *port = strrchr(uri, ':');

	fake_set(&s->record.location.scanner, "listeners");
	fake_set(&e->address, "127.0.0.1");
	e->port = (uint16_t)(port ? strtoul(port + 1, NULL, 10) : 0);
	e->process.pid = pid;
	e->process.name = fake_dup(name);
	e->process.started = FAKE_NOW - FAKE_DAY;
	e->process.worker_started = TIME_UNKNOWN;
	return s;
}

/* One that speaks no TLS. */
static inline struct fake_sighting *fake_plain_listener(
	struct fake_view *f, const char *uri, uint32_t pid, const char *name)
{
	struct fake_sighting *s = fake_listener(f, uri, pid, name);

	fake_set(&s->record.endpoint.handshake, "not-tls");
	fake_set(&s->record.endpoint.protocol, NULL);
	return s;
}

static inline struct fake_sighting *fake_problem(
	struct fake_view *f, const char *uri, enum reason reason, const char *message)
{
	struct fake_sighting *s = fake_add(
		f, RECORD_PROBLEM, strncmp(uri, "file:", 5) == 0 ? "files" : "endpoints", uri);

	s->record.problem.reason = reason;
	s->record.problem.message = fake_dup(message);
	s->record.problem.not_before = TIME_UNKNOWN;
	s->record.problem.not_after = TIME_UNKNOWN;
	return s;
}

/* A host as one finds it: healthy, ending, broken, at many places, far away, unseen. */
static inline void fake_host(struct fake_view *f)
{
	struct fake_sighting *s;
	char uri[256];

	(void)fake_certificate(f, "file:///etc/ssl/private/api.pem", "api.example.org", 30, 60);
	s = fake_certificate(
		f, "file:///etc/ssl/private/api.pem", "Example Issuing CA 1", 700, 3000);
	s->record.location.index = 1;
	s->record.certificate.facts.is_ca = true;
	(void)fake_certificate(f, "file:///etc/nginx/tls/shop.crt", "shop.example.com", 80, 10);
	(void)fake_certificate(f, "file:///opt/legacy/server.crt", "legacy.example.net", 400, -35);
	s = fake_certificate(f, "tls://intranet.example.org:443", "intranet.example.org", 20, 345);
	s->record.certificate.is_served = true;
	s->record.certificate.verdict.problems =
		PROBLEM_BIT(PROBLEM_INCOMPLETE_CHAIN) | PROBLEM_BIT(PROBLEM_NAME_MISMATCH);
	fake_set(&s->record.location.scanner, "endpoints");
	fake_set(&s->record.location.format, NULL);
	s = fake_certificate(
		f, "file:///srv/app/conf/truststore.jks", "Internal Root CA", 100, 651);
	s->record.certificate.verdict.problems = PROBLEM_BIT(PROBLEM_SELF_SIGNED);
	s->record.location.alias = fake_dup("internal-root");
	s->record.location.integrity = fake_dup("unverified");
	fake_set(&s->record.location.format, "jks");
	for (int i = 0; i < 9; i++) {
		(void)snprintf(uri, sizeof(uri),
			"file:///var/lib/docker/overlay2/4f1c0d9be6d3a87c%02d/diff/etc/pki/tls/client.pem",
			i);
		(void)fake_certificate(f, uri, "batch-client-07", 85, 5);
	}
	(void)fake_certificate(
		f, "file:///home/%C3%A5sa/%E8%AF%81%E4%B9%A6.pem", "证书.example.cn", 1, 89);
	for (int i = 0; i < 142; i++) {
		(void)snprintf(uri, sizeof(uri), "Public Root %d", i);
		s = fake_certificate(f, "file:///etc/ssl/certs/ca-certificates.crt", uri, 3000,
			i < 2 ? -5 : 3000);
		s->record.location.index = (uint32_t)i;
		s->record.certificate.verdict.is_anchor = true;
		s->record.certificate.verdict.trust = fake_dup("system");
		s->record.certificate.facts.is_ca = true;
	}
	(void)fake_endpoint(f, "tls://intranet.example.org:443", CLIENT_CERTIFICATE_NONE);
	s = fake_endpoint(
		f, "tls://payments.internal.example.org:8443", CLIENT_CERTIFICATE_REQUIRED);
	fake_add_text(&s->record.endpoint.acceptable_cas, "CN=Internal Root CA,O=Example");
	fake_add_text(&s->record.endpoint.acceptable_cas, "CN=Partner CA,O=Partner");
	s = fake_endpoint(f, "tls://10.0.0.7:443", CLIENT_CERTIFICATE_UNKNOWN);
	fake_set(&s->record.endpoint.address, NULL);
	fake_set(&s->record.endpoint.protocol, NULL);
	s->record.endpoint.is_reachable = false;
	fake_set(&s->record.endpoint.handshake, "timeout");
	(void)fake_problem(f, "tls://10.0.0.7:443", REASON_TIMEOUT, "no answer within 5 s");
	(void)fake_problem(
		f, "file:///root/backup.p12", REASON_NEEDS_PASSWORD, "no password opens it");
	(void)fake_problem(f, "file:///etc/ssl/broken.crt", REASON_MALFORMED,
		"BEGIN CERTIFICATE without an END line");
	for (int i = 0; i < 12; i++) {
		(void)snprintf(uri, sizeof(uri), "file:///var/lib/private/service-%d", i);
		(void)fake_problem(f, uri, REASON_PERMISSION_DENIED, "openat: Permission denied");
	}
}

#endif
