/* Which client certificates which servers accept. */
#include "agent/base/clock.h"
#include "agent/links.h"

#include "agent/base/index.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NOW INT64_C(1800000000)
#define DAY 86400

static void put(struct links *l, const struct record *r)
{
	const struct sighting s = { .record = r, .gone_at = TIME_UNKNOWN };

	assert_int_equal(links_add(l, &s), ERR_OK);
}

struct paper {
	const char *name; /* its fingerprint, too */
	const char *subject;
	const char *issuer;
	int64_t days;      /* left */
	const char *usage; /* NULL = none */
	bool is_ca;
	bool is_served;
	uint32_t problems;
	const char *uri;
};

static void fingerprint_of_name(const char *name, uint8_t out[FINGERPRINT_BYTES])
{
	uint64_t hash = index_hash(name, strlen(name));

	/* Spread from the first byte on, as a real one is. */
	memset(out, 0, FINGERPRINT_BYTES);
	memcpy(out, &hash, sizeof(hash));
	assert_true(strlen(name) <= FINGERPRINT_BYTES - sizeof(hash));
	memcpy(out + sizeof(hash), name, strlen(name));
}

static void put_paper(struct links *l, const struct paper *p)
{
	struct record r = { .kind = RECORD_CERTIFICATE };
	struct certificate *c = &r.certificate.facts;
	char *usage = (char *)(uintptr_t)p->usage;

	fingerprint_of_name(p->name, c->fingerprint);
	r.location.uri = (char *)(uintptr_t)(p->uri ? p->uri : "file:///x.pem");
	c->subject = (char *)(uintptr_t)p->subject;
	c->issuer = (char *)(uintptr_t)p->issuer;
	c->subject_cn = (char *)(uintptr_t)p->name;
	c->not_before = NOW - 100 * DAY;
	c->not_after = NOW + p->days * DAY;
	c->is_ca = p->is_ca;
	c->is_self_issued = strcmp(p->subject, p->issuer) == 0;
	if (usage)
		c->extended_key_usage = (struct strings){ &usage, 1, 1 };
	r.certificate.is_served = p->is_served;
	r.certificate.verdict.problems = p->problems;
	put(l, &r);
}

static void put_endpoint(
	struct links *l, const char *uri, enum client_certificate mode, const char *const *cas)
{
	struct record r = { .kind = RECORD_ENDPOINT };

	r.location.uri = (char *)(uintptr_t)uri;
	r.endpoint.client_certificate = mode;
	for (; cas && *cas; cas++)
		assert_int_equal(strings_add(&r.endpoint.acceptable_cas, *cas), ERR_OK);
	put(l, &r);
	strings_fini(&r.endpoint.acceptable_cas);
}

/* One that took a certificate which was presented to it. */
static void put_proven(struct links *l, const char *uri, const char *const *cas, const char *name)
{
	struct record r = { .kind = RECORD_ENDPOINT };

	r.location.uri = (char *)(uintptr_t)uri;
	r.endpoint.client_certificate = CLIENT_CERTIFICATE_REQUIRED;
	r.endpoint.presented.is_given = true;
	r.endpoint.presented.accepted = ACCEPTANCE_ACCEPTED;
	fingerprint_of_name(name, r.endpoint.presented.fingerprint);
	for (; cas && *cas; cas++)
		assert_int_equal(strings_add(&r.endpoint.acceptable_cas, *cas), ERR_OK);
	put(l, &r);
	strings_fini(&r.endpoint.acceptable_cas);
}

static struct certificate_links of(const struct links *l, const char *name)
{
	struct certificate_links out = { 0 };
	uint8_t fingerprint[FINGERPRINT_BYTES];

	fingerprint_of_name(name, fingerprint);
	assert_int_equal(links_certificate(l, fingerprint, &out), ERR_OK);
	return out;
}

static struct endpoint_links at(const struct links *l, const char *uri)
{
	struct endpoint_links out = { 0 };
	const struct location location = { .uri = (char *)(uintptr_t)uri };

	assert_int_equal(links_endpoint(l, &location, &out), ERR_OK);
	return out;
}

