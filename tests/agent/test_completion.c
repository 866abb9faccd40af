/* Chains across places: who is judged again, with what, how often, and what is made of the answer. */
#include "agent/completion.h"
#include "scanners/completion_case.h"
#include "tests/agent/sightings.h"

#define NOW 1767225600LL /* 2026-01-01 */
#define DAY 86400LL
#define FILES "files"
#define LEAF_URI "file:///srv/leaf.pem"
#define CA_URI "file:///srv/ca.pem"
/* How a job judges that trusts other stores. */
#define OTHERS UINT64_C(0xfedcba9876543210)

struct world {
	struct store *store;
	struct inventory *inventory;
	struct why why;
	int64_t now;
	int64_t pass;
	uint8_t context[FINGERPRINT_BYTES];
	struct judging judgings[2];
	struct parser_options options; /* borrows them */
	uint8_t chain[4][FINGERPRINT_BYTES];
};

static int set_up(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	w->now = NOW;
	w->judgings[1].id = OTHERS;
	w->options = (struct parser_options){ .judgings = w->judgings, .judgings_count = 2 };
	OK(w, store_open(NULL, &w->store, &w->why));
	OK(w, inventory_new(w->store, &w->inventory, &w->why));
	*state = w;
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;

	inventory_free(w->inventory);
	store_close(w->store);
	free(w);
	return 0;
}

static void begin(struct world *w, const char *job)
{
	OK(w, inventory_pass_begin(w->inventory, FILES, job, w->now, &w->pass, &w->why));
}

static void end(struct world *w)
{
	OK(w, sightings_end(w->inventory, w->pass, w->now, &w->why));
	w->now += 60;
}

/* Strings are borrowed literals: it is never freed. The first byte tells certificates apart. */
static struct record made(struct world *w, const char *uri, uint8_t n, const char *subject,
	const char *issuer, bool is_ca)
{
	struct record r = sighting_made(FILES, uri, 0, NOW);
	struct certificate *c = &r.certificate.facts;
	struct verdict *v = &r.certificate.verdict;

	r.certificate.is_served = false;
	c->fingerprint[0] = n;
	c->subject = (char *)subject;
	c->issuer = (char *)issuer;
	c->is_ca = is_ca;
	v->is_checked = true;
	v->problems = PROBLEM_BIT(PROBLEM_INCOMPLETE_CHAIN);
	memset(w->chain, 0, sizeof(w->chain));
	w->chain[0][0] = n;
	v->chain = (struct fingerprints){ w->chain, 1 };
	v->expires = c->not_after;
	v->starts = c->not_before;
	v->boundary = c->not_after + 1;
	r.certificate.der = (uint8_t *)(uintptr_t)subject;
	r.certificate.der_size = strlen(subject);
	return r;
}

static void put(struct world *w, const struct record *r)
{
	OK(w, inventory_put(w->inventory, w->pass, r, w->now, &w->why));
}

static void put_leaf(struct world *w, const char *job, bool is_served)
{
	struct record r = made(w, LEAF_URI, 1, "CN=leaf", "CN=Issuing CA", false);

	r.certificate.is_served = is_served;
	begin(w, job);
	put(w, &r);
	end(w);
}

static void put_ca(struct world *w, const char *job)
{
	struct record r = made(w, CA_URI, 2, "CN=issuing ca", "CN=Root", true);

	begin(w, job);
	put(w, &r);
	end(w);
}

static void put_nothing(struct world *w, const char *job)
{
	begin(w, job);
	end(w);
}

/* What the parser would say: a path over the CA to an anchor. */
static void answer(struct world *w, const char *place)
{
	struct record r = made(w, place, 1, "CN=leaf", "CN=Issuing CA", false);
	struct verdict *v = &r.certificate.verdict;

	w->chain[1][0] = 2;
	w->chain[2][0] = 3;
	v->chain.count = 3;
	v->problems = 0;
	v->trust = (char *)"store";
	v->expires = NOW + 40 * DAY;
	v->expires_because[0] = 2;
	v->boundary = NOW + 40 * DAY + 1;
	OK(w, completion_answer(w->inventory, &r, &w->why));
}

