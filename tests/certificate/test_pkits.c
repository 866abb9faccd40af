/* NIST's PKITS: each end entity whose test needs only what is claimed must be judged as the suite says. Prints
 * a table of what is not claimed. Skips where the vectors are absent. */
#include "agent/certificate/der.h"
#include "agent/certificate/dn.h"
#include "agent/certificate/judge.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <string.h>
#include <sys/stat.h>

#include "tests/certificate/vectors.h"

#define FILES_MAX 1024
#define CERTIFICATES_MAX 2048
#define FILE_BYTES_MAX 65536
/* Within all validity periods and CRL windows that are meant to hold. */
#define AT "2026-01-01T00:00:00Z"

struct file {
	char *name;
	uint8_t *bytes;
	size_t size;
};

struct folder {
	struct file files[FILES_MAX];
	size_t count;
};

static const char *const unclaimed[][2] = {
	{ "deltaCRL", "delta CRLs" },
	{ "indirectCRL", "indirect CRLs" },
	{ "cRLIssuer", "CRLs of another issuer (indirect)" },
	{ "DSAParameterInheritance", "DSA parameters inherited from the issuer" },
};

/* Tests whose name does not tell; with any policy acceptable and none required by the user. */
static const char *const invalid[] = { "DifferentPoliciesTest4EE", "DifferentPoliciesTest5EE",
	"DifferentPoliciesTest7EE", "DifferentPoliciesTest8EE", "DifferentPoliciesTest9EE",
	"DifferentPoliciesTest12EE" };

static void folder_read(const char *path, struct folder *out)
{
	DIR *folder = opendir(path);
	const struct dirent *entry;

	assert_non_null(folder);
	out->count = 0;
	while ((entry = readdir(folder))) {
		struct file *f = &out->files[out->count];
		char name[VECTORS_PATH_MAX + 300];
		FILE *from;

		if (entry->d_name[0] == '.' || out->count == FILES_MAX)
			continue;
		(void)snprintf(name, sizeof(name), "%s/%s", path, entry->d_name);
		from = fopen(name, "re");
		assert_non_null(from);
		f->bytes = malloc(FILE_BYTES_MAX);
		assert_non_null(f->bytes);
		f->size = fread(f->bytes, 1, FILE_BYTES_MAX, from);
		(void)fclose(from);
		f->name = strdup(entry->d_name);
		assert_non_null(f->name);
		*strchrnul(f->name, '.') = 0;
		out->count++;
	}
	(void)closedir(folder);
}

static void folder_fini(struct folder *f)
{
	for (size_t i = 0; i < f->count; i++) {
		free(f->files[i].name);
		free(f->files[i].bytes);
	}
}

struct suite {
	struct folder certificates;
	struct folder pairs;
	struct folder lists;
	struct parsed_certificate parsed[CERTIFICATES_MAX];
	const struct parsed_certificate *candidates[CERTIFICATES_MAX];
	const char *names[CERTIFICATES_MAX];
	size_t count;
	struct crl crls[FILES_MAX];
	size_t crls_count;
	struct trust *trust;
};

static bool ends_with(const char *text, const char *end)
{
	size_t size = strlen(text);

	return size >= strlen(end) && strcmp(text + size - strlen(end), end) == 0;
}

/* CrossCertificatePair ::= SEQUENCE { [0] issuedToThisCA, [1] issuedByThisCA }: CAs that the folder of
 * certificates lacks. */
static void read_pair(struct suite *s, const struct file *f)
{
	struct slice left = slice_of(f->bytes, f->size);
	struct der_item pair;
	struct der_item one;

	if (!der_take(&left, DER_SEQUENCE, &pair))
		return;
	while (s->count < CERTIFICATES_MAX && der_next(&pair.content, &one))
		if (certificate_parse(one.content, &s->parsed[s->count], NULL, NULL) == ERR_OK) {
			s->candidates[s->count] = &s->parsed[s->count];
			s->names[s->count++] = f->name;
		}
}

static void suite_read(struct suite *s, const char *root)
{
	char path[VECTORS_PATH_MAX + 16];

	assert_int_equal(trust_new(&s->trust), ERR_OK);
	(void)snprintf(path, sizeof(path), "%s/certs", root);
	folder_read(path, &s->certificates);
	(void)snprintf(path, sizeof(path), "%s/certpairs", root);
	folder_read(path, &s->pairs);
	(void)snprintf(path, sizeof(path), "%s/crls", root);
	folder_read(path, &s->lists);
	for (size_t i = 0; i < s->certificates.count; i++) {
		const struct file *f = &s->certificates.files[i];
		struct slice der = slice_of(f->bytes, f->size);

		if (strcmp(f->name, "TrustAnchorRootCertificate") == 0)
			assert_int_equal(
				trust_add(s->trust, "PKITS", false, der, NULL, NULL, NULL), ERR_OK);
		if (certificate_parse(der, &s->parsed[s->count], NULL, NULL) != ERR_OK) {
			print_message("  not parsed: %s\n", f->name);
			continue;
		}
		s->candidates[s->count] = &s->parsed[s->count];
		s->names[s->count++] = f->name;
	}
	for (size_t i = 0; i < s->pairs.count; i++)
		read_pair(s, &s->pairs.files[i]);
	for (size_t i = 0; i < s->lists.count; i++)
		if (crl_parse(slice_of(s->lists.files[i].bytes, s->lists.files[i].size),
			    &s->crls[s->crls_count], NULL, NULL) == ERR_OK)
			s->crls_count++;
}

static void suite_fini(struct suite *s)
{
	for (size_t i = 0; i < s->count; i++)
		parsed_certificate_fini(&s->parsed[i]);
	folder_fini(&s->certificates);
	folder_fini(&s->pairs);
	folder_fini(&s->lists);
	trust_free(s->trust);
}