/* Checks a sentence and frees the facts. */
static void expect_client(const struct links *l, const char *name, const char *sentence)
{
	struct certificate_links facts = of(l, name);
	struct buffer text;

	buffer_init(&text, 4096);
	link_say_client(&text, &facts);
	assert_string_equal(buffer_string(&text), sentence);
	buffer_fini(&text);
	certificate_links_fini(&facts);
}

static void expect_counts(
	const struct links *l, const char *uri, uint64_t accepts, uint64_t valid, uint64_t cas)
{
	struct endpoint_links facts = at(l, uri);

	assert_true(facts.asks);
	assert_int_equal(facts.accepts_count, accepts);
	assert_int_equal(facts.valid_count, valid);
	assert_int_equal(facts.cas_found, cas);
	endpoint_links_fini(&facts);
}

static const struct paper root = { "root", "CN=Root,O=Example", "CN=Root,O=Example", 3000, NULL,
	true, false, 0, NULL };
static const struct paper issuing = { "issuing", "CN=Issuing,O=Example", "CN=Root,O=Example", 300,
	NULL, true, false, 0, NULL };
static const struct paper service_a = { "service-a", "CN=service-a", "CN=ISSUING,O=example", 9,
	"clientAuth", false, false, 0, NULL };
static const struct paper service_b = { "service-b", "CN=service-b", "CN=Root,O=Example", 90,
	"clientAuth", false, false, 0, NULL };

static const char *const root_list[] = { "CN=root,O=EXAMPLE", "CN=Nobody", NULL };
static const char *const issuing_list[] = { "CN=Issuing,O=Example", NULL };
static const char *const nobody_list[] = { "CN=Nobody", NULL };

static struct links *settled(struct links *l)
{
	assert_int_equal(links_settle(l, NOW), ERR_OK);
	return l;
}

static struct links *fresh(void)
{
	struct links *l = NULL;

	assert_int_equal(links_new(&l), ERR_OK);
	return l;
}

/* What was taken belongs together, whatever the server's list says. */
static void test_presented(void **state)
{
	struct links *l = fresh();
	struct certificate_links facts;
	struct endpoint_links end;

	(void)state;
	put_proven(l, "tls://by-list:443", root_list, "service-b");
	put_proven(l, "tls://by-proof:443", nobody_list, "service-b");
	put_proven(l, "tls://open:443", NULL, "service-b");
	put_proven(l, "tls://unknown:443", nobody_list, "elsewhere");
	put_paper(l, &root);
	put_paper(l, &service_b);
	l = settled(l);
	expect_counts(l, "tls://by-list:443", 1, 1, 1);
	expect_counts(l, "tls://by-proof:443", 1, 1, 0);
	expect_counts(l, "tls://open:443", 1, 1, 0);
	expect_counts(l, "tls://unknown:443", 1, 1, 0);
	end = at(l, "tls://open:443");
	assert_false(end.is_open);
	assert_int_equal(end.accepts.count, 1);
	assert_string_equal(end.accepts_names.items[0], "service-b");
	endpoint_links_fini(&end);
	facts = of(l, "service-b");
	assert_int_equal(facts.accepted_by_count, 3);
	assert_int_equal(facts.open_count, 0);
	assert_string_equal(facts.accepted_by.items[1], "tls://by-proof:443");
	certificate_links_fini(&facts);
	links_free(l);
}