/* What it would say where the stores that count do not hold the root, but another one does. */
static void answer_of_others(struct world *w, const char *place)
{
	struct record r = made(w, place, 1, "CN=leaf", "CN=Issuing CA", false);
	struct verdict *v = &r.certificate.verdict;
	struct store_verdict stores[] = {
		{ .store = (char *)"store", .expires = NOW + 40 * DAY },
		{ .store = (char *)"others",
			.problems = PROBLEM_BIT(PROBLEM_UNTRUSTED_ISSUER),
			.expires = TIME_UNKNOWN },
	};

	w->chain[1][0] = 2;
	v->chain.count = 2;
	v->problems = PROBLEM_BIT(PROBLEM_UNTRUSTED_ISSUER);
	v->stores = (struct store_verdicts){ stores, 2 };
	OK(w, completion_answer(w->inventory, &r, &w->why));
}

enum reply { ANSWER, CRASH, SILENCE };

static struct completion *questions(struct world *w)
{
	const struct completion_terms terms = {
		.context = w->context, .now = w->now, .options = &w->options
	};
	struct completion *c = NULL;

	OK(w, completion_new(w->inventory, &terms, &c, &w->why));
	return c;
}

/* Judges what is due; how many that were. `*last` (may be NULL) is the last case. */
static unsigned judge_due(struct world *w, enum reply reply, struct completion_case *last)
{
	struct completion *c = questions(w);
	static struct buffer bytes; /* the case borrows from it */
	char place[COMPLETION_PLACE_BYTES];
	struct completion_case given;
	uint8_t judging = 0;
	unsigned count = 0;
	enum err e;

	buffer_fini(&bytes);
	buffer_init(&bytes, COMPLETION_CASE_BYTES_MAX);
	while ((e = completion_next(c, place, &judging, &bytes, &w->why)) == ERR_OK) {
		count++;
		assert_int_equal(completion_case_decode(buffer_bytes(&bytes), &given), ERR_OK);
		assert_in_range(judging, 0, 1);
		if (reply == ANSWER && judging)
			answer_of_others(w, place);
		else if (reply == ANSWER)
			answer(w, place);
		if (reply == CRASH) {
			struct record r;

			OK(w, record_problem(&r, FILES, place, REASON_PARSER_CRASHED, NULL));
			OK(w, completion_answer(w->inventory, &r, &w->why));
			record_fini(&r);
		}
	}
	assert_int_equal(e, ERR_END);
	completion_free(c);
	OK(w, inventory_commit(w->inventory, &w->why));
	if (last)
		*last = given;
	else
		buffer_fini(&bytes);
	return count;
}

/* What is told of the leaf. */
struct told {
	uint32_t problems;
	int64_t expires;
	size_t chain;
	uint32_t stores[2]; /* the problems of each */
	bool is_trusted;
	enum status status;
};

static enum err on_sighting(void *arg, const struct sighting *s)
{
	const struct certificate_record *r = &s->record->certificate;
	struct told *told = arg;

	*told = (struct told){ .problems = r->verdict.problems,
		.expires = r->verdict.expires,
		.chain = r->verdict.chain.count,
		.is_trusted = r->verdict.trust != NULL,
		.status = record_status_at(r, &thresholds_default, NOW) };
	for (size_t n = 0; n < r->verdict.stores.count && n < 2; n++)
		told->stores[n] = r->verdict.stores.items[n].problems;
	return ERR_OK;
}

static struct told at(struct world *w, const char *uri)
{
	const uint8_t fingerprint[FINGERPRINT_BYTES] = { 1 };
	const struct inventory_filter filter = {
		.kind = RECORD_CERTIFICATE, .uri = uri, .fingerprint = fingerprint
	};
	struct told told = { 0 };

	OK(w, inventory_each(w->inventory, &filter, on_sighting, &told, &w->why));
	return told;
}

static struct told leaf(struct world *w)
{
	return at(w, LEAF_URI);
}

static void test_an_issuer_of_another_job_completes_a_chain(void **state)
{
	struct world *w = *state;
	struct completion_case given;
	struct told told;

	put_leaf(w, "a", false);
	assert_int_equal(judge_due(w, ANSWER, NULL), 0);
	assert_int_equal(leaf(w).problems, PROBLEM_BIT(PROBLEM_INCOMPLETE_CHAIN));
	/* Names are compared as RFC 5280 7.1 says. */
	put_ca(w, "b");
	assert_int_equal(judge_due(w, ANSWER, &given), 1);
	assert_memory_equal(given.leaf.data, "CN=leaf", given.leaf.size);
	assert_int_equal(given.count, 1);
	assert_memory_equal(given.candidates[0].data, "CN=issuing ca", given.candidates[0].size);
	told = leaf(w);
	assert_int_equal(told.problems, 0);
	assert_true(told.is_trusted);
	assert_int_equal(told.chain, 3);
	assert_int_equal(told.expires, NOW + 40 * DAY);
	assert_int_equal(told.status, STATUS_OK);
}