static bool is_expected(const char *name)
{
	for (size_t i = 0; i < sizeof(invalid) / sizeof(*invalid); i++)
		if (strcmp(invalid[i], name) == 0)
			return false;
	return strncmp(name, "Invalid", 7) != 0;
}

static const char *why_unclaimed(const char *name)
{
	for (size_t i = 0; i < sizeof(unclaimed) / sizeof(*unclaimed); i++)
		if (strstr(name, unclaimed[i][0]))
			return unclaimed[i][1];
	return NULL;
}

static bool is_valid(
	struct suite *s, size_t i, int64_t at, enum revocation_mode mode, struct verdict *v)
{
	const struct judge_question q = { .leaf = s->candidates[i],
		.candidates = s->candidates,
		.candidates_count = s->count,
		.crls = s->crls,
		.crls_count = s->crls_count,
		.revocation = mode,
		.now = at };

	assert_int_equal(judge(s->trust, NULL, &q, v), ERR_OK);
	/* DSA is weak, and that is not what the suite asks. */
	v->problems &= ~(PROBLEM_BIT(PROBLEM_WEAK_KEY) | PROBLEM_BIT(PROBLEM_WEAK_SIGNATURE));
	return verdict_is_valid_at(v, at);
}

static const struct parsed_certificate *candidate_of(
	const struct suite *s, const uint8_t *fingerprint)
{
	for (size_t i = 0; i < s->count; i++)
		if (memcmp(s->candidates[i]->facts.fingerprint, fingerprint, FINGERPRINT_BYTES) ==
			0)
			return s->candidates[i];
	return NULL;
}

/* The vectors hold a part of the suite: is the issuer of the chain's end not in them? */
static bool lacks_issuer(const struct suite *s, const struct verdict *v)
{
	const struct parsed_certificate *last;

	if (!(v->problems & PROBLEM_BIT(PROBLEM_INCOMPLETE_CHAIN)))
		return false;
	last = candidate_of(s, v->chain.items[v->chain.count - 1]);
	assert_non_null(last);
	for (size_t i = 0; i < s->count; i++)
		if (dn_equal(s->candidates[i]->subject, last->issuer))
			return false;
	return true;
}

/* Is there a certificate in the chain of whose issuer the vectors hold no list? */
static bool lacks_list(const struct suite *s, const struct verdict *v)
{
	for (size_t i = 0; i + 1 < v->chain.count; i++) {
		const struct parsed_certificate *c = candidate_of(s, v->chain.items[i]);
		bool has_list = false;

		assert_non_null(c);
		for (size_t j = 0; j < s->crls_count; j++)
			has_list = has_list || dn_equal(s->crls[j].issuer, c->issuer);
		if (!has_list)
			return true;
	}
	return false;
}

enum outcome { RIGHT, WRONG, LACKING };

static enum outcome try(struct suite *s, size_t i, int64_t at, struct verdict *hard)
{
	bool expected = is_expected(s->names[i]);
	struct verdict given;
	bool is_good = is_valid(s, i, at, REVOCATION_GIVEN, &given);
	bool is_certain = is_valid(s, i, at, REVOCATION_HARD, hard);
	enum outcome out = WRONG;

	if (lacks_issuer(s, &given) || (is_good != is_certain && lacks_list(s, &given)))
		out = LACKING;
	else if (is_certain == expected)
		out = RIGHT;
	/* Where only a list is missing the rest can still be seen to be good. */
	if (out == LACKING && is_good && expected)
		out = RIGHT;
	verdict_fini(&given);
	return out;
}

static void tell(const char *name, const struct verdict *v, bool valid)
{
	print_message("  %s %s:", valid ? "accepted" : "rejected", name);
	for (int p = 0; p < PROBLEM_COUNT; p++)
		if (v->problems & PROBLEM_BIT(p))
			print_message(" %s", problem_word((enum problem)p));
	for (int r = 0; r < RULE_COUNT; r++)
		if (rules_have(&v->violations, (enum rule)r))
			print_message(" %s", rule_word((enum rule)r));
	print_message("\n");
}

static void test_pkits(void **state)
{
	static struct suite s;
	static const char *const words[] = { "right all the same", "wrong", "not in the vectors" };
	char root[VECTORS_PATH_MAX];
	unsigned counts[3] = { 0 };
	int64_t at;

	(void)state;
	if (!vectors_find("pyca", "x509/PKITS_data", root)) {
		print_message("skipped: set LEAFWATCH_VECTORS to the vectors' archive\n");
		skip();
	}
	assert_int_equal(time_parse(AT, &at), ERR_OK);
	suite_read(&s, root);
	for (size_t i = 0; i < s.count; i++) {
		const char *why = why_unclaimed(s.names[i]);
		struct verdict v;
		enum outcome o;

		if (!ends_with(s.names[i], "EE"))
			continue;
		o = try(&s, i, at, &v);
		if (why) {
			print_message("  unclaimed %s (%s): %s\n", s.names[i], why, words[o]);
			/* What is not understood must at least not be believed. */
			assert_false(verdict_is_valid_at(&v, at) && !is_expected(s.names[i]));
		} else {
			counts[o]++;
			if (o == WRONG)
				tell(s.names[i], &v, verdict_is_valid_at(&v, at));
		}
		verdict_fini(&v);
	}
	print_message(
		"PKITS: %u right, %u wrong of those claimed; of %u more the vectors lack a part\n",
		counts[RIGHT], counts[WRONG], counts[LACKING]);
	suite_fini(&s);
	assert_int_not_equal(counts[RIGHT], 0);
	assert_int_equal(counts[WRONG], 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_pkits) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