static void test_both_ends(void **state)
{
	struct links *l = fresh();
	struct certificate_links facts;
	struct endpoint_links end;

	(void)state;
	put_endpoint(l, "tls://api.example.org:443", CLIENT_CERTIFICATE_REQUIRED, issuing_list);
	put_endpoint(l, "tls://mq:8883", CLIENT_CERTIFICATE_OPTIONAL, issuing_list);
	put_endpoint(l, "tls://other:443", CLIENT_CERTIFICATE_REQUIRED, nobody_list);
	put_endpoint(l, "tls://plain:443", CLIENT_CERTIFICATE_NONE, NULL);
	put_endpoint(l, "tls://open:443", CLIENT_CERTIFICATE_REQUIRED, NULL);
	put_paper(l, &root);
	put_paper(l, &issuing);
	put_paper(l, &service_a);
	put_paper(l, &service_b);
	settled(l);
	expect_client(l, "service-a",
		"api.example.org:443 and mq:8883 accept it; nothing else here does");
	expect_client(l, "service-b", "");
	facts = of(l, "service-a");
	assert_true(facts.is_client);
	assert_int_equal(facts.open_count, 1);
	certificate_links_fini(&facts);
	expect_counts(l, "tls://api.example.org:443", 1, 1, 1);
	expect_counts(l, "tls://other:443", 0, 0, 0);
	end = at(l, "tls://open:443");
	assert_true(end.is_open);
	endpoint_links_fini(&end);
	end = at(l, "tls://plain:443");
	assert_false(end.asks);
	end = at(l, "tls://api.example.org:443");
	assert_string_equal(end.accepts_names.items[0], "service-a");
	assert_string_equal(end.cas[0].subject, "CN=Issuing,O=Example");
	assert_int_equal(end.cas[0].not_after, NOW + 300 * DAY);
	endpoint_links_fini(&end);
	links_free(l);
}

/* The name of a root far up, written otherwise, and an intermediate that only the wire showed. */
static void test_chain(void **state)
{
	struct links *l = fresh();
	struct paper wire = issuing;

	(void)state;
	wire.is_served = true;
	put_paper(l, &service_a);
	put_paper(l, &service_b);
	put_paper(l, &wire);
	put_endpoint(l, "tls://api:443", CLIENT_CERTIFICATE_REQUIRED, root_list);
	put_endpoint(l, "tls://mid:443", CLIENT_CERTIFICATE_UNKNOWN, issuing_list);
	settled(l);
	expect_client(l, "service-a",
		"api:443 and mid:443 accept it; 1 of them would take service-b of this host, too");
	links_free(l);
}

static void test_stand_in(void **state)
{
	struct links *l = fresh();
	struct paper broken = { "broken", "CN=broken", "CN=Root,O=Example", 900, NULL, false, false,
		PROBLEM_BIT(PROBLEM_BAD_SIGNATURE), NULL };
	struct paper server = { "server", "CN=server", "CN=Root,O=Example", 900, "serverAuth",
		false, false, 0, NULL };
	struct paper theirs = { "theirs", "CN=theirs", "CN=Root,O=Example", 900, "clientAuth",
		false, true, 0, NULL };
	struct paper over = { "over", "CN=over", "CN=Root,O=Example", -1, "clientAuth", false,
		false, 0, NULL };
	struct certificate_links facts;

	(void)state;
	put_paper(l, &service_b);
	put_paper(l, &broken);
	put_paper(l, &server);
	put_paper(l, &theirs);
	put_paper(l, &over);
	put_endpoint(l, "tls://api:443", CLIENT_CERTIFICATE_REQUIRED, root_list);
	settled(l);
	/* Broken, for servers, on another host, expired: none of them would do. */
	expect_client(l, "service-b", "api:443 accepts it; nothing else here does");
	expect_client(l, "over", "api:443 accepts it; service-b of this host would do, too");
	expect_counts(l, "tls://api:443", 3, 1, 0);
	facts = of(l, "server");
	assert_false(facts.is_client);
	facts = of(l, "theirs");
	assert_false(facts.is_client);
	links_free(l);
}

static void test_self_signed(void **state)
{
	struct links *l = fresh();
	struct paper own = { "own", "CN=own", "CN=own", 10, "clientAuth", false, false, 0, NULL };
	static const char *const list[] = { "CN=OWN", NULL };

	(void)state;
	put_paper(l, &own);
	put_endpoint(l, "tls://api:443", CLIENT_CERTIFICATE_REQUIRED, list);
	settled(l);
	expect_client(l, "own", "api:443 accepts it; nothing else here does");
	links_free(l);
}

