/* Variables in scalars. */
#include "agent/config/tree.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static int setup(void **state)
{
	(void)state;
	return setenv("LW_A", "alpha", 1) || setenv("LW_EMPTY", "", 1) ||
	       setenv("LW_NULL", "null", 1) || setenv("LW_YAML", "{a: [1]} # $$ ${LW_A}", 1) ||
	       setenv("LW_LATIN", "\xe4", 1) || unsetenv("LW_NONE");
}

static enum err parse(const char *text, struct tree **out, struct why *why)
{
	assert_int_equal(tree_new(out), ERR_OK);
	return tree_parse(*out, "a.yml", slice_text(text), why);
}

struct row {
	const char *text;
	const char *value;
};

static void values_expand(void **state)
{
	static const struct row rows[] = {
		{ "v: ${LW_A}", "alpha" },
		{ "v: x-${LW_A}-${LW_A}", "x-alpha-alpha" },
		{ "v: '${LW_A}'", "alpha" },
		{ "v: \"${LW_A}\"", "alpha" },
		{ "v: |\n  ${LW_A}\n", "alpha\n" },
		{ "v: [\"${LW_A}\"]", "alpha" },
		{ "v: ${LW_NONE:-beta}", "beta" },
		{ "v: ${LW_EMPTY:-beta}", "beta" },
		{ "v: ${LW_A:-beta}", "alpha" },
		{ "v: x${LW_NONE:-}y", "xy" },
		{ "v: x${LW_EMPTY}y", "xy" },
		{ "v: ${LW_NONE:-a:-b$$c}", "a:-b$c" },
		{ "v: $$", "$" },
		{ "v: $${LW_A}", "${LW_A}" },
		{ "v: $$$${LW_A}", "$${LW_A}" },
		{ "v: $$${LW_A}", "$alpha" },
		{ "v: pa$word$", "pa$word$" },
		/* What comes out of a variable is never read as YAML or expanded again. */
		{ "v: ${LW_YAML}", "{a: [1]} # $$ ${LW_A}" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct tree *t = NULL;
		const struct node *n;

		assert_int_equal(parse(rows[i].text, &t, NULL), ERR_OK);
		n = node_child(tree_root(t), "v");
		n = n->kind == NODE_LIST ? n->children[0] : n;
		assert_string_equal(n->value, rows[i].value);
		tree_free(t);
	}
}

static void keys_do_not_expand(void **state)
{
	struct tree *t = NULL;

	(void)state;
	assert_int_equal(parse("\"${LW_A}\": ${LW_A}", &t, NULL), ERR_OK);
	assert_non_null(node_child(tree_root(t), "${LW_A}"));
	tree_free(t);
}

static void only_an_empty_result_is_null(void **state)
{
	struct tree *t = NULL;

	(void)state;
	assert_int_equal(
		parse("a: ${LW_NONE:-}\nb: ${LW_NULL}\nc: '${LW_EMPTY}'", &t, NULL), ERR_OK);
	assert_true(node_is_null(node_child(tree_root(t), "a")));
	assert_false(node_is_null(node_child(tree_root(t), "b")));
	assert_false(node_is_null(node_child(tree_root(t), "c")));
	tree_free(t);
}

#define NOTATION "write ${NAME} or ${NAME:-default}, and $$ for a dollar sign"

static void bad_variables_say_why(void **state)
{
	static const struct row rows[] = {
		{ "a: 1\nv: ${LW_NONE}",
			"a.yml:2:4: the variable LW_NONE is not set; ${LW_NONE:-default} would give "
			"it a default" },
		{ "v: ${", "a.yml:1:4: \"${\" without a closing brace; " NOTATION },
		{ "v: ${LW_A", "a.yml:1:4: \"${\" without a closing brace; " NOTATION },
		{ "v: ${}", "a.yml:1:4: not a variable; " NOTATION },
		{ "v: ${1A}", "a.yml:1:4: not a variable; " NOTATION },
		{ "v: ${LW A}", "a.yml:1:4: not a variable; " NOTATION },
		{ "v: ${LW_A-x}", "a.yml:1:4: not a variable; " NOTATION },
		{ "v: '${LW_A:?x}'", "a.yml:1:4: not a variable; " NOTATION },
		{ "v: ${:-x}", "a.yml:1:4: not a variable; " NOTATION },
		{ "v: ${LW_NONE:-${LW_A}}",
			"a.yml:1:4: the default of the variable LW_NONE cannot hold another variable" },
		{ "v: ${LW_LATIN}", "a.yml:1:4: the value of the variable LW_LATIN is not UTF-8" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct tree *t = NULL;
		struct why why = { 0 };

		assert_int_equal(parse(rows[i].text, &t, &why), ERR_CONFIG);
		assert_string_equal(why.text, rows[i].value);
		tree_free(t);
	}
}

/* 100,000 references to a large variable must not become gigabytes. */
static void growth_has_a_ceiling(void **state)
{
	enum { VALUE_BYTES = 64 * 1024, TIMES = 100 };
	char *value = malloc(VALUE_BYTES + 1);
	static char text[TIMES * 16];
	size_t size = 0;
	struct tree *t = NULL;
	struct why why = { 0 };

	(void)state;
	assert_non_null(value);
	memset(value, 'x', VALUE_BYTES);
	value[VALUE_BYTES] = 0;
	assert_int_equal(setenv("LW_BIG", value, 1), 0);
	size += (size_t)snprintf(text, sizeof(text), "a:\n");
	for (int i = 0; i < TIMES; i++)
		size += (size_t)snprintf(text + size, sizeof(text) - size, "- ${LW_BIG}\n");
	assert_int_equal(parse(text, &t, &why), ERR_CONFIG);
	assert_string_equal(why.text, "a.yml:18:3: variables expand to more than 1048576 bytes");
	tree_free(t);
	assert_int_equal(unsetenv("LW_BIG"), 0);
	free(value);
}

static void names_have_a_ceiling(void **state)
{
	char text[400] = "v: ${";
	struct tree *t = NULL;
	struct why why = { 0 };

	(void)state;
	memset(text + 5, 'A', 256);
	text[261] = '}';
	assert_int_equal(parse(text, &t, &why), ERR_CONFIG);
	assert_string_equal(why.text, "a.yml:1:4: a variable's name is over 255 bytes long");
	tree_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_expand),
		cmocka_unit_test(keys_do_not_expand),
		cmocka_unit_test(only_an_empty_result_is_null),
		cmocka_unit_test(bad_variables_say_why),
		cmocka_unit_test(growth_has_a_ceiling),
		cmocka_unit_test(names_have_a_ceiling),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
