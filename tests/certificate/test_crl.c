/* Revocation lists: what they say, and when they may not be believed. */
#include "agent/certificate/crl.h"
#include "tests/certificate/maker.h"

#include <stdlib.h>

#define NOW (MADE_NOT_BEFORE + 86400)

struct list {
	gnutls_datum_t der;
	struct crl crl;
};

struct list_recipe {
	const struct made *signer;
	const struct made *revoked; /* or NULL */
	time_t this_update;
	time_t next_update;
	bool has_no_number;
	bool has_no_key_id;
};

static struct list_recipe list_of(const struct made *signer)
{
	return (struct list_recipe){ .signer = signer,
		.this_update = MADE_NOT_BEFORE,
		.next_update = MADE_NOT_BEFORE + 10 * 86400 };
}

static void list_make(struct list *out, const struct list_recipe *r)
{
	gnutls_x509_crl_t crl;
	uint8_t id[64];
	size_t size = sizeof(id);

	assert_int_equal(gnutls_x509_crl_init(&crl), 0);
	assert_int_equal(gnutls_x509_crl_set_version(crl, 2), 0);
	assert_int_equal(gnutls_x509_crl_set_this_update(crl, r->this_update), 0);
	assert_int_equal(gnutls_x509_crl_set_next_update(crl, r->next_update), 0);
	if (r->revoked)
		assert_int_equal(gnutls_x509_crl_set_crt(crl, r->revoked->crt, r->this_update), 0);
	if (!r->has_no_number)
		assert_int_equal(gnutls_x509_crl_set_number(crl, "\x05", 1), 0);
	assert_int_equal(gnutls_x509_crt_get_key_id(r->signer->crt, 0, id, &size), 0);
	if (!r->has_no_key_id)
		assert_int_equal(gnutls_x509_crl_set_authority_key_id(crl, id, size), 0);
	assert_int_equal(
		gnutls_x509_crl_sign2(crl, r->signer->crt, r->signer->key, GNUTLS_DIG_SHA256, 0),
		0);
	assert_int_equal(gnutls_x509_crl_export2(crl, GNUTLS_X509_FMT_DER, &out->der), 0);
	gnutls_x509_crl_deinit(crl);
	assert_int_equal(
		crl_parse(slice_of(out->der.data, out->der.size), &out->crl, NULL, NULL), ERR_OK);
}

static struct crl_answer ask(struct list *l, const struct made *leaf, const struct made *signer,
	bool is_strict, int64_t now)
{
	const struct crl_question q = { .certificate = leaf->parsed.der,
		.signer = signer->parsed.der,
		.is_strict = is_strict,
		.now = now };
	struct crl_answer a;

	crl_ask(&l->crl, &q, &a);
	return a;
}

struct pki {
	struct made root;
	struct made other;
	struct made leaf;
	struct made good;
};

static int set_up(void **state)
{
	struct pki *p = calloc(1, sizeof(*p));
	struct recipe ca = recipe_ca("CN=Lister");
	struct recipe other = recipe_ca("CN=Other");
	struct recipe leaf = recipe_of("CN=leaf");

	make(&p->root, &ca, NULL);
	make(&p->other, &other, NULL);
	leaf.serial = 77;
	make(&p->leaf, &leaf, &p->root);
	leaf.serial = 78;
	make(&p->good, &leaf, &p->root);
	*state = p;
	return 0;
}

static int tear_down(void **state)
{
	struct pki *p = *state;

	made_fini(&p->root);
	made_fini(&p->other);
	made_fini(&p->leaf);
	made_fini(&p->good);
	free(p);
	return 0;
}

static void test_says_who_is_revoked(void **state)
{
	struct pki *p = *state;
	struct list_recipe r = list_of(&p->root);
	struct list l;
	struct crl_answer a;

	r.revoked = &p->leaf;
	list_make(&l, &r);
	a = ask(&l, &p->leaf, &p->root, true, NOW);
	assert_int_equal(a.word, CRL_REVOKED);
	assert_int_equal(a.revoked_at, MADE_NOT_BEFORE);
	a = ask(&l, &p->good, &p->root, true, NOW);
	assert_int_equal(a.word, CRL_GOOD);
	assert_int_equal(a.reasons, CRL_REASONS_ALL);
	gnutls_free(l.der.data);
}

