/* Names by RFC 9525: what a certificate stands for, and what it does not. */
#include "agent/certificate/hostname.h"
#include "tests/certificate/maker.h"

static bool is_for(const char *pattern, const char *name)
{
	struct recipe r = recipe_of("CN=cn.example.org");
	struct made m;
	bool matches;

	r.dns = pattern;
	make(&m, &r, NULL);
	matches = hostname_matches(&m.parsed, NAME_HOST, name, false);
	made_fini(&m);
	return matches;
}

static void test_plain_names(void **state)
{
	(void)state;
	assert_true(is_for("a.example.org", "a.example.org"));
	assert_true(is_for("A.Example.org", "a.exAmple.org."));
	assert_true(is_for("under_score.example.org", "under_score.example.org"));
	assert_false(is_for("a.example.org", "b.example.org"));
	assert_false(is_for("a.example.org", "example.org"));
	assert_false(is_for("a.example.org", "x.a.example.org"));
	assert_false(is_for("a.example.org", ""));
	assert_false(is_for("a.example.org", "."));
	assert_false(is_for("a.example.org", "a.example.org\n"));
}

static void test_wildcards(void **state)
{
	(void)state;
	assert_true(is_for("*.example.org", "a.example.org"));
	assert_false(is_for("*.example.org", "a.b.example.org"));
	assert_false(is_for("*.example.org", ".example.org"));
	assert_false(is_for("*.example.org", "example.org"));
	/* Neither parts of a label nor any but the first. */
	assert_false(is_for("a*.example.org", "ab.example.org"));
	assert_false(is_for("*a.example.org", "ba.example.org"));
	assert_false(is_for("xn--*.example.org", "xn--a.example.org"));
	assert_false(is_for("a.*.org", "a.example.org"));
	assert_false(is_for("*.*.org", "a.example.org"));
	/* Nor for a public suffix, as far as registries go. */
	assert_false(is_for("*", "localhost"));
	assert_false(is_for("*.com", "example.com"));
	assert_false(is_for("*.co.uk", "example.co.uk"));
	assert_true(is_for("*.github.io", "a.github.io"));
	assert_true(is_for("*.svc.cluster.local", "a.svc.cluster.local"));
}

static void test_international_names(void **state)
{
	(void)state;
	assert_true(is_for("xn--bcher-kva.example", "b\xc3\xbc"
						    "cher.example"));
	assert_true(is_for("xn--bcher-kva.example", "xn--bcher-kva.example"));
	assert_true(is_for("*.example.org", "b\xc3\xbc"
					    "cher.example.org"));
	assert_false(is_for("xn--bcher-kva.example", "bucher.example"));
}

static void test_common_name_only_when_asked(void **state)
{
	struct recipe r = recipe_of("CN=cn.example.org");
	struct made m;

	(void)state;
	make(&m, &r, NULL);
	assert_false(hostname_matches(&m.parsed, NAME_HOST, "cn.example.org", false));
	assert_true(hostname_matches(&m.parsed, NAME_HOST, "cn.example.org", true));
	made_fini(&m);
	r.dns = "a.example.org";
	make(&m, &r, NULL);
	assert_false(hostname_matches(&m.parsed, NAME_HOST, "cn.example.org", true));
	assert_false(is_for("a.example.org", "cn.example.org"));
	made_fini(&m);
}

static void add_name(
	struct made *m, gnutls_x509_subject_alt_name_t kind, const void *data, unsigned size)
{
	assert_int_equal(
		gnutls_x509_crt_set_subject_alt_name(m->crt, kind, data, size, GNUTLS_FSAN_APPEND),
		0);
}

static void test_addresses_and_mailboxes(void **state)
{
	struct recipe r = recipe_of("CN=x");
	struct made m;

	(void)state;
	r.dns = "192.0.2.9";
	make(&m, &r, NULL);
	parsed_certificate_fini(&m.parsed);
	add_name(&m, GNUTLS_SAN_IPADDRESS, "\xc0\x00\x02\x01", 4);
	add_name(&m, GNUTLS_SAN_IPADDRESS, "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01", 16);
	add_name(&m, GNUTLS_SAN_RFC822NAME, "Ann@Example.org", 15);
	add_name(&m, GNUTLS_SAN_URI, "spiffe://example.org/a", 22);
	assert_int_equal(gnutls_x509_crt_sign2(m.crt, m.crt, m.key, GNUTLS_DIG_SHA256, 0), 0);
	gnutls_free(m.der.data);
	assert_int_equal(gnutls_x509_crt_export2(m.crt, GNUTLS_X509_FMT_DER, &m.der), 0);
	made_parse(&m);
	assert_true(hostname_matches(&m.parsed, NAME_HOST, "192.0.2.1", false));
	assert_true(hostname_matches(&m.parsed, NAME_HOST, "[2001:DB8::1]", false));
	assert_true(hostname_matches(&m.parsed, NAME_HOST, "2001:db8::1%eth0", false));
	assert_false(hostname_matches(&m.parsed, NAME_HOST, "192.0.2.2", false));
	/* An address written as a DNS name is none. */
	assert_false(hostname_matches(&m.parsed, NAME_HOST, "192.0.2.9", false));
	assert_true(hostname_matches(&m.parsed, NAME_EMAIL, "Ann@example.ORG", false));
	assert_false(hostname_matches(&m.parsed, NAME_EMAIL, "ann@example.org", false));
	assert_true(hostname_matches(&m.parsed, NAME_URI, "spiffe://example.org/a", false));
	assert_false(hostname_matches(&m.parsed, NAME_URI, "spiffe://example.org/b", false));
	made_fini(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain_names),
		cmocka_unit_test(test_wildcards),
		cmocka_unit_test(test_international_names),
		cmocka_unit_test(test_common_name_only_when_asked),
		cmocka_unit_test(test_addresses_and_mailboxes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
