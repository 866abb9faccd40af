/* Which entry of target_trust is for which place. */
#include "scanners/network/target_trust.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the four above first. */
#include <cmocka.h>

static void test_the_first_that_fits(void **state)
{
	static char *first[] = { (char *)"*.internal", (char *)"mq:8883" };
	static char *second[] = { (char *)"::1", (char *)"192.0.2.?:443" };
	struct target_trust entries[] = { { .targets = { first, 2, 2 } },
		{ .targets = { second, 2, 2 } } };
	void *items[] = { &entries[0], &entries[1] };
	const struct sections all = { items, 2 };
	static const struct {
		const char *place;
		size_t entry;
	} cases[] = {
		{ "tls://db.internal:5432", 0 },
		{ "postgres://DB.Internal@192.0.2.1:443", 0 },
		{ "tls://mq:8883", 0 },
		{ "tls://mq:443", 2 },
		{ "tls://[::1]:443", 1 },
		{ "tls://192.0.2.1:443", 1 },
		{ "tls://192.0.2.1:444", 2 },
		{ "tls://www.example.org@192.0.2.1:443", 2 },
		/* No endpoints. */
		{ "file:///x.internal:443", 2 },
		{ "x.internal:443", 2 },
		{ "tls://x.internal", 2 },
		{ "tls://x.internal:", 2 },
		{ "tls://x.internal:99999", 2 },
		{ "tls://:443", 2 },
		{ "", 2 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(
			target_trust_find(&all, slice_text(cases[i].place)), cases[i].entry);
}

static void test_long_places_are_none(void **state)
{
	static char *any[] = { (char *)"*" };
	struct target_trust entry = { .targets = { any, 1, 1 } };
	void *items[] = { &entry };
	const struct sections all = { items, 1 };
	static char place[4096];

	(void)state;
	memset(place, 'x', sizeof(place) - 5);
	memcpy(place, "tls://", 6);
	memcpy(place + sizeof(place) - 5, ":443", 5);
	assert_int_equal(target_trust_find(&all, slice_text(place)), 1);
	assert_int_equal(target_trust_find(&all, slice_text("tls://a:443")), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_first_that_fits),
		cmocka_unit_test(test_long_places_are_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