static void test_it_is_not_judged_again(void **state)
{
	struct world *w = *state;

	put_leaf(w, "a", false);
	put_ca(w, "b");
	assert_int_equal(judge_due(w, ANSWER, NULL), 1);
	for (int n = 0; n < 3; n++) {
		put_leaf(w, "a", false);
		assert_int_equal(judge_due(w, ANSWER, NULL), 0);
		put_ca(w, "b");
		assert_int_equal(judge_due(w, ANSWER, NULL), 0);
		assert_int_equal(leaf(w).problems, 0);
	}
	/* Until the clock, */
	w->now = NOW + 40 * DAY + 2;
	assert_int_equal(judge_due(w, ANSWER, NULL), 1);
	/* or trust changes. */
	w->now = NOW + DAY;
	assert_int_equal(judge_due(w, ANSWER, NULL), 0);
	w->context[0] = 1;
	assert_int_equal(judge_due(w, ANSWER, NULL), 1);
	assert_int_equal(judge_due(w, ANSWER, NULL), 0);
}

static void test_without_the_issuer_it_is_as_before(void **state)
{
	struct world *w = *state;

	put_leaf(w, "a", false);
	put_ca(w, "b");
	assert_int_equal(judge_due(w, ANSWER, NULL), 1);
	assert_int_equal(leaf(w).problems, 0);
	put_nothing(w, "b");
	assert_int_equal(judge_due(w, ANSWER, NULL), 0);
	assert_int_equal(leaf(w).problems, PROBLEM_BIT(PROBLEM_INCOMPLETE_CHAIN));
	assert_int_equal(leaf(w).chain, 1);
	put_ca(w, "b");
	assert_int_equal(judge_due(w, ANSWER, NULL), 1);
	assert_int_equal(leaf(w).problems, 0);
}

static void test_a_server_has_to_send_its_issuers(void **state)
{
	struct world *w = *state;
	struct completion_case given;
	struct told told;

	put_leaf(w, "a", true);
	put_ca(w, "b");
	assert_int_equal(judge_due(w, ANSWER, &given), 1);
	assert_int_equal(given.purpose, PURPOSE_SERVER);
	told = leaf(w);
	assert_int_equal(told.problems, PROBLEM_BIT(PROBLEM_INCOMPLETE_CHAIN));
	assert_int_equal(told.expires, NOW + 40 * DAY);
	assert_int_equal(told.chain, 3);
	assert_int_equal(told.status, STATUS_BROKEN);
}

static void test_what_the_place_knew_is_no_news(void **state)
{
	struct world *w = *state;
	struct record r = made(w, LEAF_URI, 1, "CN=leaf", "CN=Issuing CA", false);

	put_ca(w, "b");
	w->chain[0][0] = 1;
	w->chain[1][0] = 2;
	r.certificate.verdict.chain.count = 2;
	begin(w, "a");
	put(w, &r);
	end(w);
	assert_int_equal(judge_due(w, ANSWER, NULL), 0);
}

static void test_a_crash_is_not_repeated(void **state)
{
	struct world *w = *state;

	put_leaf(w, "a", false);
	put_ca(w, "b");
	assert_int_equal(judge_due(w, CRASH, NULL), 1);
	assert_int_equal(judge_due(w, CRASH, NULL), 0);
	assert_int_equal(leaf(w).problems, PROBLEM_BIT(PROBLEM_INCOMPLETE_CHAIN));
}

static void test_a_late_answer_to_an_older_question_is_dropped(void **state)
{
	struct world *w = *state;
	struct completion *c;
	struct buffer bytes;
	char place[COMPLETION_PLACE_BYTES];
	uint8_t judging;

	buffer_init(&bytes, COMPLETION_CASE_BYTES_MAX);
	put_leaf(w, "a", false);
	put_ca(w, "b");
	c = questions(w);
	OK(w, completion_next(c, place, &judging, &bytes, &w->why));
	completion_free(c);
	buffer_fini(&bytes);
	w->context[0] = 1;
	assert_int_equal(judge_due(w, SILENCE, NULL), 1);
	answer(w, place);
	assert_int_equal(leaf(w).problems, PROBLEM_BIT(PROBLEM_INCOMPLETE_CHAIN));
}