/* A root that was renewed: its newer certificate counts. */
static void test_renewed_ca(void **state)
{
	struct links *l = fresh();
	struct paper newer = root;
	struct certificate_links facts;
	struct endpoint_links end;
	struct buffer text;

	(void)state;
	newer.name = "root2";
	newer.days = 6000;
	put_paper(l, &root);
	put_paper(l, &newer);
	put_endpoint(l, "tls://api:443", CLIENT_CERTIFICATE_REQUIRED, root_list);
	settled(l);
	end = at(l, "tls://api:443");
	assert_int_equal(end.cas_found, 1);
	assert_int_equal(end.cas_named, 2);
	assert_int_equal(end.cas[0].not_after, NOW + 6000 * DAY);
	endpoint_links_fini(&end);
	facts = of(l, "root");
	assert_true(facts.is_outlasted);
	certificate_links_fini(&facts);
	facts = of(l, "root2");
	assert_false(facts.is_outlasted);
	assert_int_equal(facts.trusted_by_count, 1);
	buffer_init(&text, 4096);
	link_say_ca(&text, &facts, NOW);
	assert_string_equal(buffer_string(&text),
		"all its clients at api:443 fail together on 2027-01-15T08:00:00Z");
	buffer_fini(&text);
	certificate_links_fini(&facts);
	links_free(l);
}

/* CAs that signed each other. */
static void test_circle(void **state)
{
	struct links *l = fresh();
	struct paper a = { "a", "CN=a", "CN=b", 10, NULL, true, false, 0, NULL };
	struct paper b = { "b", "CN=b", "CN=a", 10, NULL, true, false, 0, NULL };
	struct paper leaf = { "leaf", "CN=leaf", "CN=a", 10, NULL, false, false, 0, NULL };
	static const char *const list[] = { "CN=b", NULL };

	(void)state;
	put_paper(l, &a);
	put_paper(l, &b);
	put_paper(l, &leaf);
	put_endpoint(l, "tls://api:443", CLIENT_CERTIFICATE_REQUIRED, list);
	settled(l);
	expect_client(l, "leaf", "api:443 accepts it; nothing else here does");
	links_free(l);
}

static void put_reference(
	struct links *l, enum reference_role role, const char *file, bool is_folder)
{
	struct record r = { .kind = RECORD_REFERENCE };

	r.reference.role = role;
	r.reference.file = (char *)(uintptr_t)file;
	r.reference.is_folder = is_folder;
	put(l, &r);
}

/* What a configuration presents to servers is a client certificate, whatever it says of itself. */
static void test_named(void **state)
{
	static const struct {
		const char *name;
		const char *uri;
		bool is_client;
	} rows[] = {
		{ "file", "file:///etc/app/client.pem", true },
		{ "member", "file:///etc/app/store.p12!/a", true },
		{ "folder", "file:///etc/certs/a.pem", true },
		{ "below", "file:///etc/certs/deeper/a.pem", false },
		{ "beside", "file:///etc/app/client.pem.bak", false },
		{ "server", "file:///etc/app/server.pem", false },
	};
	struct links *l = fresh();

	(void)state;
	put_reference(l, REFERENCE_CLIENT_CERTIFICATE, "file:///etc/app/client.pem", false);
	put_reference(l, REFERENCE_CLIENT_CERTIFICATE, "file:///etc/app/client.pem", false);
	put_reference(l, REFERENCE_CLIENT_CERTIFICATE, "file:///etc/app/store.p12", false);
	put_reference(l, REFERENCE_CLIENT_CERTIFICATE, "file:///etc/certs", true);
	put_reference(l, REFERENCE_SERVER_CERTIFICATE, "file:///etc/app/server.pem", false);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct paper p = { .name = rows[i].name,
			.subject = "CN=x",
			.issuer = "CN=y",
			.days = 9,
			.usage = "serverAuth",
			.uri = rows[i].uri };

		put_paper(l, &p);
	}
	settled(l);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct certificate_links facts = of(l, rows[i].name);

		if (facts.is_client != rows[i].is_client || facts.is_named != rows[i].is_client)
			fail_msg("%s: %d %d", rows[i].uri, facts.is_client, facts.is_named);
		certificate_links_fini(&facts);
	}
	links_free(l);
}