static void test_is_about_its_issuer_alone(void **state)
{
	struct pki *p = *state;
	struct list_recipe r = list_of(&p->other);
	struct list l;

	r.revoked = &p->leaf;
	list_make(&l, &r);
	assert_int_equal(ask(&l, &p->leaf, &p->other, true, NOW).word, CRL_SILENT);
	gnutls_free(l.der.data);
}

static void test_is_not_believed(void **state)
{
	struct pki *p = *state;
	struct recipe same = recipe_ca("CN=Lister");
	struct list_recipe r = list_of(&p->root);
	struct made namesake;
	struct list l;

	make(&namesake, &same, NULL);
	list_make(&l, &r);
	assert_int_equal(ask(&l, &p->leaf, &namesake, false, NOW).word, CRL_INVALID);
	assert_int_equal(ask(&l, &p->leaf, &p->root, false, NOW).word, CRL_GOOD);
	assert_int_equal(ask(&l, &p->leaf, &p->root, false, NOW + 30 * 86400).word, CRL_STALE);
	assert_int_equal(
		ask(&l, &p->leaf, &p->root, false, MADE_NOT_BEFORE - 86400).word, CRL_STALE);
	/* A bit of its signature. */
	l.der.data[l.der.size - 1] ^= 1;
	l.crl.has_checked_key = false;
	assert_int_equal(ask(&l, &p->leaf, &p->root, false, NOW).word, CRL_INVALID);
	gnutls_free(l.der.data);
	made_fini(&namesake);
	r.has_no_number = true;
	list_make(&l, &r);
	assert_int_equal(ask(&l, &p->leaf, &p->root, false, NOW).word, CRL_GOOD);
	assert_int_equal(ask(&l, &p->leaf, &p->root, true, NOW).word, CRL_INVALID);
	gnutls_free(l.der.data);
}

static void test_a_key_that_may_not_sign_lists(void **state)
{
	struct pki *p = *state;
	struct list_recipe r = list_of(&p->root);
	struct list l;

	list_make(&l, &r);
	parsed_certificate_fini(&p->root.parsed);
	assert_int_equal(gnutls_x509_crt_set_key_usage(p->root.crt, GNUTLS_KEY_KEY_CERT_SIGN), 0);
	assert_int_equal(
		gnutls_x509_crt_sign2(p->root.crt, p->root.crt, p->root.key, GNUTLS_DIG_SHA256, 0),
		0);
	gnutls_free(p->root.der.data);
	assert_int_equal(
		gnutls_x509_crt_export2(p->root.crt, GNUTLS_X509_FMT_DER, &p->root.der), 0);
	made_parse(&p->root);
	assert_int_equal(ask(&l, &p->leaf, &p->root, false, NOW).word, CRL_INVALID);
	gnutls_free(l.der.data);
}

/* Cut anywhere, or with any byte changed, it is refused or read, and never harms. */
static void test_damage(void **state)
{
	struct pki *p = *state;
	struct list_recipe r = list_of(&p->root);
	struct crl crl;
	struct list l;

	r.revoked = &p->leaf;
	list_make(&l, &r);
	for (size_t i = 0; i < l.der.size; i++) {
		uint8_t *copy = malloc(i + 1);

		assert_non_null(copy);
		memcpy(copy, l.der.data, i);
		assert_int_equal(crl_parse(slice_of(copy, i), &crl, NULL, NULL), ERR_MALFORMED);
		free(copy);
	}
	for (size_t i = 0; i < l.der.size; i++) {
		l.der.data[i] ^= 0x40;
		if (crl_parse(slice_of(l.der.data, l.der.size), &l.crl, NULL, NULL) == ERR_OK)
			assert_int_not_equal(
				ask(&l, &p->good, &p->root, false, NOW).word, CRL_GOOD);
		l.der.data[i] ^= 0x40;
	}
	gnutls_free(l.der.data);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_says_who_is_revoked),
		TEST(test_is_about_its_issuer_alone),
		TEST(test_is_not_believed),
		TEST(test_a_key_that_may_not_sign_lists),
		TEST(test_damage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
