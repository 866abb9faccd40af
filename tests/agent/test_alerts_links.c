/* Alerts about what ties both ends of mutual TLS together, and about renewals that lost something. */
#include "agent/alerts.h"
#include "agent/base/clock.h"
#include "agent/inventory.h"
#include "agent/outbox.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* 2026-11-25 */
#define START INT64_C(1795564800)
#define HOUR 3600
#define DAY (24 * HOUR)
#define API "tls://api.example.org:443"

struct world {
	struct store *store;
	struct inventory *inventory;
	struct outbox *outbox;
	struct alerts *alerts;
	int64_t now;
	int64_t pass;
};

static const struct receiver_conf ops = {
	.name = (char *)(uintptr_t) "ops", .min_severity = SEVERITY_INFO, .send_resolved = true
};
static const struct receiver_conf *const receivers[] = { &ops };

static struct world *world(void)
{
	struct world *w = calloc(1, sizeof(*w));
	struct alerts_conf conf = { .thresholds = thresholds_default,
		.renotify_ms = INT64_C(1000) * 30 * DAY,
		.receivers = receivers,
		.receivers_count = 1 };

	assert_non_null(w);
	w->now = START;
	assert_int_equal(store_open(NULL, &w->store, NULL), ERR_OK);
	assert_int_equal(inventory_new(w->store, &w->inventory, NULL), ERR_OK);
	assert_int_equal(outbox_new(w->store, &w->outbox, NULL), ERR_OK);
	conf.store = w->store;
	conf.inventory = w->inventory;
	conf.outbox = w->outbox;
	assert_int_equal(alerts_new(&conf, &w->alerts, NULL), ERR_OK);
	return w;
}

static void end(struct world *w)
{
	alerts_free(w->alerts);
	outbox_free(w->outbox);
	inventory_free(w->inventory);
	store_close(w->store);
	free(w);
}

static void begin(struct world *w, const char *scanner)
{
	w->now += HOUR;
	assert_int_equal(
		inventory_pass_begin(w->inventory, scanner, scanner, w->now, &w->pass, NULL),
		ERR_OK);
}

static void finish(struct world *w)
{
	struct pass_result result = { .is_complete = true };

	assert_int_equal(inventory_pass_end(w->inventory, w->pass, &result, w->now, NULL), ERR_OK);
}

static void put(struct world *w, struct record *r, const char *scanner, const char *uri)
{
	struct why why = { 0 };

	r->location.scanner = strdup(scanner);
	r->location.uri = strdup(uri);
	if (inventory_put(w->inventory, w->pass, r, w->now, &why) != ERR_OK)
		fail_msg("%s", why.text);
	record_fini(r);
}

struct paper {
	const char *name;
	const char *issuer;
	const char *names; /* separated by blanks */
	const char *usages;
	int64_t days;
	int64_t age_days;
	const char *trust;
	bool is_ca;
};

static void add_words(struct strings *to, const char *prefix, const char *words)
{
	char *copy = strdup(words ? words : "");
	char *rest = copy;
	char text[128];

	assert_non_null(copy);
	for (char *word = strsep(&rest, " "); word; word = strsep(&rest, " ")) {
		(void)snprintf(text, sizeof(text), "%s%s", prefix, word);
		if (*word)
			assert_int_equal(strings_add(to, text), ERR_OK);
	}
	free(copy);
}

static char *subject_of(const char *cn)
{
	char *text = NULL;

	assert_true(asprintf(&text, "CN=%s", cn) >= 0);
	return text;
}

static void put_paper(struct world *w, const char *uri, const struct paper *p)
{
	struct record r = { .kind = RECORD_CERTIFICATE };
	struct certificate *c = &r.certificate.facts;
	struct verdict *v = &r.certificate.verdict;

	(void)snprintf((char *)c->fingerprint, FINGERPRINT_BYTES, "%s%lld", p->name,
		(long long)(p->days * 1000 + p->age_days));
	c->subject = subject_of(p->name);
	c->issuer = strdup(p->issuer);
	c->subject_cn = strdup(p->name);
	c->serial = strdup("01");
	c->key_algorithm = strdup("RSA");
	c->signature_algorithm = strdup("RSA-SHA256");
	c->not_before = START - p->age_days * DAY;
	c->not_after = START + p->days * DAY;
	c->is_ca = p->is_ca;
	c->is_self_issued = strcmp(c->subject, c->issuer) == 0;
	add_words(&c->names, "dns:", p->names);
	add_words(&c->extended_key_usage, "", p->usages);
	v->is_checked = true;
	v->trust = p->trust ? strdup(p->trust) : NULL;
	v->expires = c->not_after;
	v->boundary = TIME_UNKNOWN;
	v->chain.items = calloc(2, sizeof(*v->chain.items));
	assert_non_null(v->chain.items);
	memcpy(v->chain.items[0], c->fingerprint, FINGERPRINT_BYTES);
	(void)snprintf((char *)v->chain.items[1], FINGERPRINT_BYTES, "root3000100");
	v->chain.count = 2;
	put(w, &r, "files", uri);
}

