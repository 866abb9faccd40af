/* What texts call the places in them. '@' in a text is the place. */
#include "scanners/formats/outline.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_BYTES_MAX (256 * 1024)
#define FILLER_BYTES (100 * 1024)

static void names(const char *text, const char *wanted)
{
	struct outline o;
	struct buffer out;
	size_t size = strlen(text);
	/* Exact, so that reading past the end is seen. */
	char *exact = malloc(size ? size : 1);
	const char *at = strchr(text, '@');

	assert_non_null(exact);
	assert_non_null(at);
	memcpy(exact, text, size);
	outline_init(&o, slice_of(exact, size));
	buffer_init(&out, OUTLINE_PATH_BYTES_MAX);
	outline_name(&o, (size_t)(at - text), &out);
	assert_string_equal(buffer_string(&out), wanted);
	buffer_fini(&out);
	free(exact);
}

static void json(void **state)
{
	(void)state;
	names("{\"a\":{\"b\":\"@\"}}", "a/b");
	names("[\"x\", \"@\"]", "1");
	names("{\"a\":[{\"name\":\"x\"},{\"b\":\"@\"}]}", "a/1/b");
	names("{\"a\":[{\"b\":\"@\", \"c\":[{\"name\":\"no\"}], \"name\":\"yes\"},{\"name\":\"no\"}]}",
		"a/yes/b");
	names("{\"a\":[{\"b\":[\"@\"]},{\"name\":\"no\"}]}", "a/0/b/0");
	names("{\"items\":[{\"metadata\":{\"labels\":{\"name\":\"no\"},\"name\":\"s\"},\"data\":{\"k\":\"@\"}}]}",
		"items/s/data/k");
	names("{\"a\\\"b\": \"x\\\"y\", \"c\": \"\\\\\", \"d\": \"@", "d");
	names("{\"users\":[{\"name\":\"admin\",\"user\":{\"client-certificate-data\":\"@\"}}]}",
		"users/admin");
	names("{\"outputs\":{\"cert\":{\"value\":\"@\"}}}", "outputs/cert");
	names("{\"a\":1}\n{\"b\":\"@\"}\n", "b");
	names("{\"a\":[{\"b\":\"@\",\"c\":\"d", "a/0/b");
	names("}}]]{\"a\":\"@\"}", "");
}

static void lines(void **state)
{
	(void)state;
	names("a:\n  b: @\n", "a/b");
	names("a:\n- b: 1\n- c: @\n", "a/1/c");
	names("a:\n  - name: x\n    b: >-\n      name: no\n      @\n", "a/x/b");
	names("a:\n- b: @\n  name: 'x'\n", "a/x/b");
	names("a:\n- - @\n", "a/0/0");
	names("a: |\n  b\n@\n", "");
	names("a: \"x\n  @\"\n", "a");
	names("# a: b\n\na : x\nb:c\n@", "");
	names("kind: Secret\nmetadata:\n  name: one\ndata:\n  k: @\n", "data/k");
	names("metadata:\n  name: one\n---\ndata:\n  k: @\nmetadata:\n  name: two\n", "two/data/k");
	names("metadata:\n  name: one\ndata:\n  k: @\n---\nmetadata:\n  name: two\n", "one/data/k");
	names("clusters:\n- cluster:\n    certificate-authority-data: @\n  name: prod\n",
		"clusters/prod");
	names("client\n<ca>\n@\n</ca>\n", "ca");
	names("client\n<ca>\n</ca>\n@\n", "");
	names("dn: uid=a,o=b\nuserCertificate;binary:: x\n @\n",
		"uid=a,o=b/userCertificate;binary");
	names("key = \"@\"\n", "key");
	names("Text with a word: and more\n@\n", "");
	names("subject=CN = a\n-----BEGIN CERTIFICATE-----@\n", "");
}

static void plists(void **state)
{
	(void)state;
	names("<?xml version='1.0'?><plist><dict><key>a</key><data>@</data></dict></plist>", "a");
	names("<plist><dict><key>a</key><array><string>x</string><data>@</data></array></dict></plist>",
		"a/1");
	names("<plist><dict><key>PayloadContent</key><array><dict><key>PayloadContent</key><data>@</data>"
	      "<key>PayloadDisplayName</key><string>Root CA</string></dict></array></dict></plist>",
		"PayloadContent/Root CA");
	names("<plist><dict><key>a</key><data>@", "a");
	names("<html>@</html>", "");
}

/* Deeper than it goes nothing is named, and behind it all is as before. */
static void depth(void **state)
{
	char text[512] = "";
	size_t size = 0;

	(void)state;
	for (size_t i = 0; i < OUTLINE_DEPTH_MAX + 5; i++)
		size += (size_t)snprintf(text + size, sizeof(text) - size, "{\"a\":");
	(void)snprintf(text + size, sizeof(text) - size, "\"@\"");
	names(text, "");
	for (size_t i = 0; i < OUTLINE_DEPTH_MAX + 4; i++)
		size += (size_t)snprintf(text + size, sizeof(text) - size, "}");
	(void)snprintf(text + size, sizeof(text) - size, ",\"b\":\"@\"}");
	names(text, "b");
}

/* Going back is going on. */
static void any_order(void **state)
{
	static const char text[] = "{\"a\":\"x\",\"b\":[\"y\",{\"kid\":\"k\",\"c\":\"z\"}]}";
	const struct slice s = slice_of(text, sizeof(text) - 1);
	struct outline o;
	struct buffer out;

	(void)state;
	outline_init(&o, s);
	buffer_init(&out, OUTLINE_PATH_BYTES_MAX);
	outline_name(&o, (size_t)(strchr(text, 'z') - text), &out);
	buffer_byte(&out, ' ');
	outline_name(&o, (size_t)(strchr(text, 'x') - text), &out);
	buffer_byte(&out, ' ');
	outline_name(&o, (size_t)(strchr(text, 'y') - text), &out);
	outline_name(&o, sizeof(text) * 2, &out);
	assert_string_equal(buffer_string(&out), "b/k/c a b/0");
	buffer_fini(&out);
}

/* A name that stands too far behind is not looked for. */
static void far_name(void **state)
{
	char *text = malloc(TEXT_BYTES_MAX);
	size_t size;

	(void)state;
	assert_non_null(text);
	size = (size_t)snprintf(text, TEXT_BYTES_MAX, "{\"a\":[{\"b\":\"@\",\"c\":\"");
	memset(text + size, 'x', FILLER_BYTES);
	(void)snprintf(text + size + FILLER_BYTES, TEXT_BYTES_MAX - size - FILLER_BYTES,
		"\",\"name\":\"n\"}]}");
	names(text, "a/0/b");
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(json),
		cmocka_unit_test(lines),
		cmocka_unit_test(plists),
		cmocka_unit_test(depth),
		cmocka_unit_test(any_order),
		cmocka_unit_test(far_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
