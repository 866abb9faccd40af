/* What the costliest certificates cost: no input more than 250 ms of processor time. */
#include "agent/certificate/judge.h"
#include "tests/certificate/maker.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define NOW (MADE_NOT_BEFORE + 86400)
#define BYTES_MAX (32 * 1024 * 1024)
#define NAMES_COUNT 50000
/* The bound is on processor time; sanitizers cost some tenfold. */
#if defined(__SANITIZE_ADDRESS__) || !defined(__OPTIMIZE__)
#define COST_MS_MAX 2500
#else
#define COST_MS_MAX 250
#endif
/* What is stopped at its time takes longer by its last path alone: with gcc (clang counts what it covers besides) that is
 * less than tenfold. */
#ifdef __SANITIZE_ADDRESS__
#define STOPPED_MS_MAX 700
#else
#define STOPPED_MS_MAX COST_MS_MAX
#endif

enum { TAG_MAILBOX = 0x81, TAG_DNS = 0x82, TAG_DIRECTORY = 0xa4, TAG_URI = 0x86, TAG_IP = 0x87 };

static double cpu_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

/* Wraps what the buffer holds, of whatever length. */
static void wrap(struct buffer *b, uint8_t tag)
{
	struct buffer outer;

	buffer_init(&outer, BYTES_MAX);
	buffer_byte(&outer, tag);
	buffer_byte(&outer, 0x84);
	for (int shift = 24; shift >= 0; shift -= 8)
		buffer_byte(&outer, (uint8_t)(b->size >> shift));
	buffer_slice(&outer, buffer_bytes(b));
	buffer_fini(b);
	*b = outer;
}

/* The text of the nth name: as long as asked for, with the number in front or at the end. */
struct shape {
	uint8_t tag;
	size_t bytes;      /* of what stands beside the number */
	bool is_late;      /* names differ only at their ends */
	const char *start; /* before all of it */
	const char *end;
};

static void put_text(struct buffer *out, const struct shape *s, unsigned n)
{
	buffer_text(out, s->start);
	if (!s->is_late)
		buffer_format(out, "n%05u", n);
	for (size_t i = 0; i < s->bytes; i++)
		buffer_byte(out, i % 50 == 49 && i + 1 < s->bytes ? '.' : 'a');
	if (s->is_late)
		buffer_format(out, "n%05u", n);
	buffer_text(out, s->end);
}

/* A Name of one commonName. */
static void put_directory(struct buffer *out, struct slice text)
{
	struct buffer name;

	buffer_init(&name, BYTES_MAX);
	put_rdn(&name, "\x55\x04\x03", 0x0c, text);
	put_tlv(out, 0x30, buffer_bytes(&name));
	buffer_fini(&name);
}

static void put_name(struct buffer *out, const struct shape *s, unsigned n)
{
	struct buffer text;
	struct buffer name;

	buffer_init(&text, BYTES_MAX);
	put_text(&text, s, n);
	if (s->tag == TAG_DIRECTORY) {
		buffer_init(&name, BYTES_MAX);
		put_directory(&name, buffer_bytes(&text));
		put_tlv(out, s->tag, buffer_bytes(&name));
		buffer_fini(&name);
	} else {
		put_tlv(out, s->tag, buffer_bytes(&text));
	}
	buffer_fini(&text);
}

static void put_names(struct buffer *out, const struct shape *s, unsigned count)
{
	buffer_init(out, BYTES_MAX);
	for (unsigned n = 0; n < count; n++)
		put_name(out, s, n);
	wrap(out, 0x30);
}

/* From the number after the last name on none of them covers a name, so that all are looked at. */
static void put_constraints(
	struct buffer *out, const struct shape *s, unsigned first, unsigned count)
{
	struct buffer list;

	buffer_init(out, BYTES_MAX);
	buffer_init(&list, BYTES_MAX);
	for (unsigned n = 0; n < count; n++) {
		struct buffer one;

		buffer_init(&one, BYTES_MAX);
		put_name(&one, s, first + n);
		wrap(&one, 0x30);
		buffer_slice(&list, buffer_bytes(&one));
		buffer_fini(&one);
	}
	wrap(&list, 0xa1);
	buffer_slice(out, buffer_bytes(&list));
	buffer_fini(&list);
	wrap(out, 0x30);
}

