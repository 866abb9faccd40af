/* Verdicts on chains made for the purpose: one thing wrong at a time, then many. */
#include "agent/certificate/judge.h"
#include "tests/certificate/maker.h"

#include <stdio.h>
#include <stdlib.h>

#define NOW (MADE_NOT_BEFORE + 86400)

/* root -> intermediate -> leaf; the leaf is for api.example.org. */
struct pki {
	struct made root;
	struct made intermediate;
	struct made leaf;
	struct trust *trust; /* holds the root */
	struct trust *empty;
	struct judge_cache *cache;
};

static void trust_in(struct trust **t, const struct made *m)
{
	assert_int_equal(trust_new(t), ERR_OK);
	if (m)
		assert_int_equal(
			trust_add(*t, "store", false, m->parsed.der, NULL, NULL, NULL), ERR_OK);
}

static int set_up(void **state)
{
	struct pki *p = calloc(1, sizeof(*p));
	struct recipe root = recipe_ca("CN=Root");
	struct recipe intermediate = recipe_ca("CN=Intermediate");
	struct recipe leaf = recipe_of("CN=api.example.org");

	leaf.dns = "api.example.org";
	leaf.purpose = GNUTLS_KP_TLS_WWW_SERVER;
	make(&p->root, &root, NULL);
	make(&p->intermediate, &intermediate, &p->root);
	make(&p->leaf, &leaf, &p->intermediate);
	trust_in(&p->trust, &p->root);
	trust_in(&p->empty, NULL);
	assert_int_equal(judge_cache_new(64, &p->cache), ERR_OK);
	*state = p;
	return 0;
}

static int tear_down(void **state)
{
	struct pki *p = *state;

	made_fini(&p->root);
	made_fini(&p->intermediate);
	made_fini(&p->leaf);
	trust_free(p->trust);
	trust_free(p->empty);
	judge_cache_free(p->cache);
	free(p);
	return 0;
}

static struct judge_question question(const struct made *leaf)
{
	return (struct judge_question){ .leaf = &leaf->parsed, .now = NOW };
}

/* Judges as if all certificates had been known before: without handles. */
static void judge_known(
	const struct trust *trust, const struct judge_question *q, struct verdict *out)
{
	size_t count = q->candidates_count;
	struct parsed_certificate *copies = calloc(count + 1, sizeof(*copies));
	const struct parsed_certificate **candidates =
		calloc(count + 1, sizeof(const struct parsed_certificate *));
	struct judge_question known = *q;

	assert_non_null(copies);
	assert_non_null(candidates);
	for (size_t i = 0; i <= count; i++) {
		copies[i] = i < count ? *q->candidates[i] : *q->leaf;
		copies[i].handle = NULL;
		candidates[i] = &copies[i];
	}
	known.leaf = &copies[count];
	known.candidates = candidates;
	assert_int_equal(judge(trust, NULL, &known, out), ERR_OK);
	free(candidates);
	free(copies);
}

/* Judges without and twice with a cache, and without handles; all must agree. */
static struct verdict judged(
	const struct trust *trust, struct judge_cache *cache, const struct judge_question *q)
{
	struct verdict first;
	struct verdict again;

	assert_int_equal(judge(trust, NULL, q, &first), ERR_OK);
	for (int i = 0; i < 3; i++) {
		if (i < 2)
			assert_int_equal(judge(trust, cache, q, &again), ERR_OK);
		else
			judge_known(trust, q, &again);
		assert_int_equal(again.problems, first.problems);
		assert_int_equal(again.is_checked, first.is_checked);
		assert_int_equal(again.chain.count, first.chain.count);
		assert_memory_equal(again.chain.items, first.chain.items,
			first.chain.count * FINGERPRINT_BYTES);
		assert_int_equal(again.expires, first.expires);
		assert_int_equal(again.boundary, first.boundary);
		assert_true(!again.trust == !first.trust);
		verdict_fini(&again);
	}
	return first;
}

