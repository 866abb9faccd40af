/* The shuffled order: every number once, neighbours apart. */
#include "scanners/network/shuffle.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void test_each_once(void **state)
{
	static const uint64_t sizes[] = { 1, 2, 3, 4, 5, 7, 16, 17, 63, 64, 65, 255, 1000, 4096,
		65536, 100003 };

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		for (uint64_t seed = 0; seed < 3; seed++) {
			uint8_t *seen = calloc(1, sizes[i]);
			struct shuffle s;

			assert_non_null(seen);
			shuffle_init(&s, sizes[i], seed);
			for (uint64_t n = 0; n < sizes[i]; n++) {
				uint64_t at = shuffle_at(&s, n);

				assert_true(at < sizes[i]);
				assert_int_equal(seen[at]++, 0);
			}
			free(seen);
		}
}

/* Of a /16 the first thousand fall into nearly as many /24s as chance would have it, and two seeds differ. */
static void test_spread(void **state)
{
	struct shuffle s, other;
	uint8_t nets[256] = { 0 };
	unsigned count = 0, same = 0;

	(void)state;
	shuffle_init(&s, 65536, 1);
	shuffle_init(&other, 65536, 2);
	for (uint64_t n = 0; n < 1000; n++) {
		count += nets[shuffle_at(&s, n) >> 8]++ == 0;
		same += shuffle_at(&s, n) == shuffle_at(&other, n);
	}
	assert_in_range(count, 240, 256);
	assert_in_range(same, 0, 5);
}

static void test_largest(void **state)
{
	struct shuffle s;

	(void)state;
	shuffle_init(&s, SHUFFLE_SIZE_MAX, 7);
	assert_true(shuffle_at(&s, 0) < SHUFFLE_SIZE_MAX);
	assert_true(shuffle_at(&s, 0) != shuffle_at(&s, 1));
	shuffle_init(&s, (UINT64_C(1) << 30) + 1, 7);
	for (uint64_t n = 0; n < 1000; n++)
		assert_true(shuffle_at(&s, n) <= UINT64_C(1) << 30);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_once),
		cmocka_unit_test(test_spread),
		cmocka_unit_test(test_largest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
