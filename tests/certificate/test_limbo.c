/* The cases of x509-limbo and bettertls, judged by the scan's own code at its strictest, beside what GnuTLS
 * alone says. Prints a table; asserts what each group must reach. Skips where the vectors are absent. */
#include "agent/certificate/judge.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cjson/cJSON.h>
#include <cmocka.h>
#include <gnutls/x509.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "tests/certificate/vectors.h"

#define FILE_BYTES_MAX (256 * 1024 * 1024)
#define CERTIFICATES_MAX 256
#define GROUPS_MAX 32

/* The bound is on processor time; sanitizers cost some tenfold. */
#if defined(__SANITIZE_ADDRESS__) || !defined(__OPTIMIZE__)
#define CASE_MS_MAX 2500
#else
#define CASE_MS_MAX 250
#endif

struct group {
	const char *name;
	unsigned needed; /* right ones, of the cases given */
	bool is_core;    /* counts for false rejects */
	unsigned cases;
	unsigned right;
	unsigned linted; /* wrong, but seen in the lint */
	unsigned false_accepts;
	unsigned false_rejects;
	unsigned gnutls_right;
	double slowest_ms;
};

static struct group groups[GROUPS_MAX] = {
	{ .name = "bettertls::pathbuilding", .needed = 46 },
	{ .name = "bettertls::nameconstraints", .needed = 479 },
	{ .name = "online", .needed = 9, .is_core = true },
	{ .name = "rfc5280", .needed = 58, .is_core = true },
	{ .name = "pathlen", .needed = 10, .is_core = true },
	{ .name = "pathological", .needed = 8, .is_core = true },
	{ .name = "crl", .needed = 4, .is_core = true },
	{ .name = "cve", .needed = 3, .is_core = true },
	{ .name = "webpki", .needed = 0, .is_core = true },
	{ .name = "other", .needed = 0, .is_core = true },
};

/* One case, parsed. */
struct given {
	const char *id;
	bool is_good;
	const char *name;
	enum name_kind kind;
	enum purpose purpose;
	int64_t at;
	int depth; /* or -1 */
	gnutls_datum_t anchors[CERTIFICATES_MAX];
	size_t anchors_count;
	gnutls_datum_t others[CERTIFICATES_MAX];
	size_t others_count;
	gnutls_datum_t leaf;
	gnutls_datum_t crls[CERTIFICATES_MAX];
	size_t crls_count;
};

static const char *text_of(const cJSON *object, const char *key)
{
	return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, key));
}

static gnutls_datum_t from_pem(const char *pem)
{
	const gnutls_datum_t in = { (unsigned char *)(uintptr_t)pem, (unsigned)strlen(pem) };
	gnutls_datum_t out;

	assert_int_equal(gnutls_pem_base64_decode2(NULL, &in, &out), 0);
	return out;
}

static size_t read_pems(const cJSON *object, const char *key, gnutls_datum_t out[CERTIFICATES_MAX])
{
	const cJSON *item;
	size_t count = 0;

	cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(object, key))
	{
		assert_true(count < CERTIFICATES_MAX);
		out[count++] = from_pem(cJSON_GetStringValue(item));
	}
	return count;
}

