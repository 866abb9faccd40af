/* The addresses of this host: those that loopback and its interfaces have, and no others. */
#include "agent/own_addresses.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static void test_which(void **state)
{
	struct in6_addr items[2];
	const struct own_addresses own = { .items = items, .count = 2 };

	(void)state;
	assert_int_equal(inet_pton(AF_INET6, "::ffff:10.0.0.7", &items[0]), 1);
	assert_int_equal(inet_pton(AF_INET6, "fe80::1", &items[1]), 1);
	assert_true(own_addresses_have(&own, "10.0.0.7"));
	assert_true(own_addresses_have(&own, "::ffff:10.0.0.7"));
	assert_true(own_addresses_have(&own, "fe80::1%eth0"));
	assert_true(own_addresses_have(&own, "127.9.9.9"));
	assert_true(own_addresses_have(&own, "::1"));
	assert_false(own_addresses_have(&own, "10.0.0.8"));
	assert_false(own_addresses_have(&own, "2001:db8::1"));
	assert_false(own_addresses_have(&own, "api.example.org"));
	assert_false(own_addresses_have(&own, NULL));
}

static void test_this_host(void **state)
{
	struct own_addresses own = { 0 };
	struct why why = { 0 };
	char text[INET6_ADDRSTRLEN];

	(void)state;
	assert_int_equal(own_addresses_read(&own, &why), ERR_OK);
	assert_true(own.count > 0);
	for (size_t i = 0; i < own.count; i++) {
		assert_non_null(inet_ntop(AF_INET6, &own.items[i], text, sizeof(text)));
		assert_true(own_addresses_have(&own, text));
	}
	assert_false(own_addresses_have(&own, "192.0.2.77"));
	own_addresses_fini(&own);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_which),
		cmocka_unit_test(test_this_host),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
