/* What stores say of their anchors beside the certificates: p11-kit's attributes, OpenSSL's trust settings. */
#include "agent/certificate/der.h"
#include "agent/certificate/judge.h"
#include "agent/certificate/trust_objects.h"
#include "tests/certificate/maker.h"

#include <gnutls/gnutls.h>
#include <stdio.h>
#include <stdlib.h>

#define NOW (MADE_NOT_BEFORE + 86400)
#define TEXT_BYTES_MAX 65536

struct pki {
	struct made root;
	struct made leaf;
	struct buffer text; /* of the store */
};

static int set_up(void **state)
{
	struct pki *p = calloc(1, sizeof(*p));
	struct recipe root = recipe_ca("CN=Root");
	struct recipe leaf = recipe_of("CN=api.example.org");

	leaf.dns = "api.example.org";
	leaf.purpose = GNUTLS_KP_TLS_WWW_SERVER;
	make(&p->root, &root, NULL);
	make(&p->leaf, &leaf, &p->root);
	buffer_init(&p->text, TEXT_BYTES_MAX);
	*state = p;
	return 0;
}

static int tear_down(void **state)
{
	struct pki *p = *state;

	made_fini(&p->root);
	made_fini(&p->leaf);
	buffer_fini(&p->text);
	free(p);
	return 0;
}

static void put_pem(struct buffer *out, const char *label, struct slice der)
{
	const gnutls_datum_t in = { .data = (unsigned char *)(uintptr_t)der.data,
		.size = (unsigned)der.size };
	gnutls_datum_t text;

	assert_int_equal(gnutls_pem_base64_encode2(label, &in, &text), 0);
	buffer_append(out, text.data, text.size);
	gnutls_free(text.data);
}

static void put_object(struct pki *p, const char *attributes)
{
	buffer_format(&p->text, "%s\n%s", P11KIT_MARKER, attributes);
	put_pem(&p->text, "CERTIFICATE", p->root.parsed.der);
}

/* The verdict on the leaf by a store with this text, for a purpose. */
static struct verdict judged(struct pki *p, enum purpose purpose, struct slice distrusted)
{
	struct judge_question q = { .leaf = &p->leaf.parsed, .purpose = purpose, .now = NOW };
	struct trust *t;
	struct verdict v;

	assert_int_equal(trust_new(&t), ERR_OK);
	assert_int_equal(
		trust_add(t, "store", true, buffer_bytes(&p->text), NULL, NULL, NULL), ERR_OK);
	if (distrusted.size)
		assert_int_equal(trust_distrust(t, "store", distrusted, NULL), ERR_OK);
	assert_int_equal(judge(t, NULL, &q, &v), ERR_OK);
	trust_free(t);
	return v;
}

static void expect(struct pki *p, enum purpose purpose, uint32_t problems, int rule)
{
	struct verdict v = judged(p, purpose, slice_of(NULL, 0));

	assert_int_equal(v.problems, problems);
	if (rule >= 0)
		assert_true(rules_have(&v.violations, (enum rule)rule));
	else
		assert_true(rules_are_empty(&v.violations));
	verdict_fini(&v);
}

static void test_trusted_and_not(void **state)
{
	struct pki *p = *state;

	put_object(p, "trusted: true\n");
	expect(p, PURPOSE_SERVER, 0, -1);
	/* What is neither trusted nor distrusted is no anchor. */
	buffer_clear(&p->text);
	put_object(p, "label: \"Root\"\n");
	expect(p, PURPOSE_SERVER, PROBLEM_BIT(PROBLEM_INCOMPLETE_CHAIN), -1);
	buffer_clear(&p->text);
	put_object(p, "x-distrusted: true\n");
	expect(p, PURPOSE_SERVER, PROBLEM_BIT(PROBLEM_UNTRUSTED_ISSUER), RULE_DISTRUSTED);
}

/* Distrust holds over the bundle that trusts it, whichever comes first. */
static void test_distrust_wins(void **state)
{
	struct pki *p = *state;

	put_pem(&p->text, "CERTIFICATE", p->root.parsed.der);
	expect(p, PURPOSE_SERVER, 0, -1);
	put_object(p, "x-distrusted: true\n");
	expect(p, PURPOSE_SERVER, PROBLEM_BIT(PROBLEM_UNTRUSTED_ISSUER), RULE_DISTRUSTED);
	buffer_clear(&p->text);
	put_object(p, "x-distrusted: true\n");
	buffer_byte(&p->text, 0);
	put_pem(&p->text, "CERTIFICATE", p->root.parsed.der);
	expect(p, PURPOSE_SERVER, PROBLEM_BIT(PROBLEM_UNTRUSTED_ISSUER), RULE_DISTRUSTED);
}