/* The same certificate, found by a job that trusts other stores. */
static void put_leaf_of_others(struct world *w, bool is_served)
{
	struct record r = made(w, "file:///opt/leaf.pem", 1, "CN=leaf", "CN=Issuing CA", false);
	struct store_verdict stores[] = {
		{ .store = (char *)"store", .problems = PROBLEM_BIT(PROBLEM_INCOMPLETE_CHAIN) },
		{ .store = (char *)"others", .problems = PROBLEM_BIT(PROBLEM_INCOMPLETE_CHAIN) },
	};

	r.certificate.is_served = is_served;
	r.certificate.verdict.judging = OTHERS;
	r.certificate.verdict.stores = (struct store_verdicts){ stores, 2 };
	begin(w, "o");
	put(w, &r);
	end(w);
}

static void test_jobs_read_verdicts_by_their_own_trust(void **state)
{
	struct world *w = *state;
	struct told told;

	put_leaf(w, "a", false);
	put_leaf_of_others(w, false);
	put_ca(w, "b");
	assert_int_equal(judge_due(w, ANSWER, NULL), 2);
	assert_int_equal(judge_due(w, ANSWER, NULL), 0);
	assert_int_equal(leaf(w).problems, 0);
	told = at(w, "file:///opt/leaf.pem");
	assert_false(told.is_trusted);
	assert_int_equal(told.problems, PROBLEM_BIT(PROBLEM_UNTRUSTED_ISSUER));
	assert_int_equal(told.chain, 2);
	/* What each store says is told by the chain that was found. */
	assert_int_equal(told.stores[0], 0);
	assert_int_equal(told.stores[1], PROBLEM_BIT(PROBLEM_UNTRUSTED_ISSUER));
}

static void test_stores_miss_what_a_server_does_not_send(void **state)
{
	struct world *w = *state;
	struct told told;

	put_leaf_of_others(w, true);
	put_ca(w, "b");
	assert_int_equal(judge_due(w, ANSWER, NULL), 1);
	told = at(w, "file:///opt/leaf.pem");
	for (size_t n = 0; n < 2; n++)
		assert_int_equal(told.stores[n], PROBLEM_BIT(PROBLEM_INCOMPLETE_CHAIN));
}

static void test_a_judging_that_is_gone_asks_nothing(void **state)
{
	struct world *w = *state;

	put_leaf_of_others(w, false);
	put_ca(w, "b");
	assert_int_equal(judge_due(w, ANSWER, NULL), 1);
	/* Another order of the configuration is the same trust. */
	w->judgings[0].id = OTHERS;
	w->judgings[1].id = OTHERS + 1;
	w->context[0] = 1;
	w->options.judgings_count = 1;
	assert_int_equal(judge_due(w, SILENCE, NULL), 1);
	w->context[0] = 2;
	w->judgings[0].id = OTHERS + 1;
	assert_int_equal(judge_due(w, ANSWER, NULL), 0);
	assert_int_equal(at(w, "file:///opt/leaf.pem").chain, 2);
}

/* ---- better paths -------------------------------------------------------------------------------- */

#define NEW_CA_URI "file:///srv/new.pem"

/* A leaf whose chain is whole by its own place: it ends with CA 2, before the leaf does, or not. */
static void put_whole(struct world *w, bool is_served, bool ends_early)
{
	struct record r = made(w, LEAF_URI, 1, "CN=leaf", "CN=Issuing CA", false);
	struct record ca = made(w, LEAF_URI, 2, "CN=Issuing CA", "CN=Root", true);
	struct verdict *v = &r.certificate.verdict;

	begin(w, "a");
	ca.location.index = 1;
	ca.certificate.is_served = is_served;
	ca.certificate.verdict.problems = 0;
	put(w, &ca);
	w->chain[0][0] = 1;
	w->chain[1][0] = 2;
	w->chain[2][0] = 3;
	v->chain.count = 3;
	v->problems = 0;
	v->trust = (char *)"store";
	v->expires = ends_early ? NOW + 40 * DAY : r.certificate.facts.not_after;
	v->expires_because[0] = ends_early ? 2 : 1;
	r.certificate.is_served = is_served;
	put(w, &r);
	end(w);
}

