/* What is written of limits is what they are: README's table, its text, and the problems that name a key. */
#include "agent/settings_limits.h"

#include "agent/base/buffer.h"
#include "agent/config/schema_internal.h"

#include <ctype.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define TEXT_BYTES_MAX (1024 * 1024)
#define ROW "| `limits` | `"
#define MENTION "limits."
#define CALL "_limited("

static const char *source_folder(void)
{
	const char *source = getenv("LEAFWATCH_SOURCE");

	return source ? source : ".";
}

static void read_text(const char *path, struct buffer *out)
{
	FILE *f = fopen(path, "re");
	char part[65536];
	size_t n;

	assert_non_null(f);
	buffer_clear(out);
	while ((n = fread(part, 1, sizeof(part), f)))
		buffer_append(out, part, n);
	(void)fclose(f);
	assert_int_equal(buffer_status(out), ERR_OK);
}

static bool is_key(const char *name, size_t size)
{
	for (const struct schema_field *f = settings_limit_fields; f->key; f++)
		if (strlen(f->key) == size && memcmp(f->key, name, size) == 0)
			return true;
	return false;
}

/* As README's table has it. */
static void put_row(struct buffer *out, const struct schema_field *f)
{
	buffer_format(out, ROW "%s` | %s ", f->key,
		f->type == SCHEMA_SIZE       ? "size"
		: f->type == SCHEMA_DURATION ? "duration"
					     : "number");
	schema_put_number(f, f->minimum, out);
	if (f->maximum == INT64_MAX) {
		buffer_text(out, " up");
	} else {
		buffer_text(out, "–");
		schema_put_number(f, f->maximum, out);
	}
	buffer_format(out, " | `%s` | %c%s. |\n", f->standard, toupper(f->help[0]), f->help + 1);
}

static void test_table(void **state)
{
	struct buffer readme, row, path;
	size_t rows = 0, fields = 0;

	(void)state;
	buffer_init(&readme, TEXT_BYTES_MAX);
	buffer_init(&row, TEXT_BYTES_MAX);
	buffer_init(&path, 4096);
	buffer_format(&path, "%s/README.md", source_folder());
	read_text(buffer_string(&path), &readme);
	for (const struct schema_field *f = settings_limit_fields; f->key; f++, fields++) {
		buffer_clear(&row);
		put_row(&row, f);
		if (!strstr(buffer_string(&readme), buffer_string(&row)))
			fail_msg("README.md has not: %s", buffer_string(&row));
	}
	for (const char *at = buffer_string(&readme); (at = strstr(at, ROW)); at++)
		rows++;
	assert_int_equal(rows, fields);
	buffer_fini(&path);
	buffer_fini(&row);
	buffer_fini(&readme);
}

/* Keys as a text names them: "limits.file_time". */
static void expect_keys(const char *path, const char *text)
{
	for (const char *at = text; (at = strstr(at, MENTION)); at++) {
		const char *name = at + strlen(MENTION);
		size_t size = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_");
		bool is_word = at > text && (isalnum(at[-1]) || at[-1] == '_' || at[-1] == '/');

		/* A member of a struct, a format of printf, an include. */
		if (is_word || !size || (name[size] == 'h' && size == 1) ||
			(at > text && at[-1] != '(' && at[-1] != '`'))
			continue;
		if (!is_key(name, size))
			fail_msg("%s: there is no limits.%.*s", path, (int)size, name);
	}
}

/* And as the last text of a call: format_limited(sink, "it is large", "file_time"). */
static void expect_calls(const char *path, const char *text)
{
	for (const char *at = text; (at = strstr(at, CALL)); at++) {
		const char *end = strchr(at, ';');
		const char *last = end ? memrchr(at, '"', (size_t)(end - at)) : NULL;
		const char *first = last ? memrchr(at, '"', (size_t)(last - at)) : NULL;
		size_t size = first ? (size_t)(last - first) - 1 : 0;

		if (size && strspn(first + 1, "abcdefghijklmnopqrstuvwxyz0123456789_") == size &&
			!is_key(first + 1, size))
			fail_msg("%s: there is no limits.%.*s", path, (int)size, first + 1);
	}
}

static void test_readme(void **state)
{
	struct buffer readme, path;

	(void)state;
	buffer_init(&readme, TEXT_BYTES_MAX);
	buffer_init(&path, 4096);
	buffer_format(&path, "%s/README.md", source_folder());
	read_text(buffer_string(&path), &readme);
	expect_keys("README.md", buffer_string(&readme));
	buffer_fini(&path);
	buffer_fini(&readme);
}

static struct buffer all; /* the sources but for the table itself */

static int take_source(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	size_t size = strlen(path);
	struct buffer text;

	(void)st;
	(void)ftw;
	if (type != FTW_F || size < 3 || path[size - 2] != '.' || path[size - 1] != 'c' ||
		strstr(path, "settings_limits.c"))
		return 0;
	buffer_init(&text, TEXT_BYTES_MAX);
	read_text(path, &text);
	expect_keys(path, buffer_string(&text));
	expect_calls(path, buffer_string(&text));
	buffer_slice(&all, buffer_bytes(&text));
	buffer_fini(&text);
	return 0;
}

/* Each key is one that somebody names who has reached it, and none else is named. */
static void test_told(void **state)
{
	static const char *const folders[] = { "agent", "scanners" };
	char wanted[2][96];

	(void)state;
	buffer_init(&all, 64 * TEXT_BYTES_MAX);
	for (size_t i = 0; i < 2; i++) {
		char path[4096];

		(void)snprintf(path, sizeof(path), "%s/%s", source_folder(), folders[i]);
		assert_int_equal(nftw(path, take_source, 16, FTW_PHYS), 0);
	}
	for (const struct schema_field *f = settings_limit_fields; f->key; f++) {
		(void)snprintf(wanted[0], sizeof(wanted[0]), "\"%s\"", f->key);
		(void)snprintf(wanted[1], sizeof(wanted[1]), "(" MENTION "%s)", f->key);
		if (!strstr(buffer_string(&all), wanted[0]) &&
			!strstr(buffer_string(&all), wanted[1]))
			fail_msg("nobody says that limits.%s was reached", f->key);
	}
	buffer_fini(&all);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_readme),
		cmocka_unit_test(test_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