static void expect(const struct verdict *v, uint32_t problems)
{
	for (int i = 0; i < PROBLEM_COUNT; i++)
		if ((v->problems ^ problems) & PROBLEM_BIT(i))
			fail_msg("%s is%s told", problem_word((enum problem)i),
				v->problems & PROBLEM_BIT(i) ? "" : " not");
}

/* Judges `leaf` beside `candidate` (or none) and expects exactly these problems. */
static void check(struct pki *p, const struct trust *trust, const struct made *leaf,
	const struct made *candidate, uint32_t problems)
{
	const struct parsed_certificate *candidates[] = { &leaf->parsed,
		candidate ? &candidate->parsed : NULL };
	struct judge_question q = question(leaf);
	struct verdict v;

	q.candidates = candidates;
	q.candidates_count = candidate ? 2 : 1;
	v = judged(trust, p->cache, &q);
	expect(&v, problems);
	assert_true(v.is_checked);
	verdict_fini(&v);
}

static void test_whole_chain(void **state)
{
	struct pki *p = *state;
	const struct parsed_certificate *candidates[] = { &p->root.parsed, &p->leaf.parsed,
		&p->intermediate.parsed };
	struct judge_question q = question(&p->leaf);
	struct verdict v;

	q.candidates = candidates;
	q.candidates_count = 3;
	q.server_name = "api.example.org";
	q.purpose = PURPOSE_SERVER;
	v = judged(p->trust, p->cache, &q);
	expect(&v, 0);
	assert_true(v.is_checked);
	assert_false(v.is_anchor);
	assert_string_equal(v.trust, "store");
	assert_int_equal(v.chain.count, 3);
	assert_memory_equal(v.chain.items[0], p->leaf.parsed.facts.fingerprint, FINGERPRINT_BYTES);
	assert_memory_equal(
		v.chain.items[1], p->intermediate.parsed.facts.fingerprint, FINGERPRINT_BYTES);
	assert_memory_equal(v.chain.items[2], p->root.parsed.facts.fingerprint, FINGERPRINT_BYTES);
	assert_int_equal(v.expires, MADE_NOT_AFTER);
	assert_memory_equal(v.expires_because, p->leaf.parsed.facts.fingerprint, FINGERPRINT_BYTES);
	assert_int_equal(v.boundary, MADE_NOT_AFTER + 1);
	verdict_fini(&v);
}

static void test_anchor_itself(void **state)
{
	struct pki *p = *state;
	struct judge_question q = question(&p->root);
	struct verdict v = judged(p->trust, p->cache, &q);

	expect(&v, 0);
	assert_true(v.is_anchor);
	assert_true(v.is_checked);
	assert_int_equal(v.chain.count, 1);
	assert_int_equal(v.expires, p->root.parsed.facts.not_after);
	verdict_fini(&v);
}

static void test_incomplete_and_untrusted(void **state)
{
	struct pki *p = *state;
	struct recipe r = recipe_of("CN=alone");
	struct made alone;

	check(p, p->trust, &p->leaf, NULL, PROBLEM_BIT(PROBLEM_INCOMPLETE_CHAIN));
	check(p, p->empty, &p->leaf, &p->intermediate, PROBLEM_BIT(PROBLEM_INCOMPLETE_CHAIN));
	check(p, p->empty, &p->intermediate, &p->root, PROBLEM_BIT(PROBLEM_UNTRUSTED_ISSUER));
	check(p, p->empty, &p->root, NULL, PROBLEM_BIT(PROBLEM_SELF_SIGNED));
	check(p, p->trust, &p->intermediate, NULL, 0);
	make(&alone, &r, NULL);
	check(p, p->trust, &alone, NULL, PROBLEM_BIT(PROBLEM_SELF_SIGNED));
	made_fini(&alone);
}

static void test_intermediate_as_anchor(void **state)
{
	struct pki *p = *state;
	struct trust *t;

	trust_in(&t, &p->intermediate);
	check(p, t, &p->leaf, NULL, 0);
	check(p, t, &p->leaf, &p->intermediate, 0);
	trust_free(t);
}

/* Flips a bit of the signature, which comes last. */
static void spoil(struct made *m)
{
	parsed_certificate_fini(&m->parsed);
	m->der.data[m->der.size - 1] ^= 1;
	made_parse(m);
}

