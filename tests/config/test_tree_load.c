/* Files and folders. */
#include "agent/config/tree.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define NOBODY 65534

static char folder[] = "/tmp/leafwatch-test-load-XXXXXX";

static int setup(void **state)
{
	(void)state;
	return !mkdtemp(folder) || chmod(folder, 0755) != 0 || chdir(folder) != 0;
}

static int teardown(void **state)
{
	static const char *const made[] = { "f.yml", "big.yml", "fifo.yml", "link.yml", "loop.yml",
		"conf.d/10-b.yml", "conf.d/2-a.yaml", "conf.d/B.yml", "conf.d/a.yml",
		"conf.d/.hidden.yml", "conf.d/x.yml.bak", "conf.d/.yml", "conf.d/z.yml" };

	(void)state;
	for (size_t i = 0; i < sizeof(made) / sizeof(made[0]); i++)
		(void)unlink(made[i]);
	(void)rmdir("conf.d/dir.yml");
	(void)rmdir("conf.d");
	(void)rmdir("dir");
	return chdir("/") != 0 || rmdir(folder) != 0;
}

static void put(const char *name, const char *text)
{
	FILE *f = fopen(name, "we");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static void assert_fails(const char *path, enum err e, const char *sentence)
{
	struct tree *t = NULL;
	struct why why = { 0 };

	assert_int_equal(tree_new(&t), ERR_OK);
	assert_int_equal(tree_load(t, path, &why), e);
	assert_string_equal(why.text, sentence);
	tree_free(t);
}

static void assert_folder_fails(const char *path, enum err e, const char *sentence)
{
	struct tree *t = NULL;
	struct why why = { 0 };

	assert_int_equal(tree_new(&t), ERR_OK);
	assert_int_equal(tree_load_folder(t, path, &why), e);
	assert_string_equal(why.text, sentence);
	tree_free(t);
}

static void a_file_is_read(void **state)
{
	struct tree *t = NULL;

	(void)state;
	put("f.yml", "a: b\n");
	assert_int_equal(symlink("f.yml", "link.yml"), 0);
	assert_int_equal(tree_new(&t), ERR_OK);
	assert_int_equal(tree_load(t, "link.yml", NULL), ERR_OK);
	assert_string_equal(node_child(tree_root(t), "a")->value, "b");
	assert_string_equal(node_child(tree_root(t), "a")->file, "link.yml");
	tree_free(t);
	put("f.yml", "a: b: c\n");
	assert_fails(
		"f.yml", ERR_CONFIG, "f.yml:1:5: mapping values are not allowed in this context");
}

static void what_is_no_file_is_refused(void **state)
{
	(void)state;
	assert_int_equal(mkdir("dir", 0700), 0);
	assert_int_equal(mkfifo("fifo.yml", 0600), 0);
	assert_int_equal(symlink("loop.yml", "loop.yml"), 0);
	assert_fails("dir", ERR_CONFIG, "dir: is a folder, not a file");
	assert_fails("fifo.yml", ERR_CONFIG, "fifo.yml: is a named pipe, not a regular file");
	assert_fails("/dev/null", ERR_CONFIG, "/dev/null: is a device, not a regular file");
	assert_fails(
		"none.yml", ERR_NOT_FOUND, "none.yml: cannot be read: No such file or directory");
	assert_fails(
		"loop.yml", ERR_IO, "loop.yml: cannot be read: Too many levels of symbolic links");
	assert_fails(
		"no\nne", ERR_NOT_FOUND, "no\\x0Ane: cannot be read: No such file or directory");
}

static void a_large_file_is_refused(void **state)
{
	int fd = open("big.yml", O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, CONFIG_BYTES_MAX + 1), 0);
	assert_fails("big.yml", ERR_CONFIG, "big.yml:1:1: the file is over 1048576 bytes long");
	/* At the ceiling it is read: and found to be of NULs. */
	assert_int_equal(ftruncate(fd, CONFIG_BYTES_MAX), 0);
	assert_fails("big.yml", ERR_CONFIG, "big.yml:1:1: character U+0000 is not allowed");
	assert_int_equal(close(fd), 0);
}

/* Root reads everything: it becomes nobody for the attempt. */
static void unreadable_is_denied(void **state)
{
	bool is_root = geteuid() == 0;

	(void)state;
	put("f.yml", "a: b\n");
	assert_int_equal(chmod("f.yml", 0), 0);
	assert_int_equal(mkdir("conf.d", 0), 0);
	assert_int_equal(is_root ? seteuid(NOBODY) : 0, 0);
	assert_fails("f.yml", ERR_DENIED, "f.yml: cannot be read: Permission denied");
	assert_folder_fails("conf.d", ERR_DENIED, "conf.d: cannot be read: Permission denied");
	assert_int_equal(is_root ? seteuid(0) : 0, 0);
	assert_int_equal(rmdir("conf.d"), 0);
	assert_int_equal(chmod("f.yml", 0600), 0);
}

static void a_folder_is_read_in_order(void **state)
{
	static const char *const order[] = { "ten", "two", "upper", "lower" };
	struct tree *t = NULL;
	const struct node *list;

	(void)state;
	assert_int_equal(mkdir("conf.d", 0700), 0);
	put("conf.d/10-b.yml", "l: [ten]\n");
	put("conf.d/2-a.yaml", "l: [two]\n");
	put("conf.d/B.yml", "l: [upper]\n");
	put("conf.d/a.yml", "l: [lower]\n");
	put("conf.d/.hidden.yml", "l: [hidden]\n");
	put("conf.d/.yml", "l: [hidden]\n");
	put("conf.d/x.yml.bak", "l: [backup]\n");
	assert_int_equal(tree_new(&t), ERR_OK);
	assert_int_equal(tree_load_folder(t, "conf.d", NULL), ERR_OK);
	list = node_child(tree_root(t), "l");
	assert_int_equal(list->count, 4);
	for (size_t i = 0; i < list->count; i++)
		assert_string_equal(list->children[i]->value, order[i]);
	assert_string_equal(list->children[0]->file, "conf.d/10-b.yml");
	tree_free(t);
}

static void a_folder_fails_where_a_file_does(void **state)
{
	(void)state;
	put("conf.d/z.yml", "l: {}\n");
	assert_folder_fails("conf.d/", ERR_CONFIG,
		"conf.d/z.yml:1:1: \"l\" is a map here, but a list at conf.d/10-b.yml:1:1");
	assert_int_equal(unlink("conf.d/z.yml"), 0);
	assert_int_equal(mkdir("conf.d/dir.yml", 0700), 0);
	assert_folder_fails("conf.d", ERR_CONFIG, "conf.d/dir.yml: is a folder, not a file");
}

static void a_missing_folder_is_nothing(void **state)
{
	struct tree *t = NULL;

	(void)state;
	assert_int_equal(tree_new(&t), ERR_OK);
	assert_int_equal(tree_load_folder(t, "none.d", NULL), ERR_OK);
	assert_int_equal(tree_root(t)->count, 0);
	tree_free(t);
	put("f.yml", "a: b\n");
	assert_folder_fails("f.yml", ERR_NOT_FOUND, "f.yml: cannot be read: Not a directory");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_file_is_read),
		cmocka_unit_test(what_is_no_file_is_refused),
		cmocka_unit_test(a_large_file_is_refused),
		cmocka_unit_test(unreadable_is_denied),
		cmocka_unit_test(a_folder_is_read_in_order),
		cmocka_unit_test(a_folder_fails_where_a_file_does),
		cmocka_unit_test(a_missing_folder_is_nothing),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