/* Another certificate of the same CA. */
static void put_new_ca(struct world *w)
{
	struct record r = made(w, NEW_CA_URI, 4, "CN=Issuing CA", "CN=Root", true);

	begin(w, "b");
	put(w, &r);
	end(w);
}

/* Those are revoked; 0 for none. */
static void revoke_them(struct world *w, uint8_t one, uint8_t other)
{
	struct revocation_result results[] = {
		{ .fingerprint = { one }, .status = REVOCATION_REVOKED, .revoked_at = NOW - DAY },
		{ .fingerprint = { other }, .status = REVOCATION_REVOKED, .revoked_at = NOW - DAY },
	};
	struct record r = { .kind = RECORD_REVOCATION };

	r.location.scanner = (char *)"revocation";
	r.location.uri = (char *)"http://ca.example/list";
	r.revocation = (struct revocation_record){ .this_update = NOW - DAY,
		.next_update = NOW + DAY,
		.results = results,
		.count = other ? 2 : 1 };
	OK(w, inventory_pass_begin(w->inventory, "revocation", "r", w->now, &w->pass, &w->why));
	put(w, &r);
	end(w);
}

/* What is due is judged, and the path found leads over this CA until then. */
static unsigned judge_over(struct world *w, uint8_t ca, int64_t expires, size_t *shunned)
{
	struct completion *c = questions(w);
	struct buffer bytes;
	char place[COMPLETION_PLACE_BYTES];
	struct completion_case given;
	uint8_t judging = 0;
	unsigned count = 0;

	buffer_init(&bytes, COMPLETION_CASE_BYTES_MAX);
	while (completion_next(c, place, &judging, &bytes, &w->why) == ERR_OK) {
		struct record r = made(w, place, 1, "CN=leaf", "CN=Issuing CA", false);
		struct verdict *v = &r.certificate.verdict;

		count++;
		assert_int_equal(completion_case_decode(buffer_bytes(&bytes), &given), ERR_OK);
		assert_int_equal(given.leaf.size, strlen("CN=leaf"));
		if (shunned)
			*shunned = given.shunned;
		w->chain[1][0] = ca;
		w->chain[2][0] = 3;
		v->chain.count = 3;
		v->problems = 0;
		v->trust = (char *)"store";
		v->expires = expires;
		v->expires_because[0] = ca;
		OK(w, completion_answer(w->inventory, &r, &w->why));
	}
	completion_free(c);
	buffer_fini(&bytes);
	OK(w, inventory_commit(w->inventory, &w->why));
	return count;
}

static void test_a_path_that_ends_early_is_looked_for_again(void **state)
{
	struct world *w = *state;

	put_whole(w, false, true);
	assert_int_equal(judge_over(w, 4, NOW + 80 * DAY, NULL), 0);
	put_new_ca(w);
	assert_int_equal(judge_over(w, 4, NOW + 80 * DAY, NULL), 1);
	assert_int_equal(leaf(w).expires, NOW + 80 * DAY);
	assert_int_equal(leaf(w).problems, 0);
	for (int n = 0; n < 2; n++) {
		put_whole(w, false, true);
		put_new_ca(w);
		assert_int_equal(judge_over(w, 4, NOW + 80 * DAY, NULL), 0);
		assert_int_equal(leaf(w).expires, NOW + 80 * DAY);
	}
	put_nothing(w, "b");
	assert_int_equal(judge_over(w, 4, NOW + 80 * DAY, NULL), 0);
	assert_int_equal(leaf(w).expires, NOW + 40 * DAY);
}

static void test_no_worse_path_is_taken(void **state)
{
	struct world *w = *state;

	put_whole(w, false, true);
	put_new_ca(w);
	assert_int_equal(judge_over(w, 4, NOW + 30 * DAY, NULL), 1);
	assert_int_equal(leaf(w).expires, NOW + 40 * DAY);
}

static void test_a_path_as_long_as_its_leaf_is_left_alone(void **state)
{
	struct world *w = *state;

	put_whole(w, false, false);
	put_new_ca(w);
	assert_int_equal(judge_over(w, 4, NOW + 90 * DAY, NULL), 0);
}