/* A blocklist is PEM and no more; it may hold the leaf too. */
static void test_blocklist(void **state)
{
	struct pki *p = *state;
	const struct made *blocked[] = { &p->root, &p->leaf };

	put_pem(&p->text, "CERTIFICATE", p->root.parsed.der);
	for (size_t i = 0; i < 2; i++) {
		struct buffer list;
		struct verdict v;

		buffer_init(&list, TEXT_BYTES_MAX);
		put_pem(&list, "CERTIFICATE", blocked[i]->parsed.der);
		v = judged(p, PURPOSE_SERVER, buffer_bytes(&list));
		assert_true(v.problems & PROBLEM_BIT(PROBLEM_UNTRUSTED_ISSUER));
		assert_true(rules_have(&v.violations, RULE_DISTRUSTED));
		assert_null(v.trust);
		verdict_fini(&v);
		buffer_fini(&list);
	}
}

static void put_quoted(struct buffer *out, const char *key, uint8_t tag, struct slice value)
{
	buffer_format(out, "%s: \"", key);
	if (tag)
		buffer_format(out, "%%%02x%%%02zx", tag, value.size);
	for (size_t i = 0; i < value.size; i++)
		buffer_format(out, "%%%02x", value.data[i]);
	buffer_text(out, "\"\n");
}

/* An object of p11-kit's blocklists without the certificate. */
static void put_number(struct buffer *out, const struct made *m, const char *rest)
{
	struct der_certificate c;

	assert_true(der_certificate(m->parsed.der, &c));
	buffer_format(out, "%s\nclass: certificate\n", P11KIT_MARKER);
	put_quoted(out, "issuer", 0, c.issuer);
	put_quoted(out, "serial-number", DER_INTEGER, c.serial);
	buffer_text(out, rest);
}

static void test_distrust_by_number(void **state)
{
	struct pki *p = *state;
	const struct made *blocked[] = { &p->leaf, &p->root };

	for (size_t i = 0; i < 2; i++) {
		struct buffer list;
		struct verdict v;

		buffer_clear(&p->text);
		put_pem(&p->text, "CERTIFICATE", p->root.parsed.der);
		buffer_byte(&p->text, 0);
		put_number(&p->text, blocked[i], "x-distrusted: true\n");
		v = judged(p, PURPOSE_SERVER, slice_of(NULL, 0));
		assert_true(v.problems & PROBLEM_BIT(PROBLEM_UNTRUSTED_ISSUER));
		assert_true(rules_have(&v.violations, RULE_DISTRUSTED));
		assert_null(v.trust);
		verdict_fini(&v);
		/* What lies in a blocklist need not say so. */
		buffer_clear(&p->text);
		put_pem(&p->text, "CERTIFICATE", p->root.parsed.der);
		buffer_init(&list, TEXT_BYTES_MAX);
		put_number(&list, blocked[i], "");
		v = judged(p, PURPOSE_SERVER, buffer_bytes(&list));
		assert_true(rules_have(&v.violations, RULE_DISTRUSTED));
		verdict_fini(&v);
		buffer_fini(&list);
	}
	/* A number of another issuer, one that is not distrusted, and one that is cut off. */
	buffer_clear(&p->text);
	put_pem(&p->text, "CERTIFICATE", p->root.parsed.der);
	buffer_byte(&p->text, 0);
	put_number(&p->text, &p->leaf, "");
	buffer_format(&p->text,
		"%s\nclass: certificate\nissuer: \"%%30%%00\"\nserial-number: \"%%02%%01%%01\"\n"
		"x-distrusted: true\n%s\nclass: certificate\nissuer: \"%%30%%05\"\n"
		"x-distrusted: true\n",
		P11KIT_MARKER, P11KIT_MARKER);
	expect(p, PURPOSE_SERVER, 0, -1);
}

static void test_distrust_of_servers_after(void **state)
{
	struct pki *p = *state;

	/* The leaf begins on 2026-01-01. */
	put_object(p, "trusted: true\nnss-server-distrust-after: \"251231235959Z\"\n");
	expect(p, PURPOSE_SERVER, PROBLEM_BIT(PROBLEM_UNTRUSTED_ISSUER), RULE_DISTRUSTED_SINCE);
	expect(p, PURPOSE_CLIENT, PROBLEM_BIT(PROBLEM_WRONG_USAGE), RULE_PURPOSE);
	buffer_clear(&p->text);
	put_object(p, "trusted: true\nnss-server-distrust-after: \"%32%36%30201000000Z\"\n");
	expect(p, PURPOSE_SERVER, 0, -1);
	buffer_clear(&p->text);
	put_object(p, "trusted: true\nnss-server-distrust-after: \"%00\"\n");
	expect(p, PURPOSE_SERVER, 0, -1);
}