static void put_endpoint(struct world *w, const char *scanner, const char *uri,
	enum client_certificate mode, const char *ca)
{
	struct record r = { .kind = RECORD_ENDPOINT };

	r.endpoint.is_reachable = true;
	r.endpoint.handshake = strdup("ok");
	r.endpoint.client_certificate = mode;
	if (ca)
		assert_int_equal(strings_add(&r.endpoint.acceptable_cas, ca), ERR_OK);
	put(w, &r, scanner, uri);
}

static void look_at(struct world *w, const char *scanner, const char *uri,
	enum client_certificate mode, const char *ca)
{
	begin(w, scanner);
	put_endpoint(w, scanner, uri, mode, ca);
	finish(w);
}

/* Everything that is told, "severity event: sentence" a line. */
static void expect(struct world *w, const char *wanted)
{
	struct buffer said;
	struct why why = { 0 };

	buffer_init(&said, 65536);
	if (alerts_evaluate(w->alerts, w->now, &why) != ERR_OK)
		fail_msg("%s", why.text);
	for (;;) {
		const struct delivery_result done = { .outcome = DELIVERY_OK };
		struct notification n;
		enum err e = outbox_due(w->outbox, w->now, &n, NULL);

		if (e == ERR_END)
			break;
		assert_int_equal(e, ERR_OK);
		for (size_t i = 0; i < n.count; i++)
			buffer_format(&said, "%s %s: %s\n", severity_word(n.alerts[i].severity),
				alert_event_word(n.alerts[i].event), n.alerts[i].summary);
		assert_int_equal(outbox_result(w->outbox, n.id, &done, w->now, NULL), ERR_OK);
		notification_fini(&n);
	}
	assert_string_equal(buffer_string(&said), wanted);
	buffer_fini(&said);
}

#define ROOT "CN=root"
static const struct paper root = { "root", ROOT, NULL, NULL, 3000, 100, NULL, true };

static void test_weakened(void **state)
{
	struct world *w = world();

	(void)state;
	look_at(w, "listeners", "tls://127.0.0.1:443", CLIENT_CERTIFICATE_REQUIRED, ROOT);
	expect(w, "");
	look_at(w, "listeners", "tls://127.0.0.1:443", CLIENT_CERTIFICATE_OPTIONAL, ROOT);
	expect(w, "");
	look_at(w, "listeners", "tls://127.0.0.1:443", CLIENT_CERTIFICATE_UNKNOWN, NULL);
	expect(w, "");
	look_at(w, "listeners", "tls://127.0.0.1:443", CLIENT_CERTIFICATE_OPTIONAL, ROOT);
	expect(w, "warning fired: tls://127.0.0.1:443 no longer requires a client certificate: "
		  "it only asks for one (seen 2026-11-25T04:00:00Z)\n");
	look_at(w, "listeners", "tls://127.0.0.1:443", CLIENT_CERTIFICATE_NONE, NULL);
	look_at(w, "listeners", "tls://127.0.0.1:443", CLIENT_CERTIFICATE_NONE, NULL);
	expect(w, "critical escalated: tls://127.0.0.1:443 no longer requires a client "
		  "certificate: it asks for none (seen 2026-11-25T04:00:00Z)\n");
	look_at(w, "listeners", "tls://127.0.0.1:443", CLIENT_CERTIFICATE_REQUIRED, ROOT);
	expect(w, "");
	look_at(w, "listeners", "tls://127.0.0.1:443", CLIENT_CERTIFICATE_REQUIRED, ROOT);
	expect(w, "critical resolved: recovered: tls://127.0.0.1:443 requires a client certificate "
		  "again\n");
	end(w);
}