static void test_bad_signature(void **state)
{
	struct pki *p = *state;
	struct recipe r = recipe_of("CN=spoilt");
	struct made m;

	make(&m, &r, &p->root);
	check(p, p->trust, &m, NULL, 0);
	spoil(&m);
	check(p, p->trust, &m, NULL,
		PROBLEM_BIT(PROBLEM_BAD_SIGNATURE) | PROBLEM_BIT(PROBLEM_UNTRUSTED_ISSUER));
	check(p, p->empty, &m, &p->root,
		PROBLEM_BIT(PROBLEM_BAD_SIGNATURE) | PROBLEM_BIT(PROBLEM_UNTRUSTED_ISSUER));
	made_fini(&m);
	make(&m, &r, NULL);
	spoil(&m);
	check(p, p->trust, &m, NULL,
		PROBLEM_BIT(PROBLEM_BAD_SIGNATURE) | PROBLEM_BIT(PROBLEM_UNTRUSTED_ISSUER));
	made_fini(&m);
}

/* Another CA of the same name must not take the blame for not having signed. */
static void test_namesake_of_the_anchor(void **state)
{
	struct pki *p = *state;
	struct recipe ca = recipe_ca("CN=Root");
	struct recipe r = recipe_of("CN=leaf of a namesake");
	struct made other;
	struct made leaf;

	make(&other, &ca, NULL);
	make(&leaf, &r, &other);
	check(p, p->trust, &leaf, &other, PROBLEM_BIT(PROBLEM_UNTRUSTED_ISSUER));
	made_fini(&leaf);
	made_fini(&other);
	ca.has_no_key_ids = true;
	r.has_no_key_ids = true;
	make(&other, &ca, NULL);
	make(&leaf, &r, &other);
	check(p, p->trust, &leaf, &other, PROBLEM_BIT(PROBLEM_UNTRUSTED_ISSUER));
	assert_int_equal(
		trust_add(p->trust, "store", false, other.parsed.der, NULL, NULL, NULL), ERR_OK);
	check(p, p->trust, &leaf, NULL, 0);
	made_fini(&leaf);
	made_fini(&other);
}

static void check_name(struct pki *p, const struct made *leaf, const char *name, bool matches)
{
	struct judge_question q = question(leaf);
	struct verdict v;

	q.server_name = name;
	v = judged(p->trust, p->cache, &q);
	expect(&v, matches ? 0 : PROBLEM_BIT(PROBLEM_NAME_MISMATCH));
	verdict_fini(&v);
}

static void test_names(void **state)
{
	struct pki *p = *state;
	struct recipe r = recipe_of("CN=names");
	struct made m;

	r.dns = "*.example.org";
	make(&m, &r, &p->root);
	check_name(p, &m, "a.example.org", true);
	check_name(p, &m, "A.EXAMPLE.ORG", true);
	check_name(p, &m, "a.example.org.", true);
	check_name(p, &m, "a.b.example.org", false);
	check_name(p, &m, "example.org", false);
	check_name(p, &m, "192.0.2.1", false);
	check_name(p, &m, "2001:db8::1", false);
	check_name(p, &m, "", false);
	parsed_certificate_fini(&m.parsed);
	assert_int_equal(
		gnutls_x509_crt_set_subject_alt_name(m.crt, GNUTLS_SAN_IPADDRESS,
			"\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01", 16, GNUTLS_FSAN_APPEND),
		0);
	assert_int_equal(
		gnutls_x509_crt_sign2(m.crt, p->root.crt, p->root.key, GNUTLS_DIG_SHA256, 0), 0);
	gnutls_free(m.der.data);
	assert_int_equal(gnutls_x509_crt_export2(m.crt, GNUTLS_X509_FMT_DER, &m.der), 0);
	made_parse(&m);
	check_name(p, &m, "2001:db8::1", true);
	check_name(p, &m, "2001:db8::1%eth0", true);
	check_name(p, &m, "2001:db8::2", false);
	made_fini(&m);
}

