/* Names that are the same, and names that only look it. */
#include "agent/certificate/name_key.h"
#include "agent/certificate/record.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static bool is_same(const char *a, const char *b)
{
	struct name_key x;
	struct name_key y;

	assert_int_equal(name_key_of(a, &x), ERR_OK);
	assert_int_equal(name_key_of(b, &y), ERR_OK);
	return memcmp(&x, &y, sizeof(x)) == 0;
}

static void test_same(void **state)
{
	static const char *const pairs[][2] = {
		{ "CN=Internal Root CA,O=Example", "CN=INTERNAL root ca,O=example" },
		{ "CN=Internal  Root   CA", "CN=Internal Root CA" },
		{ "CN=\\ Internal Root CA\\ ", "CN=Internal Root CA" },
		{ "CN=Internal\\09Root", "CN=Internal Root" },
		{ "CN=a+OU=b,O=c", "OU=B+CN=A,O=C" },
		{ "CN=M\xc3\x9cLLER", "CN=m\xc3\xbcller" },
		{ "CN=\xd0\x98\xd0\x92\xd0\x90\xd0\x9d", "CN=\xd0\xb8\xd0\xb2\xd0\xb0\xd0\xbd" },
		{ "CN=\xce\xa3\xce\x99", "CN=\xcf\x83\xce\xb9" },
		{ "1.2.3.4=#0C0141", "1.2.3.4=#0c0141" },
		{ "CN=a\\,b", "CN=A\\2cB" },
		{ "CN=\\#x", "CN=\\23x" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++)
		if (!is_same(pairs[i][0], pairs[i][1]))
			fail_msg("%s is not %s", pairs[i][0], pairs[i][1]);
}

static void test_different(void **state)
{
	static const char *const pairs[][2] = {
		{ "CN=a,O=b", "O=b,CN=a" },
		{ "CN=a", "O=a" },
		{ "CN=a,O=b", "CN=a\\,O\\=b" },
		{ "CN=a+O=b", "CN=a,O=b" },
		{ "CN=a+O=b", "CN=a\\+O\\=b" },
		{ "CN=ab", "CN=a b" },
		{ "CN=", "O=" },
		{ "CN=a\\\\,O=b", "CN=a\\\\\\,O=b" },
		{ "CN=a", "CN=a,O=" },
		{ "CN=\xc3\x97", "CN=\xc3\xb7" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++)
		if (is_same(pairs[i][0], pairs[i][1]))
			fail_msg("%s is taken for %s", pairs[i][0], pairs[i][1]);
}

static void test_empty(void **state)
{
	struct name_key key;

	(void)state;
	assert_int_equal(name_key_of("", &key), ERR_NOT_FOUND);
}

/* Whatever the text is, it is folded without a word, twice to the same. */
static void test_odd(void **state)
{
	static const char *const texts[] = { "\\", "=", ",", "+", "+,+", "CN=\\", "CN=a\\", "#",
		"CN=\\zz", "CN=a,,b", "CN==", "\xff\xfe", "CN=\\FF\\FE" };

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct buffer once;

		buffer_init(&once, 1024);
		name_fold(texts[i], &once);
		assert_int_equal(buffer_status(&once), ERR_OK);
		assert_true(is_same(texts[i], texts[i]));
		buffer_fini(&once);
	}
}

static void test_long(void **state)
{
	char *text = malloc(RECORD_TEXT_BYTES_MAX + 1);
	char *many;
	struct name_key key;
	size_t at = 0;

	(void)state;
	assert_non_null(text);
	memset(text, ',', RECORD_TEXT_BYTES_MAX);
	text[RECORD_TEXT_BYTES_MAX] = 0;
	assert_int_equal(name_key_of(text, &key), ERR_OK);
	memset(text, '\\', RECORD_TEXT_BYTES_MAX);
	assert_int_equal(name_key_of(text, &key), ERR_OK);
	/* More attributes in one RDN than are put in order. */
	many = text;
	for (; at + 8 < RECORD_TEXT_BYTES_MAX; at += 5)
		memcpy(many + at, "CN=a+", 5);
	many[at] = 0;
	assert_int_equal(name_key_of(many, &key), ERR_OK);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_same),
		cmocka_unit_test(test_different),
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_odd),
		cmocka_unit_test(test_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