static void test_list_changed(void **state)
{
	struct world *w = world();

	(void)state;
	look_at(w, "listeners", "tls://127.0.0.1:443", CLIENT_CERTIFICATE_OPTIONAL, ROOT);
	look_at(w, "listeners", "tls://127.0.0.1:443", CLIENT_CERTIFICATE_OPTIONAL, "CN=new");
	expect(w, "");
	look_at(w, "listeners", "tls://127.0.0.1:443", CLIENT_CERTIFICATE_OPTIONAL, "CN=new");
	expect(w, "warning fired: tls://127.0.0.1:443 changed the CAs that it accepts client "
		  "certificates of: added CN=new; gone CN=root\n");
	/* The next change is told, too, though the first is not over. */
	look_at(w, "listeners", "tls://127.0.0.1:443", CLIENT_CERTIFICATE_OPTIONAL, NULL);
	look_at(w, "listeners", "tls://127.0.0.1:443", CLIENT_CERTIFICATE_OPTIONAL, NULL);
	expect(w, "warning fired: tls://127.0.0.1:443 changed the CAs that it accepts client "
		  "certificates of: gone CN=new\n"
		  "warning resolved: recovered: tls://127.0.0.1:443 has had its new list of client "
		  "CAs for a day, or another since: it is taken as it is\n");
	assert_true(alerts_next(w->alerts) == w->now + DAY);
	w->now += DAY;
	expect(w, "warning resolved: recovered: tls://127.0.0.1:443 has had its new list of client "
		  "CAs for a day, or another since: it is taken as it is\n");
	end(w);
}

static void test_nothing_to_show(void **state)
{
	struct world *w = world();
	const struct paper client = { "service-a", ROOT, NULL, "clientAuth", 300, 10, NULL, false };

	(void)state;
	/* What this host has is not known yet. */
	for (int i = 0; i < 3; i++) {
		look_at(w, "endpoints", API, CLIENT_CERTIFICATE_REQUIRED, ROOT);
		expect(w, "");
	}
	begin(w, "files");
	put_paper(w, "file:///etc/root.pem", &root);
	finish(w);
	expect(w, "");
	look_at(w, "endpoints", API, CLIENT_CERTIFICATE_REQUIRED, ROOT);
	expect(w,
		"info fired: " API " requires a client certificate, and no valid one of this host "
		"is from a CA that it accepts\n");
	begin(w, "files");
	put_paper(w, "file:///etc/root.pem", &root);
	put_paper(w, "file:///etc/client.pem", &client);
	finish(w);
	look_at(w, "endpoints", API, CLIENT_CERTIFICATE_REQUIRED, ROOT);
	expect(w, "");
	look_at(w, "endpoints", API, CLIENT_CERTIFICATE_REQUIRED, ROOT);
	expect(w, "info resolved: recovered: " API " accepts a client certificate of this host\n");
	end(w);
}

/* Addresses of a swept network, this host's own listeners, and who names no CA. */
static void test_nothing_to_show_elsewhere(void **state)
{
	struct world *w = world();

	(void)state;
	begin(w, "files");
	finish(w);
	for (int i = 0; i < 3; i++) {
		look_at(w, "listeners", "tls://localhost:8443", CLIENT_CERTIFICATE_REQUIRED, ROOT);
		begin(w, "endpoints");
		put_endpoint(
			w, "endpoints", "tls://192.0.2.7:443", CLIENT_CERTIFICATE_REQUIRED, ROOT);
		put_endpoint(w, "endpoints", "tls://open.example.org:443",
			CLIENT_CERTIFICATE_REQUIRED, NULL);
		put_endpoint(w, "endpoints", "tls://ask.example.org:443",
			CLIENT_CERTIFICATE_OPTIONAL, ROOT);
		finish(w);
		expect(w, "");
	}
	end(w);
}

static void test_expiry_says_who_is_hit(void **state)
{
	struct world *w = world();
	const struct paper client = { "service-a", ROOT, NULL, "clientAuth", 9, 100, NULL, false };
	const struct paper ending = { "ending", "CN=ending", NULL, NULL, 9, 3000, NULL, true };

	(void)state;
	look_at(w, "endpoints", API, CLIENT_CERTIFICATE_OPTIONAL, ROOT);
	look_at(w, "listeners", "tls://127.0.0.1:8443", CLIENT_CERTIFICATE_REQUIRED, "CN=ENDING");
	begin(w, "files");
	put_paper(w, "file:///etc/root.pem", &root);
	put_paper(w, "file:///etc/ending.pem", &ending);
	put_paper(w, "file:///etc/client.pem", &client);
	finish(w);
	expect(w, "critical fired: CA ending expires in 8 d 21 h (2026-12-04T00:00:00Z); all its "
		  "clients at 127.0.0.1:8443 fail together on 2026-12-04T00:00:00Z\n"
		  "critical fired: service-a expires in 8 d 21 h (2026-12-04T00:00:00Z); "
		  "api.example.org:443 accepts it; nothing else here does\n");
	end(w);
}