/* X509_CERT_AUX: SEQUENCE { trust SEQUENCE OF OID, reject [0] }. */
static void put_trusted(struct pki *p, const char *aux, size_t size)
{
	struct buffer der;

	buffer_clear(&p->text);
	buffer_init(&der, TEXT_BYTES_MAX);
	buffer_slice(&der, p->root.parsed.der);
	buffer_append(&der, aux, size);
	put_pem(&p->text, "TRUSTED CERTIFICATE", buffer_bytes(&der));
	buffer_fini(&der);
}

static void test_openssl_settings(void **state)
{
	static const char server[] = "\x30\x0c\x30\x0a\x06\x08\x2b\x06\x01\x05\x05\x07\x03\x01";
	static const char email[] = "\x30\x0c\x30\x0a\x06\x08\x2b\x06\x01\x05\x05\x07\x03\x04";
	static const char no_server[] = "\x30\x0c\xa0\x0a\x06\x08\x2b\x06\x01\x05\x05\x07\x03\x01";
	static const char nothing[] = "\x30\x00";
	struct pki *p = *state;

	put_trusted(p, server, sizeof(server) - 1);
	expect(p, PURPOSE_SERVER, 0, -1);
	put_trusted(p, nothing, sizeof(nothing) - 1);
	expect(p, PURPOSE_SERVER, 0, -1);
	put_trusted(p, email, sizeof(email) - 1);
	expect(p, PURPOSE_SERVER, PROBLEM_BIT(PROBLEM_UNTRUSTED_ISSUER), RULE_ANCHOR_PURPOSE);
	put_trusted(p, no_server, sizeof(no_server) - 1);
	expect(p, PURPOSE_SERVER, PROBLEM_BIT(PROBLEM_UNTRUSTED_ISSUER), RULE_ANCHOR_PURPOSE);
	/* Without a purpose nothing is asked for. */
	expect(p, PURPOSE_ANY, 0, -1);
}

/* Name constraints that p11-kit attaches to the anchor's key. */
static void put_constraint(struct pki *p, const char *extension)
{
	struct der_certificate c;

	buffer_clear(&p->text);
	put_object(p, "trusted: true\n");
	assert_true(der_certificate(p->root.parsed.der, &c));
	buffer_format(&p->text,
		"%s\nclass: x-certificate-extension\nobject-id: 2.5.29.30\nvalue: \"%s\"\n",
		P11KIT_MARKER, extension);
	put_pem(&p->text, "PUBLIC KEY", c.spki);
}

static void test_attached_constraints(void **state)
{
	struct pki *p = *state;

	/* permitted example.org, then example.com: lengths 0x0b. */
	put_constraint(p, "%30%1a%06%03%55%1d%1e%04%13%30%11%a0%0f%30%0d%82%0bexample.org");
	expect(p, PURPOSE_SERVER, 0, -1);
	put_constraint(p, "%30%1a%06%03%55%1d%1e%04%13%30%11%a0%0f%30%0d%82%0bexample.com");
	expect(p, PURPOSE_SERVER, PROBLEM_BIT(PROBLEM_CONSTRAINT_VIOLATION), RULE_NOT_PERMITTED);
}

/* Anything cut off or changed is read or passed over. */
static void test_damaged(void **state)
{
	struct pki *p = *state;

	put_constraint(p, "%30%1a%06%03%55%1d%1e%04%13%30%11%a0%0f%30%0d%82%0bexample.org");
	for (size_t size = 0; size < p->text.size; size += 7) {
		struct trust *t;

		assert_int_equal(trust_new(&t), ERR_OK);
		assert_int_equal(trust_add(t, "store", false, slice_of(p->text.data, size), NULL,
					 NULL, NULL),
			ERR_OK);
		trust_free(t);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_trusted_and_not),
		TEST(test_distrust_wins),
		TEST(test_blocklist),
		TEST(test_distrust_by_number),
		TEST(test_distrust_of_servers_after),
		TEST(test_openssl_settings),
		TEST(test_attached_constraints),
		TEST(test_damaged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