static void read_case(const cJSON *json, struct given *g)
{
	const cJSON *peer = cJSON_GetObjectItemCaseSensitive(json, "expected_peer_name");
	const cJSON *depth = cJSON_GetObjectItemCaseSensitive(json, "max_chain_depth");
	const cJSON *usage =
		cJSON_GetArrayItem(cJSON_GetObjectItemCaseSensitive(json, "extended_key_usage"), 0);
	const char *at = text_of(json, "validation_time");
	const char *kind = text_of(json, "validation_kind");

	*g = (struct given){ .id = text_of(json, "id"), .depth = -1 };
	g->is_good = strcmp(text_of(json, "expected_result"), "SUCCESS") == 0;
	g->name = cJSON_IsObject(peer) ? text_of(peer, "value") : NULL;
	if (g->name && strcmp(text_of(peer, "kind"), "RFC822") == 0)
		g->kind = NAME_EMAIL;
	g->purpose = strcmp(kind, "CLIENT") == 0 ? PURPOSE_CLIENT : PURPOSE_SERVER;
	if (cJSON_IsString(usage) && strcmp(usage->valuestring, "clientAuth") == 0)
		g->purpose = PURPOSE_CLIENT;
	if (cJSON_IsNumber(depth))
		g->depth = depth->valueint;
	g->at = time(NULL);
	if (at)
		assert_int_equal(time_parse(at, &g->at), ERR_OK);
	g->anchors_count = read_pems(json, "trusted_certs", g->anchors);
	g->others_count = read_pems(json, "untrusted_intermediates", g->others);
	g->crls_count = read_pems(json, "crls", g->crls);
	g->leaf = from_pem(text_of(json, "peer_certificate"));
}

static void free_all(gnutls_datum_t *items, size_t count)
{
	for (size_t i = 0; i < count; i++)
		gnutls_free(items[i].data);
}

static void given_fini(struct given *g)
{
	free_all(g->anchors, g->anchors_count);
	free_all(g->others, g->others_count);
	free_all(g->crls, g->crls_count);
	free_all(&g->leaf, 1);
}

static double cpu_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

/* --- ours ---------------------------------------------------------------------------------------- */

struct outcome {
	bool is_valid;
	double ms;
	uint32_t problems;
	struct rules violations;
	struct rules lint;
};

static struct outcome judge_case(const struct given *g)
{
	struct parsed_certificate parsed[CERTIFICATES_MAX + 1];
	const struct parsed_certificate *candidates[CERTIFICATES_MAX];
	struct judge_question q = { .name_kind = g->kind,
		.server_name = g->name,
		.purpose = g->purpose,
		.is_strict = true,
		.intermediates_limit = (unsigned)(g->depth + 1),
		.candidates = candidates,
		.now = g->at };
	struct outcome out = { .problems = UINT32_MAX };
	struct crl crls[CERTIFICATES_MAX];
	struct trust *trust;
	struct verdict v;
	size_t count = 0;
	double from;

	assert_int_equal(trust_new(&trust), ERR_OK);
	for (size_t i = 0; i < g->anchors_count; i++)
		assert_int_equal(
			trust_add(trust, "limbo", false,
				slice_of(g->anchors[i].data, g->anchors[i].size), NULL, NULL, NULL),
			ERR_OK);
	from = cpu_ms();
	for (size_t i = 0; i < g->others_count; i++)
		if (certificate_parse(slice_of(g->others[i].data, g->others[i].size),
			    &parsed[count], NULL, NULL) == ERR_OK) {
			candidates[count] = &parsed[count];
			count++;
		}
	q.candidates_count = count;
	q.crls = crls;
	for (size_t i = 0; i < g->crls_count; i++)
		if (crl_parse(slice_of(g->crls[i].data, g->crls[i].size), &crls[q.crls_count], NULL,
			    NULL) == ERR_OK)
			q.crls_count++;
	if (g->crls_count)
		q.revocation = REVOCATION_GIVEN;
	if (certificate_parse(slice_of(g->leaf.data, g->leaf.size), &parsed[count], NULL, NULL) ==
		ERR_OK) {
		q.leaf = &parsed[count];
		assert_int_equal(judge(trust, NULL, &q, &v), ERR_OK);
		out.is_valid = verdict_is_valid_at(&v, g->at);
		out.problems = v.problems;
		out.violations = v.violations;
		out.lint = rules_of_level(&v.lint, RULE_LINT);
		/* Test certificates live long: that must not pass for having seen what is wrong. */
		out.lint.bits[RULE_LONG_LIFE / 64] &= ~(UINT64_C(1) << RULE_LONG_LIFE % 64);
		verdict_fini(&v);
		parsed_certificate_fini(&parsed[count]);
	}
	out.ms = cpu_ms() - from;
	while (count)
		parsed_certificate_fini(&parsed[--count]);
	trust_free(trust);
	return out;
}