static void test_client_auth_loss(void **state)
{
	static const char *const encrypt = "CN=R10,O=Let's Encrypt,C=US";
	const struct paper papers[] = {
		{ "used", encrypt, NULL, "serverAuth clientAuth", 80, 10, TRUST_SYSTEM, false },
		{ "named", encrypt, NULL, "clientAuth", 80, 10, TRUST_SYSTEM, false },
		{ "other", "CN=x,O=Other CA", NULL, "clientAuth", 80, 10, TRUST_SYSTEM, false },
		{ "later", "CN=x,O=Other CA", NULL, "clientAuth", 200, 10, TRUST_SYSTEM, false },
		{ "private", encrypt, NULL, "clientAuth", 80, 10, "bundle", false },
		{ "server", encrypt, NULL, "serverAuth", 80, 10, TRUST_SYSTEM, false },
	};
	struct world *w = world();
	struct record r = { .kind = RECORD_REFERENCE };

	(void)state;
	begin(w, "files");
	for (size_t i = 0; i < sizeof(papers) / sizeof(papers[0]); i++) {
		char uri[64];

		(void)snprintf(uri, sizeof(uri), "file:///etc/%s.pem", papers[i].name);
		put_paper(w, uri, &papers[i]);
	}
	r.reference.role = REFERENCE_CLIENT_CERTIFICATE;
	r.reference.directive = strdup("client_cert");
	r.reference.file = strdup("file:///etc/named.pem");
	put(w, &r, "files", "file:///etc/curlrc");
	finish(w);
	expect(w, "warning fired: named is a client certificate in use, and its renewal will be "
		  "none: Let's Encrypt issues no clientAuth since 2026-05-13; move it to a CA of "
		  "your own; a configuration here names it as its client certificate\n");
	begin(w, "endpoints");
	put_endpoint(
		w, "endpoints", API, CLIENT_CERTIFICATE_OPTIONAL, "CN=r10,O=let's encrypt,C=us");
	put_endpoint(
		w, "endpoints", "tls://mq:8883", CLIENT_CERTIFICATE_OPTIONAL, "CN=x,O=Other CA");
	finish(w);
	expect(w, "warning fired: used is a client certificate in use, and its renewal will be "
		  "none: Let's Encrypt issues no clientAuth since 2026-05-13; move it to a CA of "
		  "your own; api.example.org:443 accepts it; nothing else here does\n"
		  "warning fired: later is a client certificate in use, and its renewal will be "
		  "none: any public CA (rule of Chrome's root programme) will issue no clientAuth "
		  "from 2027-03-15; move it to a CA of your own; mq:8883 accepts it; nothing else "
		  "here does\n");
	end(w);
}

/* The root that signed it was put into the system's store by hand. */
static void test_client_auth_of_an_internal_ca(void **state)
{
	const struct paper client = { "used", "CN=x,O=Let's Encrypt", NULL, "clientAuth", 80, 10,
		TRUST_SYSTEM, false };
	struct world *w = world();

	(void)state;
	begin(w, "files");
	put_paper(w, "file:///etc/used.pem", &client);
	put_paper(w, "file:///usr/local/share/ca-certificates/root.crt", &root);
	finish(w);
	look_at(w, "endpoints", API, CLIENT_CERTIFICATE_OPTIONAL, "CN=x,O=Let's Encrypt");
	expect(w, "");
	end(w);
}

static void renew(struct world *w, const struct paper *papers, size_t count)
{
	begin(w, "files");
	for (size_t i = 0; i < count; i++) {
		char uri[64];

		(void)snprintf(uri, sizeof(uri), "file:///etc/%s.pem", papers[i].name);
		put_paper(w, uri, &papers[i]);
	}
	finish(w);
}