/* Of a certificate that is no longer there only the issuer is known. */
static void test_issuer(void **state)
{
	struct links *l = fresh();
	struct certificate_links facts;

	(void)state;
	put_endpoint(l, "tls://api:443", CLIENT_CERTIFICATE_REQUIRED, root_list);
	put_paper(l, &root);
	put_paper(l, &issuing);
	settled(l);
	assert_int_equal(links_issuer(l, "CN=issuing,O=Example", &facts), ERR_OK);
	assert_int_equal(facts.accepted_by_count, 1);
	certificate_links_fini(&facts);
	assert_int_equal(links_issuer(l, "CN=Stranger", &facts), ERR_OK);
	assert_int_equal(facts.accepted_by_count, 0);
	assert_int_equal(links_issuer(l, "", &facts), ERR_OK);
	assert_int_equal(facts.accepted_by_count, 0);
	links_free(l);
}

static void test_nothing(void **state)
{
	struct links *l = settled(fresh());
	struct certificate_links facts = of(l, "x");
	struct endpoint_links end = at(l, "tls://x:1");

	(void)state;
	assert_false(facts.is_client || facts.is_ca || end.asks);
	links_free(l);
	links_free(NULL);
}

/* Thousands on both ends, and lists of thousands of names: time and memory stay those of their sum. */
static void test_thousands(void **state)
{
	enum { CLIENTS = 20000, ENDPOINTS = 400, CAS = 200, LISTED = 4096 };
	struct links *l = fresh();
	char subject[64];
	char issuer[64];
	char name[32];
	static char texts[LISTED][32];
	static const char *list[LISTED + 1];
	struct certificate_links facts;
	struct endpoint_links end;
	int64_t start = clock_monotonic_ms();

	(void)state;
	for (int i = 0; i < LISTED; i++) {
		(void)snprintf(texts[i], sizeof(texts[i]), "CN=ca %d", i);
		list[i] = texts[i];
	}
	for (int i = 0; i < CLIENTS; i++) {
		struct paper p = { .name = name,
			.subject = subject,
			.issuer = issuer,
			.days = 10,
			.usage = "clientAuth" };

		(void)snprintf(name, sizeof(name), "client %d", i);
		(void)snprintf(subject, sizeof(subject), "CN=client %d", i);
		(void)snprintf(issuer, sizeof(issuer), "CN=ca %d", i % CAS);
		p.days = 10 + i % 7;
		put_paper(l, &p);
	}
	for (int i = 0; i < ENDPOINTS; i++) {
		(void)snprintf(name, sizeof(name), "tls://host%04d:443", i);
		put_endpoint(l, name, CLIENT_CERTIFICATE_REQUIRED, &list[i % 4]);
	}
	settled(l);
	facts = of(l, "client 0");
	assert_int_equal(facts.accepted_by_count, ENDPOINTS / 4);
	assert_int_equal(facts.accepted_by.count, LINKS_SHOWN_MAX);
	certificate_links_fini(&facts);
	facts = of(l, "client 19999");
	assert_int_equal(facts.accepted_by_count, ENDPOINTS);
	certificate_links_fini(&facts);
	end = at(l, "tls://host0000:443");
	assert_int_equal(end.valid_count, CLIENTS);
	assert_int_equal(end.accepts.count, LINKS_SHOWN_MAX);
	endpoint_links_fini(&end);
	/* Each with each, names compared, would take hours. */
	assert_true(clock_monotonic_ms() - start < 120000);
	links_free(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_both_ends),
		cmocka_unit_test(test_presented),
		cmocka_unit_test(test_chain),
		cmocka_unit_test(test_stand_in),
		cmocka_unit_test(test_self_signed),
		cmocka_unit_test(test_renewed_ca),
		cmocka_unit_test(test_circle),
		cmocka_unit_test(test_named),
		cmocka_unit_test(test_issuer),
		cmocka_unit_test(test_nothing),
		cmocka_unit_test(test_thousands),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
