/* Signatures: the vector of the Standard Webhooks specification, rotation, and wrong secrets. */
#include "exporters/webhooks/webhook.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define SECRET "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
#define SIGNATURE "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="

static enum err sign(const char *secret, struct buffer *out, struct why *why)
{
	struct signature_input in = { .id = "msg_p5jXN8AQM9LWM0D4loKWxJek",
		.timestamp = 1614265330,
		.body = slice_text("{\"test\": 2432232314}") };

	buffer_init(out, 1024);
	return webhook_signature(secret, &in, out, why);
}

static void test_vector(void **state)
{
	static const char *const secrets[] = { SECRET, "whsec_" SECRET, "  whsec_" SECRET "\n" };
	struct buffer out;

	(void)state;
	for (size_t i = 0; i < sizeof(secrets) / sizeof(secrets[0]); i++) {
		assert_int_equal(sign(secrets[i], &out, NULL), ERR_OK);
		assert_string_equal(buffer_string(&out), SIGNATURE);
		buffer_fini(&out);
	}
}

static void test_rotation(void **state)
{
	struct buffer out;

	(void)state;
	assert_int_equal(
		sign("whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA whsec_" SECRET, &out, NULL), ERR_OK);
	assert_non_null(strstr(buffer_string(&out), " " SIGNATURE));
	assert_true(strncmp(buffer_string(&out), "v1,", 3) == 0);
	buffer_fini(&out);
}

static void test_wrong_secrets(void **state)
{
	static const char *const secrets[] = { "", " \n", "not base64!!", "whsec_%%%" };
	struct buffer out;

	(void)state;
	for (size_t i = 0; i < sizeof(secrets) / sizeof(secrets[0]); i++) {
		struct why why = { 0 };

		assert_int_equal(sign(secrets[i], &out, &why), ERR_CONFIG);
		assert_true(why.text[0]);
		assert_true(!*secrets[i] || !strstr(why.text, "%%%"));
		buffer_fini(&out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vector),
		cmocka_unit_test(test_rotation),
		cmocka_unit_test(test_wrong_secrets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