static void test_a_revoked_ca_is_gone_around(void **state)
{
	struct world *w = *state;
	size_t shunned = 0;

	put_whole(w, false, false);
	revoke_them(w, 2, 0);
	assert_int_equal(judge_over(w, 4, NOW + 80 * DAY, NULL), 0);
	assert_int_equal(leaf(w).problems, PROBLEM_BIT(PROBLEM_REVOKED));
	put_new_ca(w);
	assert_int_equal(judge_over(w, 4, NOW + 80 * DAY, &shunned), 1);
	assert_int_equal(shunned, 1);
	assert_int_equal(leaf(w).problems, 0);
	assert_int_equal(leaf(w).expires, NOW + 80 * DAY);
	assert_int_equal(judge_over(w, 4, NOW + 80 * DAY, NULL), 0);
	/* Where that one falls too, nothing is left but what the place knew. */
	revoke_them(w, 2, 4);
	assert_int_equal(leaf(w).problems, PROBLEM_BIT(PROBLEM_REVOKED));
	assert_int_equal(judge_over(w, 4, NOW + 80 * DAY, NULL), 0);
	assert_int_equal(leaf(w).problems, PROBLEM_BIT(PROBLEM_REVOKED));
	assert_int_equal(leaf(w).expires, NOW + 90 * DAY);
}

static void test_a_way_around_over_what_is_revoked_is_none(void **state)
{
	struct world *w = *state;

	put_whole(w, false, false);
	put_new_ca(w);
	revoke_them(w, 2, 0);
	assert_int_equal(judge_over(w, 2, NOW + 80 * DAY, NULL), 1);
	assert_int_equal(leaf(w).problems, PROBLEM_BIT(PROBLEM_REVOKED));
}

static void test_clients_go_around_only_over_what_was_sent(void **state)
{
	struct world *w = *state;
	struct record other = made(w, LEAF_URI, 4, "CN=Issuing CA", "CN=Root", true);

	put_whole(w, true, false);
	put_new_ca(w);
	revoke_them(w, 2, 0);
	assert_int_equal(judge_over(w, 4, NOW + 80 * DAY, NULL), 0);
	assert_int_equal(leaf(w).problems, PROBLEM_BIT(PROBLEM_REVOKED));
	/* Now it sends that one, too. */
	put_whole(w, true, false);
	begin(w, "a");
	OK(w, inventory_keep(
		      w->inventory, w->pass, &(struct keep){ .uri = LEAF_URI }, NULL, &w->why));
	other.location.index = 2;
	other.certificate.is_served = true;
	put(w, &other);
	end(w);
	assert_int_equal(judge_over(w, 4, NOW + 80 * DAY, NULL), 1);
	assert_int_equal(leaf(w).problems, 0);
}

static void test_namesakes_are_bounded(void **state)
{
	struct world *w = *state;
	struct completion_case given;

	put_ca(w, "b");
	begin(w, "c");
	for (uint8_t n = 0; n < 200; n++) {
		struct record r = made(w, "file:///flood.pem", (uint8_t)(10 + n), "CN=Issuing CA",
			"CN=Issuing CA", true);

		r.location.index = n;
		put(w, &r);
	}
	end(w);
	put_leaf(w, "a", false);
	judge_due(w, ANSWER, &given);
	assert_in_range(given.count, 1, COMPLETION_CANDIDATES_MAX);
	/* The one known longest is among them. */
	assert_int_equal(leaf(w).problems, 0);
}

static void test_loops_end(void **state)
{
	struct world *w = *state;
	struct completion_case given;
	struct record r;

	begin(w, "b");
	r = made(w, CA_URI, 2, "CN=Issuing CA", "CN=Other CA", true);
	put(w, &r);
	r = made(w, "file:///b.pem", 3, "CN=Other CA", "CN=Issuing CA", true);
	put(w, &r);
	end(w);
	put_leaf(w, "a", false);
	/* The leaf and both CAs, which lack an issuer too. */
	assert_int_equal(judge_due(w, SILENCE, &given), 3);
}

/* But for one. */
static void fill_pool(struct world *w)
{
	sqlite3_stmt *fill = NULL;

	OK(w, store_prepare(w->store,
		      "WITH RECURSIVE n(i) AS (SELECT 1000 UNION ALL SELECT i+1 FROM n WHERE i<50998)"
		      " INSERT INTO pool(certificate,is_ca,der) SELECT i,1,x'00' FROM n",
		      &fill, &w->why));
	assert_int_equal(sqlite3_step(fill), SQLITE_DONE);
	sqlite3_finalize(fill);
}

