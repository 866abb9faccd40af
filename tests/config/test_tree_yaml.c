/* What a YAML file becomes, where its parts stand, and what is refused with which sentence. */
#include "agent/base/text.h"
#include "agent/config/tree.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct tree *parse(const char *text)
{
	struct tree *t = NULL;
	struct why why = { 0 };

	assert_int_equal(tree_new(&t), ERR_OK);
	if (tree_parse(t, "a.yml", slice_text(text), &why) != ERR_OK)
		fail_msg("%s", why.text);
	return t;
}

static void assert_refused(struct slice text, const char *sentence)
{
	struct tree *t = NULL;
	struct why why = { 0 };

	assert_int_equal(tree_new(&t), ERR_OK);
	assert_int_equal(tree_parse(t, "a.yml", text, &why), ERR_CONFIG);
	assert_string_equal(why.text, sentence);
	/* Nobody has to want the sentence. */
	assert_int_equal(tree_parse(t, "a.yml", text, NULL), ERR_CONFIG);
	tree_free(t);
}

static void assert_place(const struct node *n, unsigned line, unsigned column)
{
	assert_non_null(n);
	assert_int_equal(n->line, line);
	assert_int_equal(n->column, column);
	assert_string_equal(n->file, "a.yml");
}

static void every_node_has_its_place(void **state)
{
	struct tree *t = parse("# comment\n"
			       "a: one\n"
			       "b:\n"
			       "  - x\n"
			       "  - 'y': \"z\"\n"
			       "    w: {q: 1, r: [2, 3]}\n");
	const struct node *root = tree_root(t);
	const struct node *list = node_child(root, "b");
	const struct node *map;

	(void)state;
	assert_int_equal(root->count, 2);
	assert_place(node_child(root, "a"), 2, 4);
	assert_string_equal(node_child(root, "a")->value, "one");
	assert_int_equal(node_child(root, "a")->key_line, 2);
	assert_int_equal(node_child(root, "a")->key_column, 1);
	assert_int_equal(list->kind, NODE_LIST);
	assert_place(list, 4, 3);
	assert_place(list->children[0], 4, 5);
	map = list->children[1];
	assert_int_equal(map->kind, NODE_MAP);
	assert_place(map, 5, 5);
	assert_place(node_child(map, "y"), 5, 10);
	assert_true(node_child(map, "y")->is_quoted);
	assert_place(node_child(node_child(map, "w"), "q"), 6, 12);
	assert_place(node_child(node_child(map, "w"), "r")->children[1], 6, 22);
	assert_int_equal(node_child(node_child(map, "w"), "r")->key_column, 15);
	tree_free(t);
}

static void columns_are_characters(void **state)
{
	struct tree *t = parse("\xef\xbb\xbf\"k\xc3\xa4se\": [\xe2\x82\xac, x]\r\nb: y\r\n");

	(void)state;
	assert_place(node_child(tree_root(t), "k\xc3\xa4se")->children[1], 1, 13);
	assert_place(node_child(tree_root(t), "b"), 2, 4);
	tree_free(t);
}

static void nothing_is_an_empty_map(void **state)
{
	static const char *const nothing[] = { "", "\n\n", "# only a comment\n", "---\n", "~\n",
		"null", "--- {}\n...\n", "\xef\xbb\xbf", "%YAML 1.1\n---\n" };

	(void)state;
	for (size_t i = 0; i < sizeof(nothing) / sizeof(nothing[0]); i++) {
		struct tree *t = parse(nothing[i]);

		assert_int_equal(tree_root(t)->kind, NODE_MAP);
		assert_int_equal(tree_root(t)->count, 0);
		tree_free(t);
	}
}

static void only_unquoted_nothing_is_null(void **state)
{
	struct tree *t = parse("nulls: [~, null, Null, NULL]\nempty:\n"
			       "texts: ['', \"~\", 'null', nULL, none]\nblock: |\n  null\n");
	const struct node *nulls = node_child(tree_root(t), "nulls");
	const struct node *texts = node_child(tree_root(t), "texts");

	(void)state;
	assert_int_equal(nulls->count, 4);
	assert_int_equal(texts->count, 5);
	for (size_t i = 0; i < nulls->count; i++)
		assert_true(node_is_null(nulls->children[i]));
	for (size_t i = 0; i < texts->count; i++)
		assert_false(node_is_null(texts->children[i]));
	assert_true(node_is_null(node_child(tree_root(t), "empty")));
	assert_false(node_is_null(node_child(tree_root(t), "block")));
	assert_false(node_is_null(tree_root(t)));
	tree_free(t);
}