static void check_purpose(
	struct pki *p, const struct made *leaf, enum purpose purpose, uint32_t problems)
{
	struct judge_question q = question(leaf);
	struct verdict v;

	q.purpose = purpose;
	v = judged(p->trust, p->cache, &q);
	expect(&v, problems);
	verdict_fini(&v);
}

static void test_purposes(void **state)
{
	struct pki *p = *state;
	struct recipe r = recipe_of("CN=purpose");
	struct made m;

	r.purpose = GNUTLS_KP_TLS_WWW_CLIENT;
	make(&m, &r, &p->root);
	check_purpose(p, &m, PURPOSE_ANY, 0);
	check_purpose(p, &m, PURPOSE_CLIENT, 0);
	check_purpose(p, &m, PURPOSE_SERVER, PROBLEM_BIT(PROBLEM_WRONG_USAGE));
	made_fini(&m);
	r.purpose = GNUTLS_KP_ANY;
	make(&m, &r, &p->root);
	check_purpose(p, &m, PURPOSE_SERVER, 0);
	made_fini(&m);
	r.purpose = NULL;
	make(&m, &r, &p->root);
	check_purpose(p, &m, PURPOSE_CLIENT, 0);
	made_fini(&m);
}

static void test_constraints(void **state)
{
	struct pki *p = *state;
	struct recipe ca = recipe_ca("CN=Short");
	struct recipe r = recipe_of("CN=below");
	struct made parent;
	struct made m;

	/* Not a CA at all. */
	make(&m, &r, &p->leaf);
	check(p, p->empty, &m, &p->leaf,
		PROBLEM_BIT(PROBLEM_CONSTRAINT_VIOLATION) | PROBLEM_BIT(PROBLEM_INCOMPLETE_CHAIN));
	made_fini(&m);
	/* Names outside what its CA may sign for. */
	ca.permitted_dns = "example.net";
	make(&parent, &ca, &p->root);
	r.dns = "a.example.net";
	make(&m, &r, &parent);
	check(p, p->trust, &m, &parent, 0);
	made_fini(&m);
	r.dns = "a.example.org";
	make(&m, &r, &parent);
	check(p, p->trust, &m, &parent, PROBLEM_BIT(PROBLEM_CONSTRAINT_VIOLATION));
	made_fini(&m);
	made_fini(&parent);
}

static void test_path_length(void **state)
{
	struct pki *p = *state;
	struct recipe upper = recipe_ca("CN=Upper");
	struct recipe lower = recipe_ca("CN=Lower");
	struct recipe r = recipe_of("CN=leaf");
	struct made ca[2];
	struct made leaf;
	const struct parsed_certificate *candidates[] = { &ca[0].parsed, &ca[1].parsed };
	struct judge_question q;
	struct verdict v;

	upper.path_length = 0;
	make(&ca[0], &upper, &p->root);
	make(&ca[1], &lower, &ca[0]);
	make(&leaf, &r, &ca[1]);
	q = question(&leaf);
	q.candidates = candidates;
	q.candidates_count = 2;
	v = judged(p->trust, p->cache, &q);
	expect(&v, PROBLEM_BIT(PROBLEM_CONSTRAINT_VIOLATION));
	assert_int_equal(v.chain.count, 4);
	assert_null(v.trust);
	verdict_fini(&v);
	made_fini(&leaf);
	made_fini(&ca[0]);
	made_fini(&ca[1]);
}

static void test_weakness(void **state)
{
	struct pki *p = *state;
	struct recipe r = recipe_of("CN=weak");
	struct made m;

	r.algorithm = GNUTLS_PK_RSA;
	r.bits = 1024;
	make(&m, &r, &p->root);
	check(p, p->trust, &m, NULL, PROBLEM_BIT(PROBLEM_WEAK_KEY));
	made_fini(&m);
	r.bits = 2048;
	r.digest = GNUTLS_DIG_SHA1;
	make(&m, &r, &p->root);
	check(p, p->trust, &m, NULL, PROBLEM_BIT(PROBLEM_WEAK_SIGNATURE));
	made_fini(&m);
	make(&m, &r, NULL);
	check(p, p->trust, &m, NULL,
		PROBLEM_BIT(PROBLEM_WEAK_SIGNATURE) | PROBLEM_BIT(PROBLEM_SELF_SIGNED));
	made_fini(&m);
}

