/* Patterns of paths. */
#include "scanners/glob.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void test_matches(void **state)
{
	static const struct {
		const char *pattern;
		const char *text;
		bool matches;
	} cases[] = {
		{ "", "", true },
		{ "", "a", false },
		{ "a", "", false },
		{ "*", "", true },
		{ "*", "abc", true },
		{ "*", "a/c", false },
		{ "**", "a/b/c", true },
		{ "/srv/*", "/srv/x", true },
		{ "/srv/*", "/srv/x/y", false },
		{ "/srv/**", "/srv/x/y", true },
		{ "/srv/**/z", "/srv/x/y/z", true },
		{ "/srv/**/z", "/srv/x/y/zz", false },
		{ "/**/a*/b", "/x/ab/c/ad/b", true },
		{ "/**/a*/b", "/x/ab/c/ad/e/b", false },
		{ "*.bak", "x.bak", true },
		{ "*.bak", "x.bak.gz", false },
		{ "*a*b*c*", "xxaxxbxxc", true },
		{ "a?c", "abc", true },
		{ "a?c", "a/c", false },
		{ "a\\*c", "a*c", true },
		{ "a\\*c", "abc", false },
		{ "a\\", "a\\", true },
		{ "?", "\xff", true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (glob_matches(cases[i].pattern, cases[i].text) != cases[i].matches)
			fail_msg("\"%s\" on \"%s\"", cases[i].pattern, cases[i].text);
}

/* Patterns that some matchers take exponential time for. */
static void test_is_never_slow(void **state)
{
	char text[4001];

	(void)state;
	memset(text, 'a', 4000);
	text[4000] = 0;
	assert_false(glob_matches("*a*a*a*a*a*a*a*a*a*a*a*a*b", text));
	assert_false(glob_matches("**a**a**a**a**a**a**a**a**a*b", text));
	assert_false(glob_matches("**a*a**a*a**a*a**a*a**a*a**b", text));
}

static void test_excludes(void **state)
{
	struct strings patterns = { 0 };

	(void)state;
	assert_int_equal(strings_add(&patterns, "cache"), ERR_OK);
	assert_int_equal(strings_add(&patterns, "/opt/*/tmp"), ERR_OK);
	assert_true(glob_selects(&patterns, "/a/b/cache", "cache"));
	assert_false(glob_selects(&patterns, "/a/cache/b", "b"));
	assert_true(glob_selects(&patterns, "/opt/x/tmp", "tmp"));
	assert_false(glob_selects(&patterns, "/srv/x/tmp", "tmp"));
	strings_fini(&patterns);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_matches),
		cmocka_unit_test(test_is_never_slow),
		cmocka_unit_test(test_excludes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