static void a_child_of_nothing_is_nothing(void **state)
{
	struct tree *t = parse("a: x\nl: [y]\n");

	(void)state;
	assert_null(node_child(NULL, "a"));
	assert_null(node_child(tree_root(t), "b"));
	assert_null(node_child(node_child(tree_root(t), "a"), "b"));
	assert_null(node_child(node_child(tree_root(t), "l"), "y"));
	tree_free(t);
}

struct bad {
	const char *text;
	const char *sentence;
};

static void bad_files_say_where_and_why(void **state)
{
	static const struct bad bad[] = {
		{ "a: 1\nb: 2\na: 3\n", "a.yml:3:1: \"a\" is given already at a.yml:1:1" },
		{ "x: {a: 1, 'a': 2}\n", "a.yml:1:11: \"a\" is given already at a.yml:1:5" },
		{ "a: &x 1\n", "a.yml:1:4: anchors (&x) are not supported" },
		{ "a: &x [1]\n", "a.yml:1:4: anchors (&x) are not supported" },
		{ "a: &x {b: 1}\n", "a.yml:1:4: anchors (&x) are not supported" },
		{ "b: 1\na: *x\n", "a.yml:2:4: aliases (*x) are not supported" },
		{ "*x : 1\n", "a.yml:1:1: aliases (*x) are not supported" },
		{ "a:\n  <<: {b: 1}\n", "a.yml:2:3: merge keys (<<) are not supported" },
		{ "a: !!str 1\n", "a.yml:1:4: tags (tag:yaml.org,2002:str) are not supported" },
		{ "a: !x [1]\n", "a.yml:1:4: tags (!x) are not supported" },
		{ "a: ! 1\n", "a.yml:1:4: tags (!) are not supported" },
		{ "%TAG !e! tag:e,2000:\n---\na: 1\n", "a.yml:1:1: tags are not supported" },
		{ "a: 1\n---\nb: 2\n", "a.yml:2:1: a second document begins; a file holds one" },
		{ "~\n---\n~\n", "a.yml:2:1: a second document begins; a file holds one" },
		{ "- a\n- b\n", "a.yml:1:1: the file must be a map of keys, not a list" },
		{ "\n  hello\n", "a.yml:2:3: the file must be a map of keys, not a single value" },
		{ "''\n", "a.yml:1:1: the file must be a map of keys, not a single value" },
		{ "[a, b]: c\n", "a.yml:1:1: a key must be a text, not a list or a map" },
		{ "x:\n  ? [a, b]\n  : c\n",
			"a.yml:2:5: a key must be a text, not a list or a map" },
		{ "x: {{a: b}: c}\n", "a.yml:1:5: a key must be a text, not a list or a map" },
		{ "'': x\n", "a.yml:1:1: a key is missing before \":\"" },
		{ "a: \"x\\0y\"\n", "a.yml:1:4: a text with a NUL character" },
		{ "\"a\\0\": x\n", "a.yml:1:1: a text with a NUL character" },
		{ "a:\n\tb: 1\n", "a.yml:2:1: a tab cannot indent; use spaces" },
		{ "a: @x\n", "a.yml:1:4: found character that cannot start any token, while "
			     "scanning for the next token that begins at line 1" },
		{ "a: 1\n  b: 2\n", "a.yml:2:4: mapping values are not allowed in this context" },
		{ "a: [1, 2\nb: 3\n",
			"a.yml:2:2: did not find expected ',' or ']', while parsing a "
			"flow sequence that begins at line 1" },
		{ "a: \"open\n", "a.yml:2:1: found unexpected end of stream, while scanning a "
				 "quoted scalar that begins at line 1" },
		{ "a: 1\nb\n",
			"a.yml:3:1: could not find expected ':', while scanning a simple key "
			"that begins at line 2" },
		{ "a: \x1b[2J\n", "a.yml:1:4: character U+001B is not allowed" },
		{ "a: b\n\xc2\x85: c\n", "a.yml:2:1: character U+0085 is not allowed" },
		{ "a: \xe2\x80\xa8\n", "a.yml:1:4: character U+2028 is not allowed" },
		{ "a: \xef\xbb\xbf\n", "a.yml:1:4: character U+FEFF is not allowed" },
		{ "a: \xef\xbf\xbf\n", "a.yml:1:4: character U+FFFF is not allowed" },
		{ "a: b\r\nb: \xe4\n", "a.yml:2:4: byte 0xE4 is not UTF-8" },
		{ "a: b\rb: \xed\xa0\x80\n", "a.yml:2:4: byte 0xED is not UTF-8" },
		{ "\xff\xfe"
		  "a",
			"a.yml:1:1: byte 0xFF is not UTF-8" },
		{ "\"k\\e[31m\": 1\n\"k\\e[31m\": 2\n",
			"a.yml:2:1: \"k\\x1B[31m\" is given already at a.yml:1:1" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_refused(slice_text(bad[i].text), bad[i].sentence);
}

static void nul_bytes_are_refused(void **state)
{
	static const char text[] = "a: b\nb: \0c\n";

	(void)state;
	assert_refused(
		slice_of(text, sizeof(text) - 1), "a.yml:2:4: character U+0000 is not allowed");
}

static char *repeat(const char *head, const char *unit, size_t times, const char *tail)
{
	struct buffer b;

	buffer_init(&b, 8 * 1024 * 1024);
	buffer_text(&b, head);
	for (size_t i = 0; i < times; i++)
		buffer_text(&b, unit);
	buffer_text(&b, tail);
	return buffer_take_string(&b);
}

static void depth_has_a_ceiling(void **state)
{
	char *deep = repeat("a: ", "[", CONFIG_DEPTH_MAX - 1, "");
	char *good = repeat(deep, "]", CONFIG_DEPTH_MAX - 1, "\n");
	char *bad = repeat("a: ", "[", 200000, "\n");

	(void)state;
	tree_free(parse(good));
	assert_refused(slice_text(bad), "a.yml:1:35: nested deeper than 32 levels");
	free(deep);
	free(good);
	free(bad);
}

static void size_has_a_ceiling(void **state)
{
	char *good = repeat("a: b\n#", "x", CONFIG_BYTES_MAX - 6, "");
	char *bad = repeat("a: b\n#", "x", CONFIG_BYTES_MAX - 5, "");

	(void)state;
	tree_free(parse(good));
	assert_refused(slice_text(bad), "a.yml:1:1: the file is over 1048576 bytes long");
	free(good);
	free(bad);
}

static void nodes_have_a_ceiling_over_all_files(void **state)
{
	char *text = repeat("a: [", "1,", CONFIG_NODES_MAX / 2, "]\n");
	struct tree *t = parse(text);
	struct why why = { 0 };

	(void)state;
	assert_int_equal(tree_parse(t, "b.yml", slice_text(text), &why), ERR_CONFIG);
	assert_string_equal(why.text, "b.yml:1:99995: more than 100000 values");
	tree_free(t);
	free(text);
}

static void keys_have_a_ceiling(void **state)
{
	struct buffer b;

	(void)state;
	buffer_init(&b, CONFIG_BYTES_MAX);
	for (unsigned i = 0; i <= CONFIG_KEYS_MAX; i++)
		buffer_format(&b, "k%u: v\n", i);
	assert_refused(buffer_bytes(&b), "a.yml:1001:1: more than 1000 keys in one map");
	buffer_fini(&b);
}

static void sentences_are_cut_between_characters(void **state)
{
	char *key = repeat("\"", "\xe2\x82\xac", 300, "\"");
	struct buffer b;
	struct why why = { 0 };
	struct tree *t = NULL;

	(void)state;
	buffer_init(&b, CONFIG_BYTES_MAX);
	buffer_format(&b, "%s: 1\n%s: 2\n", key, key);
	assert_int_equal(tree_new(&t), ERR_OK);
	assert_int_equal(tree_parse(t, "a.yml", buffer_bytes(&b), &why), ERR_CONFIG);
	assert_true(text_is_clean(slice_text(why.text)));
	assert_in_range(strlen(why.text), WHY_TEXT_BYTES - 4, WHY_TEXT_BYTES - 1);
	tree_free(t);
	buffer_fini(&b);
	free(key);
}

static void names_of_files_cannot_forge_a_line(void **state)
{
	struct tree *t = NULL;
	struct why why = { 0 };

	(void)state;
	assert_int_equal(tree_new(&t), ERR_OK);
	assert_int_equal(tree_parse(t, "a\n\x1b.yml", slice_text("- x"), &why), ERR_CONFIG);
	assert_string_equal(
		why.text, "a\\x0A\\x1B.yml:1:1: the file must be a map of keys, not a list");
	tree_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_node_has_its_place),
		cmocka_unit_test(columns_are_characters),
		cmocka_unit_test(nothing_is_an_empty_map),
		cmocka_unit_test(only_unquoted_nothing_is_null),
		cmocka_unit_test(a_child_of_nothing_is_nothing),
		cmocka_unit_test(bad_files_say_where_and_why),
		cmocka_unit_test(nul_bytes_are_refused),
		cmocka_unit_test(depth_has_a_ceiling),
		cmocka_unit_test(size_has_a_ceiling),
		cmocka_unit_test(nodes_have_a_ceiling_over_all_files),
		cmocka_unit_test(keys_have_a_ceiling),
		cmocka_unit_test(sentences_are_cut_between_characters),
		cmocka_unit_test(names_of_files_cannot_forge_a_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