/* Time is not the judge's business, but it says when it will be. */
static void test_dates(void **state)
{
	struct pki *p = *state;
	struct recipe ca = recipe_ca("CN=Brief");
	struct recipe r = recipe_of("CN=long");
	const struct parsed_certificate *candidates[1];
	struct made parent;
	struct made m;
	struct judge_question q;
	struct verdict v;

	ca.not_after = MADE_NOT_BEFORE + 10 * 86400;
	make(&parent, &ca, &p->root);
	make(&m, &r, &parent);
	candidates[0] = &parent.parsed;
	q = question(&m);
	q.candidates = candidates;
	q.candidates_count = 1;
	v = judged(p->trust, p->cache, &q);
	expect(&v, 0);
	assert_int_equal(v.expires, ca.not_after);
	assert_memory_equal(v.expires_because, parent.parsed.facts.fingerprint, FINGERPRINT_BYTES);
	assert_int_equal(v.boundary, ca.not_after + 1);
	verdict_fini(&v);
	q.now = ca.not_after;
	v = judged(p->trust, p->cache, &q);
	assert_int_equal(v.boundary, ca.not_after + 1);
	verdict_fini(&v);
	q.now = ca.not_after + 1;
	v = judged(p->trust, p->cache, &q);
	expect(&v, 0);
	assert_int_equal(v.boundary, MADE_NOT_AFTER + 1);
	verdict_fini(&v);
	q.now = MADE_NOT_BEFORE - 5;
	v = judged(p->trust, p->cache, &q);
	assert_int_equal(v.boundary, MADE_NOT_BEFORE);
	verdict_fini(&v);
	q.now = MADE_NOT_BEFORE + 100000 * 86400LL;
	v = judged(p->trust, p->cache, &q);
	assert_int_equal(v.boundary, TIME_UNKNOWN);
	verdict_fini(&v);
	made_fini(&m);
	made_fini(&parent);
}

static void test_everything_at_once(void **state)
{
	struct pki *p = *state;
	struct recipe r = recipe_of("CN=all");
	struct made m;
	struct judge_question q;
	struct verdict v;

	r.algorithm = GNUTLS_PK_RSA;
	r.bits = 1024;
	r.digest = GNUTLS_DIG_SHA1;
	r.purpose = GNUTLS_KP_TLS_WWW_CLIENT;
	make(&m, &r, NULL);
	q = question(&m);
	q.server_name = "other.example.org";
	q.purpose = PURPOSE_SERVER;
	v = judged(p->trust, p->cache, &q);
	expect(&v, PROBLEM_BIT(PROBLEM_SELF_SIGNED) | PROBLEM_BIT(PROBLEM_WEAK_KEY) |
			   PROBLEM_BIT(PROBLEM_WEAK_SIGNATURE) | PROBLEM_BIT(PROBLEM_WRONG_USAGE) |
			   PROBLEM_BIT(PROBLEM_NAME_MISMATCH));
	verdict_fini(&v);
	made_fini(&m);
}

/* A long chain and a circle of issuers both end. */
static void test_endless_paths(void **state)
{
	enum { LENGTH = 20 };
	struct pki *p = *state;
	struct recipe r = recipe_ca("CN=same");
	const struct parsed_certificate *candidates[LENGTH];
	struct made chain[LENGTH];
	struct judge_question q;
	struct verdict v;

	for (int i = 0; i < LENGTH; i++) {
		char dn[32];

		(void)snprintf(dn, sizeof(dn), "CN=ca %d", i);
		r.dn = dn;
		r.has_no_key_ids = true;
		make(&chain[i], &r, i ? &chain[i - 1] : &p->leaf);
		candidates[i] = &chain[i].parsed;
	}
	q = question(&chain[LENGTH - 1]);
	q.candidates = candidates;
	q.candidates_count = LENGTH;
	v = judged(p->trust, p->cache, &q);
	assert_true(v.problems & PROBLEM_BIT(PROBLEM_INCOMPLETE_CHAIN));
	assert_true(v.chain.count <= RECORD_CHAIN_MAX);
	verdict_fini(&v);
	for (int i = 0; i < LENGTH; i++)
		made_fini(&chain[i]);
}

