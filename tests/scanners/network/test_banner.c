/* What answers without TLS, told by its first bytes. */
#include "scanners/network/banner.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void test_records(void **state)
{
	static const struct {
		const char *bytes;
		size_t size;
		bool is_tls;
		bool is_dtls;
	} rows[] = {
		{ "\x16\x03\x03", 3, true, false },
		{ "\x15\x03\x01", 3, true, false },
		{ "\x16\xfe\xff", 3, false, true },
		{ "\x16\xfe\xfd", 3, false, true },
		{ "\x15\xfe\xfd", 3, false, true },
		{ "\x16", 1, true, true },
		{ "", 0, true, true },
		{ "\x13\xfe\xfd", 3, false, false },
		{ "\x18\x03\x03", 3, false, false },
		{ "ERROR", 5, false, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct slice head = slice_of(rows[i].bytes, rows[i].size);

		assert_int_equal(banner_is_not_tls(head), !rows[i].is_tls);
		assert_int_equal(banner_is_not_dtls(head), !rows[i].is_dtls);
	}
}

static void test_sentences(void **state)
{
	char text[256];

	(void)state;
	banner_describe(slice_text("SSH-2.0-OpenSSH_9.2\r\n"), text, sizeof(text));
	assert_string_equal(text, "it looks like SSH: \"SSH-2.0-OpenSSH_9.2\\x0D\\x0A\"");
	banner_describe(slice_text("what?"), text, sizeof(text));
	assert_string_equal(text, "the answer is no TLS record: \"what?\"");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_records),
		cmocka_unit_test(test_sentences),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