struct trial {
	const char *what;
	struct shape name;
	struct shape base;
	unsigned names;
	unsigned bases;
	bool is_judged; /* within the bound on comparisons */
};

static const struct trial trials[] = {
	{ "short DNS names", { .tag = TAG_DNS, .bytes = 4, .start = "", .end = ".example.org" },
		{ .tag = TAG_DNS, .bytes = 4, .start = "", .end = ".example.org" }, NAMES_COUNT, 20,
		true },
	{ "long DNS names", { .tag = TAG_DNS, .bytes = 150, .start = "", .end = ".example.org" },
		{ .tag = TAG_DNS, .bytes = 150, .start = "", .end = ".example.org" }, NAMES_COUNT,
		20, false },
	{ "DNS names alike to the end",
		{ .tag = TAG_DNS, .bytes = 150, .is_late = true, .start = "", .end = "" },
		{ .tag = TAG_DNS, .bytes = 150, .is_late = true, .start = "", .end = "" },
		NAMES_COUNT, 20, false },
	{ "mailboxes", { .tag = TAG_MAILBOX, .bytes = 4, .start = "", .end = "@example.org" },
		{ .tag = TAG_MAILBOX, .bytes = 4, .start = "", .end = "@example.org" }, NAMES_COUNT,
		20, true },
	{ "long mailboxes",
		{ .tag = TAG_MAILBOX,
			.bytes = 200,
			.is_late = true,
			.start = "",
			.end = "@example.org" },
		{ .tag = TAG_MAILBOX,
			.bytes = 200,
			.is_late = true,
			.start = "",
			.end = "@example.org" },
		NAMES_COUNT, 20, false },
	{ "URIs", { .tag = TAG_URI, .bytes = 4, .start = "https://", .end = ".example.org/" },
		{ .tag = TAG_URI, .bytes = 4, .start = "", .end = ".example.org" }, NAMES_COUNT, 20,
		true },
	{ "long URIs",
		{ .tag = TAG_URI, .bytes = 200, .is_late = true, .start = "https://", .end = "/" },
		{ .tag = TAG_URI, .bytes = 200, .is_late = true, .start = "", .end = "" },
		NAMES_COUNT, 20, false },
	{ "directory names", { .tag = TAG_DIRECTORY, .bytes = 4, .start = "", .end = "" },
		{ .tag = TAG_DIRECTORY, .bytes = 4, .start = "", .end = "" }, 20000, 20, false },
	{ "long directory names",
		{ .tag = TAG_DIRECTORY, .bytes = 100, .is_late = true, .start = "", .end = "" },
		{ .tag = TAG_DIRECTORY, .bytes = 100, .is_late = true, .start = "", .end = "" },
		20000, 20, false },
	{ "one constraint", { .tag = TAG_DNS, .bytes = 4, .start = "", .end = ".example.org" },
		{ .tag = TAG_DNS, .bytes = 4, .start = "", .end = ".example.org" }, NAMES_COUNT, 1,
		true },
	{ "a million comparisons", { .tag = TAG_DNS, .bytes = 4, .start = "", .end = ".org" },
		{ .tag = TAG_DNS, .bytes = 4, .start = "", .end = ".org" }, 1000, 1000, true },
};

