/* Keys whose weakness shows in their numbers. */
#include "agent/certificate/key.h"

#include "agent/base/text.h"
#include "tests/certificate/maker.h"

/* k * M + (65537^123456789 mod M), M the product of the primes 3 to 167: the form of Infineon's primes, which
 * their products keep. */
static const char vulnerable[] = "5950c0a167da3339f94874085719696de8d070f4562c5d22227195d6af220639"
				 "eb6a26e8a2de0be1890fe8c5f1928500c42d53bef0910f1fae0f5aae2e67d81e";

static void test_roca(void **state)
{
	uint8_t bytes[128];
	size_t size = strlen(vulnerable) / 2;

	(void)state;
	assert_true(text_unhex(bytes, size, vulnerable));
	assert_true(key_is_roca(slice_of(bytes, size)));
	bytes[size - 1] ^= 2;
	assert_false(key_is_roca(slice_of(bytes, size)));
	assert_false(key_is_roca(slice_of(NULL, 0)));
}

static void test_rsa_and_curves(void **state)
{
	struct recipe r = recipe_of("CN=rsa");
	struct der_certificate c;
	struct key_rsa rsa;
	struct made m;

	(void)state;
	r.algorithm = GNUTLS_PK_RSA;
	r.bits = 2048;
	make(&m, &r, NULL);
	assert_true(der_certificate(m.parsed.der, &c));
	assert_true(key_rsa_read(c.spki, &rsa));
	assert_int_equal(rsa.modulus_bits, 2048);
	assert_int_equal(rsa.exponent_bits, 17);
	assert_false(key_is_roca(rsa.modulus));
	assert_int_equal(key_curve_read(c.spki), CURVE_NONE);
	made_fini(&m);
	r = recipe_of("CN=ec");
	make(&m, &r, NULL);
	assert_true(der_certificate(m.parsed.der, &c));
	assert_false(key_rsa_read(c.spki, &rsa));
	assert_int_equal(key_curve_read(c.spki), CURVE_USUAL);
	made_fini(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_roca),
		cmocka_unit_test(test_rsa_and_curves),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
