/* pkcs11: URIs taken apart and compared. */
#include "scanners/tokens/uri.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define TOKEN "pkcs11:model=SoftHSM%20v2;manufacturer=SoftHSM%20project;serial=12;token=one"

static struct token_uri parsed(const char *text)
{
	struct token_uri u = { 0 };
	struct why why = { 0 };

	if (token_uri_parse(text, &u, &why) != ERR_OK)
		fail_msg("%s: %s", text, why.text);
	return u;
}

static void refused(const char *text, const char *word)
{
	struct token_uri u = { 0 };
	struct why why = { 0 };

	assert_int_equal(token_uri_parse(text, &u, &why), ERR_CONFIG);
	if (!strstr(why.text, word))
		fail_msg("%s: \"%s\" does not say \"%s\"", text, why.text, word);
}

static void test_parts(void **state)
{
	struct token_uri u = parsed("pkcs11:token=a%20b;id=%00%01;object=x;type=cert"
				    "?pin-source=file:/p&module-name=softhsm2&module-path=/m.so");

	(void)state;
	assert_string_equal(u.values[TOKEN_LABEL].bytes, "a b");
	assert_int_equal(u.values[TOKEN_ID].size, 2);
	assert_memory_equal(u.values[TOKEN_ID].bytes, "\0\1", 2);
	assert_string_equal(u.values[TOKEN_MODULE_PATH].bytes, "/m.so");
	assert_true(token_uri_is_of_object(&u));
	assert_false(token_uri_is_any(&u));
	token_uri_fini(&u);
	u = parsed("pkcs11:");
	assert_true(token_uri_is_any(&u));
	assert_false(token_uri_is_of_object(&u));
	token_uri_fini(&u);
	u = parsed("pkcs11:token=");
	assert_int_equal(u.values[TOKEN_LABEL].size, 0);
	assert_non_null(u.values[TOKEN_LABEL].bytes);
	token_uri_fini(&u);
}

static void test_refused(void **state)
{
	char *long_uri = calloc(1, TOKEN_URI_BYTES_MAX + 32);

	(void)state;
	refused("pkcs12:", "no pkcs11:");
	refused("pkcs11:tokn=x", "\"tokn\" is no path attribute");
	refused("pkcs11:token=x?tokn=y", "no query attribute");
	refused("pkcs11:token=x;token=y", "twice");
	refused("pkcs11:token", "no value");
	refused("pkcs11:;token=x", "empty attribute");
	refused("pkcs11:token=%4", "percent");
	refused("pkcs11:token=%zz", "percent");
	refused("pkcs11:token=x?pin-value=1234", "seen by everybody");
	refused("pkcs11:slot-id=0", "slot");
	refused("pkcs11:type=private", "\"cert\"");
	refused("pkcs11:?module-path=m.so", "absolute");
	refused("pkcs11:?module-path=/m%00.so", "NUL");
	assert_non_null(long_uri);
	memset(long_uri, 'a', TOKEN_URI_BYTES_MAX + 20);
	memcpy(long_uri, "pkcs11:token=", strlen("pkcs11:token="));
	refused(long_uri, "long");
	free(long_uri);
}

static bool has_token(const char *wanted, const char *token)
{
	struct token_uri w = parsed(wanted), t = parsed(token);
	bool is_same = token_uri_has_token(&w, &t);

	token_uri_fini(&w);
	token_uri_fini(&t);
	return is_same;
}

static void test_tokens(void **state)
{
	(void)state;
	assert_true(has_token("pkcs11:", TOKEN));
	assert_true(has_token("pkcs11:token=one", TOKEN));
	assert_true(has_token("pkcs11:model=SoftHSM v2;serial=12", TOKEN));
	assert_true(has_token("pkcs11:token=one;object=x;id=%01", TOKEN));
	assert_false(has_token("pkcs11:token=on", TOKEN));
	assert_false(has_token("pkcs11:token=one;serial=13", TOKEN));
	assert_false(has_token("pkcs11:library-version=1.0", TOKEN));
}

static void test_objects(void **state)
{
	struct token_uri there = parsed(TOKEN ";id=%01;object=web;type=cert");
	struct token_uri wanted = parsed("pkcs11:object=web");

	(void)state;
	assert_true(token_uri_has_object(&wanted, &there));
	token_uri_fini(&wanted);
	wanted = parsed("pkcs11:object=web;id=%02");
	assert_false(token_uri_has_object(&wanted, &there));
	token_uri_fini(&wanted);
	token_uri_fini(&there);
}

static bool has_module(const char *wanted, const char *path)
{
	struct token_uri w = parsed(wanted);
	bool is_same = token_uri_has_module(&w, path);

	token_uri_fini(&w);
	return is_same;
}

static void test_modules(void **state)
{
	(void)state;
	assert_true(has_module("pkcs11:", "/usr/lib/libx.so"));
	assert_true(has_module("pkcs11:?module-name=softhsm2", "/usr/lib/libsofthsm2.so"));
	assert_true(has_module("pkcs11:?module-name=libsofthsm2", "/usr/lib/libsofthsm2.so.1"));
	assert_true(has_module("pkcs11:?module-name=opensc-pkcs11", "/a/opensc-pkcs11.so"));
	assert_false(has_module("pkcs11:?module-name=softhsm", "/usr/lib/libsofthsm2.so"));
	assert_true(has_module("pkcs11:?module-path=/a.so", "/a.so"));
	assert_false(has_module("pkcs11:?module-path=/a.so", "/b/a.so"));
}

static void pin_file(const char *uri, const char *expected)
{
	struct token_uri u = parsed(uri);
	struct why why = { 0 };
	char *file = NULL;
	enum err e = token_uri_pin_file(&u, &file, &why);

	token_uri_fini(&u);
	if (!expected) {
		assert_int_equal(e, ERR_CONFIG);
		return;
	}
	assert_int_equal(e, ERR_OK);
	assert_string_equal(file, expected);
	free(file);
}

static void test_pin_files(void **state)
{
	char *place = token_uri_place("pkcs11:token=a?pin-source=file:/p");

	(void)state;
	pin_file("pkcs11:?pin-source=file:/p/q", "/p/q");
	pin_file("pkcs11:?pin-source=file:///p/q", "/p/q");
	pin_file("pkcs11:?pin-source=/p/q", "/p/q");
	pin_file("pkcs11:?pin-source=credential:hsm", "credential:hsm");
	pin_file("pkcs11:?pin-source=file:p", NULL);
	pin_file("pkcs11:?pin-source=%7Ccommand", NULL);
	assert_string_equal(place, "pkcs11:token=a");
	free(place);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parts),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_tokens),
		cmocka_unit_test(test_objects),
		cmocka_unit_test(test_modules),
		cmocka_unit_test(test_pin_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