/* --- GnuTLS alone -------------------------------------------------------------------------------- */

static gnutls_x509_crt_t crt_of(const gnutls_datum_t *der)
{
	gnutls_x509_crt_t crt;

	assert_int_equal(gnutls_x509_crt_init(&crt), 0);
	if (gnutls_x509_crt_import(crt, der, GNUTLS_X509_FMT_DER) == 0)
		return crt;
	gnutls_x509_crt_deinit(crt);
	return NULL;
}

static void list_add_crls(gnutls_x509_trust_list_t list, const struct given *g)
{
	for (size_t i = 0; i < g->crls_count; i++) {
		gnutls_x509_crl_t crl;

		assert_int_equal(gnutls_x509_crl_init(&crl), 0);
		if (gnutls_x509_crl_import(crl, &g->crls[i], GNUTLS_X509_FMT_DER) != 0 ||
			gnutls_x509_trust_list_add_crls(list, &crl, 1, GNUTLS_TL_VERIFY_CRL, 0) !=
				1)
			gnutls_x509_crl_deinit(crl);
	}
}

/* GnuTLS leaks what a malformed name constraint held. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define IS_ASAN 1
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define IS_ASAN 1
#endif
#if defined(IS_ASAN)
#include <sanitizer/lsan_interface.h>
#define LEAKS_OFF() __lsan_disable()
#define LEAKS_ON() __lsan_enable()
#else
#define LEAKS_OFF() ((void)0)
#define LEAKS_ON() ((void)0)
#endif

static unsigned list_verify(gnutls_x509_trust_list_t list, const struct given *g,
	gnutls_x509_crt_t *chain, unsigned count)
{
	gnutls_typed_vdata_st data[2] = { { 0 } };
	unsigned status = ~0u;
	unsigned used = 0;

	data[used].type = GNUTLS_DT_KEY_PURPOSE_OID;
	data[used++].data = (unsigned char *)(uintptr_t)(g->purpose == PURPOSE_CLIENT
								 ? GNUTLS_KP_TLS_WWW_CLIENT
								 : GNUTLS_KP_TLS_WWW_SERVER);
	if (g->name && g->kind == NAME_HOST) {
		data[used].type = GNUTLS_DT_DNS_HOSTNAME;
		data[used++].data = (unsigned char *)(uintptr_t)g->name;
	}
	LEAKS_OFF();
	gnutls_x509_trust_list_verify_crt2(list, chain, count, data, used,
		GNUTLS_PROFILE_TO_VFLAGS(GNUTLS_PROFILE_MEDIUM), &status, NULL);
	LEAKS_ON();
	return status;
}

static time_t pinned;

static time_t pinned_time(time_t *t)
{
	if (t)
		*t = pinned;
	return pinned;
}

static bool gnutls_says(const struct given *g)
{
	gnutls_x509_trust_list_t list;
	gnutls_x509_crt_t chain[CERTIFICATES_MAX + 1];
	unsigned count = 0;
	bool is_valid;

	pinned = g->at;
	gnutls_global_set_time_function(pinned_time);
	assert_int_equal(gnutls_x509_trust_list_init(&list, 0), 0);
	for (size_t i = 0; i < g->anchors_count; i++) {
		gnutls_x509_crt_t ca = crt_of(&g->anchors[i]);

		if (ca && gnutls_x509_trust_list_add_cas(list, &ca, 1, 0) != 1)
			gnutls_x509_crt_deinit(ca);
	}
	list_add_crls(list, g);
	chain[count] = crt_of(&g->leaf);
	if (!chain[count]) {
		gnutls_x509_trust_list_deinit(list, 1);
		return false;
	}
	count++;
	for (size_t i = 0; i < g->others_count; i++)
		if ((chain[count] = crt_of(&g->others[i])))
			count++;
	is_valid = list_verify(list, g, chain, count) == 0;
	while (count)
		gnutls_x509_crt_deinit(chain[--count]);
	gnutls_x509_trust_list_deinit(list, 1);
	return is_valid;
}

/* --- the table ----------------------------------------------------------------------------------- */