static void try_one(const struct trial *t)
{
	struct recipe of_root = recipe_ca("CN=Root");
	struct recipe of_leaf = recipe_of("CN=leaf");
	struct buffer names;
	struct buffer constraints;
	struct made root;
	struct made leaf;
	struct trust *trust;
	struct judge_question q = { .now = NOW, .purpose = PURPOSE_ANY };
	struct verdict v;
	double before;
	double parsed;
	double judged;

	put_names(&names, &t->name, t->names);
	put_constraints(&constraints, &t->base, NAMES_COUNT, t->bases);
	of_leaf.names = buffer_bytes(&names);
	of_root.constraints = buffer_bytes(&constraints);
	make(&root, &of_root, NULL);
	make(&leaf, &of_leaf, &root);
	parsed_certificate_fini(&leaf.parsed);
	before = cpu_ms();
	made_parse(&leaf);
	parsed = cpu_ms() - before;
	assert_int_equal(trust_new(&trust), ERR_OK);
	assert_int_equal(trust_add(trust, "store", true, slice_of(root.der.data, root.der.size),
				 NULL, NULL, NULL),
		ERR_OK);
	q.leaf = &leaf.parsed;
	before = cpu_ms();
	assert_int_equal(judge(trust, NULL, &q, &v), ERR_OK);
	judged = cpu_ms() - before;
	print_message("%-28s %6u names %5u constraints: read in %6.1f ms, judged in %6.1f ms%s\n",
		t->what, t->names, t->bases, parsed, judged,
		rules_have(&v.violations, RULE_TOO_MANY_NAMES) ? ", too many" : "");
	assert_int_equal(v.chain.count, 2);
	/* Either all names are looked at, or it is said that they are not. */
	if (t->is_judged)
		assert_true(rules_are_empty(&v.violations));
	assert_true(
		rules_are_empty(&v.violations) || rules_have(&v.violations, RULE_TOO_MANY_NAMES));
	assert_true(judged <= COST_MS_MAX);
	assert_true(parsed <= COST_MS_MAX);
	verdict_fini(&v);
	trust_free(trust);
	made_fini(&leaf);
	made_fini(&root);
	buffer_fini(&names);
	buffer_fini(&constraints);
}

#define CAS_COUNT 10

/* Certificates of one CA, each with a list of constraints: each makes a path of its own. */
static void test_many_costly_paths(void **state)
{
	const struct shape shape = { .tag = TAG_DNS, .bytes = 4, .start = "", .end = ".org" };
	struct recipe of_root = recipe_ca("CN=Root");
	struct recipe of_leaf = recipe_of("CN=leaf");
	struct recipe of_ca = recipe_ca("CN=CA");
	const struct parsed_certificate *candidates[CAS_COUNT];
	struct buffer names;
	struct buffer constraints;
	struct made root;
	struct made leaf;
	struct made cas[CAS_COUNT];
	struct trust *trust;
	struct judge_question q = { .now = NOW,
		.purpose = PURPOSE_ANY,
		.candidates = candidates,
		.candidates_count = CAS_COUNT };
	struct verdict v;
	double before;
	double judged;

	(void)state;
	put_names(&names, &shape, NAMES_COUNT);
	/* The last name is excluded: no path is good, so that all are tried. */
	put_constraints(&constraints, &shape, NAMES_COUNT - 1, 20);
	make(&root, &of_root, NULL);
	of_ca.constraints = buffer_bytes(&constraints);
	for (size_t i = 0; i < CAS_COUNT; i++) {
		of_ca.not_after = MADE_NOT_BEFORE + (time_t)(10 + CAS_COUNT - i) * 86400;
		of_ca.serial = (uint16_t)(100 + i);
		if (i)
			of_ca.key = cas[0].key;
		make(&cas[i], &of_ca, &root);
		candidates[i] = &cas[i].parsed;
	}
	of_leaf.names = buffer_bytes(&names);
	make(&leaf, &of_leaf, &cas[0]);
	assert_int_equal(trust_new(&trust), ERR_OK);
	assert_int_equal(trust_add(trust, "store", true, slice_of(root.der.data, root.der.size),
				 NULL, NULL, NULL),
		ERR_OK);
	q.leaf = &leaf.parsed;
	before = cpu_ms();
	assert_int_equal(judge(trust, NULL, &q, &v), ERR_OK);
	judged = cpu_ms() - before;
	print_message("%-28s %6u names %5u paths: judged in %6.1f ms%s\n", "many costly paths",
		NAMES_COUNT, CAS_COUNT, judged,
		rules_have(&v.lint, RULE_SEARCH_STOPPED) ? ", stopped" : "");
	assert_int_equal(v.chain.count, 3);
	assert_true(rules_have(&v.violations, RULE_EXCLUDED));
	assert_true(judged <= STOPPED_MS_MAX);
	verdict_fini(&v);
	trust_free(trust);
	made_fini(&leaf);
	for (size_t i = CAS_COUNT; i-- > 0;)
		made_fini(&cas[i]);
	made_fini(&root);
	buffer_fini(&names);
	buffer_fini(&constraints);
}

static void test_names_times_constraints(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(trials) / sizeof(trials[0]); i++)
		try_one(&trials[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_names_times_constraints),
		cmocka_unit_test(test_many_costly_paths) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
