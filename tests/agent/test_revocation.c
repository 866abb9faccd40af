/* Which questions to issuers are due, by what the inventory holds. */
#include "agent/revocation.h"
#include "scanners/fetch.h"
#include "tests/agent/sightings.h"

#define NOW 1767225600LL /* 2026-01-01 */
#define DAY 86400LL
#define FLOOD 100

struct world {
	struct store *store;
	struct inventory *inventory;
	struct why why;
	int64_t pass;
	struct fetch asked[2 * FLOOD]; /* owned */
	size_t count;
	uint8_t chain[3][FINGERPRINT_BYTES];
	char *urls[1];
};

static int set_up(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	OK(w, store_open(NULL, &w->store, &w->why));
	OK(w, inventory_new(w->store, &w->inventory, &w->why));
	OK(w, inventory_pass_begin(w->inventory, "files", "job", NOW, &w->pass, &w->why));
	*state = w;
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;

	for (size_t n = 0; n < w->count; n++)
		fetch_fini(&w->asked[n]);
	inventory_free(w->inventory);
	store_close(w->store);
	free(w);
	return 0;
}

/* Strings are borrowed: it is never freed. The first byte tells certificates apart. */
static struct record made(const char *scanner, const char *uri, uint8_t n, bool is_ca)
{
	struct record r = sighting_made(scanner, uri, 0, NOW);
	struct certificate *c = &r.certificate.facts;

	r.certificate.is_served = false;
	c->fingerprint[0] = n;
	c->serial = (char *)"0a";
	c->is_ca = is_ca;
	r.certificate.verdict = (struct verdict){ .is_checked = true,
		.expires = c->not_after,
		.boundary = TIME_UNKNOWN,
		.starts = c->not_before };
	return r;
}

static void put(struct world *w, const struct record *r)
{
	OK(w, inventory_put(w->inventory, w->pass, r, NOW, &w->why));
}

static enum err on_question(void *arg, const char *place, struct slice item)
{
	struct world *w = arg;

	assert_non_null(place);
	assert_true(w->count < 2 * FLOOD);
	return fetch_decode(item, &w->asked[w->count++]);
}

static void ask(struct world *w)
{
	for (size_t n = 0; n < w->count; n++)
		fetch_fini(&w->asked[n]);
	w->count = 0;
	OK(w, revocation_questions(w->inventory, NOW, on_question, w, &w->why));
}

/* A leaf below an intermediate below an anchor, that names a list. */
static struct record leaf_below(struct world *w)
{
	struct record r = made("files", "file:///leaf.pem", 1, false);
	struct verdict *v = &r.certificate.verdict;

	w->urls[0] = (char *)"http://ca.example.org/ca.crl";
	r.certificate.facts.crl_urls = (struct strings){ w->urls, 1, 1 };
	w->chain[0][0] = 1;
	w->chain[1][0] = 2;
	w->chain[2][0] = 3;
	v->chain = (struct fingerprints){ w->chain, 3 };
	v->trust = (char *)"store";
	v->has_issuer_id = true;
	return r;
}

static void test_the_question_brings_the_issuer(void **state)
{
	struct world *w = *state;
	struct record leaf = leaf_below(w);
	struct record ca = made("files", "file:///ca.pem", 2, true);

	put(w, &leaf);
	/* Without its bytes nobody could believe it. */
	ask(w);
	assert_int_equal(w->count, 0);
	ca.certificate.der = (uint8_t *)(uintptr_t) "issuer";
	ca.certificate.der_size = 6;
	put(w, &ca);
	ask(w);
	assert_int_equal(w->count, 1);
	assert_int_equal(w->asked[0].kind, FETCH_CRL);
	assert_int_equal(w->asked[0].issuer[0], 2);
	assert_int_equal(w->asked[0].issuer_der_size, 6);
	assert_memory_equal(w->asked[0].issuer_der, "issuer", 6);
	/* Parsers have anchors themselves. */
	leaf.certificate.verdict.chain.count = 2;
	put(w, &leaf);
	ask(w);
	assert_int_equal(w->count, 1);
	assert_null(w->asked[0].issuer_der);
}

static void answer(struct world *w, enum revocation_status status, const char *message)
{
	struct revocation_result result = { .status = status, .revoked_at = TIME_UNKNOWN };
	struct record r = { .kind = RECORD_REVOCATION };

	result.fingerprint[0] = 1;
	r.location.scanner = (char *)"revocation";
	r.location.uri = w->urls[0];
	r.revocation = (struct revocation_record){ .this_update = NOW - DAY,
		.next_update = NOW + 7 * DAY,
		.message = (char *)(uintptr_t)message,
		.results = &result,
		.count = 1 };
	put(w, &r);
}

static void test_what_is_out_of_a_lists_scope_is_no_failure(void **state)
{
	struct world *w = *state;
	struct record leaf = leaf_below(w);
	char *responder[] = { (char *)"http://ca.example.org/ocsp" };

	leaf.certificate.verdict.chain.count = 2;
	put(w, &leaf);
	answer(w, REVOCATION_UNKNOWN, NULL);
	ask(w);
	assert_int_equal(w->count, 0);
	/* A responder may know more. */
	leaf.certificate.facts.fingerprint[0] = 1;
	leaf.certificate.facts.ocsp_urls = (struct strings){ responder, 1, 1 };
	leaf.location.uri = (char *)"file:///other.pem";
	leaf.certificate.facts.fingerprint[1] = 1;
	put(w, &leaf);
	ask(w);
	assert_int_equal(w->count, 1);
	assert_int_equal(w->asked[0].kind, FETCH_CRL);
	/* A failure is asked again. */
	answer(w, REVOCATION_UNKNOWN, "it cannot be read");
	ask(w);
	assert_true(w->count >= 1);
	assert_int_equal(w->asked[0].kind, FETCH_CRL);
}

static void put_lacking(struct world *w, const char *scanner, uint8_t n)
{
	char uri[64];
	char url[64];
	struct record r;

	(void)snprintf(uri, sizeof(uri), "http://%s.example.org/%u", scanner, n);
	(void)snprintf(url, sizeof(url), "http://ca.example.org/%s/%u", scanner, n);
	r = made(scanner, uri, n, true);
	w->urls[0] = url;
	r.certificate.facts.issuer_urls = (struct strings){ w->urls, 1, 1 };
	r.certificate.verdict.problems = PROBLEM_BIT(PROBLEM_INCOMPLETE_CHAIN);
	w->chain[0][0] = n;
	r.certificate.verdict.chain = (struct fingerprints){ w->chain, 1 };
	put(w, &r);
}

static void test_what_was_fetched_leads_on_within_bounds(void **state)
{
	struct world *w = *state;

	for (uint8_t n = 0; n < FLOOD; n++)
		put_lacking(w, "files", n);
	ask(w);
	assert_int_equal(w->count, FLOOD);
	for (size_t n = 0; n < w->count; n++) {
		assert_int_equal(w->asked[n].kind, FETCH_ISSUERS);
		assert_false(w->asked[n].is_kept);
	}
	for (uint8_t n = 0; n < FLOOD; n++)
		put_lacking(w, "revocation", (uint8_t)(FLOOD + n));
	ask(w);
	assert_in_range(w->count, FLOOD + 1, FLOOD + 64);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_the_question_brings_the_issuer),
		TEST(test_what_is_out_of_a_lists_scope_is_no_failure),
		TEST(test_what_was_fetched_leads_on_within_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