static void test_circle(void **state)
{
	struct pki *p = *state;
	struct recipe a = recipe_ca("CN=A");
	struct recipe b = recipe_ca("CN=B");
	struct made first;
	struct made second;
	struct made closing;

	a.has_no_key_ids = true;
	b.has_no_key_ids = true;
	make(&first, &a, NULL);
	make(&second, &b, &first);
	make(&closing, &a, &second);
	check(p, p->trust, &closing, &second, PROBLEM_BIT(PROBLEM_INCOMPLETE_CHAIN));
	made_fini(&first);
	made_fini(&second);
	made_fini(&closing);
}

static void test_unchecked_without_trust(void **state)
{
	struct pki *p = *state;
	struct judge_question q = question(&p->leaf);
	struct verdict v;

	assert_int_equal(judge(NULL, NULL, &q, &v), ERR_OK);
	assert_false(v.is_checked);
	assert_int_equal(v.problems, 0);
	assert_int_equal(v.expires, TIME_UNKNOWN);
	verdict_fini(&v);
}

/* More questions than places: nothing but time is lost. */
static void test_cache_overflows(void **state)
{
	struct pki *p = *state;
	struct judge_question q = question(&p->intermediate);
	struct judge_cache *tiny;
	char name[32];

	assert_int_equal(judge_cache_new(1, &tiny), ERR_OK);
	for (int i = 0; i < 40; i++) {
		struct verdict v;

		(void)snprintf(name, sizeof(name), "host%d.example", i % 20);
		q.server_name = name;
		assert_int_equal(judge(p->trust, tiny, &q, &v), ERR_OK);
		expect(&v, PROBLEM_BIT(PROBLEM_NAME_MISMATCH));
		assert_int_equal(v.chain.count, 2);
		verdict_fini(&v);
	}
	judge_cache_free(tiny);
	judge_cache_free(NULL);
}

/* The same CA under two roots, one of which ends sooner: the path that lives longer wins, whatever the order,
 * and who ends sooner is no alarm. */
static void test_longest_lived_path_wins(void **state)
{
	struct pki *p = *state;
	struct recipe ca = recipe_ca("CN=Crossed");
	struct recipe brief = recipe_ca("CN=Brief Root");
	struct recipe r = recipe_of("CN=leaf");
	struct made old_root;
	struct made self;
	struct made cross;
	struct made leaf;

	brief.not_after = MADE_NOT_BEFORE + 20 * 86400;
	make(&old_root, &brief, NULL);
	make(&self, &ca, &p->root);
	cross = self;
	/* The same key, certified by the root that ends. */
	assert_int_equal(gnutls_x509_crt_init(&cross.crt), 0);
	assert_int_equal(gnutls_x509_crt_import(cross.crt, &self.der, GNUTLS_X509_FMT_DER), 0);
	assert_int_equal(gnutls_x509_crt_set_expiration_time(cross.crt, brief.not_after), 0);
	assert_int_equal(
		gnutls_x509_crt_sign2(cross.crt, old_root.crt, old_root.key, GNUTLS_DIG_SHA256, 0),
		0);
	assert_int_equal(gnutls_x509_crt_export2(cross.crt, GNUTLS_X509_FMT_DER, &cross.der), 0);
	made_parse(&cross);
	make(&leaf, &r, &self);
	assert_int_equal(
		trust_add(p->trust, "store", false, old_root.parsed.der, NULL, NULL, NULL), ERR_OK);
	for (int i = 0; i < 2; i++) {
		const struct parsed_certificate *candidates[] = { i ? &self.parsed : &cross.parsed,
			i ? &cross.parsed : &self.parsed };
		struct judge_question q = question(&leaf);
		struct verdict v;

		q.candidates = candidates;
		q.candidates_count = 2;
		v = judged(p->trust, p->cache, &q);
		expect(&v, 0);
		assert_int_equal(v.chain.count, 3);
		assert_memory_equal(
			v.chain.items[1], self.parsed.facts.fingerprint, FINGERPRINT_BYTES);
		assert_int_equal(v.expires, MADE_NOT_AFTER);
		assert_false(rules_have(&v.lint, RULE_UNUSED_EXPIRED));
		verdict_fini(&v);
		/* Once it has ended it is worth a word, and the verdict stays. */
		q.now = brief.not_after + 1;
		v = judged(p->trust, p->cache, &q);
		expect(&v, 0);
		assert_true(rules_have(&v.lint, RULE_UNUSED_EXPIRED));
		assert_true(verdict_is_valid_at(&v, q.now));
		verdict_fini(&v);
	}
	parsed_certificate_fini(&cross.parsed);
	gnutls_free(cross.der.data);
	gnutls_x509_crt_deinit(cross.crt);
	made_fini(&leaf);
	made_fini(&self);
	made_fini(&old_root);
}