static struct group *group_of(const char *id)
{
	struct group *g = groups;

	for (; strcmp(g->name, "other") != 0; g++) {
		size_t size = strlen(g->name);

		if (strncmp(id, g->name, size) == 0 && strncmp(id + size, "::", 2) == 0)
			break;
	}
	return g;
}

static void tell(const struct given *g, const struct outcome *o, bool gnutls)
{
	print_message("  %s %s%s:", o->is_valid ? "accepted" : "rejected", g->id,
		gnutls == g->is_good ? " (GnuTLS is right)" : "");
	for (int i = 0; i < PROBLEM_COUNT; i++)
		if (o->problems & PROBLEM_BIT(i))
			print_message(" %s", problem_word((enum problem)i));
	for (int i = 0; i < RULE_COUNT; i++)
		if (rules_have(&o->violations, (enum rule)i) || rules_have(&o->lint, (enum rule)i))
			print_message(" %s", rule_word((enum rule)i));
	print_message("\n");
}

static unsigned run_case(const cJSON *json)
{
	static struct given g;
	struct outcome o;
	struct group *group;
	bool gnutls;
	bool is_right;

	read_case(json, &g);
	group = group_of(g.id);
	o = judge_case(&g);
	gnutls = gnutls_says(&g);
	is_right = o.is_valid == g.is_good;
	group->cases++;
	group->right += is_right;
	group->gnutls_right += gnutls == g.is_good;
	group->false_accepts += !is_right && o.is_valid;
	group->false_rejects += !is_right && !o.is_valid;
	group->linted += !is_right && o.is_valid && !rules_are_empty(&o.lint);
	if (o.ms > group->slowest_ms)
		group->slowest_ms = o.ms;
	if (!is_right)
		tell(&g, &o, gnutls);
	given_fini(&g);
	return !is_right && gnutls == g.is_good;
}

static cJSON *load(const char *path)
{
	FILE *f = fopen(path, "re");
	char *text = NULL;
	size_t room = 0;
	cJSON *json;

	assert_non_null(f);
	assert_true(getdelim(&text, &room, 0, f) > 0);
	(void)fclose(f);
	json = cJSON_Parse(text);
	free(text);
	assert_non_null(json);
	return json;
}

static void check_groups(unsigned worse)
{
	unsigned rejects = 0;

	print_message("%-28s %6s %6s %7s %7s %7s %7s %9s\n", "group", "cases", "right", "linted",
		"accept", "reject", "GnuTLS", "slowest");
	for (struct group *g = groups; g->name; g++) {
		if (!g->cases)
			continue;
		print_message("%-28s %6u %6u %7u %7u %7u %7u %6.1f ms\n", g->name, g->cases,
			g->right, g->linted, g->false_accepts, g->false_rejects, g->gnutls_right,
			g->slowest_ms);
		if (g->is_core)
			rejects += g->false_rejects;
	}
	for (struct group *g = groups; g->name; g++) {
		assert_true(g->right >= g->needed);
		assert_true(g->slowest_ms <= CASE_MS_MAX);
		/* What the CA/Browser Forum alone forbids is told, if not as a fault. */
		if (strcmp(g->name, "webpki") == 0)
			assert_int_equal(g->right + g->linted, g->cases);
	}
	assert_true(rejects <= 1);
	assert_int_equal(worse, 0);
}

static void test_limbo(void **state)
{
	char path[VECTORS_PATH_MAX];
	unsigned worse = 0;
	const cJSON *item;
	cJSON *json;

	(void)state;
	if (!vectors_find("x509-limbo", "limbo-given.json", path)) {
		print_message("skipped: set LEAFWATCH_VECTORS to the vectors' archive\n");
		skip();
	}
	json = load(path);
	cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(json, "testcases")) worse +=
		run_case(item);
	cJSON_Delete(json);
	check_groups(worse);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_limbo) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