static void test_renewal_dropped(void **state)
{
	static const struct paper before[] = {
		{ "client", ROOT, "a.x b.x", "serverAuth clientAuth", 80, 10, NULL, false },
		{ "server", "CN=other", "c.x", "serverAuth clientAuth", 80, 10, NULL, false },
		{ "wild", ROOT, "d.x e.x", "clientAuth", 80, 10, NULL, false },
		{ "same", ROOT, "f.x", "clientAuth", 80, 10, NULL, false },
	};
	static const struct paper after[] = {
		{ "client", ROOT, "a.x", "serverAuth", 300, 1, NULL, false },
		{ "server", "CN=other", "C.X", "serverAuth", 300, 1, NULL, false },
		{ "wild", ROOT, "*.x", NULL, 300, 1, NULL, false },
		{ "same", ROOT, "f.x g.x", "clientAuth serverAuth", 300, 1, NULL, false },
	};
	struct world *w = world();

	(void)state;
	look_at(w, "endpoints", API, CLIENT_CERTIFICATE_OPTIONAL, ROOT);
	renew(w, before, 4);
	expect(w, "");
	renew(w, after, 4);
	/* Nobody here uses the second as a client certificate: public CAs take that usage out. */
	expect(w, "warning fired: client was renewed without clientAuth, dns:b.x, which its "
		  "predecessor had at file:///etc/client.pem\n"
		  "info fired: server was renewed without clientAuth, which its predecessor had at "
		  "file:///etc/server.pem\n");
	renew(w, before, 1);
	expect(w, "warning resolved: renewed: client was renewed and now expires "
		  "2027-02-13T00:00:00Z\n"
		  "info resolved: gone: server is no longer there\n");
	end(w);
}

/* certbot keeps all it had: what came before is known although nobody watched. */
static void test_numbered_files(void **state)
{
	static const struct paper papers[] = {
		{ "a1", ROOT, "a.x b.x c.x", "clientAuth", 300, 10, NULL, false },
		{ "a2", ROOT, "a.x b.x", "clientAuth", 200, 10, NULL, false },
		{ "a10", ROOT, "a.x", "clientAuth", 100, 10, NULL, false },
		{ "b1", ROOT, "a.x", "clientAuth", 100, 10, NULL, false },
		{ "b2", ROOT, "a.x", "clientAuth", 100, 1, NULL, false },
	};
	static const char *const places[] = { "api/cert1.pem", "api/cert9.pem", "api/cert10.pem",
		"other/cert1.pem", "other/cert2.pem" };
	struct world *w = world();
	char uri[64];

	(void)state;
	begin(w, "files");
	for (size_t i = 0; i < sizeof(papers) / sizeof(papers[0]); i++) {
		(void)snprintf(uri, sizeof(uri), "file:///etc/letsencrypt/archive/%s", places[i]);
		put_paper(w, uri, &papers[i]);
	}
	put_paper(w, "file:///etc/letsencrypt/archive/api/certificate.pem", &papers[0]);
	finish(w);
	expect(w, "warning fired: a10 was renewed without dns:b.x, which its predecessor had at "
		  "file:///etc/letsencrypt/archive/api/cert10.pem\n");
	end(w);
}

static void test_renewal_taken_as_it_is(void **state)
{
	static const struct paper before = { "client", ROOT, "a.x b.x", "clientAuth", 800, 10, NULL,
		false };
	static const struct paper after = { "client", ROOT, "a.x", "clientAuth", 900, 1, NULL,
		false };
	struct world *w = world();

	(void)state;
	renew(w, &before, 1);
	renew(w, &after, 1);
	expect(w, "warning fired: client was renewed without dns:b.x, which its predecessor had at "
		  "file:///etc/client.pem\n");
	assert_int_equal(alerts_next(w->alerts), w->now + 7 * DAY);
	w->now += 7 * DAY;
	expect(w,
		"warning resolved: recovered: client has been there for a week, or was put right: "
		"it is taken as it is\n");
	end(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_weakened),
		cmocka_unit_test(test_list_changed),
		cmocka_unit_test(test_nothing_to_show),
		cmocka_unit_test(test_nothing_to_show_elsewhere),
		cmocka_unit_test(test_expiry_says_who_is_hit),
		cmocka_unit_test(test_client_auth_loss),
		cmocka_unit_test(test_client_auth_of_an_internal_ca),
		cmocka_unit_test(test_renewal_dropped),
		cmocka_unit_test(test_numbered_files),
		cmocka_unit_test(test_renewal_taken_as_it_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
