/* Secrets from values, files and credentials. */
#include "agent/config/schema.h"

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

#define SECRET_BYTES_MAX 64

static char folder[] = "/tmp/leafwatch-test-secret-XXXXXX";

static int setup(void **state)
{
	(void)state;
	return !mkdtemp(folder) || chdir(folder) != 0 || unsetenv("CREDENTIALS_DIRECTORY") != 0;
}

static int teardown(void **state)
{
	(void)state;
	(void)unlink("s");
	(void)unlink("fifo");
	return chdir("/") != 0 || rmdir(folder) != 0;
}

static void put(struct slice bytes)
{
	FILE *f = fopen("s", "we");

	assert_non_null(f);
	assert_int_equal(fwrite(bytes.data, 1, bytes.size, f), bytes.size);
	assert_int_equal(fclose(f), 0);
}

static void assert_reads(const struct secret *s, const char *value)
{
	struct buffer out;
	struct why why = { 0 };

	if (secret_read(s, SECRET_BYTES_MAX, &out, &why) != ERR_OK)
		fail_msg("%s", why.text);
	assert_int_equal(out.size, strlen(value));
	assert_string_equal(buffer_string(&out), value);
	buffer_wipe(&out);
}

static void assert_fails(const struct secret *s, enum err e, const char *sentence)
{
	struct buffer out;
	struct why why = { 0 };

	assert_int_equal(secret_read(s, SECRET_BYTES_MAX, &out, &why), e);
	assert_string_equal(why.text, sentence);
	assert_int_equal(out.size, 0);
	assert_null(out.data);
}

static char file_name[] = "s";
static const struct secret in_file = { .file = file_name };

static void a_value_is_itself(void **state)
{
	char value[] = "hunter2\n";
	char empty[] = "";
	char large[SECRET_BYTES_MAX + 2];

	(void)state;
	assert_reads(&(struct secret){ .value = value }, "hunter2\n");
	assert_reads(&(struct secret){ .value = empty }, "");
	memset(large, 'x', sizeof(large));
	large[SECRET_BYTES_MAX] = 0;
	assert_reads(&(struct secret){ .value = large }, large);
	large[SECRET_BYTES_MAX] = 'x';
	large[SECRET_BYTES_MAX + 1] = 0;
	assert_fails(
		&(struct secret){ .value = large }, ERR_LIMIT, "a secret is over 64 bytes long");
	assert_true(secret_is_set(&(struct secret){ .value = empty }));
	assert_true(secret_is_set(&in_file));
}

static void nothing_is_not_found(void **state)
{
	(void)state;
	assert_false(secret_is_set(&(struct secret){ 0 }));
	assert_fails(&(struct secret){ 0 }, ERR_NOT_FOUND, "no secret is given");
}

static void a_file_loses_its_line_ends(void **state)
{
	char large[SECRET_BYTES_MAX + 2];

	(void)state;
	put(slice_text("hunter2\n"));
	assert_reads(&in_file, "hunter2");
	put(slice_text("hunter2\r\n\r\n\n"));
	assert_reads(&in_file, "hunter2");
	put(slice_text(" two\nlines "));
	assert_reads(&in_file, " two\nlines ");
	put(slice_text("\n"));
	assert_reads(&in_file, "");
	put(slice_text(""));
	assert_reads(&in_file, "");
	memset(large, 'x', sizeof(large));
	large[SECRET_BYTES_MAX] = '\n';
	large[SECRET_BYTES_MAX + 1] = 0;
	put(slice_text(large));
	large[SECRET_BYTES_MAX] = 0;
	assert_reads(&in_file, large);
}

static void a_bad_file_is_never_no_secret(void **state)
{
	char missing[] = "missing";
	char fifo[] = "fifo";
	char here[] = ".";
	char large[4 * SECRET_BYTES_MAX];

	(void)state;
	assert_fails(&(struct secret){ .file = missing }, ERR_IO,
		"missing: cannot be read: No such file or directory");
	assert_int_equal(mkfifo(fifo, 0600), 0);
	assert_fails(&(struct secret){ .file = fifo }, ERR_CONFIG,
		"fifo: is a named pipe, not a regular file");
	assert_fails(&(struct secret){ .file = here }, ERR_CONFIG, ".: is a folder, not a file");
	memset(large, 'x', sizeof(large));
	put(slice_of(large, SECRET_BYTES_MAX + 1));
	assert_fails(&in_file, ERR_LIMIT, "s: is too large");
	put(slice_of(large, sizeof(large)));
	assert_fails(&in_file, ERR_LIMIT, "s: is too large");
	put(slice_of("a\0b\n", 4));
	assert_fails(&in_file, ERR_CONFIG, "s: holds a NUL byte");
}

static void a_credential_lies_in_its_folder(void **state)
{
	static const char *const bad[] = { "credential:", "credential:a/b", "credential:.",
		"credential:..", "credential:/etc/passwd" };
	char name[] = "credential:s";
	const struct secret s = { .file = name };
	char *path = NULL;

	(void)state;
	put(slice_text("hunter2"));
	assert_fails(&s, ERR_CONFIG,
		"\"credential:s\" needs $CREDENTIALS_DIRECTORY, which is not set; LoadCredential= "
		"of a systemd unit sets it");
	assert_int_equal(setenv("CREDENTIALS_DIRECTORY", folder, 1), 0);
	assert_reads(&s, "hunter2");
	assert_int_equal(secret_path(name, &path, NULL), ERR_OK);
	assert_memory_equal(path, folder, strlen(folder));
	assert_string_equal(path + strlen(folder), "/s");
	free(path);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(secret_path(bad[i], &path, NULL), ERR_CONFIG);
	assert_int_equal(unsetenv("CREDENTIALS_DIRECTORY"), 0);
}

static void other_paths_stay(void **state)
{
	char *path = NULL;

	(void)state;
	assert_int_equal(secret_path("/etc/credential:x", &path, NULL), ERR_OK);
	assert_string_equal(path, "/etc/credential:x");
	free(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_value_is_itself),
		cmocka_unit_test(nothing_is_not_found),
		cmocka_unit_test(a_file_loses_its_line_ends),
		cmocka_unit_test(a_bad_file_is_never_no_secret),
		cmocka_unit_test(a_credential_lies_in_its_folder),
		cmocka_unit_test(other_paths_stay),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