/* An intermediate that lies elsewhere is found in the pool, which trusts nobody. */
static void test_pool(void **state)
{
	struct pki *p = *state;
	struct judge_question q = question(&p->leaf);
	struct trust *pool;
	struct verdict v;

	trust_in(&pool, &p->intermediate);
	assert_int_equal(
		trust_add(pool, "pool", false, p->root.parsed.der, NULL, NULL, NULL), ERR_OK);
	q.pool = pool;
	v = judged(p->trust, p->cache, &q);
	expect(&v, 0);
	assert_int_equal(v.chain.count, 3);
	verdict_fini(&v);
	v = judged(p->empty, p->cache, &q);
	expect(&v, PROBLEM_BIT(PROBLEM_UNTRUSTED_ISSUER));
	assert_null(v.trust);
	verdict_fini(&v);
	trust_free(pool);
}

/* What TLS stacks let pass is lint in a scan, and a fault where strictness is asked for. */
static void test_strictness(void **state)
{
	struct pki *p = *state;
	struct recipe r = recipe_of("CN=strict");
	struct judge_question q;
	struct verdict v;
	struct made m;

	r.has_no_key_ids = true;
	make(&m, &r, &p->root);
	q = question(&m);
	v = judged(p->trust, p->cache, &q);
	expect(&v, 0);
	assert_true(rules_have(&v.lint, RULE_AKI_MISSING));
	assert_true(rules_are_empty(&v.violations));
	verdict_fini(&v);
	q.is_strict = true;
	v = judged(p->trust, p->cache, &q);
	expect(&v, PROBLEM_BIT(PROBLEM_CONSTRAINT_VIOLATION));
	assert_true(rules_have(&v.violations, RULE_AKI_MISSING));
	assert_false(verdict_is_valid_at(&v, q.now));
	verdict_fini(&v);
	made_fini(&m);
}

static void test_depth(void **state)
{
	struct pki *p = *state;
	const struct parsed_certificate *candidates[] = { &p->intermediate.parsed };
	struct judge_question q = question(&p->leaf);
	struct verdict v;

	q.candidates = candidates;
	q.candidates_count = 1;
	for (unsigned limit = 1; limit <= 2; limit++) {
		q.intermediates_limit = limit;
		v = judged(p->trust, p->cache, &q);
		assert_int_equal(rules_have(&v.violations, RULE_TOO_DEEP), limit == 1);
		verdict_fini(&v);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_whole_chain),
		TEST(test_anchor_itself),
		TEST(test_incomplete_and_untrusted),
		TEST(test_intermediate_as_anchor),
		TEST(test_bad_signature),
		TEST(test_namesake_of_the_anchor),
		TEST(test_names),
		TEST(test_purposes),
		TEST(test_constraints),
		TEST(test_path_length),
		TEST(test_weakness),
		TEST(test_dates),
		TEST(test_everything_at_once),
		TEST(test_endless_paths),
		TEST(test_circle),
		TEST(test_unchecked_without_trust),
		TEST(test_cache_overflows),
		TEST(test_longest_lived_path_wins),
		TEST(test_pool),
		TEST(test_strictness),
		TEST(test_depth),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
