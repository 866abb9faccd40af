/* Several files in one tree. */
#include "agent/config/tree.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static enum err merge(const char *a, const char *b, struct tree **out, struct why *why)
{
	assert_int_equal(tree_new(out), ERR_OK);
	assert_int_equal(tree_parse(*out, "a.yml", slice_text(a), NULL), ERR_OK);
	return tree_parse(*out, "b.yml", slice_text(b), why);
}

static void maps_merge_and_lists_append(void **state)
{
	struct tree *t = NULL;
	const struct node *list;
	const struct node *map;

	(void)state;
	assert_int_equal(merge("l: [1, 2]\nm: {a: 1, n: {x: 1}}\n",
				 "m: {b: 2, n: {y: 2}}\nl: [3]\nz: 9\n", &t, NULL),
		ERR_OK);
	list = node_child(tree_root(t), "l");
	assert_int_equal(list->count, 3);
	assert_string_equal(list->children[2]->value, "3");
	assert_string_equal(list->children[0]->file, "a.yml");
	assert_string_equal(list->children[2]->file, "b.yml");
	map = node_child(tree_root(t), "m");
	assert_int_equal(map->count, 3);
	assert_string_equal(node_child(map, "b")->value, "2");
	assert_string_equal(node_child(node_child(map, "n"), "y")->value, "2");
	assert_string_equal(node_child(node_child(map, "n"), "x")->value, "1");
	assert_string_equal(node_child(tree_root(t), "z")->value, "9");
	tree_free(t);
}

static void null_yields(void **state)
{
	struct tree *t = NULL;

	(void)state;
	assert_int_equal(
		merge("a:\nb: [1]\nc: ~\nd: x\n", "a: [2]\nb:\nc: ~\nd: null\n", &t, NULL), ERR_OK);
	assert_int_equal(node_child(tree_root(t), "a")->count, 1);
	assert_string_equal(node_child(tree_root(t), "a")->file, "b.yml");
	assert_int_equal(node_child(tree_root(t), "b")->count, 1);
	assert_true(node_is_null(node_child(tree_root(t), "c")));
	assert_string_equal(node_child(tree_root(t), "d")->value, "x");
	assert_int_equal(tree_root(t)->count, 4);
	tree_free(t);
}

static void contradictions_name_both_places(void **state)
{
	static const char *const cases[][3] = {
		{ "x: 1\n", "y: 1\nx: 1\n", "b.yml:2:1: \"x\" is given already at a.yml:1:1" },
		{ "m:\n  x: 1\n", "m: {x: 2}\n", "b.yml:1:5: \"x\" is given already at a.yml:2:3" },
		{ "x: [1]\n", "x: 1\n",
			"b.yml:1:1: \"x\" is a single value here, but a list at a.yml:1:1" },
		{ "x: {a: 1}\n", "x: [1]\n",
			"b.yml:1:1: \"x\" is a list here, but a map at a.yml:1:1" },
		{ "x: ''\n", "x: {}\n",
			"b.yml:1:1: \"x\" is a map here, but a single value at a.yml:1:1" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct tree *t = NULL;
		struct why why = { 0 };

		assert_int_equal(merge(cases[i][0], cases[i][1], &t, &why), ERR_CONFIG);
		assert_string_equal(why.text, cases[i][2]);
		tree_free(t);
	}
}

static void merged_maps_keep_the_ceiling(void **state)
{
	struct tree *t = NULL;
	struct why why = { 0 };
	static char text[CONFIG_KEYS_MAX * 8 + 1];
	size_t size = 0;

	(void)state;
	for (int i = 0; i < CONFIG_KEYS_MAX; i++)
		size += (size_t)snprintf(text + size, sizeof(text) - size, "k%d: \n", i);
	assert_int_equal(merge(text, "k7: v\n", &t, NULL), ERR_OK);
	assert_int_equal(tree_parse(t, "c.yml", slice_text("new: v\n"), &why), ERR_CONFIG);
	assert_string_equal(why.text, "c.yml:1:1: more than 1000 keys in one map");
	tree_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(maps_merge_and_lists_append),
		cmocka_unit_test(null_yields),
		cmocka_unit_test(contradictions_name_both_places),
		cmocka_unit_test(merged_maps_keep_the_ceiling),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
