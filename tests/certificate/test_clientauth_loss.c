/* Who issues no clientAuth any more. */
#include "agent/base/clock.h"
#include "agent/certificate/clientauth_loss.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void test_table(void **state)
{
	static const struct {
		const char *issuer;
		const char *who;
		const char *since;
	} rows[] = {
		{ "CN=R10,O=Let's Encrypt,C=US", "Let's Encrypt", "2026-05-13T00:00:00Z" },
		{ "C=US,O=LET'S  ENCRYPT,CN=E5", "Let's Encrypt", "2026-05-13T00:00:00Z" },
		{ "CN=ZeroSSL RSA,O=ZeroSSL,C=AT", "ZeroSSL", "2025-10-14T00:00:00Z" },
		{ "CN=x,O=DigiCert\\, Inc.,C=US", "DigiCert", "2025-10-01T00:00:00Z" },
		{ "CN=x,O=DigiCert Inc", "DigiCert", "2025-10-01T00:00:00Z" },
	};
	/* Not an organisation's own name, only something that holds it. */
	static const char *const others[] = { "CN=R10,O=Let's Encrypt Testing", "CN=Let's Encrypt",
		"CN=a\\,O\\=Let's Encrypt", "OU=Let's Encrypt,O=Other", "" };
	struct clientauth_loss loss;
	int64_t at;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(clientauth_loss_of(rows[i].issuer, &loss), ERR_OK);
		assert_string_equal(loss.who, rows[i].who);
		assert_false(loss.is_of_all);
		assert_int_equal(time_parse(rows[i].since, &at), ERR_OK);
		assert_int_equal(loss.since, at);
	}
	assert_int_equal(time_parse("2027-03-15", &at), ERR_OK);
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		assert_int_equal(clientauth_loss_of(others[i], &loss), ERR_OK);
		assert_true(loss.is_of_all);
		assert_int_equal(loss.since, at);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_table) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
