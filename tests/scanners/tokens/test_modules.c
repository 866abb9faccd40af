/* p11-kit's configuration: which modules it names, and where SoftHSM keeps its tokens. */
#include "scanners/tokens/modules.h"

#include "agent/base/slice.h"
#include "scanners/tokens/stores.h"

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

struct folders {
	char root[64];
	char own[96];
	char shipped[96];
};

static int setup(void **state)
{
	struct folders *f = calloc(1, sizeof(*f));

	if (!f)
		return -1;
	(void)snprintf(f->root, sizeof(f->root), "/tmp/leafwatch-modules-XXXXXX");
	if (!mkdtemp(f->root))
		return -1;
	(void)snprintf(f->own, sizeof(f->own), "%s/own", f->root);
	(void)snprintf(f->shipped, sizeof(f->shipped), "%s/shipped", f->root);
	*state = f;
	return mkdir(f->own, 0700) == 0 && mkdir(f->shipped, 0700) == 0 ? 0 : -1;
}

static const char *const names[] = { "a.module", "b.module", "c.module", "d.module", "e.module",
	"f.module", "g.module", "notes" };

static int teardown(void **state)
{
	struct folders *f = *state;
	char path[256];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", f->own, names[i]);
		(void)unlink(path);
		(void)snprintf(path, sizeof(path), "%s/%s", f->shipped, names[i]);
		(void)unlink(path);
	}
	(void)rmdir(f->own);
	(void)rmdir(f->shipped);
	(void)rmdir(f->root);
	free(f);
	return 0;
}

static void put(const char *folder, const char *name, const char *text)
{
	char path[256];
	FILE *file;

	(void)snprintf(path, sizeof(path), "%s/%s", folder, name);
	file = fopen(path, "w");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static enum err find(struct folders *f, struct strings *out)
{
	const char *const folders[] = { f->own, "/nonexistent/leafwatch", f->shipped };
	struct why why = { 0 };

	return token_modules_find(folders, 3, out, &why);
}

static void test_modules(void **state)
{
	struct folders *f = *state;
	struct strings found = { 0 };

	put(f->own, "b.module", "# by hand\nmodule: /own/b.so\r\n");
	put(f->shipped, "a.module", "module:   /shipped/a.so  \npriority: 1\n");
	put(f->shipped, "b.module", "module: /shipped/b.so\n");
	put(f->shipped, "c.module", "module: /shipped/trust.so\ntrust-policy: yes\n");
	put(f->shipped, "d.module", "remote: |ssh host p11-kit remote x\nmodule: /shipped/d.so\n");
	put(f->shipped, "e.module", "module: /shipped/e.so\nenable-in: firefox, thunderbird\n");
	put(f->shipped, "f.module", "module: /shipped/f.so\ndisable-in: firefox leafwatch\n");
	put(f->shipped, "g.module", "module: /shipped/a.so\n");
	put(f->shipped, "notes", "module: /shipped/notes.so\n");
	assert_int_equal(find(f, &found), ERR_OK);
	assert_int_equal(found.count, 2);
	assert_string_equal(found.items[0], "/own/b.so");
	assert_string_equal(found.items[1], "/shipped/a.so");
	strings_fini(&found);
}

static void test_enabled_by_name(void **state)
{
	struct folders *f = *state;
	struct strings found = { 0 };

	put(f->own, "a.module", "enable-in: firefox, leafwatch\nmodule: /own/a.so\n");
	put(f->own, "b.module", "module: /own/b.so\nenable-in: leafwatchd\n");
	put(f->own, "c.module", "");
	put(f->own, "d.module", "module: not-there-either.so");
	assert_int_equal(find(f, &found), ERR_OK);
	assert_int_equal(found.count, 2);
	assert_string_equal(found.items[0], "/own/a.so");
	/* Without a path: in a folder of libraries, the last one where it is in none. */
	assert_non_null(strstr(found.items[1], "/pkcs11/not-there-either.so"));
	assert_int_equal(found.items[1][0], '/');
	strings_fini(&found);
}

static void test_unreadable(void **state)
{
	struct folders *f = *state;
	struct strings found = { 0 };
	char path[256];

	/* A folder in its place is read by nobody, root included. */
	(void)snprintf(path, sizeof(path), "%s/a.module", f->own);
	assert_int_equal(mkdir(path, 0700), 0);
	put(f->shipped, "b.module", "module: /shipped/b.so\n");
	assert_int_not_equal(find(f, &found), ERR_OK);
	assert_int_equal(found.count, 1);
	strings_fini(&found);
	assert_int_equal(rmdir(path), 0);
}

static void softhsm(const char *text, const char *expected)
{
	struct slice found = token_stores_softhsm(slice_text(text));

	assert_int_equal(found.size, strlen(expected));
	if (found.size)
		assert_memory_equal(found.data, expected, found.size);
}

static void test_softhsm(void **state)
{
	(void)state;
	softhsm("# x\ndirectories.tokendir = /srv/tokens \nlog.level = ERROR\n", "/srv/tokens");
	softhsm("directories.tokendir=/a\ndirectories.tokendir = /b", "/b");
	softhsm("directories.tokendir", "");
	softhsm("#directories.tokendir = /a\n", "");
	softhsm("directories.tokendirs = /a\n", "");
	softhsm("", "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_modules, setup, teardown),
		cmocka_unit_test_setup_teardown(test_enabled_by_name, setup, teardown),
		cmocka_unit_test_setup_teardown(test_unreadable, setup, teardown),
		cmocka_unit_test(test_softhsm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