static void test_a_full_pool_is_said(void **state)
{
	struct world *w = *state;
	struct record r = made(w, CA_URI, 2, "CN=issuing ca", "CN=Root", true);
	struct record kept = made(w, "file:///kept.pem", 9, "CN=Kept", "CN=Root", true);

	fill_pool(w);
	begin(w, "c");
	put(w, &kept);
	end(w);
	begin(w, "b");
	put(w, &kept);
	assert_false(inventory_left_out(w->inventory));
	put(w, &r);
	assert_true(inventory_left_out(w->inventory));
	assert_false(inventory_left_out(w->inventory));
	end(w);
	/* There is room for those that miss an issuer; but the CA is not at hand. */
	begin(w, "a");
	r = made(w, LEAF_URI, 1, "CN=leaf", "CN=Issuing CA", false);
	put(w, &r);
	assert_false(inventory_left_out(w->inventory));
	end(w);
	assert_int_equal(judge_due(w, ANSWER, NULL), 0);
}

static void test_foreign_answers_are_refused(void **state)
{
	struct world *w = *state;
	static const char *const places[] = { "file:///x", "completion:", "completion:00",
		"completion:zz00000000000000000000000000000000000000000000000000000000000000" };

	for (size_t n = 0; n < sizeof(places) / sizeof(places[0]); n++) {
		struct record r = made(w, places[n], 1, "CN=leaf", "CN=Issuing CA", false);

		assert_int_equal(completion_answer(w->inventory, &r, &w->why), ERR_MALFORMED);
	}
}

static void test_cases_from_hostile_bytes(void **state)
{
	struct completion_case given = { .purpose = PURPOSE_ANY, .leaf = slice_of("leaf", 4) };
	struct completion_case back;
	struct buffer bytes;

	(void)state;
	given.candidates[given.count++] = slice_of("ca", 2);
	given.shunned = 1;
	buffer_init(&bytes, COMPLETION_CASE_BYTES_MAX);
	completion_case_encode(&bytes, &given);
	for (size_t size = 0; size < bytes.size; size++)
		assert_int_equal(
			completion_case_decode(slice_of(bytes.data, size), &back), ERR_MALFORMED);
	assert_int_equal(completion_case_decode(buffer_bytes(&bytes), &back), ERR_OK);
	assert_memory_equal(back.candidates[0].data, "ca", 2);
	assert_int_equal(back.shunned, 1);
	bytes.data[0] = PURPOSE_COUNT;
	assert_int_equal(completion_case_decode(buffer_bytes(&bytes), &back), ERR_MALFORMED);
	bytes.data[0] = PURPOSE_ANY;
	bytes.data[1 + 4 + 4] = 0xff;
	assert_int_equal(completion_case_decode(buffer_bytes(&bytes), &back), ERR_MALFORMED);
	given.shunned = 2;
	buffer_clear(&bytes);
	completion_case_encode(&bytes, &given);
	assert_int_equal(completion_case_decode(buffer_bytes(&bytes), &back), ERR_MALFORMED);
	buffer_fini(&bytes);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_an_issuer_of_another_job_completes_a_chain),
		TEST(test_it_is_not_judged_again),
		TEST(test_without_the_issuer_it_is_as_before),
		TEST(test_a_server_has_to_send_its_issuers),
		TEST(test_what_the_place_knew_is_no_news),
		TEST(test_a_crash_is_not_repeated),
		TEST(test_a_late_answer_to_an_older_question_is_dropped),
		TEST(test_jobs_read_verdicts_by_their_own_trust),
		TEST(test_stores_miss_what_a_server_does_not_send),
		TEST(test_a_judging_that_is_gone_asks_nothing),
		TEST(test_a_path_that_ends_early_is_looked_for_again),
		TEST(test_no_worse_path_is_taken),
		TEST(test_a_path_as_long_as_its_leaf_is_left_alone),
		TEST(test_a_revoked_ca_is_gone_around),
		TEST(test_a_way_around_over_what_is_revoked_is_none),
		TEST(test_clients_go_around_only_over_what_was_sent),
		TEST(test_namesakes_are_bounded),
		TEST(test_loops_end),
		TEST(test_a_full_pool_is_said),
		TEST(test_foreign_answers_are_refused),
		cmocka_unit_test(test_cases_from_hostile_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
